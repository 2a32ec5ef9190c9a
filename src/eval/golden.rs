//! Golden runs: a few short runs of every shipped model, kept in one file and repeated by a test. They
//! guard behaviour, not bits: a change of code that plans, imagines or measures in another way shows, and a
//! deliberate retraining updates the file by one command, so that a review sees what changed. They are no
//! figures to report: searches are smaller than the evaluation's, and seeds are those for tuning.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::control::{self, EvalError};
use super::rollout;
use super::surprise::{self, Break};
use crate::camera::Eye;
use crate::model::registry::Trained;
use crate::model::{Card, Context, Frame, Goal, ModelError, Sampled, Sampling, WorldModel};
use crate::planner::{Budget, Cem, Controller, Mpc, Pilot, Reflex};
use crate::scene::{self, Scene};
use crate::task::GoalKind;
use crate::task::TaskError;

/// First seed: for tuning, so that no held-out episode is looked at.
pub const SEED: u64 = 950_000;
/// Episodes of control.
pub const EPISODES: u64 = 10;
/// Clips of a rollout.
const CLIPS: u64 = 3;
/// Seeds tried for a pair of a possible and an impossible episode.
const TRIES: u64 = 10;
/// Candidates that come from a model's prior, where it has one.
const PROPOSALS: usize = 16;
/// How models that draw their futures by chance do so here.
const ONCE: Sampling = Sampling {
    nfe: Some(1),
    draw: 0,
};

/// Outcomes that may differ: a borderline episode may go either way where a processor rounds differently.
const OUTCOMES: usize = 1;
/// Relative difference of figures that still count as the same.
const RELATIVE: f64 = 0.05;

/// Ten episodes of control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoldenControl {
    /// The scene.
    pub scene: String,
    /// Whether each episode reached its goal, as a row of `+` and `-`; `0` is one that began solved.
    pub outcomes: String,
    /// Mean distance at the end, metres.
    pub final_distance_m: f64,
}

/// A few clips of a rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoldenRollout {
    /// The scene.
    pub scene: String,
    /// Median foreground PSNR of the model's frames at every horizon, dB.
    pub foreground_psnr_db: Vec<Option<f64>>,
    /// The same of copying the last frame: a floor that no training changes.
    pub copy_last_psnr_db: Vec<Option<f64>>,
    /// Median error of places in the frames, pixels.
    pub object_error_px: Vec<Option<f64>>,
    /// Median error of probed places, metres.
    pub object_error_m: Vec<Option<f64>>,
    /// Pearson's r of the linear probe with the true place, by body: x and z.
    pub probe_r: BTreeMap<String, [f64; 2]>,
}

/// A model's surprise at an episode, and at the same with a body that jumps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GoldenSurprise {
    /// The scene.
    pub scene: String,
    /// As physics has it.
    pub possible: f64,
    /// With the jump.
    pub impossible: f64,
}

/// The golden runs of one model; what it cannot do is null.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Golden {
    /// SHA-256 of the weights that ran.
    pub sha256: String,
    /// Control, for policies and for models of scenes with a task.
    pub control: Option<GoldenControl>,
    /// Rollouts, one for each kind of scene: with a task and without.
    pub rollouts: Vec<GoldenRollout>,
    /// Surprise.
    pub surprise: Option<GoldenSurprise>,
}

/// Runs a model.
///
/// # Errors
/// [`EvalError`] of the first run that fails.
pub fn measure(trained: &Trained) -> Result<Golden, EvalError> {
    let (card, world) = match trained {
        Trained::World(model) => (model.card(), Some(model)),
        Trained::Policy(policy) => (policy.card(), None),
        // A distance neither acts nor imagines: its card's fingerprint holds what it says.
        Trained::Distance(distance) => {
            return Ok(Golden {
                sha256: distance.card().sha256.clone(),
                ..Golden::default()
            });
        }
    };
    let (tasks, films) = scenes(card);
    let mut golden = Golden {
        sha256: card.sha256.clone(),
        ..Golden::default()
    };
    if let Some(scene) = tasks.first() {
        golden.control = Some(control(trained, scene)?);
    }
    if let Some(model) = world {
        // Once a frame, as in control: what takes a minute is run often.
        let model: Arc<dyn WorldModel> = Arc::new(Sampled::new(model.clone(), ONCE));
        for scene in tasks.first().into_iter().chain(films.first()) {
            golden.rollouts.push(imagine(model.as_ref(), scene)?);
        }
        if let Some(scene) = tasks.first().or(films.first()) {
            golden.surprise = surprised(model.as_ref(), scene)?;
        }
    }
    Ok(golden)
}

