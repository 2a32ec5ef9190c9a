//! A JEPA as critic of films: of several futures that a generative model draws of one moment, the one that
//! surprises the JEPA least. How much nearer to reality is it than a future drawn at random, and how near is
//! the best of them?
//!
//! The critic sees the imagined frames only, never reality. Its surprise at a film is the mean of its
//! surprises at each frame after the frames before, under the actions that the film was imagined with.

use std::sync::Arc;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::control::EvalError;
use super::rollout::{CONTEXT, Clip, STEPS};
use crate::camera::Eye;
use crate::judge::{Judge, foreground_psnr_db, object_error};
use crate::model::{
    Actions, Cancel, Context, Frame, Frames, ModelError, Sampling, WorldModel, futures, require,
};
use crate::scene::Scene;
use crate::stats::{Mean, Rate, spearman};
use crate::task::TaskError;

/// Steps at which films are compared with reality.
pub const HORIZONS: [usize; 2] = [10, 20];

/// One film, compared with what really happened.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Compared {
    /// The critic's surprise.
    surprise: f64,
    /// Mean distance of bodies from their true places at [`HORIZONS`], pixels; none where none is shown.
    error_px: Option<f64>,
    /// Foreground PSNR over [`HORIZONS`], dB.
    psnr_db: Option<f64>,
    /// Share of the bodies that the truth shows and the film still shows.
    survival: Option<f64>,
    /// Whether it breaks no law that was checked; none where none was.
    is_clean: Option<bool>,
}

/// What is said of one film of each clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Films {
    /// Distance of bodies from their true places at steps 10 and 20, pixels.
    pub object_error_px: Option<Mean>,
    /// Foreground PSNR at these steps, dB.
    pub foreground_psnr_db: Option<Mean>,
    /// Share of the bodies that are still shown then.
    pub survival: Option<Mean>,
    /// Share of films without a violation of the laws that were checked; null where none was.
    pub clean_clips: Option<Rate>,
}

/// A choice among so many futures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// Futures to choose from, K.
    pub samples: usize,
    /// The one that surprises the critic least.
    pub chosen: Films,
    /// The first one, which is as good as any.
    pub first: Films,
    /// The one whose bodies are nearest to reality: what no critic can be better than.
    pub nearest: Films,
    /// Mean over the clips of how much nearer the chosen one's bodies are than the mean of the K futures',
    /// pixels.
    pub lift_px: Option<Mean>,
}

/// What a critic makes of a model's futures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChoiceResult {
    /// By the number of futures: 1, 2, 4 and so on.
    pub choices: Vec<Choice>,
    /// Spearman's rank correlation of surprise and distance among the futures of a clip, mean over clips; 0
    /// is chance.
    pub agreement: Option<Mean>,
    /// The laws that were checked.
    pub checked: Vec<String>,
}

/// Draws `samples` futures of each clip of the seeds `seed..seed + clips`, and lets `critic` choose.
///
/// # Errors
/// [`EvalError`] where the model draws no pictures or only one future, the critic is never surprised, and of
/// the first clip that fails.
pub fn run(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    critic: &dyn WorldModel,
    (seed, clips): (u64, u64),
    samples: usize,
    progress: impl Fn() + Sync,
) -> Result<ChoiceResult, EvalError> {
    let eye = Eye::standard(scene).map_err(|e| TaskError::Episode(e.into()))?;
    let judge = Judge::new(scene);
    let moving = scene.moving_ids();
    require(
        critic,
        critic.facets().surprise,
        "is never surprised, so it cannot choose",
    )?;
    let of = |seed: u64| -> Result<Vec<Compared>, EvalError> {
        let clip = Clip::new(scene, &eye, seed)?;
        let (latent, actions) = (
            model.observe(&clip.context(model.shape().context_frames))?,
            clip.actions(),
        );
        let cancel = Cancel::new();
        let drawn = futures(
            model,
            &latent,
            &actions,
            Sampling::default(),
            samples,
            &cancel,
        )?;
        let drawn = require(model, drawn, "imagines no frames to choose from")?;
        let films = (0..drawn.n).map(|k| {
            let compared = compare(&clip, &drawn, k, (&judge, &moving))?;
            let surprise = surprise_at(critic, &clip, &actions, (&drawn, k))?;
            Ok(Compared {
                surprise,
                ..compared
            })
        });
        let films = films.collect();
        progress();
        films
    };
    let all: Result<Vec<Vec<Compared>>, EvalError> =
        (seed..seed + clips).into_par_iter().map(of).collect();
    let all = all?;
    let mut counts: Vec<usize> = Vec::new();
    while counts.last().is_none_or(|last| 2 * last <= samples) {
        counts.push(counts.last().map_or(1, |last| 2 * last));
    }
    let agreements: Vec<f64> = all.iter().filter_map(|films| agreement(films)).collect();
    let absent = |law: &crate::scene::Law| judge.cannot_judge(*law).is_none();
    let checked = crate::scene::Law::ALL.into_iter().filter(absent);
    Ok(ChoiceResult {
        choices: counts.into_iter().map(|k| choice(&all, k)).collect(),
        agreement: Mean::bootstrap(&agreements),
        checked: checked.map(|law| law.id().to_string()).collect(),
    })
}

