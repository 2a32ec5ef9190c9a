//! How diffusion in latents ([`crate::model::generative::LatentDiffusion`]) is trained: the autoencoder, then
//! every frame encoded once, then the transformer on what is stored. `phases.rs` holds the two phases, which
//! the diffusion over a JEPA's tokens (`recipes/tokens/`) shares.
//!
//! `recipe.rs` is the part of `train.ron`, `frames.rs` has the first phase's examples and loss, `check.rs`
//! measures the autoencoder on held-back episodes, `encoded.rs` is the experience between the phases,
//! `batch.rs` has the second phase's examples and loss.

mod batch;
mod check;
mod encoded;
mod frames;
mod phases;
mod recipe;

pub use batch::{Examples, Step, Windows, dynamics_loss};
pub use check::{Reconstruction, check_autoencoder};
pub use encoded::{Encoded, measure_scale};
pub use frames::{FrameBatch, Frames, reconstruction_loss};
pub use recipe::{AutoencoderPhase, DynamicsPhase, LatentRecipe};

pub(super) use phases::{Course, train};
pub(super) use recipe::without_belief;

use crate::model::generative::{Autoencoder, Imagination, LatentDiffusionConfig};
use crate::model::nn::Params;
use crate::model::{Camp, folder};
use crate::train::bounds::Fault;
use crate::train::data::fit as suits;
use crate::train::data::measure::hue_motion;
use crate::train::error::TrainError;
use crate::train::export::Made;
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use std::path::Path;

impl Recipe for LatentRecipe {
    fn check(&self) -> Result<(), Fault> {
        LatentRecipe::check(self)
    }

    fn action_dim(&self) -> usize {
        self.model.action_dim
    }

    fn start(&self) -> Option<&Path> {
        self.start.as_deref()
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let model = &self.model;
        suited(given, "model", model)?;
        suits::file_size(|params| {
            Autoencoder::new(model, params.pp("autoencoder"))?;
            Imagination::new(model, params.pp("dynamics"))?;
            Ok(())
        })
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        let (seed, data) = (session.given.seed, session.data);
        let mut recipe = self.clone();
        recipe.model.hue_motion = hue_motion(data);
        if let Some(folder) = recipe.start.as_ref().filter(|_| session.is_fresh()) {
            let path = folder.join(folder::WEIGHTS);
            session.params = Params::load(&path, session.device())?.drawing_missing(seed);
            session.enter(1);
        }
        let course = Course {
            config: &recipe.model,
            first: &recipe.autoencoder,
            first_name: "autoencoder",
            dynamics: &recipe.dynamics,
            camp: Camp::Generative,
            differs: "Differs from GAIA-2 (arXiv 2503.20523): one camera, an autoencoder of single frames",
        };
        train::<Autoencoder>(session, &course, |autoencoder| {
            Ok(measure_scale(data, autoencoder)?)
        })
    }
}

/// Whether experience has frames and actions as the model takes them, and enough of them; `field` is where
/// its sizes stand.
///
/// # Errors
/// [`TrainError::Misfit`] naming the field.
pub(super) fn suited(
    given: &Given,
    field: &str,
    model: &LatentDiffusionConfig,
) -> Result<(), TrainError> {
    let data = given.data;
    suits::side(data, &format!("{field}.size"), model.size)?;
    if data.action_dim != model.action_dim {
        let message = format!("found {}, expected {}", model.action_dim, data.action_dim);
        return Err(TrainError::misfit(format!("{field}.action_dim"), message));
    }
    let (train, _) = data.split_episodes(given.validation_share);
    suits::long_enough(data, &train, ("data", "training"), 2, 1)
}
