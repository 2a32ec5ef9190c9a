//! From latents to frames: the same network whether the latents are an autoencoder's own or a frozen
//! encoder's tokens.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::LatentDiffusionConfig;
use crate::model::generative::Patches;
use crate::model::nn::{Conv, Linear, Params, ops};

/// Frames that go through together.
pub(super) const CHUNK: usize = 16;

/// Residual block of two 3×3 convolutions, the second starts at zero.
#[derive(Clone, Debug)]
pub(super) struct Block {
    first: Conv,
    second: Conv,
}

impl Block {
    /// A block of `width` channels.
    pub fn new(width: usize, p: Params) -> Result<Self> {
        Ok(Self {
            first: Conv::new(width, width, 3, 1, p.pp("first"))?,
            second: Conv::zeros(width, width, 3, 1, p.pp("second"))?,
        })
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let inner = self.first.forward(&ops::silu(x)?)?;
        x + self.second.forward(&ops::silu(&inner)?)?
    }

    /// Multiply-adds over so many cells.
    pub fn multiply_adds(cells: f64, width: f64) -> f64 {
        cells * 18.0 * width * width
    }
}

/// `n` of them.
pub(super) fn blocks(n: usize, width: usize, p: Params) -> Result<Vec<Block>> {
    (0..n).map(|i| Block::new(width, p.pp(i))).collect()
}

/// Draws folded frames, at twice the side of the latents.
#[derive(Clone)]
pub struct LatentDecoder {
    config: LatentDiffusionConfig,
    patches: Patches,
    widen: Linear,
    inner: Vec<Block>,
    up: Linear,
    outer: Vec<Block>,
    out: Linear,
    device: Device,
}

impl LatentDecoder {
    /// The network of the variables in `p`, of the sizes that `config.autoencoder` gives a decoder.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn new(config: &LatentDiffusionConfig, p: Params) -> Result<Self> {
        let (a, folded) = (&config.autoencoder, config.folded_channels());
        Ok(Self {
            patches: Patches::plain(config.size, a.patch),
            widen: Linear::new(a.channels, a.inner_width, p.pp("widen"))?,
            inner: blocks(a.decoder_blocks, a.inner_width, p.pp("inner"))?,
            up: Linear::new(a.inner_width, 4 * a.width, p.pp("up"))?,
            outer: blocks(a.decoder_blocks, a.width, p.pp("outer"))?,
            out: Linear::new(a.width, folded, p.pp("out"))?,
            device: p.device().clone(),
            config: config.clone(),
        })
    }

    /// Folded frames `[B, 2S, 2S, 3p²]` of latents `[B, S, S, C]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn expand(&self, latents: &Tensor) -> Result<Tensor> {
        let mut x = self.widen.forward(latents)?;
        for block in &self.inner {
            x = block.forward(&x)?;
        }
        let mut x = ops::depth_to_space(&self.up.forward(&ops::silu(&x)?)?, 2)?;
        for block in &self.outer {
            x = block.forward(&x)?;
        }
        self.out.forward(&ops::silu(&x)?)
    }

    /// Frames `[N, H, W, 3]` in bytes of standardised latents `[N, S·S·C]`, which `prepare` makes what the
    /// network was trained on.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn draw(
        &self,
        latents: &[f32],
        prepare: impl Fn(Tensor) -> Result<Tensor> + Sync,
    ) -> Result<Vec<u8>> {
        let (side, len) = (self.config.side(), self.config.latent_len());
        let frame_len = self.config.frame_len();
        let parts: Result<Vec<Vec<u8>>> = latents
            .par_chunks(CHUNK * len)
            .map(|chunk| {
                let shape = (chunk.len() / len, side, side, self.config.channels());
                let z = prepare(Tensor::from_slice(chunk, shape, &self.device)?)?;
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

    /// The folding of its frames.
    pub fn patches(&self) -> &Patches {
        &self.patches
    }

    /// Folded frames `[N, 2S, 2S, 3p²]` in [-1, 1] of bytes `[N, H, W, 3]`.
    ///
    /// # Errors
    /// Those of the tensor library.
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
        Tensor::from_vec(values, shape, &self.device)
    }

    /// Multiply-adds of one frame.
    pub fn multiply_adds(config: &LatentDiffusionConfig) -> f64 {
        let a = &config.autoencoder;
        let (width, inner) = (a.width as f64, a.inner_width as f64);
        let (coarse, fine) = (
            (config.side() * config.side()) as f64,
            (config.folded_side() * config.folded_side()) as f64,
        );
        let blocks = Block::multiply_adds(coarse, inner) + Block::multiply_adds(fine, width);
        coarse * (a.channels as f64 * inner + 4.0 * inner * width)
            + fine * width * config.folded_channels() as f64
            + a.decoder_blocks as f64 * blocks
    }
}
