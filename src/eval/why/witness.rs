//! Keeps what a search imagined: every candidate and its distances, in the order of the iterations.

use std::sync::{Arc, Mutex};

use crate::model::facets::{Effort, Facets, Plans, Slope};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Goal, Latent, Metric, ModelError, Rollouts, Sampling,
    Shape, WorldModel,
};
use crate::planner::CostShape;

/// What was imagined in one go.
pub struct Batch {
    /// The candidates.
    pub actions: Actions,
    /// Distance to the goal of every imagined step, `[N, T]`.
    pub distances: Vec<f32>,
}

impl Batch {
    /// The cost of every candidate.
    pub fn costs(&self, shape: CostShape) -> Vec<f32> {
        weighted(&self.distances, self.actions.n, shape)
    }
}

/// Costs of `n` candidates from the distances of their steps, `[N, T]`.
pub fn weighted(distances: &[f32], n: usize, shape: CostShape) -> Vec<f32> {
    let steps = distances.len() / n.max(1);
    let weights = shape.weights(steps);
    let cost = |d: &[f32]| d.iter().zip(&weights).map(|(d, w)| d * w).sum();
    distances.chunks_exact(steps.max(1)).map(cost).collect()
}

/// A model that imagines as the one it stands for, and remembers what it was asked.
pub struct Witness {
    model: Arc<dyn WorldModel>,
    asked: Mutex<Actions>,
    seen: Mutex<Vec<Batch>>,
}

impl Witness {
    /// Stands for `model`.
    pub fn of(model: Arc<dyn WorldModel>) -> Self {
        Self {
            model,
            asked: Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// What was imagined since the last time, which is then forgotten.
    pub fn take(&self) -> Vec<Batch> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(|p| p.into_inner()))
    }

    /// It shows itself as a planner only where its model is one.
    fn plans(&self) -> Result<&dyn Plans, ModelError> {
        let plans = self.model.facets().plans;
        crate::model::require(self.model.as_ref(), plans, "measures no distance to a goal")
    }

    fn note(&self, actions: Actions, distances: &[f32]) {
        let mut seen = self.seen.lock().unwrap_or_else(|p| p.into_inner());
        seen.push(Batch {
            actions,
            distances: distances.to_vec(),
        });
    }
}

impl WorldModel for Witness {
    fn card(&self) -> &Card {
        self.model.card()
    }

    fn shape(&self) -> Shape {
        self.model.shape()
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        self.model.observe(context)
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        *self.asked.lock().unwrap_or_else(|p| p.into_inner()) = actions.clone();
        self.model.imagine(latent, actions, sampling, cancel)
    }

    fn cost(&self, sampling: Sampling) -> Cost {
        self.model.cost(sampling)
    }

    fn nfe(&self, sampling: Sampling) -> Option<usize> {
        self.model.nfe(sampling)
    }

    fn facets(&self) -> Facets<'_> {
        let can = self.model.facets();
        Facets {
            plans: can.plans.is_some().then_some(self),
            ..can
        }
    }
}

impl Plans for Witness {
    fn distance(
        &self,
        rollouts: &Rollouts,
        goal: &Goal,
        metric: &Metric,
    ) -> Result<Vec<f32>, ModelError> {
        let distances = self.plans()?.distance(rollouts, goal, metric)?;
        let asked = std::mem::take(&mut *self.asked.lock().unwrap_or_else(|p| p.into_inner()));
        self.note(asked, &distances);
        Ok(distances)
    }

    fn effort(&self) -> Effort {
        let plans = self.model.facets().plans;
        plans.map_or(Effort::CHEAP, Plans::effort)
    }

    fn gradient(
        &self,
        latent: &Latent,
        actions: &Actions,
        goal: &Goal,
        metric: &Metric,
        weights: &[f32],
        cancel: &Cancel,
    ) -> Result<Option<Slope>, ModelError> {
        let plans = self.plans()?;
        let slope = plans.gradient(latent, actions, goal, metric, weights, cancel)?;
        if let Some(slope) = &slope {
            self.note(actions.clone(), &slope.distances);
        }
        Ok(slope)
    }
}
