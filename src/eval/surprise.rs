//! Violation of expectation: the same episode once as it is and once with physics broken at one step, and
//! whether a model is more surprised by the second (Riochet et al. 2018, IntPhys, arXiv 1803.07616). Beside
//! every model stands copy-last.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::EvalError;
use crate::camera::Eye;
use crate::episode::{EpisodeError, record_states};
use crate::model::{Actions, Context, Frame, ModelError, WorldModel, require};
use crate::planner::SIGHT_FRAMES;
use crate::scene::{Colour, Edit, EditKind, Kind, Scene};
use crate::sim::{Reality, SimError, State};
use crate::stats::{Mean, Rate, quantile};
use crate::task::TaskError;

/// Observations before a break, at least.
const BEFORE: usize = 12;
/// Observations from a break on over which surprise is looked for.
const AFTER: usize = 10;
/// How far a body is teleported, metres.
const TELEPORT_M: f32 = 0.2;
/// Episodes looked at for each pair that is wanted.
const TRIES: u64 = 10;
/// Resamples of an interval.
const RESAMPLES: usize = 2000;

/// How physics is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Break {
    /// The body is 0.2 m further, in a direction drawn from the seed.
    Teleport,
    /// The body is gone, in full view.
    Vanish,
    /// The body is gone while nothing can be seen of it; it should have come out again.
    VanishHidden,
    /// The body has another colour.
    Recolour,
    /// The hand goes through the body that it was about to push.
    PassThrough,
    /// The body stands still where it should move.
    Freeze,
}

impl Break {
    /// The kind of a name, such as `vanish_hidden`.
    ///
    /// # Errors
    /// The names that there are.
    pub fn named(name: &str) -> Result<Break, String> {
        let id = |kind: &Break| serde_json::to_value(kind).unwrap_or_default();
        let ids = Break::ALL.map(|kind| id(&kind).as_str().unwrap_or_default().to_string());
        let found = ids.iter().position(|id| id == name);
        found
            .map(|i| Break::ALL[i])
            .ok_or_else(|| format!("found `{name}`, expected one of {}", ids.join(", ")))
    }

    /// All of them.
    pub const ALL: [Break; 6] = [
        Break::Teleport,
        Break::Vanish,
        Break::VanishHidden,
        Break::Recolour,
        Break::PassThrough,
        Break::Freeze,
    ];
}

/// How well surprise tells impossible from possible episodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Separation {
    /// Area under the ROC curve over all episodes, with a 95 % bootstrap interval over pairs; 0.5 is
    /// chance; null of no pairs.
    pub auroc: Option<Mean>,
    /// Share of pairs whose impossible episode surprises more; a tie is half; null of no pairs.
    pub paired: Option<Rate>,
}

/// One kind of break.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BreakResult {
    /// Pairs of episodes.
    pub pairs: usize,
    /// The model's largest surprise from the break on.
    pub model: Separation,
    /// The model's mean surprise from the break on: what is missing counts for as long as it is missing.
    #[serde(default)]
    pub model_by_mean: Separation,
    /// The floor by its mean.
    #[serde(default)]
    pub copy_last_by_mean: Separation,
    /// The floor: mean squared change of the picture over one of the model's steps.
    pub copy_last: Separation,
}

/// One episode's pictures and actions around the break.
struct Clip {
    /// Observations, the first at step `first`.
    frames: Vec<Vec<u8>>,
    actions: Vec<Vec<f32>>,
    /// Index in `frames` of the first observation that the break can show in.
    from: usize,
}

/// Where an episode can be broken, of a body, so that `kind` shows.
fn moment(
    kind: Break,
    scene: &Scene,
    body: usize,
    states: &[State],
    seen: impl Fn() -> Result<Vec<bool>, SimError>,
    rng: &mut ChaCha8Rng,
) -> Result<Option<(usize, usize)>, SimError> {
    let last = states.len().saturating_sub(AFTER + 1);
    let found = match kind {
        Break::Teleport | Break::Vanish | Break::Recolour => (BEFORE < last)
            .then(|| rng.random_range(BEFORE..last))
            .map(|t| (t, t)),
        // A hand is moved by its actions alone: nothing stops it or lets it through.
        Break::PassThrough | Break::Freeze if scene.bodies[body].kind != Kind::Dynamic => None,
        Break::PassThrough => {
            let hand = scene.hand();
            let touches = |s: &State| {
                s.contacts
                    .iter()
                    .any(|&(p, q)| (Some(p) == hand && q == body) || (p == body && Some(q) == hand))
            };
            let first = states.iter().position(touches);
            first
                .filter(|t| (BEFORE..last).contains(t))
                .map(|t| (t - 1, t))
        }
        Break::Freeze => {
            let speed = |s: &State| {
                s.bodies[body]
                    .velocity
                    .iter()
                    .map(|v| v * v)
                    .sum::<f32>()
                    .sqrt()
            };
            let fast = states.iter().skip(BEFORE).position(|s| speed(s) > 0.1);
            fast.map(|t| t + BEFORE)
                .filter(|t| *t < last)
                .map(|t| (t, t))
        }
        Break::VanishHidden => {
            let seen = seen()?;
            let gone = (BEFORE..last).find(|&t| !seen[t]);
            gone.and_then(|gone| (gone..last).find(|&t| seen[t]).map(|back| (gone, back)))
        }
    };
    Ok(found)
}

