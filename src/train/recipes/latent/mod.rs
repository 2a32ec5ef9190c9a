//! How diffusion in latents ([`crate::model::generative::LatentDiffusion`]) is trained: the autoencoder, then
//! every frame encoded once, then the transformer on what is stored.
//!
//! `recipe.rs` is the part of `train.ron`, `frames.rs` has the first phase's examples and loss, `check.rs`
//! measures the autoencoder on held-back episodes, `encoded.rs` is the experience between the phases,
//! `batch.rs` has the second phase's examples and loss.

mod batch;
mod check;
mod encoded;
mod frames;
mod recipe;

pub use batch::{Examples, Step, Windows, dynamics_loss};
pub use check::{Reconstruction, check_autoencoder};
pub use encoded::{Encoded, measure_scale};
pub use frames::{FrameBatch, Frames, reconstruction_loss};
pub use recipe::{AutoencoderPhase, DynamicsPhase, LatentRecipe};

use crate::model::generative::{Autoencoder, Imagination, LatentDiffusion, Objective};
use crate::model::nn::{Ema, Params, Rng};
use crate::model::{Camp, Cancel, ModelError, folder};
use crate::train::bounds::Fault;
use crate::train::checkpoint::Progress;
use crate::train::data::fit as suits;
use crate::train::data::measure::hue_motion;
use crate::train::data::rolled::OWN_FRAMES;
use crate::train::data::sheet::Clip;
use crate::train::data::validate::{clips, measured};
use crate::train::error::TrainError;
use crate::train::export::{Made, export, unfinished};
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use candle_core::{Tensor, Var};
use serde_json::json;
use std::path::Path;

/// Steps between validations.
const VALIDATE_EVERY: usize = 5000;

impl Recipe for LatentRecipe {
    fn check(&self) -> Result<(), Fault> {
        LatentRecipe::check(self)
    }

    fn action_dim(&self) -> usize {
        self.model.action_dim
    }

    fn start(&self) -> Option<&Path> {
        self.start.as_deref()
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let (model, data) = (&self.model, given.data);
        suits::side(data, "model.size", model.size)?;
        if data.action_dim != model.action_dim {
            let message = format!("found {}, expected {}", model.action_dim, data.action_dim);
            return Err(TrainError::misfit("model.action_dim", message));
        }
        let (train, _) = data.split_episodes(given.validation_share);
        suits::long_enough(data, &train, ("data", "training"), 2, 1)?;
        suits::file_size(|params| {
            Autoencoder::new(model, params.pp("autoencoder"))?;
            Imagination::new(model, params.pp("dynamics"))?;
            Ok(())
        })
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        let (given, data) = (session.given, session.data);
        let mut recipe = self.clone();
        recipe.model.hue_motion = hue_motion(data);
        if let Some(folder) = recipe.start.as_ref().filter(|_| session.is_fresh()) {
            let path = folder.join(folder::WEIGHTS);
            session.params = Params::load(&path, session.device())?.drawing_missing(given.seed);
            session.enter(1);
        }
        let (model, params) = (&recipe.model, session.params.clone());
        let autoencoder = Autoencoder::new(model, params.pp("autoencoder"))?;
        if session.is_due(0) {
            let mut average = Ema::new(&params, recipe.autoencoder.pace.ema)?;
            let averaged = average.params().detached();
            let compressing = Compressing {
                given,
                phase: &recipe.autoencoder,
                frames: Frames::new(data, &session.train_episodes, given.seed),
                autoencoder: &autoencoder,
                average: Autoencoder::new(model, averaged.pp("autoencoder"))?,
                shape: (model.side(), model.channels()),
                params: params.pp("autoencoder"),
                held_back: session.validation_episodes.clone(),
            };
            session.run(&compressing, Some(&mut average))?;
            params.set_from(average.params())?;
            measure_scale(data, &autoencoder)?;
        }
        session.enter(1);
        let frozen = Autoencoder::new(model, params.detached().pp("autoencoder"))?;
        let imagination = Imagination::new(model, params.pp("dynamics"))?;
        let mut average = Ema::new(&params, recipe.dynamics.pace.ema)?;
        let averaged = average.params().clone();
        let (train, held_back) = (&session.train_episodes, &session.validation_episodes);
        let encoded = Encoded::of(data, train, &frozen, model, &session.clock)?;
        let (phase, device) = (&recipe.dynamics, session.device());
        let imagining = Imagining {
            windows: Windows::new(data, &encoded, train, model, phase, given.seed, device)?,
            average: Imagination::new(model, averaged.detached().pp("dynamics"))?,
            clips: clips(data, held_back, 3, 10),
            recipe: &recipe,
            given,
            imagination,
            params: params.pp("dynamics"),
            averaged,
        };
        session.run(&imagining, Some(&mut average))?;
        imagining.made(&session.progress)
    }
}

