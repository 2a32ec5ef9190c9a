//! Training of pixel diffusion ([`crate::model::generative`]).
//!
//! `batch.rs` prepares examples on a thread of its own, `trainer.rs` is the loop, `checkpoint.rs` keeps a killed
//! training from losing more than a few minutes, `validate.rs` measures rollouts on held-back episodes against
//! copy-last, `sheet.rs` draws them, because a loss does not show what a picture does, `measure.rs` takes the
//! data's scale, and `start.rs` begins with the weights of a finished model.

mod batch;
mod checkpoint;
mod curve;
mod measure;
mod recipe;
mod sheet;
mod start;
mod trainer;
mod validate;

pub(super) use batch::moving_ids;
pub use batch::{Batch, Batches, Request, Stage};
pub(super) use checkpoint::{Checkpoint, State};
pub(super) use measure::hue_motion;
pub use measure::measure;
pub use recipe::{DiffusionRecipe, DiffusionTraining};
pub use sheet::contact_sheet;
pub use start::start_from;
pub(super) use trainer::unfinished_card;
pub use trainer::{DiffusionOptions, DiffusionOutcome, loss, train_pixel_diffusion};
pub use validate::{Clip, STEPS, Validation, clips, validate};

use super::{Clock, Length, Outcome, TrainConfig, TrainError, TrainOptions, fit};
use crate::episode::Dataset;
use crate::model::generative::Denoiser;

/// Whether there is something to predict in frames of the right size, and the weights make a file that is
/// read again.
pub(super) fn check_fit(
    config: &TrainConfig,
    recipe: &DiffusionRecipe,
    data: &Dataset,
) -> Result<(), TrainError> {
    fit::side(data, "model.size", recipe.model.size)?;
    let (train, _) = data.split_episodes(config.validation_share);
    fit::long_enough(data, &train, ("data", "training"), 2, 1)?;
    fit::file_size(|params| Denoiser::new(&recipe.model, params.clone()).map(|_| ()))
}

/// What `train.ron` asks for.
pub(super) fn train(
    config: &TrainConfig,
    recipe: &DiffusionRecipe,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    let (steps, minutes) = match recipe.training.length {
        Length::Steps(steps) => (Some(steps as u64), None),
        Length::Minutes(planned) => (None, Some(planned)),
        Length::Skip => (None, None),
    };
    let options = DiffusionOptions {
        out: options.out.clone(),
        minutes,
        steps,
        device: options.device.clone(),
        resume: options.resume,
        clock: Clock::start(options.minutes, &options.stop),
        ..Default::default()
    };
    match train_pixel_diffusion(config, recipe, data, &options)?.is_finished {
        true => Ok(Outcome::Finished),
        false => Ok(Outcome::Paused),
    }
}
