//! Between frames and latents: what the diffusion in latents imagines in, trained before it and frozen.
//!
//! 64×64 pixels are folded 4×4 into channels and halved once by a convolution: 8×8 cells of 16 numbers,
//! twelve times fewer than the frame has. The numbers are bounded by tanh; training adds a little noise to
//! them, which does what a small KL term does: neighbouring latents mean similar pictures, and the decoder
//! bears an imagination's small errors. Encoder and decoder differ in size: every frame of experience is
//! encoded, but only frames that somebody looks at are decoded.

use candle_core::{D, Result, Tensor, Var};
use rayon::prelude::*;

use super::decoder::{Block, CHUNK, blocks};
use super::{Eye, LatentDecoder, LatentDiffusionConfig};
use crate::model::nn::{Conv, Init, Linear, Params, ops};

/// Encoder, decoder and the scale of the latents.
#[derive(Clone)]
pub struct Autoencoder {
    config: LatentDiffusionConfig,
    stem: Linear,
    down: Conv,
    inner: Vec<Block>,
    narrow: Linear,
    decoder: LatentDecoder,
    mean: Var,
    deviation: Var,
}

impl Autoencoder {
    /// The networks of the variables in `p`.
    pub fn new(config: &LatentDiffusionConfig, p: Params) -> Result<Self> {
        let a = &config.autoencoder;
        let (folded, e) = (config.folded_channels(), p.pp("encoder"));
        Ok(Self {
            stem: Linear::new(folded, a.width, e.pp("stem"))?,
            down: Conv::new(a.width, a.inner_width, 3, 2, e.pp("down"))?,
            inner: blocks(a.encoder_blocks, a.inner_width, e.pp("inner"))?,
            narrow: Linear::new(a.inner_width, a.channels, e.pp("narrow"))?,
            decoder: LatentDecoder::new(config, p.pp("decoder"))?,
            mean: p.buffer(a.channels, "mean", Init::Zeros)?,
            deviation: p.buffer(a.channels, "deviation", Init::Ones)?,
            config: config.clone(),
        })
    }

    /// Latents `[B, S, S, C]` in (-1, 1) of folded frames `[B, 2S, 2S, 3p²]` in [-1, 1], not yet
    /// standardised.
    pub fn squeeze(&self, folded: &Tensor) -> Result<Tensor> {
        let x = ops::silu(&self.stem.forward(folded)?)?;
        let mut x = self.down.forward(&x)?;
        for block in &self.inner {
            x = block.forward(&x)?;
        }
        self.narrow.forward(&ops::silu(&x)?)?.tanh()
    }

    /// Sets the scale of the latents: mean and deviation of each channel, measured over experience.
    pub fn set_scale(&self, mean: &[f32], deviation: &[f32]) -> Result<()> {
        let device = self.mean.device();
        self.mean
            .set(&Tensor::from_slice(mean, mean.len(), device)?)?;
        self.deviation
            .set(&Tensor::from_slice(deviation, deviation.len(), device)?)
    }
}

impl Eye for Autoencoder {
    type Config = LatentDiffusionConfig;

    const PART: &'static str = "autoencoder";

    fn check(config: &LatentDiffusionConfig) -> std::result::Result<(), (&'static str, String)> {
        config.check()
    }

    fn latents(config: &LatentDiffusionConfig) -> &LatentDiffusionConfig {
        config
    }

    fn of(config: &LatentDiffusionConfig, params: &Params) -> Result<Self> {
        Self::new(config, params.pp(Self::PART))
    }

    fn decoder(&self) -> &LatentDecoder {
        &self.decoder
    }

    fn encode(&self, frames: &[u8]) -> Result<Vec<f32>> {
        let chunk = CHUNK * self.config.frame_len();
        let parts: Result<Vec<Vec<f32>>> = frames
            .par_chunks(chunk)
            .map(|chunk| {
                let z = self.squeeze(&self.decoder.fold(chunk)?)?.detach();
                let z = z
                    .broadcast_sub(&self.mean.as_detached_tensor())?
                    .broadcast_div(&self.deviation.as_detached_tensor())?;
                z.flatten_all()?.to_vec1()
            })
            .collect();
        Ok(parts?.concat())
    }

    /// The decoder knows latents as the encoder says them, in (-1, 1).
    fn decode(&self, latents: &[f32]) -> Result<Vec<u8>> {
        self.decoder.draw(latents, |z| {
            z.broadcast_mul(&self.deviation.as_detached_tensor())?
                .broadcast_add(&self.mean.as_detached_tensor())?
                .clamp(-1f32, 1f32)
        })
    }

    /// The frames themselves, folded: the encoder learns as well.
    fn look(&self, frames: &[u8]) -> Result<Tensor> {
        self.decoder.fold(frames)
    }

    fn redraw(&self, seen: &Tensor, noise: &Tensor) -> Result<Tensor> {
        self.decoder.expand(&(self.squeeze(seen)? + noise)?)
    }

    fn multiply_adds(config: &LatentDiffusionConfig) -> (f64, f64) {
        let a = &config.autoencoder;
        let (width, inner) = (a.width as f64, a.inner_width as f64);
        let folded = config.folded_channels() as f64;
        let coarse = (config.side() * config.side()) as f64;
        let fine = (config.folded_side() * config.folded_side()) as f64;
        let encoder = fine * folded * width
            + coarse * (9.0 * width * inner + inner * a.channels as f64)
            + a.encoder_blocks as f64 * Block::multiply_adds(coarse, inner);
        (encoder, LatentDecoder::multiply_adds(config))
    }
}

/// Mean and deviation of each of `channels` interleaved channels.
pub fn channel_scale(values: &Tensor, channels: usize) -> Result<(Vec<f32>, Vec<f32>)> {
    let rows = values.reshape(((), channels))?;
    let mean = rows.mean_keepdim(0)?;
    let variance = rows.broadcast_sub(&mean)?.sqr()?.mean(D::Minus2)?;
    let deviation: Vec<f32> = variance.sqrt()?.to_vec1()?;
    Ok((
        mean.flatten_all()?.to_vec1()?,
        deviation.into_iter().map(|d| d.max(1e-3)).collect(),
    ))
}
