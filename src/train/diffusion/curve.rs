//! The learning curve, a JSON object a line.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::model::ModelError;

/// One JSON object a line.
pub(super) struct Curve {
    path: PathBuf,
    file: std::fs::File,
}

impl Curve {
    pub fn open(path: &Path, append: bool) -> Result<Self, ModelError> {
        let mut how = std::fs::OpenOptions::new();
        how.create(true)
            .write(true)
            .append(append)
            .truncate(!append);
        let file = how.open(path).map_err(|source| ModelError::Io {
            path: path.into(),
            source,
        })?;
        Ok(Self {
            path: path.into(),
            file,
        })
    }

    pub fn line(&mut self, value: &serde_json::Value) -> Result<(), ModelError> {
        tracing::info!("{value}");
        writeln!(self.file, "{value}").map_err(|source| ModelError::Io {
            path: self.path.clone(),
            source,
        })
    }
}
