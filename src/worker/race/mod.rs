//! A race: several controllers at the same start and goal, each with a world and a thread of its own.
//!
//! A lane runs the very episodes that `eval control` runs ([`Running`]): same start, goal, budget of steps
//! and success test. What it shows lies in a slot that holds the newest only, so nobody waits for the window.
//! Worlds are stepped and decisions computed on the shared pool of the model threads, which leaves a core to
//! the window; controllers that plan think one after another ([`turns`]), so that the time that each one
//! takes is its own.

mod turns;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use self::turns::{Seat, Turns};
use super::desk::panic_message;
use super::stand_back;
use crate::camera::Eye;
use crate::eval::contest::{Contestant, Planning};
use crate::eval::control::{EpisodeResult, EvalError, Running};
use crate::model::{Cancel, Cost, Frame, ModelError};
use crate::scene::Scene;
use crate::sim::CONTROL_HZ;
use crate::task::{GoalKind, TaskError, TaskInstance};

/// Milliseconds of a control step.
const STEP_MS: f64 = 1e3 / CONTROL_HZ as f64;
/// Side of the films' pictures in pixels: the eye's own view, finer than models see it.
pub const FILM_SIDE: usize = 96;

/// What is raced on.
#[derive(Clone)]
pub struct Heat {
    /// The world.
    pub scene: Arc<Scene>,
    /// The starts and goals, one race each.
    pub seeds: Range<u64>,
    /// Where goals come from.
    pub goals: GoalKind,
    /// Whether the world goes on while a controller thinks; else it waits for every decision.
    pub is_counted: bool,
}

/// Makes a contestant for a scene on its lane's thread, or says why there is none.
pub type Maker = Box<dyn FnOnce(&Arc<Scene>) -> Result<Contestant, String> + Send>;

/// One step of a film.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneStep {
    /// What the eye sees, [`FILM_SIDE`] pixels a side.
    pub frame: Frame,
    /// Distance to the goal, metres.
    pub distance_m: f32,
    /// Milliseconds of the decision that led here, where one was made.
    pub decided_ms: Option<f64>,
    /// Whether the world went on here with an old action, because its controller was thinking.
    pub is_late: bool,
}

/// A start and a goal.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// The seed.
    pub seed: u64,
    /// The goal's picture, as models see it.
    pub goal: Frame,
    /// Success: at most this far, metres.
    pub tolerance_m: f32,
    /// Control steps that there are.
    pub budget_steps: u32,
}

/// A race that ended in a lane.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// Its outcome, as evaluation gives it.
    pub result: EpisodeResult,
    /// Control steps that the world took with an old action while the controller was thinking.
    pub late_steps: u32,
}

/// What a lane does.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Doing {
    /// Its controller is made.
    #[default]
    Preparing,
    /// Somebody else thinks.
    Waiting,
    /// Its controller thinks, since then.
    Thinking(Instant),
    /// Its world is stepped.
    Acting,
    /// All its races are run.
    Done,
    /// The race was called off.
    Stopped,
    /// Its controller failed; the others go on.
    Failed(String),
}

impl Doing {
    /// Whether nothing more will come.
    pub fn is_over(&self) -> bool {
        matches!(self, Doing::Done | Doing::Stopped | Doing::Failed(_))
    }
}

/// How a lane's controller plans, and what imagining costs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Plans {
    /// How it plans.
    pub planning: Planning,
    /// What imagining costs it, where that is known.
    pub cost: Option<Cost>,
}

/// What is new in a lane. What nobody has fetched is replaced when the next race begins, but for how races
/// ended.
#[derive(Clone, Debug, Default)]
pub struct LaneNews {
    /// How its controller plans, once.
    pub plans: Option<Plans>,
    /// A race that began: steps of the one before no longer come.
    pub course: Option<Course>,
    /// Steps of the newest race, the start first.
    pub steps: Vec<LaneStep>,
    /// Races that ended.
    pub finished: Vec<Finish>,
    /// What it does now.
    pub doing: Doing,
}

#[derive(Default)]
struct Slot(Mutex<LaneNews>);

