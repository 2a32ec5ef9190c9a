//! A race is what evaluation measures, with a picture: the same starts, goals, budgets and successes. A
//! controller that fails is alone in it, and one that thinks for long acts late where that counts.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parallax::camera::Eye;
use parallax::eval::contest::{Contestant, Planning};
use parallax::eval::control::{self, ControlResult};
use parallax::model::oracle::CONSTANT_VELOCITY;
use parallax::model::{Cancel, ModelError};
use parallax::planner::{Budget, Controller, OracleMpc, Pilot, Random, Sight};
use parallax::scene::Scene;
use parallax::task::GoalKind;
use parallax::worker::{Doing, Finish, Heat, LaneStep, Maker, Race};

use crate::support::scene;

const SEED: u64 = 1_000_000;
const RACES: u64 = 20;

/// What came of a lane.
#[derive(Default)]
struct Ran {
    finished: Vec<Finish>,
    /// Of the last race.
    steps: Vec<LaneStep>,
    doing: Doing,
}

fn heat(scene: &Arc<Scene>, races: u64, is_counted: bool) -> Heat {
    Heat {
        scene: scene.clone(),
        seeds: SEED..SEED + races,
        goals: GoalKind::Scene,
        is_counted,
    }
}

/// A contestant with a pilot of its own; one that plans takes turns with others that do.
fn maker(plans: bool, pilot: impl FnOnce(&Scene) -> Pilot + Send + 'static) -> Maker {
    Box::new(move |scene| {
        Ok(Contestant {
            name: "tested".into(),
            pilot: pilot(scene),
            planning: Planning {
                planner: "none",
                budget: plans.then_some(Budget::ORACLE),
                ..Planning::default()
            },
            cost: None,
            sha256: None,
        })
    })
}

fn random() -> Maker {
    maker(false, |_| Pilot::Sighted(Box::new(Random::new(SEED))))
}

/// A reference: it knows the state and plans with a forecast of constant velocities.
fn forecaster(scene: &Scene) -> Pilot {
    let (budget, hold) = (Budget::oracle(scene), Budget::ORACLE.hold);
    let oracle = OracleMpc::without_contacts(scene, budget, hold);
    Pilot::Informed(Box::new(oracle))
}

fn oracle(scene: &Scene) -> Pilot {
    let (budget, hold) = (Budget::oracle(scene), Budget::ORACLE.hold);
    Pilot::Informed(Box::new(OracleMpc::new(scene, budget, hold)))
}

fn run(heat: &Heat, makers: Vec<Maker>) -> Vec<Ran> {
    let mut lanes: Vec<Ran> = makers.iter().map(|_| Ran::default()).collect();
    let race = Race::start(heat, makers).unwrap();
    let begun = Instant::now();
    while lanes.iter().any(|l| !l.doing.is_over()) {
        for (i, lane) in lanes.iter_mut().enumerate() {
            let news = race.fetch(i);
            if news.course.is_some() {
                lane.steps.clear();
            }
            lane.steps.extend(news.steps);
            lane.finished.extend(news.finished);
            lane.doing = news.doing;
        }
        assert!(begun.elapsed() < Duration::from_secs(600), "no end");
        std::thread::sleep(Duration::from_millis(3));
    }
    lanes
}

fn evaluated(scene: &Arc<Scene>, pilot: &mut Pilot, races: u64) -> ControlResult {
    let eye = Eye::standard(scene).unwrap();
    let seeds = SEED..SEED + races;
    control::run(scene, &eye, pilot, seeds, GoalKind::Scene, |_| {}).unwrap()
}

fn assert_alike(who: &str, lane: &Ran, wanted: &ControlResult) {
    assert_eq!(lane.doing, Doing::Done, "{who}");
    assert_eq!(lane.finished.len(), wanted.per_episode.len(), "{who}");
    for (finish, episode) in lane.finished.iter().zip(&wanted.per_episode) {
        let result = &finish.result;
        assert_eq!(result.seed, episode.seed, "{who}");
        assert_eq!(result.success, episode.success, "{who} {}", episode.seed);
        assert_eq!(result.steps, episode.steps, "{who} {}", episode.seed);
        assert_eq!(result.final_distance_m, episode.final_distance_m, "{who}");
        assert_eq!(result.solved_at_start, episode.solved_at_start, "{who}");
        assert_eq!(result.decision_ms.len(), episode.decision_ms.len(), "{who}");
        assert_eq!(result.model_steps, episode.model_steps, "{who}");
        assert_eq!(finish.late_steps, 0, "{who}");
    }
    let results = lane.finished.iter().map(|f| f.result.clone()).collect();
    assert_eq!(ControlResult::of(results).success, wanted.success, "{who}");
}

#[test]
fn twenty_races_end_as_evaluation_says_on_the_same_seeds() {
    let scene = scene("reach");
    let lanes = run(&heat(&scene, RACES, false), vec![random()]);
    let mut chance = Pilot::Sighted(Box::new(Random::new(SEED)));
    let chance = evaluated(&scene, &mut chance, RACES);
    assert_alike("random", &lanes[0], &chance);
    assert!(chance.success.unwrap().rate < 0.5, "{:?}", chance.success);
}

