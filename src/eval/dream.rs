//! Dream mode: a model imagines on for hundreds of steps under random actions, with no truth behind it.
//! Nothing can be compared with reality for long, so what is asked is whether a world is still there: every
//! object once and of a plausible size, and the background as it was. Reality under the same actions stands
//! beside it: an object that it has lost by then, pushed out of the picture or hidden, is not asked of a
//! dream either.

use std::sync::Arc;
use std::time::Instant;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::EvalError;
use super::rollout::{CONTEXT, Clip};
use crate::camera::Eye;
use crate::judge::{Blob, Tracker, psnr_db};
use crate::model::{Actions, Cancel, Frames, ModelError, Sampling, WorldModel};
use crate::scene::Scene;
use crate::sim::Reality;
use crate::stats::Mean;
use crate::task::TaskError;

/// Imagined steps of a dream.
pub const STEPS: usize = 500;
/// Steps that are told apart: what is still there after so many.
pub const PART: usize = 100;
/// An action is held for at most so many steps.
const LONGEST_HOLD: u32 = 8;
/// Components of fewer pixels are specks.
const LEAST_PIXELS: f32 = 4.0;
/// An object may look so many times larger or smaller than at the branch.
const SIZE_FACTOR: f32 = 4.0;
/// Pixels around an object that are not background: its shadow.
const MARGIN: usize = 5;

/// How a world held out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Constancy {
    /// Share of frames in which every object that the branch showed is there once, at a plausible size;
    /// interval over dreams. Of a dream, only objects are asked for that reality under the same actions
    /// still shows.
    pub count_right: Option<Mean>,
    /// The same in each hundred steps.
    pub count_right_by_part: Vec<f64>,
    /// PSNR of the background against the branch's, dB; interval over dreams.
    pub background_psnr_db: Option<Mean>,
    /// The same in each hundred steps.
    pub background_psnr_db_by_part: Vec<f64>,
}

/// All numbers of one model in one scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DreamResult {
    /// Imagined steps of each dream.
    pub steps: usize,
    /// The model's; a result's `model` is its name.
    #[serde(rename = "dream")]
    pub model: Constancy,
    /// Reality's under the same actions.
    pub reality: Constancy,
    /// Imagined frames a second, dreams side by side on all cores.
    pub frames_per_s: f64,
}

/// What is looked for in the frames of one dream.
struct Watch<'a> {
    tracker: &'a Tracker,
    size: usize,
    branch: &'a [u8],
    /// Areas of the branch's objects; 0 where one is not to be seen.
    areas: Vec<f32>,
    /// Pixels of the branch that are background, far from its objects.
    background: Vec<bool>,
}

impl<'a> Watch<'a> {
    fn new(
        tracker: &'a Tracker,
        size: usize,
        branch: &'a [u8],
        ids: &[u8],
        moving: &[bool],
    ) -> Self {
        let blobs = tracker.blobs(size, branch);
        let covered: Vec<bool> = ids.iter().map(|&id| moving[usize::from(id)]).collect();
        Self {
            tracker,
            size,
            branch,
            areas: blobs
                .iter()
                .map(|b| if b.area > LEAST_PIXELS { b.area } else { 0.0 })
                .collect(),
            background: grown(&covered, size).into_iter().map(|c| !c).collect(),
        }
    }

    /// Whether each object is there once, and the background's PSNR.
    fn look(&self, frame: &[u8]) -> (Vec<bool>, f64) {
        let blobs = self.tracker.blobs(self.size, frame);
        let is_right = |blob: &Blob, area: f32| {
            let parts = blob.components.iter().filter(|&&a| a >= LEAST_PIXELS);
            area == 0.0
                || parts.count() == 1
                    && blob.area * SIZE_FACTOR >= area
                    && blob.area <= area * SIZE_FACTOR
        };
        let by_area = blobs.iter().zip(&self.areas);
        let right = by_area.map(|(b, &area)| is_right(b, area)).collect();
        let covered: Vec<bool> = (0..self.background.len())
            .map(|p| blobs.iter().any(|b| b.mask[p] > 0.0))
            .collect();
        let mask: Vec<bool> = grown(&covered, self.size)
            .into_iter()
            .zip(&self.background)
            .map(|(near, background)| *background && !near)
            .collect();
        (
            right,
            psnr_db(frame, self.branch, Some(&mask)).unwrap_or(0.0),
        )
    }
}

/// The pixels within [`MARGIN`] of a mask's, along both axes.
fn grown(mask: &[bool], size: usize) -> Vec<bool> {
    let along = |mask: &[bool], step: usize, at: &dyn Fn(usize) -> usize| -> Vec<bool> {
        (0..mask.len())
            .map(|p| {
                let here = at(p);
                let (first, last) = (here.saturating_sub(MARGIN), (here + MARGIN).min(size - 1));
                (first..=last).any(|i| mask[p - here * step + i * step])
            })
            .collect()
    };
    let rows = along(mask, 1, &|p| p % size);
    along(&rows, size, &|p| p / size)
}

/// Random actions `[T][A]`, each held for a few steps.
fn random_actions(seed: u64, steps: usize, dim: usize) -> Vec<Vec<f32>> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xD4EA);
    let mut actions = Vec::with_capacity(steps);
    while actions.len() < steps {
        let action: Vec<f32> = (0..dim).map(|_| rng.random_range(-1.0..=1.0)).collect();
        for _ in 0..rng.random_range(1..=LONGEST_HOLD) {
            actions.push(action.clone());
        }
    }
    actions.truncate(steps);
    actions
}