impl Slot {
    fn news(&self) -> MutexGuard<'_, LaneNews> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn does(&self, doing: Doing) {
        self.news().doing = doing;
    }
}

/// A race that runs, seen from the window. Dropping it calls it off.
pub struct Race {
    lanes: Vec<Arc<Slot>>,
    cancel: Cancel,
}

impl Race {
    /// Starts a thread for each contestant.
    ///
    /// # Errors
    /// The system's error if threads cannot be started; none runs then.
    pub fn start(heat: &Heat, contestants: Vec<Maker>) -> std::io::Result<Race> {
        let race = Race {
            lanes: contestants.iter().map(|_| Arc::default()).collect(),
            cancel: Cancel::new(),
        };
        let turns = Arc::new(Turns::default());
        for (lane, make) in contestants.into_iter().enumerate() {
            let (heat, slot) = (heat.clone(), race.lanes[lane].clone());
            let (turns, cancel) = (turns.clone(), race.cancel.clone());
            let thread = std::thread::Builder::new().name(format!("race-{lane}"));
            thread.spawn(move || {
                stand_back();
                let run = || run_lane(&heat, make, &slot, (&turns, lane), &cancel);
                let ended = catch_unwind(AssertUnwindSafe(run));
                slot.does(match ended {
                    Ok(Ok(())) => Doing::Done,
                    Ok(Err(_)) if cancel.is_cancelled() => Doing::Stopped,
                    Ok(Err(why)) => Doing::Failed(why),
                    Err(panic) => Doing::Failed(panic_message(&*panic)),
                });
            })?;
        }
        Ok(race)
    }

    /// What is new in a lane since the last time; never waits for long.
    pub fn fetch(&self, lane: usize) -> LaneNews {
        let Some(slot) = self.lanes.get(lane) else {
            return LaneNews::default();
        };
        let mut news = slot.news();
        let doing = news.doing.clone();
        let fresh = LaneNews {
            doing,
            ..LaneNews::default()
        };
        std::mem::replace(&mut *news, fresh)
    }

    /// Calls it off: lanes stop at their next step.
    pub fn stop(&self) {
        self.cancel.cancel();
    }
}

impl Drop for Race {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Computes on the shared pool of the model threads.
fn on_the_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// A lane's eyes: the one that controllers look through, and the one of the film.
struct Eyes {
    own: Eye,
    film: Eye,
}

impl Eyes {
    fn of(scene: &Arc<Scene>) -> Result<Eyes, String> {
        Ok(Eyes {
            own: Eye::standard(scene).map_err(|e| e.to_string())?,
            film: Eye::new(scene, FILM_SIDE, 2).map_err(|e| e.to_string())?,
        })
    }

    fn step(&self, run: &Running, decided_ms: Option<f64>, is_late: bool) -> LaneStep {
        LaneStep {
            frame: Frame::new(FILM_SIDE, self.film.look(&run.reality).rgb),
            distance_m: run.so_far().final_distance_m,
            decided_ms,
            is_late,
        }
    }
}

fn run_lane(
    heat: &Heat,
    make: Maker,
    slot: &Slot,
    (turns, lane): (&Turns, usize),
    cancel: &Cancel,
) -> Result<(), String> {
    let eyes = on_the_pool(|| Eyes::of(&heat.scene))?;
    let mut contestant = make(&heat.scene)?;
    slot.news().plans = Some(Plans {
        planning: contestant.planning.clone(),
        cost: contestant.cost,
    });
    // Who plans nothing has no thinking to take turns in.
    let seat = (contestant.planning.budget.is_some()).then(|| turns.sit(lane));
    let mut spent = 0.0;
    for seed in heat.seeds.clone() {
        let lane = Lane {
            heat,
            eyes: &eyes,
            slot,
            seat: seat.as_ref(),
            cancel,
        };
        let finish = lane
            .race(&mut contestant, seed, &mut spent)
            .map_err(|e| e.to_string())?;
        slot.news().finished.push(finish);
    }
    Ok(())
}

struct Lane<'a> {
    heat: &'a Heat,
    eyes: &'a Eyes,
    slot: &'a Slot,
    seat: Option<&'a Seat<'a>>,
    cancel: &'a Cancel,
}

