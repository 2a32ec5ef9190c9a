//! The protocol of `eval control`: a controller, what it is compared with on the same seeds, and what it
//! costs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::control::{self, ControlResult, EpisodeResult, EvalError, Regret};
use crate::camera::Eye;
use crate::model::oracle::CONSTANT_VELOCITY;
use crate::model::{Cost, Policy, architecture, registry};
use crate::planner::{Budget, OracleMpc, Pilot, Random, Reflex};
use crate::scene::{GoalSampler, Scene};
use crate::stats::Rate;
use crate::task::{GoalKind, TaskError};

/// How a controller plans. What does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Planning {
    /// The search, or `none`.
    pub planner: &'static str,
    /// What a decision may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Control steps that a plan is followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replan_steps: Option<usize>,
    /// Whether a search begins with what is left of the last plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_start: Option<bool>,
    /// First candidates that come from an action prior.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposals: Option<usize>,
    /// Function evaluations an imagined frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nfe: Option<usize>,
    /// What pictures are compared by, or latents where it is not the model's own distance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance: Option<String>,
    /// SHA-256 of the head that said where to go next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyframes_sha256: Option<String>,
    /// SHA-256 of the learned distance in steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distance_sha256: Option<String>,
}

/// Who takes part.
pub struct Contestant {
    /// Its name.
    pub name: String,
    /// What acts.
    pub pilot: Pilot,
    /// How it plans.
    pub planning: Planning,
    /// What imagining costs it, where that is known.
    pub cost: Option<Cost>,
    /// Its weights, if it was learned.
    pub sha256: Option<String>,
}

impl Contestant {
    /// `pilot`, which learned nothing and plans nothing.
    pub fn unlearned(name: &str, pilot: Pilot) -> Self {
        Self {
            name: name.into(),
            pilot,
            planning: Planning {
                planner: "none",
                ..Planning::default()
            },
            cost: None,
            sha256: None,
        }
    }

    /// Chance: random actions from `seed`.
    pub fn random(name: &str, seed: u64) -> Self {
        Self::unlearned(name, Pilot::Sighted(Box::new(Random::new(seed))))
    }

    /// A search in the simulation itself, within `budget`, anew every `replan` steps; one that knows no
    /// contacts if `name` says so.
    pub fn oracle(name: &str, scene: &Scene, budget: Budget, replan: usize) -> Self {
        let oracle = match name {
            CONSTANT_VELOCITY => OracleMpc::without_contacts(scene, budget, replan),
            _ => OracleMpc::new(scene, budget, replan),
        };
        Self {
            planning: Planning {
                planner: OracleMpc::search(scene).id(),
                budget: Some(budget),
                replan_steps: Some(replan),
                ..Planning::default()
            },
            ..Self::unlearned(name, Pilot::Informed(Box::new(oracle)))
        }
    }

    /// A cloned policy. It encodes what it sees and the goal with the same network, like a planner.
    pub fn policy(name: &str, policy: Arc<dyn Policy>) -> Self {
        Self {
            cost: Some(policy.cost()),
            sha256: Some(policy.card().sha256.clone()),
            ..Self::unlearned(name, Pilot::Sighted(Box::new(Reflex::new(policy))))
        }
    }
}

/// What a contest is compared on.
#[derive(Clone)]
pub struct Contest {
    /// The world.
    pub scene: Arc<Scene>,
    /// The episodes.
    pub seeds: Range<u64>,
    /// Where goals come from.
    pub goals: GoalKind,
}

/// Follows a contest as it runs.
pub trait Watch {
    /// A controller begins.
    fn begin(&mut self, name: &str, episodes: u64);
    /// An episode has ended.
    fn episode(&mut self, episode: &EpisodeResult);
    /// A controller has run all its episodes.
    fn end(&mut self, name: &str, result: &ControlResult);
}

/// Success of the floors; one that was not run is left out.
pub type Floors = BTreeMap<&'static str, Option<Rate>>;

/// The controller, its floors and its ceiling.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ContestResult {
    /// `experience` or `task`.
    pub goals: &'static str,
    /// How the controller plans.
    #[serde(flatten)]
    pub planning: Planning,
    /// Floating-point operations of a decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision_flops: Option<f64>,
    /// Random actions, a forecast in which nothing touches, and what was trained as a baseline.
    #[serde(skip_serializing_if = "Floors::is_empty")]
    pub floors: Floors,
    /// Weights of the floors that were trained, by folder.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub floors_sha256: BTreeMap<String, String>,
    /// The oracle.
    #[serde(skip_serializing_if = "Floors::is_empty")]
    pub ceilings: Floors,
    /// What is lost against the oracle.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regret: Option<Regret>,
    /// The controller's own.
    #[serde(flatten)]
    pub own: ControlResult,
}

