//! Examples: four frames and the next, noise, targets and weights, drawn from a seed and the step's number.

use candle_core::{Device, Tensor};

use super::recipe::DiffusionRecipe;
use crate::episode::Dataset;
use crate::model::ModelError;
use crate::model::generative::{Conditions, Denoiser, Objective, Patches, interleave};
use crate::model::nn::Rng;
use crate::train::data::rolled::{Moments, rolled_loss};
use crate::train::data::targets::moving_ids;

/// What the loop asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Number of the optimisation step: the same number draws the same batch.
    pub step: u64,
    /// Sequences, B.
    pub sequences: usize,
    /// Predictions in a row, R: after the first the context holds the model's own frames.
    pub rolls: usize,
}

/// Prediction r of a sequence; B sequences, S = folded side, C = folded channels.
pub struct Stage {
    /// `[B, S, S, C]`: the noisy next frame times c_in.
    pub noisy: Tensor,
    /// `[B]`: c_noise.
    pub noise: Tensor,
    /// `[B, S, S, C]`: what the network should say, (y − c_skip x) / c_out.
    pub target: Tensor,
    /// `[B, S, S, C]`: weight of each value.
    pub weight: Tensor,
    /// `[B]`: noise level of the context.
    pub context_level: Tensor,
    /// `[B, S, S, K·C]`: noise to add to the context.
    pub context_noise: Tensor,
    /// `[B, A·dim]`: latest actions.
    pub actions: Tensor,
}

/// One optimisation step's examples.
pub struct Batch {
    /// `[B, S, S, K·C]`: the real frames before the first prediction, clean.
    pub context: Tensor,
    /// R predictions in a row.
    pub stages: Vec<Stage>,
}

/// Draws batches from the training episodes of a dataset.
pub struct Batches<'a> {
    data: &'a Dataset,
    recipe: DiffusionRecipe,
    seed: u64,
    patches: Patches,
    moments: Moments<'a>,
    /// For each scene, which ids are moving bodies.
    moving: Vec<[bool; 256]>,
    device: Device,
}

impl<'a> Batches<'a> {
    /// Examples from `episodes` (indices into the dataset's).
    ///
    /// # Errors
    /// [`ModelError::Input`] if the data do not fit the recipe's frame size or actions, or hold nothing to
    /// predict.
    pub fn new(
        data: &'a Dataset,
        episodes: &[usize],
        recipe: &DiffusionRecipe,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let config = &recipe.model;
        let fault = |message: String| ModelError::Input {
            model: "pixel_diffusion".into(),
            message,
        };
        if data.size != config.size || data.action_dim != config.action_dim {
            return Err(fault(format!(
                "data of {} pixels and {} action components, expected {} and {}",
                data.size, data.action_dim, config.size, config.action_dim
            )));
        }
        Ok(Self {
            data,
            recipe: recipe.clone(),
            seed,
            patches: Patches::new(config),
            moments: Moments::new(data, episodes, "pixel_diffusion")?,
            moving: moving_ids(data),
            device: device.clone(),
        })
    }

    /// The examples of one step.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if the tensor library fails.
    pub fn draw(&self, request: Request) -> Result<Batch, ModelError> {
        let mut rng = Rng::stream(self.seed, request.step);
        let (b, rolls) = (request.sequences.max(1), request.rolls.max(1));
        let firsts = self.moments.draw(b, rolls, &mut rng);
        let config = &self.recipe.model;
        let mut context = Vec::with_capacity(b * config.frame_len() * config.context);
        for &(e, t) in &firsts {
            let frames: Vec<Vec<f32>> = (0..config.context)
                .map(|i| self.folded(e, (t + i).saturating_sub(config.context)))
                .collect();
            interleave(&frames, config.channels(), &mut context);
        }
        let context = self.folded_tensor(context, b, config.context)?;
        let stages: Result<Vec<Stage>, ModelError> = (0..rolls)
            .map(|r| self.stage(&firsts, r, &mut rng))
            .collect();
        Ok(Batch {
            context,
            stages: stages?,
        })
    }

