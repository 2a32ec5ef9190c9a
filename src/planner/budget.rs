//! How much a decision may cost.

use serde::{Deserialize, Serialize};

use crate::model::{Effort, WorldModel};
use crate::scene::{Scene, Task};

/// How much a planner may imagine: by model calls, and by the clock if `milliseconds` is set; whichever
/// ends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Action sequences imagined in one iteration.
    pub candidates: usize,
    /// Iterations of the search.
    pub iterations: usize,
    /// Tokens planned ahead.
    pub horizon: usize,
    /// Control steps for which a token holds its action.
    pub hold: usize,
    /// Wall-clock of a decision: no iteration begins that would probably end later, but one always runs.
    /// With a clock, the same seed gives the same plan only where the clock does not cut the search short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u32>,
}

impl Budget {
    /// The paper's: 300 candidates, 10 iterations, 5 tokens of 5 steps (LeWM, arXiv 2603.19312).
    pub const PAPER: Budget = Budget::of(Effort::CHEAP);
    /// For the oracle: physics is exact but costs 12 steps a control step.
    pub const ORACLE: Budget = Budget::of(Effort::PHYSICS);
    /// For pixel models on a processor: seconds a decision instead of minutes.
    pub const SMALL: Budget = Budget::of(Effort::PIXELS);
    /// Control steps that a plan is followed before the next one.
    pub const REPLAN: usize = 2;

    /// The budget of a model: what it says that a search in its imagination can afford.
    pub fn for_model(model: &dyn WorldModel) -> Budget {
        let plans = model.facets().plans;
        Budget::of(plans.map_or(Effort::CHEAP, |p| p.effort()))
    }

    /// So much effort, with every action held for five control steps.
    pub const fn of(effort: Effort) -> Budget {
        Budget {
            candidates: effort.candidates,
            iterations: effort.iterations,
            horizon: effort.horizon,
            hold: 5,
            milliseconds: None,
        }
    }

    /// The oracle's in a scene: more where the speed of one blow has to be right or an angle has to be,
    /// since the ways round a body are many. It follows a plan for as long as a token is held: its
    /// imagination does not err.
    pub fn oracle(scene: &Scene) -> Budget {
        let (candidates, iterations) = match &scene.task {
            Some(Task {
                angle_degrees: Some(_),
                ..
            }) => (128, 4),
            Some(Task {
                rest_speed: Some(_),
                ..
            }) => (128, 6),
            _ => (Budget::ORACLE.candidates, Budget::ORACLE.iterations),
        };
        Budget {
            candidates,
            iterations,
            ..Budget::ORACLE
        }
    }

    /// Control steps planned ahead.
    pub fn steps(&self) -> usize {
        self.horizon * self.hold.max(1)
    }
}
