//! What careless and hostile hands make of scene files: a mutator whose n-th case is always the same, and a
//! trial of what is accepted.

use std::path::Path;
use std::sync::Arc;

use parallax::camera::Eye;
use parallax::scene::{self, Scene, SceneError};
use parallax::sim::Reality;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What vandals write in place of a word.
const SPITE: [&str; 30] = [
    "",
    "0",
    "-1",
    "1e38",
    "-1e38",
    "1e-45",
    "NaN",
    "inf",
    "-inf",
    "360.0",
    "10.0",
    "999999999999999999999",
    "\"\"",
    "\"ü\"",
    "(",
    ")",
    "[",
    "]",
    ",",
    "Some(())",
    "None",
    "r#\"",
    "4294967295",
    "0x7fffffff",
    "((((((((((((((((",
    "[[[[[[[[[[[[[[[[",
    "/*",
    "//",
    "\u{0}",
    "true",
];
/// Numbers that take a number's place, so that much of what comes out is well-formed.
const NUMBERS: [&str; 14] = [
    "0.0", "-0.0", "1e-38", "1e38", "20.0", "10.0", "360.0", "0.005", "-20.0", "1", "2", "0.001",
    "0.3", "1000",
];

/// The sound scenes that are spoilt.
pub struct Vandal {
    sound: Vec<String>,
    words: Vec<Vec<String>>,
}

impl Vandal {
    /// All scenes of the library.
    pub fn new() -> Self {
        let dir = scene::library_dir();
        let sound: Vec<String> = scene::list(&dir)
            .iter()
            .map(|name| std::fs::read_to_string(dir.join(format!("{name}.ron"))).unwrap())
            .collect();
        let words = sound.iter().map(|text| words_of(text)).collect();
        Self { sound, words }
    }

    /// The n-th spoilt file: bytes or words of a scene changed, or parts of two scenes mixed.
    pub fn spoil(&self, case: u64) -> String {
        let mut rng = ChaCha8Rng::seed_from_u64(case);
        let which = rng.random_range(0..self.sound.len());
        if rng.random_range(0..4) == 0 {
            let mut bytes = self.sound[which].clone().into_bytes();
            for _ in 0..rng.random_range(1..5) {
                spoil_bytes(&mut bytes, &mut rng);
            }
            return String::from_utf8_lossy(&bytes).into_owned();
        }
        let mut words = self.words[which].clone();
        let other = &self.words[rng.random_range(0..self.words.len())];
        for _ in 0..rng.random_range(1..4) {
            spoil_words(&mut words, other, &mut rng);
        }
        words.concat()
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.' || c == '-'
}

fn words_of(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for c in text.chars() {
        match words.last_mut() {
            Some(last) if is_word(c) && last.chars().all(is_word) => last.push(c),
            _ => words.push(c.to_string()),
        }
    }
    words
}

fn spoil_bytes(bytes: &mut Vec<u8>, rng: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.random_range(0..bytes.len());
    match rng.random_range(0..6) {
        0 => bytes[at] ^= 1 << rng.random_range(0..8),
        1 => bytes[at] = rng.random(),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, rng.random()),
        4 => {
            let end = (at + rng.random_range(1..200)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            let to = rng.random_range(0..=bytes.len());
            bytes.splice(to..to, piece);
        }
        _ => {
            let end = (at + rng.random_range(1..60)).min(bytes.len());
            drop(bytes.drain(at..end));
        }
    }
}

fn spoil_words(words: &mut Vec<String>, other: &[String], rng: &mut ChaCha8Rng) {
    if words.is_empty() {
        return;
    }
    let (i, j) = (
        rng.random_range(0..words.len()),
        rng.random_range(0..words.len()),
    );
    match rng.random_range(0..9) {
        0 => words[i] = SPITE[rng.random_range(0..SPITE.len())].to_string(),
        1 => words.swap(i, j),
        2 => words[i] = words[j].clone(),
        3 => drop(words.remove(i)),
        4 => {
            // A piece of another scene, or of this one, many times over.
            let from = rng.random_range(0..other.len());
            let piece = &other[from..(from + rng.random_range(1..60)).min(other.len())];
            let times = if rng.random_range(0..8) == 0 { 200 } else { 1 };
            let piece: Vec<String> = piece
                .iter()
                .cloned()
                .cycle()
                .take(piece.len() * times)
                .collect();
            words.splice(i..i, piece);
        }
        _ => {
            let numbers: Vec<usize> = (0..words.len())
                .filter(|&w| words[w].parse::<f32>().is_ok())
                .collect();
            if !numbers.is_empty() {
                let n = numbers[rng.random_range(0..numbers.len())];
                words[n] = match rng.random_range(0..3) {
                    0 => NUMBERS[rng.random_range(0..NUMBERS.len())].into(),
                    1 => format!("{:?}", rng.random_range(-400.0f32..400.0)),
                    _ => format!("{:?}", rng.random_range(-1.0f32..1.0)),
                };
            }
        }
    }
}

/// Reads a spoilt file: an error that names it, or a scene within bounds.
///
/// # Panics
/// If it is neither.
pub fn read(text: &str) -> Result<Scene, SceneError> {
    let read = Scene::parse(text, Path::new("shared/bad.ron"));
    match &read {
        Err(e) => assert!(e.to_string().starts_with("shared/bad.ron:"), "{e}"),
        Ok(scene) => {
            assert!(!scene.bodies.is_empty() && scene.bodies.len() <= 16);
            assert!(scene.episode_steps <= 1000 && scene.randomise.len() <= 64);
            assert!(scene.camera.size <= 128 && scene.camera.samples <= 4);
            for b in &scene.bodies {
                assert!(b.shape.bounding_radius() <= 100.0 && b.mass.is_finite());
                assert!(b.shape.parts().len() <= 16);
            }
        }
    }
    read
}

/// Builds an accepted scene, steps it and looks at it: no panic, no endless loop. False if it has no start
/// that keeps the bodies apart.
pub fn try_out(scene: Scene, seed: u64) -> bool {
    let scene = Arc::new(scene);
    let Ok(mut reality) = Reality::new(&scene, seed) else {
        return false;
    };
    let eye = Eye::new(&scene, 16, 1).unwrap();
    for step in 0..3 {
        reality.act(&[1.0, -1.0, 0.5, 1.0]);
        reality.step();
        // Hands on it, at the ends of what may be set.
        let name = &scene.bodies[seed as usize % scene.bodies.len()].name;
        let fields = ["mass", "restitution", "size", "vx", "y", "friction"];
        let field = fields[(seed as usize + step) % fields.len()];
        let (low, high) = parallax::scene::bounds(field);
        let end = if step == 1 { low } else { high };
        let refused = reality.set(&format!("{name}.{field}"), end);
        assert!(
            refused.is_ok() || field == "mass" || field == "y",
            "{refused:?}"
        );
    }
    assert_eq!(eye.look(&reality).rgb.len(), 16 * 16 * 3);
    true
}
