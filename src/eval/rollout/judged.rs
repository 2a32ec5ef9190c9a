//! What the judge says of a model's clips: which laws they break (no reference needed), how far from reality
//! they are, and which constants of nature they believe in. These are three questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::clip::{CONTEXT, Clip, HORIZONS, STEPS};
use crate::judge::accurate::{self, Accuracy, Place};
use crate::judge::{Belief, Calibration, Estimate, Judge, Verdict, beliefs};
use crate::model::{Frames, ProbedStates};
use crate::scene::Scene;
use crate::stats::{Rate, Spread, quantile};

/// Law-abidance of the model's clips.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lawfulness {
    /// SHA-256 of the thresholds (`assets/judge.ron`); empty in results from before it was told.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub judge_sha256: String,
    /// The laws that were checked: those that are on in the scene and that imagined frames, or places read by
    /// probes, can carry; none where a model shows neither.
    #[serde(default)]
    pub checked: Vec<String>,
    /// The laws that were not, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub absent: BTreeMap<String, String>,
    /// Violations a 100 object-frames, by law that was checked.
    pub per_100_object_frames: BTreeMap<String, f64>,
    /// Share of clips that break it, by law that was checked.
    #[serde(default)]
    pub broken_clips: BTreeMap<String, Option<Rate>>,
    /// Share of clips without a violation of the laws that were checked; null where none was.
    pub clean_clips: Option<Rate>,
    /// Median step of the first violation among clips that have one.
    pub median_steps_to_first: Option<f64>,
}

/// How far one body is from where reality has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Off {
    /// Distance from the real place, cm, one entry a reported horizon.
    pub off_cm: Vec<Option<Spread>>,
    /// Angle to the real orientation, degrees, one entry a reported horizon; null where it cannot be seen.
    pub off_degrees: Vec<Option<Spread>>,
    /// The radius of a ball that holds it, cm.
    pub radius_cm: f32,
    /// Share of clips in which it ends further off than that, or lost.
    pub lost: Option<Rate>,
    /// Median step from which on it is, among these.
    pub lost_from_step: Option<f64>,
}

/// Gathers what is said of clip after clip.
pub(super) struct Judged {
    judge: Judge,
    verdicts: Vec<Verdict>,
    accuracies: BTreeMap<String, Vec<Accuracy>>,
    believed: Vec<Estimate>,
    real: Vec<Estimate>,
}

impl Judged {
    pub fn new(scene: &Arc<Scene>) -> Self {
        Self {
            judge: Judge::new(scene),
            verdicts: Vec::new(),
            accuracies: BTreeMap::new(),
            believed: Vec::new(),
            real: Vec::new(),
        }
    }

    /// The judge.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// Judges imagined frames.
    pub fn frames(&mut self, clip: &Clip, frames: &Frames) {
        let size = clip.size;
        let actions: Vec<Vec<f32>> = (0..CONTEXT + STEPS).map(|t| clip.action(t)).collect();
        let real: Vec<&[u8]> = (0..CONTEXT + STEPS).map(|t| clip.frame(t)).collect();
        let mut all = real[..CONTEXT].to_vec();
        all.extend((0..frames.steps).map(|t| frames.at(0, t)));
        self.verdicts
            .push(self.judge.frames(size, CONTEXT, &all, Some(&actions)));
        let tracks = |film| self.judge.tracks(size, CONTEXT, film, Some(&actions));
        let (Some(world), Some(imagined), Some(real)) =
            (self.judge.world(), tracks(&all), tracks(&real))
        else {
            return;
        };
        for one in accurate::of_films(world, &imagined, &real) {
            self.accuracies
                .entry(one.body.clone())
                .or_default()
                .push(one);
        }
        let motion = |tracks| self.judge.motion(tracks).unwrap_or_default();
        self.believed
            .extend(beliefs::estimates(world, &imagined, &motion(&imagined)));
        self.real
            .extend(beliefs::estimates(world, &real, &motion(&real)));
    }

