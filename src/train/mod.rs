//! Training: one command reads `train.ron`, trains in phases, and leaves a model folder behind.
//!
//! `config.rs` is the file's face, `bounds.rs` says which numbers make sense in it, `fit.rs` whether
//! experience is enough for all phases, `folder.rs` keeps what stands in a model folder, `clock.rs` says how
//! far a phase is and when to stop, `checkpoint.rs` saves and
//! resumes, `curve.rs` writes the learning curve, `export.rs` the finished folder; `lewm/` and `vjepa/` train the JEPAs, `diffusion/` the
//! pixel diffusion, `latent/` the diffusion in latents, `cloning.rs` the policy that both are measured against.
//! A training of a number of steps gives the same bits on the same machine, also when it was interrupted.

mod bounds;
mod checkpoint;
mod clock;
mod cloning;
mod config;
mod curve;
pub mod diffusion;
mod export;
mod fit;
mod folder;
mod identity;
pub mod latent;
mod lewm;
pub mod probing;
mod session;
mod vjepa;

pub use checkpoint::{Checkpoint, Progress};
pub use clock::{Clock, Length};
pub use cloning::CloningRecipe;
pub use config::{Architecture, TrainConfig};
pub use curve::Curve;
use export::weights_to;
pub use export::{Export, export};
pub use folder::has_checkpoint;
pub use lewm::{
    JointPhase, LewmRecipe, PredictorPhase, ProposalPhase, ReadoutPhase, bench_lewm_step,
};
pub use vjepa::{ActionPhase, MaskedPhase, VjepaRecipe};

use crate::episode::{Dataset, EpisodeError};
use crate::model::nn::WeightsError;
use crate::model::{ModelError, fingerprint};
use crate::system::{LockError, Stop};
use candle_core::Device;
use folder::Folder;
use identity::Identity;
use std::path::{Path, PathBuf};

/// Why a training could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A field of `train.ron`, or of a checkpoint, makes no sense.
    #[error("{path}: {field}: {message}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// The field, or line and column.
        field: String,
        /// Found and expected.
        message: String,
    },
    /// The experience is missing, damaged or held out.
    #[error(transparent)]
    Data(#[from] EpisodeError),
    /// Recipe and experience do not fit.
    #[error("{field}: {message}")]
    Misfit {
        /// The field of `train.ron`.
        field: String,
        /// Found and expected.
        message: String,
    },
    /// Something stands in the folder that must not be lost by accident.
    #[error("{dir}: {what}", dir = dir.display())]
    Stands {
        /// The folder.
        dir: PathBuf,
        /// What stands there, and what can be done.
        what: &'static str,
    },
    /// Somebody else works in the folder, or nobody can.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Somebody asked for an end between two checkpoints.
    #[error("stopped")]
    Stopped,
    /// There is less experience than a batch needs.
    #[error("{field}: found {found}, expected {expected}")]
    TooLittle {
        /// What there is too little of.
        field: &'static str,
        /// How much there is.
        found: usize,
        /// How much there should be.
        expected: usize,
    },
    /// Weights could not be read or written.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The card could not be written.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The tensor library failed.
    #[error("tensor computation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// Loss or gradient is no longer finite.
    #[error("{phase}: the gradient norm is {norm} at step {step}; lower the learning rate")]
    Diverged {
        /// Phase of the training.
        phase: &'static str,
        /// Step in it.
        step: usize,
        /// The norm.
        norm: f64,
    },
}

/// How to run a training.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// Where to compute.
    pub device: Device,
    /// Stop in time, with a checkpoint to go on from.
    pub minutes: Option<f64>,
    /// Go on from the checkpoint in `out`, if there is one.
    pub resume: bool,
    /// The model folder to fill.
    pub out: PathBuf,
    /// Folders of experience in place of the configuration's.
    pub data: Vec<PathBuf>,
    /// Name damaged shards and train without them, rather than fail.
    pub skip_damaged: bool,
    /// Of a finished model in `out`, fit only the read-outs and the action prior anew (LeWM).
    pub readouts_only: bool,
    /// Put the new model in the place of a finished one in `out` once it is complete, or begin an unfinished
    /// training anew.
    pub overwrite: bool,
    /// Ends the training with a checkpoint once it is raised.
    pub stop: Stop,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            minutes: None,
            resume: false,
            out: PathBuf::new(),
            data: Vec::new(),
            skip_damaged: false,
            readouts_only: false,
            overwrite: false,
            stop: Stop::new(),
        }
    }
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The model folder is complete.
    Finished,
    /// Time was up, or somebody asked for an end; `resume` goes on.
    Paused,
}

