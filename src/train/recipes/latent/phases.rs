//! The two phases of a diffusion in latents, whatever sees: an autoencoder that learns first, or a frozen
//! encoder of which only the decoder learns.

use candle_core::{Tensor, Var};
use serde::Serialize;
use serde_json::json;

use super::batch::{Examples, Step, Windows, dynamics_loss};
use super::check::check_autoencoder;
use super::encoded::Encoded;
use super::frames::{FrameBatch, Frames, reconstruction_loss};
use super::recipe::{AutoencoderPhase, DynamicsPhase};
use crate::model::generative::{Eye, GenerativeWorld, Imagination, LatentSampler, Objective};
use crate::model::nn::{Ema, Params, Rng};
use crate::model::{Camp, Cancel, ModelError};
use crate::train::checkpoint::Progress;
use crate::train::data::rolled::OWN_FRAMES;
use crate::train::data::sheet::Clip;
use crate::train::data::validate::{clips, measured};
use crate::train::error::TrainError;
use crate::train::export::{Made, export, unfinished};
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::run::{Given, Session};

/// Steps between validations.
const VALIDATE_EVERY: usize = 5000;

/// What is trained, and how.
pub(in crate::train::recipes) struct Course<'a, E: Eye> {
    /// The model; what is measured beforehand is known.
    pub config: &'a E::Config,
    /// The first phase: frames to latents and back.
    pub first: &'a AutoencoderPhase,
    /// Its name on the curve.
    pub first_name: &'static str,
    /// The second: the next latent out of the last ones.
    pub dynamics: &'a DynamicsPhase,
    /// Camp.
    pub camp: Camp,
    /// The beginning of what the card says of how it differs from the papers.
    pub differs: &'a str,
}

/// Runs the phases that are not done yet; `seen` is called with the eye once its own phase is done.
///
/// # Errors
/// As those of [`Recipe::train`](crate::train::recipe::Recipe::train).
pub(in crate::train::recipes) fn train<E: Eye>(
    session: &mut Session,
    course: &Course<E>,
    seen: impl FnOnce(&E) -> Result<(), TrainError>,
) -> Result<Made, TrainError>
where
    E::Config: Serialize,
{
    let (given, data) = (session.given, session.data);
    let (model, params) = (E::latents(course.config), session.params.clone());
    let eye = E::of(course.config, &params)?;
    if session.is_due(0) {
        let mut average = Ema::new(&params, course.first.pace.ema)?;
        let averaged = average.params().detached();
        let compressing = Compressing {
            given,
            course,
            frames: Frames::new(data, &session.train_episodes, given.seed),
            eye: &eye,
            average: E::of(course.config, &averaged)?,
            params: params.pp(E::PART),
            held_back: session.validation_episodes.clone(),
        };
        session.run(&compressing, Some(&mut average))?;
        params.pp(E::PART).set_from(average.params())?;
        seen(&eye)?;
    }
    session.enter(1);
    let frozen = E::of(course.config, &params.detached())?;
    let imagination = Imagination::new(model, params.pp("dynamics"))?;
    let mut average = Ema::new(&params, course.dynamics.pace.ema)?;
    let averaged = average.params().clone();
    let (train, held_back) = (&session.train_episodes, &session.validation_episodes);
    let encoded = Encoded::of(data, train, &frozen, model, &session.clock)?;
    let (phase, device) = (course.dynamics, session.device());
    let imagining = Imagining {
        windows: Windows::new(data, &encoded, train, model, phase, given.seed, device)?,
        average: Imagination::new(model, averaged.detached().pp("dynamics"))?,
        clips: clips(data, held_back, 3, 10),
        course,
        given,
        imagination,
        params: params.pp("dynamics"),
        averaged,
    };
    session.run(&imagining, Some(&mut average))?;
    imagining.made(&session.progress)
}

/// The first phase: frames to latents and back.
struct Compressing<'a, E: Eye> {
    given: Given<'a>,
    course: &'a Course<'a, E>,
    frames: Frames<'a>,
    eye: &'a E,
    /// The same networks on the average of the weights.
    average: E,
    params: Params,
    held_back: Vec<usize>,
}

