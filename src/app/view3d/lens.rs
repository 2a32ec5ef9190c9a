//! From pixels of the 3-D view to rays in the world, and back: plain numbers, so that panels can be tested
//! without a window.

use bevy::math::Vec3;
use bevy::transform::components::Transform;

/// How the view's camera looks. Places in its picture count from 0 to 1, from the upper left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lens {
    /// Where it is, world metres.
    pub at: Vec3,
    /// Where it looks.
    pub forward: Vec3,
    right: Vec3,
    up: Vec3,
    half_tan: f32,
    aspect: f32,
}

impl Lens {
    /// A camera with a vertical field of view in radians and a picture `aspect` times as wide as high.
    pub fn new(transform: &Transform, fov: f32, aspect: f32) -> Self {
        Self {
            at: transform.translation,
            forward: *transform.forward(),
            right: *transform.right(),
            up: *transform.up(),
            half_tan: (0.5 * fov).tan(),
            aspect,
        }
    }

    /// The direction (of length one) in which a place of the picture lies.
    pub fn direction(&self, [u, v]: [f32; 2]) -> Vec3 {
        let x = (2.0 * u - 1.0) * self.half_tan * self.aspect;
        let y = (1.0 - 2.0 * v) * self.half_tan;
        (self.forward + self.right * x + self.up * y).normalize()
    }

    /// Where a point of the world is in the picture; `None` behind the camera.
    pub fn project(&self, point: Vec3) -> Option<[f32; 2]> {
        let away = point - self.at;
        let depth = away.dot(self.forward);
        if depth < 1e-3 {
            return None;
        }
        let x = away.dot(self.right) / (depth * self.half_tan * self.aspect);
        let y = away.dot(self.up) / (depth * self.half_tan);
        Some([0.5 * (x + 1.0), 0.5 * (1.0 - y)])
    }

    /// Where the line of sight through a place of the picture meets a plane, in front of the camera.
    pub fn meet(&self, place: [f32; 2], point: Vec3, normal: Vec3) -> Option<Vec3> {
        let direction = self.direction(place);
        let distance = (point - self.at).dot(normal) / direction.dot(normal);
        (distance.is_finite() && distance > 0.0).then(|| self.at + direction * distance)
    }

    /// Across the line of sight, to the right and up.
    pub fn across(&self) -> (Vec3, Vec3) {
        (self.right, self.up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_projected_lies_in_that_direction() {
        let transform = Transform::from_xyz(0.4, 1.5, 2.0).looking_at(Vec3::ZERO, Vec3::Y);
        let lens = Lens::new(&transform, 0.8, 1.6);
        let point = Vec3::new(-0.3, 0.1, 0.25);
        let place = lens.project(point).unwrap();
        let along = lens.direction(place);
        let away = (point - lens.at).normalize();
        assert!(along.dot(away) > 0.999_999, "{along} {away}");
        let met = lens.meet(place, Vec3::new(0.0, 0.1, 0.0), Vec3::Y).unwrap();
        assert!(met.distance(point) < 1e-4, "{met}");
        assert_eq!(lens.project(transform.translation * 2.0), None);
    }
}
