//! What a world model is, and the two camps that implement it.
//!
//! Read `world_model.rs` first: the trait and the words (context, latent, rollout, goal). `card.rs` is the
//! metadata of a shipped model, `folder.rs` names the files beside it, `registry.rs` fills itself from `models/`. The camps know neither the registry
//! nor each other; whoever uses a model knows only the trait. `policy.rs` and `cloning.rs` are the baseline that acts
//! without imagining. `fingerprint.rs` asks every model one question, and its card holds the answers.

pub mod card;
pub mod cloning;
pub mod fingerprint;
pub mod folder;
pub mod generative;
pub mod goal_distance;
pub(crate) mod input;
pub mod jepa;
pub mod masked_clip;
pub mod nn;
pub mod oracle;
pub mod policy;
pub mod registry;
pub mod steps_to_go;
pub mod world_model;

pub use candle_core::Device;
pub use card::{Camp, Card};
pub use goal_distance::{FrameDistance, GoalDistance};
pub use masked_clip::MaskedClip;
pub use policy::Policy;
pub use world_model::{
    Actions, Cancel, Context, Cost, Frames, Goal, Latent, LatentRows, ModelError, ProbedStates,
    Rollouts, Slope, WorldModel,
};
