//! Why a planner fails: for each failed episode, some of its decisions are looked at on forks of reality.
//!
//! `witness.rs` keeps what a search imagined, `forks.rs` carries candidates out, `decision.rs` compares the
//! two, and `verdict.rs` finds one word for an episode.

mod decision;
mod forks;
mod verdict;
mod witness;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::contest::{Contest, Contestant, Planning};
use super::control::{self, End, EpisodeResult, EvalError};
use crate::camera::Eye;
use crate::model::{Cancel, Metric, Sampling, WorldModel};
use crate::planner::{Budget, CostShape, Mpc, OracleMpc, Pilot, Planner};
use crate::stats::{Mean, Rate, Spread};
use crate::task::TaskError;
use decision::{CANDIDATES, Decision};
use forks::Senses;
use verdict::{covers, mean};
use witness::Witness;

pub use decision::{Examined, Round};
pub use verdict::Cause;

/// Decisions of a failed episode that are looked at, evenly over its budget of steps.
pub const DECISIONS: usize = 5;

/// A model and how it plans.
pub struct Suspect {
    /// The model.
    pub model: Arc<dyn WorldModel>,
    /// How it searches.
    pub search: Box<dyn Planner>,
    /// How that search makes one cost of distances.
    pub shape: CostShape,
    /// What a decision may cost.
    pub budget: Budget,
    /// Control steps that a plan is followed.
    pub replan: usize,
    /// What is minimised.
    pub metric: Metric,
    /// How the model imagines.
    pub sampling: Sampling,
    /// Whether a search begins with what is left of the last plan.
    pub warm: bool,
}

impl Contestant {
    /// A model that plans.
    pub fn planning(name: &str, plans: Suspect, planning: Planning) -> Contestant {
        let sha256 = Some(plans.model.card().sha256.clone());
        let mut cost = plans.model.cost(plans.sampling);
        if let Some(measures) = plans.model.facets().plans {
            cost.rendering_flops += measures.measuring_flops(&plans.metric)
                - measures.spared_flops(&plans.metric, plans.sampling);
        }
        let mpc = Mpc::new(plans.model, plans.search, plans.budget, plans.replan)
            .minimising(plans.metric)
            .sampling(plans.sampling);
        let mpc = if plans.warm { mpc } else { mpc.cold() };
        Contestant {
            name: name.into(),
            pilot: Pilot::Sighted(Box::new(mpc)),
            planning,
            cost: Some(cost),
            sha256,
        }
    }
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// Decisions of an episode at most.
    pub decisions_per_episode: usize,
    /// Candidates of a decision, out of all its iterations, that were carried out at most.
    pub candidates_per_decision: usize,
    /// What the search with the true cost was allowed.
    pub perfect_ranking: Option<Budget>,
    /// Control steps for which it followed a plan.
    pub perfect_ranking_replan_steps: usize,
}

/// (a) Whether good candidates are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// Decisions in which a candidate meets the goal within the horizon.
    pub reaches: Option<Rate>,
    /// Decisions in which one meets it, or comes notably nearer than the plan that was followed.
    pub covered: Option<Rate>,
}

/// (b) Whether the model finds them among the others. Means are over failed episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// True cost of the candidate that the model likes best above that of the best candidate, metres.
    pub regret_m: Option<Mean>,
    /// The same of the plan that was followed.
    pub plan_regret_m: Option<Mean>,
    /// Spearman's correlation of predicted and true cost over the candidates.
    pub spearman: Option<Mean>,
    /// The same over the first iteration alone.
    pub spearman_first: Option<Mean>,
    /// The same over some of them, where every imagined step begins from what reality shows: what it gains is
    /// what imagining further ahead loses, what it lacks is the distance's fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spearman_corrected: Option<Mean>,
    /// Decisions in which the four best of the last iteration stand in the wrong order.
    pub top4_inverted: Option<Rate>,
}

/// (c) The best candidate of an iteration. Means are over failed episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exploitation {
    /// Which iteration.
    pub iteration: usize,
    /// Its cost as it was imagined, in the model's units.
    pub predicted: Option<Mean>,
    /// The same cost where every imagined step begins from what reality shows.
    pub corrected: Option<Mean>,
    /// The first less the second: below zero, the model flatters the candidate.
    pub gap: Option<Mean>,
    /// Its true cost, metres.
    pub true_m: Option<Mean>,
}

