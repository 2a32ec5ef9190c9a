//! What a world model is, and the two camps that implement it.
//!
//! Read `terms.rs` first, the words (context, latent, rollout, goal), then `world_model.rs`, the trait,
//! then `facets.rs`: what a model may be able to do besides. `belief.rs` sizes what either camp may carry.
//! `goal/` measures how far an imagined moment is from a goal picture. `card.rs` is the metadata of a
//! shipped model, `folder.rs` names the files beside it, `architecture.rs` the one table of what can be
//! trained and loaded, and `registry.rs` fills itself from `models/`. The camps know neither the table nor
//! each other; whoever uses a model knows only the trait. `policy.rs` and `cloning.rs` are the baseline
//! that acts without imagining. `fingerprint.rs` asks every model one question, and its card holds the
//! answers.

pub mod architecture;
pub mod belief;
mod cancel;
pub mod card;
pub mod cloning;
mod error;
pub mod facets;
pub mod fingerprint;
pub mod folder;
mod frame;
pub mod generative;
pub mod goal;
pub mod hybrid;
pub(crate) mod input;
pub mod jepa;
pub mod masked_clip;
pub mod nn;
pub mod oracle;
pub mod policy;
pub mod registry;
mod sampled;
pub mod steps_to_go;
mod terms;
pub mod world_model;

pub use cancel::Cancel;
pub use candle_core::Device;
pub use card::{Camp, Card, Stage};
pub use error::ModelError;
pub use facets::{Effort, Facets, LatentRows, ProbedStates, Slope};
pub use frame::{Frame, Frames};
pub use goal::{FrameDistance, Metric};
pub use masked_clip::MaskedClip;
pub use policy::Policy;
pub use sampled::Sampled;
pub use terms::{Actions, Context, Cost, Goal, Latent, Rollouts, Sampling, Shape};
pub use world_model::{WorldModel, futures, imagined_frames, require};
