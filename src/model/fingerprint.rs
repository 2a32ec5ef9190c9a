//! A fingerprint of behaviour: what a trained model answers to one fixed question. It stands on the model's
//! card, so that `parallax models --check` finds weights that load and are finite but no longer do what
//! they did, and code that runs the same weights in another way.
//!
//! The question is a moment of one recorded episode of a scene that the model was trained on. A world model
//! is asked for distances to a later moment under two courses of action, for the picture and the places
//! that it imagines, for its surprise and its proposals; a policy for its actions; a distance for
//! distances.

use std::path::Path;
use std::sync::Arc;

use candle_core::Device;

use super::goal::Metric;
use super::registry::{self, Trained};
use super::{
    Actions, Cancel, Card, Context, Frame, Frames, Goal, ModelError, Sampling, WorldModel,
};
use crate::camera::Eye;
use crate::episode::record;
use crate::scene::{self, Scene};

/// The episode that is asked about: a seed for tuning, which nothing is trained or reported on.
const SEED: u64 = 990_000;
/// Its frame at which models imagine.
const NOW: usize = 20;
/// Control steps that are imagined: a whole number of everybody's steps.
const AHEAD: usize = 10;
/// Answers that differ by less, relative to the larger, are the same: processors round differently.
const RELATIVE: f32 = 0.02;
/// Answers that differ by less are the same.
const ABSOLUTE: f32 = 2e-5;
/// Figures that are kept of every answer.
const DIGITS: i32 = 5;

/// One fixed question.
struct Question {
    context: Context,
    ahead: Actions,
    next: Vec<Vec<f32>>,
    later: Vec<Frame>,
    goal: Goal,
}

impl Question {
    fn of(scene: &Arc<Scene>) -> Result<Question, ModelError> {
        let fault = |message: String| ModelError::Input {
            model: "fingerprint".into(),
            message,
        };
        let eye = Eye::standard(scene).map_err(|e| fault(e.to_string()))?;
        let episode = record(scene, &eye, SEED)?;
        let (size, dim) = (eye.size(), scene.actions.dim());
        let frames: Vec<Frame> = episode
            .frames
            .chunks_exact(size * size * 3)
            .map(|f| Frame::new(size, f.to_vec()))
            .collect();
        let now = NOW.min(frames.len().saturating_sub(AHEAD + 1));
        if frames.len() <= now + AHEAD {
            return Err(fault(format!(
                "scene `{}`: an episode has {} frames, expected more than {AHEAD}",
                scene.name,
                frames.len()
            )));
        }
        let action = |t: usize| episode.actions[t * dim..(t + 1) * dim].to_vec();
        let next: Vec<Vec<f32>> = (now..now + AHEAD).map(action).collect();
        let mut ahead = Actions::one(&next, dim);
        let opposite: Vec<f32> = ahead.data.iter().map(|a| -a).collect();
        ahead.data.extend(opposite);
        ahead.n = 2;
        Ok(Question {
            context: Context {
                frames: frames[..=now].to_vec(),
                actions: (0..now).map(action).collect(),
            },
            ahead,
            next,
            goal: Goal {
                frame: frames[now + AHEAD].clone(),
                latent: None,
            },
            later: frames[now + 1..].to_vec(),
        })
    }
}

/// What a model answers, in a fixed order, rounded.
///
/// # Errors
/// [`ModelError`] of the model, or if the scene cannot be run.
pub fn of(trained: &Trained, scene: &Arc<Scene>) -> Result<Vec<f32>, ModelError> {
    let q = Question::of(scene)?;
    let answers = match trained {
        Trained::World(model) => imagined(model.as_ref(), &q)?,
        Trained::Policy(policy) => {
            let mut answers = policy.act(&q.context, &q.goal, q.ahead.dim)?;
            let other = Goal {
                frame: q.context.frames[0].clone(),
                latent: None,
            };
            answers.extend(policy.act(&q.context, &other, q.ahead.dim)?);
            answers
        }
        Trained::Distance(distance) => {
            let later = q.later[..AHEAD].iter().flat_map(|f| f.data.clone());
            let later = Frames::sequence(q.goal.frame.size, later.collect());
            distance.distances(&later, &q.goal)?
        }
    };
    Ok(answers.into_iter().map(rounded).collect())
}

