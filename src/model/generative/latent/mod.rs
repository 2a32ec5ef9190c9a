//! Diffusion in latents, in the manner of GAIA-2 (arXiv 2503.20523): `autoencoder.rs` between frames and
//! latents, `dit.rs` the causal transformer with a noise level for each frame, `flow.rs` the mathematics,
//! `imagination.rs` the steps from noise to a latent, and `sampler.rs` what the world model draws its next
//! frame with.

mod autoencoder;
mod config;
mod dit;
pub mod flow;
mod imagination;
mod sampler;

pub use autoencoder::{Autoencoder, channel_scale};
pub use config::{AutoencoderConfig, LatentDiffusionConfig};
pub use dit::{Dit, Window};
pub use imagination::Imagination;
pub use sampler::{LatentDiffusion, LatentSampler};
