//! Where everything is in the moment shown.

use bevy::prelude::*;

use super::stands::Stands;
use crate::app::convert;
use crate::app::state::{Cursor, State};
use crate::scene::Kind;
use crate::sim::CONTROL_HZ;

/// Poses of all bodies; live, they glide from the moment before to the newest one.
pub(super) fn poses(state: &State, since: f32) -> Option<Vec<(Vec3, Quat)>> {
    let shown = state.shown();
    let to = state.record.moments.get(shown)?;
    let paused_at = matches!(state.cursor, Cursor::At(_)) && !state.playing;
    let glides = state.playing && !paused_at && shown > 0;
    let from = if glides {
        state.record.moments.get(shown - 1)?
    } else {
        to
    };
    let share = if glides {
        (since * CONTROL_HZ as f32 * state.speed).clamp(0.0, 1.0)
    } else {
        1.0
    };
    let pairs = from.state.bodies.iter().zip(&to.state.bodies);
    Some(pairs.map(|(a, b)| convert::between(a, b, share)).collect())
}

/// Where a thing is in the moment shown; `None` where it is not to be seen.
pub(super) fn where_is(stands: Stands, state: &State, poses: &[(Vec3, Quat)]) -> Option<Transform> {
    let scene = state.scene.as_ref()?;
    match stands {
        // A soft body's surface is in world metres already.
        Stands::Body(i) if scene.bodies.get(i)?.kind == Kind::Soft => Some(Transform::IDENTITY),
        Stands::Body(i) if state.shown_moment()?.hidden.contains(&i) => None,
        Stands::Body(i) => poses
            .get(i)
            .map(|(at, turn)| Transform::from_translation(*at).with_rotation(*turn)),
        Stands::Ring(i) => {
            let goal = state.record.goal.as_ref()?;
            let [x, y, z] = goal.state.targets.get(i)?.position;
            let level = if goal.state.task.vertical { y } else { 0.006 };
            Some(Transform::from_xyz(x, level, z))
        }
        Stands::Shadow(i) => {
            let body = scene.bodies.get(i)?;
            if state.shown_moment()?.hidden.contains(&i) {
                return None;
            }
            let (at, _) = poses.get(i)?;
            let size = body.shape.size() * body.size;
            // The higher a body is, the less it darkens the ground under it.
            let above = (at.y - 0.5 * size).max(0.0);
            let near = 1.0 - above / (1.5 * size).max(1e-3);
            (near > 0.05).then(|| {
                let wide = 0.85 * size * near.sqrt();
                Transform::from_xyz(at.x, 0.002, at.z).with_scale(Vec3::new(wide, 1.0, wide))
            })
        }
    }
}
