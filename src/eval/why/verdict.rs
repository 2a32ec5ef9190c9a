//! The word for why an episode failed.

use serde::{Deserialize, Serialize};

use super::decision::{Examined, Round};

/// A candidate is nearer than the plan, or truth has become worse, if the difference of true cost is more
/// than this share of the task's tolerance.
pub const NOTABLE: f64 = 0.1;
/// From this mean rank correlation on, a model ranks the first iteration's candidates well.
pub const RANKED: f64 = 0.5;

/// Why an episode failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Even a search with the true cost fails at this horizon, and no candidate meets the goal.
    Reach,
    /// In most decisions no candidate meets the goal or comes notably nearer than the plan did.
    Coverage,
    /// Candidates are ranked well at first, but the search goes on to ones that are truly worse.
    Exploitation,
    /// Better candidates were there, and the model prefers others.
    Ranking,
}

impl Cause {
    /// All, in the order in which they are asked for.
    pub const ALL: [Cause; 4] = [
        Cause::Reach,
        Cause::Coverage,
        Cause::Exploitation,
        Cause::Ranking,
    ];

    /// The word in JSON.
    pub fn id(self) -> &'static str {
        match self {
            Cause::Reach => "reach",
            Cause::Coverage => "coverage",
            Cause::Exploitation => "exploitation",
            Cause::Ranking => "ranking",
        }
    }

    /// The first that applies to a failed episode, of which some decisions were examined. `tolerance` is the
    /// task's, metres.
    pub fn of(perfect_ranking: bool, decisions: &[Examined], tolerance: f64) -> Cause {
        let notable = NOTABLE * tolerance;
        let covered = decisions.iter().filter(|d| covers(d, tolerance)).count();
        let first: Vec<f64> = decisions.iter().filter_map(|d| d.spearman_first).collect();
        let ranked_well = mean(&first).is_some_and(|r| r >= RANKED);
        let change = |of: fn(&Round) -> f64| {
            let ends = decisions.iter();
            let ends = ends.filter_map(|d| Some(of(d.rounds.last()?) - of(d.rounds.first()?)));
            mean(&ends.collect::<Vec<f64>>()).unwrap_or(0.0)
        };
        let misled = change(|r| r.predicted) < 0.0 && change(|r| r.true_m) > notable;
        let reached = decisions.iter().any(|d| d.reaches);
        match () {
            () if !perfect_ranking && !reached => Cause::Reach,
            () if 2 * covered < decisions.len() => Cause::Coverage,
            () if ranked_well && misled => Cause::Exploitation,
            () => Cause::Ranking,
        }
    }
}

/// Whether a candidate meets the goal, or comes notably nearer than the plan that was followed.
pub fn covers(decision: &Examined, tolerance: f64) -> bool {
    decision.reaches || decision.nearer_m > NOTABLE * tolerance
}

/// `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
