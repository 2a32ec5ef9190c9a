//! The judge's face: films and read-outs in, verdicts out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::calibration::{Calibration, SceneCalibration, Setting};
use super::laws::{Case, RULES, Score, rule};
use super::motion::{Motion, motion};
use super::readouts::{self, Readouts};
use super::see::Seer;
use super::silhouette::Silhouettes;
use super::track::Tracks;
use super::tracker::Tracker;
use super::verdict::{Verdict, Violation};
use super::world::World;
use crate::model::ProbedStates;
use crate::scene::{Law, Scene};

/// Judges clips of one scene.
#[derive(Clone)]
pub struct Judge {
    ground: Arc<Ground>,
    settings: SceneCalibration,
    misfit: Option<String>,
}

/// What is found out once for a scene.
struct Ground {
    scene: Arc<Scene>,
    tracker: Tracker,
    /// Nothing, if the scene cannot be built.
    sight: Option<(World, Seer, Silhouettes)>,
}

/// One cell of the matrix of scenes and laws.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The law.
    pub law: Law,
    /// Its threshold and unit, or why it is not judged.
    pub setting: Result<(f32, &'static str), String>,
}

/// Scenes that are kept: a worker makes a judge for every rollout.
const KEPT: usize = 24;
static GROUNDS: Mutex<VecDeque<(String, Arc<Ground>)>> = Mutex::new(VecDeque::new());

fn ground(scene: &Arc<Scene>) -> Arc<Ground> {
    let key = scene.sha256();
    let kept = || GROUNDS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, found)) = kept().iter().find(|(k, _)| *k == key) {
        return found.clone();
    }
    let tracker = Tracker::new(scene);
    let sight = World::new(scene).map(|world| {
        let seer = Seer::new(&world, &tracker);
        let silhouettes = Silhouettes::new(&world);
        (world, seer, silhouettes)
    });
    let made = Arc::new(Ground {
        scene: scene.clone(),
        tracker,
        sight,
    });
    let mut kept = kept();
    kept.truncate(KEPT - 1);
    kept.push_front((key, made.clone()));
    made
}

impl Judge {
    /// A judge with the calibration that ships with the program.
    pub fn new(scene: &Arc<Scene>) -> Self {
        Self::with_calibration(scene, Calibration::shipped())
    }

    /// A judge with a calibration.
    pub fn with_calibration(scene: &Arc<Scene>, calibration: &Calibration) -> Self {
        Self {
            ground: ground(scene),
            misfit: calibration.misfit(scene),
            settings: calibration.of(scene).cloned().unwrap_or_default(),
        }
    }