    fn stage(
        &self,
        firsts: &[(usize, usize)],
        roll: usize,
        rng: &mut Rng,
    ) -> Result<Stage, ModelError> {
        let (config, training) = (&self.recipe.model, &self.recipe.training);
        let (b, n) = (firsts.len(), config.frame_len());
        let unit = Denoiser::unit(config);
        let (mut noisy, mut target, mut weight) = (
            Vec::with_capacity(b * n),
            Vec::with_capacity(b * n),
            Vec::with_capacity(b * n),
        );
        let (mut noise, mut levels, mut actions) = (Vec::new(), Vec::new(), Vec::new());
        let mut context_noise = Vec::with_capacity(b * n * config.context);
        for &(e, first) in firsts {
            let t = (first + roll).min(self.data.episodes[e].len - 1);
            let clean = self.folded(e, t);
            let is_sampled = config.objective == Objective::Denoise;
            let ln_sigma = training.ln_sigma_mean + training.ln_sigma_std * rng.normal_f32();
            let sigma = match is_sampled {
                true => ln_sigma
                    .exp()
                    .clamp(training.sigma_range.0, training.sigma_range.1),
                false => config.sigma_max,
            };
            let c = Denoiser::preconditioning(config, sigma);
            let offset = [0; 3].map(|_| config.offset_noise * rng.normal_f32());
            let drawn = rng.normal_vec(n);
            for (i, (y, z)) in clean.iter().zip(&drawn).enumerate() {
                // A regression twin sees nothing where the noisy frame would be.
                let x = match is_sampled {
                    true => y + (sigma * z + offset[i % 3]) / unit,
                    false => 0.0,
                };
                noisy.push(c.input * x);
                target.push((y - c.skip * x) / c.out);
            }
            noise.push(c.noise);
            self.weights(e, t, &mut weight);
            let level = match is_sampled && rng.f32() < training.context_noise_share {
                true => training.context_noise_max * rng.f32(),
                false => 0.0,
            };
            levels.push(level);
            if level > 0.0 {
                context_noise.extend(
                    rng.normal_vec(n * config.context)
                        .iter()
                        .map(|z| z * level / unit),
                );
            } else {
                context_noise.resize(context_noise.len() + n * config.context, 0.0);
            }
            let shape = (config.actions, config.action_dim);
            self.moments.actions((e, t), shape, &mut actions);
        }
        Ok(Stage {
            noisy: self.folded_tensor(noisy, b, 1)?,
            noise: Tensor::from_vec(noise, b, &self.device)?,
            target: self.folded_tensor(target, b, 1)?,
            weight: self.folded_tensor(weight, b, 1)?,
            context_level: Tensor::from_vec(levels, b, &self.device)?,
            context_noise: self.folded_tensor(context_noise, b, config.context)?,
            actions: Tensor::from_vec(
                actions,
                (b, config.actions * config.action_dim),
                &self.device,
            )?,
        })
    }

    fn folded_tensor(
        &self,
        values: Vec<f32>,
        b: usize,
        frames: usize,
    ) -> Result<Tensor, ModelError> {
        let (side, channels) = (self.recipe.model.side(), self.recipe.model.channels());
        Ok(Tensor::from_vec(
            values,
            (b, side, side, frames * channels),
            &self.device,
        )?)
    }

    fn folded(&self, episode: usize, t: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.recipe.model.frame_len());
        self.patches.fold(
            self.data.frame(self.data.episodes[episode].start + t),
            &mut out,
        );
        out
    }

    /// Moving bodies weigh more, where they are and where they were a frame ago: an object that leaves must
    /// go.
    fn weights(&self, episode: usize, t: usize, out: &mut Vec<f32>) {
        let span = &self.data.episodes[episode];
        let moving = &self.moving[span.scene];
        let now = self.data.frame_ids(span.start + t);
        let before = self.data.frame_ids(span.start + t - 1);
        let heavy = self.recipe.training.foreground_weight;
        let weight = |p: usize| {
            if moving[now[p] as usize] || moving[before[p] as usize] {
                heavy
            } else {
                1.0
            }
        };
        self.patches.fold_weights(weight, out);
    }
}

/// Weighted mean squared error of F in EDM's form (weight λ(σ)·c_out² = 1) over one batch. Where a
/// sequence has several predictions, `own` samples the frame that becomes context of the next.
///
/// # Errors
/// [`ModelError`] of the tensor library, or of `own`.
pub fn loss(
    denoiser: &Denoiser,
    batch: &Batch,
    mut own: impl FnMut(&Tensor, &Tensor) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    rolled_loss(
        &batch.context,
        &batch.stages,
        denoiser.config().channels(),
        |context, before| own(context, &before.actions),
        |context, stage| {
            let conditions = Conditions {
                context: (context + &stage.context_noise)?,
                context_level: stage.context_level.clone(),
                actions: stage.actions.clone(),
            };
            let f = denoiser.network(&stage.noisy, &stage.noise, &conditions)?;
            Ok(((f - &stage.target)?.sqr()? * &stage.weight)?.mean_all()?)
        },
    )
}
