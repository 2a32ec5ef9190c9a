//! The second phase's examples: a window of latents and the next, each frame at a noise level of its own.

use candle_core::{Device, Tensor};

use super::encoded::Encoded;
use super::recipe::DynamicsPhase;
use crate::episode::Dataset;
use crate::model::ModelError;
use crate::model::generative::{Imagination, LatentDiffusionConfig, Objective, Window, interleave};
use crate::model::nn::Rng;
use crate::train::data::rolled::{Moments, rolled_loss};

/// Prediction r of a sequence; B sequences, S = side of the latent map, C = its channels.
pub struct Step {
    /// `[B, S, S, C]`: the next latent, clean.
    pub target: Tensor,
    /// `[B, S, S, C]`: the same with its noise.
    pub noisy: Tensor,
    /// `[B]`: its noise level.
    pub level: Tensor,
    /// `[B, K]`: noise levels of the context.
    pub context_levels: Tensor,
    /// `[B, 1, 1, K·C]`: what of the context remains, 1 − level.
    pub context_keep: Tensor,
    /// `[B, S, S, K·C]`: noise to add to what remains, times the level.
    pub context_noise: Tensor,
    /// `[B, A·dim]`: latest actions.
    pub actions: Tensor,
    /// `[B, S, S, 1]`: weight of each cell.
    pub weight: Tensor,
}

impl Step {
    /// The window that this prediction is made from: `context: [B, S, S, K·C]` with its noise, levels and
    /// actions.
    ///
    /// # Errors
    /// [`ModelError::Tensor`].
    pub fn window(&self, context: &Tensor) -> Result<Window, ModelError> {
        Ok(Window {
            context: (context.broadcast_mul(&self.context_keep)? + &self.context_noise)?,
            context_levels: self.context_levels.clone(),
            actions: self.actions.clone(),
            belief: None,
        })
    }
}

/// One optimisation step's examples.
pub struct Examples {
    /// `[B, S, S, K·C]`: latents before the first prediction, clean; zeros before an episode's start.
    pub context: Tensor,
    /// Predictions in a row: after the first the context holds the model's own latents.
    pub steps: Vec<Step>,
}

/// Draws examples from the training episodes.
pub struct Windows<'a> {
    data: &'a Dataset,
    encoded: &'a Encoded,
    config: LatentDiffusionConfig,
    phase: DynamicsPhase,
    seed: u64,
    moments: Moments<'a>,
    device: Device,
}

