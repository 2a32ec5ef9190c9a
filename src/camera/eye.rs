//! The ray caster.

use std::sync::Arc;

use rapier3d::parry::query::Ray;
use rapier3d::prelude::{Pose, Vector};

use super::View;
use crate::scene::{Scene, Shape};
use crate::sim::Reality;

/// Why an eye could not be made.
#[derive(Debug, thiserror::Error)]
#[error(
    "an eye of {size} px with {supersampling}x{supersampling} samples: expected 16 to 512 px and 1 to 4 samples a side"
)]
pub struct EyeError {
    size: usize,
    supersampling: usize,
}

/// Part of the light that reaches shadows and turned-away faces.
const AMBIENT: f32 = 0.5;
const FLOOR_RGB: [f32; 3] = [206.0, 203.0, 196.0];
const SKY_RGB: [f32; 3] = [168.0, 178.0, 190.0];
/// The mark on the +x end of a body: the same hue, darker.
const MARK: f32 = 0.55;

/// A camera for one scene; cheap to keep, `look` may be called from any thread.
pub struct Eye {
    scene: Arc<Scene>,
    size: usize,
    samples: usize,
    origin: Vector,
    right: Vector,
    up: Vector,
    forward: Vector,
    half_tan: f32,
    to_sun: Vector,
    /// Unit ray directions `[S, S]`, S = size × samples, and the floor's distance along each (infinite: sky).
    rays: Vec<Vector>,
    floor: Vec<f32>,
}

struct Hit {
    distance: f32,
    body: u8,
    normal: Vector,
    marked: bool,
}

struct Solid<'a> {
    shape: &'a dyn rapier3d::parry::shape::Shape,
    pose: Pose,
    centre: Vector,
    radius: f32,
    rgb: [f32; 3],
    mark_beyond: f32,
}

impl Eye {
    /// An eye with `size`×`size` pixels and `supersampling`² samples a pixel.
    ///
    /// # Errors
    /// [`EyeError`] outside 16..=512 pixels or 1..=4 samples.
    pub fn new(scene: &Arc<Scene>, size: usize, supersampling: usize) -> Result<Self, EyeError> {
        if !(16..=512).contains(&size) || !(1..=4).contains(&supersampling) {
            return Err(EyeError {
                size,
                supersampling,
            });
        }
        let c = &scene.camera;
        let origin = Vector::from(c.position);
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
        let side = size * supersampling;
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
        let to_sun = -Vector::from(scene.sun).normalize();
        Ok(Self {
            scene: scene.clone(),
            size,
            samples: supersampling,
            origin,
            right,
            up,
            forward,
            half_tan,
            to_sun,
            rays,
            floor,
        })
    }

    /// The eye that models are trained with: 64×64, 2×2 samples.
    ///
    /// # Errors
    /// None in practice; the signature is that of [`Eye::new`].
    pub fn standard(scene: &Arc<Scene>) -> Result<Self, EyeError> {
        Self::new(scene, super::SIZE, super::SUPERSAMPLING)
    }

    /// Side of the picture in pixels.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Looks at reality.
    pub fn look(&self, reality: &Reality) -> View {
        let side = self.size * self.samples;
        let solids: Vec<Solid> = (0..self.scene.bodies.len())
            .map(|i| self.solid(reality, i))
            .collect();
        let mut hits: Vec<Option<Hit>> = Vec::with_capacity(side * side);
        hits.resize_with(side * side, || None);
        for (index, solid) in solids.iter().enumerate() {
            self.cast_solid(solid, index as u8 + 1, side, &mut hits);
        }
        let mut view = View {
            size: self.size,
            rgb: Vec::with_capacity(self.size * self.size * 3),
            depth: Vec::with_capacity(self.size * self.size),
            ids: Vec::with_capacity(self.size * self.size),
        };
        let k = self.samples;
        let share = 1.0 / (k * k) as f32;
        for row in 0..self.size {
            for column in 0..self.size {
                let mut sum = [0.0f32; 3];
                let (mut depth, mut best_id, mut best_votes) = (f32::INFINITY, 0u8, 0usize);
                let mut ids = [0u8; 16];
                for (s, vote) in ids.iter_mut().enumerate().take(k * k) {
                    let at = (row * k + s / k) * side + column * k + s % k;
                    let (rgb, distance, id) = self.shade(at, hits[at].as_ref(), &solids);
                    for c in 0..3 {
                        sum[c] += rgb[c];
                    }
                    depth = depth.min(distance);
                    *vote = id;
                }
                for &id in &ids[..k * k] {
                    let votes = ids[..k * k].iter().filter(|&&other| other == id).count();
                    if votes > best_votes || (votes == best_votes && id > best_id) {
                        (best_id, best_votes) = (id, votes);
                    }
                }
                view.rgb.extend(sum.map(|c| (c * share + 0.5) as u8));
                view.depth.push(depth);
                view.ids.push(best_id);
            }
        }
        view
    }

    /// Pixel coordinates (x right, y down, pixel centres at .5) of a point of the world, if it is in front.
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

    /// The point at `height` metres that a pixel shows, if its ray meets that plane in front of the eye.
    pub fn unproject(&self, pixel: [f32; 2], height: f32) -> Option<[f32; 3]> {
        let scale = self.size as f32 * 0.5;
        let (u, v) = (pixel[0] / scale - 1.0, 1.0 - pixel[1] / scale);
        let ray = self.forward + self.right * (u * self.half_tan) + self.up * (v * self.half_tan);
        let t = (height - self.origin.y) / ray.y;
        (t.is_finite() && t > 0.0).then(|| (self.origin + ray * t).into())
    }

