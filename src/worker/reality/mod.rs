//! The thread that owns reality: it steps, looks, asks for actions and tells what happened.
//!
//! `act.rs` is the episode that runs, `hands.rs` what people do to it, `undo.rs` the way back.

mod act;
mod deciding;
mod hands;
mod undo;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use self::act::{RunningEpisode, moment};
pub use self::hands::{goal_bounds, held_action};
use self::undo::{Saved, Undo};
use super::desk::panic_message;
use super::news::{GoalShown, News, RealityHandle, RealityOrder, context_at};
use super::{Decision, Deed, Desk, Driver, PlanRequest, planning};
use crate::camera::Eye;
use crate::planner::{SIGHT_FRAMES, Sight, Truth};
use crate::scene::Scene;
use crate::sim::{CONTROL_HZ, Drag, Reality};
use crate::system::memory;
use crate::task::TaskInstance;

/// Starts the reality thread.
///
/// # Errors
/// The system's error if no thread can be started.
pub fn spawn_reality() -> std::io::Result<RealityHandle> {
    let (orders, inbox) = bounded(256);
    let (outbox, news) = bounded(256);
    let desk = Desk::open("planning", || planning)?;
    std::thread::Builder::new()
        .name("reality".into())
        .spawn(move || {
            let mut stage = Stage::new(inbox, outbox, desk);
            while stage.alive {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| stage.run())) {
                    stage.act = None;
                    stage.playing = false;
                    let message = panic_message(&*panic);
                    stage.say(News::Failed(format!("reality failed: {message}; press R")));
                }
            }
        })?;
    Ok(RealityHandle { orders, news })
}

struct Stage {
    inbox: Receiver<RealityOrder>,
    outbox: Sender<News>,
    desk: Desk<PlanRequest, Decision>,
    alive: bool,
    scene: Option<(Arc<Scene>, u64)>,
    act: Option<RunningEpisode>,
    episodes: u64,
    playing: bool,
    /// The step at which time stops by itself.
    until: Option<usize>,
    steps_owed: u32,
    speed: f32,
    waits: bool,
    continues: bool,
    driver: Driver,
    /// Whether a person drives who has not done anything in this episode: time has not begun.
    awaits_hands: bool,
    /// Whether a person drives.
    person: bool,
    held: [f32; 4],
    /// What was held since the last step, if it was let go again: a short press counts.
    tapped: Option<[f32; 4]>,
    next_action: Option<Vec<f32>>,
    asked_at: Option<usize>,
    interventions: BTreeMap<String, f32>,
    pull: Option<Drag>,
    goal_held: bool,
    undo: Undo,
    saved: Option<Saved>,
    next_tick: Instant,
}

/// Control steps between success and the next episode, so that success can be seen.
const LINGER_STEPS: usize = 10;
/// An episode without end is cut here, so that its record stays bounded.
const MAX_STEPS: usize = 2000;

impl Stage {
    fn new(
        inbox: Receiver<RealityOrder>,
        outbox: Sender<News>,
        desk: Desk<PlanRequest, Decision>,
    ) -> Self {
        Self {
            inbox,
            outbox,
            desk,
            alive: true,
            scene: None,
            act: None,
            episodes: 0,
            playing: false,
            until: None,
            steps_owed: 0,
            speed: 1.0,
            waits: true,
            continues: true,
            driver: Driver::Keyboard,
            awaits_hands: false,
            person: false,
            held: [0.0; 4],
            tapped: None,
            next_action: None,
            asked_at: None,
            interventions: BTreeMap::new(),
            pull: None,
            goal_held: false,
            undo: Undo::default(),
            saved: None,
            next_tick: Instant::now(),
        }
    }

    fn say(&mut self, news: News) {
        if self.outbox.send(news).is_err() {
            self.alive = false;
        }
    }