/// What is done to the body at `step`.
fn edit(
    kind: Break,
    scene: &Scene,
    body: usize,
    state: &State,
    step: usize,
    rng: &mut ChaCha8Rng,
) -> Edit {
    let what = match kind {
        Break::Teleport => {
            let [x, y, z] = state.bodies[body].position;
            // Towards the middle, so that it stays in view.
            let inwards = libm::atan2f(-z, -x) + rng.random_range(-0.8..0.8);
            let (sin, cos) = libm::sincosf(inwards);
            EditKind::Teleport {
                to: [x + TELEPORT_M * cos, y, z + TELEPORT_M * sin],
            }
        }
        Break::Vanish | Break::VanishHidden => EditKind::Vanish,
        Break::Recolour => {
            let own = scene.bodies[body].colour;
            let others: Vec<Colour> = [Colour::Blue, Colour::Green, Colour::Yellow, Colour::Purple]
                .into_iter()
                .filter(|c| *c != own && scene.bodies.iter().all(|b| b.colour != *c))
                .collect();
            EditKind::Recolour {
                colour: others[rng.random_range(0..others.len())],
            }
        }
        Break::PassThrough => EditKind::PassThrough,
        Break::Freeze => EditKind::Freeze,
    };
    Edit {
        step: step as u32,
        body: scene.bodies[body].name.clone(),
        what,
    }
}

/// Runs a scene (broken or not) under given actions and keeps what the eye sees around observation `from`,
/// `before` observations of it before that.
fn film(
    scene: &Arc<Scene>,
    eye: &Eye,
    seed: u64,
    actions: &[Vec<f32>],
    (from, before): (usize, usize),
) -> Result<Clip, SimError> {
    let first = from.saturating_sub(before);
    let end = from + AFTER;
    let mut reality = Reality::new(scene, seed)?;
    let mut frames = Vec::new();
    for (t, action) in actions.iter().enumerate().take(end) {
        if t >= first {
            frames.push(eye.look(&reality).rgb);
        }
        reality.act(action);
        reality.step();
    }
    Ok(Clip {
        frames,
        actions: actions[first..end.min(actions.len())].to_vec(),
        from: from - first,
    })
}

/// Observations that a model is shown at once.
fn sight(model: &dyn WorldModel) -> usize {
    SIGHT_FRAMES.max(model.shape().context_frames)
}

/// Surprise from the break on: the model's largest, copy-last's, and the means of both.
fn surprise(model: &dyn WorldModel, size: usize, clip: &Clip) -> Result<[f64; 4], ModelError> {
    let skip = model.shape().frameskip.max(1);
    let lack = "does not say how unexpected an observation is";
    let own = require(model, model.facets().surprise, lack)?;
    let sight = sight(model);
    let (mut most, mut sum) = ([f64::NEG_INFINITY; 2], [0.0; 2]);
    let mut count = 0.0;
    for at in clip.from.max(skip)..clip.frames.len() {
        let now = at - skip;
        let start = (now + 1).saturating_sub(sight);
        let shown = clip.frames[start..=now].iter().cloned();
        let context = Context::new(size, shown, clip.actions[start..now].to_vec());
        let next = Frame::new(size, clip.frames[at].clone());
        let taken = &clip.actions[now..at];
        let actions = Actions {
            n: 1,
            steps: skip,
            dim: taken.first().map_or(0, Vec::len),
            data: taken.concat(),
        };
        let found = f64::from(own.surprise(&context, &actions, &next)?);
        let change = clip.frames[now].iter().zip(&clip.frames[at]);
        let change = change
            .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
            .sum::<f64>();
        most = [most[0].max(found), most[1].max(change)];
        sum = [sum[0] + found, sum[1] + change];
        count += 1.0;
    }
    Ok([most[0], most[1], sum[0] / count, sum[1] / count])
}

/// Area under the ROC curve: the share of (impossible, possible) pairs in the right order, ties half (Mann
/// and Whitney 1947).
pub fn auroc(impossible: &[f64], possible: &[f64]) -> f64 {
    let mut right = 0.0;
    for i in impossible {
        for p in possible {
            right += if i > p {
                1.0
            } else {
                0.5 * f64::from(u8::from(i == p))
            };
        }
    }
    right / (impossible.len() * possible.len()).max(1) as f64
}