fn imagined(model: &dyn WorldModel, q: &Question) -> Result<Vec<f32>, ModelError> {
    let latent = model.observe(&q.context)?;
    let (sampling, cancel) = (Sampling::default(), Cancel::new());
    let rollouts = model.imagine(&latent, &q.ahead, sampling, &cancel)?;
    let can = model.facets();
    let mut answers = match can.plans {
        Some(plans) => plans.distance(&rollouts, &q.goal, &Metric::Own)?,
        None => Vec::new(),
    };
    if let Some(frames) = can.frames(&rollouts)? {
        answers.extend(quarters(frames.at(0, frames.steps - 1), frames.size));
    }
    if let Some(states) = can.states(&rollouts)? {
        let last = states.at(0, states.steps - 1);
        answers.extend(last.iter().flat_map(|p| [p[0], p[1]]));
    }
    if let Some(surprise) = can.surprise {
        let skip = model.shape().frameskip.max(1);
        let taken = Actions::one(&q.next[..skip], q.ahead.dim);
        answers.push(surprise.surprise(&q.context, &taken, &q.later[skip - 1])?);
    }
    if let Some(prior) = can.proposals {
        let drawn = prior.propose(&latent, &q.goal, 2, AHEAD, q.ahead.dim, SEED)?;
        answers.extend(drawn.data);
    }
    Ok(answers)
}

/// Mean colours of a frame's quarters, in [0, 1].
fn quarters(frame: &[u8], size: usize) -> [f32; 12] {
    let mut sums = [0.0f32; 12];
    for (i, p) in frame.chunks_exact(3).enumerate() {
        let quarter = 2 * (i / size * 2 / size) + i % size * 2 / size;
        (0..3).for_each(|c| sums[3 * quarter + c] += f32::from(p[c]));
    }
    let pixels = (size * size) as f32 / 4.0;
    sums.map(|s| s / pixels / 255.0)
}

/// To a few significant figures: a card is read by people.
fn rounded(value: f32) -> f32 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let digits = DIGITS - 1 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    ((f64::from(value) * scale).round() / scale) as f32
}

/// What sets two fingerprints apart; nothing where they are the same within rounding.
pub fn difference(found: &[f32], expected: &[f32]) -> Option<String> {
    if found.len() != expected.len() {
        return Some(format!(
            "found {} answers, expected {}",
            found.len(),
            expected.len()
        ));
    }
    let apart = |(f, e): (&f32, &f32)| {
        let same = f == e || (f - e).abs() <= ABSOLUTE + RELATIVE * f.abs().max(e.abs());
        // What is not a number is never the same.
        !same
    };
    let answers = || found.iter().zip(expected);
    let first = answers().position(apart)?;
    let count = answers().filter(|p| apart(*p)).count();
    Some(format!(
        "{count} of {} answers differ; the first is answer {first}: found {}, expected {}",
        expected.len(),
        found[first],
        expected[first]
    ))
}

/// The scene that a model is asked about: of its card's that are in the library the first with actions, or
/// else the first.
fn scene_of(card: &Card) -> Option<Arc<Scene>> {
    let known = || card.scenes.iter().filter_map(|name| scene::load(name).ok());
    let acted = known().find(|s| s.actions.dim() > 0);
    acted.or_else(|| known().next()).map(Arc::new)
}

/// Loads a model folder and compares its behaviour with its card's; the comparison is `None` where the card
/// says nothing or none of its scenes is in the library.
///
/// # Errors
/// [`ModelError`] of loading, or one that says how the behaviour differs.
pub fn check(dir: &Path, device: &Device) -> Result<Option<()>, ModelError> {
    let trained = registry::load_any(dir, device)?;
    let card = Card::load(dir)?;
    let Some(scene) = scene_of(&card).filter(|_| !card.behaviour.is_empty()) else {
        return Ok(None);
    };
    match difference(&of(&trained, &scene)?, &card.behaviour) {
        None => Ok(Some(())),
        Some(message) => Err(ModelError::Invalid {
            path: dir.join("card.ron"),
            what: "behaviour".into(),
            message: format!(
                "{message}; weights or code are not those that the card was written for (if that is meant: \
                 `parallax models --fingerprint {}`)",
                card.name
            ),
        }),
    }
}

/// Measures a model folder's behaviour and writes it on its card; false where none of its scenes is in the
/// library.
///
/// # Errors
/// [`ModelError`] of loading, running or writing.
pub fn write(dir: &Path, device: &Device) -> Result<bool, ModelError> {
    let trained = registry::load_any(dir, device)?;
    let card = Card::load(dir)?;
    let Some(scene) = scene_of(&card) else {
        return Ok(false);
    };
    let behaviour = of(&trained, &scene)?;
    Card { behaviour, ..card }.save(dir)?;
    Ok(true)
}
