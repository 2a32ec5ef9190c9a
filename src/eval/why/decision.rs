//! One decision of a failed episode: what its search imagined, beside what reality makes of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::forks::{self, Senses};
use super::witness::{Batch, weighted};
use crate::model::{Actions, Context, ModelError};
use crate::planner::{CostShape, Plan};
use crate::sim::{GoalState, Reality};
use crate::stats::spearman;

/// Candidates of a decision that are carried out at most, the plan that was followed included.
pub const CANDIDATES: usize = 64;
/// Iterations of a search whose best candidate is looked at, at most.
pub const ROUNDS: usize = 10;
/// The best of the last iteration whose order is looked at.
pub const TOP: usize = 4;
/// Candidates of the first iteration whose distances are measured anew from what reality shows.
const CORRECTED: usize = 16;
/// Candidates of the first iteration, and again of all iterations: evenly over their order by predicted cost.
const SAMPLED: usize = (CANDIDATES - ROUNDS - TOP - 2) / 2;

/// A moment in which a controller planned.
pub struct Decision {
    /// Reality then.
    pub reality: Reality,
    /// What had been seen and done.
    pub context: Context,
    /// What it imagined, in the order of the iterations.
    pub batches: Vec<Batch>,
    /// What it decided on.
    pub plan: Plan,
    /// Control steps that the episode has left.
    pub left: usize,
}

/// The best candidate of one iteration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// Which iteration, from 1 up.
    pub iteration: usize,
    /// Its cost as the model imagined it, in the model's units.
    pub predicted: f64,
    /// The same cost where every imagined step begins from what reality shows.
    pub corrected: f64,
    /// Its true cost, metres.
    pub true_m: f64,
}

/// What was found out about a decision.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Examined {
    /// Whether a candidate meets the goal in reality before the episode ends.
    pub reaches: bool,
    /// Whether the plan that was followed does.
    pub plan_reaches: bool,
    /// How much nearer the best candidate comes than that plan, metres of true cost; 0 where none does.
    pub nearer_m: f64,
    /// How much the candidate that the model likes best costs more than the best one, metres of true cost.
    pub regret_m: f64,
    /// Rank correlation of predicted and true cost over all candidates; `None` where they cost the same.
    pub spearman: Option<f64>,
    /// The same over the first iteration alone, before anything was selected.
    pub spearman_first: Option<f64>,
    /// The same over some of the first iteration, where every imagined step begins from what reality shows:
    /// what it gains is what imagining further ahead loses, what it lacks is the distance's fault.
    pub spearman_corrected: Option<f64>,
    /// Whether more of the pairs among the four best of the last iteration stand in the wrong order than in
    /// the right one.
    pub inverted: Option<bool>,
    /// The best candidate by iteration.
    pub rounds: Vec<Round>,
    /// The least distance to the goal that the plan was imagined to reach, in the model's units.
    pub imagined_nearest: f32,
}

/// A candidate: which batch, which of it.
type Pick = (usize, usize);

impl Decision {
    /// Carries out candidates of it on forks of reality.
    ///
    /// # Errors
    /// [`ModelError`] of the model.
    pub fn examine(
        &self,
        goal: &Arc<GoalState>,
        shape: CostShape,
        senses: &Senses,
    ) -> Result<Examined, ModelError> {
        let plan = self.plan.actions.as_slice();
        let dim = plan.first().map_or(0, Vec::len);
        let plan = Actions::one(plan, dim);
        let predicted: Vec<Vec<f32>> = self.searched(&plan).map(|b| b.costs(shape)).collect();
        let chosen = Chosen::of(&predicted);
        let picks: Vec<Pick> = chosen.all().into_iter().collect();

        // The plan comes last, after the candidates.
        let mut data: Vec<f32> = Vec::new();
        for &(b, i) in &picks {
            data.extend_from_slice(row(&self.batches[b].actions, i));
        }
        data.extend_from_slice(&plan.data);
        let candidates = Actions {
            n: picks.len() + 1,
            data,
            ..plan
        };
        let truth = forks::costs(&self.reality, goal, &candidates, shape)?;
        let reached = forks::reached(&self.reality, goal, &candidates, self.left);
        let imagined = senses.imagined(&self.context, &plan)?;

        let guess: Vec<f32> = picks.iter().map(|&(b, i)| predicted[b][i]).collect();
        let of = |pick: &Pick| picks.iter().position(|p| p == pick);
        let liked = (0..picks.len()).min_by(|&a, &b| guess[a].total_cmp(&guess[b]));
        let least = truth.iter().copied().fold(f32::INFINITY, f32::min);
        let plan_truth = truth[picks.len()];
        let among = |some: &BTreeSet<Pick>| -> (Vec<f32>, Vec<f32>) {
            let at = some.iter().filter_map(of);
            at.map(|i| (guess[i], truth[i])).unzip()
        };
        // What the search aimed at may be a station on the way.
        let station = self.plan.stations.first().filter(|s| !s.is_goal);
        let aim = station.map_or_else(|| senses.goal.clone(), |s| senses.goal.at(s.latent.clone()));
        let aimed = Senses {
            goal: &aim,
            ..*senses
        };
        let alone = |pick: &Pick| Actions {
            n: 1,
            data: row(&self.batches[pick.0].actions, pick.1).to_vec(),
            ..plan
        };
        let mut rounds = Vec::new();
        for pick in &chosen.bests {
            let Some(at) = of(pick) else { continue };
            let distances = aimed.corrected(&self.context, &self.reality, &alone(pick))?;
            let corrected = weighted(&distances, 1, shape);
            rounds.push(Round {
                iteration: pick.0 + 1,
                predicted: f64::from(guess[at]),
                corrected: corrected.first().map_or(f64::NAN, |c| f64::from(*c)),
                true_m: f64::from(truth[at]),
            });
        }
        let mut from_truth = (Vec::new(), Vec::new());
        for pick in evenly(&chosen.first.iter().copied().collect::<Vec<_>>(), CORRECTED) {
            let Some(at) = of(&pick) else { continue };
            let distances = aimed.corrected(&self.context, &self.reality, &alone(&pick))?;
            from_truth.0.extend(weighted(&distances, 1, shape));
            from_truth.1.push(truth[at]);
        }
        Ok(Examined {
            reaches: reached.contains(&true),
            plan_reaches: reached[picks.len()],
            nearer_m: f64::from(plan_truth - least),
            // The plan itself may be none of the candidates: they alone were ranked.
            regret_m: liked.map_or(0.0, |liked| {
                let best = truth[..picks.len()].iter().copied();
                f64::from(truth[liked] - best.fold(f32::INFINITY, f32::min))
            }),
            spearman: correlation(&guess, &truth[..picks.len()]),
            spearman_first: {
                let (guess, truth) = among(&chosen.first);
                correlation(&guess, &truth)
            },
            spearman_corrected: correlation(&from_truth.0, &from_truth.1),
            inverted: {
                let (guess, truth) = among(&chosen.top);
                inverted(&guess, &truth)
            },
            rounds,
            imagined_nearest: imagined.into_iter().fold(f32::INFINITY, f32::min),
        })
    }

