//! The generative camp: an imagination that predicts pixels.
//!
//! [`PixelDiffusion`] is an action-conditioned diffusion model in the manner of DIAMOND (arXiv 2405.12399). Read
//! `edm.rs` for the mathematics of denoising, `unet.rs` for the network, `denoiser.rs` for how the two make one frame
//! out of four, and `pixel_diffusion.rs` for the world model around them. [`LatentDiffusion`] (`latent/`) does not denoise pixels but
//! the latents of an autoencoder. Either can be trained as its own regression twin ([`Objective`]).

mod block;
mod config;
mod denoiser;
mod dials;
pub mod edm;
mod film;
mod goal;
mod input;
mod latent;
mod objective;
mod patches;
mod pixel_diffusion;
mod unet;

pub use config::PixelDiffusionConfig;
pub use denoiser::{Conditions, Denoiser};
pub use film::film;
pub use goal::{HUES, HueMotion, Objects, pixel_mse};
pub(crate) use input::interleave;
pub use latent::{
    Autoencoder, AutoencoderConfig, Dit, Imagination, LatentDiffusion, LatentDiffusionConfig,
    Window, channel_scale, flow,
};
pub use objective::Objective;
pub use patches::Patches;
pub use pixel_diffusion::PixelDiffusion;
pub use unet::UNet;
