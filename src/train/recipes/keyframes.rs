//! A head of keyframes on a finished LeWM: part of a recipe. It is checked here and trained by the package
//! in `training/`, for its labels are made there.

use crate::model::folder;
use crate::model::jepa::LewmConfig;
use crate::model::nn::AdamWConfig;
use crate::train::bounds::{self, Fault, within};
use crate::train::error::TrainError;
use crate::train::export::Made;
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use crate::train::schedule::Length;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Learns which structured moment comes next on the way to a goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyframesRecipe {
    /// Folder of the finished LeWM, which stays as it is.
    pub lewm: PathBuf,
    /// The training.
    #[serde(default)]
    pub keyframes: KeyframesPhase,
}

/// How the head is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeyframesPhase {
    /// How long.
    pub length: Length,
    /// Examples a batch.
    pub batch: usize,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the phase that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Control steps that a goal lies ahead at most.
    pub ahead_steps: usize,
    /// Examples of an episode at most.
    pub examples: usize,
    /// Standard deviation of noise on the latents that it sees, so that it bears imagined ones.
    pub noise: f64,
}

impl Default for KeyframesPhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(6000),
            batch: 512,
            optimiser: AdamWConfig::default(),
            warmup: 0.02,
            clip: 1.0,
            ahead_steps: 120,
            examples: 150,
            noise: 0.02,
        }
    }
}

impl Recipe for KeyframesRecipe {
    fn check(&self) -> Result<(), Fault> {
        let phase = &self.keyframes;
        bounds::length("keyframes.length", phase.length, false)?;
        within("keyframes.batch", phase.batch, 1..=1 << 20)?;
        bounds::optimiser("keyframes.optimiser", &phase.optimiser)?;
        bounds::habits("keyframes", phase.warmup, phase.clip, 1)?;
        within("keyframes.ahead_steps", phase.ahead_steps, 1..=10_000)?;
        within("keyframes.examples", phase.examples, 1..=100_000)?;
        within("keyframes.noise", phase.noise, 0.0..=10.0)
    }

    fn action_dim(&self) -> usize {
        folder::network::<LewmConfig>(&self.lewm).map_or(16, |config| config.action_dim)
    }

    fn start(&self) -> Option<&Path> {
        Some(&self.lewm)
    }

    fn check_fit(&self, _: &Given) -> Result<(), TrainError> {
        let message = "keyframes are labelled and trained by the package in training/: \
                       `python -m parallax_training RECIPE --data EPISODES --out FOLDER`";
        Err(TrainError::misfit("architecture", message.into()))
    }

    fn train(&self, _: &mut Session) -> Result<Made, TrainError> {
        let message = "keyframes are trained by the package in training/";
        Err(TrainError::misfit("architecture", message.into()))
    }
}
