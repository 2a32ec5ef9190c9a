//! Diffusion in latents: eye and transformer as a sampler of a world model.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{Autoencoder, Dit, Eye, Imagination, Memory};
use crate::model::generative::sampler::{History, Layout, Moment, Sampler, Work};
use crate::model::generative::world::GenerativeWorld;
use crate::model::nn::{Params, Rng};
use crate::model::{Cancel, Frame, ModelError};

/// Action-conditioned diffusion in the latents of a frozen autoencoder (GAIA-2 in kind, arXiv 2503.20523).
pub type LatentDiffusion = GenerativeWorld<LatentSampler<Autoencoder>>;

/// Draws the next frame's standardised latent, as an eye sees frames.
pub struct LatentSampler<E: Eye> {
    config: E::Config,
    eye: E,
    imagination: Imagination,
    memory: Option<Memory>,
    device: Device,
}

impl<E: Eye> Sampler for LatentSampler<E> {
    type Config = E::Config;

    fn check(config: &E::Config) -> Result<(), (&'static str, String)> {
        E::check(config)
    }

    fn new(config: &E::Config, params: &Params) -> candle_core::Result<Self> {
        Ok(Self {
            eye: E::of(config, params)?,
            imagination: Imagination::new(E::latents(config), params.pp("dynamics"))?,
            memory: Memory::new(E::latents(config), &params.pp("belief"))?,
            device: params.device().clone(),
            config: config.clone(),
        })
    }

    fn config(&self) -> &E::Config {
        &self.config
    }

    fn layout(&self) -> Layout {
        let config = self.imagination.config();
        Layout {
            size: config.size,
            side: config.side(),
            channels: config.channels(),
            context: config.context,
            watched: config
                .belief
                .map_or(config.context, |b| b.context.max(config.context)),
            actions: config.actions,
            action_dim: config.action_dim,
            nfe: config.nfe,
            objective: config.objective,
            hue_motion: config.hue_motion,
            chunk: 16,
        }
    }

    fn encode(&self, frames: &[Frame]) -> Result<Vec<Vec<f32>>, ModelError> {
        let bytes: Vec<u8> = frames.iter().flat_map(|f| f.data.iter().copied()).collect();
        let latents = self.eye.encode(&bytes)?;
        let each = latents.chunks_exact(self.imagination.config().latent_len());
        Ok(each.map(<[f32]>::to_vec).collect())
    }

    /// Nothing: the network is told that these frames are missing.
    fn before(&self, oldest: &[f32]) -> Vec<f32> {
        vec![0.0; oldest.len()]
    }

    fn next(&self, moment: Moment, rng: &mut Rng, cancel: &Cancel) -> Result<Tensor, ModelError> {
        let n = moment.context.dim(0)?;
        let start = self.imagination.start(n, true, rng, &self.device)?;
        let Moment {
            context,
            missing,
            actions,
            belief,
            nfe,
        } = moment;
        let mut window = self
            .imagination
            .window(context, missing, actions, true, rng)?;
        window.belief = belief;
        self.imagination.sample(&start, &window, nfe, cancel)
    }

    fn carry(
        &self,
        before: Option<&Tensor>,
        frames: &Tensor,
        actions: &Tensor,
    ) -> Result<Option<Tensor>, ModelError> {
        match &self.memory {
            Some(memory) => Ok(Some(memory.carry(before, frames, actions)?)),
            None => Ok(None),
        }
    }

    fn draw(&self, imagined: &[f32]) -> Result<Vec<u8>, ModelError> {
        Ok(self.eye.decode(imagined)?)
    }

    /// Of standardised latents, number by number.
    fn errors(&self, imagined: &[f32], real: &Frame) -> Result<Vec<f32>, ModelError> {
        let real = self.eye.encode(&real.data)?;
        let error = |z: &[f32]| {
            let total: f32 = z.iter().zip(&real).map(|(a, b)| (a - b) * (a - b)).sum();
            total / z.len().max(1) as f32
        };
        let each = imagined.par_chunks(self.imagination.config().latent_len());
        Ok(each.map(error).collect())
    }

    /// The standardised latent of the last frame.
    fn features(
        &self,
        last: &Frame,
        _history: &dyn Fn() -> Result<History, ModelError>,
    ) -> Result<Vec<f32>, ModelError> {
        Ok(self.eye.encode(&last.data)?)
    }

    fn has_own_latents(&self) -> bool {
        true
    }

    fn plans_in_latents(&self) -> bool {
        E::PLANS_IN_LATENTS
    }

    /// Encoding is the encoder's, dynamics the transformer's, rendering the decoder's.
    fn work(&self) -> Work {
        let (encoder, decoder) = E::multiply_adds(&self.config);
        Work {
            encode: encoder + Memory::multiply_adds(self.imagination.config()),
            dynamics: Dit::multiply_adds(self.imagination.config()),
            carry: Memory::multiply_adds(self.imagination.config()),
            dynamics_of_picture: 0.0,
            picture: decoder,
        }
    }
}
