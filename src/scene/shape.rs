//! The shapes of bodies and sensors, alone or joined, and how far they reach.

use serde::{Deserialize, Serialize};

use super::Colour;

/// A collider in its body's frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Shape {
    /// Sphere.
    Ball {
        /// Metres.
        radius: f32,
    },
    /// Box.
    Cuboid {
        /// Half extents, metres.
        half: [f32; 3],
    },
    /// Upright cylinder.
    Cylinder {
        /// Half height, metres.
        half_height: f32,
        /// Metres.
        radius: f32,
    },
    /// Upright capsule.
    Capsule {
        /// Half height of the cylindrical part, metres.
        half_height: f32,
        /// Metres.
        radius: f32,
    },
    /// Convex hull of points.
    Convex {
        /// 4 to 64 points, metres.
        points: Vec<[f32; 3]>,
    },
    /// Several shapes fixed to each other.
    Compound {
        /// 1 to 16 parts, none of them a compound.
        parts: Vec<Part>,
    },
}

/// One part of a compound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its shape.
    pub shape: Shape,
    /// Its centre in the body's frame, metres.
    pub position: [f32; 3],
    /// Rotation in the body's frame about x, y and z, degrees: z first, then x, then y.
    #[serde(default, skip_serializing_if = "is_still")]
    pub rotation: [f32; 3],
    /// Its own colour, where it is not the body's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub colour: Option<Colour>,
}

impl Shape {
    /// Radius of the smallest sphere around the shape whose centre is the body's origin, metres.
    pub fn bounding_radius(&self) -> f32 {
        match self {
            Shape::Ball { radius } => *radius,
            Shape::Cuboid { half } => length(*half),
            Shape::Cylinder {
                half_height,
                radius,
            } => (half_height * half_height + radius * radius).sqrt(),
            Shape::Capsule {
                half_height,
                radius,
            } => half_height + radius,
            Shape::Convex { points } => points.iter().map(|p| length(*p)).fold(0.0, f32::max),
            Shape::Compound { parts } => parts
                .iter()
                .map(|p| length(p.position) + p.shape.bounding_radius())
                .fold(0.0, f32::max),
        }
    }

    /// A length that stands for the body's size in success tests: the side of a cube, the diameter of a
    /// ball, metres.
    pub fn size(&self) -> f32 {
        match self {
            Shape::Ball { radius }
            | Shape::Cylinder { radius, .. }
            | Shape::Capsule { radius, .. } => 2.0 * radius,
            Shape::Cuboid { half: [x, _, z] } => x + z,
            Shape::Convex { .. } | Shape::Compound { .. } => 1.4 * self.bounding_radius(),
        }
    }

    /// Half of how thick it is at its thinnest, metres: what moves further in a step may pass through it.
    pub fn thickness(&self) -> f32 {
        match self {
            Shape::Ball { radius } | Shape::Capsule { radius, .. } => *radius,
            Shape::Cuboid { half } => half[0].min(half[1]).min(half[2]),
            Shape::Cylinder {
                half_height,
                radius,
            } => half_height.min(*radius),
            Shape::Convex { points } => {
                let extent = |axis: usize| {
                    let along = points.iter().map(|p| p[axis]);
                    along.clone().fold(f32::MIN, f32::max) - along.fold(f32::MAX, f32::min)
                };
                0.5 * extent(0).min(extent(1)).min(extent(2))
            }
            Shape::Compound { parts } => parts
                .iter()
                .map(|p| p.shape.thickness())
                .fold(f32::MAX, f32::min),
        }
    }

    /// Half its height when it stands upright: how far its centre is above the floor, metres.
    pub fn half_height(&self) -> f32 {
        match self {
            Shape::Ball { radius } => *radius,
            Shape::Cuboid { half } => half[1],
            Shape::Cylinder { half_height, .. } => *half_height,
            Shape::Capsule {
                half_height,
                radius,
            } => half_height + radius,
            Shape::Convex { points } => points.iter().map(|p| -p[1]).fold(0.0, f32::max),
            Shape::Compound { parts } => parts
                .iter()
                .map(|p| p.shape.half_height() - p.position[1])
                .fold(0.0, f32::max),
        }
    }

    /// The same shape with all lengths multiplied.
    pub fn scaled(&self, factor: f32) -> Shape {
        match self {
            Shape::Ball { radius } => Shape::Ball {
                radius: radius * factor,
            },
            Shape::Cuboid { half } => Shape::Cuboid {
                half: half.map(|h| h * factor),
            },
            Shape::Cylinder {
                half_height,
                radius,
            } => Shape::Cylinder {
                half_height: half_height * factor,
                radius: radius * factor,
            },
            Shape::Capsule {
                half_height,
                radius,
            } => Shape::Capsule {
                half_height: half_height * factor,
                radius: radius * factor,
            },
            Shape::Convex { points } => Shape::Convex {
                points: points.iter().map(|p| p.map(|c| c * factor)).collect(),
            },
            Shape::Compound { parts } => Shape::Compound {
                parts: parts
                    .iter()
                    .map(|p| Part {
                        shape: p.shape.scaled(factor),
                        position: p.position.map(|c| c * factor),
                        ..p.clone()
                    })
                    .collect(),
            },
        }
    }

    /// The parts of a compound, or the shape itself as its only part.
    pub fn parts(&self) -> Vec<Part> {
        match self {
            Shape::Compound { parts } => parts.clone(),
            shape => vec![Part {
                shape: shape.clone(),
                position: [0.0; 3],
                rotation: [0.0; 3],
                colour: None,
            }],
        }
    }
}

fn length(v: [f32; 3]) -> f32 {
    (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt()
}

pub(super) fn is_still(v: &[f32; 3]) -> bool {
    *v == [0.0; 3]
}
