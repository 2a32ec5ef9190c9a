//! Diffusion in latents: autoencoder and transformer as a sampler of a world model.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{Autoencoder, Dit, Imagination, LatentDiffusionConfig};
use crate::model::generative::world::{GenerativeWorld, History, Layout, Moment, Sampler, Work};
use crate::model::nn::{Params, Rng};
use crate::model::{Cancel, Frame, ModelError};

/// Action-conditioned diffusion in the latents of a frozen autoencoder (GAIA-2 in kind, arXiv 2503.20523).
pub type LatentDiffusion = GenerativeWorld<LatentSampler>;

/// Draws the next frame's standardised latent.
pub struct LatentSampler {
    autoencoder: Autoencoder,
    imagination: Imagination,
    device: Device,
}

impl Sampler for LatentSampler {
    type Config = LatentDiffusionConfig;

    fn check(config: &LatentDiffusionConfig) -> Result<(), (&'static str, String)> {
        config.check()
    }

    fn new(config: &LatentDiffusionConfig, params: &Params) -> candle_core::Result<Self> {
        Ok(Self {
            autoencoder: Autoencoder::new(config, params.pp("autoencoder"))?,
            imagination: Imagination::new(config, params.pp("dynamics"))?,
            device: params.device().clone(),
        })
    }

    fn config(&self) -> &LatentDiffusionConfig {
        self.imagination.config()
    }

    fn layout(&self) -> Layout {
        let config = self.config();
        Layout {
            size: config.size,
            side: config.side(),
            channels: config.channels(),
            context: config.context,
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
        let latents = self.autoencoder.encode(&bytes)?;
        let each = latents.chunks_exact(self.config().latent_len());
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
            nfe,
        } = moment;
        let window = self
            .imagination
            .window(context, missing, actions, true, rng)?;
        self.imagination.sample(&start, &window, nfe, cancel)
    }

    fn draw(&self, imagined: &[f32]) -> Result<Vec<u8>, ModelError> {
        Ok(self.autoencoder.decode(imagined)?)
    }

    /// Of standardised latents, number by number.
    fn errors(&self, imagined: &[f32], real: &Frame) -> Result<Vec<f32>, ModelError> {
        let real = self.autoencoder.encode(&real.data)?;
        let error = |z: &[f32]| {
            let total: f32 = z.iter().zip(&real).map(|(a, b)| (a - b) * (a - b)).sum();
            total / z.len().max(1) as f32
        };
        let each = imagined.par_chunks(self.config().latent_len());
        Ok(each.map(error).collect())
    }

    /// The standardised latent of the last frame.
    fn features(
        &self,
        last: &Frame,
        _history: &dyn Fn() -> Result<History, ModelError>,
    ) -> Result<Vec<f32>, ModelError> {
        Ok(self.autoencoder.encode(&last.data)?)
    }

    fn has_own_latents(&self) -> bool {
        true
    }

    /// Encoding is the encoder's, dynamics the transformer's, rendering the decoder's.
    fn work(&self) -> Work {
        let (encoder, decoder) = Autoencoder::multiply_adds(self.config());
        Work {
            encode: encoder,
            dynamics: Dit::multiply_adds(self.config()),
            dynamics_of_picture: 0.0,
            picture: decoder,
        }
    }
}
