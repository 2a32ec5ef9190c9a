//! What entities of the view stand for.

use bevy::prelude::*;

/// Whatever belongs to the scene shown and goes with it.
#[derive(Component)]
pub struct OfScene;

/// What an entity stands for.
#[derive(Component, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stands {
    /// The body with this index.
    Body(usize),
    /// The ring of tolerance around that goal.
    Ring(usize),
    /// The dark spot under the body with this index, where it is near the ground.
    Shadow(usize),
}

/// The surface of the soft body with this index: its mesh is rewritten with each moment.
#[derive(Component, Clone, Copy)]
pub struct SoftSurface(pub(super) usize);