/// A film beside reality.
fn compare(
    clip: &Clip,
    drawn: &Frames,
    k: usize,
    (judge, moving): (&Judge, &[bool]),
) -> Result<Compared, EvalError> {
    let (mut errors, mut seen, mut lost, mut psnr) = (Vec::new(), 0usize, 0usize, Vec::new());
    for horizon in HORIZONS {
        let at = CONTEXT - 1 + horizon;
        let (imagined, truth) = (drawn.at(k, horizon - 1), clip.frame(at));
        for error in object_error(judge.tracker(), drawn.size, imagined, truth) {
            match error {
                Some(error) => {
                    seen += 1;
                    errors.push(error);
                }
                None => lost += 1,
            }
        }
        let ids = (clip.ids(at), clip.ids(CONTEXT - 1));
        psnr.extend(foreground_psnr_db(imagined, truth, ids.0, ids.1, moving));
    }
    let mean = |values: &[f64]| {
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let taken: Vec<Vec<f32>> = (0..CONTEXT + STEPS).map(|t| clip.action(t)).collect();
    let mut film: Vec<&[u8]> = (0..CONTEXT).map(|t| clip.frame(t)).collect();
    film.extend((0..drawn.steps).map(|t| drawn.at(k, t)));
    let verdict = judge.frames(drawn.size, CONTEXT, &film, Some(&taken));
    Ok(Compared {
        surprise: 0.0,
        error_px: mean(&errors),
        psnr_db: mean(&psnr),
        survival: (seen + lost > 0).then(|| seen as f64 / (seen + lost) as f64),
        is_clean: (!verdict.checked.is_empty()).then_some(verdict.violations.is_empty()),
    })
}

/// Mean surprise of the critic at the frames of a film, each after those before it.
fn surprise_at(
    critic: &dyn WorldModel,
    clip: &Clip,
    actions: &Actions,
    (drawn, k): (&Frames, usize),
) -> Result<f64, ModelError> {
    let shape = critic.shape();
    let feels = require(critic, critic.facets().surprise, "is never surprised")?;
    let mut context: Context = clip.context(shape.context_frames);
    let (mut sum, mut count) = (0.0, 0usize);
    for (i, block) in (0..drawn.steps)
        .collect::<Vec<_>>()
        .chunks_exact(shape.frameskip)
        .enumerate()
    {
        let taken: Vec<Vec<f32>> = block.iter().map(|&t| actions.at(0, t).to_vec()).collect();
        let next = |t: usize| Frame::new(drawn.size, drawn.at(k, t).to_vec());
        let last = (i + 1) * shape.frameskip - 1;
        let one = Actions::one(&taken, actions.dim);
        sum += f64::from(feels.surprise(&context, &one, &next(last))?);
        count += 1;
        for (&t, action) in block.iter().zip(taken) {
            context.frames.push(next(t));
            context.actions.push(action);
        }
        context.keep(shape.context_frames.max(CONTEXT));
    }
    Ok(sum / count.max(1) as f64)
}

/// Rank correlation of surprise and distance among the futures of one clip.
fn agreement(films: &[Compared]) -> Option<f64> {
    let known: Vec<(f32, f32)> = films
        .iter()
        .filter_map(|f| Some((f.surprise as f32, f.error_px? as f32)))
        .collect();
    let (surprises, errors): (Vec<f32>, Vec<f32>) = known.into_iter().unzip();
    let rho = (surprises.len() > 2).then(|| spearman(&surprises, &errors))?;
    rho.is_finite().then_some(rho)
}

/// What comes of choosing among the first `samples` futures of each clip.
fn choice(all: &[Vec<Compared>], samples: usize) -> Choice {
    let least = |films: &[Compared], of: &dyn Fn(&Compared) -> f64| {
        let films = &films[..samples.min(films.len())];
        films.iter().copied().min_by(|a, b| of(a).total_cmp(&of(b)))
    };
    let surprise = |f: &Compared| f.surprise;
    let distance = |f: &Compared| f.error_px.unwrap_or(f64::INFINITY);
    let pick = |of: &dyn Fn(&Compared) -> f64| -> Vec<Compared> {
        all.iter().filter_map(|films| least(films, of)).collect()
    };
    let chosen = pick(&surprise);
    let lifts: Vec<f64> = all
        .iter()
        .zip(&chosen)
        .filter_map(|(films, chosen)| {
            let known = films.iter().take(samples).filter_map(|f| f.error_px);
            let known: Vec<f64> = known.collect();
            let mean = known.iter().sum::<f64>() / known.len().max(1) as f64;
            (!known.is_empty()).then_some(mean - chosen.error_px?)
        })
        .collect();
    Choice {
        samples,
        chosen: films(&chosen),
        first: films(
            &all.iter()
                .filter_map(|f| f.first().copied())
                .collect::<Vec<_>>(),
        ),
        nearest: films(&pick(&distance)),
        lift_px: Mean::bootstrap(&lifts),
    }
}

fn films(some: &[Compared]) -> Films {
    let mean = |of: fn(&Compared) -> Option<f64>| {
        Mean::bootstrap(&some.iter().filter_map(of).collect::<Vec<_>>())
    };
    let judged: Vec<bool> = some.iter().filter_map(|f| f.is_clean).collect();
    Films {
        object_error_px: mean(|f| f.error_px),
        foreground_psnr_db: mean(|f| f.psnr_db),
        survival: mean(|f| f.survival),
        clean_clips: Rate::wilson(judged.iter().filter(|c| **c).count(), judged.len()),
    }
}