/// The scenes of a card that are in the library: those with a task, and those without. `push` comes first:
/// every generalist was trained on it.
fn scenes(card: &Card) -> (Vec<Arc<Scene>>, Vec<Arc<Scene>>) {
    let mut known: Vec<Arc<Scene>> = card
        .scenes
        .iter()
        .filter_map(|name| scene::load(name).ok())
        .map(Arc::new)
        .collect();
    known.sort_by_key(|s| s.name != "push");
    known.into_iter().partition(|s| s.task.is_some())
}

fn eye_of(scene: &Arc<Scene>) -> Result<Eye, EvalError> {
    Ok(Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?)
}

fn control(trained: &Trained, scene: &Arc<Scene>) -> Result<GoldenControl, EvalError> {
    let eye = eye_of(scene)?;
    let controller: Box<dyn Controller> = match trained {
        Trained::Policy(policy) => Box::new(Reflex::new(policy.clone())),
        Trained::World(model) => {
            let proposals = proposals_of(model.as_ref(), scene, &eye)?;
            // A minute of two cores for all models together.
            let preset = Budget::for_model(model.as_ref());
            let is_cheap = preset == Budget::PAPER;
            let (candidates, iterations, replan) = match model.facets().pixels {
                Some(_) => (6, 1, 5),
                None if is_cheap => (48, 3, 2),
                None => (24, 2, 2),
            };
            let budget = Budget {
                candidates,
                iterations,
                ..preset
            };
            let search = Cem {
                proposals,
                ..Cem::default()
            };
            let mpc = Mpc::new(model.clone(), search, budget, replan);
            Box::new(mpc.sampling(ONCE))
        }
        Trained::Distance(distance) => {
            return Err(EvalError::Model(ModelError::Input {
                model: distance.card().name.clone(),
                message: "is a distance, and does not act".into(),
            }));
        }
    };
    let seeds = SEED..SEED + EPISODES;
    let found = control::run(
        scene,
        &eye,
        &mut Pilot::Sighted(controller),
        seeds,
        GoalKind::Scene,
        |_| {},
    )?;
    let outcome = |e: &control::EpisodeResult| match (e.solved_at_start, e.success) {
        (true, _) => '0',
        (false, true) => '+',
        (false, false) => '-',
    };
    let metres = found
        .per_episode
        .iter()
        .map(|e| f64::from(e.final_distance_m));
    Ok(GoldenControl {
        scene: scene.name.clone(),
        outcomes: found.per_episode.iter().map(outcome).collect(),
        final_distance_m: short(metres.sum::<f64>() / EPISODES as f64),
    })
}

/// [`PROPOSALS`] where the model learned a prior over actions, else none.
fn proposals_of(model: &dyn WorldModel, scene: &Arc<Scene>, eye: &Eye) -> Result<usize, EvalError> {
    let reality = crate::sim::Reality::new(scene, SEED).map_err(TaskError::from)?;
    let Some(prior) = model.facets().proposals else {
        return Ok(0);
    };
    let frame = Frame::new(eye.size(), eye.look(&reality).rgb);
    let latent = model.observe(&Context::one(frame.clone()))?;
    let (steps, dim) = (model.shape().frameskip, scene.actions.dim());
    let goal = Goal {
        frame,
        latent: None,
    };
    prior.propose(&latent, &goal, 1, steps, dim, SEED)?;
    Ok(PROPOSALS)
}

fn imagine(model: &dyn WorldModel, scene: &Arc<Scene>) -> Result<GoldenRollout, EvalError> {
    let found = rollout::run(scene, model, SEED, CLIPS, false, |_| {})?;
    let of = |who: &str, figure: fn(&rollout::Numbers) -> Option<f64>| -> Vec<Option<f64>> {
        let rows = found.numbers.get(who).into_iter().flatten();
        rows.map(|n| figure(n).map(short)).collect()
    };
    Ok(GoldenRollout {
        scene: scene.name.clone(),
        foreground_psnr_db: of("model", |n| n.foreground_psnr_db.map(|s| s.median)),
        copy_last_psnr_db: of("copy_last", |n| n.foreground_psnr_db.map(|s| s.median)),
        object_error_px: of("model", |n| n.object_error_px.map(|s| s.median)),
        object_error_m: of("model", |n| n.object_error_m.map(|s| s.median)),
        probe_r: found
            .probe_r
            .into_iter()
            .map(|(body, r)| (body, r.map(short)))
            .collect(),
    })
}

