//! The judge judged: thresholds from reality, false positives on reality, detection of injected faults.
//!
//! Calibration takes each law's greatest score in each clip of reality (seeds that neither training nor
//! evaluation uses) and puts the threshold above all but 1 in 1000 of the clips, with a margin: five laws
//! together must leave 99 % of real clips alone. (The 99.5th percentile of each would flag more than 1 % of
//! the clips.)

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::camera::{Eye, SIZE};
use crate::episode::{EpisodeError, record_states};
use crate::judge::{Judge, Tracker, Verdict};
use crate::scene::{Law, Scene, Shape};
use crate::sim::Reality;
use crate::stats::Rate;

mod beside;
mod calibrate;
pub mod catalogue;
mod faulty;
mod found;
mod frozen;
mod inject;
mod paint;
mod probing;
mod truth;
pub mod validate;

pub use beside::{Beside, BesideFound, beside};
pub use calibrate::{RealClip, away, calibrate, greatest};
pub use faulty::Faulty;
pub use frozen::frozen_from_the_start;
pub use inject::inject;
pub use probing::{calibrate_readouts, read};
pub use truth::Truth;

/// First seed of calibration clips: after training's, before the held-out ones.
pub const CALIBRATION_SEED: u64 = crate::sim::CALIBRATION_SEED;
/// Real frames before the judged ones.
pub const REFERENCE: usize = crate::judge::CONTEXT_FRAMES;
/// Judged frames of a clip.
pub const CLIP: usize = 20;

/// What the judge does to reality and to faults, for one scene. What cannot be measured is `None`, and
/// `reasons` says why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JudgeResult {
    /// Whether the thresholds were calibrated for this scene; if not, they are cautious.
    pub calibrated: bool,
    /// Share of real clips with any violation.
    pub false_positive_clips: Option<Rate>,
    /// Share of real (object, frame) pairs in violation, by law.
    pub false_positive_object_frames: BTreeMap<String, Option<f64>>,
    /// Share of faults caught, by law.
    pub detection_rate: BTreeMap<String, Option<Rate>>,
    /// Why there is no figure, by law, or `all`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reasons: BTreeMap<String, String>,
    /// Bodies that the judge cannot track, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub left_out: BTreeMap<String, String>,
}

impl JudgeResult {
    /// Nothing measured of a scene's laws, for one reason.
    fn nothing(reason: &str) -> Self {
        let laws = || Law::ALL.iter().map(|law| law.id().to_string());
        Self {
            calibrated: false,
            false_positive_clips: None,
            false_positive_object_frames: laws().map(|law| (law, None)).collect(),
            detection_rate: laws().map(|law| (law, None)).collect(),
            reasons: BTreeMap::from([("all".to_string(), reason.to_string())]),
            left_out: BTreeMap::new(),
        }
    }
}

/// Pixels to a 64th of the picture.
fn fine(eye: &Eye) -> f32 {
    eye.size() as f32 / SIZE as f32
}

/// The scene with episodes no longer than a clip: they begin as longer ones do.
fn as_clip(scene: &Scene) -> Arc<Scene> {
    let mut short = scene.clone();
    short.episode_steps = scene.episode_steps.min((REFERENCE + CLIP) as u32);
    Arc::new(short)
}

fn borrow(frames: &[Vec<u8>]) -> Vec<&[u8]> {
    frames.iter().map(Vec::as_slice).collect()
}

/// False positives on reality and detection of injected faults, on seeds `seed..seed + clips`.
///
/// # Errors
/// [`EpisodeError`] if reality or the eye cannot be built.
pub fn evaluate(scene: &Arc<Scene>, seed: u64, clips: u64) -> Result<JudgeResult, EpisodeError> {
    let eye = Eye::standard(scene)?;
    let judge = Judge::new(scene);
    if let Some(misfit) = judge.misfit() {
        return Ok(JudgeResult::nothing(misfit));
    }
    Ok(JudgeResult {
        calibrated: true,
        ..measure(scene, &eye, &judge, seed..seed.saturating_add(clips))?
    })
}

