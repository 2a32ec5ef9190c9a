//! Training: one command reads `train.ron`, trains in phases, and leaves a model folder behind.
//!
//! `config.rs` is the file's face, `clock.rs` says how far a phase is and when to stop, `checkpoint.rs` saves and
//! resumes, `curve.rs` writes the learning curve, `export.rs` the finished folder; `lewm/` and `vjepa/` train the JEPAs, `diffusion/` the
//! pixel diffusion, `latent/` the diffusion in latents, `cloning.rs` the policy that both are measured against.
//! A training of a number of steps gives the same bits on the same machine, also when it was interrupted.

mod checkpoint;
mod clock;
mod cloning;
mod config;
mod curve;
pub mod diffusion;
mod export;
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
pub use lewm::{
    JointPhase, LewmRecipe, PredictorPhase, ProposalPhase, ReadoutPhase, bench_lewm_step,
};
pub use vjepa::{ActionPhase, MaskedPhase, VjepaRecipe};

use crate::episode::{Dataset, EpisodeError};
use crate::model::ModelError;
use crate::model::nn::WeightsError;
use candle_core::Device;
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
}

/// How a training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The model folder is complete.
    Finished,
    /// Time was up; `resume` goes on.
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
    let (data, damaged) = if options.skip_damaged {
        Dataset::load_sound(dirs, config.action_dim(), config.episodes)?
    } else {
        let data = Dataset::load(dirs, config.action_dim(), config.episodes)?;
        (data, Vec::new())
    };
    for error in damaged {
        tracing::warn!("skipped: {error}");
    }
    run_on(&config, &data, options)
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
    let out = &options.out;
    std::fs::create_dir_all(out).map_err(|source| TrainError::Io {
        path: out.clone(),
        source,
    })?;
    config.save(&out.join("train.ron"))?;
    if options.readouts_only && !matches!(config.architecture, Architecture::Lewm(_)) {
        return Err(TrainError::Config {
            path: out.join("train.ron"),
            field: "architecture".into(),
            message: format!(
                "found {}, expected Lewm to fit read-outs of",
                config.architecture.id()
            ),
        });
    }
    match &config.architecture {
        Architecture::Lewm(recipe) => lewm::train(config, recipe, data, options),
        Architecture::VjepaAc(recipe) => vjepa::train(config, recipe, data, options),
        Architecture::PixelDiffusion(recipe) => diffusion::train(config, recipe, data, options),
        Architecture::LatentDiffusion(recipe) => latent::train(config, recipe, data, options),
        Architecture::Cloning(recipe) => cloning::train(config, recipe, data, options),
        Architecture::StepsToGo(recipe) => cloning::train(config, recipe, data, options),
    }
}
