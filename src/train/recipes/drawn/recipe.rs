//! How the diffusion decoder of a finished LeWM is trained: part of `models/NAME/train.ron`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::generative::PixelDiffusionConfig;
use crate::model::hybrid;
use crate::train::bounds::{self, Fault, within};
use crate::train::recipes::pace::Pace;

/// Training of the decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DrawnTraining {
    /// How long, how many frames at once, how fast.
    pub pace: Pace,
    /// The latest imagined step that is drawn.
    pub steps: usize,
    /// Frames that are drawn of one imagined future.
    pub frames: usize,
    /// Mean of ln σ (Karras et al. 2022, table 1).
    pub ln_sigma_mean: f32,
    /// Deviation of ln σ.
    pub ln_sigma_std: f32,
    /// Training noise levels are clipped to this range.
    pub sigma_range: (f32, f32),
    /// Weight of pixels of moving bodies, where they are and where they were in the last observation; all
    /// others weigh 1.
    pub foreground_weight: f32,
}

impl Default for DrawnTraining {
    fn default() -> Self {
        Self {
            pace: Pace {
                batch: 16,
                ..Pace::default()
            },
            steps: 20,
            frames: 2,
            ln_sigma_mean: -0.4,
            ln_sigma_std: 1.2,
            sigma_range: (2e-3, 20.0),
            foreground_weight: 7.0,
        }
    }
}

/// A LeWM, and the decoder that is trained on what it imagines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnRecipe {
    /// Folder of the finished LeWM, whose weights stay as they are.
    pub lewm: PathBuf,
    /// The decoder; a `sigma_data` of 0 is measured, and `model.ron` of the finished folder says what was
    /// found.
    #[serde(default = "decoder")]
    pub denoiser: PixelDiffusionConfig,
    /// Its training.
    #[serde(default)]
    pub training: DrawnTraining,
}

/// What a decoder is unless the recipe says otherwise.
fn decoder() -> PixelDiffusionConfig {
    PixelDiffusionConfig {
        context: 2,
        actions: 4,
        action_dim: 4,
        context_noise: 0.0,
        ..PixelDiffusionConfig::default()
    }
}

impl DrawnRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name, and what was found and expected.
    pub fn check(&self) -> Result<(), Fault> {
        let decoder = hybrid::check_decoder(&self.denoiser);
        decoder.map_err(|(field, message)| (field.to_string(), message))?;
        let t = &self.training;
        t.pace.check("training.pace")?;
        within("training.steps", t.steps, 1..=1000)?;
        within("training.frames", t.frames, 1..=1000)?;
        let (low, high) = t.sigma_range;
        if !(low > 0.0 && low <= high && high.is_finite()) {
            let found = format!("found {:?}, expected 0 < low <= high", t.sigma_range);
            return Err(("training.sigma_range".into(), found));
        }
        within("training.ln_sigma_mean", t.ln_sigma_mean, -20.0..=20.0)?;
        within("training.ln_sigma_std", t.ln_sigma_std, 0.0..=20.0)?;
        let weight = f64::from(t.foreground_weight);
        bounds::positive("training.foreground_weight", weight, 1e6)
    }
}
