//! A camera at its place: rays, the distance of the floor along each, and the picture of the empty scene.

use rapier3d::prelude::Vector;

use super::View;
use super::floor;
use super::solid::Solid;
use crate::scene::{CameraSpec, Floor, Scene};

/// Part of the light that reaches shadows and turned-away faces.
const AMBIENT: f32 = 0.5;
const SKY_RGB: [f32; 3] = [168.0, 178.0, 190.0];

/// Everything of a look that does not depend on the bodies.
pub(super) struct Rig {
    pub size: usize,
    /// Samples a pixel along each axis.
    pub samples: usize,
    pub origin: Vector,
    right: Vector,
    up: Vector,
    forward: Vector,
    half_tan: f32,
    pub to_sun: Vector,
    /// Unit ray directions `[S, S]`, S = size × samples, and the floor's distance along each (infinite:
    /// sky).
    pub rays: Vec<Vector>,
    pub floor: Vec<f32>,
    /// The floor's colour before light: one, or one a sample.
    floor_rgb: Vec<[f32; 3]>,
    /// The empty scene, once it was drawn.
    pub backdrop: View,
}

/// Samples of the picture: columns, then rows, each half open.
#[derive(Clone, Copy)]
pub(super) struct Area {
    pub columns: [usize; 2],
    pub rows: [usize; 2],
}

impl Rig {
    /// The scene's camera, moved by `shift`, before the empty scene is drawn.
    pub fn new(scene: &Scene, size: usize, samples: usize, shift: [f32; 3]) -> Self {
        let c: &CameraSpec = &scene.camera;
        let origin = Vector::from(scene.camera_position()) + Vector::from(shift);
        let forward = (Vector::from(c.target) - origin).normalize();
        let world_up = if forward.y.abs() > 0.999 {
            -Vector::Z
        } else {
            Vector::Y
        };
        let right = forward.cross(world_up).normalize();
        let up = right.cross(forward);
        let half = c.fov_degrees.to_radians() * 0.5;
        let half_tan = libm::sinf(half) / libm::cosf(half);
        let side = size * samples;
        let mut rays = Vec::with_capacity(side * side);
        let mut floor = Vec::with_capacity(side * side);
        for row in 0..side {
            for column in 0..side {
                let u = ((column as f32 + 0.5) / side as f32 * 2.0 - 1.0) * half_tan;
                let v = (1.0 - (row as f32 + 0.5) / side as f32 * 2.0) * half_tan;
                let ray = (forward + right * u + up * v).normalize();
                rays.push(ray);
                floor.push(if ray.y < -1e-6 {
                    -origin.y / ray.y
                } else {
                    f32::INFINITY
                });
            }
        }
        let rig = Self {
            size,
            samples,
            origin,
            right,
            up,
            forward,
            half_tan,
            to_sun: -Vector::from(scene.sun).normalize(),
            rays,
            floor,
            floor_rgb: Vec::new(),
            backdrop: View::default(),
        };
        Self {
            floor_rgb: rig.paint_floor(scene.floor),
            ..rig
        }
    }

    fn paint_floor(&self, pattern: Floor) -> Vec<[f32; 3]> {
        if pattern == Floor::Plain {
            return vec![floor::colour(pattern, Vector::ZERO, [0.0; 2])];
        }
        // What a sample spans: the box around a step to the next ray along both axes of the picture.
        let step = 2.0 * self.half_tan / (self.size * self.samples) as f32;
        self.rays
            .iter()
            .zip(&self.floor)
            .map(|(&ray, &distance)| {
                if !distance.is_finite() {
                    return SKY_RGB;
                }
                // At depth z along the axis, a step of the picture is `right · step · z`, which slides
                // along the ray to the floor.
                let z = distance * ray.dot(self.forward);
                let slide = |axis: Vector| (axis - ray * (axis.y / ray.y)) * (step * z);
                let (a, b) = (slide(self.right), slide(self.up));
                let width = [a.x.abs() + b.x.abs(), a.z.abs() + b.z.abs()];
                floor::colour(pattern, self.origin + ray * distance, width)
            })
            .collect()
    }