/// [`Separation`] of pairs `[possible, impossible]`.
pub fn separation(pairs: &[[f64; 2]]) -> Separation {
    if pairs.is_empty() {
        return Separation::default();
    }
    let area = |chosen: &[usize]| {
        let side = |s: usize| chosen.iter().map(|&i| pairs[i][s]).collect::<Vec<_>>();
        auroc(&side(1), &side(0))
    };
    let all: Vec<usize> = (0..pairs.len()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let areas: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<usize> = all
                .iter()
                .map(|_| rng.random_range(0..pairs.len()))
                .collect();
            area(&drawn)
        })
        .collect();
    let halves: usize = pairs
        .iter()
        .map(
            |[possible, impossible]| match impossible.total_cmp(possible) {
                std::cmp::Ordering::Greater => 2,
                std::cmp::Ordering::Equal => 1,
                std::cmp::Ordering::Less => 0,
            },
        )
        .sum();
    let interval = || {
        Some(Mean {
            mean: area(&all),
            low: quantile(&areas, 0.025)?,
            high: quantile(&areas, 0.975)?,
        })
    };
    Separation {
        auroc: interval(),
        paired: Rate::wilson(halves / 2, pairs.len()),
    }
}

/// Tests a model on `pairs` pairs of each kind of break that the scene allows, from `seed` on.
///
/// # Errors
/// [`EvalError`] if the scene cannot be run or the model fails.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    pairs: u64,
) -> Result<BTreeMap<Break, BreakResult>, EvalError> {
    run_kinds(&Break::ALL, scene, model, seed, pairs)
}

/// As [`run`], of some kinds of break.
///
/// # Errors
/// As for [`run`].
pub fn run_kinds(
    kinds: &[Break],
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    pairs: u64,
) -> Result<BTreeMap<Break, BreakResult>, EvalError> {
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let Some(body) = subject(scene) else {
        return Ok(BTreeMap::new());
    };
    let mut results = BTreeMap::new();
    for &kind in kinds {
        let mut scores = Vec::new();
        let mut next = seed;
        while (scores.len() as u64) < pairs && next < seed + pairs * TRIES {
            let found: Vec<[[f64; 4]; 2]> = (next..next + pairs)
                .into_par_iter()
                .map(|s| pair(kind, scene, &eye, body, model, s))
                .collect::<Result<Vec<_>, EvalError>>()?
                .into_iter()
                .flatten()
                .collect();
            scores.extend(found);
            next += pairs;
            if scores.is_empty() {
                break;
            }
        }
        scores.truncate(pairs as usize);
        if scores.is_empty() {
            continue;
        }
        let of = |who: usize| {
            let own: Vec<[f64; 2]> = scores.iter().map(|[p, i]| [p[who], i[who]]).collect();
            separation(&own)
        };
        results.insert(
            kind,
            BreakResult {
                pairs: scores.len(),
                model: of(0),
                copy_last: of(1),
                model_by_mean: of(2),
                copy_last_by_mean: of(3),
            },
        );
    }
    Ok(results)
}

/// A model's surprise at the possible and at the impossible episode of a seed; `None` where `kind` cannot
/// show in it, or nothing in the scene can be broken.
///
/// # Errors
/// [`EvalError`] if the scene cannot be run or the model fails.
pub fn one_pair(
    kind: Break,
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
) -> Result<Option<[f64; 2]>, EvalError> {
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let Some(body) = subject(scene) else {
        return Ok(None);
    };
    let found = pair(kind, scene, &eye, body, model, seed)?;
    Ok(found.map(|[possible, impossible]| [possible[0], impossible[0]]))
}

/// The body whose physics is broken: the task's, or the first that is free.
fn subject(scene: &Scene) -> Option<usize> {
    let task = scene.task.as_ref().and_then(|t| scene.body_index(&t.body));
    task.or_else(|| scene.bodies.iter().position(|b| b.kind == Kind::Dynamic))
}

/// Surprise at the possible and at the impossible episode of a seed, each as `surprise` gives it; `None`
/// where `kind` cannot show.
fn pair(
    kind: Break,
    scene: &Arc<Scene>,
    eye: &Eye,
    body: usize,
    model: &dyn WorldModel,
    seed: u64,
) -> Result<Option<[[f64; 4]; 2]>, EvalError> {
    let fault = |e: SimError| EvalError::Task(TaskError::Episode(EpisodeError::from(e)));
    let (states, actions) = record_states(scene, seed).map_err(fault)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x5172);
    let visible = || -> Result<Vec<bool>, SimError> {
        let mut reality = Reality::new(scene, seed)?;
        let mut look = |action: &Vec<f32>| {
            let seen = eye.look(&reality).ids.contains(&(body as u8 + 1));
            reality.act(action);
            reality.step();
            seen
        };
        Ok(actions.iter().map(&mut look).collect())
    };
    let Some((step, shows)) =
        moment(kind, scene, body, &states, visible, &mut rng).map_err(fault)?
    else {
        return Ok(None);
    };
    let broken = Arc::new(Scene {
        edits: vec![edit(kind, scene, body, &states[step], step, &mut rng)],
        ..Scene::clone(scene)
    });
    let size = eye.size();
    let around = (shows, sight(model));
    let possible = film(scene, eye, seed, &actions, around).map_err(fault)?;
    let impossible = film(&broken, eye, seed, &actions, around).map_err(fault)?;
    let score = |clip: &Clip| surprise(model, size, clip).map_err(EvalError::Model);
    Ok(Some([score(&possible)?, score(&impossible)?]))
}
