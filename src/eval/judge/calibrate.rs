//! What reality scores, and so which laws are judged in a scene and from which score on.
//!
//! Each law's greatest score in each clip of reality is taken, on seeds that neither training nor evaluation
//! uses. The threshold lies where an exponential tail, fitted to the greatest twentieth of the clips, leaves
//! [`TAIL`] of them, and above them all: eighteen laws together must leave 99 % of real clips alone. Every
//! third clip besides is of reality away from training (gravity, friction, masses, a size, restitution or the
//! camera set elsewhere), for laws must know the world that was set; its greatest scores count as they are.
//!
//! A law is off, with the reason as data, where it has nothing to look at, hardly ever an occasion, or where
//! reality itself scores so much that a strong fault could not be told from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{CALIBRATION_SEED, CLIP, REFERENCE};
use crate::camera::Eye;
use crate::episode::{EpisodeError, record};
use crate::judge::{Judge, SceneCalibration, Setting, rules};
use crate::scene::{Kind, Law, Scene};
use crate::sim::overlap_at_start;

/// Share of clips of reality that one law may flag.
pub const TAIL: f32 = 0.0005;
/// The tail is fitted to this share of the clips.
const FITTED: f32 = 0.05;
/// A law that has an occasion in fewer clips is off.
const RARE: f32 = 0.02;
/// Thresholds lie so much above the greatest score of reality at least.
const MARGIN: f32 = 1.1;

/// A clip of reality: frames and actions.
pub struct RealClip {
    /// The world that it is of, with what is set.
    pub scene: Arc<Scene>,
    /// `[T]`, `[H, W, 3]` bytes each.
    pub frames: Vec<Vec<u8>>,
    /// `[T][A]`.
    pub actions: Vec<Vec<f32>>,
}

impl RealClip {
    /// `REFERENCE + CLIP` frames of a seed's episode: from its start, or (every other seed, where the episode
    /// is longer) from a later moment.
    ///
    /// # Errors
    /// [`EpisodeError`] if reality or the eye cannot be built.
    pub fn new(scene: &Arc<Scene>, seed: u64) -> Result<Self, EpisodeError> {
        let eye = Eye::standard(scene)?;
        let length = REFERENCE + CLIP;
        let steps = scene.episode_steps as usize;
        let spare = steps.saturating_sub(length);
        let from = match seed % 2 {
            0 => 0,
            _ => (seed / 2 * 7) as usize % (spare + 1),
        };
        let mut short = (**scene).clone();
        short.episode_steps = scene.episode_steps.min((from + length) as u32);
        let episode = record(&Arc::new(short), &eye, seed)?;
        let pixels = eye.size() * eye.size() * 3;
        let dim = scene.actions.dim();
        let frames = episode.frames.chunks_exact(pixels).skip(from).take(length);
        let frames: Vec<Vec<u8>> = frames.map(<[u8]>::to_vec).collect();
        let action = |t: usize| episode.actions[(from + t) * dim..(from + t + 1) * dim].to_vec();
        Ok(Self {
            scene: scene.clone(),
            actions: (0..frames.len()).map(action).collect(),
            frames,
        })
    }

    /// The frames, as the judge takes them.
    pub fn views(&self) -> Vec<&[u8]> {
        self.frames.iter().map(Vec::as_slice).collect()
    }
}

/// The scene with one thing set away from training, as a number draws it; `None` if its bodies then begin
/// inside each other.
pub fn away(scene: &Scene, seed: u64) -> Option<Arc<Scene>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xA3A7);
    let mut set = scene.clone();
    let movers = scene.moving();
    let mut put = |target: String, value: f32| {
        set.interventions.retain(|(t, _)| *t != target);
        set.interventions.push((target, value));
    };
    let dynamic: Vec<usize> = movers
        .iter()
        .copied()
        .filter(|&b| scene.bodies[b].kind == Kind::Dynamic)
        .collect();
    let between = |rng: &mut ChaCha8Rng, low: f32, high: f32| {
        (low.ln() + rng.random::<f32>() * (high / low).ln()).exp()
    };
    match rng.random_range(0..6) {
        0 => put("gravity".into(), -between(&mut rng, 3.0, 20.0)),
        1 => {
            let value = between(&mut rng, 0.015, 1.8);
            put("floor_friction".into(), value);
            for &b in &dynamic {
                put(format!("{}.friction", scene.bodies[b].name), value);
            }
        }
        2 => {
            let factor = between(&mut rng, 0.3, 3.0);
            for &b in &dynamic {
                let body = &scene.bodies[b];
                put(format!("{}.mass", body.name), body.mass * factor);
            }
        }
        3 => {
            let body = &scene.bodies[movers[rng.random_range(0..movers.len().max(1))]];
            let factor = between(&mut rng, 0.75, 1.6);
            put(format!("{}.size", body.name), body.size * factor);
        }
        4 => {
            for &b in &dynamic {
                put(format!("{}.restitution", scene.bodies[b].name), 1.0);
            }
        }
        _ => {
            let axis = ["x", "y", "z"][rng.random_range(0..3)];
            let target = format!("camera.{axis}");
            let home = scene.nominal(&target).unwrap_or_default();
            put(target, home + rng.random_range(-0.16..=0.16));
        }
    }
    let set = Arc::new(set);
    let apart = overlap_at_start(&set, seed).ok()?.is_none();
    apart.then_some(set)
}

