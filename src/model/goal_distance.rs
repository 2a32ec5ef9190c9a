//! How far an imagined frame is from a goal picture: what planners that imagine pixels minimise.

use std::sync::Arc;

use super::{Card, Goal, ModelError};

/// A learned distance between frames.
pub trait FrameDistance: Send + Sync {
    /// Name, architecture, training, scenes.
    fn card(&self) -> &Card;

    /// Distance of each of `frames` (`[N, H, W, 3]` bytes of side `size`) to the goal, `[N]`.
    ///
    /// # Errors
    /// [`ModelError::Input`] where a frame does not fit.
    fn distances(&self, size: usize, frames: &[u8], goal: &Goal) -> Result<Vec<f32>, ModelError>;

    /// Floating-point operations for one frame.
    fn flops(&self) -> f64;
}

/// Which distance a generative model plans with.
#[derive(Clone, Default)]
pub enum GoalDistance {
    /// Mean squared error of pixels in [0, 1].
    PixelMse,
    /// Squared displacement of every hue that the goal shows, in units of how far that hue moves in ordinary
    /// experience: what is hard to move weighs more than the hand.
    #[default]
    ObjectColour,
    /// Mean squared error of standardised latents; for a model that imagines pixels, the same as [`GoalDistance::PixelMse`].
    Latent,
    /// Learned from experience.
    Learned(Arc<dyn FrameDistance>),
}

impl GoalDistance {
    /// The word for it in JSON.
    pub fn id(&self) -> &str {
        match self {
            Self::PixelMse => "pixels",
            Self::ObjectColour => "colours",
            Self::Latent => "latents",
            Self::Learned(distance) => &distance.card().name,
        }
    }
}
