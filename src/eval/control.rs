//! Control: how often, how fast and how cheaply a controller reaches goals on held-out seeds.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::camera::Eye;
use crate::model::{Cancel, Context, Frame, ModelError};
use crate::planner::{Pilot, SIGHT_FRAMES, Sight, Truth};
use crate::scene::Scene;
use crate::sim::Reality;
use crate::stats::{Mean, Rate, Spread, quantile};
use crate::task::{GoalKind, TaskError, TaskInstance};

/// One episode's outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpisodeResult {
    /// Its seed.
    pub seed: u64,
    /// Whether the goal was reached within the budget.
    pub success: bool,
    /// Control steps taken.
    pub steps: u32,
    /// Distance at the end, metres.
    pub final_distance_m: f32,
    /// Whether it was solved before the first action (then it does not count).
    pub solved_at_start: bool,
    /// Milliseconds of each decision that planned.
    #[serde(skip)]
    pub decision_ms: Vec<f64>,
    /// Imagined model steps of each of them.
    #[serde(skip)]
    pub model_steps: Vec<usize>,
}

/// All episodes of one controller.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ControlResult {
    /// Over the episodes that count; null where none does.
    pub success: Option<Rate>,
    /// Why figures are null, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
    /// Episodes that count.
    pub episodes: usize,
    /// Episodes left out because they began solved.
    pub excluded_solved_at_start: usize,
    /// Milliseconds a decision: median and 99th percentile; null where nothing was decided.
    pub decision_ms: Option<Latency>,
    /// Imagined model steps a decision, mean; null for what imagines nothing.
    #[serde(default)]
    pub decision_model_steps: Option<f64>,
    /// Control steps of the episodes that succeeded; null where none did.
    #[serde(default)]
    pub steps_to_success: Option<Spread>,
    /// Every episode.
    pub per_episode: Vec<EpisodeResult>,
}

impl ControlResult {
    /// Of these episodes.
    pub fn of(results: Vec<EpisodeResult>) -> ControlResult {
        let counted: Vec<&EpisodeResult> = results.iter().filter(|r| !r.solved_at_start).collect();
        let successes = counted.iter().filter(|r| r.success).count();
        let ms: Vec<f64> = results
            .iter()
            .flat_map(|r| r.decision_ms.iter().copied())
            .collect();
        let imagined: Vec<usize> = results
            .iter()
            .flat_map(|r| r.model_steps.iter().copied())
            .collect();
        let steps: Vec<f64> = counted
            .iter()
            .filter(|r| r.success)
            .map(|r| f64::from(r.steps))
            .collect();
        let nothing_counts = format!(
            "all {} episodes began solved, so none counts",
            results.len()
        );
        let latency = || {
            Some(Latency {
                median: quantile(&ms, 0.5)?,
                p99: quantile(&ms, 0.99)?,
            })
        };
        ControlResult {
            decision_model_steps: (!imagined.is_empty())
                .then(|| imagined.iter().sum::<usize>() as f64 / imagined.len() as f64),
            not_measured: counted.is_empty().then_some(nothing_counts),
            steps_to_success: Spread::of(&steps),
            success: Rate::wilson(successes, counted.len()),
            episodes: counted.len(),
            excluded_solved_at_start: results.len() - counted.len(),
            decision_ms: latency(),
            per_episode: results,
        }
    }
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub median: f64,
    /// 99th percentile.
    pub p99: f64,
}

/// What a controller loses against another on the same episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Regret {
    /// Control steps more than the reference needed, mean over the episodes that count; a failure takes as
    /// long as it was tried.
    pub steps: Option<Mean>,
    /// Metres farther from the goal at the end, likewise.
    pub final_distance_m: Option<Mean>,
}

