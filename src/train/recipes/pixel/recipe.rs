//! How a pixel diffusion model is trained: part of `models/NAME/train.ron`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::generative::PixelDiffusionConfig;
use crate::model::nn::AdamWConfig;
use crate::train::bounds::{self, Fault, within};
use crate::train::recipes::pace::{Pace, Rolling};
use crate::train::schedule::Length;

/// How a [`PixelDiffusion`](crate::model::generative::PixelDiffusion) is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffusionTraining {
    /// Folder of a finished model whose weights and data scale this training begins with; it may take fewer
    /// components of an action.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// How long. Rate and self-rolled tail follow the spent fraction.
    pub length: Length,
    /// Frames predicted in one optimisation step.
    pub batch: usize,
    /// Optimiser; its rate is the peak of the cosine.
    pub adamw: AdamWConfig,
    /// Steps over which the rate rises.
    pub warmup_steps: u64,
    /// Gradients longer than this are scaled down to it.
    pub clip: f64,
    /// Decay of the moving average of the weights.
    pub ema: f64,
    /// Mean of ln σ (Karras et al. 2022, table 1: -1.2; DIAMOND: -0.4).
    pub ln_sigma_mean: f32,
    /// Deviation of ln σ.
    pub ln_sigma_std: f32,
    /// Training noise levels are clipped to this range.
    pub sigma_range: (f32, f32),
    /// Share of examples whose context is noised.
    pub context_noise_share: f32,
    /// Largest noise level of a context.
    pub context_noise_max: f32,
    /// Weight of pixels of moving bodies, where they are and where they were; all others weigh 1.
    pub foreground_weight: f32,
    /// From this fraction of the budget on the model is also trained on its own frames.
    pub self_rolled_from: f64,
    /// Most predictions in a row then.
    pub self_rolled_steps: usize,
    /// Denoising steps of a fed-back frame.
    pub self_rolled_nfe: usize,
}

impl Default for DiffusionTraining {
    fn default() -> Self {
        Self {
            start: None,
            length: Length::Minutes(60.0),
            batch: 16,
            adamw: AdamWConfig {
                lr: 8e-4,
                betas: (0.9, 0.99),
                eps: 1e-8,
                weight_decay: 1e-2,
            },
            warmup_steps: 100,
            clip: 1.0,
            ema: 0.999,
            ln_sigma_mean: -0.4,
            ln_sigma_std: 1.2,
            sigma_range: (2e-3, 20.0),
            context_noise_share: 0.5,
            context_noise_max: 0.2,
            foreground_weight: 7.0,
            self_rolled_from: 0.75,
            self_rolled_steps: 4,
            self_rolled_nfe: 2,
        }
    }
}

/// Model and training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiffusionRecipe {
    /// The model; a `sigma_data` of 0 is measured, and `model.ron` of the finished folder says what was
    /// found.
    pub model: PixelDiffusionConfig,
    /// Its training.
    pub training: DiffusionTraining,
}

impl DiffusionRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name, and what was found and expected.
    pub fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        let t = &self.training;
        t.pace().check("training")?;
        let (low, high) = t.sigma_range;
        if !(low > 0.0 && low <= high && high.is_finite()) {
            let found = format!("found {:?}, expected 0 < low <= high", t.sigma_range);
            return Err(("training.sigma_range".into(), found));
        }
        within("training.ln_sigma_mean", t.ln_sigma_mean, -20.0..=20.0)?;
        within("training.ln_sigma_std", t.ln_sigma_std, 0.0..=20.0)?;
        let share = t.context_noise_share;
        within("training.context_noise_share", share, 0.0..=1.0)?;
        let most = t.context_noise_max;
        within("training.context_noise_max", most, 0.0..=100.0)?;
        let weight = f64::from(t.foreground_weight);
        bounds::positive("training.foreground_weight", weight, 1e6)?;
        t.rolling().check("training")
    }
}

impl DiffusionTraining {
    /// How long, how many at once, how fast.
    pub(super) fn pace(&self) -> Pace {
        Pace {
            length: self.length,
            batch: self.batch,
            adamw: self.adamw,
            warmup_steps: self.warmup_steps,
            clip: self.clip,
            ema: self.ema,
        }
    }

    /// Its last part.
    pub(super) fn rolling(&self) -> Rolling {
        Rolling {
            from: self.self_rolled_from,
            most: self.self_rolled_steps,
            nfe: self.self_rolled_nfe,
        }
    }
}
