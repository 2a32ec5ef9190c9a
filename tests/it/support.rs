//! What several promises share: scenes, actions, bits.

pub mod stub;

use std::path::Path;
use std::sync::Arc;

use parallax::camera::{Eye, View};
use parallax::episode::{Dataset, record};
use parallax::scene::{self, Scene};
use parallax::sim::State;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The scenes that ship.
pub const SCENES: [&str; 18] = [
    "collide",
    "collide3",
    "container",
    "dominoes",
    "fall",
    "gather",
    "jelly",
    "occluder",
    "pendulum",
    "projectile",
    "push",
    "push_t",
    "ramp",
    "reach",
    "spin",
    "stack",
    "strike",
    "tower",
];

/// Episodes of a scene with these seeds, as the simulator records them.
pub fn recorded(scene: &Arc<Scene>, seeds: std::ops::Range<u64>) -> Dataset {
    let eye = Eye::standard(scene).unwrap();
    let mut data = Dataset {
        size: 64,
        action_dim: 2,
        scenes: vec![scene.clone()],
        ..Default::default()
    };
    for seed in seeds {
        data.push(record(scene, &eye, seed).unwrap(), 0);
    }
    data
}

/// A shipped scene with episodes of so many steps.
pub fn shortened(name: &str, steps: u32) -> Arc<Scene> {
    let mut short = Scene::clone(&scene(name));
    short.episode_steps = steps;
    Arc::new(short)
}

/// A shipped scene.
pub fn scene(name: &str) -> Arc<Scene> {
    Arc::new(scene::load(name).unwrap_or_else(|e| panic!("{e}")))
}

/// A scene file of `tests/cases`.
pub fn case(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/cases/{name}.ron"))
}

/// A scene with these bodies and further fields, seen from the side.
pub fn lab(bodies: &str, fields: &str) -> Arc<Scene> {
    let text = format!(
        "Scene(name: \"lab\", summary: \"\", bodies: [{bodies}], \
         camera: (position: (0.0, 1.0, 6.0), target: (0.0, 1.0, 0.0), fov_degrees: 40.0), {fields})"
    );
    Arc::new(Scene::parse(&text, Path::new("lab.ron")).unwrap_or_else(|e| panic!("{e}")))
}

/// `steps` random actions.
pub fn actions(scene: &Scene, seed: u64, steps: usize) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let dim = scene.actions.dim();
    (0..steps)
        .map(|_| (0..dim).map(|_| rng.random_range(-1.0..=1.0)).collect())
        .collect()
}

/// Every bit of a state.
pub fn state_bits(state: &State) -> Vec<u8> {
    let mut bits = state.step.to_le_bytes().to_vec();
    for body in &state.bodies {
        bits.extend(body.to_array().iter().flat_map(|v| v.to_le_bytes()));
    }
    for &(a, b) in &state.contacts {
        bits.extend([a as u8, b as u8]);
    }
    bits
}

/// Every bit of a look.
pub fn view_bits(view: &View) -> Vec<u8> {
    let mut bits = view.rgb.clone();
    bits.extend(view.depth.iter().flat_map(|d| d.to_le_bytes()));
    bits.extend(&view.ids);
    bits
}
