//! The race: two to six controllers at the same start and goal, each in a world of its own.
//!
//! This is the plain data; `panel.rs` draws it (`card.rs` one lane, `table.rs` how they stand), `entrants.rs`
//! says who can take part and how each plans, `words.rs` finds the words. The session's `race.rs` gives it
//! the workers.

mod card;
pub mod entrants;
pub mod panel;
mod table;
pub mod words;

use std::sync::Arc;

use crate::eval::contest::decision_flops;
use crate::eval::control::{ControlResult, EpisodeResult};
use crate::model::Camp;
use crate::scene::Scene;
use crate::sim::CONTROL_HZ;
use crate::stats::quantile;
use crate::worker::{Course, Doing, Finish, LaneNews, LaneStep, Looked, Plans};
use entrants::Entrant;

/// Fewest and most lanes.
pub const LANES: (usize, usize) = (2, 6);
/// Races that fill the table.
pub const SERIES: u64 = 20;

/// What can be done in the race.
#[derive(Clone, Debug, PartialEq)]
pub enum Do {
    /// Start one race, call off the one that runs, or start again.
    Toggle,
    /// Start one race.
    Start,
    /// Race on many seeds, one after the other.
    Series,
    /// Call off what runs.
    Stop,
    /// Whether the world goes on while a controller thinks.
    Counted(bool),
    /// The scene with this index.
    Scene(usize),
    /// Race from this seed.
    Seed(u64),
    /// The next seed.
    NextSeed,
    /// A seed nobody chose.
    RollSeed,
    /// Let this one take part as well.
    Add(String),
    /// Let this one race in that lane.
    Swap(usize, String),
    /// Take this lane out.
    Remove(usize),
    /// Find out why this lane lost.
    Why(usize),
    /// No longer find that out.
    StopWhy,
}

/// What is known of why a lane lost.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Why {
    /// Nobody asked.
    #[default]
    Unasked,
    /// It is looked into.
    Looking {
        /// The seed.
        seed: u64,
        /// How far it is.
        looked: Looked,
    },
    /// The answer.
    Known {
        /// The seed.
        seed: u64,
        /// In a sentence.
        sentence: String,
        /// The figures behind it.
        figures: String,
    },
    /// It could not be found out.
    Failed(String),
}

/// How a lane stands, as its lamp shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lamp {
    /// It has not started.
    Ready,
    /// It runs.
    Running,
    /// The goal is reached.
    Reached,
    /// The start was the goal: it does not count.
    BeganSolved,
    /// The task's control steps are spent.
    TimedOut,
    /// The controller failed.
    Failed(String),
    /// It was called off.
    Stopped,
}

/// One lane.
#[derive(Clone, Debug, Default)]
pub struct Lane {
    /// Who races: a model's folder, `oracle`, `random`, and so on.
    pub name: String,
    /// How it plans, once it is made.
    pub plans: Option<Plans>,
    /// The start and goal of its newest race.
    pub course: Option<Course>,
    /// Its newest race, the start first.
    pub film: Vec<LaneStep>,
    /// How its races ended, since the start button was pressed.
    pub finished: Vec<Finish>,
    /// What it does; `None` before the start.
    pub doing: Option<Doing>,
    /// The step that its film shows, with the part of the next that has passed.
    pub at: f32,
    /// Why it lost, as far as somebody asked.
    pub why: Why,
}