/// As [`evaluate`], with a given judge, whatever it was calibrated for.
///
/// # Errors
/// [`EpisodeError`] if reality or the eye cannot be built.
pub fn measure(
    scene: &Arc<Scene>,
    eye: &Eye,
    judge: &Judge,
    seeds: Range<u64>,
) -> Result<JudgeResult, EpisodeError> {
    let needed = REFERENCE + CLIP;
    if (scene.episode_steps as usize) < needed {
        let steps = scene.episode_steps;
        let reason = format!("episodes of {steps} steps are too short: a clip takes {needed}");
        return Ok(JudgeResult::nothing(&reason));
    }
    let bodies = judge.tracker().bodies.len();
    let mut result = JudgeResult::default();
    for (body, reason) in &judge.tracker().left_out {
        let name = scene.bodies[*body].name.clone();
        result.left_out.insert(name, reason.clone());
    }
    let judged: Vec<Law> = Law::ALL
        .into_iter()
        .filter(|law| match judge.cannot_judge(*law) {
            None => true,
            Some(reason) => {
                let law = law.id().to_string();
                result.reasons.insert(law.clone(), reason);
                result
                    .false_positive_object_frames
                    .insert(law.clone(), None);
                result.detection_rate.insert(law, None);
                false
            }
        })
        .collect();
    if judged.is_empty() {
        let reason = "none of the scene's laws can be judged".to_string();
        result.reasons.insert("all".into(), reason);
        return Ok(result);
    }
    let reality: Vec<Verdict> = seeds
        .clone()
        .into_par_iter()
        .map(|seed| {
            let clip = RealClip::new(scene, seed)?;
            let size = eye.size();
            Ok(judge.frames(size, REFERENCE, &clip.views(), Some(&clip.actions)))
        })
        .collect::<Result<_, EpisodeError>>()?;
    let flagged = reality.iter().filter(|v| !v.violations.is_empty()).count();
    result.false_positive_clips = Rate::wilson(flagged, reality.len());
    let object_frames = (reality.len() * bodies * CLIP).max(1) as f64;
    for law in judged {
        let frames: usize = reality
            .iter()
            .flat_map(|v| &v.violations)
            .filter(|v| v.law == law)
            .map(|v| v.last_frame - v.first_frame + 1)
            .sum();
        let share = (!reality.is_empty()).then(|| frames as f64 / object_frames);
        result
            .false_positive_object_frames
            .insert(law.id().into(), share);
        let caught: Vec<Option<bool>> = seeds
            .clone()
            .into_par_iter()
            .map(|seed| {
                let Some((frames, body)) = faulty_clip(scene, eye, seed, law)? else {
                    return Ok(None);
                };
                let caught = judge
                    .frames(eye.size(), REFERENCE, &borrow(&frames), None)
                    .violations
                    .iter()
                    .any(|v| {
                        v.law == law && (v.body == Some(body) || law == Law::Interpenetration)
                    });
                Ok(Some(caught))
            })
            .collect::<Result<_, EpisodeError>>()?;
        let tried: Vec<bool> = caught.into_iter().flatten().collect();
        let found = Rate::wilson(tried.iter().filter(|c| **c).count(), tried.len());
        if found.is_none() {
            let reason = "no clip gave occasion for this fault".to_string();
            result.reasons.insert(law.id().into(), reason);
        }
        result.detection_rate.insert(law.id().into(), found);
    }
    Ok(result)
}

/// Laws whose faults can be injected here.
const INJECTED: [Law; 5] = [
    Law::Permanence,
    Law::Duplication,
    Law::Continuity,
    Law::Size,
    Law::Interpenetration,
];

/// Frames and the index of the body at fault.
type FaultyClip = (Vec<Vec<u8>>, usize);

