//! Closed-loop control: plan, act for a few steps, look again, plan anew.
//!
//! A [`Controller`] sees pictures. Only one that says that it is [`Informed`] is shown the true state
//! beside them, and a [`Pilot`] keeps the two apart:
//!
//! ```compile_fail,E0277
//! use parallax::planner::{Pilot, Random};
//! // `Random` has not declared that it knows the truth, so it cannot be handed it.
//! let pilot = Pilot::Informed(Box::new(Random::new(0)));
//! ```
//!
//! ```compile_fail,E0609
//! # use parallax::planner::Sight;
//! // What a controller looks at holds no fork of reality.
//! fn peek(sight: &Sight) { let _ = &sight.truth; }
//! ```
//!
//! ```
//! use parallax::planner::{Pilot, Random};
//! let pilot = Pilot::Sighted(Box::new(Random::new(0)));
//! assert!(!pilot.knows_truth());
//! ```

use std::collections::VecDeque;
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Budget, Cem, Icem, Plan, Planner, Problem};
use crate::model::oracle::Oracle;
use crate::model::{Cancel, Context, Goal, Metric, ModelError, Policy, Sampling, WorldModel};
use crate::scene::Scene;
use crate::sim::{GoalState, Reality};

/// Observations that a controller is shown at most.
pub const SIGHT_FRAMES: usize = 16;

/// What a controller may look at when it decides.
pub struct Sight {
    /// Observations up to now; all that learned models get.
    pub context: Context,
    /// The goal's picture.
    pub goal: Goal,
    /// Components of an action.
    pub dim: usize,
}

/// What is true behind what is seen: only controllers that are [`Informed`] are shown it.
pub struct Truth {
    /// A fork of reality.
    pub reality: Reality,
    /// The goal on the true state.
    pub goal: Arc<GoalState>,
}

/// Decides the next action.
pub trait Controller: Send {
    /// The next action `[A]`.
    ///
    /// # Errors
    /// [`ModelError`] of the model, or [`ModelError::Cancelled`].
    fn decide(&mut self, sight: &Sight, cancel: &Cancel) -> Result<Vec<f32>, ModelError>;

    /// Whether the next decision will need a [`Sight`] (else it follows the current plan).
    fn will_look(&self) -> bool {
        true
    }

    /// Forgets the episode.
    fn reset(&mut self, seed: u64);

    /// The plan being followed.
    fn plan(&self) -> Option<&Plan> {
        None
    }
}

/// A controller that declares that it knows the truth: a ceiling or a floor, never a contestant.
pub trait Informed: Controller {
    /// Shows it the truth, before a decision for which it [looks](Controller::will_look).
    fn see(&mut self, truth: Truth);
}

/// Whoever decides, by what may be shown to it.
pub enum Pilot {
    /// It sees pictures.
    Sighted(Box<dyn Controller>),
    /// It is shown the truth as well.
    Informed(Box<dyn Informed>),
}

impl Pilot {
    /// Whether it is to be shown the truth.
    pub fn knows_truth(&self) -> bool {
        matches!(self, Self::Informed(_))
    }

    /// The next action `[A]`; `truth` is asked for only if the pilot is to be shown it and looks.
    ///
    /// # Errors
    /// As [`Controller::decide`].
    pub fn decide(
        &mut self,
        sight: &Sight,
        truth: impl FnOnce() -> Option<Truth>,
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ModelError> {
        match self {
            Self::Sighted(controller) => controller.decide(sight, cancel),
            Self::Informed(controller) => {
                if controller.will_look()
                    && let Some(truth) = truth()
                {
                    controller.see(truth);
                }
                controller.decide(sight, cancel)
            }
        }
    }

    fn controller(&self) -> &dyn Controller {
        match self {
            Self::Sighted(controller) => controller.as_ref(),
            Self::Informed(controller) => controller.as_ref(),
        }
    }

    /// Whether the next decision will need a [`Sight`] (else it follows the current plan).
    pub fn will_look(&self) -> bool {
        self.controller().will_look()
    }

    /// The plan being followed.
    pub fn plan(&self) -> Option<&Plan> {
        self.controller().plan()
    }

    /// Forgets the episode.
    pub fn reset(&mut self, seed: u64) {
        match self {
            Self::Sighted(controller) => controller.reset(seed),
            Self::Informed(controller) => controller.reset(seed),
        }
    }
}

/// Uniform actions: the floor.
pub struct Random(ChaCha8Rng);

impl Random {
    /// A random controller for a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
}

impl Controller for Random {
    fn decide(&mut self, sight: &Sight, _cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        Ok((0..sight.dim)
            .map(|_| self.0.random_range(-1.0..=1.0))
            .collect())
    }

    fn reset(&mut self, seed: u64) {
        self.0 = ChaCha8Rng::seed_from_u64(seed);
    }
}

/// A policy that looks anew at every step: the baseline without a world model.
pub struct Reflex(Arc<dyn Policy>);

impl Reflex {
    /// Acts as `policy` says.
    pub fn new(policy: Arc<dyn Policy>) -> Self {
        Self(policy)
    }
}

impl Controller for Reflex {
    fn decide(&mut self, sight: &Sight, cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        cancel.check()?;
        self.0.act(&sight.context, &sight.goal, sight.dim)
    }

