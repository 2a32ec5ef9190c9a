//! What reality scores when it is seen through a model's encoder and its probes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::calibrate::{RealClip, decide};
use super::{CALIBRATION_SEED, CLIP, REFERENCE};
use crate::eval::control::EvalError;
use crate::judge::{Judge, ReadoutCalibration, Setting, rules};
use crate::model::{Context, ProbedStates, WorldModel};
use crate::scene::{Law, Scene};
use crate::task::TaskError;

/// Observations that a probe reads at once.
const SEEN: usize = 3;

/// What a model's probes read of a clip of reality, one step every `frameskip` frames; `None` for a model
/// without probes.
///
/// # Errors
/// What the model or reality says.
pub fn read(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
) -> Result<Option<ProbedStates>, EvalError> {
    let Some(readouts) = model.facets().readouts else {
        return Ok(None);
    };
    let clip = RealClip::new(scene, seed).map_err(TaskError::Episode)?;
    let skip = model.shape().frameskip.max(1);
    let mut all: Option<ProbedStates> = None;
    for t in (SEEN - 1..REFERENCE + CLIP).step_by(skip) {
        let Some(frames) = clip.frames.get(t + 1 - SEEN..=t) else {
            break;
        };
        let context = Context::new(scene.camera.size, frames.to_vec(), Vec::new());
        let now = readouts.now(&context)?;
        match &mut all {
            None => all = Some(now),
            Some(all) => {
                all.poses.extend_from_slice(now.at(0, 0));
                all.steps += 1;
            }
        }
    }
    Ok(all)
}

/// The laws that a model's read-outs can carry in a scene, from `clips` clips of reality.
///
/// # Errors
/// What the model or reality says.
pub fn calibrate_readouts(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    weights: &str,
    clips: u64,
) -> Result<ReadoutCalibration, EvalError> {
    let judge = Judge::new(scene);
    let skip = model.shape().frameskip;
    let mut found: BTreeMap<Law, Vec<f32>> = BTreeMap::new();
    for seed in CALIBRATION_SEED..CALIBRATION_SEED + clips {
        let Some(states) = read(scene, model, seed)? else {
            continue;
        };
        let mut greatest: BTreeMap<Law, f32> = BTreeMap::new();
        for s in judge.state_scores(&states, 0, skip) {
            let entry = greatest.entry(s.law).or_insert(f32::MIN);
            *entry = entry.max(s.score);
        }
        for (law, score) in greatest {
            found.entry(law).or_default().push(score);
        }
    }
    let setting = |law: Law| {
        let carried = rules(law).readouts;
        let reason = match judge.inapplicable(law) {
            _ if !carried => Some("probes read places only".to_string()),
            reason => reason,
        };
        if let Some(reason) = reason {
            return (law, Setting::Off { reason });
        }
        let mut scores = found.get(&law).cloned().unwrap_or_default();
        scores.sort_by(|a, b| b.total_cmp(a));
        (law, decide(law, &scores, &[], clips as usize))
    };
    Ok(ReadoutCalibration {
        weights: weights.chars().take(12).collect(),
        laws: Law::ALL.into_iter().map(setting).collect(),
    })
}
