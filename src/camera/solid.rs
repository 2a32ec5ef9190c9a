//! What stands in the scene: the one place where drawable things are gathered.

use rapier3d::parry::shape::TypedShape;
use rapier3d::prelude::{Pose, SharedShape, Vector};

use crate::scene::{Body, Colour, Kind, Shape};
use crate::sim::Reality;

/// A shape at its place, ready to be drawn. A compound body is several solids of one id.
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
    /// Its place in its body, if it is one of several parts: marks are in the body's frame.
    pub part: Option<Pose>,
    /// Whether it cannot shade itself.
    pub convex: bool,
    pub moves: bool,
}

impl Solid {
    fn new(shape: SharedShape, pose: Pose, body: &Body, id: u8) -> Self {
        let sphere = shape.compute_local_bounding_sphere();
        Self {
            centre: pose.transform_point(sphere.center),
            radius: sphere.radius() * 1.001,
            convex: shape.is_convex(),
            shape,
            pose,
            rgb: bytes(body.colour),
            id,
            mark_beyond: if body.marked {
                extent_x(&body.shape) * body.size * 0.4
            } else {
                f32::INFINITY
            },
            part: None,
            moves: body.kind != Kind::Fixed,
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
        // Parry's iterative casts now and then report a hit a little off the shape; the bounding sphere
        // bounds them.
        std::array::from_fn(|i| match self.shape.as_typed_shape() {
            TypedShape::Cylinder(_) => corner(i, self.centre - around, self.centre + around),
            _ => self.pose.transform_point(corner(i, b.mins, b.maxs)),
        })
    }
}

/// Everything that the eye draws of reality, in the order of the scene's bodies.
pub(super) fn gather(reality: &Reality) -> Vec<Solid> {
    let count = reality.scene().bodies.len();
    let mut solids = Vec::with_capacity(count);
    for i in (0..count).filter(|&i| reality.is_visible(i)) {
        let (body, collider) = (reality.body(i), reality.collider(i));
        let (shape, pose, id) = (collider.shared_shape(), *collider.position(), i as u8 + 1);
        match (shape.as_compound(), &body.shape) {
            (Some(compound), Shape::Compound { parts }) => {
                for ((place, shape), part) in compound.shapes().iter().zip(parts) {
                    solids.push(Solid {
                        rgb: bytes(part.colour.unwrap_or(body.colour)),
                        part: Some(*place),
                        ..Solid::new(shape.clone(), pose * *place, body, id)
                    });
                }
            }
            _ => solids.push(Solid::new(shape.clone(), pose, body, id)),
        }
    }
    solids
}

fn extent_x(shape: &Shape) -> f32 {
    match shape {
        Shape::Ball { radius } | Shape::Cylinder { radius, .. } | Shape::Capsule { radius, .. } => {
            *radius
        }
        Shape::Cuboid { half } => half[0],
        shape => shape.bounding_radius(),
    }
}

fn bytes(colour: Colour) -> [f32; 3] {
    colour.rgb().map(f32::from)
}
