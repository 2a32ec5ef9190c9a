//! The next latent out of the last ones: the transformer inside a sampler.

use candle_core::{Device, Result, Tensor};

use super::{Dit, LatentDiffusionConfig, Window, flow};
use crate::model::generative::Objective;
use crate::model::nn::{Params, Rng};
use crate::model::{Cancel, ModelError};

/// The transformer and its sampler; latents are standardised.
#[derive(Clone)]
pub struct Imagination {
    net: Dit,
}

impl Imagination {
    /// Builds the network from the variables in `p`.
    pub fn new(config: &LatentDiffusionConfig, p: Params) -> Result<Self> {
        Ok(Self {
            net: Dit::new(config, p)?,
        })
    }

    /// The settings it was built from.
    pub fn config(&self) -> &LatentDiffusionConfig {
        self.net.config()
    }

    /// The network.
    pub fn network(&self) -> &Dit {
        &self.net
    }

    /// Euler's method from `start` (standard normal `[B, S, S, C]`) through `nfe` noise levels down to a
    /// clean latent. A regression twin is asked once.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`] between two evaluations once `cancel` is raised.
    pub fn sample(
        &self,
        start: &Tensor,
        window: &Window,
        nfe: usize,
        cancel: &Cancel,
    ) -> std::result::Result<Tensor, ModelError> {
        let nfe = match self.config().objective {
            Objective::Denoise => nfe,
            Objective::Regression => 1,
        };
        let mut x = start.clone();
        for pair in flow::levels(nfe).windows(2) {
            cancel.check()?;
            let level = Tensor::full(pair[0], x.dim(0)?, x.device())?;
            let clean = self.net.forward(&x, &level, window)?;
            let keep = f64::from(flow::keep(pair[0], pair[1]));
            x = match keep {
                0.0 => clean,
                keep => ((x * keep)? + (clean * (1.0 - keep))?)?,
            };
        }
        Ok(x)
    }

    /// Where sampling starts: noise, or nothing at all for a regression twin. `shared` gives every row of
    /// the batch the same.
    pub fn start(
        &self,
        batch: usize,
        shared: bool,
        rng: &mut Rng,
        device: &Device,
    ) -> Result<Tensor> {
        let config = self.config();
        let shape = (batch, config.side(), config.side(), config.channels());
        match config.objective {
            Objective::Denoise => rng.normal_maps(shape, shared, device),
            Objective::Regression => Tensor::zeros(shape, candle_core::DType::F32, device),
        }
    }

    /// A window out of clean latents `context: [B, S, S, K·C]`, of which the oldest `missing` frames say
    /// nothing; the others are noised by the small level that the model imagines with (not at all for a
    /// regression twin).
    pub fn window(
        &self,
        context: Tensor,
        missing: usize,
        actions: Tensor,
        shared: bool,
        rng: &mut Rng,
    ) -> Result<Window> {
        let (b, h, w, c) = context.dims4()?;
        let (config, device) = (self.config(), context.device().clone());
        let is_sampled = config.objective == Objective::Denoise;
        let level = |i: usize| match (i < missing, is_sampled) {
            (true, _) => 1.0,
            (false, true) => config.context_noise,
            (false, false) => 0.0,
        };
        let levels: Vec<f32> = (0..config.context).map(level).collect();
        let by_channel: Vec<f32> = levels
            .iter()
            .flat_map(|&l| std::iter::repeat_n(l, config.channels()))
            .collect();
        let by_channel = Tensor::from_vec(by_channel, c, &device)?;
        let mut context = context.broadcast_mul(&by_channel.affine(-1.0, 1.0)?)?;
        if is_sampled {
            let noise = rng.normal_maps((b, h, w, c), shared, &device)?;
            context = (context + noise.broadcast_mul(&by_channel)?)?;
        }
        let context_levels = Tensor::from_vec(levels, (1, config.context), &device)?
            .broadcast_as((b, config.context))?
            .contiguous()?;
        Ok(Window {
            context,
            context_levels,
            actions,
            belief: None,
        })
    }
}