impl Lane {
    /// A lane in which nothing was raced.
    pub fn of(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Takes in what is new. In a series the newest step is shown at once.
    pub fn take(&mut self, news: LaneNews) {
        if news.plans.is_some() {
            self.plans = news.plans;
        }
        if news.course.is_some() {
            self.course = news.course;
            self.film.clear();
            self.at = 0.0;
        }
        self.film.extend(news.steps);
        self.finished.extend(news.finished);
        self.doing = Some(news.doing);
    }

    fn last(&self) -> f32 {
        self.film.len().saturating_sub(1) as f32
    }

    /// Index of the step that is shown.
    pub fn shown(&self) -> usize {
        (self.at as usize).min(self.film.len().saturating_sub(1))
    }

    /// The step that is shown.
    pub fn step(&self) -> Option<&LaneStep> {
        self.film.get(self.shown())
    }

    /// How the race that is shown ended, once all of it was shown.
    pub fn outcome(&self) -> Option<&Finish> {
        let seed = self.course.as_ref()?.seed;
        let newest = self.finished.last().filter(|f| f.result.seed == seed)?;
        (self.at >= self.last()).then_some(newest)
    }

    /// How it stands.
    pub fn lamp(&self) -> Lamp {
        let all_shown = self.at >= self.last();
        match (self.outcome(), &self.doing) {
            (_, Some(Doing::Failed(why))) if all_shown => Lamp::Failed(why.clone()),
            (Some(f), _) if f.result.solved_at_start => Lamp::BeganSolved,
            (Some(f), _) if f.result.success => Lamp::Reached,
            (Some(_), _) => Lamp::TimedOut,
            (None, None) => Lamp::Ready,
            (None, Some(Doing::Stopped)) if all_shown => Lamp::Stopped,
            (None, Some(_)) => Lamp::Running,
        }
    }

    /// Its races, as evaluation sums them up.
    pub fn summed_up(&self) -> ControlResult {
        ControlResult::of(self.results().cloned().collect())
    }

    fn results(&self) -> impl Iterator<Item = &EpisodeResult> {
        self.finished.iter().map(|f| &f.result)
    }

    /// Milliseconds of a decision that planned: the median of all up to the step shown.
    pub fn decision_ms(&self) -> Option<f64> {
        let ended = |seed: u64| self.results().any(|r| r.seed == seed);
        let runs = !self.course.as_ref().is_some_and(|c| ended(c.seed));
        let film = self.film.iter().filter(|_| runs);
        let running = film.filter_map(|s| s.decided_ms);
        let over = self.results().flat_map(|r| r.decision_ms.iter().copied());
        quantile(&over.chain(running).collect::<Vec<f64>>(), 0.5)
    }

    /// Floating-point operations of a decision, or why they are not known.
    pub fn decision_flops(&self) -> Result<f64, &'static str> {
        if self.name == "random" {
            return Err("chance computes nothing");
        }
        let Some(plans) = &self.plans else {
            return Err("it has not raced yet");
        };
        let Some(cost) = plans.cost.filter(|c| c.encode_flops > 0.0) else {
            return Err("it searches the simulation itself: there is no network to count");
        };
        if plans.planning.budget.is_none() {
            return Ok(decision_flops(&cost, 0.0));
        }
        let steps: Vec<usize> = self
            .results()
            .flat_map(|r| r.model_steps.iter().copied())
            .collect();
        match steps.is_empty() {
            true => Err("known when its first race has ended"),
            false => {
                let mean = steps.iter().sum::<usize>() as f64 / steps.len() as f64;
                Ok(decision_flops(&cost, mean))
            }
        }
    }

    /// Share of all control steps that the world took with an old action, where any were taken.
    pub fn late_share(&self) -> Option<f64> {
        let late: u32 = self.finished.iter().map(|f| f.late_steps).sum();
        let all: u32 = self.results().map(|r| r.steps).sum();
        (all > 0).then(|| f64::from(late) / f64::from(all))
    }

    /// The newest race that it lost.
    pub fn lost(&self) -> Option<&Finish> {
        let mut finished = self.finished.iter().rev();
        finished.find(|f| !f.result.success)
    }

    /// The camp of a lane's model, as the entrants say it.
    pub fn camp(&self, entrants: &[Entrant]) -> Option<Camp> {
        let own = entrants.iter().find(|e| e.name == self.name);
        own.and_then(|e| e.camp)
    }
}

/// The whole screen.
#[derive(Clone, Debug, Default)]
pub struct RaceState {
    /// The scene raced in; `None` before the screen was first opened.
    pub scene: Option<Arc<Scene>>,
    /// Its index among the scenes.
    pub scene_index: usize,
    /// The first seed.
    pub seed: u64,
    /// Whether the world goes on while a controller thinks.
    pub is_counted: bool,
    /// The lanes.
    pub lanes: Vec<Lane>,
    /// Who can take part.
    pub entrants: Vec<Entrant>,
    /// Whether anything runs.
    pub runs: bool,
    /// Races of the run, which may be over: 1 or [`SERIES`]; 0 before the first.
    pub races: u64,
    /// Whether a person chose who takes part.
    pub is_chosen: bool,
    /// Where the next race starts, and its first picture.
    pub start: Option<(Course, LaneStep)>,
    /// What went wrong, in a sentence.
    pub problem: Option<String>,
}

impl RaceState {
    /// Lets the films run on. Where thinking counts, all of them show the same time of the world, which is no
    /// later than what the slowest has; else each goes on as far as it is.
    pub fn play(&mut self, seconds: f32) {
        let steps = seconds.clamp(0.0, 0.5) * CONTROL_HZ as f32;
        let is_over = |l: &Lane| l.doing.as_ref().is_some_and(Doing::is_over);
        let has_ended = |l: &Lane| is_over(l) || self.races > 1 && !l.finished.is_empty();
        let bound = match self.is_counted && self.races == 1 {
            true => (self.lanes.iter())
                .filter(|l| !has_ended(l))
                .map(Lane::last)
                .fold(f32::INFINITY, f32::min),
            false => f32::INFINITY,
        };
        let is_series = self.races > 1;
        for lane in &mut self.lanes {
            let last = lane.last();
            lane.at = match is_series {
                true => last,
                false => (lane.at + steps).min(last).min(bound.max(lane.at)),
            };
        }
    }

