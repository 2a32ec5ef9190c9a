//! By which distance a planner measures how far latents are from a goal.

use super::world::{JepaWorld, Predictor};
use crate::model::ModelError;
use crate::model::goal::Metric;
use candle_core::Tensor;

impl<P: Predictor> JepaWorld<P> {
    /// That a metric is one of the model's own: it has no pictures to measure, and not every model has learned
    /// a distance in steps.
    ///
    /// # Errors
    /// [`ModelError::Input`] says which it has.
    pub(super) fn check_metric(&self, metric: &Metric) -> Result<(), ModelError> {
        match metric {
            Metric::Own | Metric::Latents => Ok(()),
            Metric::Temporal if self.predictor.temporal().is_some() => Ok(()),
            Metric::Temporal => Err(self.inputs().fault(
                "learned no distance in steps, so it cannot plan with the distance `temporal`; expected \
                 `latents`"
                    .into(),
            )),
            other => Err(self.inputs().fault(format!(
                "imagines no pixels, so it cannot plan with the distance `{}`; expected `latents`",
                other.id()
            ))),
        }
    }

    /// Floating-point operations of measuring one latent beyond a difference.
    pub(super) fn steps_flops(&self, metric: &Metric) -> f64 {
        match (metric, self.predictor.temporal()) {
            (Metric::Temporal, Some(temporal)) => temporal.flops(),
            _ => 0.0,
        }
    }

    /// Distance of latents `[.., D]` to `goal: [1, D]` by a metric that was
    /// [checked](Self::check_metric), `[..]` flattened.
    pub(super) fn measured(
        &self,
        z: &Tensor,
        goal: &Tensor,
        metric: &Metric,
    ) -> candle_core::Result<Tensor> {
        let rows = z.reshape(((), self.predictor.sizes().latent))?;
        match (metric, self.predictor.temporal()) {
            (Metric::Temporal, Some(temporal)) => {
                let steps = temporal.distance(&rows, goal)?;
                match temporal.own() {
                    0.0 => Ok(steps),
                    own => steps + (self.predictor.distance(&rows, goal)? * own)?,
                }
            }
            _ => self.predictor.distance(&rows, goal),
        }
    }
}
