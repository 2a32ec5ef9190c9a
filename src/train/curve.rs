//! The learning curve: one JSON object a line in `curve.jsonl`, and the same in the log.

use super::error::{TrainError, io};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Appends to `curve.jsonl`.
pub struct Curve {
    path: PathBuf,
    file: File,
}

impl Curve {
    /// Opens the file in `out`; a training that starts afresh empties it.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn open(out: &Path, resume: bool) -> Result<Self, TrainError> {
        let path = out.join("curve.jsonl");
        let mut options = File::options();
        options.create(true);
        if resume {
            options.append(true);
        } else {
            options.write(true).truncate(true);
        }
        let file = options.open(&path).map_err(io(&path))?;
        Ok(Self { path, file })
    }

    /// Writes one line.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn write(&mut self, line: &serde_json::Value) -> Result<(), TrainError> {
        tracing::info!("{line}");
        writeln!(self.file, "{line}").map_err(io(&self.path))
    }
}

/// Rounded for reading: four significant digits.
pub(super) fn short(value: f64) -> serde_json::Value {
    if !value.is_finite() {
        return serde_json::Value::String(value.to_string());
    }
    format!("{value:.3e}")
        .parse::<f64>()
        .map_or(serde_json::Value::Null, |v| serde_json::json!(v))
}