/// Each law's greatest score in a clip of reality; laws without an occasion are not in it.
///
/// # Errors
/// [`EpisodeError`] if reality or the eye cannot be built.
pub fn greatest(scene: &Arc<Scene>, seed: u64) -> Result<BTreeMap<Law, f32>, EpisodeError> {
    let clip = RealClip::new(scene, seed)?;
    let judge = Judge::new(scene);
    let size = scene.camera.size;
    let mut greatest = BTreeMap::new();
    for s in judge.scores(size, REFERENCE, &clip.views(), Some(&clip.actions)) {
        let entry = greatest.entry(s.law).or_insert(f32::MIN);
        *entry = entry.max(s.score);
    }
    Ok(greatest)
}

/// The laws of a scene from `clips` clips of reality, and a third as many of reality away from training.
///
/// # Errors
/// [`EpisodeError`] if reality or the eye cannot be built.
pub fn calibrate(scene: &Arc<Scene>, clips: u64) -> Result<SceneCalibration, EpisodeError> {
    let judge = Judge::new(scene);
    let seeds = CALIBRATION_SEED..CALIBRATION_SEED + clips;
    let real: Vec<BTreeMap<Law, f32>> = seeds
        .into_par_iter()
        .map(|seed| greatest(scene, seed))
        .collect::<Result<_, _>>()?;
    let first = CALIBRATION_SEED + 100_000;
    let elsewhere: Vec<BTreeMap<Law, f32>> = (first..first + clips / 3)
        .into_par_iter()
        .filter_map(|seed| {
            let set = away(scene, seed)?;
            // What was set may leave no start at all.
            greatest(&set, seed).ok()
        })
        .collect();
    let setting = |law: Law| {
        if let Some(reason) = judge.inapplicable(law) {
            return (law, Setting::Off { reason });
        }
        let of = |clips: &[BTreeMap<Law, f32>]| {
            let mut all: Vec<f32> = clips.iter().filter_map(|m| m.get(&law).copied()).collect();
            all.sort_by(|a, b| b.total_cmp(a));
            all
        };
        (law, decide(law, &of(&real), &of(&elsewhere), real.len()))
    };
    Ok(Law::ALL.into_iter().map(setting).collect())
}

/// What to make of a law's greatest scores (in falling order) in clips of reality.
fn decide(law: Law, real: &[f32], away: &[f32], clips: usize) -> Setting {
    let occasions = real.len() as f32 / clips.max(1) as f32;
    if occasions < RARE {
        let percent = 100.0 * occasions;
        return Setting::Off {
            reason: format!("it has an occasion in {percent:.1} % of the clips only"),
        };
    }
    let limits = rules(law);
    let top = real.first().copied().unwrap_or(0.0);
    let k = ((FITTED * real.len() as f32) as usize)
        .clamp(1, real.len().max(1) - 1)
        .max(1);
    let bulk = real.get(k).copied().unwrap_or(top);
    let spread = real[..k.min(real.len())]
        .iter()
        .map(|v| v - bulk)
        .sum::<f32>()
        / k as f32;
    let tail = bulk + spread * (k as f32 / (clips as f32 * TAIL)).max(1.0).ln();
    let elsewhere = away.get(away.len() / 100).copied().unwrap_or(0.0);
    let margin = |v: f32| if v > 0.0 { MARGIN * v } else { v };
    let threshold = tail
        .max(margin(top))
        .max(margin(elsewhere))
        .max(limits.least);
    if threshold >= limits.strong {
        return Setting::Off {
            reason: format!(
                "reality itself scores up to {:.3} {}, and a strong fault {:.3}",
                top.max(elsewhere),
                limits.unit,
                limits.strong
            ),
        };
    }
    Setting::On {
        threshold,
        reality: top.max(elsewhere),
        occasions,
    }
}