    fn reset(&mut self, _seed: u64) {}
}

/// Model-predictive control with any world model.
pub struct Mpc {
    model: Arc<dyn WorldModel>,
    planner: Box<dyn Planner>,
    budget: Budget,
    replan_every: usize,
    metric: Metric,
    sampling: Sampling,
    warm: bool,
    queue: VecDeque<Vec<f32>>,
    plan: Option<Plan>,
    seed: u64,
    decisions: u64,
}

impl Mpc {
    /// Plans within `budget` and follows a plan for `replan_every` control steps.
    pub fn new(
        model: Arc<dyn WorldModel>,
        planner: impl Planner + 'static,
        budget: Budget,
        replan_every: usize,
    ) -> Self {
        let replan_every = replan_every.max(1);
        Self {
            model,
            planner: Box::new(planner),
            budget,
            replan_every,
            metric: Metric::Own,
            sampling: Sampling::default(),
            warm: true,
            queue: VecDeque::new(),
            plan: None,
            seed: 0,
            decisions: 0,
        }
    }

    /// Minimises this distance instead of the model's own.
    pub fn minimising(mut self, metric: Metric) -> Self {
        self.metric = metric;
        self
    }

    /// Imagines with this sampling instead of the model's own.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Starts every search from nothing, not from the last plan.
    pub fn cold(mut self) -> Self {
        self.warm = false;
        self
    }
}

impl Controller for Mpc {
    fn decide(&mut self, sight: &Sight, cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        if let Some(action) = self.queue.pop_front() {
            return Ok(action);
        }
        let latent = self.model.observe(&sight.context)?;
        let (steps, hold) = (self.replan_every, self.budget.hold);
        let last = self.plan.take().filter(|_| self.warm);
        let warm = last.map(|plan| plan.shifted(steps, hold));
        let seed = self
            .seed
            .wrapping_mul(0x9E37_79B9)
            .wrapping_add(self.decisions);
        self.decisions += 1;
        let plan = self.planner.plan(&Problem {
            model: self.model.as_ref(),
            latent: &latent,
            goal: &sight.goal,
            metric: &self.metric,
            sampling: self.sampling,
            dim: sight.dim,
            budget: &self.budget,
            warm: warm.as_ref(),
            seed,
            cancel,
        })?;
        self.queue
            .extend(plan.actions.iter().take(self.replan_every).cloned());
        self.plan = Some(plan);
        Ok(self
            .queue
            .pop_front()
            .unwrap_or_else(|| vec![0.0; sight.dim]))
    }

    fn will_look(&self) -> bool {
        self.queue.is_empty()
    }

    fn reset(&mut self, seed: u64) {
        self.queue.clear();
        self.plan = None;
        self.seed = seed;
        self.decisions = 0;
    }

    fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }
}

/// The ceiling: the same planners on forks of rapier itself.
pub struct OracleMpc {
    oracle: Arc<Oracle>,
    mpc: Mpc,
}

impl OracleMpc {
    /// An oracle for a scene's task.
    pub fn new(scene: &Scene, budget: Budget, replan_every: usize) -> Self {
        Self::on(Oracle::new(scene), scene, budget, replan_every)
    }

    /// Its floor: the same search on the same state, but with a forecast of constant velocities.
    pub fn without_contacts(scene: &Scene, budget: Budget, replan_every: usize) -> Self {
        Self::on(Oracle::without_contacts(scene), scene, budget, replan_every)
    }

    fn on(oracle: Oracle, scene: &Scene, budget: Budget, replan_every: usize) -> Self {
        let oracle = Arc::new(oracle);
        let mpc = Mpc::new(oracle.clone(), Self::search(scene), budget, replan_every);
        Self { oracle, mpc }
    }

    /// What it searches with in a scene: CEM, or iCEM, which follows the best candidate instead of the
    /// mean, where a plan is only good as a whole.
    pub fn search(scene: &Scene) -> Box<dyn Planner> {
        match Oracle::new(scene).is_exacting() {
            true => Box::new(Icem::default()),
            false => Box::new(Cem::default()),
        }
    }
}

impl Controller for OracleMpc {
    fn decide(&mut self, sight: &Sight, cancel: &Cancel) -> Result<Vec<f32>, ModelError> {
        self.mpc.decide(sight, cancel)
    }

    fn will_look(&self) -> bool {
        self.mpc.will_look()
    }

    fn reset(&mut self, seed: u64) {
        self.mpc.reset(seed);
    }

    fn plan(&self) -> Option<&Plan> {
        self.mpc.plan()
    }
}

impl Informed for OracleMpc {
    fn see(&mut self, truth: Truth) {
        self.oracle.see(truth.reality, truth.goal);
    }
}
