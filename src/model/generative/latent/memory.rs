//! A belief beside a latent diffusion's frames of context, so that what is hidden for longer than they reach
//! back goes on being: a GRU over the latents of frames, seen or imagined, and the actions that led to them.
//! What it holds speaks through the same adaptive norms as noise levels and actions do (FiLM, Perez et al.
//! 2018, arXiv 1709.07871): one vector for the whole frame.

use candle_core::{DType, Result, Tensor};

use super::LatentDiffusionConfig;
use crate::model::nn::{Gru, Linear, Params, ops};

/// Carries a belief from frame to frame.
pub struct Memory {
    width: usize,
    see: Linear,
    cell: Gru,
}

impl Memory {
    /// On the variables in `p`, where the settings ask for a belief.
    pub fn new(config: &LatentDiffusionConfig, p: &Params) -> Result<Option<Self>> {
        let Some(sizes) = config.belief else {
            return Ok(None);
        };
        Ok(Some(Self {
            see: Linear::new(config.latent_len(), sizes.hidden, p.pp("see"))?,
            cell: Gru::new(sizes.hidden + config.action_dim, sizes.width, p)?,
            width: sizes.width,
        }))
    }

    /// The belief `[N, B]` once the actions `[N, dim]` have led to frames with the standardised latents
    /// `[N, S·S·C]`; before the first frame nothing is believed, and no action led to it.
    pub fn carry(
        &self,
        before: Option<&Tensor>,
        latents: &Tensor,
        actions: &Tensor,
    ) -> Result<Tensor> {
        let seen = ops::silu(&self.see.forward(latents)?)?;
        let inputs = [&seen, actions];
        match before {
            Some(before) => self.cell.carry(before, &inputs),
            None => {
                let shape = (latents.dim(0)?, self.width);
                let nothing = Tensor::zeros(shape, DType::F32, latents.device())?;
                self.cell.carry(&nothing, &inputs)
            }
        }
    }

    /// Multiply-adds of carrying it on by one frame; none where there is none.
    pub fn multiply_adds(config: &LatentDiffusionConfig) -> f64 {
        let Some(sizes) = config.belief else {
            return 0.0;
        };
        (config.latent_len() * sizes.hidden) as f64
            + Gru::multiply_adds(sizes.hidden + config.action_dim, sizes.width)
    }
}
