//! Jumps in a finished LeWM's latents: part of a recipe. It is checked here and trained by the package in
//! `training/`.

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

/// Learns to imagine 1, 2, 4 or 8 steps at once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JumpsRecipe {
    /// Folder of the finished LeWM, which stays as it is.
    pub lewm: PathBuf,
    /// The training.
    #[serde(default)]
    pub jumps: JumpsPhase,
}

/// How jumps are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JumpsPhase {
    /// How long.
    pub length: Length,
    /// Windows of episodes a batch.
    pub batch: usize,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the phase that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Control steps of a window after the moment from which it is imagined.
    pub ahead: usize,
    /// Weight of films in which jumps follow jumps, against single jumps from what was observed.
    pub chained_weight: f64,
    /// Weight of the motion where a jump lands, against its latent.
    pub motion_weight: f64,
}

impl Default for JumpsPhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(4000),
            batch: 64,
            optimiser: AdamWConfig::default(),
            warmup: 0.02,
            clip: 1.0,
            ahead: 20,
            chained_weight: 1.0,
            motion_weight: 0.2,
        }
    }
}

impl Recipe for JumpsRecipe {
    fn check(&self) -> Result<(), Fault> {
        let phase = &self.jumps;
        bounds::length("jumps.length", phase.length, false)?;
        within("jumps.batch", phase.batch, 1..=1 << 20)?;
        bounds::optimiser("jumps.optimiser", &phase.optimiser)?;
        bounds::habits("jumps", phase.warmup, phase.clip, 1)?;
        // What is imagined from one look back is a stretch of 24 steps.
        within("jumps.ahead", phase.ahead, 8..=24)?;
        within("jumps.chained_weight", phase.chained_weight, 0.0..=1000.0)?;
        within("jumps.motion_weight", phase.motion_weight, 0.0..=1000.0)
    }

    fn action_dim(&self) -> usize {
        folder::network::<LewmConfig>(&self.lewm).map_or(16, |config| config.action_dim)
    }

    fn start(&self) -> Option<&Path> {
        Some(&self.lewm)
    }

    fn check_fit(&self, _: &Given) -> Result<(), TrainError> {
        let message = "jumps are trained by the package in training/: \
                       `python -m parallax_training RECIPE --data EPISODES --out FOLDER`";
        Err(TrainError::misfit("architecture", message.into()))
    }

    fn train(&self, _: &mut Session) -> Result<Made, TrainError> {
        let message = "jumps are trained by the package in training/";
        Err(TrainError::misfit("architecture", message.into()))
    }
}
