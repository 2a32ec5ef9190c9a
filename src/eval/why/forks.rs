//! What candidates truly lead to: they are carried out on forks of reality.

use std::sync::Arc;

use rayon::prelude::*;

use super::witness::weighted;
use crate::camera::Eye;
use crate::model::facets::Plans;
use crate::model::oracle::Oracle;
use crate::model::{
    Actions, Cancel, Context, Frame, Goal, Metric, ModelError, Sampling, WorldModel, require,
};
use crate::planner::{CostShape, SIGHT_FRAMES};
use crate::sim::{GoalState, Reality};

/// Control steps for which a body may roll on after a plan, where the task asks that it comes to rest.
const COAST_STEPS: usize = 40;

/// True cost of every candidate: what the oracle would charge for it, metres.
///
/// # Errors
/// [`ModelError`] of the oracle.
pub fn costs(
    reality: &Reality,
    goal: &Arc<GoalState>,
    candidates: &Actions,
    shape: CostShape,
) -> Result<Vec<f32>, ModelError> {
    let oracle = Oracle::new(reality.scene());
    oracle.see(reality.fork(), goal.clone());
    let latent = oracle.observe(&Context::default())?;
    let held = held_until(candidates, oracle.shape().frameskip);
    let rollouts = oracle.imagine(&latent, &held, Sampling::default(), &Cancel::new())?;
    let distances = oracle.distance(&rollouts, &Goal::default(), &Metric::Own)?;
    Ok(weighted(&distances, candidates.n, shape))
}

/// Candidates whose last action goes on until a multiple of `every` control steps.
fn held_until(candidates: &Actions, every: usize) -> Actions {
    let steps = candidates.steps.next_multiple_of(every.max(1));
    let mut data = Vec::with_capacity(candidates.n * steps * candidates.dim);
    for n in 0..candidates.n {
        for t in 0..steps {
            let at = t.min(candidates.steps.saturating_sub(1));
            data.extend_from_slice(candidates.at(n, at));
        }
    }
    Actions {
        steps,
        data,
        ..*candidates
    }
}

/// Whether each candidate meets the goal at a control step of its own, or while things roll out after it
/// where they have to come to rest, and within `left` control steps.
pub fn reached(
    reality: &Reality,
    goal: &GoalState,
    candidates: &Actions,
    left: usize,
) -> Vec<bool> {
    let coast = goal.task.rest_speed.map_or(0, |_| COAST_STEPS);
    let still = vec![0.0; candidates.dim];
    let reaches = |n: usize| {
        let mut fork = reality.fork();
        (0..(candidates.steps + coast).min(left)).any(|t| {
            match t < candidates.steps {
                true => fork.act(candidates.at(n, t)),
                false => fork.act(&still),
            }
            fork.step();
            goal.is_met(&fork.measure())
        })
    };
    (0..candidates.n).into_par_iter().map(reaches).collect()
}

/// How a model measures what really comes.
pub struct Senses<'a> {
    /// The model.
    pub model: &'a dyn WorldModel,
    /// Its camera.
    pub eye: &'a Eye,
    /// The goal's picture.
    pub goal: &'a Goal,
    /// What is minimised.
    pub metric: &'a Metric,
    /// How it imagines.
    pub sampling: Sampling,
}

impl Senses<'_> {
    /// Distances of every step of one imagined sequence `[1, T, A]`.
    ///
    /// # Errors
    /// [`ModelError`] of the model.
    pub fn imagined(&self, context: &Context, actions: &Actions) -> Result<Vec<f32>, ModelError> {
        let plans = self.model.facets().plans;
        let plans = require(self.model, plans, "measures no distance to a goal")?;
        let latent = self.model.observe(context)?;
        let rollouts = (self.model).imagine(&latent, actions, self.sampling, &Cancel::new())?;
        plans.distance(&rollouts, self.goal, self.metric)
    }

    /// Distances of the same steps where each begins from what reality shows, not from what was imagined
    /// before it.
    ///
    /// # Errors
    /// [`ModelError`] of the model.
    pub fn corrected(
        &self,
        context: &Context,
        reality: &Reality,
        actions: &Actions,
    ) -> Result<Vec<f32>, ModelError> {
        let skip = self.model.shape().frameskip.max(1);
        let (mut context, mut reality) = (context.clone(), reality.fork());
        let mut distances = Vec::with_capacity(actions.steps / skip);
        for start in (0..actions.steps).step_by(skip) {
            let step: Vec<Vec<f32>> = (start..(start + skip).min(actions.steps))
                .map(|t| actions.at(0, t).to_vec())
                .collect();
            distances.extend(self.imagined(&context, &Actions::one(&step, actions.dim))?);
            for action in step {
                reality.act(&action);
                reality.step();
                context.actions.push(action);
                context.frames.push(self.frame(&reality));
                context.keep(SIGHT_FRAMES);
            }
        }
        Ok(distances)
    }

    /// The distance that it measures where nobody acts for one imagined step.
    ///
    /// # Errors
    /// [`ModelError`] of the model.
    pub fn at_rest(&self, context: &Context, dim: usize) -> Result<Option<f32>, ModelError> {
        let still = vec![vec![0.0; dim]; self.model.shape().frameskip.max(1)];
        let distances = self.imagined(context, &Actions::one(&still, dim))?;
        Ok(distances.first().copied())
    }

    /// What its camera shows.
    pub fn frame(&self, reality: &Reality) -> Frame {
        Frame::new(self.eye.size(), self.eye.look(reality).rgb)
    }
}
