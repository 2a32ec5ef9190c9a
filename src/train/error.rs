//! Why a training could not start or go on.

use crate::episode::EpisodeError;
use crate::model::ModelError;
use crate::model::nn::WeightsError;
use crate::system::LockError;
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
    /// Somebody asked for an end, or time is up. What lies in the checkpoint is kept.
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

impl TrainError {
    /// None of what a batch needs at least one of.
    pub(super) fn none_of(field: &'static str) -> Self {
        Self::TooLittle {
            field,
            found: 0,
            expected: 1,
        }
    }

    /// A fault of a field of `train.ron`.
    pub(super) fn misfit(field: impl Into<String>, message: String) -> Self {
        Self::Misfit {
            field: field.into(),
            message,
        }
    }
}

/// The error of a file, for `map_err`.
pub(super) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
    let path = path.to_path_buf();
    move |source| TrainError::Io { path, source }
}
