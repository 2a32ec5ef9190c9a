//! Whether a model does what the actions say. Two numbers: how much worse its pictures become when it is
//! given another clip's actions (a model that ignores them gets a ratio of 1), and how well the motion of
//! the imagined hand follows the actions.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::EvalError;
use super::rollout::{CONTEXT, Clip};
use crate::camera::Eye;
use crate::judge::{Tracker, foreground_mask};
use crate::model::{Actions, Cancel, Frames, ModelError, Sampling, WorldModel};
use crate::scene::Scene;
use crate::stats::Mean;
use crate::stats::{linalg, pearson};
use crate::task::TaskError;

/// Imagined steps of a clip.
pub const STEPS: usize = 10;
/// A hand of fewer pixels is lost.
const LEAST_PIXELS: f32 = 4.0;
/// Added to the normal equations of the map from action to motion.
const RIDGE: f64 = 1e-6;

/// How the hand's motion in the picture follows the actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HandFollowing {
    /// Pearson's r of the motion that the actions call for with the hand's, across and down the picture;
    /// null where the hand was never seen to move.
    pub r: Option<[f64; 2]>,
    /// The lower of the two.
    pub lowest_r: Option<f64>,
    /// Share of steps in which the hand is not to be seen.
    pub lost: f64,
}

/// All numbers of one model in one scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FollowingResult {
    /// Imagined steps of each clip.
    pub steps: usize,
    /// Mean squared error over the pixels of moving bodies, in [0, 1], under the true actions.
    pub loss: f64,
    /// The same under the actions of the next clip.
    pub loss_shuffled: f64,
    /// Shuffled over true; interval over clips; null where the loss under the true actions is 0.
    pub shuffled_ratio: Option<Mean>,
    /// The imagined hand's.
    pub hand: HandFollowing,
    /// The real hand's: what walls and inertia leave.
    pub reality: HandFollowing,
}

/// One step of one clip: the action, and how far the hand moved in the picture, pixels (`None` where it is
/// not to be seen).
type Move = (Vec<f32>, Option<[f32; 2]>);

/// What one clip gives.
struct Seen {
    squares: f64,
    squares_shuffled: f64,
    values: f64,
    imagined: Vec<Move>,
    real: Vec<Move>,
}

