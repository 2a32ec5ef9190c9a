//! The generative camp: an imagination that predicts pixels.
//!
//! [`PixelDiffusion`] is an action-conditioned diffusion model in the manner of DIAMOND (arXiv
//! 2405.12399). Read `edm.rs` for the mathematics of denoising, `unet.rs` for the network, and
//! `denoiser.rs` for how the two make one frame out of four. [`LatentDiffusion`] (`latent/`) does not
//! denoise pixels but the latents of an autoencoder. Both are samplers (`sampler.rs`) in the same world
//! model (`world.rs`), and either can be trained as its own regression twin ([`Objective`]).

mod block;
mod config;
mod denoiser;
pub mod edm;
mod input;
mod latent;
mod objective;
mod patches;
mod pixel_diffusion;
mod sampler;
mod unet;
mod world;

pub use config::PixelDiffusionConfig;
pub use denoiser::Denoiser;
pub(crate) use input::interleave;
pub use latent::{
    Autoencoder, AutoencoderConfig, Dit, Eye, Imagination, LatentDecoder, LatentDiffusion,
    LatentDiffusionConfig, LatentSampler, Memory, Window, channel_scale, flow,
};
pub use objective::Objective;
pub use patches::Patches;
pub use pixel_diffusion::{PixelDiffusion, PixelSampler};
pub use sampler::{History, Layout, Moment, Sampler, Work};
pub use unet::{Conditions, UNet};
pub use world::GenerativeWorld;