fn surprised(
    model: &dyn WorldModel,
    scene: &Arc<Scene>,
) -> Result<Option<GoldenSurprise>, EvalError> {
    for seed in SEED..SEED + TRIES {
        if let Some([possible, impossible]) =
            surprise::one_pair(Break::Teleport, scene, model, seed)?
        {
            return Ok(Some(GoldenSurprise {
                scene: scene.name.clone(),
                possible: short(possible),
                impossible: short(impossible),
            }));
        }
    }
    Ok(None)
}

/// To four significant figures.
fn short(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let scale = 10f64.powi(3 - value.abs().log10().floor() as i32);
    (value * scale).round() / scale
}

/// What sets golden runs apart, a sentence each; nothing where they are the same within rounding.
pub fn differences(found: &Golden, expected: &Golden) -> Vec<String> {
    let mut said = Vec::new();
    if found.sha256 != expected.sha256 {
        said.push(format!(
            "the weights are others: {}, the golden runs are of {}",
            found.sha256, expected.sha256
        ));
    }
    match (&found.control, &expected.control) {
        (None, None) => {}
        (Some(f), Some(e)) if f.scene == e.scene => {
            let apart = f
                .outcomes
                .chars()
                .zip(e.outcomes.chars())
                .filter(|(a, b)| a != b);
            if apart.count() > OUTCOMES || f.outcomes.len() != e.outcomes.len() {
                said.push(format!(
                    "control in {}: outcomes {}, expected {}",
                    f.scene, f.outcomes, e.outcomes
                ));
            }
            // A borderline episode may end elsewhere.
            figure(
                &mut said,
                &format!("control in {}: final distance", f.scene),
                (f.final_distance_m, e.final_distance_m),
                0.02,
            );
        }
        (f, e) => said.push(format!("control: {f:?}, expected {e:?}")),
    }
    if found.rollouts.len() != expected.rollouts.len() {
        said.push(format!(
            "rollouts in {} scenes, expected {}",
            found.rollouts.len(),
            expected.rollouts.len()
        ));
    }
    for (f, e) in found.rollouts.iter().zip(&expected.rollouts) {
        rollouts_apart(&mut said, f, e);
    }
    match (&found.surprise, &expected.surprise) {
        (None, None) => {}
        (Some(f), Some(e)) => {
            let what = |which: &str| format!("surprise in {} at the {which} episode", f.scene);
            figure(&mut said, &what("possible"), (f.possible, e.possible), 1e-6);
            figure(
                &mut said,
                &what("impossible"),
                (f.impossible, e.impossible),
                1e-6,
            );
        }
        (f, e) => said.push(format!("surprise: {f:?}, expected {e:?}")),
    }
    said
}

fn rollouts_apart(said: &mut Vec<String>, f: &GoldenRollout, e: &GoldenRollout) {
    let rows = [
        (
            "foreground PSNR, dB",
            &f.foreground_psnr_db,
            &e.foreground_psnr_db,
            0.3,
        ),
        (
            "copy-last's PSNR, dB",
            &f.copy_last_psnr_db,
            &e.copy_last_psnr_db,
            0.01,
        ),
        ("error, px", &f.object_error_px, &e.object_error_px, 0.1),
        ("error, m", &f.object_error_m, &e.object_error_m, 0.002),
    ];
    for (name, found, expected, floor) in rows {
        for (i, (f_at, e_at)) in found.iter().zip(expected).enumerate() {
            let what = format!(
                "rollout in {}: {name} at step {}",
                f.scene,
                rollout::HORIZONS[i]
            );
            match (f_at, e_at) {
                (Some(a), Some(b)) => figure(said, &what, (*a, *b), floor),
                (None, None) => {}
                (a, b) => said.push(format!("{what}: {a:?}, expected {b:?}")),
            }
        }
    }
    if f.probe_r.len() != e.probe_r.len() {
        said.push(format!("rollout in {}: other bodies are probed", f.scene));
    }
    for ((body, found), (_, expected)) in f.probe_r.iter().zip(&e.probe_r) {
        for axis in 0..2 {
            let what = format!("rollout in {}: probe's r of {body}", f.scene);
            figure(said, &what, (found[axis], expected[axis]), 0.01);
        }
    }
}

fn figure(said: &mut Vec<String>, what: &str, (found, expected): (f64, f64), floor: f64) {
    let bound = floor + RELATIVE * expected.abs();
    // What is not a number is never within it.
    let same = (found - expected).abs() <= bound;
    if !same {
        said.push(format!("{what}: {found}, expected {expected}"));
    }
}