impl<E: Eye> Phase for Compressing<'_, E> {
    type Batch = FrameBatch;

    fn plan(&self) -> Plan {
        let (pace, name) = (&self.course.first.pace, self.course.first_name);
        pace.plan(name, VALIDATE_EVERY)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, at: At) -> Result<FrameBatch, TrainError> {
        let (device, step) = (&self.given.options.device, at.step as u64);
        let model = E::latents(self.course.config);
        let shape = (model.side(), model.channels());
        let frames = &self.frames;
        Ok(frames.draw(self.eye, self.course.first, shape, step, device)?)
    }

    fn loss(&self, batch: FrameBatch, _: At) -> Result<Loss, TrainError> {
        let phase = self.course.first;
        let value = reconstruction_loss(self.eye, &batch, phase.squared_weight)?;
        Ok(Loss::new(value, phase.pace.batch))
    }

    fn measure(&self, progress: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        if progress.step == 0 {
            return Ok(None);
        }
        let found = check_autoencoder(&self.average, self.given.data, &self.held_back)?;
        Ok(Some(line(
            json!({ "frames": progress.frames, "reconstruction": found }),
        )))
    }
}

/// The second phase: the next latent out of the last ones.
struct Imagining<'a, E: Eye> {
    given: Given<'a>,
    course: &'a Course<'a, E>,
    windows: Windows<'a>,
    imagination: Imagination,
    params: Params,
    /// The average of all weights, and the transformer on it.
    averaged: Params,
    average: Imagination,
    clips: Vec<Clip>,
}

impl<E: Eye> Imagining<'_, E>
where
    E::Config: Serialize,
{
    /// What came out so far.
    fn made(&self, progress: &Progress) -> Result<Made, TrainError> {
        let (course, model) = (self.course, E::latents(self.course.config));
        let how = match model.objective {
            Objective::Denoise => "flow matching with x-prediction",
            Objective::Regression => "the regression twin: one evaluation, mean squared error",
        };
        let notes = format!(
            "{} frames trained on in both phases. {}, {} tokens a frame, a window of {} context frames that \
             enters cell by cell in place of attention over time, each with a noise level of its own; {how}; \
             moving bodies weighted {}-fold, the last part of the training on the model's own latents.",
            progress.frames,
            course.differs,
            model.tokens(),
            model.context,
            course.dynamics.foreground_weight,
        );
        Made::new(
            &self.given,
            &self.averaged,
            course.config,
            course.camp,
            notes,
        )
    }
}

impl<E: Eye> Phase for Imagining<'_, E>
where
    E::Config: Serialize,
{
    type Batch = Examples;

    fn plan(&self) -> Plan {
        self.course.dynamics.pace.plan("dynamics", VALIDATE_EVERY)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, at: At) -> Result<Examples, TrainError> {
        let phase = self.course.dynamics;
        let (sequences, rolls) = phase.rolling().shape(at.progress, phase.pace.batch);
        Ok(self.windows.draw(at.step as u64, sequences, rolls)?)
    }

    fn loss(&self, examples: Examples, at: At) -> Result<Loss, TrainError> {
        let mut rng = Rng::stream(self.given.seed, OWN_FRAMES + at.step as u64);
        let nfe = self.course.dynamics.self_rolled_nfe;
        let value = dynamics_loss(&self.imagination, &examples, |context, before| {
            own_latent(&self.average, context, before, nfe, &mut rng)
        })?;
        let rolls = examples.steps.len();
        Ok(Loss {
            facts: line(json!({ "rolls": rolls })),
            ..Loss::new(value, examples.context.dim(0)? * rolls)
        })
    }

    fn measure(&self, progress: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        if progress.step == 0 {
            return Ok(None);
        }
        let card = unfinished(&self.given, progress.total_steps);
        let model =
            GenerativeWorld::<LatentSampler<E>>::new(card, self.course.config, &self.averaged)?;
        let out = &self.given.options.out;
        let found = measured(&model, self.given.data, &self.clips, 1, out)?;
        Ok(Some(line(
            json!({ "frames": progress.frames, "validation": found }),
        )))
    }

    /// The model folder is written along: what is there is always whole and can be used.
    fn kept(&self, progress: &Progress) -> Result<(), TrainError> {
        export(&self.given, progress, &self.made(progress)?)
    }
}

/// The latent that the averaged model imagines where `before` was to be predicted, from the same window.
fn own_latent(
    average: &Imagination,
    context: &Tensor,
    before: &Step,
    nfe: usize,
    rng: &mut Rng,
) -> Result<Tensor, ModelError> {
    let start = average.start(context.dim(0)?, false, rng, context.device())?;
    let window = before.window(context)?;
    Ok(average
        .sample(&start, &window, nfe, &Cancel::new())?
        .detach())
}
