//! The models' eye: ray-cast colour, depth and instance ids.
//!
//! The eye casts rays into the very colliders that rapier simulates, so there is no second description of
//! the scene, no GPU and no driver: training and running see the same bits everywhere. Work is
//! bounded by each body's extent on screen; the floor is solved in closed form and cached. One sun,
//! one hard shadow, k×k supersampling.

mod eye;
mod view;

pub use eye::{Eye, EyeError};
pub use view::View;

/// Side of an observation in pixels.
pub const SIZE: usize = 64;
/// Samples a pixel along each axis.
pub const SUPERSAMPLING: usize = 2;
