//! What stands in the scene: the one place where drawable things are gathered.

use rapier3d::parry::shape::TypedShape;
use rapier3d::prelude::{Pose, SharedShape, Vector};

use crate::scene::{Kind, Shape};
use crate::sim::Reality;

/// A shape at its place, ready to be drawn.
pub(super) struct Solid {
    pub shape: SharedShape,
    pub pose: Pose,
    /// Bounding sphere, world frame.
    pub centre: Vector,
    pub radius: f32,
    pub rgb: [f32; 3],
    /// Instance id, 1 upwards.
    pub id: u8,
    /// Local x beyond which the body is painted darker; infinite without a mark.
    pub mark_beyond: f32,
    /// Whether it can shade itself.
    pub convex: bool,
    pub moves: bool,
}

impl Solid {
    fn new(shape: SharedShape, pose: Pose) -> Self {
        let sphere = shape.compute_local_bounding_sphere();
        Self {
            centre: pose.transform_point(sphere.center),
            radius: sphere.radius() * 1.001,
            convex: shape.is_convex(),
            shape,
            pose,
            rgb: [0.0; 3],
            id: 0,
            mark_beyond: f32::INFINITY,
            moves: false,
        }
    }

    /// Corners of a box around it, world frame: nothing that a ray may hit is outside.
    pub fn corners(&self) -> [Vector; 8] {
        let corner = |i: usize, low: Vector, high: Vector| {
            let pick = |bit: usize| {
                if i >> bit & 1 == 0 {
                    low[bit]
                } else {
                    high[bit]
                }
            };
            Vector::new(pick(0), pick(1), pick(2))
        };
        let b = self.shape.compute_local_aabb();
        let around = Vector::splat(self.radius);
        // Parry's iterative casts now and then report a hit a little off the shape; the bounding sphere bounds them.
        std::array::from_fn(|i| match self.shape.as_support_map() {
            Some(_) if !self.is_closed_form() => {
                corner(i, self.centre - around, self.centre + around)
            }
            _ => self.pose.transform_point(corner(i, b.mins, b.maxs)),
        })
    }

    fn is_closed_form(&self) -> bool {
        matches!(
            self.shape.as_typed_shape(),
            TypedShape::Ball(_) | TypedShape::Cuboid(_) | TypedShape::Capsule(_)
        )
    }
}

/// Everything that the eye draws of reality, in the order of the scene's bodies.
pub(super) fn gather(reality: &Reality) -> Vec<Solid> {
    let bodies = &reality.scene().bodies;
    let mut solids = Vec::with_capacity(bodies.len());
    for (i, body) in bodies.iter().enumerate() {
        let collider = reality.collider(i);
        let extent_x = match body.shape {
            Shape::Ball { radius }
            | Shape::Cylinder { radius, .. }
            | Shape::Capsule { radius, .. } => radius,
            Shape::Cuboid { half } => half[0],
        };
        solids.push(Solid {
            rgb: body.colour.rgb().map(f32::from),
            id: i as u8 + 1,
            mark_beyond: if body.marked {
                extent_x * 0.4
            } else {
                f32::INFINITY
            },
            moves: body.kind != Kind::Fixed,
            ..Solid::new(collider.shared_shape().clone(), *collider.position())
        });
    }
    solids
}
