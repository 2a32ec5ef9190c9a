//! The eye's shortcuts change no bit: what it shows is what casting every ray at every collider gives,
//! sample by sample.

use std::sync::Arc;

use parallax::camera::{Eye, View};
use parallax::scene::{self, Floor, Scene, Shape};
use parallax::sim::{HELD_OUT_SEED, Reality};
use rapier3d::parry::query::Ray;
use rapier3d::prelude::Vector;

use crate::support::{actions, lab, view_bits};

/// Casts every sample at every collider, and from every lit point one ray to the sun at every collider.
fn plain_cast(reality: &Reality, size: usize, k: usize) -> View {
    let scene = reality.scene();
    let c = &scene.camera;
    let origin = Vector::from(c.position) + Vector::from(Eye::shift(scene, reality.seed()));
    let forward = (Vector::from(c.target) - origin).normalize();
    let right = forward.cross(Vector::Y).normalize();
    let up = right.cross(forward);
    let half = c.fov_degrees.to_radians() * 0.5;
    let tan = libm::sinf(half) / libm::cosf(half);
    let to_sun = -Vector::from(scene.sun).normalize();
    let side = size * k;
    let mut view = View {
        size,
        ..Default::default()
    };
    let bodies = 0..scene.bodies.len();
    let cast = |body: usize, from: Vector, along: Vector, limit: f32| {
        let (shape, pose) = (
            reality.collider(body).shape(),
            reality.collider(body).position(),
        );
        // Parry's iterative casts (a cylinder's) now and then report a hit that is far off the shape.
        let sphere = shape.compute_local_bounding_sphere();
        let d = pose.transform_point(sphere.center) - from;
        if d.length_squared() - d.dot(along).powi(2) > (sphere.radius() * 1.001).powi(2) {
            return None;
        }
        let ray = Ray::new(
            pose.inverse_transform_point(from),
            pose.rotation.inverse() * along,
        );
        let hit = shape.cast_local_ray_and_get_normal(&ray, limit, true)?;
        let local = ray.origin + ray.dir * hit.time_of_impact;
        Some((hit.time_of_impact, pose.rotation * hit.normal, local.x))
    };
    let sample = |row: usize, column: usize| {
        let u = ((column as f32 + 0.5) / side as f32 * 2.0 - 1.0) * tan;
        let v = (1.0 - (row as f32 + 0.5) / side as f32 * 2.0) * tan;
        let ray = (forward + right * u + up * v).normalize();
        let mut nearest = if ray.y < -1e-6 {
            -origin.y / ray.y
        } else {
            f32::INFINITY
        };
        let (mut id, mut normal) = (0usize, Vector::Y);
        let mut rgb = [206.0f32, 203.0, 196.0];
        for body in bodies.clone() {
            let Some((distance, n, local_x)) = cast(body, origin, ray, nearest) else {
                continue;
            };
            (nearest, id, normal) = (distance, body + 1, n);
            let b = reality.body(body);
            let marked = b.marked && local_x > 0.4 * half_extent(b);
            rgb = b
                .colour
                .rgb()
                .map(|c| f32::from(c) * if marked { 0.55 } else { 1.0 });
        }
        if nearest.is_infinite() {
            return ([168.0, 178.0, 190.0], nearest, 0);
        }
        let facing = normal.dot(to_sun);
        let point = origin + ray * nearest;
        let dark = facing <= 0.0
            || bodies.clone().any(|body| {
                let own = body + 1 == id;
                let convex = reality.collider(body).shape().is_convex();
                let from = if own { point + normal * 1e-3 } else { point };
                !(own && convex) && cast(body, from, to_sun, 100.0).is_some()
            });
        let light = 0.5 + 0.5 * if dark { 0.0 } else { facing };
        (rgb.map(|c| c * light), nearest, id as u8)
    };
    for pixel in 0..size * size {
        let (row, column) = (pixel / size * k, pixel % size * k);
        let samples: Vec<_> = (0..k * k)
            .map(|s| sample(row + s / k, column + s % k))
            .collect();
        for c in 0..3 {
            let sum = samples.iter().fold(0.0, |sum, s| sum + s.0[c]);
            view.rgb.push((sum / (k * k) as f32 + 0.5) as u8);
        }
        view.depth
            .push(samples.iter().fold(f32::INFINITY, |d, s| d.min(s.1)));
        let votes = |id: u8| samples.iter().filter(|s| s.2 == id).count();
        let id = (0..=scene.bodies.len() as u8)
            .max_by_key(|&id| (votes(id), id))
            .unwrap_or(0);
        view.ids.push(id);
        let moves = |i: usize| scene.moving().contains(&i);
        view.moving.push(id > 0 && moves(id as usize - 1));
    }
    view
}