#[test]
fn races_of_planners_that_take_turns_end_as_evaluation_says() {
    let scene = scene("reach");
    let makers = vec![maker(true, forecaster), maker(true, oracle)];
    let lanes = run(&heat(&scene, 2, false), makers);
    let forecast = evaluated(&scene, &mut forecaster(&scene), 2);
    assert_alike(CONSTANT_VELOCITY, &lanes[0], &forecast);
    let ceiling = evaluated(&scene, &mut oracle(&scene), 2);
    assert_alike("oracle", &lanes[1], &ceiling);
    // The comparison says something: the oracle reaches what chance mostly does not.
    assert!(ceiling.success.unwrap().rate > 0.4);
}

#[test]
fn a_film_shows_the_start_and_every_step_up_to_the_end() {
    let scene = scene("push");
    let lanes = run(&heat(&scene, 1, false), vec![random()]);
    let (lane, result) = (&lanes[0], &lanes[0].finished[0].result);
    assert_eq!(lane.steps.len(), result.steps as usize + 1);
    let last = lane.steps.last().unwrap();
    assert_eq!(last.distance_m, result.final_distance_m);
    assert!(lane.steps.iter().all(|s| !s.is_late));
    assert_ne!(last.frame, lane.steps[0].frame);
    // Every decision of a controller that looks at each step led to a step.
    assert!(lane.steps.iter().skip(1).all(|s| s.decided_ms.is_some()));
}

/// Fails, in one way or another, at its third decision.
struct Fragile {
    decisions: u32,
    panics: bool,
}

impl Controller for Fragile {
    fn decide(&mut self, sight: &Sight, _: &Cancel) -> Result<Vec<f32>, ModelError> {
        self.decisions += 1;
        if self.decisions > 2 {
            assert!(!self.panics, "weights on fire");
            return Err(ModelError::input("fragile", "sees no cube"));
        }
        Ok(vec![0.0; sight.dim])
    }

    fn reset(&mut self, _: u64) {}
}

#[test]
fn a_controller_that_fails_says_so_and_the_others_go_on() {
    let scene = scene("reach");
    let fragile = |panics| {
        maker(true, move |_| {
            let decisions = 0;
            Pilot::Sighted(Box::new(Fragile { decisions, panics }))
        })
    };
    let absent: Maker = Box::new(|_| Err("no such folder".into()));
    let makers = vec![fragile(false), random(), fragile(true), absent];
    let lanes = run(&heat(&scene, 2, false), makers);
    let why = |lane: &Ran| match &lane.doing {
        Doing::Failed(why) => why.clone(),
        other => panic!("{other:?}"),
    };
    assert!(why(&lanes[0]).contains("sees no cube"));
    assert!(why(&lanes[2]).contains("weights on fire"));
    assert!(why(&lanes[3]).contains("no such folder"));
    assert_eq!(lanes[1].doing, Doing::Done);
    assert_eq!(lanes[1].finished.len(), 2);
    // What a failed lane had shown is still there: the start, and two steps.
    assert_eq!((lanes[0].steps.len(), lanes[0].finished.len()), (3, 0));
}

/// Thinks for long before every action, which it holds.
struct Slow;

/// Two whole control steps, and a part of a third.
const THINKS: Duration = Duration::from_millis(250);

impl Controller for Slow {
    fn decide(&mut self, sight: &Sight, _: &Cancel) -> Result<Vec<f32>, ModelError> {
        std::thread::sleep(THINKS);
        Ok(vec![0.5; sight.dim])
    }

    fn reset(&mut self, _: u64) {}
}

#[test]
fn a_slow_controller_acts_late_where_thinking_counts_and_only_there() {
    let mut scene = (*scene("push")).clone();
    scene.task.as_mut().unwrap().budget_steps = 7;
    let scene = Arc::new(scene);
    let slow = || maker(true, |_| Pilot::Sighted(Box::new(Slow)));
    let waits = run(&heat(&scene, 1, false), vec![slow()]);
    let counts = run(&heat(&scene, 1, true), vec![slow(), random()]);
    let (waits, finish) = (&waits[0], &waits[0].finished[0]);
    assert_eq!((finish.result.steps, finish.late_steps), (7, 0));
    assert_eq!(waits.steps.len(), 8);

    let (lane, finish) = (&counts[0], &counts[0].finished[0]);
    assert_eq!(finish.result.steps, 7, "the world has no more time");
    // Two late steps and one of its own, twice, and the seventh is late again.
    assert_eq!(finish.late_steps, 5);
    let late: Vec<bool> = lane.steps.iter().skip(1).map(|s| s.is_late).collect();
    assert_eq!(late, [true, true, false, true, true, false, true]);
    // Before its first decision nothing is done.
    assert_eq!(lane.steps[2].distance_m, lane.steps[0].distance_m);
    assert_eq!(counts[1].finished[0].late_steps, 0);
}

#[test]
fn a_race_that_is_called_off_stops_in_the_middle_of_a_decision() {
    /// Thinks until it is called off.
    struct Brooding;

    impl Controller for Brooding {
        fn decide(&mut self, _: &Sight, cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
            loop {
                cancel.check()?;
                std::thread::sleep(Duration::from_millis(1));
            }
        }

        fn reset(&mut self, _: u64) {}
    }

    let scene = scene("reach");
    let brooding = || maker(true, |_| Pilot::Sighted(Box::new(Brooding)));
    let race = Race::start(&heat(&scene, 1, false), vec![brooding(), brooding()]).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    race.stop();
    let begun = Instant::now();
    for lane in 0..2 {
        while race.fetch(lane).doing != Doing::Stopped {
            assert!(begun.elapsed() < Duration::from_secs(5), "lane {lane}");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