    /// Side of the picture in samples.
    pub fn side(&self) -> usize {
        self.size * self.samples
    }

    /// What a sample shows that no body covers, its distance and normal apart.
    pub fn empty(&self, at: usize, shaded: bool) -> [f32; 3] {
        if !self.floor[at].is_finite() {
            return SKY_RGB;
        }
        let rgb = match self.floor_rgb[..] {
            [one] => one,
            ref each => each[at],
        };
        let facing = Vector::Y.dot(self.to_sun);
        lit(rgb, if facing > 0.0 && !shaded { facing } else { 0.0 })
    }

    /// The samples that a solid can cover.
    pub fn cover(&self, solid: &Solid, corners: &[Vector; 8]) -> Option<Area> {
        if (solid.centre - self.origin).dot(self.forward) < -solid.radius {
            return None;
        }
        self.around(corners)
    }

    /// The samples whose floor a solid can shade. The sun projects onto the floor along straight lines, so
    /// the shadow lies within the shadows of the corners.
    pub fn shadow(&self, corners: &[Vector; 8]) -> Option<Area> {
        self.around(&corners.map(|c| c - self.to_sun * (c.y / self.to_sun.y)))
    }

    /// The smallest area that holds these points and what lies between them; everything, if any is not
    /// clearly in front.
    fn around(&self, points: &[Vector; 8]) -> Option<Area> {
        let side = self.side();
        let whole = Some(Area {
            columns: [0, side],
            rows: [0, side],
        });
        let middle = side as f32 * 0.5;
        let scale = middle / self.half_tan;
        let (mut low, mut high) = ([f32::INFINITY; 2], [f32::NEG_INFINITY; 2]);
        for &p in points {
            let d = p - self.origin;
            let z = d.dot(self.forward);
            if z.is_nan() || z <= 0.02 {
                return whole;
            }
            let at = [
                middle + d.dot(self.right) / z * scale,
                middle - d.dot(self.up) / z * scale,
            ];
            for axis in 0..2 {
                low[axis] = low[axis].min(at[axis]);
                high[axis] = high[axis].max(at[axis]);
            }
        }
        // A sample to spare, for rounding.
        let clamp = |p: f32| p.clamp(0.0, side as f32) as usize;
        let range = |axis: usize| {
            [
                clamp((low[axis] - 1.0).floor()),
                clamp((high[axis] + 1.0).ceil()),
            ]
        };
        let (columns, rows) = (range(0), range(1));
        (columns[0] < columns[1] && rows[0] < rows[1]).then_some(Area { columns, rows })
    }

    pub fn project(&self, world: [f32; 3]) -> Option<[f32; 2]> {
        let d = Vector::from(world) - self.origin;
        let z = d.dot(self.forward);
        if z <= 1e-4 {
            return None;
        }
        let scale = self.size as f32 * 0.5;
        let (u, v) = (
            d.dot(self.right) / (z * self.half_tan),
            d.dot(self.up) / (z * self.half_tan),
        );
        Some([(u + 1.0) * scale, (1.0 - v) * scale])
    }

    pub fn unproject(&self, pixel: [f32; 2], height: f32) -> Option<[f32; 3]> {
        let scale = self.size as f32 * 0.5;
        let (u, v) = (pixel[0] / scale - 1.0, 1.0 - pixel[1] / scale);
        let ray = self.forward + self.right * (u * self.half_tan) + self.up * (v * self.half_tan);
        let t = (height - self.origin.y) / ray.y;
        (t.is_finite() && t > 0.0).then(|| (self.origin + ray * t).into())
    }

    pub fn metres_per_pixel(&self, world: [f32; 3]) -> f32 {
        let z = (Vector::from(world) - self.origin)
            .dot(self.forward)
            .max(1e-3);
        2.0 * z * self.half_tan / self.size as f32
    }
}

/// A colour under the ambient light and that part of the sun's.
pub(super) fn lit(rgb: [f32; 3], sun: f32) -> [f32; 3] {
    let light = AMBIENT + (1.0 - AMBIENT) * sun;
    rgb.map(|c| c * light)
}
