//! The door: what a `train.ron` describes is checked, trained and put in its place.

use super::config::TrainConfig;
use super::data::experience::load;
use super::data::fit;
use super::error::{TrainError, io};
use super::export::export;
use super::folder::Folder;
use super::identity::Identity;
use super::options::{Outcome, TrainOptions};
use super::run::{Given, Session};
use crate::episode::Dataset;
use crate::model::{ModelError, Stage, fingerprint};
use crate::system::files;
use candle_core::Device;
use std::path::Path;

/// Trains what `config_path` describes into `options.out`.
///
/// # Errors
/// [`TrainError`] naming the file and field at fault.
pub fn run(config_path: &Path, options: &TrainOptions) -> Result<Outcome, TrainError> {
    let words = files::text(config_path).map_err(io(config_path))?;
    let config = TrainConfig::parse(&words, config_path)?;
    let dirs = match options.data.is_empty() {
        true => &config.data,
        false => &options.data,
    };
    let data = load(dirs, config.action_dim(), config.episodes, options)?;
    if options.stop.is_raised() {
        return Ok(Outcome::Paused);
    }
    train(&config, Some(&words), &data, options)
}

/// As [`run`], on experience in memory.
///
/// # Errors
/// [`TrainError`] naming the file and field at fault.
pub fn run_on(
    config: &TrainConfig,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    let checked = config.check();
    checked.map_err(|(field, message)| TrainError::misfit(field, message))?;
    train(config, None, data, options)
}

/// Everything that can be known to be wrong is said before anything is written.
fn train(
    config: &TrainConfig,
    words: Option<&str>,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    let (recipe, architecture) = (config.architecture.recipe(), config.architecture.id());
    if options.readouts_only && !recipe.has_readouts() {
        let message = format!("found {architecture}, expected Lewm to fit read-outs of");
        return Err(TrainError::misfit("architecture", message));
    }
    fit::any(data)?;
    let stages = match recipe.start() {
        Some(folder) => Stage::chain(folder)?,
        None => Vec::new(),
    };
    let given = Given {
        stages: &stages,
        name: &config.name,
        architecture,
        summary: &config.summary,
        seed: config.seed,
        validation_share: config.validation_share,
        data,
        options,
    };
    recipe.check_fit(&given)?;
    let folder = Folder::open(
        (config, words),
        &Identity::new(config, data, &stages),
        options,
    )?;
    let options = &TrainOptions {
        out: folder.work.clone(),
        ..options.clone()
    };
    let work = || {
        let mut session = Session::open(Given { options, ..given })?;
        if options.readouts_only {
            return recipe.fit_readouts(&mut session);
        }
        let made = recipe.train(&mut session)?;
        session.progress.seconds = session.seconds();
        export(&session.given, &session.progress, &made)
    };
    match work() {
        Ok(()) => {
            // A model whose scenes are not in the library is complete without it.
            if let Err(error) = fingerprint::write(&folder.work, &Device::Cpu) {
                tracing::warn!("its card says nothing of how it behaves: {error}");
            }
            folder.finish()?;
            Ok(Outcome::Finished)
        }
        // What was done since the last checkpoint is done again.
        Err(TrainError::Stopped | TrainError::Model(ModelError::Cancelled)) => {
            folder.abandon();
            Ok(Outcome::Paused)
        }
        Err(error) => {
            folder.abandon();
            Err(error)
        }
    }
}
