//! How pixel diffusion ([`crate::model::generative::PixelDiffusion`]) is trained: one phase, whose last part
//! learns from the model's own frames.
//!
//! `recipe.rs` is the part of `train.ron`, `batch.rs` prepares examples and has the loss, `start.rs` begins
//! with the weights of a finished model.

mod batch;
mod recipe;
mod start;

pub use batch::{Batch, Batches, Request, Stage, loss};
pub use recipe::{DiffusionRecipe, DiffusionTraining};
pub use start::start_from;

use crate::model::generative::{Denoiser, PixelDiffusion, PixelDiffusionConfig};
use crate::model::nn::{Ema, Params, Rng};
use crate::model::{Camp, Cancel, ModelError};
use crate::train::bounds::Fault;
use crate::train::checkpoint::Progress;
use crate::train::data::fit as suits;
use crate::train::data::measure::measure;
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
use start::scale_of;
use std::path::Path;

/// Steps between validations.
const VALIDATE_EVERY: usize = 2000;

impl Recipe for DiffusionRecipe {
    fn check(&self) -> Result<(), Fault> {
        DiffusionRecipe::check(self)
    }

    fn action_dim(&self) -> usize {
        self.model.action_dim
    }

    fn start(&self) -> Option<&Path> {
        self.training.start.as_deref()
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let data = given.data;
        suits::side(data, "model.size", self.model.size)?;
        let (train, _) = data.split_episodes(given.validation_share);
        suits::long_enough(data, &train, ("data", "training"), 2, 1)?;
        suits::file_size(|params| Denoiser::new(&self.model, params.clone()).map(|_| ()))
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        let (given, data, device) = (session.given, session.data, session.device());
        let mut recipe = self.clone();
        if recipe.model.sigma_data == 0.0 {
            measure(data, &mut recipe.model);
            if let Some(folder) = &recipe.training.start {
                scale_of(folder, &mut recipe.model)?;
            }
        }
        let checked = recipe.check();
        checked.map_err(|(field, message)| TrainError::misfit(field, message))?;
        if let Some(folder) = recipe
            .training
            .start
            .as_ref()
            .filter(|_| session.is_fresh())
        {
            session.params = start_from(folder, &recipe.model, device)?;
        }
        let params = session.params.clone();
        let denoiser = Denoiser::new(&recipe.model, params.clone())?;
        let mut average = Ema::new(&params, recipe.training.ema)?;
        let averaged = average.params().clone();
        let batches = Batches::new(data, &session.train_episodes, &recipe, given.seed, device)?;
        let denoising = Denoising {
            average: Denoiser::new(&recipe.model, averaged.detached())?,
            recipe: &recipe,
            given,
            denoiser,
            params,
            averaged,
            batches,
            clips: clips(data, &session.validation_episodes, 12, 10),
        };
        session.run(&denoising, Some(&mut average))?;
        denoising.made(&session.progress)
    }
}

/// The only phase: what it draws and learns.
struct Denoising<'a> {
    given: Given<'a>,
    recipe: &'a DiffusionRecipe,
    denoiser: Denoiser,
    params: Params,
    /// The average of the weights, and the network on it.
    averaged: Params,
    average: Denoiser,
    batches: Batches<'a>,
    clips: Vec<Clip>,
}

impl Denoising<'_> {
    /// What came out so far.
    fn made(&self, progress: &Progress) -> Result<Made, TrainError> {
        let notes = format!(
            "{} frames trained on. Differs from DIAMOND (arXiv 2405.12399): frames folded {p}x{p} into \
             channels, two levels instead of four, self-attention at the inner one, moving bodies weighted \
             {}-fold, context noised at a known level, the last part of the training on the model's own \
             frames, no reward or termination head.",
            progress.frames,
            self.recipe.training.foreground_weight,
            p = self.recipe.model.patch
        );
        let model = &self.recipe.model;
        Made::new(&self.given, &self.averaged, model, Camp::Generative, notes)
    }

    fn config(&self) -> &PixelDiffusionConfig {
        &self.recipe.model
    }
}

impl Phase for Denoising<'_> {
    type Batch = Batch;

    fn plan(&self) -> Plan {
        self.recipe.training.pace().plan("pixel", VALIDATE_EVERY)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, at: At) -> Result<Batch, TrainError> {
        let training = &self.recipe.training;
        let (sequences, rolls) = training.rolling().shape(at.progress, training.batch);
        Ok(self.batches.draw(Request {
            step: at.step as u64,
            sequences,
            rolls,
        })?)
    }

    fn loss(&self, batch: Batch, at: At) -> Result<Loss, TrainError> {
        let mut rng = Rng::stream(self.given.seed, OWN_FRAMES + at.step as u64);
        let nfe = self.recipe.training.self_rolled_nfe;
        let value = loss(&self.denoiser, &batch, |context, actions| {
            own_frame(&self.average, context, actions, nfe, &mut rng)
        })?;
        Ok(Loss {
            facts: line(json!({ "rolls": batch.stages.len() })),
            ..Loss::new(value, batch.context.dim(0)? * batch.stages.len())
        })
    }

    fn measure(&self, progress: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        if progress.step == 0 {
            return Ok(None);
        }
        let card = unfinished(&self.given, progress.total_steps);
        let model = PixelDiffusion::new(card, self.config(), &self.averaged)?;
        let out = &self.given.options.out;
        let found = measured(&model, self.given.data, &self.clips, 2, out)?;
        Ok(Some(line(
            json!({ "frames": progress.frames, "validation": found }),
        )))
    }

    /// The model folder is written along: what is there is always whole and can be used.
    fn kept(&self, progress: &Progress) -> Result<(), TrainError> {
        export(&self.given, progress, &self.made(progress)?)
    }
}

/// The frame that the averaged model imagines after `context`, as it would be read back from bytes.
fn own_frame(
    average: &Denoiser,
    context: &Tensor,
    actions: &Tensor,
    nfe: usize,
    rng: &mut Rng,
) -> Result<Tensor, ModelError> {
    let device = context.device();
    let start = average.start(context.dim(0)?, false, rng, device)?;
    let conditions = average.conditions(context.clone(), actions.clone(), false, rng)?;
    let frame = average.sample(&start, &conditions, nfe, &Cancel::new())?;
    let mut values = frame.flatten_all()?.to_vec1::<f32>()?;
    average.patches().quantise(&mut values);
    Ok(Tensor::from_vec(values, frame.shape(), device)?)
}
