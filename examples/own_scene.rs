//! A scene of your own, as text: a ball is thrown over a wall, and the camera watches.
//!
//! `cargo run --release --no-default-features --example own_scene`

use std::path::Path;
use std::sync::Arc;

use parallax::camera::Eye;
use parallax::scene::Scene;
use parallax::sim::Reality;

const SCENE: &str = r#"Scene(
    name: "over_the_wall",
    summary: "A ball is thrown over a wall",
    bodies: [
        (name: "ball", kind: Dynamic, shape: Ball(radius: 0.08), colour: Orange, position: (-0.6, 0.3,
        0.0), mass: 0.3, velocity: (1.4, 2.6, 0.0)),
        (name: "wall", kind: Fixed, shape: Cuboid(half: (0.03, 0.15, 0.3)), colour: Blue, position: (0.0,
        0.15, 0.0)),
    ],
    camera: (position: (0.0, 0.75, 2.3), target: (0.0, 0.45, 0.0), fov_degrees: 40.0),
    episode_steps: 20,
    laws: [Permanence, Size],
)"#;

fn main() -> anyhow::Result<()> {
    let path = std::env::temp_dir().join("over_the_wall.png");
    println!("{}", run(&path)?);
    Ok(())
}

/// Runs the scene for a second and draws the last picture to `path`.
pub fn run(path: &Path) -> anyhow::Result<String> {
    // What is wrong with a scene is said with its line: try a mass of -1.
    let scene = Arc::new(Scene::parse(SCENE, Path::new("over_the_wall.ron"))?);
    let eye = Eye::new(&scene, 256, 2)?;
    let mut reality = Reality::new(&scene, 0)?;
    let mut highest = f32::MIN;
    for _ in 0..10 {
        reality.step();
        highest = highest.max(reality.measure().bodies[0].position[1]);
    }
    let size = eye.size() as u32;
    image::save_buffer(
        path,
        &eye.look(&reality).rgb,
        size,
        size,
        image::ColorType::Rgb8,
    )?;
    let [x, y, _] = reality.measure().bodies[0].position;
    Ok(format!(
        "the ball rose to {highest:.2} m and is at x {x:.2} m, y {y:.2} m after a second; see {}",
        path.display()
    ))
}
