//! Rollouts against reality on held-out seeds: how accurate, how lawful, for a model and for the floors.

mod clip;
mod judged;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::control::EvalError;
use crate::camera::Eye;
use crate::judge::{Belief, Judge, foreground_psnr_db, object_error, psnr_db};
use crate::model::facets::FilmCost;
use crate::model::{Cancel, Context, Frames, Rollouts, Sampling, WorldModel, require};
use crate::scene::Scene;
use crate::stats::Spread;
use crate::stats::pearson;
use crate::task::TaskError;

pub use clip::{CONTEXT, Clip, HORIZONS, STEPS};
use judged::Judged;
pub use judged::{Lawfulness, Off};

const NO_JUMPS: &str = "learned no jumps; measure it without --jumps, or train them with \
                        training/recipes/lewm-jumps.ron";

/// One contestant's numbers at one horizon.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Numbers {
    /// Foreground PSNR, dB (pixels of moving bodies now or in the last real frame).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreground_psnr_db: Option<Spread>,
    /// PSNR over all pixels, dB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr_db: Option<Spread>,
    /// Distance of tracked centroids from the truth, pixels; of a model that shows no pictures, distance of
    /// probed places from the true ones as the camera shows both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_error_px: Option<Spread>,
    /// Distance of probed positions from the truth in the plane, metres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object_error_m: Option<Spread>,
    /// Share of the bodies that the truth shows and the contestant still shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survival: Option<f64>,
}

/// All numbers of one model in one scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RolloutResult {
    /// Reported steps.
    pub horizons: Vec<usize>,
    /// By contestant (`model`, `copy_last`, `constant_velocity`; `autoencoder`, the true future as a latent
    /// model's own latents render it), one entry a horizon.
    pub numbers: BTreeMap<String, Vec<Numbers>>,
    /// Median foreground PSNR over copy-last, dB, one entry a horizon.
    pub gain_over_copy_last_db: Vec<f64>,
    /// Violations of the model's clips.
    pub violations: Lawfulness,
    /// By body, how far from reality the clips are: another question than whether they are lawful.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub accurate: BTreeMap<String, Off>,
    /// The constants of nature that the clips believe in, beside those of reality.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub beliefs: Vec<Belief>,
    /// Pearson's r of the linear probe (three observations) with the true place, by body: x and z.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub probe_r: BTreeMap<String, [f64; 2]>,
    /// Imagined frames a second (model steps times frameskip), batch 1.
    pub frames_per_s: f64,
    /// Of films by jumps: SHA-256 of what learned them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jumps_sha256: Option<String>,
    /// Of films by jumps: what one costs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<FilmCost>,
    /// Of films by jumps: what one costs step by step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film_by_steps: Option<FilmCost>,
}

#[derive(Default)]
struct Tally {
    psnr: Vec<f64>,
    whole: Vec<f64>,
    error_px: Vec<f64>,
    error_m: Vec<f64>,
    seen: usize,
    lost: usize,
}

impl Tally {
    fn errors(&mut self, errors: impl IntoIterator<Item = Option<f64>>) {
        for e in errors {
            match e {
                Some(e) => {
                    self.seen += 1;
                    self.error_px.push(e);
                }
                None => self.lost += 1,
            }
        }
    }

    fn numbers(&self) -> Numbers {
        let spread = Spread::of;
        let bodies = self.seen + self.lost;
        Numbers {
            foreground_psnr_db: spread(&self.psnr),
            psnr_db: spread(&self.whole),
            object_error_px: spread(&self.error_px),
            object_error_m: spread(&self.error_m),
            survival: (bodies > 0).then(|| self.seen as f64 / bodies as f64),
        }
    }
}

