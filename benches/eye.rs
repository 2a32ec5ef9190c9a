//! Frames a second of the models' eye and steps a second of reality, on one core.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parallax::camera::Eye;
use parallax::scene::Scene;
use parallax::sim::{Reality, SUBSTEPS};

/// Six bodies of all shapes, in the view of the manipulation scenes.
const SIX: &str = r#"Scene(
    name: "six", summary: "",
    bodies: [
        (name: "a", kind: Hand, shape: Ball(radius: 0.07), colour: Vermillion, position: (0.0, 0.08, 0.35)),
        (name: "b", kind: Dynamic, shape: Cuboid(half: (0.11, 0.11, 0.11)), colour: Blue, position: (-0.3, 0.11, 0.0), yaw: 30.0, marked: true),
        (name: "c", kind: Dynamic, shape: Ball(radius: 0.09), colour: Orange, position: (0.3, 0.09, -0.1)),
        (name: "d", kind: Dynamic, shape: Cylinder(half_height: 0.08, radius: 0.09), colour: Purple, position: (0.0, 0.08, -0.3)),
        (name: "e", kind: Dynamic, shape: Capsule(half_height: 0.06, radius: 0.07), colour: Green, position: (-0.3, 0.13, 0.35)),
        (name: "f", kind: Fixed, shape: Cuboid(half: (0.2, 0.08, 0.03)), colour: Dark, position: (0.1, 0.08, 0.1)),
    ],
    camera: (position: (0.0, 1.72, 0.46), target: (0.0, 0.0, 0.01), fov_degrees: 39.0),
    actions: Planar(max_speed: 0.4, limit: 0.45),
)"#;

/// Calls a second, the best of five runs of a second: what the core can do, not what else was going on.
fn rate(mut call: impl FnMut()) -> f64 {
    let mut best = 0.0f64;
    for _ in 0..5 {
        let (start, mut calls) = (Instant::now(), 0u32);
        while start.elapsed() < Duration::from_secs(1) {
            call();
            calls += 1;
        }
        best = best.max(f64::from(calls) / start.elapsed().as_secs_f64());
    }
    best
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut scenes = vec![Arc::new(Scene::parse(SIX, Path::new("six.ron"))?)];
    for name in ["push", "reach", "fall", "collide"] {
        scenes.push(Arc::new(parallax::scene::load(name)?));
    }
    println!(
        "{:<10} {:>6} {:>14} {:>18}",
        "scene", "bodies", "eye, frames/s", "physics, steps/s"
    );
    for scene in scenes {
        let eye = Eye::standard(&scene)?;
        let mut reality = Reality::new(&scene, 0)?;
        let frames = rate(|| drop(black_box(eye.look(black_box(&reality)))));
        reality.act(&[0.3, -0.3]);
        let steps = rate(|| reality.step()) * f64::from(SUBSTEPS);
        println!(
            "{:<10} {:>6} {frames:>14.0} {steps:>18.0}",
            scene.name,
            scene.bodies.len()
        );
    }
    println!("64x64 pixels, 2x2 samples, one shadow; wanted with 6 bodies: at least 250 frames/s");
    Ok(())
}
