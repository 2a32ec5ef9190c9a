//! Training.
pub mod diffusion;
