//! Between the simulation's numbers and bevy's: the only place that converts.

use bevy::math::{Quat, Vec3};

use crate::sim::BodyState;

/// A place or direction.
pub fn vec3(v: [f32; 3]) -> Vec3 {
    Vec3::from_array(v)
}

/// A body's rotation; the identity where it is not finite or not a rotation.
pub fn rotation(state: &BodyState) -> Quat {
    let q = Quat::from_array(state.rotation);
    if q.is_finite() && q.length_squared() > 0.5 {
        q.normalize()
    } else {
        Quat::IDENTITY
    }
}

/// A place between two states and a rotation between theirs, `share` in [0, 1].
pub fn between(a: &BodyState, b: &BodyState, share: f32) -> (Vec3, Quat) {
    (
        vec3(a.position).lerp(vec3(b.position), share),
        rotation(a).slerp(rotation(b), share),
    )
}

/// A rotation in a body's frame, degrees about x, y and z: z first, then x, then y, as scenes write it.
pub fn part_rotation([x, y, z]: [f32; 3]) -> Quat {
    let [x, y, z] = [x, y, z].map(f32::to_radians);
    Quat::from_rotation_y(y) * Quat::from_rotation_x(x) * Quat::from_rotation_z(z)
}

/// The convex hull of points: corners of its triangles, three a triangle.
pub fn hull(points: &[[f32; 3]]) -> Vec<[f32; 3]> {
    use rapier3d::parry::transformation::try_convex_hull;
    let points: Vec<_> = points
        .iter()
        .map(|&p| rapier3d::prelude::Vector::from(p))
        .collect();
    try_convex_hull(&points).map_or_else(
        |_| Vec::new(),
        |(corners, triangles)| {
            let corner = |i: u32| corners[i as usize].into();
            triangles.iter().flatten().map(|&i| corner(i)).collect()
        },
    )
}

/// A pose as the simulation writes it, at rest.
pub fn body_state((at, turn): &(Vec3, Quat)) -> BodyState {
    BodyState {
        position: at.to_array(),
        rotation: turn.to_array(),
        ..BodyState::default()
    }
}