    /// Whether a film has not yet shown all that it has.
    pub fn plays(&self) -> bool {
        self.lanes.iter().any(|l| l.at < l.last())
    }

    /// Forgets what was raced.
    pub fn clear(&mut self) {
        for lane in &mut self.lanes {
            *lane = Lane::of(std::mem::take(&mut lane.name));
        }
        self.races = 0;
        self.problem = None;
    }

    /// The entrant of that name.
    pub fn entrant(&self, name: &str) -> Option<&Entrant> {
        self.entrants.iter().find(|e| e.name == name)
    }

    /// Whether somebody looks into a loss.
    pub fn looks(&self) -> Option<usize> {
        let looking = |l: &Lane| matches!(l.why, Why::Looking { .. });
        self.lanes.iter().position(looking)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Frame;

    fn step(decided_ms: Option<f64>) -> LaneStep {
        LaneStep {
            frame: Frame::default(),
            distance_m: 0.1,
            decided_ms,
            is_late: false,
        }
    }

    fn course(seed: u64) -> Course {
        Course {
            seed,
            goal: Frame::default(),
            tolerance_m: 0.05,
            budget_steps: 50,
        }
    }

    fn finish(seed: u64, success: bool) -> Finish {
        Finish {
            result: EpisodeResult {
                seed,
                success,
                steps: 2,
                final_distance_m: 0.01,
                solved_at_start: false,
                decision_ms: vec![10.0, 30.0],
                model_steps: vec![],
            },
            late_steps: 1,
        }
    }

    fn running(steps: usize) -> Lane {
        let mut lane = Lane::of("random");
        lane.take(LaneNews {
            course: Some(course(7)),
            steps: vec![step(Some(20.0)); steps],
            doing: Doing::Acting,
            ..LaneNews::default()
        });
        lane
    }

    #[test]
    fn a_lamp_tells_the_end_only_when_the_film_has_shown_it() {
        let mut race = RaceState {
            lanes: vec![running(3)],
            races: 1,
            ..RaceState::default()
        };
        race.lanes[0].take(LaneNews {
            finished: vec![finish(7, true)],
            doing: Doing::Done,
            ..LaneNews::default()
        });
        assert_eq!(race.lanes[0].lamp(), Lamp::Running);
        race.play(0.1);
        assert_eq!(
            (race.lanes[0].shown(), race.lanes[0].lamp()),
            (1, Lamp::Running)
        );
        race.play(0.2);
        assert_eq!(
            (race.lanes[0].shown(), race.lanes[0].lamp()),
            (2, Lamp::Reached)
        );
        assert!(!race.plays());
    }

    #[test]
    fn where_thinking_counts_all_films_show_the_same_time_of_the_world() {
        let lanes = vec![running(9), running(3)];
        let mut race = RaceState {
            lanes,
            races: 1,
            is_counted: true,
            ..RaceState::default()
        };
        race.play(0.5);
        let shown: Vec<usize> = race.lanes.iter().map(Lane::shown).collect();
        assert_eq!(shown, [2, 2]);
        race.is_counted = false;
        race.play(0.3);
        let shown: Vec<usize> = race.lanes.iter().map(Lane::shown).collect();
        assert_eq!(shown, [5, 2]);
    }

    #[test]
    fn a_lane_says_how_it_lost_and_what_it_spent() {
        let mut lane = running(3);
        assert_eq!(lane.decision_ms(), Some(20.0));
        lane.finished = vec![finish(6, true), finish(7, false)];
        lane.at = 2.0;
        assert_eq!(lane.lamp(), Lamp::TimedOut);
        assert_eq!(lane.lost().unwrap().result.seed, 7);
        // The race that is over counts once.
        assert_eq!(lane.decision_ms(), Some(20.0));
        assert_eq!(lane.late_share(), Some(0.5));
        assert_eq!(lane.summed_up().success.unwrap().rate, 0.5);
        assert!(lane.decision_flops().is_err());
        lane.take(LaneNews {
            doing: Doing::Failed("weights on fire".into()),
            ..LaneNews::default()
        });
        assert_eq!(lane.lamp(), Lamp::Failed("weights on fire".into()));
    }
}
