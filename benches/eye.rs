//! Frames a second of the models' eye and steps a second of reality, on one core.
//!
//! `cargo bench --no-default-features --bench eye` prints a table; with `-- --json` it prints, for the six
//! bodies alone, rates and the poses that `benches/peers.py` gives to PyBullet and MuJoCo.

use std::error::Error;
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
        (name: "b", kind: Dynamic, shape: Cuboid(half: (0.11, 0.11, 0.11)), colour: Blue,
        position: (-0.3, 0.11, 0.0), yaw: 30.0, marked: true),
        (name: "c", kind: Dynamic, shape: Ball(radius: 0.09), colour: Orange, position: (0.3, 0.09, -0.1)),
        (name: "d", kind: Dynamic, shape: Cylinder(half_height: 0.08, radius: 0.09), colour: Purple,
        position: (0.0, 0.08, -0.3)),
        (name: "e", kind: Dynamic, shape: Capsule(half_height: 0.06, radius: 0.07), colour: Green,
        position: (-0.3, 0.13, 0.35)),
        (name: "f", kind: Fixed, shape: Cuboid(half: (0.2, 0.08, 0.03)), colour: Dark, position: (0.1,
        0.08, 0.1)),
    ],
    camera: (position: (0.0, 1.72, 0.46), target: (0.0, 0.0, 0.01), fov_degrees: 39.0),
    actions: Planar(max_speed: 0.4, limit: 0.45),
)"#;

/// Calls a second, the best of five runs of 0.6 s: what the core can do, not what else was going on.
fn rate(mut call: impl FnMut()) -> f64 {
    let mut best = 0.0f64;
    for _ in 0..5 {
        let (start, mut calls) = (Instant::now(), 0u32);
        while start.elapsed() < Duration::from_millis(600) {
            call();
            calls += 1;
        }
        best = best.max(f64::from(calls) / start.elapsed().as_secs_f64());
    }
    best
}

/// Frames a second at a size and samples.
fn frames(
    scene: &Arc<Scene>,
    reality: &Reality,
    size: usize,
    samples: usize,
) -> Result<f64, Box<dyn Error>> {
    let eye = Eye::new(scene, size, samples)?;
    Ok(rate(|| drop(black_box(eye.look(black_box(reality))))))
}

/// Physics steps a second while the bodies rest on each other and the floor.
fn steps(scene: &Arc<Scene>) -> Result<f64, Box<dyn Error>> {
    let mut reality = Reality::new(scene, 0)?;
    reality.act(&[0.3, -0.3]);
    Ok(rate(|| reality.step()) * f64::from(SUBSTEPS))
}

fn main() -> Result<(), Box<dyn Error>> {
    let six = Arc::new(Scene::parse(SIX, Path::new("six.ron"))?);
    let free = Arc::new(Scene::parse(
        &SIX.replace("Hand", "Dynamic")
            .replace("Fixed", "Dynamic")
            .replace("colour: Dark", "colour: Yellow")
            .replace("actions: Planar(max_speed: 0.4, limit: 0.45),", ""),
        Path::new("free.ron"),
    )?);
    if std::env::args().any(|a| a == "--json") {
        let reality = Reality::new(&six, 0)?;
        let report = serde_json::json!({
            "scene": *six,
            "states": reality.measure().bodies,
            "frames_per_s_1_sample": frames(&six, &reality, 64, 1)?,
            "frames_per_s_4_samples": frames(&six, &reality, 64, 2)?,
            "physics_steps_per_s_with_hand": steps(&six)?,
            "physics_steps_per_s_six_free": steps(&free)?,
        });
        println!("{report}");
        return Ok(());
    }
    println!(
        "{:<10} {:>6} {:>12} {:>12} {:>12} {:>12} {:>12} {:>16}",
        "scene",
        "bodies",
        "64 px, 1x1",
        "64 px, 2x2",
        "64 px, 4x4",
        "96 px, 2x2",
        "128 px, 2x2",
        "physics, steps/s"
    );
    let mut scenes = vec![six, free];
    scenes[1] = Arc::new(Scene {
        name: "six free".into(),
        ..(*scenes[1]).clone()
    });
    for name in ["push", "reach", "fall", "collide"] {
        scenes.push(Arc::new(parallax::scene::load(name)?));
    }
    for scene in scenes {
        print!("{:<10} {:>6}", scene.name, scene.bodies.len());
        let reality = Reality::new(&scene, 0)?;
        for (size, samples) in [(64, 1), (64, 2), (64, 4), (96, 2), (128, 2)] {
            print!(" {:>12.0}", frames(&scene, &reality, size, samples)?);
        }
        println!(" {:>16.0}", steps(&scene)?);
    }
    println!(
        "frames/s with one shadow, one core; wanted for six bodies at 64 px, 2x2: at least 700, and 20 \
         000 physics steps/s"
    );
    Ok(())
}
