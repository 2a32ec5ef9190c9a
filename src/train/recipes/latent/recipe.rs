//! How a latent diffusion model is trained: part of `models/NAME/train.ron`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::generative::LatentDiffusionConfig;
use crate::model::nn::AdamWConfig;
use crate::train::bounds::{self, Fault, within};
use crate::train::recipes::pace::{Pace, Rolling};
use crate::train::schedule::Length;

/// The first phase: frames to latents and back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderPhase {
    /// How long and how fast.
    pub pace: Pace,
    /// Weight of pixels of moving bodies; all others weigh 1.
    pub foreground_weight: f32,
    /// What a squared error counts beside the absolute one, which is the loss without it: at 5 an error of a
    /// fifth weighs twice.
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
    /// The model; `hue_motion` is measured, and `model.ron` of the finished folder says what was found.
    pub model: LatentDiffusionConfig,
    /// Folder of a finished model of the same sizes whose weights this training begins with; its autoencoder
    /// stays as it is and the first phase is left out. A regression twin gets the same latents in this way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// The first phase.
    pub autoencoder: AutoencoderPhase,
    /// The second.
    pub dynamics: DynamicsPhase,
}

impl LatentRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name, and what was found and expected.
    pub fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        without_belief("model.belief", &self.model)?;
        self.autoencoder.check("autoencoder")?;
        self.dynamics.check("dynamics")
    }
}

/// A belief is trained on a finished model, not with it.
pub(in crate::train::recipes) fn without_belief(
    field: &str,
    model: &LatentDiffusionConfig,
) -> Result<(), Fault> {
    match model.belief {
        None => Ok(()),
        Some(_) => Err((
            field.into(),
            "found a belief, expected none: it is trained on a finished model, by a recipe of the kind \
             Remembering"
                .into(),
        )),
    }
}

impl AutoencoderPhase {
    /// The first field that makes no sense; `phase` is its name in `train.ron`.
    pub(in crate::train::recipes) fn check(&self, phase: &str) -> Result<(), Fault> {
        self.pace.check(&format!("{phase}.pace"))?;
        let weight = format!("{phase}.foreground_weight");
        bounds::positive(weight, f64::from(self.foreground_weight), 1e6)?;
        let squared = format!("{phase}.squared_weight");
        within(squared, self.squared_weight, 0.0..=1e3)?;
        within(
            format!("{phase}.latent_noise"),
            self.latent_noise,
            0.0..=1.0,
        )
    }
}

impl DynamicsPhase {
    /// The first field that makes no sense; `phase` is its name in `train.ron`.
    pub(in crate::train::recipes) fn check(&self, phase: &str) -> Result<(), Fault> {
        self.pace.check(&format!("{phase}.pace"))?;
        let at = |field: &str| format!("{phase}.{field}");
        let weight = f64::from(self.foreground_weight);
        bounds::positive(at("foreground_weight"), weight, 1e6)?;
        within(at("level_mean"), self.level_mean, -20.0..=20.0)?;
        within(at("level_std"), self.level_std, 0.0..=20.0)?;
        within(at("level_full_share"), self.level_full_share, 0.0..=1.0)?;
        within(at("context_level_max"), self.context_level_max, 0.0..=1.0)?;
        self.rolling().check(phase)
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
