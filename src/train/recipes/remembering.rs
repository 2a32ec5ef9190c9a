//! How a latent diffusion is given a belief: part of `models/NAME/train.ron`. The training itself is that of
//! `training/parallax_training/remembering_phases.py`, in PyTorch, like that of a LeWM's belief
//! (`belief.rs`).

use crate::model::belief::BeliefSizes;
use crate::model::folder;
use crate::model::generative::LatentDiffusionConfig;
use crate::train::bounds::{self, Fault, within};
use crate::train::error::TrainError;
use crate::train::export::Made;
use crate::train::recipe::Recipe;
use crate::train::recipes::belief::elsewhere;
use crate::train::recipes::latent::DynamicsPhase;
use crate::train::run::{Given, Session};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What windows of episodes are watched, and what in them weighs more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spans {
    /// Observations of a window; steps take turns with short and long ones.
    pub windows: (usize, usize),
    /// Moments of a window that are denoised in one step.
    pub moments: usize,
    /// Share of windows that are laid around a body that is hidden and seen again; the others begin anywhere.
    pub hidden_share: f64,
    /// How much likelier the moments about which a body is seen again are denoised than others.
    pub reappearance_weight: f64,
    /// Weight of the places and velocities of bodies, also of hidden ones, that a probe is to read from the
    /// belief: the simulator's truth, in training only.
    pub place_weight: f64,
}

impl Default for Spans {
    fn default() -> Self {
        Self {
            windows: (34, 56),
            moments: 2,
            hidden_share: 0.7,
            reappearance_weight: 6.0,
            place_weight: 0.3,
        }
    }
}

/// A finished latent diffusion, and the belief that is trained beside its frames of context.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RememberingRecipe {
    /// Folder of the finished latent diffusion: its autoencoder stays as it is, its dynamics goes on.
    pub diffusion: PathBuf,
    /// The belief.
    #[serde(default)]
    pub belief: BeliefSizes,
    /// How the dynamics goes on: `batch` counts windows, and in its last part the belief is carried along
    /// `self_rolled_steps` imagined frames.
    #[serde(default)]
    pub dynamics: DynamicsPhase,
    /// What is watched.
    #[serde(default)]
    pub spans: Spans,
}

impl Recipe for RememberingRecipe {
    fn check(&self) -> Result<(), Fault> {
        let sizes = self.belief.check();
        sizes.map_err(|(field, message)| (field.to_string(), message))?;
        self.dynamics.check("dynamics")?;
        let s = &self.spans;
        let field = |name: &str| format!("spans.{name}");
        within(field("windows.0"), s.windows.0, 12..=1000)?;
        within(field("windows.1"), s.windows.1, 12..=1000)?;
        within(field("moments"), s.moments, 1..=64)?;
        within(field("hidden_share"), s.hidden_share, 0.0..=1.0)?;
        bounds::positive(field("reappearance_weight"), s.reappearance_weight, 1e6)?;
        within(field("place_weight"), s.place_weight, 0.0..=1e6)
    }

    /// Of experience with fewer components the diffusion's are padded: all that it can take.
    fn action_dim(&self) -> usize {
        folder::network::<LatentDiffusionConfig>(&self.diffusion).map_or(16, |c| c.action_dim)
    }

    fn start(&self) -> Option<&Path> {
        Some(&self.diffusion)
    }

    fn check_fit(&self, _: &Given) -> Result<(), TrainError> {
        Err(elsewhere())
    }

    fn train(&self, _: &mut Session) -> Result<Made, TrainError> {
        Err(elsewhere())
    }
}
