//! What a representation holds: probes from three observations' features to place, orientation, velocity
//! and contact, fitted on seeds for training and tested on held-out ones. Beside every model stands the
//! same probe on eight by eight pixels.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::EvalError;
use crate::camera::Eye;
use crate::episode::{EpisodeError, record, record_states};
use crate::model::{Context, ModelError, WorldModel, require};
use crate::scene::{Kind, Scene, Shape};
use crate::sim::State;
use crate::stats::{pearson, r_squared};
use crate::task::TaskError;
use crate::train::probing::{Rows, fit_and_read};

/// First seed of the episodes that probes are fitted on: for training, but used by no shipped one.
pub const FIT_SEED: u64 = 450_000;
/// Episodes to fit on for each to test on.
pub const FIT_SHARE: u64 = 4;
/// Observations, a control step apart, that a probe sees: one alone holds no velocity.
pub const HISTORY: usize = 3;
/// Side of the pictures of the floor.
const COARSE: usize = 8;

/// How well one quantity is read on held-out episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Linear probe.
    pub linear: f64,
    /// Probe with one hidden layer.
    pub mlp: f64,
}

/// By body and quantity, such as `cube.x`.
pub type Table = BTreeMap<String, Quality>;

/// What one representation holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// Pearson's r.
    pub r: Table,
    /// Coefficient of determination.
    pub r2: Table,
    /// Numbers an observation becomes.
    pub features: usize,
}

/// All numbers of one model in one scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// The model's.
    #[serde(flatten)]
    pub model: Holds,
    /// The floor: mean colours of an 8×8 grid.
    pub pixels: Holds,
    /// Rows that the probes were fitted on.
    pub rows_fit: usize,
    /// Rows that they were tested on.
    pub rows_test: usize,
    /// Lowest r over bodies of a group of quantities (`position`, `rotation`, `velocity`, `contact`).
    pub lowest_r: Table,
}

/// From what a model would be given at a moment to the features of its last frame.
type Features<'a> = &'a (dyn Fn(&Context) -> Result<Vec<f32>, ModelError> + Sync);

/// One episode, and in which of its frames every body that moves can be seen: what is out of the picture
/// cannot be read from it.
struct Seen {
    frames: Vec<Vec<u8>>,
    actions: Vec<Vec<f32>>,
    states: Vec<State>,
    whole: Vec<bool>,
}

impl Seen {
    /// What a model that can use `frames` frames is given at frame `t`: the real ones, and the actions
    /// between them.
    fn context(&self, t: usize, frames: usize, size: usize) -> Context {
        let first = (t + 1).saturating_sub(frames.max(1));
        let shown = self.frames[first..=t].iter().cloned();
        Context::new(size, shown, self.actions[first..t].to_vec())
    }
}

fn experience(
    scene: &Arc<Scene>,
    eye: &Eye,
    seed: u64,
    episodes: u64,
) -> Result<Vec<Seen>, EvalError> {
    let pixels = eye.size() * eye.size();
    let movers: Vec<u8> = movers(scene).iter().map(|(i, _)| *i as u8 + 1).collect();
    let one = |seed: u64| -> Result<Seen, EpisodeError> {
        let (states, actions) = record_states(scene, seed)?;
        let episode = record(scene, eye, seed)?;
        let whole = |ids: &[u8]| movers.iter().all(|m| ids.contains(m));
        let whole = episode.ids.chunks_exact(pixels).map(whole).collect();
        let frames = episode.frames.chunks_exact(pixels * 3);
        Ok(Seen {
            frames: frames.map(<[u8]>::to_vec).collect(),
            actions,
            states,
            whole,
        })
    };
    let all: Result<Vec<Seen>, EpisodeError> =
        (seed..seed + episodes).into_par_iter().map(one).collect();
    Ok(all.map_err(TaskError::from)?)
}

/// Fits and tests probes of `model` in `scene`: `episodes` from `seed` to test on.
///
/// # Errors
/// [`EvalError`] if the scene cannot be run or the model shows no features.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    episodes: u64,
) -> Result<ProbeResult, EvalError> {
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let fit = experience(scene, &eye, FIT_SEED, episodes * FIT_SHARE)?;
    let test = experience(scene, &eye, seed, episodes)?;
    let size = eye.size();
    let lack = "shows no features of an observation to probe";
    let latents = require(model, model.facets().latents, lack)?;
    let own = |context: &Context| latents.features(context);
    let names = quantities(scene);
    let holds = |features: Features, frames: usize| {
        let given = (size, frames);
        let (fit_rows, d) = rows(scene, &fit, given, features)?;
        let (test_rows, _) = rows(scene, &test, given, features)?;
        for (which, rows) in [("fitted", &fit_rows), ("tested", &test_rows)] {
            if rows.y.is_empty() {
                return Err(EvalError::Model(ModelError::Input {
                    model: model.card().name.clone(),
                    message: format!(
                        "no observation that probes would be {which} on shows every body that moves in \
                         scene `{}`",
                        scene.name
                    ),
                }));
            }
        }
        let k = names.len();
        let read = fit_and_read(&fit_rows, &test_rows, HISTORY * d, k, 1).map_err(probe_fault)?;
        let column =
            |v: &[f32], q: usize| -> Vec<f32> { v.iter().skip(q).step_by(k).copied().collect() };
        let table = |score: &dyn Fn(&[f32], &[f32]) -> f64| -> Table {
            let entry = |(q, name): (usize, &String)| {
                let truth = column(&test_rows.y, q);
                let quality = Quality {
                    linear: score(&column(&read.linear, q), &truth),
                    mlp: score(&column(&read.mlp, q), &truth),
                };
                (name.clone(), quality)
            };
            names.iter().enumerate().map(entry).collect()
        };
        let sizes = (fit_rows.y.len() / k.max(1), test_rows.y.len() / k.max(1));
        let holds = Holds {
            r: table(&|a, b| pearson(a, b)),
            r2: table(&|a, b| r_squared(a, b)),
            features: d,
        };
        Ok::<_, EvalError>((holds, sizes))
    };
    let (own, (rows_fit, rows_test)) = holds(&own, model.shape().context_frames)?;
    let last = |context: &Context| -> Result<Vec<f32>, ModelError> {
        let last = context.frames.last();
        Ok(last.map_or_else(Vec::new, |frame| coarse(&frame.data, size)))
    };
    let (pixels, _) = holds(&last, 1)?;
    Ok(ProbeResult {
        lowest_r: lowest(&own.r),
        model: own,
        pixels,
        rows_fit,
        rows_test,
    })
}

