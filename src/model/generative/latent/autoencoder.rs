//! Between frames and latents: what the diffusion in latents imagines in, trained before it and frozen.
//!
//! 64×64 pixels are folded 4×4 into channels and halved once by a convolution: 8×8 cells of 16 numbers,
//! twelve times fewer than the frame has. The numbers are bounded by tanh; training adds a little noise to
//! them, which does what a small KL term does: neighbouring latents mean similar pictures, and the decoder
//! bears an imagination's small errors. Encoder and decoder differ in size: every frame of experience is
//! encoded, but only frames that somebody looks at are decoded.

use candle_core::{D, Result, Tensor, Var};
use rayon::prelude::*;

use super::LatentDiffusionConfig;
use crate::model::generative::Patches;
use crate::model::nn::{Conv, Init, Linear, Params, ops};

/// Frames that go through together.
const CHUNK: usize = 16;

/// Residual block of two 3×3 convolutions, the second starts at zero.
#[derive(Clone, Debug)]
struct Block {
    first: Conv,
    second: Conv,
}

impl Block {
    fn new(width: usize, p: Params) -> Result<Self> {
        Ok(Self {
            first: Conv::new(width, width, 3, 1, p.pp("first"))?,
            second: Conv::zeros(width, width, 3, 1, p.pp("second"))?,
        })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.first.forward(&ops::silu(x)?)?;
        x + self.second.forward(&ops::silu(&inner)?)?
    }
}

fn blocks(n: usize, width: usize, p: Params) -> Result<Vec<Block>> {
    (0..n).map(|i| Block::new(width, p.pp(i))).collect()
}

/// Encoder, decoder and the scale of the latents.
#[derive(Clone)]
pub struct Autoencoder {
    config: LatentDiffusionConfig,
    patches: Patches,
    stem: Linear,
    down: Conv,
    inner: Vec<Block>,
    narrow: Linear,
    widen: Linear,
    decoded: Vec<Block>,
    up: Linear,
    outer: Vec<Block>,
    out: Linear,
    mean: Var,
    deviation: Var,
}

impl Autoencoder {
    /// The networks of the variables in `p`.
    pub fn new(config: &LatentDiffusionConfig, p: Params) -> Result<Self> {
        let a = &config.autoencoder;
        let folded = config.folded_channels();
        let (e, d) = (p.pp("encoder"), p.pp("decoder"));
        Ok(Self {
            patches: Patches::plain(config.size, a.patch),
            stem: Linear::new(folded, a.width, e.pp("stem"))?,
            down: Conv::new(a.width, a.inner_width, 3, 2, e.pp("down"))?,
            inner: blocks(a.encoder_blocks, a.inner_width, e.pp("inner"))?,
            narrow: Linear::new(a.inner_width, a.channels, e.pp("narrow"))?,
            widen: Linear::new(a.channels, a.inner_width, d.pp("widen"))?,
            decoded: blocks(a.decoder_blocks, a.inner_width, d.pp("inner"))?,
            up: Linear::new(a.inner_width, 4 * a.width, d.pp("up"))?,
            outer: blocks(a.decoder_blocks, a.width, d.pp("outer"))?,
            out: Linear::new(a.width, folded, d.pp("out"))?,
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

    /// Folded frames `[B, 2S, 2S, 3p²]` of latents that are not standardised.
    pub fn expand(&self, latents: &Tensor) -> Result<Tensor> {
        let mut x = self.widen.forward(latents)?;
        for block in &self.decoded {
            x = block.forward(&x)?;
        }
        let mut x = ops::depth_to_space(&self.up.forward(&ops::silu(&x)?)?, 2)?;
        for block in &self.outer {
            x = block.forward(&x)?;
        }
        self.out.forward(&ops::silu(&x)?)
    }

    /// The folding of its frames.
    pub fn patches(&self) -> &Patches {
        &self.patches
    }

    /// Folded frames `[N, 2S, 2S, 3p²]` in [-1, 1] of bytes `[N, H, W, 3]`.
    pub fn fold(&self, frames: &[u8]) -> Result<Tensor> {
        let (n, side) = (
            frames.len() / self.config.frame_len(),
            self.config.folded_side(),
        );
        let mut values = Vec::with_capacity(frames.len());
        for frame in frames.chunks_exact(self.config.frame_len()) {
            self.patches.fold(frame, &mut values);
        }
        let shape = (n, side, side, self.config.folded_channels());
        Tensor::from_vec(values, shape, self.mean.device())
    }

    /// Sets the scale of the latents: mean and deviation of each channel, measured over experience.
    pub fn set_scale(&self, mean: &[f32], deviation: &[f32]) -> Result<()> {
        let device = self.mean.device();
        self.mean
            .set(&Tensor::from_slice(mean, mean.len(), device)?)?;
        self.deviation
            .set(&Tensor::from_slice(deviation, deviation.len(), device)?)
    }

    /// Standardised latents `[N, S·S·C]` of frames `[N, H, W, 3]`.
    pub fn encode(&self, frames: &[u8]) -> Result<Vec<f32>> {
        let chunk = CHUNK * self.config.frame_len();
        let parts: Result<Vec<Vec<f32>>> = frames
            .par_chunks(chunk)
            .map(|chunk| {
                let z = self.squeeze(&self.fold(chunk)?)?.detach();
                let z = z
                    .broadcast_sub(&self.mean.as_detached_tensor())?
                    .broadcast_div(&self.deviation.as_detached_tensor())?;
                z.flatten_all()?.to_vec1()
            })
            .collect();
        Ok(parts?.concat())
    }

    /// Frames `[N, H, W, 3]` of standardised latents `[N, S·S·C]`.
    pub fn decode(&self, latents: &[f32]) -> Result<Vec<u8>> {
        let (side, len) = (self.config.side(), self.config.latent_len());
        let frame_len = self.config.frame_len();
        let parts: Result<Vec<Vec<u8>>> = latents
            .par_chunks(CHUNK * len)
            .map(|chunk| {
                let shape = (chunk.len() / len, side, side, self.config.channels());
                let z = Tensor::from_slice(chunk, shape, self.mean.device())?
                    .broadcast_mul(&self.deviation.as_detached_tensor())?
                    .broadcast_add(&self.mean.as_detached_tensor())?
                    .clamp(-1f32, 1f32)?;
                let folded = self.expand(&z)?.flatten_all()?.to_vec1::<f32>()?;
                let mut bytes = vec![0u8; folded.len()];
                let frames = bytes.chunks_exact_mut(frame_len);
                for (frame, values) in frames.zip(folded.chunks_exact(frame_len)) {
                    self.patches.unfold(values, frame);
                }
                Ok(bytes)
            })
            .collect();
        Ok(parts?.concat())
    }

    /// Multiply-adds of one frame: (encoder, decoder).
    pub fn multiply_adds(config: &LatentDiffusionConfig) -> (f64, f64) {
        let a = &config.autoencoder;
        let (width, inner, channels) = (a.width as f64, a.inner_width as f64, a.channels as f64);
        let folded = config.folded_channels() as f64;
        let (coarse, fine) = (
            (config.side() * config.side()) as f64,
            (config.folded_side() * config.folded_side()) as f64,
        );
        let block = |cells: f64, w: f64| cells * 18.0 * w * w;
        let encoder = fine * folded * width
            + coarse * (9.0 * width * inner + inner * channels)
            + a.encoder_blocks as f64 * block(coarse, inner);
        let decoder = coarse * (channels * inner + 4.0 * inner * width)
            + fine * width * folded
            + a.decoder_blocks as f64 * (block(coarse, inner) + block(fine, width));
        (encoder, decoder)
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
