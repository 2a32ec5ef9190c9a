//! What can go wrong with a model.

use std::path::PathBuf;

/// Why a model could not be loaded or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read but is not what it should be.
    #[error("{path}: {what}: {message}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The field or tensor.
        what: String,
        /// Found and expected.
        message: String,
    },
    /// An input does not fit the model, or the model cannot do what it is asked for.
    #[error("model `{model}`: {message}")]
    Input {
        /// The model.
        model: String,
        /// Found and expected.
        message: String,
    },
    /// The tensor library failed.
    #[error("tensor computation failed: {}", without_backtrace(&.0.to_string()))]
    Tensor(#[from] candle_core::Error),
    /// The ground truth failed (oracle only).
    #[error(transparent)]
    Sim(#[from] crate::sim::SimError),
    /// The work was cancelled because newer work replaced it.
    #[error("cancelled")]
    Cancelled,
}

impl ModelError {
    /// An input that `model` cannot take, or an ability that it lacks.
    pub fn input(model: &str, message: impl Into<String>) -> Self {
        Self::Input {
            model: model.into(),
            message: message.into(),
        }
    }
}

/// What an error of the tensor library says, without the backtrace that it carries where `RUST_BACKTRACE` is
/// set.
pub(super) fn without_backtrace(text: &str) -> String {
    let lines = text.lines();
    let said = lines.take_while(|line| !line.trim_start().starts_with("0: "));
    said.collect::<Vec<_>>().join("\n").trim_end().to_string()
}
