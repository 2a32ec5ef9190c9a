//! How fast the first phase runs, on random frames.

use super::lewm::LewmRecipe;
use crate::model::jepa::{Lewm, joint_loss};
use crate::model::nn::{Params, Rng};
use crate::system::Stop;
use crate::train::clock::Clock;
use crate::train::error::TrainError;
use crate::train::phase::{At, Loss, Phase, Plan};
use crate::train::run::fit;
use candle_core::{Device, Tensor, Var};
use std::time::Instant;

/// The joint phase on one batch.
struct Bench<'a> {
    recipe: &'a LewmRecipe,
    model: Lewm,
    params: Params,
    frames: Vec<u8>,
    actions: Tensor,
    steps: usize,
}

impl Phase for Bench<'_> {
    type Batch = ();

    fn plan(&self) -> Plan {
        Plan {
            optimiser: self.recipe.joint.optimiser,
            clip: self.recipe.joint.clip,
            ..Plan::fit("bench", self.steps, 0, 0.)
        }
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, _: At) -> Result<(), TrainError> {
        Ok(())
    }

    fn loss(&self, (): (), at: At) -> Result<Loss, TrainError> {
        let pixels = self.model.pixels(&self.frames)?;
        let (weights, mut rng) = (&self.recipe.joint.weights, Rng::stream(1, at.step as u64));
        let loss = joint_loss(&self.model, &pixels, &self.actions, weights, &mut rng)?;
        Ok(Loss::new(loss.total, 1))
    }
}

/// Frames per second of `steps` steps of the joint phase of `recipe` on random frames, after three to warm
/// up; `benches/train_vs_torch.py` measures the same model in PyTorch.
///
/// # Errors
/// [`TrainError::Tensor`].
pub fn bench_lewm_step(
    recipe: &LewmRecipe,
    steps: usize,
    device: &Device,
) -> Result<f64, TrainError> {
    let params = Params::fresh(0, device);
    let (model, phase) = (Lewm::new(&recipe.model, &params)?, &recipe.joint);
    let (mut rng, size) = (Rng::seed(1), recipe.model.image_size);
    let frames = phase.batch * phase.tokens;
    let width = recipe.model.frameskip * recipe.model.action_dim;
    let shape = (phase.batch, phase.tokens - 1, width);
    let mut bench = Bench {
        recipe,
        model,
        params,
        frames: (0..frames * size * size * 3)
            .map(|_| rng.below(256) as u8)
            .collect(),
        actions: rng.uniform(-1., 1., shape, device)?,
        steps: 3,
    };
    let clock = Clock::start(None, &Stop::new());
    fit(&bench, &clock, device)?;
    bench.steps = steps;
    let started = Instant::now();
    fit(&bench, &clock, device)?;
    Ok((steps * frames) as f64 / started.elapsed().as_secs_f64())
}
