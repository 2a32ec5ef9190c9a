//! Hybrids of the two camps: the thesis' counter-evidence, which gets the same fair chance.
//!
//! [`DrawnLewm`] imagines as LeWM does, in latents, and lets a diffusion decoder draw them: one dynamics for
//! both uses. It plans with LeWM's distance and pays for pictures only where somebody looks at them.
//!
//! `config.rs` names the choices, `painter.rs` turns a latent into a map that the decoder sees, `world.rs` is
//! the [`WorldModel`](crate::model::WorldModel).
//!
//! [`TokenDiffusion`] (`tokens/`) is a diffusion in latents whose latents are a frozen V-JEPA's tokens.

mod config;
mod painter;
mod tokens;
mod world;

pub use config::{DrawnConfig, check_decoder};
pub use painter::Painter;
pub use tokens::{Projection, TokenDiffusion, TokenDiffusionConfig, TokenEye, check_diffusion};
pub use world::{DrawnLewm, conditions};
