//! From a latent, which has no places, to a map that has.

use candle_core::{Result, Tensor};

use super::DrawnConfig;
use crate::model::nn::{Conv, Linear, Params, ops};

/// Side of the map that the latent becomes first; each convolution after it doubles the side.
pub const FIRST_SIDE: usize = 4;
/// Channels of that map, and of those in between.
const WIDTH: usize = 96;

/// Paints a latent `[B, D]` as a map `[B, S, S, 3p²]` the size of a folded frame, and sums it up in a few
/// numbers.
#[derive(Clone)]
pub struct Painter {
    first: Linear,
    rises: Vec<Conv>,
    summary: Linear,
    latent: usize,
}

impl Painter {
    /// A painter of the variables in `p`.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn new(config: &DrawnConfig, p: Params) -> Result<Self> {
        let (latent, channels) = (config.lewm.latent_dim, config.denoiser.channels());
        let count = (config.denoiser.side() / FIRST_SIDE).ilog2() as usize;
        let rise = |i: usize| {
            let to = if i + 1 == count { channels } else { WIDTH };
            Conv::new(WIDTH, to, 3, 1, p.pp("rises").pp(i))
        };
        Ok(Self {
            first: Linear::new(latent, FIRST_SIDE * FIRST_SIDE * WIDTH, p.pp("first"))?,
            rises: (0..count).map(rise).collect::<Result<_>>()?,
            summary: Linear::new(latent, config.summary(), p.pp("summary"))?,
            latent,
        })
    }

    /// The map `[B, S, S, 3p²]` of latents `[B, D]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn paint(&self, latents: &Tensor) -> Result<Tensor> {
        let shape = (latents.dim(0)?, FIRST_SIDE, FIRST_SIDE, WIDTH);
        let mut map = self.first.forward(latents)?.reshape(shape)?;
        for rise in &self.rises {
            map = rise.forward(&ops::upsample2(&ops::gelu(&map)?)?)?;
        }
        Ok(map)
    }

    /// The summary `[B, E]` of latents `[B, D]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn sum_up(&self, latents: &Tensor) -> Result<Tensor> {
        self.summary.forward(latents)
    }

    /// Multiply-adds of one latent.
    pub fn multiply_adds(&self, config: &DrawnConfig) -> f64 {
        let latent = self.latent as f64;
        let (mut side, mut all) = (FIRST_SIDE, latent * config.summary() as f64);
        all += latent * (FIRST_SIDE * FIRST_SIDE * WIDTH) as f64;
        for i in 0..self.rises.len() {
            side *= 2;
            let to = match i + 1 == self.rises.len() {
                true => config.denoiser.channels(),
                false => WIDTH,
            };
            all += (side * side * 9 * WIDTH * to) as f64;
        }
        all
    }
}