fn probe_fault(e: crate::train::TrainError) -> EvalError {
    EvalError::Model(ModelError::Input {
        model: "probe".into(),
        message: e.to_string(),
    })
}

/// Features of three observations side by side, oldest first, and the state at the last; also the number of
/// features of one. Each observation is given as in use: with as many real frames before it, and actions
/// between them, as the model can take.
fn rows(
    scene: &Scene,
    experience: &[Seen],
    (size, frames): (usize, usize),
    features: Features,
) -> Result<(Rows, usize), ModelError> {
    let (mut rows, mut d) = (Rows::default(), 0);
    for episode in experience {
        let seen = (0..episode.frames.len()).into_par_iter();
        let seen = seen.map(|t| features(&episode.context(t, frames, size)));
        let seen = seen.collect::<Result<Vec<_>, _>>()?;
        d = seen.first().map_or(d, Vec::len);
        let latest = episode.states.iter().zip(&episode.whole).skip(HISTORY - 1);
        for (window, (state, _)) in seen.windows(HISTORY).zip(latest).filter(|(_, l)| *l.1) {
            window.iter().for_each(|f| rows.x.extend_from_slice(f));
            rows.y.extend(truth(scene, state));
        }
    }
    Ok((rows, d))
}

/// Bodies that move, and how many turns within a full one look alike (0: none can be seen).
fn movers(scene: &Scene) -> Vec<(usize, u32)> {
    let turns = |b: &crate::scene::Body| match &b.shape {
        Shape::Ball { .. } => 0,
        _ if b.marked => 1,
        Shape::Cylinder { .. } | Shape::Capsule { .. } => 0,
        Shape::Cuboid { half } if half[0] == half[2] => 4,
        Shape::Cuboid { .. } => 2,
        _ => 1,
    };
    let moving = |(_, b): &(usize, &crate::scene::Body)| b.kind != Kind::Fixed;
    let bodies = scene.bodies.iter().enumerate().filter(moving);
    bodies.map(|(i, b)| (i, turns(b))).collect()
}

/// What is read, in the order of [`truth`].
fn quantities(scene: &Scene) -> Vec<String> {
    let of = |(i, turns): (usize, u32)| {
        let mut own = vec!["x", "z", "vx", "vz", "contact"];
        if turns > 0 {
            own.extend(["cos_yaw", "sin_yaw"]);
        }
        own.into_iter().map(move |q| (i, q))
    };
    let all = movers(scene).into_iter().flat_map(of);
    all.map(|(i, q)| format!("{}.{q}", scene.bodies[i].name))
        .collect()
}

fn truth(scene: &Scene, state: &State) -> Vec<f32> {
    let mut values = Vec::new();
    for (i, turns) in movers(scene) {
        let b = &state.bodies[i];
        let touches = state.contacts.iter().any(|&(p, q)| p == i || q == i);
        values.extend([
            b.position[0],
            b.position[2],
            b.velocity[0],
            b.velocity[2],
            f32::from(u8::from(touches)),
        ]);
        if turns > 0 {
            let (sin, cos) = libm::sincosf(turns as f32 * b.yaw());
            values.extend([cos, sin]);
        }
    }
    values
}

/// The groups that targets are set for; each as good as its worst member.
fn lowest(r: &Table) -> Table {
    let group = |name: &str| match name.rsplit('.').next() {
        Some("x" | "z") => "position",
        Some("vx" | "vz") => "velocity",
        Some("contact") => "contact",
        _ => "rotation",
    };
    let mut lowest = Table::new();
    for (name, q) in r {
        let entry = lowest.entry(group(name).to_string()).or_insert(*q);
        entry.linear = entry.linear.min(q.linear);
        entry.mlp = entry.mlp.min(q.mlp);
    }
    lowest
}

/// Mean colours of a coarse grid, `[8·8·3]` in [0, 1].
fn coarse(frame: &[u8], size: usize) -> Vec<f32> {
    let mut sums = vec![0f32; COARSE * COARSE * 3];
    for (i, v) in frame.iter().enumerate() {
        let (y, x, c) = (i / (size * 3), i / 3 % size, i % 3);
        let cell = (y * COARSE / size) * COARSE + x * COARSE / size;
        sums[cell * 3 + c] += f32::from(*v);
    }
    let pixels = 255.0 * (size * size) as f32 / (COARSE * COARSE) as f32;
    sums.into_iter().map(|s| s / pixels).collect()
}
