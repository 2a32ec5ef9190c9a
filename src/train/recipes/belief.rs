//! How a belief beside the latents of a finished LeWM is trained: part of `models/NAME/train.ron`. The
//! training itself is that of `training/parallax_training/belief_phases.py`, in PyTorch: it unrolls networks
//! over dozens of observations, for which this program has no loop.

use crate::model::belief::BeliefSizes;
use crate::model::folder;
use crate::model::jepa::LewmConfig;
use crate::model::nn::AdamWConfig;
use crate::train::bounds::{self, Fault, within};
use crate::train::error::TrainError;
use crate::train::export::Made;
use crate::train::readouts::fit::ReadoutPhase;
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use crate::train::schedule::Length;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Training of the belief on stored latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeliefTraining {
    /// How long; the rate follows the spent fraction.
    pub length: Length,
    /// Windows of episodes in one optimisation step.
    pub batch: usize,
    /// Observations of a window; steps take turns with short and long ones.
    pub windows: (usize, usize),
    /// Windows of a batch from within which the future is imagined.
    pub rollouts: usize,
    /// Imagined steps of these, at most.
    pub ahead: usize,
    /// Share of windows that are laid around a body that is hidden and seen again; the others begin anywhere.
    pub hidden_share: f64,
    /// Weight of the observations about which a body is seen again; all others weigh 1.
    pub reappearance_weight: f64,
    /// Weight of the places and velocities of bodies, also of hidden ones, which the probe of single latents
    /// is to read: the simulator's truth, in training only. Latents weigh 0.3 in units of how far they move
    /// in a step.
    pub place_weight: f64,
    /// Optimiser; its rate is the peak of the cosine.
    pub optimiser: AdamWConfig,
    /// Share of the training in which the rate rises.
    pub warmup: f64,
    /// Gradients longer than this are scaled down to it.
    pub clip: f64,
}

impl Default for BeliefTraining {
    fn default() -> Self {
        Self {
            length: Length::Minutes(20.0),
            batch: 32,
            windows: (34, 56),
            rollouts: 16,
            ahead: 24,
            hidden_share: 0.7,
            reappearance_weight: 6.0,
            place_weight: 0.3,
            optimiser: AdamWConfig {
                lr: 2e-3,
                betas: (0.9, 0.99),
                ..AdamWConfig::default()
            },
            warmup: 0.03,
            clip: 1.0,
        }
    }
}

/// A LeWM, and the belief that is trained beside its latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeliefRecipe {
    /// Folder of the finished LeWM, whose weights stay as they are.
    pub lewm: PathBuf,
    /// The belief.
    #[serde(default)]
    pub belief: BeliefSizes,
    /// Its training.
    #[serde(default)]
    pub training: BeliefTraining,
    /// The probes that read latent and belief; the decoder is the LeWM's own.
    #[serde(default)]
    pub readouts: ReadoutPhase,
}

/// Who trains beliefs.
pub(super) fn elsewhere() -> TrainError {
    let message = "found a belief, which this program runs but does not train; expected `python -m \
                   parallax_training` (training/README.md)";
    TrainError::misfit("architecture", message.into())
}

impl Recipe for BeliefRecipe {
    fn check(&self) -> Result<(), Fault> {
        let sizes = self.belief.check();
        sizes.map_err(|(field, message)| (field.to_string(), message))?;
        let t = &self.training;
        let field = |name: &str| format!("training.{name}");
        bounds::length(field("length"), t.length, false)?;
        bounds::optimiser(field("optimiser"), &t.optimiser)?;
        within(field("batch"), t.batch, 1..=65_536)?;
        within(field("windows.0"), t.windows.0, 8..=1000)?;
        within(field("windows.1"), t.windows.1, 8..=1000)?;
        within(field("rollouts"), t.rollouts, 1..=t.batch)?;
        within(field("ahead"), t.ahead, 1..=1000)?;
        within(field("hidden_share"), t.hidden_share, 0.0..=1.0)?;
        within(field("warmup"), t.warmup, 0.0..=1.0)?;
        bounds::positive(field("reappearance_weight"), t.reappearance_weight, 1e6)?;
        within(field("place_weight"), t.place_weight, 0.0..=1e6)?;
        bounds::positive(field("clip"), t.clip, 1e9)?;
        self.readouts.check(64)
    }

    /// Of experience with fewer components the LeWM's are padded: all that it can take.
    fn action_dim(&self) -> usize {
        folder::network::<LewmConfig>(&self.lewm).map_or(16, |config| config.action_dim)
    }

    fn start(&self) -> Option<&Path> {
        Some(&self.lewm)
    }

    fn check_fit(&self, _: &Given) -> Result<(), TrainError> {
        Err(elsewhere())
    }

    fn train(&self, _: &mut Session) -> Result<Made, TrainError> {
        Err(elsewhere())
    }
}