/// A clip of reality whose pictures, from a drawn frame on, show one fault; `None` where the scene gives no
/// occasion (the body is not in the picture). The true trajectory goes on underneath, as it does in a
/// rollout that hallucinates.
fn faulty_clip(
    scene: &Arc<Scene>,
    eye: &Eye,
    seed: u64,
    law: Law,
) -> Result<Option<FaultyClip>, EpisodeError> {
    if !INJECTED.contains(&law) {
        return Ok(None);
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xFA17 ^ (law as u64) << 32);
    let tracked = Tracker::new(scene).bodies;
    let (_, actions) = record_states(&as_clip(scene), seed)?;
    let mut reality = Reality::new(scene, seed)?;
    let from = REFERENCE + rng.random_range(1..CLIP - 6);
    let body = tracked[rng.random_range(0..tracked.len())];
    let mut shift: Option<[f32; 3]> = None;
    let factor: f32 = if rng.random::<bool>() { 0.65 } else { 1.6 };
    let mut frames = Vec::with_capacity(REFERENCE + CLIP);
    for t in 0..REFERENCE + CLIP {
        let honest = eye.look(&reality);
        let frame = if t < from {
            honest.rgb
        } else {
            let state = reality.measure();
            let at = state.bodies[body].position;
            let area = honest
                .ids
                .iter()
                .filter(|&&id| usize::from(id) == body + 1)
                .count();
            let radius = |b: usize| {
                scene.bodies[b].shape.bounding_radius()
                    / eye.metres_per_pixel(state.bodies[b].position)
            };
            let (pixels, margin) = (12.0 * fine(eye) * fine(eye), 3.0 * fine(eye));
            if t == from && ((area as f32) < pixels || !inside(eye, at, radius(body) + margin)) {
                return Ok(None);
            }
            let mut fork = reality.fork();
            match law {
                Law::Permanence => {
                    fork.teleport(body, [0.0, -100.0, 0.0]);
                    eye.look(&fork).rgb
                }
                Law::Size => {
                    // The law speaks of bodies that stand alone in the picture.
                    let alone = |&o: &usize| {
                        let (p, q) = (eye.project(at), eye.project(state.bodies[o].position));
                        let reach = factor.max(1.0) * radius(body) + radius(o) + margin;
                        p.zip(q)
                            .is_none_or(|(p, q)| (p[0] - q[0]).hypot(p[1] - q[1]) > reach)
                    };
                    if t == from && !tracked.iter().filter(|&&o| o != body).all(alone) {
                        return Ok(None);
                    }
                    fork.resize(body, factor);
                    eye.look(&fork).rgb
                }
                Law::Interpenetration => {
                    let other = tracked.iter().copied().find(|&o| o != body).unwrap_or(body);
                    let target = state.bodies[other].position;
                    if t == from && !inside(eye, target, 10.0 * fine(eye)) {
                        return Ok(None);
                    }
                    // Well into the other body on the side it came from (a box: through its nearest face),
                    // but not so deep that the eye cannot see it.
                    let boxy = [other, body]
                        .into_iter()
                        .find(|&b| matches!(scene.bodies[b].shape, Shape::Cuboid { .. }));
                    let away = [at[0] - target[0], at[2] - target[2]];
                    let [x, z] = direction(away, boxy.map(|b| state.bodies[b].yaw()));
                    let depth = 0.5
                        * 0.5
                        * (scene.bodies[body].shape.size() + scene.bodies[other].shape.size());
                    let place = [
                        target[0] + x * depth,
                        at[1].min(target[1]).max(0.02),
                        target[2] + z * depth,
                    ];
                    fork.teleport(body, place);
                    let overlapping = eye.look(&fork);
                    // What the eye cannot see it cannot judge: both bodies must show a third of themselves.
                    let shown = |ids: &[u8], b: usize| {
                        ids.iter().filter(|&&id| usize::from(id) == b + 1).count()
                    };
                    let hidden = |b| 3 * shown(&overlapping.ids, b) < shown(&honest.ids, b);
                    if t == from && (hidden(body) || hidden(other)) {
                        return Ok(None);
                    }
                    overlapping.rgb
                }
                _ => {
                    let by = match shift {
                        Some(by) => by,
                        None => match free_shift(
                            eye,
                            &state.bodies[body].position,
                            &reality,
                            &tracked,
                            body,
                            &mut rng,
                        ) {
                            Some(by) => *shift.insert(by),
                            None => return Ok(None),
                        },
                    };
                    fork.teleport(body, [at[0] + by[0], at[1] + by[1], at[2] + by[2]]);
                    let moved = eye.look(&fork);
                    if law == Law::Continuity {
                        moved.rgb
                    } else {
                        let mut both = honest.rgb;
                        for (i, _) in moved
                            .ids
                            .iter()
                            .enumerate()
                            .filter(|(_, id)| usize::from(**id) == body + 1)
                        {
                            both[i * 3..i * 3 + 3].copy_from_slice(&moved.rgb[i * 3..i * 3 + 3]);
                        }
                        both
                    }
                }
            }
        };
        frames.push(frame);
        if let Some(action) = actions.get(t) {
            reality.act(action);
        }
        reality.step();
    }
    Ok(Some((frames, body)))
}

