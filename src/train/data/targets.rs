//! What is true of the frames: where bodies are, and which pixels show bodies that move.

use crate::episode::Dataset;
use crate::stats::linalg;
use crate::stats::{pearson, ridge};
use crate::train::curve::short;
use serde_json::{Map, Value};

/// For each scene, whether an instance id (0 is background) is a body that can move.
pub fn moving_ids(data: &Dataset) -> Vec<[bool; 256]> {
    let of = |scene: &crate::scene::Scene| {
        let mut ids = [false; 256];
        let known = scene.moving_ids();
        ids.iter_mut().zip(known).for_each(|(id, is)| *id = is);
        ids
    };
    data.scenes.iter().map(|s| of(s)).collect()
}

/// The scene and the episode that frame `i` belongs to.
pub fn episode_of(data: &Dataset, i: usize) -> crate::episode::EpisodeSpan {
    data.episodes[data.episodes.partition_point(|e| e.start <= i).max(1) - 1]
}

/// Names of all bodies that move in any scene, in order of first appearance.
pub fn moving_bodies(data: &Dataset) -> Vec<String> {
    let mut names = Vec::new();
    for scene in &data.scenes {
        for body in scene.moving() {
            let name = &scene.bodies[body].name;
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
    }
    names
}

/// True values of what probes read, for every frame of a dataset.
pub struct Targets {
    /// Names, B.
    pub bodies: Vec<String>,
    /// `[F, B·6]`.
    values: Vec<f32>,
    /// `[F, B]`: whether the frame's scene has the body.
    present: Vec<bool>,
}

impl Targets {
    /// Reads the states of all frames.
    pub fn new(data: &Dataset, bodies: Vec<String>) -> Self {
        let b = bodies.len();
        let mut targets = Self {
            values: vec![0.; data.len() * b * 6],
            present: vec![false; data.len() * b],
            bodies,
        };
        for span in &data.episodes {
            let scene = &data.scenes[span.scene];
            for t in 0..span.len {
                let (frame, state) = (span.start + t, data.state(span, t));
                for (i, name) in targets.bodies.iter().enumerate() {
                    let Some(body) = scene.bodies.iter().position(|b| &b.name == name) else {
                        continue;
                    };
                    let (s, at) = (state[body], (frame * b + i) * 6);
                    let (sin, cos) = libm::sincosf(s.yaw());
                    let row = [
                        s.position[0],
                        s.position[2],
                        cos,
                        sin,
                        s.velocity[0],
                        s.velocity[2],
                    ];
                    targets.values[at..at + 6].copy_from_slice(&row);
                    targets.present[frame * b + i] = true;
                }
            }
        }
        targets
    }

    /// The body's values in a frame, `[B·6]`.
    pub fn of(&self, frame: usize) -> &[f32] {
        let k = self.bodies.len() * 6;
        &self.values[frame * k..(frame + 1) * k]
    }

    /// Whether the frame's scene has body `body`.
    pub fn has(&self, frame: usize, body: usize) -> bool {
        self.present[frame * self.bodies.len() + body]
    }

    /// Rows of `x: [frames, d]` in which body `b` exists, and its pose there `[rows, 4]`.
    fn rows_of_body(
        &self,
        x: &[f32],
        d: usize,
        frames: &[usize],
        b: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let (mut rows, mut poses) = (Vec::new(), Vec::new());
        for (x, &frame) in x
            .chunks_exact(d)
            .zip(frames)
            .filter(|(_, f)| self.has(**f, b))
        {
            rows.extend_from_slice(x);
            poses.extend_from_slice(&self.of(frame)[b * 6..b * 6 + 4]);
        }
        (rows, poses)
    }

    /// r of a linear probe of every body's place and heading, fitted on `d` numbers a frame of the first
    /// frames and tested on the second.
    pub fn linear_r(
        &self,
        d: usize,
        (fit, fit_frames): (&[f32], &[usize]),
        (test, test_frames): (&[f32], &[usize]),
    ) -> Map<String, Value> {
        let mut r = Map::new();
        for (b, body) in self.bodies.iter().enumerate() {
            let (fit_x, fit_y) = self.rows_of_body(fit, d, fit_frames, b);
            let (test_x, test_y) = self.rows_of_body(test, d, test_frames, b);
            let Some((weight, bias)) = ridge(&fit_x, &fit_y, d, 4, 1e-4) else {
                continue;
            };
            for (q, quantity) in ["x", "z", "cos_yaw", "sin_yaw"].iter().enumerate() {
                let w = &weight[q * d..(q + 1) * d];
                let found: Vec<f32> = test_x
                    .chunks_exact(d)
                    .map(|x| bias[q] + linalg::dot32(x, w))
                    .collect();
                let truth: Vec<f32> = test_y.chunks_exact(4).map(|y| y[q]).collect();
                r.insert(format!("{body}.{quantity}"), short(pearson(&found, &truth)));
            }
        }
        r
    }
}
