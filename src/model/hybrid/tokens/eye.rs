//! The JEPA's encoder and the decoder that draws what it saw.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::{Projection, TokenDiffusionConfig};
use crate::model::generative::{Eye, LatentDecoder, LatentDiffusionConfig};
use crate::model::jepa::vjepa::FrameMaps;
use crate::model::nn::Params;

/// Frames that are encoded together.
const CHUNK: usize = 16;

/// Sees as a finished V-JEPA does, and draws with a decoder that was trained on its tokens.
pub struct TokenEye {
    config: TokenDiffusionConfig,
    maps: FrameMaps,
    projection: Projection,
    decoder: LatentDecoder,
    device: Device,
}

impl TokenEye {
    /// The projection of its tokens.
    pub fn projection(&self) -> &Projection {
        &self.projection
    }

    /// The JEPA's tokens `[N, cells, width]` of frames `[N, H, W, 3]`, layer-normalised, row by row.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn tokens(&self, frames: &[u8]) -> Result<Tensor> {
        let jepa = &self.config.jepa;
        let maps = self.maps.encode_frames(frames)?;
        maps.reshape((maps.dim(0)?, jepa.cells(), jepa.width))
    }
}

impl Eye for TokenEye {
    type Config = TokenDiffusionConfig;

    const PART: &'static str = "tokens";
    const PLANS_IN_LATENTS: bool = true;

    fn check(config: &TokenDiffusionConfig) -> std::result::Result<(), (&'static str, String)> {
        config.check()
    }

    fn latents(config: &TokenDiffusionConfig) -> &LatentDiffusionConfig {
        &config.diffusion
    }

    /// The JEPA's encoder lies under `target`, as in its own folder.
    fn of(config: &TokenDiffusionConfig, params: &Params) -> Result<Self> {
        let own = params.pp(Self::PART);
        Ok(Self {
            maps: FrameMaps::new(&config.jepa, 1, params)?,
            projection: Projection::new(config, &own)?,
            decoder: LatentDecoder::new(&config.diffusion, own.pp("decoder"))?,
            device: params.device().clone(),
            config: config.clone(),
        })
    }

    fn decoder(&self) -> &LatentDecoder {
        &self.decoder
    }

    fn encode(&self, frames: &[u8]) -> Result<Vec<f32>> {
        let chunk = CHUNK * self.config.diffusion.frame_len();
        let parts: Result<Vec<Vec<f32>>> = frames
            .par_chunks(chunk)
            .map(|some| {
                let said = self.projection.project(&self.tokens(some)?)?;
                said.flatten_all()?.to_vec1()
            })
            .collect();
        Ok(parts?.concat())
    }

    fn decode(&self, latents: &[f32]) -> Result<Vec<u8>> {
        self.decoder.draw(latents, Ok)
    }

    /// The latents: nothing of seeing learns.
    fn look(&self, frames: &[u8]) -> Result<Tensor> {
        let d = &self.config.diffusion;
        let latents = self.encode(frames)?;
        let shape = (
            latents.len() / d.latent_len(),
            d.side(),
            d.side(),
            d.channels(),
        );
        Tensor::from_vec(latents, shape, &self.device)
    }

    fn redraw(&self, seen: &Tensor, noise: &Tensor) -> Result<Tensor> {
        self.decoder.expand(&(seen + noise)?)
    }

    fn multiply_adds(config: &TokenDiffusionConfig) -> (f64, f64) {
        let (jepa, d) = (&config.jepa, &config.diffusion);
        let projected = (jepa.cells() * jepa.width * d.channels()) as f64;
        let seeing = FrameMaps::flops(jepa) / 2.0 + projected;
        (seeing, LatentDecoder::multiply_adds(d))
    }
}
