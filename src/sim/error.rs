//! What can go wrong with a world.

use crate::scene::FieldError;

/// Why a world could not be built, changed or restored.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// `apart` cannot be met by the randomisation.
    #[error(
        "scene `{scene}`, seed {seed}: no start found in {tries} draws that keeps the bodies apart; widen \
         `randomise` or lower `apart`"
    )]
    Crowded {
        /// The scene.
        scene: String,
        /// The seed.
        seed: u64,
        /// Draws that were tried.
        tries: usize,
    },
    /// A body begins where it can never meet the floor.
    #[error(
        "scene `{scene}`, seed {seed}: body `{body}` begins wholly under the floor (its highest point at \
         y = {top:.3} m), where it \
         would fall for ever; expected a start above y = 0"
    )]
    Buried {
        /// The scene.
        scene: String,
        /// The seed.
        seed: u64,
        /// The body.
        body: String,
        /// Its highest point, metres.
        top: f32,
    },
    /// An intervention names nothing that exists, or is out of bounds.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A snapshot does not belong to this scene or is damaged.
    #[error("the snapshot cannot be restored into scene `{scene}`: {message}")]
    Snapshot {
        /// The running scene.
        scene: String,
        /// What is wrong.
        message: String,
    },
}
