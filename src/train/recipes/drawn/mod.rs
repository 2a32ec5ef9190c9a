//! How the decoder of a [`DrawnLewm`](crate::model::hybrid::DrawnLewm) is trained: LeWM stays as it is, every
//! frame is encoded once, and the decoder learns to draw what LeWM *imagines* (not what it sees), so that it
//! knows how far to trust a latent many steps ahead.
//!
//! `recipe.rs` is the part of `train.ron`, `batch.rs` prepares examples.

mod batch;
mod recipe;

pub use batch::{Batch, Futures, loss};
pub use recipe::{DrawnRecipe, DrawnTraining};

use crate::model::generative::Denoiser;
use crate::model::hybrid::{DrawnConfig, DrawnLewm, Painter};
use crate::model::jepa::{LewmConfig, LewmModel};
use crate::model::nn::{Ema, Params};
use crate::model::{Camp, Card, folder};
use crate::train::bounds::Fault;
use crate::train::checkpoint::Progress;
use crate::train::data::fit as suits;
use crate::train::data::measure::measure;
use crate::train::data::sheet::Clip;
use crate::train::data::stored::Stored;
use crate::train::data::validate::{clips, measured};
use crate::train::error::TrainError;
use crate::train::export::{Made, export, unfinished};
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use candle_core::Var;
use serde_json::json;
use std::path::Path;

/// Steps between validations.
const VALIDATE_EVERY: usize = 2000;
/// Episodes that are encoded in one go.
const GROUP: usize = 8;

impl DrawnRecipe {
    /// The network, with the LeWM that lies in the folder.
    fn network(&self) -> Result<DrawnConfig, TrainError> {
        let found = Card::load(&self.lewm)?.architecture;
        if found != "lewm" {
            return Err(TrainError::Config {
                path: self.lewm.join("card.ron"),
                field: "architecture".into(),
                message: format!("found {found}, expected lewm to draw the latents of"),
            });
        }
        let config = DrawnConfig {
            lewm: folder::network::<LewmConfig>(&self.lewm)?,
            denoiser: self.denoiser.clone(),
        };
        let checked = config.check();
        checked.map_err(|(field, message)| TrainError::misfit(field, message))?;
        Ok(config)
    }
}

impl Recipe for DrawnRecipe {
    fn check(&self) -> Result<(), Fault> {
        DrawnRecipe::check(self)
    }

    /// Of experience with fewer components the LeWM's are padded: all that it can take.
    fn action_dim(&self) -> usize {
        folder::network::<LewmConfig>(&self.lewm).map_or(16, |config| config.action_dim)
    }

    fn start(&self) -> Option<&Path> {
        Some(&self.lewm)
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let (data, config) = (given.data, self.network()?);
        suits::side(data, "denoiser.size", config.denoiser.size)?;
        if data.action_dim != config.lewm.action_dim {
            let (found, expected) = (data.action_dim, config.lewm.action_dim);
            let message = format!("found {found} components of an action, expected {expected}");
            return Err(TrainError::misfit("data", message));
        }
        let (train, _) = data.split_episodes(given.validation_share);
        suits::long_enough(data, &train, ("data", "training"), 2, 1)?;
        let card = unfinished(given, 0);
        suits::file_size(|params| {
            let all = LewmModel::from_params(card.clone(), &config.lewm, params, None);
            all.map(|_| ())?;
            Painter::new(&config, params.pp("painter"))?;
            Denoiser::new(&config.denoiser, params.pp("denoiser")).map(|_| ())
        })
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        let (given, data) = (session.given, session.data);
        let mut recipe = self.clone();
        if recipe.denoiser.sigma_data == 0.0 {
            measure(data, &mut recipe.denoiser);
        }
        let config = recipe.network()?;
        if session.is_fresh() {
            let path = recipe.lewm.join(folder::WEIGHTS);
            session.params = Params::load(&path, session.device())?.drawing_missing(given.seed);
        }
        let params = session.params.clone();
        let card = unfinished(&given, session.progress.total_steps);
        let lewm = LewmModel::from_params(card, &config.lewm, &params, None)?;
        let painter = Painter::new(&config, params.pp("painter"))?;
        let denoiser = Denoiser::new(&config.denoiser, params.pp("denoiser"))?;
        let mut average = Ema::new(&params, recipe.training.pace.ema)?;
        let averaged = average.params().clone();
        let train = &session.train_episodes;
        let (networks, shape) = (lewm.predictor().lewm(), (config.lewm.latent_dim, GROUP));
        let encode = |bytes: &[u8]| networks.encode_frames(bytes)?.flatten_all()?.to_vec1();
        let latents = Stored::encode(data, train, shape, &session.clock, encode)?;
        let (seed, device) = (given.seed, session.device());
        let drawing = Drawing {
            futures: Futures::new(data, (train, &latents), &recipe, networks, seed, device)?,
            clips: clips(data, &session.validation_episodes, 12, 10),
            config: &config,
            recipe: &recipe,
            lewm: &lewm,
            painter,
            denoiser,
            params,
            averaged,
            given,
        };
        session.run(&drawing, Some(&mut average))?;
        drawing.made(&session.progress)
    }
}

/// The only phase: what it draws and learns.
struct Drawing<'a> {
    given: Given<'a>,
    recipe: &'a DrawnRecipe,
    config: &'a DrawnConfig,
    lewm: &'a LewmModel,
    painter: Painter,
    denoiser: Denoiser,
    params: Params,
    /// The average of all weights.
    averaged: Params,
    futures: Futures<'a>,
    clips: Vec<Clip>,
}

impl Drawing<'_> {
    /// What came out so far.
    fn made(&self, progress: &Progress) -> Result<Made, TrainError> {
        let notes = format!(
            "{} frames drawn. A finished LeWM (arXiv 2603.19312), whose weights stayed as they were; a \
             diffusion decoder (EDM, arXiv 2206.00364) draws each latent that it imagines, up to {} steps \
             ahead, beside the last observation; moving bodies weighted {}-fold; no drawn frame is fed back.",
            progress.frames, self.recipe.training.steps, self.recipe.training.foreground_weight,
        );
        let parts = ["encoder", "predictor", "painter", "denoiser"];
        let made = Made::new(
            &self.given,
            &self.averaged,
            self.config,
            Camp::Hybrid,
            notes,
        )?;
        Ok(made.of_parts(&parts))
    }
}

impl Phase for Drawing<'_> {
    type Batch = Batch;

    fn plan(&self) -> Plan {
        self.recipe.training.pace.plan("drawing", VALIDATE_EVERY)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        let parts = ["painter", "denoiser"].map(|part| self.params.pp(part).vars());
        parts.concat()
    }

    fn draw(&self, at: At) -> Result<Batch, TrainError> {
        Ok(self.futures.draw(at.step as u64)?)
    }

    fn loss(&self, batch: Batch, _: At) -> Result<Loss, TrainError> {
        let lewm = self.lewm.predictor().lewm();
        let imagined = lewm.roll_out(&batch.start, &batch.actions, None)?.detach();
        let rows = imagined.reshape(((), self.config.lewm.latent_dim))?;
        let latents = rows.index_select(&batch.picks, 0)?;
        let value = loss((&self.painter, &self.denoiser), &latents, &batch)?;
        Ok(Loss::new(value, batch.picks.dim(0)?))
    }

    fn measure(&self, progress: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        if progress.step == 0 {
            return Ok(None);
        }
        let card = unfinished(&self.given, progress.total_steps);
        let model = DrawnLewm::new(card, self.config, &self.averaged)?;
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
