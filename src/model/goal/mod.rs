//! How far an imagined moment is from a goal picture: what planners minimise.
//!
//! `colours.rs` compares where each hue is in two pictures.

mod colours;

use std::sync::Arc;

use rayon::prelude::*;

pub use colours::{HUES, HueMotion, Objects};

use super::{Camp, Card, Frames, Goal, ModelError};

/// A learned distance between frames.
pub trait FrameDistance: Send + Sync {
    /// Name, architecture, training, scenes.
    fn card(&self) -> &Card;

    /// Distance of each frame to the goal, `[N · T]`.
    ///
    /// # Errors
    /// [`ModelError::Input`] where a frame does not fit.
    fn distances(&self, frames: &Frames, goal: &Goal) -> Result<Vec<f32>, ModelError>;

    /// Floating-point operations for one frame.
    fn flops(&self) -> f64;
}

/// Which distance a planner minimises: chosen by whoever plans, and handed to the model with the rollouts.
#[derive(Clone, Default)]
pub enum Metric {
    /// What the model was made to plan with: colours for models that imagine pixels, latents for JEPAs.
    #[default]
    Own,
    /// Mean squared error of pixels in [0, 1].
    Pixels,
    /// Squared displacement of every hue that the goal shows, in units of how far that hue moves in ordinary
    /// experience ([`HueMotion`]): what is hard to move weighs more than the hand.
    Colours,
    /// Distance of the model's own latents; for a model that imagines pixels directly, the same as
    /// [`Metric::Pixels`].
    Latents,
    /// Control steps that are still needed, as a head on a model's latents learned from time.
    Temporal,
    /// Learned from experience.
    Learned(Arc<dyn FrameDistance>),
}

impl Metric {
    /// By what a model that shows pictures plans unless something else is asked for: a hybrid in its
    /// latents, which it need not draw for that, others by where each colour is.
    pub fn of_pictures(camp: Camp) -> Self {
        match camp {
            Camp::Hybrid => Self::Latents,
            Camp::Jepa | Camp::Generative | Camp::Reference => Self::Colours,
        }
    }

    /// The word for it in JSON.
    pub fn id(&self) -> &str {
        match self {
            Self::Own => "own",
            Self::Pixels => "pixels",
            Self::Colours => "colours",
            Self::Latents => "latents",
            Self::Temporal => "temporal",
            Self::Learned(distance) => &distance.card().name,
        }
    }

    /// Distance of every frame to the goal, `[N · T]`, by a metric of pictures; `usual` is how far hues
    /// move in ordinary experience.
    ///
    /// # Errors
    /// Those of a learned distance.
    pub fn of_frames(
        &self,
        frames: &Frames,
        goal: &Goal,
        usual: &HueMotion,
    ) -> Result<Vec<f32>, ModelError> {
        let goal_frame = &goal.frame;
        let all = frames
            .data
            .par_chunks((3 * frames.size * frames.size).max(1));
        Ok(match self {
            Self::Pixels | Self::Latents => all.map(|f| pixel_mse(f, &goal_frame.data)).collect(),
            Self::Own | Self::Colours => {
                let wanted = Objects::find(&goal_frame.data, goal_frame.size);
                all.map(|f| Objects::find(f, frames.size).distance(&wanted, usual))
                    .collect()
            }
            Self::Temporal => {
                let message = "is a distance of latents and measures no pictures; expected `colours`, \
                               `pixels` or a learned distance of pictures";
                return Err(ModelError::input("temporal", message));
            }
            Self::Learned(learned) => learned.distances(frames, goal)?,
        })
    }
}

/// Mean squared error of two frames of bytes, in units of [0, 1].
pub fn pixel_mse(a: &[u8], b: &[u8]) -> f32 {
    let total: u64 = a
        .iter()
        .zip(b)
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
        .sum();
    total as f32 / (a.len().max(1) as f32 * 255.0 * 255.0)
}
