//! What a diffusion in latents sees and draws with.

use candle_core::{Result, Tensor};

use super::{LatentDecoder, LatentDiffusionConfig};
use crate::model::nn::Params;

/// The way from frames to standardised latents, and back: an autoencoder of its own, or a finished
/// encoder's tokens and a decoder that was trained on them. The dynamics, its objective and its sampler
/// between the two are the same.
pub trait Eye: Send + Sync + Sized + 'static {
    /// The settings of the whole model.
    type Config: Clone + Send + Sync + 'static;

    /// The subtree of the weights that its own variables lie under.
    const PART: &'static str;

    /// Whether planners measure distances to a goal in the latents, unless they choose another metric;
    /// otherwise in the pictures.
    const PLANS_IN_LATENTS: bool = false;

    /// Whether networks can be built.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    fn check(config: &Self::Config) -> std::result::Result<(), (&'static str, String)>;

    /// The sizes of latents, dynamics and decoder.
    fn latents(config: &Self::Config) -> &LatentDiffusionConfig;

    /// An eye of a model's variables; `params` is their root.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    fn of(config: &Self::Config, params: &Params) -> Result<Self>;

    /// What draws.
    fn decoder(&self) -> &LatentDecoder;

    /// Standardised latents `[N, S·S·C]` of frames `[N, H, W, 3]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn encode(&self, frames: &[u8]) -> Result<Vec<f32>>;

    /// Frames `[N, H, W, 3]` of standardised latents `[N, S·S·C]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn decode(&self, latents: &[f32]) -> Result<Vec<u8>>;

    /// What [`redraw`](Self::redraw) takes, of frames `[N, H, W, 3]`: as much of seeing as does not learn.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn look(&self, frames: &[u8]) -> Result<Tensor>;

    /// Folded frames `[N, 2S, 2S, 3p²]`, drawn again from what was seen, with `noise: [N, S, S, C]` added
    /// to the latents.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn redraw(&self, seen: &Tensor, noise: &Tensor) -> Result<Tensor>;

    /// Multiply-adds of one frame: (seeing, drawing).
    fn multiply_adds(config: &Self::Config) -> (f64, f64);
}