/// Measures a model in a scene on seeds `seed..seed + clips`; what it imagines comes step by step or, where
/// it is asked for, by jumps.
///
/// # Errors
/// [`EvalError`] of the first clip that fails, or that the model learned no jumps.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    clips: u64,
    by_jumps: bool,
    mut progress: impl FnMut(u64),
) -> Result<RolloutResult, EvalError> {
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let mut judged = Judged::new(scene);
    let judge = judged.judge().clone();
    let moving = scene.moving_ids();
    let mut tallies: BTreeMap<(&str, usize), Tally> = BTreeMap::new();
    let mut probed: BTreeMap<String, Vec<[f32; 4]>> = BTreeMap::new();
    let mut seconds = 0.0;
    let jumps = match by_jumps {
        true => Some(require(model, model.facets().jumps, NO_JUMPS)?),
        false => None,
    };
    for seed in seed..seed + clips {
        let clip = Clip::new(scene, &eye, seed)?;
        let started = std::time::Instant::now();
        let latent = model.observe(&clip.context(model.shape().context_frames))?;
        let cancel = Cancel::new();
        let rollouts = match jumps {
            Some(jumps) => jumps.imagine_by_jumps(&latent, &clip.actions(), &cancel)?,
            None => model.imagine(&latent, &clip.actions(), Sampling::default(), &cancel)?,
        };
        seconds += started.elapsed().as_secs_f64();
        let last = clip.frame(CONTEXT - 1);
        let can = model.facets();
        let frames = can.frames(&rollouts)?;
        let mut futures = Vec::new();
        for horizon in HORIZONS {
            futures.extend_from_slice(clip.frame(CONTEXT - 1 + horizon));
        }
        let futures = Frames::sequence(eye.size(), futures);
        let again = can.pixels.map(|p| p.reconstruct(&futures)).transpose()?;
        let again = again.flatten();
        for horizon in HORIZONS {
            let (truth, ids) = (
                clip.frame(CONTEXT - 1 + horizon),
                clip.ids(CONTEXT - 1 + horizon),
            );
            let psnr = |frame: &[u8]| {
                foreground_psnr_db(frame, truth, ids, clip.ids(CONTEXT - 1), &moving)
            };
            let floor = tallies.entry(("copy_last", horizon)).or_default();
            floor.psnr.extend(psnr(last));
            floor.whole.extend(psnr_db(last, truth, None));
            floor.errors(object_error(judge.tracker(), eye.size(), last, truth));
            let constant = tallies.entry(("constant_velocity", horizon)).or_default();
            constant.errors(constant_velocity(&judge, &clip, horizon));
            if let Some(again) = &again {
                let i = HORIZONS.iter().position(|&h| h == horizon).unwrap_or(0);
                let frame = again.at(0, i);
                let floor = tallies.entry(("autoencoder", horizon)).or_default();
                floor.psnr.extend(psnr(frame));
                floor.whole.extend(psnr_db(frame, truth, None));
                floor.errors(object_error(judge.tracker(), eye.size(), frame, truth));
            }
            let tally = tallies.entry(("model", horizon)).or_default();
            if let Some(frames) = &frames {
                let imagined = frames.at(0, horizon - 1);
                tally.psnr.extend(psnr(imagined));
                tally.whole.extend(psnr_db(imagined, truth, None));
                tally.errors(object_error(judge.tracker(), eye.size(), imagined, truth));
            }
            let probed = probed_poses(scene, model, &rollouts, horizon)?;
            for (body, pose) in &probed {
                let truth = clip.state(scene, CONTEXT - 1 + horizon, *body);
                let off = truth.planar_distance([pose[0], pose[1]]);
                tally.error_m.push(f64::from(off));
            }
            if frames.is_none() {
                let shown = eye.for_seed(seed);
                let errors = projected_errors(scene, &judge, &shown, &clip, horizon, &probed);
                tally.error_px.extend(errors);
            }
        }
        probe_now(scene, model, &clip, &mut probed)?;
        match (&frames, can.states(&rollouts)?) {
            (Some(frames), _) => judged.frames(&clip, frames),
            (None, Some(states)) => {
                let (skip, name) = (model.shape().frameskip, &model.card().name);
                judged.places(scene, &clip, &states, skip, name);
            }
            (None, None) => judged.nothing(),
        }
        progress(seed);
    }
    let mut names = vec!["model", "copy_last", "constant_velocity"];
    if tallies.contains_key(&("autoencoder", HORIZONS[0])) {
        names.push("autoencoder");
    }
    let numbers: BTreeMap<String, Vec<Numbers>> = names
        .into_iter()
        .map(|n| {
            (
                n.to_string(),
                HORIZONS
                    .iter()
                    .map(|&h| tallies.entry((n, h)).or_default().numbers())
                    .collect(),
            )
        })
        .collect();
    let gain = HORIZONS.iter().enumerate().filter_map(|(i, _)| {
        let median = |n: &str| numbers[n][i].foreground_psnr_db.map(|s| s.median);
        Some(median("model")? - median("copy_last")?)
    });
    Ok(RolloutResult {
        horizons: HORIZONS.to_vec(),
        gain_over_copy_last_db: gain.collect(),
        violations: judged.lawfulness(),
        accurate: judged.accuracy(),
        beliefs: judged.beliefs(),
        probe_r: probed
            .iter()
            .map(|(body, pairs)| (body.clone(), probe_r(pairs)))
            .collect(),
        frames_per_s: (clips as usize * STEPS) as f64 / seconds.max(1e-9),
        jumps_sha256: jumps.and(model.card().jumps.clone()),
        film: jumps.map(|j| j.film_cost(STEPS)).transpose()?,
        film_by_steps: jumps.map(|_| by_steps(model)),
        numbers,
    })
}

