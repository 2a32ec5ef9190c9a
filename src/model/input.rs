//! What every model asks of its folder and its inputs.

use std::path::Path;

use super::error::without_backtrace;
use super::nn::{Params, WeightsError};
use super::{ModelError, folder};
use candle_core::Device;

/// The file's part `what` makes no sense.
pub(crate) fn invalid(path: &Path, what: &str, message: impl std::fmt::Display) -> ModelError {
    let message = without_backtrace(&message.to_string());
    // What names the file itself need not have it named twice.
    let own = format!("{}: ", path.display());
    ModelError::Invalid {
        path: path.into(),
        what: what.into(),
        message: message.strip_prefix(&own).unwrap_or(&message).into(),
    }
}

/// The first size that is 0, or above its bound.
///
/// # Errors
/// The field, and what was found and expected.
pub(crate) fn check_sizes(
    positive: &[(&'static str, usize)],
    bounded: &[(&'static str, usize, usize)],
) -> Result<(), (&'static str, String)> {
    if let Some((field, _)) = positive.iter().find(|(_, n)| *n == 0) {
        return Err((field, "found 0, expected at least 1".into()));
    }
    match bounded.iter().find(|(_, n, most)| n > most) {
        Some((field, n, most)) => Err((field, format!("found {n}, expected at most {most}"))),
        None => Ok(()),
    }
}

/// Builds a model of the weights in a folder.
///
/// # Errors
/// [`ModelError`] naming the file and what does not fit.
pub(crate) fn load<M, E: std::fmt::Display>(
    dir: &Path,
    device: &Device,
    build: impl FnOnce(&Params) -> Result<M, E>,
) -> Result<M, ModelError> {
    let path = dir.join(folder::WEIGHTS);
    let params = folder::weights(dir, device).map_err(|e| match e {
        WeightsError::Io { path, source } => ModelError::Io { path, source },
        other => invalid(&path, "weights", other),
    })?;
    build(&params).map_err(|e| invalid(&path, "model", e))
}

/// That a frame `[H, W, 3]` given to `model` as `what`, of side `size`, is of the side that it takes.
pub(crate) fn check_frame(
    model: &str,
    what: &str,
    (size, frame): (usize, &[u8]),
    side: usize,
) -> Result<(), ModelError> {
    let bytes = 3 * side * side;
    if size == side && frame.len() == bytes {
        return Ok(());
    }
    Err(ModelError::Input {
        model: model.into(),
        message: format!(
            "{what}: found a frame of side {size} and {} bytes, expected side {side} and {bytes} bytes",
            frame.len()
        ),
    })
}