/// Unit vector along `d`; with a yaw, the nearest of the four face normals of a box turned so.
fn direction(d: [f32; 2], yaw: Option<f32>) -> [f32; 2] {
    let length = d[0].hypot(d[1]).max(1e-3);
    let unit = [d[0] / length, d[1] / length];
    let Some(yaw) = yaw else { return unit };
    let (sin, cos) = (libm::sinf(yaw), libm::cosf(yaw));
    [[cos, -sin], [sin, cos], [-cos, sin], [-sin, -cos]]
        .into_iter()
        .max_by(|a, b| {
            (a[0] * unit[0] + a[1] * unit[1]).total_cmp(&(b[0] * unit[0] + b[1] * unit[1]))
        })
        .unwrap_or(unit)
}

fn inside(eye: &Eye, at: [f32; 3], margin: f32) -> bool {
    let size = eye.size() as f32;
    eye.project(at)
        .is_some_and(|p| p.iter().all(|&c| c > margin && c < size - margin))
}

/// A jump of a quarter to a half of the picture that lands clear of all bodies and of the border.
fn free_shift(
    eye: &Eye,
    at: &[f32; 3],
    reality: &Reality,
    tracked: &[usize],
    body: usize,
    rng: &mut ChaCha8Rng,
) -> Option<[f32; 3]> {
    let state = reality.measure();
    let from = eye.project(*at)?;
    let shape = &reality.scene().bodies[body].shape;
    let fine = fine(eye);
    let margin = shape.bounding_radius() / eye.metres_per_pixel(*at) + 3.0 * fine;
    let upright = reality.scene().camera.position[1] < reality.scene().camera.position[2];
    for _ in 0..200 {
        let (a, b) = (
            rng.random_range(-0.8f32..0.8),
            rng.random_range(-0.8f32..0.8),
        );
        let by = if upright { [a, b, 0.0] } else { [a, 0.0, b] };
        let to = [at[0] + by[0], at[1] + by[1], at[2] + by[2]];
        let Some(p) = eye.project(to) else { continue };
        let distance = ((p[0] - from[0]).powi(2) + (p[1] - from[1]).powi(2)).sqrt();
        let clear = tracked.iter().filter(|&&o| o != body).all(|&o| {
            eye.project(state.bodies[o].position)
                .is_none_or(|q| (q[0] - p[0]).abs().max((q[1] - p[1]).abs()) > 12.0 * fine)
        });
        if (16.0 * fine..32.0 * fine).contains(&distance)
            && clear
            && to[1] > 0.05
            && inside(eye, to, margin)
        {
            return Some(by);
        }
    }
    None
}