    /// Judges places that probes read, every `frameskip` steps.
    pub fn places(
        &mut self,
        scene: &Scene,
        clip: &Clip,
        states: &ProbedStates,
        frameskip: usize,
        model: &str,
    ) {
        self.verdicts
            .push(self.judge.states(states, 0, frameskip, model));
        for (b, name) in states.bodies.iter().enumerate() {
            let Some(body) = scene.body_index(name) else {
                continue;
            };
            let (mut read, mut real) = ([Place::default(); STEPS], [Place::default(); STEPS]);
            for t in 0..states.steps.min(STEPS / frameskip.max(1)) {
                let step = (t + 1) * frameskip;
                let pose = states.at(0, t)[b];
                let truth = clip.state(scene, CONTEXT - 1 + step, body);
                let turn = |yaw: f32| yaw.is_finite().then_some([yaw, std::f32::consts::TAU]);
                read[step - 1] = Place {
                    at: Some([pose[0], pose[1]]),
                    angle: turn(pose[2]),
                };
                real[step - 1] = Place {
                    at: Some([truth.position[0], truth.position[2]]),
                    angle: turn(truth.yaw()),
                };
            }
            let radius = scene.bodies[body].shape.bounding_radius();
            let one = accurate::compare(name, radius, &read, &real);
            self.accuracies.entry(name.clone()).or_default().push(one);
        }
    }

    /// A clip of a model that shows neither frames nor places.
    pub fn nothing(&mut self) {
        let reason = "the model shows neither frames nor places";
        self.verdicts.push(Verdict::nothing(reason));
    }

    /// Which laws the clips break.
    pub fn lawfulness(&self) -> Lawfulness {
        let verdicts = &self.verdicts;
        let Some(first) = verdicts.first() else {
            return Lawfulness::default();
        };
        let bodies = self.judge.tracker().bodies.len();
        let object_frames = (verdicts.len() * bodies * STEPS).max(1) as f64;
        let name = |law: &crate::scene::Law| law.id().to_string();
        let per_100 = first.checked.iter().map(|law| {
            let all = verdicts.iter().flat_map(|v| &v.violations);
            let n = all.filter(|v| v.law == *law).count();
            (name(law), 100.0 * n as f64 / object_frames)
        });
        let broken = first.checked.iter().map(|law| {
            let n = verdicts.iter().filter(|v| v.broken().contains(law)).count();
            (name(law), Rate::wilson(n, verdicts.len()))
        });
        let steps: Vec<f64> = verdicts
            .iter()
            .filter_map(|v| v.violations.iter().map(|v| v.first_frame + 1).min())
            .map(|f| f as f64)
            .collect();
        let clean = verdicts.iter().filter(|v| v.violations.is_empty()).count();
        Lawfulness {
            judge_sha256: Calibration::shipped().sha256(),
            checked: first.checked.iter().map(name).collect(),
            absent: first
                .absent
                .iter()
                .map(|(l, why)| (name(l), why.clone()))
                .collect(),
            per_100_object_frames: per_100.collect(),
            broken_clips: broken.collect(),
            clean_clips: (!first.checked.is_empty())
                .then(|| Rate::wilson(clean, verdicts.len()))
                .flatten(),
            median_steps_to_first: quantile(&steps, 0.5),
        }
    }

    /// How far from reality each body is.
    pub fn accuracy(&self) -> BTreeMap<String, Off> {
        let of = |clips: &Vec<Accuracy>| {
            let at = |h: usize, f: &dyn Fn(&Accuracy) -> &Vec<Option<f32>>| {
                let values = clips
                    .iter()
                    .filter_map(|c| f(c).get(h - 1).copied().flatten());
                Spread::of(&values.map(f64::from).collect::<Vec<_>>())
            };
            let lost: Vec<f64> = clips
                .iter()
                .filter_map(|c| Some(c.lost_from_step? as f64))
                .collect();
            Off {
                off_cm: HORIZONS.map(|h| at(h, &|c| &c.off_cm)).into(),
                off_degrees: HORIZONS.map(|h| at(h, &|c| &c.off_degrees)).into(),
                radius_cm: clips.first().map_or(0.0, |c| c.radius_cm),
                lost: Rate::wilson(lost.len(), clips.len()),
                lost_from_step: quantile(&lost, 0.5),
            }
        };
        self.accuracies
            .iter()
            .map(|(body, clips)| (body.clone(), of(clips)))
            .collect()
    }

    /// The constants that the clips believe in, beside those of the same clips in reality.
    pub fn beliefs(&self) -> Vec<Belief> {
        let world = self.judge.world();
        world.map_or_else(Vec::new, |w| beliefs::pool(w, &self.believed, &self.real))
    }
}