fn half_extent(body: &parallax::scene::Body) -> f32 {
    body.size
        * match body.shape {
            Shape::Cuboid { half } => half[0],
            _ => body.shape.size() * 0.5,
        }
}

fn compare(scene: &Arc<Scene>, seeds: u64, steps: usize, size: usize, samples: usize) {
    let eye = Eye::new(scene, size, samples).unwrap();
    for seed in HELD_OUT_SEED..HELD_OUT_SEED + seeds {
        let mut reality = Reality::new(scene, seed).unwrap();
        for (t, action) in actions(scene, seed, steps).iter().enumerate() {
            if t % 6 == 0 {
                let (found, plain) = (eye.look(&reality), plain_cast(&reality, size, samples));
                let wrong = (0..size * size)
                    .filter(|&i| found.rgb[3 * i..3 * i + 3] != plain.rgb[3 * i..3 * i + 3])
                    .count();
                assert!(
                    found == plain && view_bits(&found) == view_bits(&plain),
                    "{}, seed {seed}, step {t}, {size} px, {samples} samples: {wrong} pixels differ",
                    scene.name
                );
            }
            reality.act(action);
            reality.step();
        }
    }
}

#[test]
fn every_scene_looks_as_a_plain_cast_of_it() {
    for name in scene::list(&scene::library_dir()) {
        let scene = Arc::new(scene::load(&name).unwrap());
        let plain = |s: &Shape| !matches!(s, Shape::Compound { .. } | Shape::Convex { .. });
        if scene.floor == Floor::Plain
            && scene
                .bodies
                .iter()
                .all(|b| plain(&b.shape) && b.soft.is_none())
        {
            compare(&scene, 3, 31, 64, scene.camera.samples);
        }
    }
}

#[test]
fn so_it_does_at_other_sizes_and_samples_and_from_a_moved_camera() {
    for (name, size, samples) in [("fall", 96, 1), ("push", 128, 3), ("collide", 64, 4)] {
        let mut scene = scene::load(name).unwrap();
        scene.camera.jitter_m = 0.05;
        compare(&Arc::new(scene), 2, 13, size, samples);
    }
}

#[test]
fn so_it_does_with_bodies_that_lie_across_each_other_and_behind_the_eye() {
    let heap = lab(
        r#"(name: "a", kind: Fixed, shape: Cylinder(half_height: 0.5, radius: 0.3), colour: Blue,
             position: (0.0, 0.4, 0.0), yaw: 20.0),
           (name: "b", kind: Fixed, shape: Cuboid(half: (1.2, 0.2, 0.1)), colour: Orange, position: (0.1,
           0.9, 0.2), yaw: 50.0, marked: true),
           (name: "c", kind: Fixed, shape: Capsule(half_height: 0.6, radius: 0.2), colour: Green,
           position: (-0.6, 0.5, 0.4)),
           (name: "d", kind: Fixed, shape: Ball(radius: 0.5), colour: Purple, position: (0.8, 1.8, 0.3)),
           (name: "e", kind: Fixed, shape: Cuboid(half: (0.5, 0.1, 3.0)), colour: Grey, position: (1.4,
           0.0, 5.0)),
           (name: "f", kind: Fixed, shape: Ball(radius: 0.4), colour: Vermillion, position: (0.0, 1.0, 7.5)),
           (name: "g", kind: Fixed, shape: Cylinder(half_height: 0.01, radius: 0.02), colour: Dark,
           position: (0.4, 0.01, 1.4)),"#,
        "sun: (-0.9, -0.3, -0.4)",
    );
    for (size, samples) in [(64, 1), (96, 2)] {
        compare(&heap, 1, 1, size, samples);
    }
}