impl Regret {
    /// Of `result` against `reference`, paired by seed.
    pub fn of(result: &ControlResult, reference: &ControlResult) -> Regret {
        let pairs: Vec<(&EpisodeResult, &EpisodeResult)> = result
            .per_episode
            .iter()
            .filter(|e| !e.solved_at_start)
            .filter_map(|e| {
                let other = reference.per_episode.iter().find(|r| r.seed == e.seed)?;
                Some((e, other))
            })
            .collect();
        let steps: Vec<f64> = pairs
            .iter()
            .map(|(a, b)| f64::from(a.steps) - f64::from(b.steps))
            .collect();
        let metres: Vec<f64> = pairs
            .iter()
            .map(|(a, b)| f64::from(a.final_distance_m) - f64::from(b.final_distance_m))
            .collect();
        Regret {
            steps: Mean::bootstrap(&steps),
            final_distance_m: Mean::bootstrap(&metres),
        }
    }
}

/// Why an evaluation stopped.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// The task could not be set.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// Runs one controller on `seeds`, with goals of a kind, one after another (so that latency is its own).
///
/// # Errors
/// [`EvalError`] of the first episode that fails.
pub fn run(
    scene: &Arc<Scene>,
    eye: &Eye,
    pilot: &mut Pilot,
    seeds: Range<u64>,
    goals: GoalKind,
    mut progress: impl FnMut(&EpisodeResult),
) -> Result<ControlResult, EvalError> {
    let mut results = Vec::new();
    for seed in seeds {
        let result = run_episode(scene, eye, pilot, seed, goals)?;
        progress(&result);
        results.push(result);
    }
    Ok(ControlResult::of(results))
}

/// Runs one episode in closed loop until success or the task's budget.
///
/// # Errors
/// [`EvalError`] if the task cannot be set or the controller fails.
pub fn run_episode(
    scene: &Arc<Scene>,
    eye: &Eye,
    pilot: &mut Pilot,
    seed: u64,
    goals: GoalKind,
) -> Result<EpisodeResult, EvalError> {
    follow_episode(scene, eye, pilot, seed, goals, |_| {}).map(|end| end.result)
}

/// A moment of an episode: an action was decided on and not yet taken.
pub struct Moment<'a> {
    /// Start and goal.
    pub instance: &'a TaskInstance,
    /// Reality as it was decided in.
    pub reality: &'a Reality,
    /// What the controller saw.
    pub sight: &'a Sight,
    /// Who decided, with the plan that it follows.
    pub pilot: &'a Pilot,
    /// Whether it planned anew for this action.
    pub planned: bool,
}

/// How an episode ended.
pub struct End {
    /// Its outcome.
    pub result: EpisodeResult,
    /// Start and goal.
    pub instance: TaskInstance,
    /// Reality after the last action.
    pub reality: Reality,
    /// What was seen and done before; the last moment itself was not looked at.
    pub context: Context,
}

/// As [`run_episode`]; `watch` is shown every moment, and what it does costs the controller no time.
///
/// # Errors
/// As [`run_episode`].
pub fn follow_episode(
    scene: &Arc<Scene>,
    eye: &Eye,
    pilot: &mut Pilot,
    seed: u64,
    goals: GoalKind,
    watch: impl FnMut(Moment),
) -> Result<End, EvalError> {
    follow_until(scene, eye, pilot, seed, goals, &Cancel::new(), watch)
}

/// As [`follow_episode`], and ends when it is cancelled.
///
/// # Errors
/// As [`run_episode`]; [`ModelError::Cancelled`] where it was.
pub fn follow_until(
    scene: &Arc<Scene>,
    eye: &Eye,
    pilot: &mut Pilot,
    seed: u64,
    goals: GoalKind,
    cancel: &Cancel,
    mut watch: impl FnMut(Moment),
) -> Result<End, EvalError> {
    let mut running = Running::begin(scene, eye, pilot, seed, goals)?;
    while !running.is_over() {
        cancel.check()?;
        let decided = running.decide(pilot, cancel)?;
        watch(Moment {
            instance: &running.instance,
            reality: &running.reality,
            sight: &decided.sight,
            pilot,
            planned: decided.planned,
        });
        running.take(decided.action);
    }
    Ok(running.end())
}

