//! Where everything is in the moment shown.

use bevy::prelude::*;

use super::stands::Stands;
use crate::app::convert;
use crate::app::state::{Cursor, State};
use crate::scene::{Body, Kind, Scene};
use crate::sim::CONTROL_HZ;

/// Poses of all bodies; live, they glide from the moment before to the newest one.
pub(super) fn poses(state: &State, since: f32) -> Option<Vec<(Vec3, Quat)>> {
    let shown = state.shown();
    let to = state.record.moments.get(shown)?;
    let runs = matches!(state.cursor, Cursor::Live) || state.replay.is_some();
    let glides = state.playing && runs && shown > 0;
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
        Stands::Goal(i) => {
            let goal = state.record.goal.as_ref()?;
            let target = goal.state.targets.get(i)?;
            let turn = match goal.state.task.angle_degrees {
                Some(_) => Quat::from_rotation_y(target.yaw),
                None => Quat::IDENTITY,
            };
            Some(Transform::from_translation(convert::vec3(target.position)).with_rotation(turn))
        }
        Stands::Ring(i) => {
            let goal = state.record.goal.as_ref()?;
            let [x, y, z] = goal.state.targets.get(i)?.position;
            let level = if goal.state.task.vertical { y } else { 0.006 };
            Some(Transform::from_xyz(x, level, z))
        }
        Stands::Ghost(slot, body) => ghost(state, scene, slot, body),
        Stands::Path(body, step) => path_mark(state, scene, body, step),
    }
}

fn pose_transform(body: &Body, pose: [f32; 3]) -> Option<Transform> {
    let [x, z, yaw] = pose;
    (x.is_finite() && z.is_finite()).then(|| {
        let yaw = if yaw.is_finite() { yaw } else { 0.0 };
        Transform::from_xyz(x, body.position[1], z).with_rotation(Quat::from_rotation_y(yaw))
    })
}

/// A probed body of the rollout that shows this very moment; where reality has run ahead of imagination
/// there is none.
fn ghost(state: &State, scene: &Scene, slot: usize, body: usize) -> Option<Transform> {
    if !state.show_ghosts {
        return None;
    }
    let mut probed = state.scene_panes().filter_map(|(_, p)| {
        let (at, rollout) = state.imagined(p)?;
        Some((at, rollout, rollout.imagined.states.as_ref()?))
    });
    let (at, rollout, states) = probed.nth(slot)?;
    if at.moment() != state.shown() {
        return None;
    }
    let body = scene.bodies.get(body)?;
    let column = states.bodies.iter().position(|n| *n == body.name)?;
    pose_transform(body, state.probed(rollout, column, at.k)?)
}

/// Where the plan being followed leads, as the planner's model imagines it.
fn path_mark(state: &State, scene: &Scene, body: usize, step: usize) -> Option<Transform> {
    if !state.show_ghosts || !matches!(state.cursor, Cursor::Live) {
        return None;
    }
    let path = state.decision.as_ref()?.preview.path.as_ref()?;
    let body = scene.bodies.get(body)?;
    let column = path.bodies.iter().position(|n| *n == body.name)?;
    if step >= path.steps {
        return None;
    }
    pose_transform(body, *path.at(0, step).get(column)?)
}