impl Lane<'_> {
    /// Runs one race; `spent` grows by what it costs of what is taken turns by: world time where thinking
    /// counts, and thinking else, both in milliseconds.
    fn race(
        &self,
        contestant: &mut Contestant,
        seed: u64,
        spent: &mut f64,
    ) -> Result<Finish, EvalError> {
        let Heat { scene, goals, .. } = self.heat;
        let pilot = &mut contestant.pilot;
        self.cancel.check()?;
        let mut run = on_the_pool(|| Running::begin(scene, &self.eyes.own, pilot, seed, *goals))?;
        let start = on_the_pool(|| self.eyes.step(&run, None, false));
        {
            let mut news = self.slot.news();
            news.course = Some(course(&run.instance, seed));
            news.steps = vec![start];
        }
        let mut last = vec![0.0; scene.actions.dim()];
        let mut late_steps = 0;
        while !run.is_over() {
            let thinks = pilot.will_look();
            let turn = match self.seat.filter(|_| thinks) {
                Some(seat) => {
                    self.slot.does(Doing::Waiting);
                    Some(seat.wait(*spent, self.cancel)?)
                }
                None => None,
            };
            self.cancel.check()?;
            if thinks {
                self.slot.does(Doing::Thinking(Instant::now()));
            }
            let decided = on_the_pool(|| run.decide(pilot, self.cancel))?;
            if !self.heat.is_counted {
                *spent += if thinks { decided.ms } else { 0.0 };
            }
            if let Some(seat) = self.seat {
                seat.note(*spent);
            }
            drop(turn);
            self.slot.does(Doing::Acting);
            let late = match self.heat.is_counted {
                true => (decided.ms / STEP_MS) as u32,
                false => 0,
            };
            for _ in 0..late {
                if !run.is_over() {
                    self.step(&mut run, last.clone(), None, true, spent)?;
                    late_steps += 1;
                }
            }
            if !run.is_over() {
                let ms = decided.planned.then_some(decided.ms);
                self.step(&mut run, decided.action.clone(), ms, false, spent)?;
            }
            last = decided.action;
        }
        let result = run.end().result;
        Ok(Finish { result, late_steps })
    }

    fn step(
        &self,
        run: &mut Running,
        action: Vec<f32>,
        decided_ms: Option<f64>,
        is_late: bool,
        spent: &mut f64,
    ) -> Result<(), ModelError> {
        self.cancel.check()?;
        let step = on_the_pool(|| {
            run.take(action);
            self.eyes.step(run, decided_ms, is_late)
        });
        if self.heat.is_counted {
            *spent += STEP_MS;
        }
        self.slot.news().steps.push(step);
        Ok(())
    }
}

fn course(instance: &TaskInstance, seed: u64) -> Course {
    Course {
        seed,
        goal: instance.goal.frame.clone(),
        tolerance_m: instance.task.tolerance_m,
        budget_steps: instance.task.budget_steps,
    }
}

/// An order to set up a start and a goal without anybody acting: a scene and a seed.
pub type SetUp = (Arc<Scene>, u64);

/// The worker's function that sets up a start and a goal.
///
/// # Errors
/// In words: the task cannot be set.
pub fn setting_up((scene, seed): SetUp, _: &Cancel) -> Result<(Course, LaneStep), String> {
    let set = || -> Result<(Course, LaneStep), TaskError> {
        let eye = Eye::standard(&scene).map_err(|e| TaskError::Episode(e.into()))?;
        let film = Eye::new(&scene, FILM_SIDE, 2).map_err(|e| TaskError::Episode(e.into()))?;
        let instance = TaskInstance::new(&scene, &eye, seed)?;
        let step = LaneStep {
            frame: Frame::new(FILM_SIDE, film.look(&instance.reality).rgb),
            distance_m: instance.distance(&instance.reality),
            decided_ms: None,
            is_late: false,
        };
        Ok((course(&instance, seed), step))
    };
    set().map_err(|e| e.to_string())
}