/// (d) Whether anything can be done at this horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// Failed episodes that a search with the true cost solves at the same horizon.
    pub perfect_ranking: Option<Rate>,
}

/// Success that is only imagined.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Dreamed {
    /// Failed episodes with a plan that was imagined to come as near to the goal as solved states are, and in
    /// reality does not meet it.
    pub success: Option<Rate>,
    /// The distance to the goal that the model measures of solved states, in its own units; the median is the
    /// bound.
    pub solved_distance: Option<Spread>,
    /// Why figures are null, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
}

/// One failed episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// Why it failed.
    pub cause: Cause,
    /// Distance at the end, metres.
    pub final_distance_m: f32,
    /// Whether a search with the true cost succeeds.
    pub perfect_ranking: bool,
    /// Decisions that were looked at.
    pub decisions: usize,
    /// In how many of them a candidate meets the goal or comes notably nearer than the plan.
    pub covered: usize,
    /// Mean regret of the candidate that the model likes best, metres.
    pub regret_m: Option<f64>,
    /// Mean correlation of predicted and true cost.
    pub spearman: Option<f64>,
    /// Whether success was imagined; null where that was not measured.
    pub dreamed: Option<bool>,
}

/// What was found out about a planner's failures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WhyResult {
    /// Of the planner.
    pub success: Option<Rate>,
    /// Episodes that count: those that did not begin solved.
    pub episodes: usize,
    /// Those that failed; all that follows is of them.
    pub failures: usize,
    /// Why figures are null, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_measured: Option<String>,
    /// How much was looked at.
    pub bounds: Bounds,
    /// Share of the failures by cause.
    pub causes: BTreeMap<String, Option<Rate>>,
    /// Whether good candidates are there.
    pub coverage: Coverage,
    /// Whether the model finds them.
    pub ranking: Ranking,
    /// Whether searching on finds what the model errs on, by iteration.
    pub exploitation: Vec<Exploitation>,
    /// Whether the horizon suffices.
    pub reach: Reach,
    /// Success that is only imagined.
    pub dreamed: Dreamed,
    /// Every failed episode.
    pub per_failure: Vec<Failure>,
}

/// A failed episode and what was found out about its decisions.
struct Case {
    episode: EpisodeResult,
    perfect_ranking: bool,
    decisions: Vec<Examined>,
}

/// Runs a planner and looks into its failures.
///
/// # Errors
/// [`EvalError`] of the first episode that fails to run.
pub fn run(
    contest: &Contest,
    suspect: Suspect,
    mut progress: impl FnMut(&EpisodeResult),
) -> Result<WhyResult, EvalError> {
    run_until(contest, suspect, &Cancel::new(), |stage| {
        if let Stage::Ran(episode) = stage {
            progress(episode);
        }
    })
}

/// How far an episode is looked into.
pub enum Stage<'a> {
    /// The planner acts again: control steps so far, and at most.
    Acts(u32, u32),
    /// It has run the episode.
    Ran(&'a EpisodeResult),
    /// Some of its decisions are carried out on forks of reality: which one, of how many.
    Examines(usize, usize),
    /// A search with the true cost runs the same episode: control steps so far, and at most.
    Searches(u32, u32),
}

