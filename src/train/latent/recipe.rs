//! How a latent diffusion model is trained: part of `models/NAME/train.ron`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::generative::LatentDiffusionConfig;
use crate::model::nn::AdamWConfig;
use crate::train::Length;
use crate::train::bounds::{self, Fault, within};

/// What both phases have: how long, how many at once, how fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// How long; rate and self-rolled tail follow the spent fraction.
    pub length: Length,
    /// Frames in one optimisation step.
    pub batch: usize,
    /// Optimiser; its rate is the peak of the cosine.
    pub adamw: AdamWConfig,
    /// Steps over which the rate rises.
    pub warmup_steps: u64,
    /// Gradients longer than this are scaled down to it.
    pub clip: f64,
    /// Decay of the moving average of the weights.
    pub ema: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            length: Length::Minutes(30.0),
            batch: 32,
            adamw: AdamWConfig {
                lr: 1e-3,
                betas: (0.9, 0.99),
                eps: 1e-8,
                weight_decay: 1e-2,
            },
            warmup_steps: 100,
            clip: 1.0,
            ema: 0.999,
        }
    }
}

impl Pace {
    fn check(&self, phase: &str) -> Result<(), Fault> {
        let field = |name: &str| format!("{phase}.pace.{name}");
        bounds::length(field("length"), self.length, false)?;
        within(field("batch"), self.batch, 1..=65_536)?;
        bounds::optimiser(field("adamw"), &self.adamw)?;
        within(field("warmup_steps"), self.warmup_steps, 0..=1_000_000_000)?;
        bounds::positive(field("clip"), self.clip, 1e9)?;
        match (0.0..1.0).contains(&self.ema) {
            true => Ok(()),
            false => Err((
                field("ema"),
                format!("found {}, expected 0 to below 1", self.ema),
            )),
        }
    }

    /// Learning rate: warm-up by steps, then a cosine over the phase down to 2 % of the peak.
    pub fn rate(&self, step: u64, progress: f64) -> f64 {
        let warm = ((step + 1) as f64 / self.warmup_steps.max(1) as f64).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
        self.adamw.lr * warm * (0.02 + 0.98 * cosine)
    }
}

/// The first phase: frames to latents and back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderPhase {
    /// How long and how fast.
    pub pace: Pace,
    /// Weight of pixels of moving bodies; all others weigh 1.
    pub foreground_weight: f32,
    /// What a squared error counts beside the absolute one, which is the loss without it: at 5 an error of a fifth weighs twice.
    #[serde(skip_serializing_if = "is_zero")]
    pub squared_weight: f32,
    /// Deviation of the noise that is added to latents in (-1, 1) before they are decoded.
    pub latent_noise: f32,
}

fn is_zero(x: &f32) -> bool {
    *x == 0.0
}

impl Default for AutoencoderPhase {
    fn default() -> Self {
        Self {
            pace: Pace {
                adamw: AdamWConfig {
                    lr: 2e-3,
                    ..Pace::default().adamw
                },
                ..Pace::default()
            },
            foreground_weight: 5.0,
            squared_weight: 0.0,
            latent_noise: 0.03,
        }
    }
}

/// The second phase: the next latent out of the last ones.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DynamicsPhase {
    /// How long and how fast.
    pub pace: Pace,
    /// Weight of cells that hold moving bodies, where they are and where they were; all others weigh 1.
    pub foreground_weight: f32,
    /// Noise levels of the frame to predict are drawn from a logit-normal distribution: its mean...
    pub level_mean: f32,
    /// ...and its deviation;
    pub level_std: f32,
    /// but this share starts from nothing but noise, as sampling does.
    pub level_full_share: f32,
    /// Largest noise level of a context frame; each frame has its own, and small ones are more frequent.
    pub context_level_max: f32,
    /// From this fraction of the phase on the model is also trained on its own frames.
    pub self_rolled_from: f64,
    /// Most predictions in a row then.
    pub self_rolled_steps: usize,
    /// Denoising steps of a fed-back frame.
    pub self_rolled_nfe: usize,
}

impl Default for DynamicsPhase {
    fn default() -> Self {
        Self {
            pace: Pace {
                length: Length::Minutes(60.0),
                ..Pace::default()
            },
            foreground_weight: 5.0,
            level_mean: 0.4,
            level_std: 1.2,
            level_full_share: 0.25,
            context_level_max: 0.4,
            self_rolled_from: 0.75,
            self_rolled_steps: 4,
            self_rolled_nfe: 2,
        }
    }
}

/// Model and training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatentRecipe {
    /// The model; `hue_motion` is measured, and its measured value is what the finished folder's file says.
    pub model: LatentDiffusionConfig,
    /// Folder of a finished model of the same sizes whose weights this training begins with; its autoencoder stays as it is and
    /// the first phase is left out. A regression twin gets the same latents in this way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// The first phase.
    pub autoencoder: AutoencoderPhase,
    /// The second.
    pub dynamics: DynamicsPhase,
}

impl LatentRecipe {
    /// Whether it can be trained.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    pub fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        self.autoencoder.pace.check("autoencoder")?;
        self.dynamics.pace.check("dynamics")?;
        let (a, d) = (&self.autoencoder, &self.dynamics);
        for (phase, weight) in [
            ("autoencoder", a.foreground_weight),
            ("dynamics", d.foreground_weight),
        ] {
            let field = format!("{phase}.foreground_weight");
            bounds::positive(field, f64::from(weight), 1e6)?;
        }
        within("autoencoder.squared_weight", a.squared_weight, 0.0..=1e3)?;
        within("autoencoder.latent_noise", a.latent_noise, 0.0..=1.0)?;
        within("dynamics.level_mean", d.level_mean, -20.0..=20.0)?;
        within("dynamics.level_std", d.level_std, 0.0..=20.0)?;
        within("dynamics.level_full_share", d.level_full_share, 0.0..=1.0)?;
        within("dynamics.context_level_max", d.context_level_max, 0.0..=1.0)?;
        within("dynamics.self_rolled_from", d.self_rolled_from, 0.0..=1.0)?;
        within("dynamics.self_rolled_steps", d.self_rolled_steps, 0..=16)?;
        within("dynamics.self_rolled_nfe", d.self_rolled_nfe, 1..=64)
    }
}