    fn run(&mut self) {
        while self.alive {
            let wait = if self.asked_at.is_some() {
                Duration::from_millis(2)
            } else if self.playing && self.act.is_some() && !self.awaits_hands && !self.is_through()
            {
                self.next_tick.saturating_duration_since(Instant::now())
            } else if self.steps_owed > 0 {
                Duration::ZERO
            } else {
                Duration::from_millis(100)
            };
            match self.inbox.recv_timeout(wait) {
                Ok(order) => {
                    self.obey(order);
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    self.alive = false;
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.hear_decision();
            let runs = self.playing && !self.awaits_hands && !self.is_through();
            let due = self.steps_owed > 0 || (runs && Instant::now() >= self.next_tick);
            if due && self.act.is_some() && self.is_ready() {
                self.take_step();
            }
        }
    }

    fn obey(&mut self, order: RealityOrder) {
        match order {
            RealityOrder::Load(scene, seed) => {
                self.interventions.clear();
                self.undo.clear();
                self.saved = None;
                self.scene = Some((scene, seed));
                self.begin();
                self.say_way_back();
                // What the last scene's models and planners needed, this one's may not.
                memory::give_back();
            }
            RealityOrder::Reset(seed) => {
                if let Some((_, s)) = &mut self.scene {
                    *s = seed;
                }
                self.begin();
            }
            RealityOrder::Play(on) => {
                self.playing = on;
                self.next_tick = Instant::now();
            }
            RealityOrder::Until(steps) => self.until = steps,
            RealityOrder::Step => self.steps_owed = (self.steps_owed + 1).min(10),
            RealityOrder::Speed(speed) => self.speed = speed.clamp(0.05, 16.0),
            RealityOrder::Drive(driver) => {
                self.person = matches!(driver, Driver::Keyboard);
                self.awaits_hands = self.person;
                self.driver = driver;
                self.forget_decision();
                self.reset_controller();
                self.ask();
            }
            RealityOrder::Hold(action) => {
                if action != [0.0; 4] {
                    self.tapped = Some(action);
                    self.hands_come();
                }
                self.held = action;
            }
            RealityOrder::Waits(on) => self.waits = on,
            RealityOrder::Continue(on) => self.continues = on,
            RealityOrder::Set(target, value) => self.set(target, value),
            RealityOrder::ClearInterventions => self.interventions.clear(),
            RealityOrder::Pull(drag) => {
                if drag.is_some() {
                    self.hands_come();
                }
                self.pull(drag);
            }
            RealityOrder::Strike(body, impulse) => {
                self.hands_come();
                self.strike(body, impulse);
            }
            RealityOrder::MoveGoal {
                target,
                place,
                held,
            } => self.move_goal(target, place, held),
            RealityOrder::Undo => self.take_back(),
            RealityOrder::Redo => {
                if let Some((what, saved)) = self.undo.forth() {
                    self.go_back(&saved, format!("Done again: {what}"));
                }
                self.say_way_back();
            }
            RealityOrder::Save => {
                self.saved = self
                    .act
                    .as_ref()
                    .map(|act| Saved::new(act, &self.interventions));
                self.say_way_back();
            }
            RealityOrder::Restore => self.restore(),
        }
    }

    /// Whether the episode has as many steps as it is to have.
    fn is_through(&self) -> bool {
        let newest = self.act.as_ref().map_or(0, RunningEpisode::newest);
        self.until.is_some_and(|until| newest >= until)
    }

    /// Somebody does something: time begins, if it waited for that.
    fn hands_come(&mut self) {
        if std::mem::take(&mut self.awaits_hands) {
            self.next_tick = Instant::now();
        }
    }

    /// Starts the episode of the next seed; after the last one there is, reality stops.
    fn begin_next(&mut self) {
        match &mut self.scene {
            Some((_, seed)) if *seed == u64::MAX => {
                self.playing = false;
                self.steps_owed = 0;
                let message = format!("{} is the last seed there is: choose another", u64::MAX);
                self.say(News::Failed(message));
            }
            Some((_, seed)) => {
                *seed += 1;
                self.begin();
            }
            None => {}
        }
    }

    /// Starts the episode of the current scene and seed.
    fn begin(&mut self) {
        let Some((scene, seed)) = self.scene.clone() else {
            return;
        };
        self.forget_decision();
        self.reset_controller();
        self.steps_owed = 0;
        self.tapped = None;
        self.pull = None;
        self.goal_held = false;
        self.awaits_hands = self.person;
        // What was done to an episode ends with it: an undo never throws anybody back into another one.
        self.undo.clear();
        match self.open_act(&scene, seed) {
            Ok(act) => {
                self.episodes += 1;
                let start = act.start();
                self.act = Some(act);
                self.say(News::Began(start));
                self.say_solids();
                self.say_way_back();
                self.next_tick = Instant::now() + self.period();
                self.ask();
            }
            Err(message) => {
                self.act = None;
                self.playing = false;
                self.say(News::Failed(message));
            }
        }
    }

    fn open_act(&self, scene: &Arc<Scene>, seed: u64) -> Result<RunningEpisode, String> {
        let eye = Eye::standard(scene).map_err(|e| e.to_string())?;
        let (mut reality, goal) = match &scene.task {
            Some(task) => {
                let instance = TaskInstance::new(scene, &eye, seed).map_err(|e| e.to_string())?;
                let goal = GoalShown {
                    picture: instance.goal,
                    place: instance.place,
                    state: instance.goal_state,
                    body: instance.body,
                    tolerance_m: task.tolerance_m,
                };
                (instance.reality, Some(goal))
            }
            None => (Reality::new(scene, seed).map_err(|e| e.to_string())?, None),
        };
        let mut deeds = Vec::new();
        for (target, value) in &self.interventions {
            reality.set(target, *value).map_err(|e| e.to_string())?;
            deeds.push((0, Deed::Set(target.clone(), *value)));
        }
        let first = moment(&reality, &eye, goal.as_ref(), Vec::new()).0;
        Ok(RunningEpisode {
            episode: self.episodes + 1,
            seed,
            reality,
            eye: Arc::new(eye),
            goal,
            moments: vec![Arc::new(first)],
            marks: Vec::new(),
            deeds,
            ended: None,
            budget_from: 0,
        })
    }

    fn period(&self) -> Duration {
        Duration::from_secs_f32(1.0 / (CONTROL_HZ as f32 * self.speed))
    }

    fn forget_decision(&mut self) {
        self.desk.cancel();
        self.asked_at = None;
        self.next_action = None;
    }

    fn reset_controller(&self) {
        let seed = self.scene.as_ref().map_or(0, |(_, seed)| *seed);
        if let Driver::Controller { controller, .. } = &self.driver {
            controller
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .reset(seed);
        }
    }

    fn take_step(&mut self) {
        let period = self.period();
        let Some(act) = &mut self.act else { return };
        let dim = act.reality.scene().actions.dim();
        let action = match (&self.driver, dim) {
            (_, 0) => Vec::new(),
            (Driver::Keyboard, dim) => {
                let tapped = self.tapped.take().filter(|_| self.held == [0.0; 4]);
                hands::held_action(tapped.unwrap_or(self.held), dim)
            }
            (Driver::Controller { .. }, _) => match self.next_action.take() {
                Some(action) => action,
                // Reality does not wait: it goes on with the last action.
                None => act.moments.last().map_or(vec![0.0; dim], |m| {
                    if m.action.is_empty() {
                        vec![0.0; dim]
                    } else {
                        m.action.clone()
                    }
                }),
            },
        };
        // A pulled hand follows the pull and nobody else.
        let action = match self.pull {
            Some(drag) => hands::towards(&act.reality, drag, action),
            None => action,
        };
        let clock = Instant::now();
        act.reality.act(&action);
        act.reality.step();
        let step_ms = clock.elapsed().as_secs_f32() * 1e3;
        if act.reality.is_broken() {
            self.act = None;
            self.playing = false;
            let message = "physics blew up: a body's state is no longer finite; press R".into();
            return self.say(News::Failed(message));
        }
        let (moment, look_ms) = moment(&act.reality, &act.eye, act.goal.as_ref(), action);
        let moment = Arc::new(moment);
        act.moments.push(moment.clone());
        let episode = act.episode;
        let step = act.reality.steps();
        let edits = &act.reality.scene().edits;
        let edited = edits.iter().any(|e| u64::from(e.step) + 1 == step);
        self.steps_owed = self.steps_owed.saturating_sub(1);
        // A late tick is not made up for: reality slows down instead of rushing.
        self.next_tick = (self.next_tick + period).max(Instant::now());
        self.say(News::Moment {
            episode,
            moment,
            step_ms,
            look_ms,
        });
        if edited {
            self.say_solids();
        }
        self.end_or_go_on();
    }

    fn end_or_go_on(&mut self) {
        let goal_held = self.goal_held;
        let Some(act) = &mut self.act else { return };
        let scene = act.reality.scene().clone();
        let taken = act.newest();
        let goal = act.goal.as_ref();
        let success = goal.is_some_and(|g| g.state.is_met(&act.moments[taken].state));
        let budget = match &scene.task {
            Some(task) => task.budget_steps as usize,
            None => scene.episode_steps as usize,
        };
        let over = success || taken >= act.budget_from + budget;
        if act.ended.is_none() && over && !goal_held {
            let outcome = scene.task.as_ref().map(|_| success);
            act.ended = Some((taken, outcome));
            let news = News::Ended {
                episode: act.episode,
                success: outcome,
            };
            self.say(news);
        }
        let ended = self.act.as_ref().and_then(|a| a.ended);
        // Whoever holds on to something, or drives, does not want another episode under the hand.
        let held = goal_held || self.pull.is_some() || self.person;
        let over = ended.is_some_and(|(end, _)| taken >= end + LINGER_STEPS) && !held;
        if (over && self.continues) || taken >= MAX_STEPS {
            return self.begin_next();
        }
        // A late decision on an older moment is still the best there is when reality does not wait.
        if self.asked_at.is_none() {
            self.ask();
        }
    }
}
