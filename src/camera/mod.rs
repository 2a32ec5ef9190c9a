//! The models' eye: ray-cast colour, depth, instance ids and the mask of what moves.
//!
//! The eye casts rays into the very colliders that rapier simulates, so there is no second description of
//! the scene, no GPU and no driver: training and running see the same bits everywhere. One sun, one hard
//! shadow, k×k supersampling.
//!
//! `rig.rs` is the camera: its rays, and the picture of the empty scene, which is made once. `solid.rs`
//! gathers what stands in the scene; whatever else is to be drawn joins it there. `cast.rs` casts a ray
//! into one of them, `canvas.rs` draws them over the empty scene: only samples that a body or its shadow
//! can reach are looked at. `floor.rs` knows the floor's pattern.

mod canvas;
mod cast;
mod eye;
mod floor;
mod rig;
mod solid;
mod view;

pub use eye::{Eye, EyeError};
pub use view::View;

/// Side of the observations that the shipped models were trained with, in pixels.
pub const SIZE: usize = 64;