/// Right count and background PSNR of a frame.
type Look = (bool, f64);

fn share(looks: &[Look]) -> f64 {
    looks.iter().filter(|l| l.0).count() as f64 / looks.len().max(1) as f64
}

fn mean_psnr(looks: &[Look]) -> f64 {
    looks.iter().map(|l| l.1).sum::<f64>() / looks.len().max(1) as f64
}

fn constancy(dreams: &[Vec<Look>]) -> Constancy {
    let steps = dreams.first().map_or(0, Vec::len);
    let parts: Vec<Vec<Look>> = (0..steps)
        .step_by(PART)
        .map(|from| {
            let of = |dream: &Vec<Look>| dream[from..(from + PART).min(steps)].to_vec();
            dreams.iter().flat_map(of).collect()
        })
        .collect();
    let each = |of: fn(&[Look]) -> f64| -> Vec<f64> { dreams.iter().map(|d| of(d)).collect() };
    Constancy {
        count_right: Mean::bootstrap(&each(share)),
        count_right_by_part: parts.iter().map(|p| share(p)).collect(),
        background_psnr_db: Mean::bootstrap(&each(mean_psnr)),
        background_psnr_db_by_part: parts.iter().map(|p| mean_psnr(p)).collect(),
    }
}

/// One dream, and reality under the same actions.
pub struct Dream {
    /// What both follow.
    pub clip: Clip,
    /// What the model imagined, from the branch on.
    pub imagined: Frames,
    /// What was there instead, `[T][H, W, 3]`.
    pub real: Vec<Vec<u8>>,
    /// Seconds that imagining took.
    pub seconds: f64,
}

impl Dream {
    /// Dreams `steps` steps from the branch of a seed.
    ///
    /// # Errors
    /// [`EvalError`] if the model fails or imagines no frames.
    pub fn new(
        scene: &Arc<Scene>,
        eye: &Eye,
        model: &dyn WorldModel,
        seed: u64,
        steps: usize,
    ) -> Result<Self, EvalError> {
        let dim = scene.actions.dim();
        let clip = Clip::new(scene, eye, seed)?;
        let sequence = random_actions(seed, steps, dim);
        let began = Instant::now();
        let rollouts = model.imagine(
            &model.observe(&clip.context(model.shape().context_frames))?,
            &Actions::one(&sequence, dim),
            Sampling::default(),
            &Cancel::new(),
        )?;
        let frames = model.facets().frames(&rollouts)?;
        let imagined = frames.ok_or_else(|| ModelError::Input {
            model: model.card().name.clone(),
            message: "imagines no frames, so it cannot dream".into(),
        })?;
        let seconds = began.elapsed().as_secs_f64();
        let mut reality = Reality::new(scene, seed).map_err(TaskError::from)?;
        for t in 0..clip.start + CONTEXT - 1 {
            reality.act(&clip.episode.actions[t * dim..(t + 1) * dim]);
            reality.step();
        }
        let real = sequence.iter().take(imagined.steps).map(|action| {
            reality.act(action);
            reality.step();
            eye.look(&reality).rgb
        });
        Ok(Self {
            real: real.collect(),
            clip,
            imagined,
            seconds,
        })
    }
}

/// Dreams of `steps` steps from the branches of seeds `seed..seed + dreams`.
///
/// # Errors
/// [`EvalError`] of the first dream that fails, or if the model imagines no frames.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    dreams: u64,
    steps: usize,
) -> Result<DreamResult, EvalError> {
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let tracker = Tracker::new(scene);
    let moving = scene.moving_ids();
    let started = Instant::now();
    let mut spent = 0.0;
    let one = |seed: u64| -> Result<(Vec<Look>, Vec<Look>, f64), EvalError> {
        let dream = Dream::new(scene, &eye, model, seed, steps)?;
        let (branch, ids) = (dream.clip.frame(CONTEXT - 1), dream.clip.ids(CONTEXT - 1));
        let watch = Watch::new(&tracker, eye.size(), branch, ids, &moving);
        let (mut dreamt, mut real) = (Vec::new(), Vec::new());
        for (t, truth) in dream.real.iter().enumerate() {
            let (there, psnr) = watch.look(truth);
            let (right, own_psnr) = watch.look(dream.imagined.at(0, t));
            real.push((there.iter().all(|r| *r), psnr));
            let mut asked = right.iter().zip(&there).filter(|(_, there)| **there);
            dreamt.push((asked.all(|(right, _)| *right), own_psnr));
        }
        Ok((dreamt, real, dream.seconds))
    };
    let all: Result<Vec<_>, EvalError> = (seed..seed + dreams).into_par_iter().map(one).collect();
    let (mut dreamt, mut real) = (Vec::new(), Vec::new());
    for (d, r, seconds) in all? {
        dreamt.push(d);
        real.push(r);
        spent += seconds;
    }
    // Dreams run side by side: their own time, as far as it passed at once.
    let wall = started.elapsed().as_secs_f64().min(spent);
    Ok(DreamResult {
        steps,
        model: constancy(&dreamt),
        reality: constancy(&real),
        frames_per_s: (dreams as usize * steps) as f64 / wall.max(1e-9),
    })
}