/// Measures a model in a scene with a hand on seeds `seed..seed + clips`.
///
/// # Errors
/// [`EvalError`] of the first clip that fails; an input error if the scene has no hand or the model
/// imagines no frames.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    clips: u64,
) -> Result<FollowingResult, EvalError> {
    let fault = |message: String| ModelError::Input {
        model: model.card().name.clone(),
        message,
    };
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let tracker = Tracker::new(scene);
    let hand = scene
        .hand()
        .and_then(|h| tracker.bodies.iter().position(|&b| b == h));
    let (Some(hand), dim @ 1..) = (hand, scene.actions.dim()) else {
        return Err(fault(format!("scene `{}` has no hand to follow", scene.name)).into());
    };
    if clips < 2 {
        let message = "1 clip: expected at least 2, since each is shown the next one's actions";
        return Err(fault(message.into()).into());
    }
    let moving = scene.moving_ids();
    let clips: Result<Vec<Clip>, TaskError> = (seed..seed + clips)
        .into_par_iter()
        .map(|seed| Clip::new(scene, &eye, seed))
        .collect();
    let clips = clips?;
    let actions_of = |clip: &Clip| -> Vec<Vec<f32>> {
        (0..STEPS).map(|t| clip.action(CONTEXT - 1 + t)).collect()
    };
    let one = |i: usize| -> Result<Seen, EvalError> {
        let (clip, other) = (&clips[i], &clips[(i + 1) % clips.len()]);
        let latent = model.observe(&clip.context(model.shape().context_frames))?;
        let imagine = |actions: &[Vec<f32>]| -> Result<Frames, EvalError> {
            let actions = Actions::one(actions, dim);
            let sampling = Sampling::default();
            let rollouts = model.imagine(&latent, &actions, sampling, &Cancel::new())?;
            let frames = model.facets().frames(&rollouts)?;
            Ok(frames.ok_or_else(|| fault("imagines no frames to follow a hand in".into()))?)
        };
        let own = actions_of(clip);
        let (imagined, shuffled) = (imagine(&own)?, imagine(&actions_of(other))?);
        let place = |frame: &[u8]| {
            let blob = &tracker.blobs(eye.size(), frame)[hand];
            (blob.area > LEAST_PIXELS).then_some(blob.centroid)
        };
        let mut seen = Seen {
            squares: 0.0,
            squares_shuffled: 0.0,
            values: 0.0,
            imagined: Vec::new(),
            real: Vec::new(),
        };
        let start = place(clip.frame(CONTEXT - 1));
        let (mut before, mut real_before) = (start, start);
        for (t, action) in own.iter().enumerate() {
            let truth = clip.frame(CONTEXT + t);
            let mask = foreground_mask(clip.ids(CONTEXT + t), clip.ids(CONTEXT - 1), &moving);
            for p in (0..mask.len()).filter(|&p| mask[p]) {
                for c in 3 * p..3 * p + 3 {
                    let off = |f: &[u8]| (f64::from(f[c].abs_diff(truth[c])) / 255.0).powi(2);
                    seen.squares += off(imagined.at(0, t));
                    seen.squares_shuffled += off(shuffled.at(0, t));
                    seen.values += 1.0;
                }
            }
            let (now, real) = (place(imagined.at(0, t)), place(truth));
            let moved =
                |a: Option<[f32; 2]>, b: Option<[f32; 2]>| Some([b?[0] - a?[0], b?[1] - a?[1]]);
            seen.imagined.push((action.clone(), moved(before, now)));
            seen.real.push((action.clone(), moved(real_before, real)));
            (before, real_before) = (now, real);
        }
        Ok(seen)
    };
    let all: Result<Vec<Seen>, EvalError> = (0..clips.len()).into_par_iter().map(one).collect();
    let all = all?;
    let real: Vec<&Move> = all.iter().flat_map(|s| &s.real).collect();
    let imagined: Vec<&Move> = all.iter().flat_map(|s| &s.imagined).collect();
    let map = motion_of_action(&real, dim);
    let pairs: Vec<[f64; 2]> = all
        .iter()
        .map(|s| [s.squares_shuffled, s.squares])
        .collect();
    let values: f64 = all.iter().map(|s| s.values).sum::<f64>().max(1.0);
    Ok(FollowingResult {
        steps: STEPS,
        loss: pairs.iter().map(|p| p[1]).sum::<f64>() / values,
        loss_shuffled: pairs.iter().map(|p| p[0]).sum::<f64>() / values,
        shuffled_ratio: Mean::ratio(&pairs),
        hand: following(&map, &imagined, dim),
        reality: following(&map, &real, dim),
    })
}

/// The linear map from an action to the hand's motion in the picture, `[A, 2]`, by least squares over what
/// really happened: one map for every model.
fn motion_of_action(moves: &[&Move], dim: usize) -> Vec<f64> {
    let (mut a, mut b) = (vec![0f64; dim * dim], vec![0f64; 2 * dim]);
    for (action, moved) in moves.iter().map(|m| (&m.0, m.1)) {
        let Some(moved) = moved else { continue };
        for i in 0..dim {
            for j in 0..dim {
                a[i * dim + j] += f64::from(action[i] * action[j]);
            }
            for axis in 0..2 {
                b[2 * i + axis] += f64::from(action[i] * moved[axis]);
            }
        }
    }
    let scale: f64 = (0..dim).map(|i| a[i * dim + i]).sum();
    for i in 0..dim {
        a[i * dim + i] += RIDGE * scale.max(1.0);
    }
    linalg::solve(&a, &b, dim, 2).unwrap_or_else(|| vec![0.0; 2 * dim])
}

fn following(map: &[f64], moves: &[&Move], dim: usize) -> HandFollowing {
    let seen: Vec<(&[f32], [f32; 2])> = moves
        .iter()
        .filter_map(|m| Some((m.0.as_slice(), m.1?)))
        .collect();
    let r = [0, 1].map(|axis| {
        let called: Vec<f32> = seen
            .iter()
            .map(|(action, _)| {
                (0..dim).fold(0.0, |sum, i| sum + map[2 * i + axis] as f32 * action[i])
            })
            .collect();
        let moved: Vec<f32> = seen.iter().map(|(_, m)| m[axis]).collect();
        pearson(&called, &moved)
    });
    let r = (!seen.is_empty()).then_some(r);
    HandFollowing {
        r,
        lowest_r: r.map(|r| r[0].min(r[1])),
        lost: 1.0 - seen.len() as f64 / moves.len().max(1) as f64,
    }
}