    /// The iterations of the search, without the plan that a search imagines once more in the end.
    fn searched(&self, plan: &Actions) -> impl Iterator<Item = &Batch> {
        let again = (self.batches.last())
            .is_some_and(|b| self.batches.len() > 1 && b.actions.data == plan.data);
        let n = self.batches.len() - usize::from(again);
        self.batches[..n].iter()
    }
}

/// Candidates that are looked at.
#[derive(Default)]
struct Chosen {
    /// Of the first iteration, evenly over its order.
    first: BTreeSet<Pick>,
    /// Of all, likewise.
    any: BTreeSet<Pick>,
    /// The best of the last iteration.
    top: BTreeSet<Pick>,
    /// The best of some iterations, the first and the last among them.
    bests: Vec<Pick>,
    /// The best of all.
    best: Option<Pick>,
}

impl Chosen {
    fn of(predicted: &[Vec<f32>]) -> Self {
        let ordered = |batches: std::ops::Range<usize>| -> Vec<Pick> {
            let all = batches.flat_map(|b| (0..predicted[b].len()).map(move |i| (b, i)));
            let mut all: Vec<Pick> = all.collect();
            all.sort_by(|a, b| {
                predicted[a.0][a.1]
                    .total_cmp(&predicted[b.0][b.1])
                    .then(a.cmp(b))
            });
            all
        };
        let n = predicted.len();
        let Some(last) = n.checked_sub(1) else {
            return Self::default();
        };
        let all = ordered(0..n);
        Self {
            first: evenly(&ordered(0..1), SAMPLED).collect(),
            any: evenly(&all, SAMPLED).collect(),
            top: ordered(last..n).into_iter().take(TOP).collect(),
            bests: evenly(&(0..n).collect::<Vec<_>>(), ROUNDS)
                .filter_map(|b| ordered(b..b + 1).first().copied())
                .collect(),
            best: all.first().copied(),
        }
    }

    fn all(&self) -> BTreeSet<Pick> {
        let sets = self.first.iter().chain(&self.any).chain(&self.top);
        sets.chain(&self.bests).chain(&self.best).copied().collect()
    }
}

/// At most `n` of `all`, evenly, both ends among them.
fn evenly<T: Copy>(all: &[T], n: usize) -> impl Iterator<Item = T> {
    let n = n.min(all.len());
    let last = all.len().saturating_sub(1);
    (0..n).map(move |i| all[i * last / (n - 1).max(1)])
}

fn row(actions: &Actions, n: usize) -> &[f32] {
    let size = actions.steps * actions.dim;
    &actions.data[n * size..(n + 1) * size]
}

/// `None` where there is nothing to rank: fewer than three, or all truly the same.
fn correlation(guess: &[f32], truth: &[f32]) -> Option<f64> {
    let differ = truth.iter().any(|t| *t != truth[0]);
    (truth.len() > 2 && differ).then(|| spearman(guess, truth))
}

/// Whether more pairs stand in the wrong order than in the right one; `None` where truth orders none.
fn inverted(guess: &[f32], truth: &[f32]) -> Option<bool> {
    let (mut right, mut wrong) = (0, 0);
    for i in 0..guess.len() {
        for j in 0..i {
            let agreement = (guess[i] - guess[j]) * (truth[i] - truth[j]);
            right += usize::from(agreement > 0.0);
            wrong += usize::from(agreement < 0.0);
        }
    }
    (right + wrong > 0).then_some(wrong > right)
}