/// An episode that runs: whoever holds it decides and takes an action in turn until it is over.
pub struct Running<'a> {
    eye: &'a Eye,
    /// Start and goal.
    pub instance: TaskInstance,
    /// Reality as it is now.
    pub reality: Reality,
    /// What was seen and done.
    context: Context,
    /// Whether the present moment was looked at.
    has_looked: bool,
    result: EpisodeResult,
}

/// A decision that was made in an episode.
pub struct Decided {
    /// The action to take, `[A]`.
    pub action: Vec<f32>,
    /// What the controller saw.
    pub sight: Sight,
    /// Whether it planned anew for this action.
    pub planned: bool,
    /// Milliseconds that it took.
    pub ms: f64,
}

impl<'a> Running<'a> {
    /// Sets the task of a seed, and lets the controller forget what was before.
    ///
    /// # Errors
    /// [`EvalError::Task`] if the task cannot be set.
    pub fn begin(
        scene: &Arc<Scene>,
        eye: &'a Eye,
        pilot: &mut Pilot,
        seed: u64,
        goals: GoalKind,
    ) -> Result<Self, EvalError> {
        let instance = TaskInstance::with_goals(scene, eye, seed, goals)?;
        let reality = instance.reality.fork();
        pilot.reset(seed);
        let solved_at_start = instance.is_solved(&reality);
        Ok(Self {
            eye,
            result: EpisodeResult {
                seed,
                success: solved_at_start,
                steps: 0,
                final_distance_m: instance.distance(&reality),
                solved_at_start,
                decision_ms: Vec::new(),
                model_steps: Vec::new(),
            },
            instance,
            reality,
            context: Context::default(),
            has_looked: false,
        })
    }

    /// How it stands.
    pub fn so_far(&self) -> &EpisodeResult {
        &self.result
    }

    /// Whether the goal is reached or the task's budget of control steps is spent.
    pub fn is_over(&self) -> bool {
        let EpisodeResult { success, steps, .. } = self.result;
        success || steps >= self.instance.task.budget_steps
    }

    /// What the eye sees now; it looks once a moment.
    pub fn look(&mut self) -> &Frame {
        let Self { eye, reality, .. } = self;
        if !std::mem::replace(&mut self.has_looked, true) {
            let frame = Frame::new(eye.size(), eye.look(reality).rgb);
            self.context.frames.push(frame);
            self.context.keep(SIGHT_FRAMES);
        }
        let newest = self.context.frames.len() - 1;
        &self.context.frames[newest]
    }

    /// Lets the controller decide on the next action, which is not yet taken.
    ///
    /// # Errors
    /// [`ModelError`] of the controller; [`ModelError::Cancelled`] where it was.
    pub fn decide(&mut self, pilot: &mut Pilot, cancel: &Cancel) -> Result<Decided, ModelError> {
        self.look();
        let planned = pilot.will_look();
        let sight = Sight {
            context: self.context.clone(),
            goal: self.instance.goal.clone(),
            dim: self.reality.scene().actions.dim(),
        };
        let truth = pilot.knows_truth().then(|| Truth {
            reality: self.reality.fork(),
            goal: self.instance.goal_state.clone(),
        });
        let start = Instant::now();
        let action = pilot.decide(&sight, || truth, cancel)?;
        let ms = start.elapsed().as_secs_f64() * 1e3;
        if planned {
            self.result.decision_ms.push(ms);
            let plan = pilot.plan().map(|p| p.model_steps);
            self.result.model_steps.extend(plan);
        }
        Ok(Decided {
            action,
            sight,
            planned,
            ms,
        })
    }

    /// One control step with this action.
    pub fn take(&mut self, action: Vec<f32>) {
        self.look();
        self.reality.act(&action);
        self.reality.step();
        self.context.actions.push(action);
        self.has_looked = false;
        self.result.steps += 1;
        self.result.success = self.instance.is_solved(&self.reality);
        self.result.final_distance_m = self.instance.distance(&self.reality);
    }

    /// How it ended.
    pub fn end(self) -> End {
        End {
            result: self.result,
            instance: self.instance,
            reality: self.reality,
            context: self.context,
        }
    }
}