/// What a film costs step by step.
fn by_steps(model: &dyn WorldModel) -> FilmCost {
    let calls = STEPS / model.shape().frameskip;
    FilmCost {
        calls,
        flops: calls as f64 * model.cost(Sampling::default()).dynamics_flops,
    }
}

/// Centroids moved on from the last two real frames, against the truth's.
fn constant_velocity(judge: &Judge, clip: &Clip, horizon: usize) -> Vec<Option<f64>> {
    let blobs = |t: usize| judge.tracker().blobs(clip.size, clip.frame(t));
    let (before, last, truth) = (
        blobs(CONTEXT - 2),
        blobs(CONTEXT - 1),
        blobs(CONTEXT - 1 + horizon),
    );
    (0..truth.len())
        .filter(|&b| truth[b].area > 4.0)
        .map(|b| {
            let known = before[b].area > 4.0 && last[b].area > 4.0;
            let d: f64 = (0..2)
                .map(|i| {
                    let v = last[b].centroid[i] - before[b].centroid[i];
                    let guess = last[b].centroid[i] + horizon as f32 * v;
                    f64::from(guess - truth[b].centroid[i]).powi(2)
                })
                .sum();
            known.then(|| d.sqrt())
        })
        .collect()
}

/// Where the model's probes read bodies at a horizon: index of the body and (x, z, yaw).
fn probed_poses(
    scene: &Scene,
    model: &dyn WorldModel,
    rollouts: &Rollouts,
    horizon: usize,
) -> Result<Vec<(usize, [f32; 3])>, EvalError> {
    let skip = model.shape().frameskip;
    if !horizon.is_multiple_of(skip) {
        return Ok(Vec::new());
    }
    let Some(states) = model.facets().states(rollouts)? else {
        return Ok(Vec::new());
    };
    let read = states.at(0, horizon / skip - 1).iter().zip(&states.bodies);
    Ok(read
        .filter_map(|(pose, name)| Some((scene.body_index(name)?, *pose)))
        .collect())
}

/// Pixels between probed and true places as the camera shows both, each at the body's true height, of the
/// tracked bodies that the truth shows (area over 4 px).
fn projected_errors(
    scene: &Scene,
    judge: &Judge,
    eye: &Eye,
    clip: &Clip,
    horizon: usize,
    probed: &[(usize, [f32; 3])],
) -> Vec<f64> {
    let t = CONTEXT - 1 + horizon;
    let tracker = judge.tracker();
    let blobs = tracker.blobs(clip.size, clip.frame(t));
    let is_shown = |body: usize| {
        let tracked = tracker.bodies.iter().position(|&b| b == body);
        tracked.is_some_and(|i| blobs[i].area > 4.0)
    };
    let error = |&(body, pose): &(usize, [f32; 3])| {
        let [x, y, z] = clip.state(scene, t, body).position;
        let truth = eye.project([x, y, z])?;
        let read = eye.project([pose[0], y, pose[1]])?;
        Some(f64::from((read[0] - truth[0]).hypot(read[1] - truth[1])))
    };
    let shown = probed.iter().filter(|(body, _)| is_shown(*body));
    shown.filter_map(error).collect()
}

/// What the linear probe reads at every third frame of the clip beside the truth: read x, z, true x, z.
fn probe_now(
    scene: &Scene,
    model: &dyn WorldModel,
    clip: &Clip,
    out: &mut BTreeMap<String, Vec<[f32; 4]>>,
) -> Result<(), EvalError> {
    let Some(readouts) = model.facets().readouts else {
        return Ok(());
    };
    for t in (2..CONTEXT + STEPS).step_by(3) {
        let frames = (t - 2..=t).map(|t| clip.frame(t).to_vec());
        let read = readouts.now(&Context::new(clip.size, frames, Vec::new()))?;
        for (pose, name) in read.at(0, 0).iter().zip(&read.bodies) {
            let Some(body) = scene.body_index(name) else {
                continue;
            };
            let truth = clip.state(scene, t, body).position;
            out.entry(name.clone())
                .or_default()
                .push([pose[0], pose[1], truth[0], truth[2]]);
        }
    }
    Ok(())
}

fn probe_r(pairs: &[[f32; 4]]) -> [f64; 2] {
    let column = |i: usize| -> Vec<f32> { pairs.iter().map(|p| p[i]).collect() };
    [
        pearson(&column(0), &column(2)),
        pearson(&column(1), &column(3)),
    ]
}