/// The first phase: frames to latents and back.
struct Compressing<'a> {
    given: Given<'a>,
    phase: &'a AutoencoderPhase,
    frames: Frames<'a>,
    autoencoder: &'a Autoencoder,
    /// The same network on the average of the weights.
    average: Autoencoder,
    /// Side and channels of a latent.
    shape: (usize, usize),
    params: Params,
    held_back: Vec<usize>,
}

impl Phase for Compressing<'_> {
    type Batch = FrameBatch;

    fn plan(&self) -> Plan {
        self.phase.pace.plan("autoencoder", VALIDATE_EVERY)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, at: At) -> Result<FrameBatch, TrainError> {
        let device = &self.given.options.device;
        let (autoencoder, step) = (self.autoencoder, at.step as u64);
        let drawn = self
            .frames
            .draw(autoencoder, self.phase, self.shape, step, device);
        Ok(drawn?)
    }

    fn loss(&self, batch: FrameBatch, _: At) -> Result<Loss, TrainError> {
        let squared = self.phase.squared_weight;
        let value = reconstruction_loss(self.autoencoder, &batch, squared)?;
        Ok(Loss::new(value, self.phase.pace.batch))
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
struct Imagining<'a> {
    given: Given<'a>,
    recipe: &'a LatentRecipe,
    windows: Windows<'a>,
    imagination: Imagination,
    params: Params,
    /// The average of all weights, and the transformer on it.
    averaged: Params,
    average: Imagination,
    clips: Vec<Clip>,
}

impl Imagining<'_> {
    /// What came out so far.
    fn made(&self, progress: &Progress) -> Result<Made, TrainError> {
        let model = &self.recipe.model;
        let how = match model.objective {
            Objective::Denoise => "flow matching with x-prediction",
            Objective::Regression => "the regression twin: one evaluation, mean squared error",
        };
        let notes = format!(
            "{} frames trained on in both phases. Differs from GAIA-2 (arXiv 2503.20523): one camera, an \
             autoencoder of single frames, {} tokens a frame, a window of {} context frames that enters \
             cell by cell in place of attention over time, each with a noise level of its own; {how}; \
             moving bodies weighted {}-fold, the last part of the training on the model's own latents.",
            progress.frames,
            model.tokens(),
            model.context,
            self.recipe.dynamics.foreground_weight,
        );
        Made::new(&self.given, &self.averaged, model, Camp::Generative, notes)
    }
}

impl Phase for Imagining<'_> {
    type Batch = Examples;

    fn plan(&self) -> Plan {
        self.recipe.dynamics.pace.plan("dynamics", VALIDATE_EVERY)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, at: At) -> Result<Examples, TrainError> {
        let phase = &self.recipe.dynamics;
        let (sequences, rolls) = phase.rolling().shape(at.progress, phase.pace.batch);
        Ok(self.windows.draw(at.step as u64, sequences, rolls)?)
    }

    fn loss(&self, examples: Examples, at: At) -> Result<Loss, TrainError> {
        let mut rng = Rng::stream(self.given.seed, OWN_FRAMES + at.step as u64);
        let nfe = self.recipe.dynamics.self_rolled_nfe;
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
        let model = LatentDiffusion::new(card, &self.recipe.model, &self.averaged)?;
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
