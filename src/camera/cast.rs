//! One ray against one solid.

use rapier3d::parry::query::{Ray, RayCast as _, RayIntersection};
use rapier3d::parry::shape::{
    Ball, Capsule, ConvexPolyhedron, Cuboid, Cylinder, FeatureId, TypedShape,
};
use rapier3d::prelude::{Pose, Rotation, Vector};

use super::solid::Solid;

/// Farthest that a shadow reaches, metres.
const SHADOW_REACH: f32 = 100.0;

/// A solid in its own frame, with its shape's type found out once.
pub(super) struct Caster<'a> {
    shape: Form<'a>,
    pose: &'a Pose,
    into_local: Rotation,
}

enum Form<'a> {
    Ball(&'a Ball),
    Cuboid(&'a Cuboid),
    Capsule(&'a Capsule),
    Cylinder(&'a Cylinder),
    Convex(Vec<Plane>),
    Any(&'a dyn rapier3d::parry::shape::Shape),
}

/// A face of a convex solid: `normal · x <= offset` inside.
struct Plane {
    normal: Vector,
    offset: f32,
}

/// Where a ray meets a solid.
pub(super) struct Meeting {
    pub distance: f32,
    /// World frame.
    pub normal: Vector,
    /// The place, in the solid's frame.
    pub local: Vector,
}

impl<'a> Caster<'a> {
    pub fn new(solid: &'a Solid) -> Self {
        Self {
            shape: match solid.shape.as_typed_shape() {
                TypedShape::Ball(s) => Form::Ball(s),
                TypedShape::Cuboid(s) => Form::Cuboid(s),
                TypedShape::Capsule(s) => Form::Capsule(s),
                TypedShape::Cylinder(s) => Form::Cylinder(s),
                TypedShape::ConvexPolyhedron(s) => Form::Convex(faces(s)),
                _ => Form::Any(&*solid.shape),
            },
            pose: &solid.pose,
            into_local: solid.pose.rotation.inverse(),
        }
    }

    /// A point in the solid's frame.
    pub fn local(&self, point: Vector) -> Vector {
        self.pose.inverse_transform_point(point)
    }

    /// Where the ray from `origin` (local frame) along `ray` (world frame) meets the solid, up to `limit`.
    pub fn meet(&self, origin: Vector, ray: Vector, limit: f32) -> Option<Meeting> {
        let local = Ray::new(origin, self.into_local * ray);
        let hit: Option<RayIntersection> = match &self.shape {
            Form::Ball(s) => s.cast_local_ray_and_get_normal(&local, limit, true),
            Form::Cuboid(s) => s.cast_local_ray_and_get_normal(&local, limit, true),
            Form::Capsule(s) => s.cast_local_ray_and_get_normal(&local, limit, true),
            Form::Cylinder(s) => s.cast_local_ray_and_get_normal(&local, limit, true),
            Form::Convex(planes) => clip(planes, &local, limit),
            Form::Any(s) => s
                .cast_local_ray_and_get_normal(&local, limit, true)
                // A surface without an inside is seen from whichever side the ray comes.
                .map(|hit| match hit.normal.dot(local.dir) > 0.0 {
                    true => RayIntersection::new(hit.time_of_impact, -hit.normal, hit.feature),
                    false => hit,
                }),
        };
        hit.map(|hit| Meeting {
            distance: hit.time_of_impact,
            normal: self.pose.rotation * hit.normal,
            local: origin + local.dir * hit.time_of_impact,
        })
    }

    /// Whether the solid stands between a point and the sun (both in the world frame).
    pub fn shades(&self, point: Vector, to_sun: Vector) -> bool {
        let local = Ray::new(self.local(point), self.into_local * to_sun);
        match &self.shape {
            Form::Ball(s) => s.cast_local_ray(&local, SHADOW_REACH, true).is_some(),
            Form::Cuboid(s) => s.cast_local_ray(&local, SHADOW_REACH, true).is_some(),
            Form::Capsule(s) => s.cast_local_ray(&local, SHADOW_REACH, true).is_some(),
            Form::Cylinder(s) => s.cast_local_ray(&local, SHADOW_REACH, true).is_some(),
            Form::Convex(planes) => clip(planes, &local, SHADOW_REACH).is_some(),
            Form::Any(s) => s.cast_local_ray(&local, SHADOW_REACH, true).is_some(),
        }
    }
}

fn faces(hull: &ConvexPolyhedron) -> Vec<Plane> {
    let (points, first) = (hull.points(), hull.vertices_adj_to_face());
    hull.faces()
        .iter()
        .map(|face| Plane {
            normal: face.normal,
            offset: face
                .normal
                .dot(points[first[face.first_vertex_or_edge as usize] as usize]),
        })
        .collect()
}

/// The ray's part within all planes, in closed form.
fn clip(planes: &[Plane], ray: &Ray, limit: f32) -> Option<RayIntersection> {
    let (mut near, mut far, mut normal) = (0.0f32, limit, Vector::ZERO);
    for plane in planes {
        let room = plane.offset - plane.normal.dot(ray.origin);
        let along = plane.normal.dot(ray.dir);
        if along < -1e-12 {
            let t = room / along;
            if t > near {
                (near, normal) = (t, plane.normal);
            }
        } else if along > 1e-12 {
            far = far.min(room / along);
        } else if room < 0.0 {
            return None;
        }
        if near > far {
            return None;
        }
    }
    Some(RayIntersection::new(near, normal, FeatureId::Unknown))
}
