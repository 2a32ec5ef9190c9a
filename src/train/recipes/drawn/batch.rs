//! Examples: what LeWM imagines of an episode, and the frames that really followed.

use candle_core::{Device, Tensor};
use half::f16;

use super::recipe::DrawnRecipe;
use crate::episode::Dataset;
use crate::model::ModelError;
use crate::model::generative::{Denoiser, Patches};
use crate::model::hybrid::{Painter, conditions};
use crate::model::jepa::Lewm;
use crate::model::nn::Rng;
use crate::train::data::rolled::Moments;
use crate::train::data::stored::Stored;
use crate::train::data::targets::moving_ids;

/// One optimisation step's examples: B futures, M = frames drawn of all of them together, S = folded side, C
/// = folded channels.
pub struct Batch {
    /// `[B, H·D]`: latents of the last observations, oldest first.
    pub start: Tensor,
    /// `[B, T, A]`: the actions that followed.
    pub actions: Tensor,
    /// `[M]`: which of the `B·T` imagined latents are drawn.
    pub picks: Tensor,
    /// `[M, S, S, C]`: the last observation of each.
    pub last: Tensor,
    /// `[M, S, S, C]`: the noisy frame times c_in.
    pub noisy: Tensor,
    /// `[M]`: c_noise.
    pub noise: Tensor,
    /// `[M, S, S, C]`: what the network should say, (y − c_skip x) / c_out.
    pub target: Tensor,
    /// `[M, S, S, C]`: weight of each value.
    pub weight: Tensor,
}

/// Draws batches from the training episodes of a dataset.
pub struct Futures<'a> {
    data: &'a Dataset,
    latents: &'a Stored<f16>,
    recipe: &'a DrawnRecipe,
    /// Latents that LeWM looks back on.
    history: usize,
    seed: u64,
    patches: Patches,
    moments: Moments<'a>,
    /// For each scene, which ids are moving bodies.
    moving: Vec<[bool; 256]>,
    device: Device,
}

impl<'a> Futures<'a> {
    /// Examples from `episodes` (indices into the dataset's), whose latents are stored.
    ///
    /// # Errors
    /// [`ModelError::Input`] if there is nothing to predict.
    pub fn new(
        data: &'a Dataset,
        (episodes, latents): (&[usize], &'a Stored<f16>),
        recipe: &'a DrawnRecipe,
        lewm: &Lewm,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        Ok(Self {
            data,
            latents,
            recipe,
            history: lewm.config().history,
            seed,
            patches: Patches::new(&recipe.denoiser),
            moments: Moments::new(data, episodes, "drawn_lewm")?,
            moving: moving_ids(data),
            device: device.clone(),
        })
    }

    /// The examples of a step: the same number draws the same.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if the tensor library fails.
    pub fn draw(&self, step: u64) -> Result<Batch, ModelError> {
        let mut rng = Rng::stream(self.seed, step);
        let (t, config) = (&self.recipe.training, &self.recipe.denoiser);
        let sequences = (t.pace.batch / t.frames).max(1);
        // The first frame to predict is the one after the last observation.
        let firsts = self.moments.draw(sequences, 1, &mut rng);
        let later = |&(e, first): &(usize, usize)| self.data.episodes[e].len - first;
        let most = firsts.iter().map(later).max().unwrap_or(1).min(t.steps);
        let dim = self.data.action_dim;
        let (mut start, mut actions, mut picks) = (Vec::new(), Vec::new(), Vec::new());
        let (mut last, mut noisy, mut target) = (Vec::new(), Vec::new(), Vec::new());
        let (mut weight, mut noise) = (Vec::new(), Vec::new());
        for (b, moment) in firsts.iter().enumerate() {
            let (e, first) = *moment;
            let own = self.data.episodes[e].start;
            for back in (1..=self.history).rev() {
                self.latents
                    .read(own + first.saturating_sub(back), &mut start);
            }
            let known = later(moment).min(most);
            for k in 0..most {
                match k < known {
                    true => actions.extend_from_slice(self.data.action(own + first - 1 + k)),
                    false => actions.resize(actions.len() + dim, 0.0),
                }
            }
            for _ in 0..t.frames {
                let k = rng.below(known);
                picks.push((b * most + k) as u32);
                self.patches
                    .fold(self.data.frame(own + first - 1), &mut last);
                let mut clean = Vec::with_capacity(config.frame_len());
                self.patches
                    .fold(self.data.frame(own + first + k), &mut clean);
                noise.push(self.spoil(&clean, &mut rng, &mut noisy, &mut target));
                self.weights(e, (first - 1, first + k), &mut weight);
            }
        }
        let (m, side, channels) = (picks.len(), config.side(), config.channels());
        let maps =
            |values: Vec<f32>| Tensor::from_vec(values, (m, side, side, channels), &self.device);
        let width = self.history * self.latents.dim();
        Ok(Batch {
            start: Tensor::from_vec(start, (sequences, width), &self.device)?,
            actions: Tensor::from_vec(actions, (sequences, most, dim), &self.device)?,
            picks: Tensor::from_vec(picks, m, &self.device)?,
            last: maps(last)?,
            noisy: maps(noisy)?,
            noise: Tensor::from_vec(noise, m, &self.device)?,
            target: maps(target)?,
            weight: maps(weight)?,
        })
    }

    /// Appends a noisy frame and what the network should make of it; c_noise.
    fn spoil(
        &self,
        clean: &[f32],
        rng: &mut Rng,
        noisy: &mut Vec<f32>,
        target: &mut Vec<f32>,
    ) -> f32 {
        let (t, config) = (&self.recipe.training, &self.recipe.denoiser);
        let unit = Denoiser::unit(config);
        let ln_sigma = t.ln_sigma_mean + t.ln_sigma_std * rng.normal_f32();
        let sigma = ln_sigma.exp().clamp(t.sigma_range.0, t.sigma_range.1);
        let c = Denoiser::preconditioning(config, sigma);
        let offset = [0; 3].map(|_| config.offset_noise * rng.normal_f32());
        for (i, (y, z)) in clean.iter().zip(rng.normal_vec(clean.len())).enumerate() {
            let x = y + (sigma * z + offset[i % 3]) / unit;
            noisy.push(c.input * x);
            target.push((y - c.skip * x) / c.out);
        }
        c.noise
    }

    /// Moving bodies weigh more, where they are and where they were in the last observation.
    fn weights(&self, episode: usize, (last, now): (usize, usize), out: &mut Vec<f32>) {
        let span = &self.data.episodes[episode];
        let moving = &self.moving[span.scene];
        let (now, last) = (
            self.data.frame_ids(span.start + now),
            self.data.frame_ids(span.start + last),
        );
        let heavy = self.recipe.training.foreground_weight;
        let weight = |p: usize| match moving[now[p] as usize] || moving[last[p] as usize] {
            true => heavy,
            false => 1.0,
        };
        self.patches.fold_weights(weight, out);
    }
}

/// Weighted mean squared error of F in EDM's form (weight λ(σ)·c_out² = 1), where `latents: [M, D]` are
/// drawn.
///
/// # Errors
/// Those of the tensor library.
pub fn loss(
    (painter, denoiser): (&Painter, &Denoiser),
    latents: &Tensor,
    batch: &Batch,
) -> candle_core::Result<Tensor> {
    let conditions = conditions(painter, latents, &batch.last)?;
    let said = denoiser.network(&batch.noisy, &batch.noise, &conditions)?;
    ((said - &batch.target)?.sqr()? * &batch.weight)?.mean_all()
}
