//! The colliders of reality as others may ask them: where a ray meets a body, how far it reaches.

use rapier3d::parry::query::Ray;
use rapier3d::parry::shape::{Shape, SupportMap};
use rapier3d::prelude::{Pose, Rotation, SharedShape, Vector};

use crate::scene::Colour;
use crate::sim::{BodyState, Reality};

/// The very shape that rapier simulates for one body (sharing it copies nothing), and how it looks.
#[derive(Clone)]
pub struct Solid {
    shape: SharedShape,
    in_body: Pose,
    /// Factor on the lengths of the scene's shape.
    pub size: f32,
    /// Its hue now.
    pub colour: Colour,
    /// A soft body's surface: triangles of the vertices in a moment's `surfaces`.
    pub surface: Option<Vec<[u32; 3]>>,
}

impl Solid {
    /// The shapes of all bodies as they are now, in the scene's order.
    pub fn all(reality: &Reality) -> Vec<Solid> {
        (0..reality.scene().bodies.len())
            .map(|i| {
                let (collider, body) = (reality.collider(i), reality.body(i));
                let (shape, in_body, surface) = if reality.is_soft(i) {
                    // It changes its form all the time: where no moment's surface is at hand, a ball of
                    // about its size stands in.
                    let radius = 0.75 * body.shape.bounding_radius() * body.size;
                    let mesh = collider.shape().as_trimesh();
                    let surface = mesh.map(|m| m.indices().to_vec());
                    (SharedShape::ball(radius), Pose::IDENTITY, surface)
                } else {
                    let in_body = collider.position_wrt_parent().copied();
                    let in_body = in_body.unwrap_or(Pose::IDENTITY);
                    (collider.shared_shape().clone(), in_body, None)
                };
                Solid {
                    shape,
                    in_body,
                    size: body.size,
                    colour: body.colour,
                    surface,
                }
            })
            .collect()
    }

    /// The surfaces of all soft bodies now: body index, vertices in world metres.
    pub fn surfaces(reality: &Reality) -> Vec<(usize, Vec<[f32; 3]>)> {
        (0..reality.scene().bodies.len())
            .filter(|&i| reality.is_soft(i))
            .filter_map(|i| {
                let collider = reality.collider(i);
                let mesh = collider.shape().as_trimesh()?;
                let at = collider.position();
                let vertices = mesh.vertices().iter().map(|&v| (at * v).into());
                Some((i, vertices.collect()))
            })
            .collect()
    }

    /// Distance in metres at which a ray (direction of length one) meets the body where `state` has it.
    pub fn cast(&self, state: &BodyState, origin: [f32; 3], direction: [f32; 3]) -> Option<f32> {
        const FAR: f32 = 100.0;
        let ray = Ray::new(Vector::from(origin), Vector::from(direction));
        self.shape
            .cast_ray(&self.pose(state), &ray, FAR, true)
            .filter(|d| d.is_finite())
    }

    /// As [`cast`](Self::cast), for a soft body with its surface as it is in a moment: vertices in world
    /// metres.
    pub fn cast_surface(
        &self,
        vertices: &[[f32; 3]],
        origin: [f32; 3],
        direction: [f32; 3],
    ) -> Option<f32> {
        let (origin, direction) = (Vector::from(origin), Vector::from(direction));
        let vertex = |i: u32| vertices.get(i as usize).map(|v| Vector::from(*v));
        // Möller and Trumbore (1997), from either side.
        let meets = |&[a, b, c]: &[u32; 3]| {
            let (a, b, c) = (vertex(a)?, vertex(b)?, vertex(c)?);
            let (ab, ac, from) = (b - a, c - a, origin - a);
            let across = direction.cross(ac);
            let volume = ab.dot(across);
            let (u, turned) = (from.dot(across) / volume, from.cross(ab));
            let v = direction.dot(turned) / volume;
            let distance = ac.dot(turned) / volume;
            let inside = u >= 0.0 && v >= 0.0 && u + v <= 1.0 && distance >= 0.0;
            inside.then_some(distance)
        };
        let triangles = self.surface.as_deref().unwrap_or_default();
        triangles.iter().filter_map(meets).reduce(f32::min)
    }

    /// The body's farthest points along a direction, in world metres: one for each convex part.
    pub fn extremes(&self, state: &BodyState, direction: [f32; 3], out: &mut Vec<[f32; 3]>) {
        farthest(
            &*self.shape,
            &self.pose(state),
            Vector::from(direction),
            out,
        );
    }

    fn pose(&self, state: &BodyState) -> Pose {
        let [x, y, z, w] = state.rotation;
        let rotation = Rotation::from_xyzw(x, y, z, w);
        Pose::from_parts(Vector::from(state.position), rotation) * self.in_body
    }
}

fn farthest(shape: &dyn Shape, pose: &Pose, direction: Vector, out: &mut Vec<[f32; 3]>) {
    if let Some(convex) = shape.as_support_map() {
        out.push(SupportMap::support_point(convex, pose, direction).into());
    } else if let Some(compound) = shape.as_compound() {
        for (in_whole, part) in compound.shapes() {
            farthest(&**part, &(*pose * *in_whole), direction, out);
        }
    } else {
        let around = shape.compute_aabb(pose);
        let corner = |axis: usize| {
            if direction[axis] < 0.0 {
                around.mins[axis]
            } else {
                around.maxs[axis]
            }
        };
        out.push([corner(0), corner(1), corner(2)]);
    }
}

impl std::fmt::Debug for Solid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Solid({:?})", self.shape.shape_type())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scene;

    #[test]
    fn a_ray_meets_a_soft_body_at_its_surface_and_not_at_a_ball_around_it() {
        let scene = Arc::new(scene::load("jelly").unwrap());
        let reality = Reality::new(&scene, 3).unwrap();
        let (solids, surfaces) = (Solid::all(&reality), Solid::surfaces(&reality));
        let (soft, vertices) = &surfaces[0];
        let solid = &solids[*soft];
        let highest = vertices.iter().map(|v| v[1]).fold(f32::MIN, f32::max);
        let [x, y, z] = reality.measure().bodies[*soft].position;
        let from_above = |x: f32| solid.cast_surface(vertices, [x, y + 2.0, z], [0.0, -1.0, 0.0]);
        let met = y + 2.0 - from_above(x).unwrap();
        assert!(met > y && met <= highest + 1e-4, "{met}, {highest}");
        let widest = vertices.iter().map(|v| v[0]).fold(f32::MIN, f32::max);
        assert!(from_above(widest - 0.002).is_some() || from_above(widest + 0.002).is_none());
        assert_eq!(from_above(widest + 0.002), None);
    }

    #[test]
    fn a_ray_meets_a_body_where_the_state_has_it() {
        let scene = Arc::new(scene::load("push").unwrap());
        let reality = Reality::new(&scene, 3).unwrap();
        let solids = Solid::all(&reality);
        let mut state = reality.measure().bodies[1];
        state.position = [0.2, 0.11, -0.1];
        state.rotation = [0.0, 0.0, 0.0, 1.0];
        let from_above = |x: f32| solids[1].cast(&state, [x, 1.0, -0.1], [0.0, -1.0, 0.0]);
        let distance = from_above(0.25).unwrap();
        assert!((distance - 0.78).abs() < 1e-4, "{distance}");
        assert_eq!(from_above(0.4), None);
        let mut far = Vec::new();
        solids[1].extremes(&state, [1.0, 1.0, 1.0], &mut far);
        assert!((far[0][0] - 0.31).abs() < 1e-4, "{far:?}");
    }
}