/// As [`run`], and ends when it is cancelled.
///
/// # Errors
/// As [`run`]; [`ModelError::Cancelled`](crate::model::ModelError::Cancelled) where it was.
pub fn run_until(
    contest: &Contest,
    suspect: Suspect,
    cancel: &Cancel,
    mut progress: impl FnMut(Stage),
) -> Result<WhyResult, EvalError> {
    let scene = &contest.scene;
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let task = scene.task.as_ref();
    let steps = task.map_or(0, |t| t.budget_steps as usize);
    let tolerance = task.map_or(0.0, |t| f64::from(t.tolerance_m));
    let planned = steps.div_ceil(suspect.replan.max(1));
    let wanted: BTreeSet<usize> = (0..DECISIONS).map(|i| i * planned / DECISIONS).collect();

    let (model, shape) = (suspect.model.clone(), suspect.shape);
    let (metric, sampling) = (suspect.metric.clone(), suspect.sampling);
    let witness = Arc::new(Witness::of(model.clone()));
    let perfect = perfect_budget(contest, suspect.budget);
    let replan = suspect.replan;
    // Its imagination does not err, so that it may follow a plan for longer.
    let followed = replan.max(perfect.steps() / 2);
    let mut oracle = Pilot::Informed(Box::new(OracleMpc::new(scene, perfect, followed)));
    let mpc = Mpc::new(witness.clone(), suspect.search, suspect.budget, replan)
        .minimising(metric.clone())
        .sampling(sampling);
    let mpc = if suspect.warm { mpc } else { mpc.cold() };
    let mut pilot = Pilot::Sighted(Box::new(mpc));

    let (mut cases, mut solved, mut counted) = (Vec::new(), Vec::new(), 0);
    for seed in contest.seeds.clone() {
        let (mut kept, mut decided, mut acted) = (Vec::new(), 0, 0);
        let goals = contest.goals;
        let end = control::follow_until(scene, &eye, &mut pilot, seed, goals, cancel, |now| {
            acted += 1;
            progress(Stage::Acts(acted, steps as u32));
            if !now.planned {
                return;
            }
            let batches = witness.take();
            if let (true, Some(plan)) = (wanted.contains(&decided), now.pilot.plan()) {
                kept.push(Decision {
                    reality: now.reality.fork(),
                    context: now.sight.context.clone(),
                    batches,
                    plan: plan.clone(),
                    left: steps.saturating_sub(decided * replan.max(1)),
                });
            }
            decided += 1;
        })?;
        progress(Stage::Ran(&end.result));
        if end.result.solved_at_start {
            continue;
        }
        counted += 1;
        let senses = Senses {
            model: model.as_ref(),
            eye: &eye,
            goal: &end.instance.goal,
            metric: &metric,
            sampling,
        };
        if end.result.success {
            solved.extend(measured_at(&end, &senses)?);
            continue;
        }
        let goal = &end.instance.goal_state;
        let mut decisions: Vec<Examined> = Vec::new();
        for decision in &kept {
            cancel.check()?;
            progress(Stage::Examines(decisions.len() + 1, kept.len()));
            decisions.push(decision.examine(goal, shape, &senses)?);
        }
        let mut acted = 0;
        let other = control::follow_until(scene, &eye, &mut oracle, seed, goals, cancel, |_| {
            acted += 1;
            progress(Stage::Searches(acted, steps as u32));
        })?;
        if other.result.success {
            solved.extend(measured_at(&other, &senses)?);
        }
        cases.push(Case {
            episode: end.result,
            perfect_ranking: other.result.success,
            decisions,
        });
    }
    let bounds = Bounds {
        decisions_per_episode: DECISIONS,
        candidates_per_decision: CANDIDATES,
        perfect_ranking: Some(perfect),
        perfect_ranking_replan_steps: followed,
    };
    let solved: Vec<f64> = solved.into_iter().map(f64::from).collect();
    Ok(WhyResult {
        success: Rate::wilson(counted - cases.len(), counted),
        episodes: counted,
        bounds,
        ..summed_up(&cases, Spread::of(&solved), tolerance)
    })
}

/// The oracle's own search over the planner's horizon.
fn perfect_budget(contest: &Contest, own: Budget) -> Budget {
    let usual = Budget::oracle(&contest.scene);
    let every = crate::model::Effort::PHYSICS.horizon;
    let mut horizon = own.horizon.max(1);
    while !(horizon * own.hold.max(1)).is_multiple_of(every) {
        horizon += 1;
    }
    Budget {
        horizon,
        hold: own.hold,
        ..usual
    }
}

/// The distance that a model measures at the end of an episode.
fn measured_at(end: &End, senses: &Senses) -> Result<Option<f32>, EvalError> {
    let mut context = end.context.clone();
    context.frames.push(senses.frame(&end.reality));
    let dim = end.reality.scene().actions.dim();
    Ok(senses.at_rest(&context, dim)?)
}