/// Trains what `config_path` describes into `options.out`.
///
/// # Errors
/// [`TrainError`] naming the file and field at fault.
pub fn run(config_path: &Path, options: &TrainOptions) -> Result<Outcome, TrainError> {
    let config = TrainConfig::load(config_path)?;
    let dirs = if options.data.is_empty() {
        &config.data
    } else {
        &options.data
    };
    let data = load(dirs, config.action_dim(), config.episodes, options)?;
    if options.stop.is_raised() {
        return Ok(Outcome::Paused);
    }
    run_on(&config, &data, options)
}

/// Reads experience, and says what of it is missing or left out.
fn load(
    dirs: &[PathBuf],
    action_dim: usize,
    episodes: Option<usize>,
    options: &TrainOptions,
) -> Result<Dataset, TrainError> {
    let (data, damaged) = match options.skip_damaged {
        true => Dataset::load_sound(dirs, action_dim, episodes)?,
        false => (Dataset::load(dirs, action_dim, episodes)?, Vec::new()),
    };
    for missing in &data.missing {
        tracing::warn!("{missing}; training goes on with the others");
    }
    for error in damaged {
        if !matches!(error, EpisodeError::Missing(_)) {
            tracing::warn!("skipped: {error}");
        }
    }
    Ok(data)
}

/// As [`run`], on experience in memory. Everything that can be known to be wrong is said before anything is
/// written.
///
/// # Errors
/// [`TrainError`] naming the file and field at fault.
pub fn run_on(
    config: &TrainConfig,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    config
        .check()
        .map_err(|(field, message)| TrainError::Misfit { field, message })?;
    if options.readouts_only && !matches!(config.architecture, Architecture::Lewm(_)) {
        return Err(fit::misfit(
            "architecture",
            format!(
                "found {}, expected Lewm to fit read-outs of",
                config.architecture.id()
            ),
        ));
    }
    fit::any(data)?;
    match &config.architecture {
        Architecture::Lewm(recipe) => lewm::check_fit(config, recipe, data)?,
        Architecture::VjepaAc(recipe) => vjepa::check_fit(config, recipe, data, options)?,
        Architecture::PixelDiffusion(recipe) => diffusion::check_fit(config, recipe, data)?,
        Architecture::LatentDiffusion(recipe) => latent::check_fit(config, recipe, data)?,
        Architecture::Cloning(recipe) | Architecture::StepsToGo(recipe) => {
            cloning::check_fit(config, recipe, data)?;
        }
    }
    let folder = Folder::open(config, &Identity::new(config, data), options)?;
    let options = &TrainOptions {
        out: folder.work.clone(),
        ..options.clone()
    };
    let outcome = match &config.architecture {
        Architecture::Lewm(recipe) => lewm::train(config, recipe, data, options),
        Architecture::VjepaAc(recipe) => vjepa::train(config, recipe, data, options),
        Architecture::PixelDiffusion(recipe) => diffusion::train(config, recipe, data, options),
        Architecture::LatentDiffusion(recipe) => latent::train(config, recipe, data, options),
        Architecture::Cloning(recipe) => cloning::train(config, recipe, data, options),
        Architecture::StepsToGo(recipe) => cloning::train(config, recipe, data, options),
    };
    match outcome {
        Ok(Outcome::Finished) => {
            // A model whose scenes are not in the library is complete without it.
            if let Err(error) = fingerprint::write(&folder.work, &Device::Cpu) {
                tracing::warn!("its card says nothing of how it behaves: {error}");
            }
            folder.finish()?;
            Ok(Outcome::Finished)
        }
        Ok(Outcome::Paused) => Ok(Outcome::Paused),
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
