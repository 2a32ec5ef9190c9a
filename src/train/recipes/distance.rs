//! A distance in steps on a finished LeWM: part of a recipe. It is checked here and trained by the package in
//! `training/`, for its labels are made there.

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

/// Learns how many control steps it still takes to a goal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DistanceRecipe {
    /// Folder of the finished LeWM, which stays as it is.
    pub lewm: PathBuf,
    /// The training.
    #[serde(default)]
    pub distance: DistancePhase,
}

/// What a distance counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counted {
    /// Steps until all bodies are where the goal shows them.
    #[default]
    Together,
    /// For each body, steps until it is there; the distance is their sum.
    Each,
}

/// How the networks are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistancePhase {
    /// How long.
    pub length: Length,
    /// Pairs a batch.
    pub batch: usize,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the phase that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Networks, whose mean is the distance.
    pub members: usize,
    /// What is counted.
    pub counted: Counted,
    /// A body has arrived when it is so near to where the goal shows it, metres.
    pub within_m: f64,
    /// Steps of the predictor that latents are imagined ahead at most.
    pub ahead: usize,
    /// Share of the pairs whose first latent is imagined.
    pub imagined: f64,
}

impl Default for DistancePhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(3000),
            batch: 512,
            optimiser: AdamWConfig::default(),
            warmup: 0.03,
            clip: 1.0,
            members: 2,
            counted: Counted::Together,
            within_m: 0.05,
            ahead: 8,
            imagined: 0.5,
        }
    }
}

impl Recipe for DistanceRecipe {
    fn check(&self) -> Result<(), Fault> {
        let phase = &self.distance;
        bounds::length("distance.length", phase.length, false)?;
        within("distance.batch", phase.batch, 1..=1 << 20)?;
        bounds::optimiser("distance.optimiser", &phase.optimiser)?;
        bounds::habits("distance", phase.warmup, phase.clip, 1)?;
        within("distance.members", phase.members, 1..=16)?;
        within("distance.within_m", phase.within_m, 0.001..=10.0)?;
        within("distance.ahead", phase.ahead, 1..=64)?;
        within("distance.imagined", phase.imagined, 0.0..=1.0)
    }

    fn action_dim(&self) -> usize {
        folder::network::<LewmConfig>(&self.lewm).map_or(16, |config| config.action_dim)
    }

    fn start(&self) -> Option<&Path> {
        Some(&self.lewm)
    }

    fn check_fit(&self, _: &Given) -> Result<(), TrainError> {
        let message = "a distance in steps is labelled and trained by the package in training/: \
                       `python -m parallax_training RECIPE --data EPISODES --out FOLDER`";
        Err(TrainError::misfit("architecture", message.into()))
    }

    fn train(&self, _: &mut Session) -> Result<Made, TrainError> {
        let message = "a distance in steps is trained by the package in training/";
        Err(TrainError::misfit("architecture", message.into()))
    }
}
