//! Training: one command reads `train.ron`, trains in phases, and leaves a model folder behind.
//!
//! `training.rs` is the door. A recipe (`recipes/`, one folder or file each) is a list of phases; a phase
//! (`phase.rs`) says what it draws and by what loss it learns; `run.rs` has the only loop, with clock, curve
//! (`curve.rs`) and checkpoint (`checkpoint.rs`). `data/` makes batches and stores of experience,
//! `readouts/` fits probes, action prior and decoder to what is frozen. `config.rs` is the file's face,
//! `bounds.rs` says which numbers make sense in it; `folder.rs` and `identity.rs` keep what stands in a
//! model folder, `export.rs` writes the finished one.
//!
//! A training of a number of steps gives the same bits on the same machine, also when it was interrupted.

mod bounds;
mod checkpoint;
mod clock;
mod config;
mod curve;
mod data;
mod error;
mod export;
mod folder;
mod identity;
mod options;
mod phase;
mod readouts;
mod recipe;
mod recipes;
mod run;
mod schedule;
mod training;

pub use clock::Clock;
pub use config::{Architecture, TrainConfig};
pub use data::ahead::ahead;
pub use data::measure::measure;
pub use data::sheet::{Clip, contact_sheet};
pub use data::validate::{Validation, clips, validate};
pub use error::TrainError;
pub use folder::has_checkpoint;
pub use options::{Outcome, TrainOptions};
pub use readouts::fit::ReadoutPhase;
pub use readouts::probing;
pub use readouts::proposal::ProposalPhase;
pub use recipes::belief::{BeliefRecipe, BeliefTraining};
pub use recipes::bench::bench_lewm_step;
pub use recipes::cloning::CloningRecipe;
pub use recipes::distance::{Counted, DistancePhase, DistanceRecipe};
pub use recipes::jumps::{JumpsPhase, JumpsRecipe};
pub use recipes::keyframes::{KeyframesPhase, KeyframesRecipe};
pub use recipes::lewm::{JointPhase, LewmRecipe, PredictorPhase};
pub use recipes::pace::Pace;
pub use recipes::remembering::{RememberingRecipe, Spans};
pub use recipes::vjepa::{ActionPhase, MaskedPhase, VjepaRecipe};
pub use recipes::{drawn, latent, pixel, tokens};
pub use schedule::Length;
pub use training::{run, run_on};
