//! The same faults seen through frames and through the probes of a model that shows no frames.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::REFERENCE;
use super::catalogue::{Catalogue, Strength};
use super::faulty::Faulty;
use super::inject::inject;
use super::truth::Truth;
use super::validate::{Caught, Fate, Left, fate_of, left, tally, verdict};
use crate::camera::Eye;
use crate::eval::control::EvalError;
use crate::judge::{Judge, Verdict};
use crate::model::facets::ReadOuts;
use crate::model::{Context, ProbedStates, WorldModel};
use crate::scene::{Law, Scene};
use crate::task::TaskError;

/// Observations that a probe reads.
const OBSERVED: usize = 3;

/// One source beside the other.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// By the tracker, through frames.
    pub frames: Caught,
    /// By the model's probes, through its latents.
    pub probes: Caught,
}

/// Both sources in one scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BesideFound {
    /// The laws that the probes can carry.
    pub checked: Vec<String>,
    /// Those that they cannot, and why.
    pub absent: BTreeMap<String, String>,
    /// Reality through the probes.
    pub reality: Left,
    /// By fault and strength.
    pub faults: BTreeMap<String, BTreeMap<String, Beside>>,
}

/// What a model's probes read in a film, a step every `skip` frames, from the first frame on that has enough
/// before it.
///
/// # Errors
/// Those of the model.
fn probed(
    readouts: &dyn ReadOuts,
    size: usize,
    frames: &[Vec<u8>],
    skip: usize,
) -> Result<ProbedStates, EvalError> {
    let mut all = ProbedStates::default();
    for t in (OBSERVED - 1..frames.len()).step_by(skip) {
        let seen = frames[t + 1 - OBSERVED..=t].iter().cloned();
        let read = readouts.now(&Context::new(size, seen, Vec::new()))?;
        all.poses.extend_from_slice(read.at(0, 0));
        all.steps += 1;
        all.bodies = read.bodies;
    }
    all.n = 1;
    Ok(all)
}

/// Steps of read-outs as frames, counted from the first imagined one.
fn in_frames(mut verdict: Verdict, skip: usize) -> Verdict {
    let frame = |step: usize| (OBSERVED - 1 + step * skip).saturating_sub(REFERENCE);
    for v in &mut verdict.violations {
        (v.first_frame, v.last_frame) = (frame(v.first_frame), frame(v.last_frame));
    }
    verdict
}

/// Measures both on `seeds`.
///
/// # Errors
/// [`EvalError`] if reality cannot be built or the model has no probes.
pub fn beside(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    catalogue: &Catalogue,
    seeds: Range<u64>,
) -> Result<BesideFound, EvalError> {
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let judge = Judge::new(scene);
    let Some(readouts) = model.facets().readouts else {
        return Ok(BesideFound::default());
    };
    let (name, skip) = (&model.card().name, model.shape().frameskip.max(1));
    let through = |film: &[Vec<u8>]| -> Result<Verdict, EvalError> {
        let states = probed(readouts, eye.size(), film, skip)?;
        Ok(in_frames(judge.states(&states, 0, skip, name), skip))
    };
    let (mut found, mut broken) = (BesideFound::default(), Vec::new());
    let mut fates: BTreeMap<(usize, Strength), [Vec<Fate>; 2]> = BTreeMap::new();
    for seed in seeds {
        let truth = Truth::new(scene, &eye, seed).map_err(TaskError::Episode)?;
        let honest = through(&truth.frames())?;
        found.checked = honest.checked.iter().map(|l| l.id().to_string()).collect();
        let absent = honest.absent.iter();
        found.absent = absent
            .map(|(l, reason)| (l.id().to_string(), reason.clone()))
            .collect();
        broken.push(honest.broken());
        for (n, fault) in catalogue.faults.iter().enumerate() {
            let carried = |l: &Law| honest.checked.contains(l);
            for strength in Strength::ALL
                .into_iter()
                .filter(|_| fault.laws.iter().any(carried))
            {
                let tracked = &judge.tracker().bodies;
                let Some(film) = inject(&truth, &eye, tracked, fault, strength) else {
                    continue;
                };
                let seen = |v: &Verdict, film: &Faulty| {
                    fate_of(v, &eye, &fault.laws, fault.develops, film)
                };
                let pair = [
                    seen(&verdict(&judge, &eye, &film.frames, &truth.actions), &film),
                    seen(&through(&film.frames)?, &film),
                ];
                let group = fates.entry((n, strength)).or_default();
                group
                    .iter_mut()
                    .zip(pair)
                    .for_each(|(all, fate)| all.push(fate));
            }
        }
    }
    found.reality = left(&broken);
    for ((n, strength), [frames, probes]) in fates {
        let fault = &catalogue.faults[n];
        let amount = fault.amount(strength).unwrap_or_default();
        let both = Beside {
            frames: tally(amount, &frames, "no clip gave an occasion"),
            probes: tally(amount, &probes, "no clip gave an occasion"),
        };
        let by_strength = found.faults.entry(fault.id.clone()).or_default();
        by_strength.insert(strength.id().into(), both);
    }
    Ok(found)
}
