//! What entities of the view stand for.

use bevy::prelude::*;

/// Markers on the way of a plan.
pub(super) const PATH_MARKS: usize = 32;

/// Whatever belongs to the scene shown and goes with it.
#[derive(Component)]
pub struct OfScene;

/// What an entity stands for.
#[derive(Component, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stands {
    /// The body with this index.
    Body(usize),
    /// One of the task's bodies at its goal: the number of the target.
    Goal(usize),
    /// The ring of tolerance around that goal.
    Ring(usize),
    /// A probed body: model slot, body.
    Ghost(usize, usize),
    /// A mark on the way of the plan: body, step.
    Path(usize, usize),
}

/// The surface of the soft body with this index: its mesh is rewritten with each moment.
#[derive(Component, Clone, Copy)]
pub struct SoftSurface(pub(super) usize);
