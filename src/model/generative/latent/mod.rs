//! Diffusion in latents, in the manner of GAIA-2 (arXiv 2503.20523): `eye.rs` says what leads from frames to
//! latents and back, `autoencoder.rs` is such an eye (another one lies with the hybrids), `decoder.rs` draws
//! for either; `dit.rs` the causal transformer with a noise level for each frame, `flow.rs` the mathematics,
//! `imagination.rs` the steps from noise to a latent, `memory.rs` a belief that is carried beside the
//! frames of context, and `sampler.rs` what the world model draws its next
//! frame with.

mod autoencoder;
mod config;
mod decoder;
mod dit;
mod eye;
pub mod flow;
mod imagination;
mod memory;
mod sampler;

pub use autoencoder::{Autoencoder, channel_scale};
pub use config::{AutoencoderConfig, LatentDiffusionConfig};
pub use decoder::LatentDecoder;
pub use dit::{Dit, Window};
pub use eye::Eye;
pub use imagination::Imagination;
pub use memory::Memory;
pub use sampler::{LatentDiffusion, LatentSampler};
