//! Starts that make no sense: bodies under the floor, or inside each other.

use std::sync::Arc;

use rapier3d::parry::query;

use super::SimError;
use super::build::{body_shape, build, draw_start, pose};
use crate::scene::{Body, Kind, Scene};

/// Two bodies that begin inside each other, so that the first step throws them apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Overlap {
    /// Names of the two.
    pub bodies: [String; 2],
    /// How deep, metres.
    pub depth: f32,
}

/// Overlaps over this share of the thinner body's half thickness make no sense; less is pushed apart gently.
const DEEP: f32 = 0.5;

/// A body that can move and has no point above the floor, and how high its highest is, metres.
pub(super) fn buried(bodies: &[Body]) -> Option<(String, f32)> {
    bodies
        .iter()
        .filter(|b| b.kind != Kind::Fixed)
        .find_map(|b| {
            let top = body_shape(b).compute_aabb(&pose(b)).maxs.y;
            (top < 0.0).then(|| (b.name.clone(), top))
        })
}

/// The deepest overlap of two bodies at a seed's start, where one is so deep that it makes no sense.
///
/// # Errors
/// [`SimError::Crowded`] if there is no start.
pub fn overlap_at_start(scene: &Arc<Scene>, seed: u64) -> Result<Option<Overlap>, SimError> {
    let bodies = build(scene, draw_start(scene, seed)?).drawn;
    let joined = |a: &str, b: &str| {
        let mut joints = scene.joints.iter();
        joints.any(|j| (j.a == a && j.b == b) || (j.a == b && j.b == a))
    };
    let mut worst: Option<Overlap> = None;
    for (i, a) in bodies.iter().enumerate() {
        for b in &bodies[..i] {
            let fixed = |b: &Body| b.kind == Kind::Fixed;
            if (fixed(a) && fixed(b)) || joined(&a.name, &b.name) {
                continue;
            }
            let touch = query::contact(&pose(a), &*body_shape(a), &pose(b), &*body_shape(b), 0.0);
            let depth = touch.ok().flatten().map_or(0.0, |c| -c.dist);
            let thin = (a.shape.thickness() * a.size).min(b.shape.thickness() * b.size);
            if depth > DEEP * thin && worst.as_ref().is_none_or(|w| depth > w.depth) {
                let bodies = [b.name.clone(), a.name.clone()];
                worst = Some(Overlap { bodies, depth });
            }
        }
    }
    Ok(worst)
}
