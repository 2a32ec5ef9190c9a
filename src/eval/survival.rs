//! Survival behind a screen: whether what is hidden goes on being where it has to come out again. A model
//! sees an episode up to the last picture of a body, imagines as long as reality hides it, and its probes
//! say where the body is at the moment at which it is seen again. A model that draws pictures is looked at
//! instead, as soon as reality shows half of the body: the place of what has its colour is compared with
//! reality's.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::EvalError;
use super::rollout::CONTEXT;
use crate::camera::Eye;
use crate::episode::{Episode, EpisodeError, record};
use crate::judge::{Blob, Judge, Tracker};
use crate::model::{Actions, Cancel, Context, Sampling, WorldModel, require};
use crate::scene::{Kind, Scene};
use crate::sim::CONTROL_HZ;
use crate::stats::{Rate, Spread};
use crate::task::TaskError;

/// Observations for which a body is hidden, at most.
pub const LONGEST: usize = 24;
/// Observations of one point of the curve.
const BIN: usize = 4;
/// A picture shows a body if so much of what reality shows of it is there.
const LEAST_SHOWN: f32 = 0.25;

/// One hidden body: how long, and how far from its true place each contestant has it when it is seen again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hidden {
    /// Observations without a pixel of it.
    pub frames: usize,
    /// Radius of a ball that holds it, metres.
    pub radius_m: f32,
    /// Of the model's probes or pictures, metres on the floor plan; none if no picture shows it.
    pub model_m: Option<f32>,
    /// Of the place where it was seen last, metres.
    pub stays_m: f32,
    /// Of the place to which its true velocity would have taken it from there, metres.
    pub coasts_m: f32,
}

/// How many hidden bodies of some that were hidden for about as long are found again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Observations for which they were hidden, from and to.
    pub hidden: [usize; 2],
    /// Bodies.
    pub bodies: usize,
    /// Share that the model has within their radius, with a 95 % interval; null of none.
    pub survival: Option<Rate>,
    /// The same if they are thought to stay where they were seen last.
    pub stays: Option<Rate>,
    /// The same if they go on with the velocity that they truly had there: not a floor, for nobody is shown
    /// it, but what uniform motion would be worth.
    pub coasts: Option<Rate>,
    /// Distance of the model's places from the true ones, cm, of the bodies that it has at all.
    pub off_cm: Option<Spread>,
}

/// What became of hidden bodies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SurvivalResult {
    /// Episodes in which a body was hidden and came out again.
    pub clips: usize,
    /// Velocities at which the scene's bodies start, as shares of its own; episodes take turns.
    pub paces: Vec<f32>,
    /// Observations that the model was shown at most.
    pub context_frames: usize,
    /// All hidden bodies.
    pub all: Point,
    /// By the time for which they were hidden.
    pub curve: Vec<Point>,
}

impl Point {
    /// Of hidden bodies, all of which were hidden for `hidden` observations, from and to.
    pub fn of(hidden: [usize; 2], bodies: &[Hidden]) -> Self {
        let rate = |off: fn(&Hidden) -> Option<f32>| {
            let is_found = |b: &&Hidden| off(b).is_some_and(|m| m <= b.radius_m);
            let found = bodies.iter().filter(is_found).count();
            Rate::wilson(found, bodies.len())
        };
        let off = bodies.iter().filter_map(|b| b.model_m);
        let off: Vec<f64> = off.map(|m| 100.0 * f64::from(m)).collect();
        Self {
            hidden,
            bodies: bodies.len(),
            survival: rate(|b| b.model_m),
            stays: rate(|b| Some(b.stays_m)),
            coasts: rate(|b| Some(b.coasts_m)),
            off_cm: Spread::of(&off),
        }
    }
}

/// The scene with bodies that start at a share of its velocities, and with episodes as much longer: slower
/// bodies are hidden for longer, in pictures that look the same.
pub fn paced(scene: &Scene, pace: f32) -> Scene {
    let mut slow = scene.clone();
    for body in &mut slow.bodies {
        body.velocity = body.velocity.map(|v| pace * v);
    }
    for drawn in &mut slow.randomise {
        if [".vx", ".vy", ".vz"]
            .iter()
            .any(|v| drawn.target.ends_with(v))
        {
            (drawn.low, drawn.high) = (pace * drawn.low, pace * drawn.high);
            drawn.among.iter_mut().for_each(|v| *v *= pace);
        }
    }
    slow.episode_steps = (scene.episode_steps as f32 / pace).ceil() as u32;
    slow
}

/// Where in an episode a body is hidden: its index, the last observation before and the first after.
pub fn spans(scene: &Scene, episode: &Episode, pixels: usize) -> Vec<(usize, usize, usize)> {
    let mut found = Vec::new();
    for (body, _) in (scene.bodies.iter().enumerate()).filter(|(_, b)| b.kind == Kind::Dynamic) {
        let id = body as u8 + 1;
        let frames = episode.ids.chunks_exact(pixels);
        let shown: Vec<usize> = frames
            .enumerate()
            .filter(|(_, ids)| ids.contains(&id))
            .map(|(t, _)| t)
            .collect();
        // It has to have been seen often enough to have a velocity.
        let known = shown.windows(2).enumerate().skip(CONTEXT - 1);
        let hidden = known.filter(|(_, w)| (2..=LONGEST + 1).contains(&(w[1] - w[0])));
        found.extend(hidden.map(|(_, w)| (body, w[0], w[1])));
    }
    found
}

