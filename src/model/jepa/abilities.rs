//! What a world model around a predictor of latents can do besides imagining: it measures plans, shows its
//! latents and what probes read of them, and is surprised.

use super::HISTORY;
use super::shared::ReadOuts;
use super::world::{JepaWorld, Predictor, step_by_step};
use crate::model::facets::{
    Effort, LatentRows, Latents, Plans, ProbedStates, ReadOuts as Probed, Slope, Surprise,
};
use crate::model::goal::Metric;
use crate::model::{Actions, Cancel, Context, Frame, Goal, Latent, ModelError, Rollouts};
use candle_core::{Tensor, Var};

impl<P: Predictor> Plans for JepaWorld<P> {
    fn distance(
        &self,
        rollouts: &Rollouts,
        goal: &Goal,
        metric: &Metric,
    ) -> Result<Vec<f32>, ModelError> {
        self.check_metric(metric)?;
        let (z, _) = self.imagined(rollouts)?;
        let goal = self.encode_goal(goal)?;
        Ok(self.measured(z, &goal, metric)?.to_vec1()?)
    }

    fn measuring_flops(&self, metric: &Metric) -> f64 {
        self.steps_flops(metric)
    }

    fn effort(&self) -> Effort {
        self.predictor.effort()
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
        if !self.predictor.is_small() {
            return Ok(None);
        }
        self.check_metric(metric)?;
        let start: &Tensor = latent.get(&self.card.name)?;
        let blocks = Var::from_tensor(&self.blocks(actions)?)?;
        let (n, steps, _) = blocks.dims3()?;
        if weights.len() != steps {
            return Err(self.inputs().fault(format!(
                "found {} weights, expected one for each of {steps} imagined steps",
                weights.len()
            )));
        }
        let z = step_by_step(&self.predictor, start, blocks.as_tensor(), cancel)?;
        let goal = self.encode_goal(goal)?;
        let distances = self.measured(&z, &goal, metric)?;
        let weights = Tensor::from_slice(weights, (1, steps), self.predictor.device())?;
        let total = distances
            .reshape((n, steps))?
            .broadcast_mul(&weights)?
            .sum_all()?;
        cancel.check()?;
        let gradients = total.backward()?;
        let by_block = gradients.get(&blocks).ok_or_else(|| {
            self.inputs()
                .fault("its distances do not depend on the actions".into())
        })?;
        let by_action: Vec<f32> = by_block.flatten_all()?.to_vec1()?;
        let padded = self.predictor.sizes().action_dim.max(1);
        let own = |a: &[f32]| a[..actions.dim].to_vec();
        Ok(Some(Slope {
            distances: distances.to_vec1()?,
            by_action: by_action.chunks_exact(padded).flat_map(own).collect(),
        }))
    }
}

impl<P: Predictor> Latents for JepaWorld<P> {
    fn features(&self, context: &Context) -> Result<Vec<f32>, ModelError> {
        let z = self.newest(context)?;
        Ok(self.predictor.summary(&z)?.flatten_all()?.to_vec1()?)
    }

    fn rows(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Option<LatentRows>, ModelError> {
        if !self.predictor.is_small() {
            return Ok(None);
        }
        let (z, _) = self.imagined(rollouts)?;
        let (n, steps, dim) = z.dims3()?;
        Ok(Some(LatentRows {
            n,
            steps,
            dim,
            data: z.flatten_all()?.to_vec1()?,
            goal: self.encode_goal(goal)?.flatten_all()?.to_vec1()?,
        }))
    }
}

impl<P: Predictor> JepaWorld<P> {
    pub(super) fn probes(&self) -> Result<&ReadOuts, ModelError> {
        let probes = self.read_outs.as_ref();
        probes.ok_or_else(|| self.inputs().fault("has no probes".into()))
    }
}

impl<P: Predictor> Probed for JepaWorld<P> {
    fn states(&self, rollouts: &Rollouts) -> Result<ProbedStates, ModelError> {
        let (z, rows) = self.imagined(rollouts)?;
        let summary = self.predictor.summary(&rows)?;
        self.probes()?.states(&summary, z.dim(1)?)
    }

    fn now(&self, context: &Context) -> Result<ProbedStates, ModelError> {
        self.inputs().newest(context)?;
        if self.predictor.carries() {
            let (last, d) = (self.carry_through(context)?, self.predictor.sizes().latent);
            let known = HISTORY.min(self.predictor.sizes().history);
            let steps = last.reshape(((), d))?;
            let steps = steps.narrow(0, steps.dim(0)? - known, known)?;
            let oldest = steps.narrow(0, 0, 1)?;
            let mut rows = vec![oldest; HISTORY - known];
            rows.push(steps);
            let read = self.predictor.summary(&Tensor::cat(&rows, 0)?)?;
            return self.probes()?.now_of(&read.flatten_all()?.unsqueeze(0)?);
        }
        self.probes()?
            .now(context, |f| Ok(self.predictor.summary(&self.encode(f)?)?))
    }
}

impl<P: Predictor> Surprise for JepaWorld<P> {
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &Frame,
    ) -> Result<f32, ModelError> {
        let (z, seen) = (self.encode_context(context)?, self.encode(next)?);
        let inputs = self.inputs();
        let block = inputs.only_block(actions, self.predictor.device())?;
        let expected = self.predictor.predict(&z, &block)?;
        let error: Vec<f32> = self.predictor.distance(&expected, &seen)?.to_vec1()?;
        Ok(error.first().copied().unwrap_or(f32::NAN) / self.predictor.unit_of_surprise())
    }
}