impl<'a> Windows<'a> {
    /// Examples from `episodes` (indices into the dataset's).
    ///
    /// # Errors
    /// [`ModelError::Input`] if there is nothing to predict.
    pub fn new(
        data: &'a Dataset,
        encoded: &'a Encoded,
        episodes: &[usize],
        config: &LatentDiffusionConfig,
        phase: &DynamicsPhase,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            data,
            encoded,
            config: config.clone(),
            phase: phase.clone(),
            seed,
            moments: Moments::new(data, episodes, "latent_diffusion")?,
            device: device.clone(),
        })
    }

    /// The examples of a step: the same number draws the same.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if the tensor library fails.
    pub fn draw(&self, step: u64, sequences: usize, rolls: usize) -> Result<Examples, ModelError> {
        let mut rng = Rng::stream(self.seed, step);
        let (b, rolls, k) = (sequences.max(1), rolls.max(1), self.config.context);
        let firsts = self.moments.draw(b, rolls, &mut rng);
        let mut context = Vec::with_capacity(b * k * self.config.latent_len());
        for &(e, t) in &firsts {
            let start = self.data.episodes[e].start;
            let frames: Vec<Vec<f32>> = (0..k)
                .map(|i| {
                    let mut latent = Vec::with_capacity(self.config.latent_len());
                    match (t + i).checked_sub(k) {
                        Some(t) => self.encoded.latent(start + t, &mut latent),
                        None => latent.resize(self.config.latent_len(), 0.0),
                    }
                    latent
                })
                .collect();
            interleave(&frames, self.config.channels(), &mut context);
        }
        let steps: Result<Vec<Step>, ModelError> = (0..rolls)
            .map(|r| self.step(&firsts, r, &mut rng))
            .collect();
        Ok(Examples {
            context: self.cells(context, b, k * self.config.channels())?,
            steps: steps?,
        })
    }

    fn step(
        &self,
        firsts: &[(usize, usize)],
        roll: usize,
        rng: &mut Rng,
    ) -> Result<Step, ModelError> {
        let (config, phase) = (&self.config, &self.phase);
        let (b, n, k, c) = (
            firsts.len(),
            config.latent_len(),
            config.context,
            config.channels(),
        );
        let (mut target, mut noisy) = (Vec::with_capacity(b * n), Vec::with_capacity(b * n));
        let (mut levels, mut context_levels) = (Vec::with_capacity(b), Vec::with_capacity(b * k));
        let (mut keep, mut context_noise) = (Vec::new(), Vec::with_capacity(b * n * k));
        let (mut actions, mut weight) = (Vec::new(), Vec::new());
        for &(e, first) in firsts {
            let span = &self.data.episodes[e];
            let t = (first + roll).min(span.len - 1);
            let from = target.len();
            self.encoded.latent(span.start + t, &mut target);
            match config.objective {
                Objective::Denoise => {
                    let level = self.level(rng);
                    let clean = &target[from..];
                    let noise = rng.normal_vec(n);
                    let mixed = clean.iter().zip(noise);
                    noisy.extend(mixed.map(|(z, e)| (1.0 - level) * z + level * e));
                    levels.push(level);
                }
                Objective::Regression => {
                    noisy.resize(noisy.len() + n, 0.0);
                    levels.push(1.0);
                }
            }
            let is_sampled = config.objective == Objective::Denoise;
            let own: Vec<f32> = (0..k)
                .map(|i| {
                    let u = rng.f32();
                    // Only the frames before an episode's start are unknown; later in a run fewer are.
                    match (i + roll < k.saturating_sub(first), is_sampled) {
                        (true, _) => 1.0,
                        (false, true) => phase.context_level_max * u * u,
                        (false, false) => 0.0,
                    }
                })
                .collect();
            let by_channel: Vec<f32> = own
                .iter()
                .flat_map(|&l| std::iter::repeat_n(l, c))
                .collect();
            if is_sampled {
                let noise = rng.normal_vec(n * k);
                let by_place = by_channel.iter().cycle();
                context_noise.extend(noise.iter().zip(by_place).map(|(e, l)| e * l));
            } else {
                context_noise.resize(context_noise.len() + n * k, 0.0);
            }
            keep.extend(by_channel.iter().map(|l| 1.0 - l));
            context_levels.extend(own);
            self.weights(span.start + t, &mut weight);
            let shape = (config.actions, config.action_dim);
            self.moments.actions((e, t), shape, &mut actions);
        }
        let device = &self.device;
        Ok(Step {
            target: self.cells(target, b, c)?,
            noisy: self.cells(noisy, b, c)?,
            level: Tensor::from_vec(levels, b, device)?,
            context_levels: Tensor::from_vec(context_levels, (b, k), device)?,
            context_keep: Tensor::from_vec(keep, (b, 1, 1, k * c), device)?,
            context_noise: self.cells(context_noise, b, k * c)?,
            actions: Tensor::from_vec(actions, (b, config.actions * config.action_dim), device)?,
            weight: self.cells(weight, b, 1)?,
        })
    }

    fn level(&self, rng: &mut Rng) -> f32 {
        let (full, drawn) = (rng.f32(), rng.normal_f32());
        if full < self.phase.level_full_share {
            return 1.0;
        }
        let logit = self.phase.level_mean + self.phase.level_std * drawn;
        1.0 / (1.0 + (-logit).exp())
    }

    fn cells(&self, values: Vec<f32>, b: usize, channels: usize) -> Result<Tensor, ModelError> {
        let side = self.config.side();
        Ok(Tensor::from_vec(
            values,
            (b, side, side, channels),
            &self.device,
        )?)
    }

    /// Cells with moving bodies weigh more, now and a frame ago: an object that leaves must go.
    fn weights(&self, frame: usize, out: &mut Vec<f32>) {
        let (now, before) = (self.encoded.moves(frame), self.encoded.moves(frame - 1));
        out.extend(now.iter().zip(before).map(|(a, b)| match *a || *b {
            true => self.phase.foreground_weight,
            false => 1.0,
        }));
    }
}

/// Weighted mean squared error of the estimated clean latents over one batch. Where a sequence has several
/// predictions, `own` samples the latent that becomes context of the next.
///
/// # Errors
/// [`ModelError`] of the tensor library, or of `own`.
pub fn dynamics_loss(
    imagination: &Imagination,
    examples: &Examples,
    own: impl FnMut(&Tensor, &Step) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    let channels = imagination.config().channels();
    rolled_loss(
        &examples.context,
        &examples.steps,
        channels,
        own,
        |context, step| {
            let window = step.window(context)?;
            let network = imagination.network();
            let said = network.forward(&step.noisy, &step.level, &window)?;
            let error = (said - &step.target)?.sqr()?.mean_keepdim(3)?;
            Ok((error * &step.weight)?.mean_all()?)
        },
    )
}
