//! How fast the first phase runs, on random frames.

use super::LewmRecipe;
use crate::model::jepa::{Lewm, joint_loss};
use crate::model::nn::{AdamW, Params, Rng};
use crate::train::error::TrainError;
use candle_core::{Device, Tensor};
use std::time::Instant;

/// Frames per second of `steps` steps of the joint phase of `recipe` on random frames, after three to warm up;
/// `benches/train_vs_torch.py` measures the same model in PyTorch.
///
/// # Errors
/// [`TrainError::Tensor`].
pub fn bench_lewm_step(
    recipe: &LewmRecipe,
    steps: usize,
    device: &Device,
) -> Result<f64, TrainError> {
    let params = Params::fresh(0, device);
    let model = Lewm::new(&recipe.model, &params)?;
    let phase = &recipe.joint;
    let mut optimiser = AdamW::new(params.vars(), phase.optimiser)?;
    let mut rng = Rng::seed(1);
    let size = recipe.model.image_size;
    let frames: Vec<u8> = (0..phase.batch * phase.tokens * size * size * 3)
        .map(|_| rng.below(256) as u8)
        .collect();
    let shape = (
        phase.batch,
        phase.tokens - 1,
        recipe.model.frameskip * recipe.model.action_dim,
    );
    let actions: Tensor = rng.uniform(-1., 1., shape, device)?;
    let mut started = Instant::now();
    for step in 0..steps + 3 {
        if step == 3 {
            started = Instant::now();
        }
        let pixels = model.pixels(&frames)?;
        let loss = joint_loss(&model, &pixels, &actions, &phase.weights, &mut rng)?;
        optimiser.step(
            &loss.total.backward()?,
            phase.optimiser.lr,
            Some(phase.clip),
        )?;
    }
    Ok((steps * phase.batch * phase.tokens) as f64 / started.elapsed().as_secs_f64())
}