    /// The scene.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.ground.scene
    }

    /// Why nothing can be judged here, if so: what it finds then is not to be counted.
    pub fn misfit(&self) -> Option<&str> {
        self.misfit.as_deref()
    }

    /// What the laws ask the scene; `None` if it cannot be built.
    pub fn world(&self) -> Option<&World> {
        self.ground.sight.as_ref().map(|(world, ..)| world)
    }

    /// The tracker.
    pub fn tracker(&self) -> &Tracker {
        &self.ground.tracker
    }

    /// Why a law says nothing here for films, if so.
    pub fn cannot_judge(&self, law: Law) -> Option<String> {
        self.absent(law).or_else(|| match self.settings.get(&law) {
            Some(Setting::On { .. }) => None,
            Some(Setting::Off { reason }) => Some(reason.clone()),
            None => Some("not calibrated".to_string()),
        })
    }

    /// Why a law says nothing here, whatever calibration finds.
    pub fn absent(&self, law: Law) -> Option<String> {
        if let Some(misfit) = self.misfit() {
            return Some(misfit.to_string());
        }
        self.inapplicable(law)
    }

    /// Why a law has nothing to look at in this scene, if so.
    pub fn inapplicable(&self, law: Law) -> Option<String> {
        let Some(world) = self.world() else {
            return Some("the scene cannot be built".to_string());
        };
        if self.tracker().bodies.is_empty() && !matches!(law, Law::Background | Law::Stillness) {
            return Some(match self.tracker().left_out.first() {
                Some((_, reason)) => format!("{reason}, so that the judge cannot tell them apart"),
                None => "nothing moves".to_string(),
            });
        }
        let pair = matches!(law, Law::Momentum);
        if pair && self.tracker().bodies.len() < 2 {
            return Some("it takes two bodies that can move".to_string());
        }
        (rule(law).absent)(world)
    }

    /// Every law with its threshold, or why it is not judged: one row of `parallax judge --coverage`.
    pub fn coverage(&self) -> Vec<Row> {
        let row = |law: Law| Row {
            law,
            setting: match (self.cannot_judge(law), self.settings.get(&law)) {
                (None, Some(Setting::On { threshold, .. })) => Ok((*threshold, rule(law).unit)),
                (reason, _) => Err(reason.unwrap_or_default()),
            },
        };
        Law::ALL.into_iter().map(row).collect()
    }

    /// Tracks through `frames` (`[H, W, 3]` bytes each), of which the first `reference` are real;
    /// `actions[t]` leads from frame t to t + 1. `None` if the scene cannot be built.
    pub fn tracks<'a>(
        &self,
        size: usize,
        reference: usize,
        frames: &'a [&'a [u8]],
        actions: Option<&'a [Vec<f32>]>,
    ) -> Option<Tracks<'a>> {
        let (world, seer, _) = self.ground.sight.as_ref()?;
        let fits = world.eye.size() == size && frames.iter().all(|f| f.len() == 3 * size * size);
        fits.then(|| seer.tracks(world, size, reference, frames, actions))
    }

    /// What is known of the motion in tracks.
    pub fn motion(&self, tracks: &Tracks) -> Option<Motion> {
        Some(motion(self.world()?, tracks))
    }

    /// What films break, of the laws that are judged in this scene.
    pub fn frames(
        &self,
        size: usize,
        reference: usize,
        frames: &[&[u8]],
        actions: Option<&[Vec<f32>]>,
    ) -> Verdict {
        if let Some(misfit) = self.misfit() {
            return Verdict::nothing(misfit);
        }
        let own = self.ground.scene.camera.size;
        if size != own || frames.iter().any(|f| f.len() != 3 * size * size) {
            return Verdict::nothing(&format!(
                "frames of {size} pixels, expected {own}, as the scene's camera has"
            ));
        }
        let mut absent: BTreeMap<Law, String> = Law::ALL
            .into_iter()
            .filter_map(|law| Some((law, self.cannot_judge(law)?)))
            .collect();
        if actions.is_none() {
            let none = || "no actions came with the film".to_string();
            absent.entry(Law::Action).or_insert_with(none);
        }
        let scores = self.scores(size, reference, frames, actions);
        self.verdict(&self.settings, absent, scores)
    }

    /// What states read out by probes break; `control_steps` is the time between imagined steps. Its laws are
    /// calibrated for each model by passing reality through its encoder and its probes.
    pub fn states(
        &self,
        probed: &ProbedStates,
        candidate: usize,
        control_steps: usize,
        model: &str,
    ) -> Verdict {
        let scene = &self.ground.scene.name;
        let Some(found) = Readouts::shipped().of(model, scene) else {
            return Verdict::nothing(&format!(
                "not calibrated: run `parallax judge calibrate --model {model} --scene {scene}`"
            ));
        };
        let why = |law: Law| match (rule(law).readouts, found.laws.get(&law)) {
            (false, _) => Some("probes read places only".to_string()),
            (_, Some(Setting::On { .. })) => self.inapplicable(law),
            (_, Some(Setting::Off { reason })) => Some(reason.clone()),
            (_, None) => Some("not calibrated".to_string()),
        };
        let absent = Law::ALL
            .into_iter()
            .filter_map(|law| Some((law, why(law)?)));
        let scores = self.state_scores(probed, candidate, control_steps);
        let mut verdict = self.verdict(&found.laws, absent.collect(), scores);
        verdict.violations.iter_mut().for_each(|v| v.boxes.clear());
        verdict
    }

    /// Scores of every law that read-outs can carry: what calibration looks at.
    pub fn state_scores(
        &self,
        probed: &ProbedStates,
        candidate: usize,
        control_steps: usize,
    ) -> Vec<Score> {
        let mut scores = Vec::new();
        let Some((world, _, silhouettes)) = self.ground.sight.as_ref() else {
            return scores;
        };
        if let Some(tracks) = readouts::tracks(world, probed, candidate, control_steps) {
            let case = Case::new(world, silhouettes, &tracks);
            for rule in RULES.iter().filter(|r| r.readouts) {
                if self.inapplicable(rule.law).is_none() {
                    (rule.scores)(&case, &mut scores);
                }
            }
        }
        scores.retain(|s| s.score.is_finite());
        scores
    }

    /// Scores of every law, body and imagined frame: what calibration looks at.
    pub fn scores(
        &self,
        size: usize,
        reference: usize,
        frames: &[&[u8]],
        actions: Option<&[Vec<f32>]>,
    ) -> Vec<Score> {
        let mut scores = Vec::new();
        if let (Some((world, _, silhouettes)), Some(tracks)) = (
            self.ground.sight.as_ref(),
            self.tracks(size, reference, frames, actions),
        ) {
            let case = Case::new(world, silhouettes, &tracks);
            for rule in RULES {
                if self.inapplicable(rule.law).is_none() {
                    (rule.scores)(&case, &mut scores);
                }
            }
        }
        scores.retain(|s| s.score.is_finite());
        scores
    }

    fn verdict(
        &self,
        settings: &SceneCalibration,
        absent: BTreeMap<Law, String>,
        mut scores: Vec<Score>,
    ) -> Verdict {
        scores.sort_by_key(|s| (s.law, s.body, s.frame));
        let mut violations: Vec<(Violation, f32)> = Vec::new();
        for s in scores {
            let Some(Setting::On { threshold, .. }) = settings.get(&s.law) else {
                continue;
            };
            if absent.contains_key(&s.law) || s.score <= *threshold {
                continue;
            }
            let severity = (1.0 - threshold / s.score.max(1e-6)).clamp(0.02, 1.0);
            match violations.last_mut() {
                Some((v, worst))
                    if v.law == s.law && v.body == s.body && s.frame <= v.last_frame + 1 =>
                {
                    v.severity = v.severity.max(severity);
                    *worst = worst.max(s.score);
                    if s.frame > v.last_frame {
                        v.last_frame = s.frame;
                        v.boxes.push(s.bounds);
                    }
                }
                _ => violations.push((
                    Violation {
                        law: s.law,
                        body: s.body,
                        first_frame: s.frame,
                        last_frame: s.frame,
                        severity,
                        boxes: vec![s.bounds],
                        sentence: String::new(),
                    },
                    s.score,
                )),
            }
        }
        let name = |body: Option<usize>| {
            let body = body.and_then(|b| self.ground.scene.bodies.get(b));
            body.map_or("the film", |b| b.name.as_str())
        };
        let mut violations: Vec<Violation> = violations
            .into_iter()
            .map(|(v, worst)| Violation {
                sentence: (rule(v.law).says)(name(v.body), worst),
                ..v
            })
            .collect();
        violations.sort_by_key(|v| (v.first_frame, v.law));
        Verdict {
            checked: Law::ALL
                .into_iter()
                .filter(|law| !absent.contains_key(law))
                .collect(),
            absent,
            violations,
        }
    }
}