fn summed_up(cases: &[Case], solved: Option<Spread>, tolerance: f64) -> WhyResult {
    let decisions = || cases.iter().flat_map(|c| &c.decisions);
    let share = |is: &dyn Fn(&Examined) -> Option<bool>| {
        let found: Vec<bool> = decisions().filter_map(is).collect();
        Rate::wilson(found.iter().filter(|f| **f).count(), found.len())
    };
    let bound = solved.map(|s| s.median);
    let failures: Vec<Failure> = cases
        .iter()
        .map(|case| failure(case, bound, tolerance))
        .collect();
    let rate = |is: &dyn Fn(&Failure) -> bool| {
        Rate::wilson(failures.iter().filter(|f| is(f)).count(), failures.len())
    };
    let nothing = "no episode failed, so there is nothing to explain";
    let unknown = "neither the planner nor a search with the true cost solved any episode, so it is \
                   not known how near solved states lie";
    WhyResult {
        failures: failures.len(),
        not_measured: failures.is_empty().then(|| nothing.into()),
        causes: (Cause::ALL.iter())
            .map(|cause| (cause.id().into(), rate(&|f| f.cause == *cause)))
            .collect(),
        coverage: Coverage {
            reaches: share(&|d| Some(d.reaches)),
            covered: share(&|d| Some(covers(d, tolerance))),
        },
        ranking: Ranking {
            regret_m: over_episodes(cases, &|d| Some(d.regret_m)),
            plan_regret_m: over_episodes(cases, &|d| Some(d.nearer_m)),
            spearman: over_episodes(cases, &|d| d.spearman),
            spearman_first: over_episodes(cases, &|d| d.spearman_first),
            spearman_corrected: over_episodes(cases, &|d| d.spearman_corrected),
            top4_inverted: share(&|d| d.inverted),
        },
        exploitation: exploitation(cases),
        reach: Reach {
            perfect_ranking: rate(&|f| f.perfect_ranking),
        },
        dreamed: Dreamed {
            success: bound.and_then(|_| rate(&|f| f.dreamed == Some(true))),
            solved_distance: solved,
            not_measured: (bound.is_none() && !failures.is_empty()).then(|| unknown.into()),
        },
        per_failure: failures,
        ..WhyResult::default()
    }
}

fn failure(case: &Case, bound: Option<f64>, tolerance: f64) -> Failure {
    let found = &case.decisions;
    let of = |value: &dyn Fn(&Examined) -> Option<f64>| -> Option<f64> {
        mean(&found.iter().filter_map(value).collect::<Vec<f64>>())
    };
    let dreams = |bound: f64| {
        let near = |d: &Examined| f64::from(d.imagined_nearest) <= bound && !d.plan_reaches;
        found.iter().any(near)
    };
    Failure {
        seed: case.episode.seed,
        cause: Cause::of(case.perfect_ranking, found, tolerance),
        final_distance_m: case.episode.final_distance_m,
        perfect_ranking: case.perfect_ranking,
        decisions: found.len(),
        covered: found.iter().filter(|d| covers(d, tolerance)).count(),
        regret_m: of(&|d| Some(d.regret_m)),
        spearman: of(&|d| d.spearman),
        dreamed: bound.map(dreams),
    }
}

/// Mean of the failed episodes' means: decisions of one episode are not independent.
fn over_episodes(cases: &[Case], value: &dyn Fn(&Examined) -> Option<f64>) -> Option<Mean> {
    let each = cases
        .iter()
        .filter_map(|c| mean(&c.decisions.iter().filter_map(value).collect::<Vec<f64>>()));
    Mean::bootstrap(&each.collect::<Vec<f64>>())
}

fn exploitation(cases: &[Case]) -> Vec<Exploitation> {
    let rounds = cases
        .iter()
        .flat_map(|c| &c.decisions)
        .flat_map(|d| &d.rounds);
    let iterations: BTreeSet<usize> = rounds.map(|r| r.iteration).collect();
    let at = |iteration: usize, value: fn(&Round) -> f64| {
        over_episodes(cases, &|d| {
            let round = d.rounds.iter().find(|r| r.iteration == iteration)?;
            Some(value(round)).filter(|v| v.is_finite())
        })
    };
    let entry = |iteration: usize| Exploitation {
        iteration,
        predicted: at(iteration, |r| r.predicted),
        corrected: at(iteration, |r| r.corrected),
        gap: at(iteration, |r| r.predicted - r.corrected),
        true_m: at(iteration, |r| r.true_m),
    };
    iterations.into_iter().map(entry).collect()
}
