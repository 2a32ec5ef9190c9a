//! Planning: search over action sequences in a world model's imagination, and control by replanning.
//!
//! One planner drives every camp, the oracle included: it sees only [`WorldModel`], latents and distances.
//! `search.rs` holds what all searches share; `cem.rs`, `icem.rs`, `mppi.rs` and `gradient.rs` are the
//! searches; `stations.rs` lets any of them go from one structured moment to the next; `controller.rs` turns
//! plans into closed-loop control (model-predictive control) and holds the floor (random) beside it.

mod budget;
mod cem;
mod controller;
mod gate;
mod gradient;
mod icem;
mod mppi;
mod noise;
mod plan;
mod search;
mod stations;

pub use budget::Budget;
pub use cem::Cem;
pub use controller::{
    Controller, Informed, Mpc, OracleMpc, Pilot, Random, Reflex, SIGHT_FRAMES, Sight, Truth,
};
pub use gradient::Adam;
pub use icem::Icem;
pub use mppi::Mppi;
pub use noise::coloured;
pub use plan::{Elite, IterationTrace, Plan};
pub use search::CostShape;
pub use stations::Stations;

use crate::model::{Cancel, Goal, Latent, Metric, ModelError, Sampling, WorldModel};

/// Everything that a search depends on.
#[derive(Clone, Copy)]
pub struct Problem<'a> {
    /// Imagines.
    pub model: &'a dyn WorldModel,
    /// Where it starts from.
    pub latent: &'a Latent,
    /// What to bring about.
    pub goal: &'a Goal,
    /// What is minimised.
    pub metric: &'a Metric,
    /// How the model draws its futures, if it draws them by chance.
    pub sampling: Sampling,
    /// Components of an action.
    pub dim: usize,
    /// How much to imagine.
    pub budget: &'a Budget,
    /// What is left of the last plan.
    pub warm: Option<&'a Plan>,
    /// Decides every draw.
    pub seed: u64,
    /// Polled between iterations, and by the model between its steps.
    pub cancel: &'a Cancel,
}

/// A search over action sequences.
pub trait Planner: Send + Sync {
    /// Searches for actions that bring the latent near the goal.
    ///
    /// # Errors
    /// [`ModelError`] of the model, or [`ModelError::Cancelled`].
    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError>;

    /// The word on the command line and in JSON.
    fn id(&self) -> &'static str;
}

impl Planner for Box<dyn Planner> {
    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError> {
        self.as_ref().plan(problem)
    }

    fn id(&self) -> &'static str {
        self.as_ref().id()
    }
}
