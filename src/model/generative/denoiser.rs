//! One frame out of four: the network inside EDM's preconditioning, and the sampler around it.
//!
//! Everything here is in folded pixels in units of the data's deviation ([`Patches`]); noise levels are in
//! pixels in [-1, 1], as in the papers.

use candle_core::{Result, Tensor};

use super::edm::{Preconditioning, sigmas};
use super::{Conditions, Objective, Patches, PixelDiffusionConfig, UNet};
use crate::model::nn::{Params, Rng};
use crate::model::{Cancel, ModelError};

/// The denoiser `D(x; σ)` and its sampler.
#[derive(Clone)]
pub struct Denoiser {
    net: UNet,
    config: PixelDiffusionConfig,
    patches: Patches,
}

impl Denoiser {
    /// Builds the network from the variables in `p`.
    pub fn new(config: &PixelDiffusionConfig, p: Params) -> Result<Self> {
        Ok(Self {
            net: UNet::new(config, p)?,
            config: config.clone(),
            patches: Patches::new(config),
        })
    }

    /// The settings it was built from.
    pub fn config(&self) -> &PixelDiffusionConfig {
        &self.config
    }

    /// The folding of its frames.
    pub fn patches(&self) -> &Patches {
        &self.patches
    }

    /// The raw network, for training: `noisy` is already scaled by c_in.
    pub fn network(
        &self,
        noisy: &Tensor,
        noise: &Tensor,
        conditions: &Conditions,
    ) -> Result<Tensor> {
        self.net.forward(noisy, noise, conditions)
    }

    /// The innermost activations `[B, S/2, S/2, I]` of the first evaluation of a sample, with nothing where
    /// the noise would be.
    pub fn inner(&self, conditions: &Conditions) -> Result<Tensor> {
        let (b, s, _, _) = conditions.context.dims4()?;
        let noise = Self::preconditioning(&self.config, self.config.sigma_max).noise;
        let device = conditions.context.device();
        let nothing = (b, s, s, self.config.channels());
        self.net.inner(
            &Tensor::zeros(nothing, candle_core::DType::F32, device)?,
            &Tensor::full(noise, b, device)?,
            conditions,
        )
    }

    /// EDM's factors for folded pixels.
    pub fn preconditioning(config: &PixelDiffusionConfig, sigma: f32) -> Preconditioning {
        let unit = Self::unit(config);
        let mut c = Preconditioning::new(sigma, unit, config.offset_noise);
        c.input *= unit;
        c.out /= unit;
        c
    }

    /// Deviation of the data in pixels, the unit of folded values.
    pub fn unit(config: &PixelDiffusionConfig) -> f32 {
        if config.sigma_data > 0.0 {
            config.sigma_data
        } else {
            1.0
        }
    }

    /// The estimate of the clean frame in `x: [B, S, S, 3p²]` at noise level `sigma`.
    pub fn denoise(&self, x: &Tensor, sigma: f32, conditions: &Conditions) -> Result<Tensor> {
        let c = Self::preconditioning(&self.config, sigma);
        let noise = Tensor::full(c.noise, x.dim(0)?, x.device())?;
        let f = self.network(&(x * f64::from(c.input))?, &noise, conditions)?;
        (x * f64::from(c.skip))? + (f * f64::from(c.out))?
    }

    /// Euler's method from `start` (standard normal) through `nfe` noise levels down to a clean frame (EDM,
    /// alg. 1 without churn), `[B, S, S, 3p²]`. A regression twin is asked once.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`] between two evaluations once `cancel` is raised.
    pub fn sample(
        &self,
        start: &Tensor,
        conditions: &Conditions,
        nfe: usize,
        cancel: &Cancel,
    ) -> std::result::Result<Tensor, ModelError> {
        let config = &self.config;
        let nfe = match config.objective {
            Objective::Denoise => nfe,
            Objective::Regression => 1,
        };
        let levels = sigmas(nfe.max(1), config.sigma_min, config.sigma_max, config.rho);
        let mut x = (start * f64::from(config.sigma_max / Self::unit(config)))?;
        for pair in levels.windows(2) {
            cancel.check()?;
            let clean = self.denoise(&x, pair[0], conditions)?;
            x = if pair[1] > 0.0 {
                // x + (σ' − σ)(x − D)/σ, as a mixture.
                let keep = f64::from(pair[1] / pair[0]);
                ((x * keep)? + (clean * (1.0 - keep))?)?
            } else {
                clean
            };
        }
        Ok(x)
    }

    /// Conditions out of clean folded context frames, noised by the small level that the model imagines with.
    /// `shared` gives every row of the batch the same noise; a regression twin gets none.
    pub fn conditions(
        &self,
        context: Tensor,
        actions: Tensor,
        shared: bool,
        rng: &mut Rng,
    ) -> Result<Conditions> {
        let (b, h, w, c) = context.dims4()?;
        let level = match self.config.objective {
            Objective::Denoise => self.config.context_noise,
            Objective::Regression => 0.0,
        };
        let device = context.device().clone();
        let context = if level > 0.0 {
            let noise = rng.normal_maps((b, h, w, c), shared, &device)?;
            (context + (noise * f64::from(level / Self::unit(&self.config)))?)?
        } else {
            context
        };
        Ok(Conditions {
            context,
            context_level: Tensor::full(level, b, &device)?,
            actions,
        })
    }

    /// Standard normal start for [`Denoiser::sample`]; nothing at all for a regression twin.
    pub fn start(
        &self,
        batch: usize,
        shared: bool,
        rng: &mut Rng,
        device: &candle_core::Device,
    ) -> Result<Tensor> {
        let side = self.config.side();
        let shape = (batch, side, side, self.config.channels());
        match self.config.objective {
            Objective::Denoise => rng.normal_maps(shape, shared, device),
            Objective::Regression => Tensor::zeros(shape, candle_core::DType::F32, device),
        }
    }
}
