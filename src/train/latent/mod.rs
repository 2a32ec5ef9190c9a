//! Training of diffusion in latents ([`crate::model::generative::LatentDiffusion`]): the autoencoder, then every frame encoded once,
//! then the transformer on what is stored.
//!
//! `frames.rs` are the first phase's examples, `encoded.rs` the experience between the phases, `batch.rs` the second phase's examples;
//! `trainer.rs` is the loop of both, with checkpoints, average and validation, `check.rs` measures the autoencoder on held-back
//! episodes.

mod batch;
mod check;
mod encoded;
mod frames;
mod recipe;
mod trainer;

pub use batch::{Examples, Step, Windows, dynamics_loss};
pub use check::{Reconstruction, check_autoencoder};
pub use encoded::{Encoded, measure_scale};
pub use frames::{FrameBatch, Frames, reconstruction_loss};
pub use recipe::{AutoencoderPhase, DynamicsPhase, LatentRecipe, Pace};
pub(super) use trainer::{check_fit, train};
