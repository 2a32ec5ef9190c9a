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
pub use trainer::{DiffusionOptions, DiffusionOutcome, loss, train_pixel_diffusion};
pub(super) use trainer::{check_fit, train, unfinished_card};
pub use validate::{Clip, STEPS, Validation, clips, validate};