    /// Metres that one pixel spans at a point of the world.
    pub fn metres_per_pixel(&self, world: [f32; 3]) -> f32 {
        let z = (Vector::from(world) - self.origin)
            .dot(self.forward)
            .max(1e-3);
        2.0 * z * self.half_tan / self.size as f32
    }

    fn solid<'a>(&self, reality: &'a Reality, index: usize) -> Solid<'a> {
        let body = &self.scene.bodies[index];
        let collider = reality.collider(index);
        let extent_x = match &body.shape {
            Shape::Ball { radius }
            | Shape::Cylinder { radius, .. }
            | Shape::Capsule { radius, .. } => *radius,
            Shape::Cuboid { half } => half[0],
            shape => shape.bounding_radius(),
        };
        Solid {
            shape: collider.shape(),
            pose: *collider.position(),
            centre: collider.position().translation,
            radius: collider.shape().compute_local_bounding_sphere().radius() * 1.001,
            rgb: body.colour.rgb().map(f32::from),
            mark_beyond: if body.marked {
                extent_x * 0.4
            } else {
                f32::INFINITY
            },
        }
    }

    /// Casts the samples within the body's bounding sphere on screen.
    fn cast_solid(&self, solid: &Solid, id: u8, side: usize, hits: &mut [Option<Hit>]) {
        let d = solid.centre - self.origin;
        let z = d.dot(self.forward);
        let (x0, x1, y0, y1) = if z > solid.radius * 1.5 {
            // The silhouette of a sphere off the axis is an ellipse; this bound is a little wider.
            let nearest = z - solid.radius;
            let scale = side as f32 * 0.5 / self.half_tan;
            let (u, v) = (d.dot(self.right), d.dot(self.up));
            let bound = |c: f32, sign: f32| {
                let edge = c + sign * solid.radius;
                if edge * sign > 0.0 {
                    edge / nearest
                } else {
                    edge / (z + solid.radius)
                }
            };
            let middle = side as f32 * 0.5;
            let clamp = |p: f32| p.clamp(0.0, side as f32) as usize;
            (
                clamp((middle + bound(u, -1.0) * scale).floor()),
                clamp((middle + bound(u, 1.0) * scale).ceil()),
                clamp((middle - bound(v, 1.0) * scale).floor()),
                clamp((middle - bound(v, -1.0) * scale).ceil()),
            )
        } else if z < -solid.radius {
            return;
        } else {
            (0, side, 0, side)
        };
        let origin = solid.pose.inverse_transform_point(self.origin);
        let radius2 = solid.radius * solid.radius;
        let to_centre2 = d.dot(d);
        for row in y0..y1 {
            for column in x0..x1 {
                let at = row * side + column;
                let ray = self.rays[at];
                let along = d.dot(ray);
                if to_centre2 - along * along > radius2 {
                    continue;
                }
                let local = Ray::new(origin, solid.pose.rotation.inverse() * ray);
                let limit = hits[at].as_ref().map_or(self.floor[at], |h| h.distance);
                let Some(hit) = solid
                    .shape
                    .cast_local_ray_and_get_normal(&local, limit, true)
                else {
                    continue;
                };
                let marked = (origin + local.dir * hit.time_of_impact).x > solid.mark_beyond;
                let normal = solid.pose.rotation * hit.normal;
                hits[at] = Some(Hit {
                    distance: hit.time_of_impact,
                    body: id,
                    normal,
                    marked,
                });
            }
        }
    }

    fn shade(&self, at: usize, hit: Option<&Hit>, solids: &[Solid]) -> ([f32; 3], f32, u8) {
        let (rgb, distance, normal, id) = match hit {
            Some(h) => {
                let solid = &solids[h.body as usize - 1];
                let rgb = if h.marked {
                    solid.rgb.map(|c| c * MARK)
                } else {
                    solid.rgb
                };
                (rgb, h.distance, h.normal, h.body)
            }
            None if self.floor[at].is_finite() => (FLOOR_RGB, self.floor[at], Vector::Y, 0),
            None => return (SKY_RGB, f32::INFINITY, 0),
        };
        let facing = normal.dot(self.to_sun);
        let point = self.origin + self.rays[at] * distance;
        let lit = if facing > 0.0 && !self.in_shadow(point, id, solids) {
            facing
        } else {
            0.0
        };
        let light = AMBIENT + (1.0 - AMBIENT) * lit;
        (rgb.map(|c| c * light), distance, id)
    }

    /// A convex body cannot shade its own lit side, so it is skipped.
    fn in_shadow(&self, point: Vector, own: u8, solids: &[Solid]) -> bool {
        solids.iter().enumerate().any(|(i, s)| {
            if i + 1 == own as usize {
                return false;
            }
            let d = s.centre - point;
            let along = d.dot(self.to_sun);
            if along < -s.radius || d.dot(d) - along * along > s.radius * s.radius {
                return false;
            }
            let ray = Ray::new(
                s.pose.inverse_transform_point(point),
                s.pose.rotation.inverse() * self.to_sun,
            );
            s.shape.cast_local_ray(&ray, 100.0, true).is_some()
        })
    }
}