impl Contest {
    /// The word for where goals come from: `experience` or `task`.
    pub fn goals_are(&self) -> &'static str {
        let usual = self.scene.task.as_ref().map(|t| &t.goal);
        let by_experience = matches!(usual, Some(GoalSampler::Experience { .. }));
        match self.goals {
            GoalKind::Task => "task",
            GoalKind::Scene if !by_experience => "task",
            _ => "experience",
        }
    }

    /// Runs one controller.
    ///
    /// # Errors
    /// [`EvalError`] of the first episode that fails.
    pub fn run(
        &self,
        name: &str,
        pilot: &mut Pilot,
        watch: &mut dyn Watch,
    ) -> Result<ControlResult, EvalError> {
        let eye = Eye::standard(&self.scene).map_err(|e| TaskError::Episode(e.into()))?;
        watch.begin(name, self.seeds.end - self.seeds.start);
        let seeds = self.seeds.clone();
        let result = control::run(&self.scene, &eye, pilot, seeds, self.goals, |e| {
            watch.episode(e)
        })?;
        watch.end(name, &result);
        Ok(result)
    }

    /// Runs a controller and, where `floors` is given, what it is compared with: random actions, the
    /// trained floors, a forecast in which nothing touches, and the oracle.
    ///
    /// # Errors
    /// [`EvalError`] of the first episode that fails.
    pub fn compare(
        &self,
        mut contestant: Contestant,
        floors: Option<Vec<(&'static str, Contestant)>>,
        watch: &mut dyn Watch,
    ) -> Result<ContestResult, EvalError> {
        let own = self.run(&contestant.name, &mut contestant.pilot, watch)?;
        let imagined = own.decision_model_steps.unwrap_or(0.0);
        let mut result = ContestResult {
            goals: self.goals_are(),
            planning: contestant.planning,
            decision_flops: contestant.cost.map(|cost| decision_flops(&cost, imagined)),
            floors: Floors::new(),
            floors_sha256: BTreeMap::new(),
            ceilings: Floors::new(),
            regret: None,
            own,
        };
        let Some(floors) = floors else {
            return Ok(result);
        };
        let mut random = Pilot::Sighted(Box::new(Random::new(self.seeds.start)));
        let found = self.run("random", &mut random, watch)?;
        result.floors.insert("random", found.success);
        for (key, mut floor) in floors {
            let found = self.run(&floor.name, &mut floor.pilot, watch)?;
            result.floors.insert(key, found.success);
            result
                .floors_sha256
                .extend(floor.sha256.map(|sha256| (floor.name, sha256)));
        }
        let (budget, hold) = (Budget::oracle(&self.scene), Budget::ORACLE.hold);
        let still = OracleMpc::without_contacts(&self.scene, budget, hold);
        let mut still = Pilot::Informed(Box::new(still));
        let found = self.run(CONSTANT_VELOCITY, &mut still, watch)?;
        result.floors.insert("constant_velocity", found.success);
        let ceiling = self.oracle(watch)?;
        result.ceilings.insert("oracle", ceiling.success);
        result.regret = Some(Regret::of(&result.own, &ceiling));
        Ok(result)
    }

    /// Runs the oracle with its own budget.
    ///
    /// # Errors
    /// [`EvalError`] of the first episode that fails.
    pub fn oracle(&self, watch: &mut dyn Watch) -> Result<ControlResult, EvalError> {
        let budget = Budget::oracle(&self.scene);
        let oracle = OracleMpc::new(&self.scene, budget, Budget::ORACLE.hold);
        let mut oracle = Pilot::Informed(Box::new(oracle));
        self.run("oracle", &mut oracle, watch)
    }
}

/// Floors of a scene that were trained: their word in results and their folder among the baselines of
/// `models`.
pub fn trained_floors(models: &Path, scene: &str) -> Vec<(&'static str, String)> {
    let floor = |entry: registry::Entry| {
        let card = entry.card.ok()?;
        let key = architecture::of(&card)?.control_floor?;
        card.scenes
            .iter()
            .any(|s| s == scene)
            .then_some((key, entry.name))
    };
    let entries = registry::scan(&registry::baselines(models));
    entries.into_iter().filter_map(floor).collect()
}

/// Floating-point operations of one decision: encode the observation and the goal, then imagine.
pub fn decision_flops(cost: &Cost, model_steps: f64) -> f64 {
    2.0 * cost.encode_flops + model_steps * (cost.dynamics_flops + cost.rendering_flops)
}
