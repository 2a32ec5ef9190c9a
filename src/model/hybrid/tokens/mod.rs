//! Diffusion in a JEPA's tokens: the dynamics of a latent diffusion (its network, objective and sampler)
//! over what a *frozen* V-JEPA sees, in place of an autoencoder's latents. One space for both uses, which no
//! pixel has shaped: it plans by the distance of tokens, and a decoder that was trained afterwards draws.
//!
//! `config.rs` names the choices, `projection.rs` narrows the tokens, `eye.rs` is what stands in the place of
//! the autoencoder; the rest is the latent diffusion's own code.

mod config;
mod eye;
mod projection;

use crate::model::generative::{GenerativeWorld, LatentSampler};

pub use config::{TokenDiffusionConfig, check_diffusion};
pub use eye::TokenEye;
pub use projection::Projection;

/// Action-conditioned diffusion over the patch tokens of a finished V-JEPA 2-AC (arXiv 2506.09985), as
/// RAE-NWM (arXiv 2603.09241) does over those of larger encoders.
pub type TokenDiffusion = GenerativeWorld<LatentSampler<TokenEye>>;