/// Measures a model on seeds `seed..seed + episodes`, which take turns with `paces`.
///
/// # Errors
/// [`EvalError`] of the first episode that fails; a model with neither probes nor pictures, or one that
/// imagines several control steps at once, is refused.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    (seed, episodes): (u64, u64),
    paces: &[f32],
    progress: impl Fn() + Sync,
) -> Result<SurvivalResult, EvalError> {
    let lack = "does not say where bodies are, so nobody knows whether they survive";
    let can = model.facets();
    let says = can.readouts.map(|_| ()).or(can.pixels.map(|_| ()));
    require(model, says, lack)?;
    let one_step = (model.shape().frameskip == 1).then_some(());
    require(model, one_step, "imagines several control steps at once")?;
    let scenes: Vec<Arc<Scene>> = paces.iter().map(|&p| Arc::new(paced(scene, p))).collect();
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let judge = Judge::new(scene);
    let found: Vec<Vec<Hidden>> = (seed..seed + episodes)
        .into_par_iter()
        .map(|s| {
            let scene = &scenes[(s - seed) as usize % scenes.len().max(1)];
            let found = episode(scene, (&eye, judge.tracker()), model, s);
            progress();
            found
        })
        .collect::<Result<_, EvalError>>()?;
    let all: Vec<Hidden> = found.iter().flatten().copied().collect();
    let curve = (0..LONGEST / BIN).map(|i| {
        let hidden = [i * BIN + 1, (i + 1) * BIN];
        let among = |b: &&Hidden| (hidden[0]..=hidden[1]).contains(&b.frames);
        let own: Vec<Hidden> = all.iter().filter(among).copied().collect();
        Point::of(hidden, &own)
    });
    Ok(SurvivalResult {
        clips: found.iter().filter(|f| !f.is_empty()).count(),
        paces: paces.to_vec(),
        context_frames: model.shape().context_frames.max(CONTEXT),
        all: Point::of([1, LONGEST], &all),
        curve: curve.collect(),
    })
}

/// The hidden bodies of one episode.
fn episode(
    scene: &Arc<Scene>,
    (eye, tracker): (&Eye, &Tracker),
    model: &dyn WorldModel,
    seed: u64,
) -> Result<Vec<Hidden>, EvalError> {
    let fault = |e| EvalError::Task(TaskError::Episode(EpisodeError::from(e)));
    let episode = record(scene, eye, seed).map_err(fault)?;
    let (size, dim, bodies) = (eye.size(), scene.actions.dim(), scene.bodies.len());
    let most = model.shape().context_frames.max(CONTEXT);
    let frame = |t: usize| episode.frames[t * 3 * size * size..(t + 1) * 3 * size * size].to_vec();
    let action = |t: usize| episode.actions[t * dim..(t + 1) * dim].to_vec();
    let mut found = Vec::new();
    for (body, last, back) in spans(scene, &episode, size * size) {
        let first = (last + 1).saturating_sub(most);
        let actions = (first..last).map(action).collect();
        let context = Context::new(size, (first..=last).map(frame), actions);
        let blob = |pixels: &[u8]| {
            let own = tracker.bodies.iter().position(|&b| b == body)?;
            Some(tracker.blobs(size, pixels).swap_remove(own))
        };
        let shows = |t: usize| blob(&frame(t)).map_or(0.0, |b| b.area);
        let is_drawn = model.facets().readouts.is_none();
        let at = match is_drawn {
            false => back,
            true => {
                let most = (0..=last).map(shows).fold(0.0, f32::max);
                let frames = episode.frames.len() / (3 * size * size);
                let half = (back..frames).find(|&t| 2.0 * shows(t) >= most);
                match half.filter(|&t| most > 0.0 && t < back + LONGEST) {
                    Some(t) => t,
                    None => continue, // it goes again before half of it was seen
                }
            }
        };
        let taken: Vec<Vec<f32>> = (last..at).map(action).collect();
        let latent = model.observe(&context)?;
        let (sampling, cancel) = (Sampling::default(), Cancel::new());
        let imagined = model.imagine(&latent, &Actions::one(&taken, dim), sampling, &cancel)?;
        let (before, truth) = (
            &episode.states[last * bodies + body],
            &episode.states[back * bodies + body],
        );
        let model_m = if is_drawn {
            let Some(frames) = model.facets().frames(&imagined)? else {
                continue;
            };
            let height = episode.states[at * bodies + body].position[1];
            let shown = eye.for_seed(seed);
            let place = |b: Blob| shown.unproject(b.centroid, height);
            let real = blob(&frame(at));
            let least = LEAST_SHOWN * real.as_ref().map_or(0.0, |b| b.area);
            let drawn = blob(frames.at(0, at - last - 1)).filter(|b| b.area > least);
            match (real.and_then(place), drawn.and_then(place)) {
                (Some([x, _, z]), Some([u, _, w])) => Some((x - u).hypot(z - w)),
                _ => None,
            }
        } else {
            let Some(states) = model.facets().states(&imagined)? else {
                continue;
            };
            let name = &scene.bodies[body].name;
            let Some(read) = states.bodies.iter().position(|b| b == name) else {
                continue;
            };
            let [x, z, _] = states.at(0, back - last - 1)[read];
            Some(truth.planar_distance([x, z]))
        };
        let seconds = (back - last) as f32 / CONTROL_HZ as f32;
        let ([x0, _, z0], [vx, _, vz]) = (before.position, before.velocity);
        found.push(Hidden {
            frames: back - last - 1,
            radius_m: scene.bodies[body].shape.bounding_radius(),
            model_m,
            stays_m: truth.planar_distance([x0, z0]),
            coasts_m: truth.planar_distance([x0 + seconds * vx, z0 + seconds * vz]),
        });
    }
    Ok(found)
}
