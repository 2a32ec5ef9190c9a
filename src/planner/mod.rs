//! Planning: search over action sequences in a world model's imagination, and control by replanning.
//!
//! One planner drives every camp, the oracle included: it sees only [`WorldModel`], latents and distances.
//! `cem.rs` is the search, `controller.rs` turns plans into closed-loop control (model-predictive control) and holds the
//! floor (random) beside it.

mod cem;
mod controller;

pub use cem::{Cem, CostShape};
pub use controller::{Controller, Mpc, OracleMpc, Random, Sight};

use crate::model::{Camp, Cancel, Goal, Latent, ModelError, WorldModel};
use crate::scene::Scene;

/// How much a planner may imagine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
}

impl Budget {
    /// The paper's: 300 candidates, 10 iterations, 5 tokens of 5 steps (LeWM, arXiv 2603.19312).
    pub const PAPER: Budget = Budget {
        candidates: 300,
        iterations: 10,
        horizon: 5,
        hold: 5,
    };
    /// For the oracle: physics is exact but costs 12 steps a control step.
    pub const ORACLE: Budget = Budget {
        candidates: 64,
        iterations: 4,
        horizon: 5,
        hold: 5,
    };
    /// The oracle's in a scene: more where a rotation, or the speed of one blow, has to be right.
    pub fn oracle(scene: &Scene) -> Budget {
        let exacting = |t: &crate::scene::Task| t.angle_degrees.or(t.rest_speed).is_some();
        if scene.task.as_ref().is_some_and(exacting) {
            Budget {
                candidates: 128,
                iterations: 6,
                ..Budget::ORACLE
            }
        } else {
            Budget::ORACLE
        }
    }
    /// Control steps that a plan is followed before the next one.
    pub const REPLAN: usize = 5;

    /// The budget that a camp's models plan with unless told otherwise.
    pub fn for_camp(camp: Camp) -> Budget {
        match camp {
            Camp::Jepa | Camp::Hybrid => Budget::PAPER,
            Camp::Generative => Budget::SMALL,
            Camp::Reference => Budget::ORACLE,
        }
    }

    /// For pixel models on a processor: seconds a decision instead of minutes.
    pub const SMALL: Budget = Budget {
        candidates: 16,
        iterations: 2,
        horizon: 2,
        hold: 5,
    };
}

/// One iteration of a search, for display.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IterationTrace {
    /// Lowest cost among the candidates.
    pub best: f32,
    /// Mean cost of the elites.
    pub mean_elite: f32,
    /// Mean standard deviation of the search distribution after the update.
    pub spread: f32,
}

/// The outcome of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Actions at the control rate, `[H × hold][A]`.
    pub actions: Vec<Vec<f32>>,
    /// Cost of the last elites (mean).
    pub cost: f32,
    /// One entry an iteration.
    pub iterations: Vec<IterationTrace>,
    /// First action and cost of the candidates of the first iteration: the energy over first actions.
    pub first_actions: Vec<([f32; 2], f32)>,
    /// Imagined model steps, summed over candidates and iterations.
    pub model_steps: usize,
}

/// A search over action sequences.
pub trait Planner: Send + Sync {
    /// Searches for actions of `dim` components that bring the latent near the goal.
    ///
    /// # Errors
    /// [`ModelError`] of the model, or [`ModelError::Cancelled`].
    #[expect(
        clippy::too_many_arguments,
        reason = "one call says everything a search depends on"
    )]
    fn plan(
        &self,
        model: &dyn WorldModel,
        latent: &Latent,
        goal: &Goal,
        dim: usize,
        budget: &Budget,
        warm: Option<&Plan>,
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Plan, ModelError>;
}
