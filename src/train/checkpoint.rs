//! Weights, optimiser and place in the training, so that `--resume` goes on as if nothing had happened.

use super::{TrainConfig, TrainError};
use crate::model::nn::{AdamW, Params, WeightsError};
use crate::system::files;
use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Where a training stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Index of the phase.
    pub phase: usize,
    /// Steps taken in it.
    pub step: usize,
    /// Seconds spent in it.
    pub phase_seconds: f64,
    /// Seconds spent in all.
    pub seconds: f64,
    /// Steps taken in all phases.
    pub total_steps: u64,
    /// SHA-256 of the configuration: another one cannot go on from here.
    pub config: String,
}

/// The folder `checkpoint` of a training.
pub struct Checkpoint {
    dir: PathBuf,
    config: String,
}

impl Checkpoint {
    /// The checkpoint of the training in `out`.
    ///
    /// # Errors
    /// [`TrainError::Config`] if the configuration cannot be written as text.
    pub fn new(out: &Path, config: &TrainConfig) -> Result<Self, TrainError> {
        let text = config.text(out)?;
        let digest = Sha256::digest(text.as_bytes());
        let dir = out.join("checkpoint");
        files::recover_folder(&dir).map_err(|source| TrainError::Io {
            path: dir.clone(),
            source,
        })?;
        Ok(Self {
            dir,
            config: digest.iter().map(|b| format!("{b:02x}")).collect(),
        })
    }

    /// Writes everything into a new folder, then puts it in place of the old. After a failure (a full disk)
    /// the old one stands, and nothing is left of the new one.
    ///
    /// # Errors
    /// [`TrainError::Io`] or [`TrainError::Weights`].
    pub fn save(
        &self,
        params: &Params,
        optimiser: &AdamW,
        progress: &Progress,
    ) -> Result<(), TrainError> {
        let partial = self.dir.with_extension("partial");
        let saved = self.save_by_way_of(&partial, params, optimiser, progress);
        if saved.is_err() {
            let _ = std::fs::remove_dir_all(&partial);
        }
        saved
    }

    fn save_by_way_of(
        &self,
        partial: &Path,
        params: &Params,
        optimiser: &AdamW,
        progress: &Progress,
    ) -> Result<(), TrainError> {
        let io = |source| TrainError::Io {
            path: partial.into(),
            source,
        };
        if partial.exists() {
            std::fs::remove_dir_all(partial).map_err(io)?;
        }
        std::fs::create_dir_all(partial).map_err(io)?;
        params.save(&partial.join("weights.safetensors"), DType::F32)?;
        optimiser.save(&partial.join("optimiser.safetensors"))?;
        let progress = Progress {
            config: self.config.clone(),
            ..progress.clone()
        };
        let text = serde_json::to_string_pretty(&(progress, optimiser.steps()))
            .map_err(|e| io(e.into()))?;
        files::replace(&partial.join("progress.json"), text.as_bytes()).map_err(io)?;
        files::replace_folder(partial, &self.dir).map_err(io)
    }

    /// Place and optimiser step of the saved training; `None` if there is none.
    ///
    /// # Errors
    /// [`TrainError::Config`] if it is damaged or belongs to another configuration.
    pub fn progress(&self) -> Result<Option<(Progress, usize)>, TrainError> {
        let path = self.dir.join("progress.json");
        let text = match crate::system::files::text(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::Io { path, source }),
        };
        let invalid = |field: &str, message: String| TrainError::Config {
            path: path.clone(),
            field: field.into(),
            message,
        };
        let (progress, steps): (Progress, usize) =
            serde_json::from_str(&text).map_err(|e| invalid("progress", e.to_string()))?;
        if progress.config != self.config {
            return Err(invalid(
                "config",
                "this checkpoint belongs to another train.ron".into(),
            ));
        }
        Ok(Some((progress, steps)))
    }

    /// The saved weights.
    ///
    /// # Errors
    /// [`WeightsError`] naming the tensor.
    pub fn weights(&self, device: &Device) -> Result<Params, WeightsError> {
        Params::load(&self.dir.join("weights.safetensors"), device)
    }

    /// Puts the saved moments into an optimiser of the same variables.
    ///
    /// # Errors
    /// [`TrainError::Weights`] or [`TrainError::Tensor`].
    pub fn restore(
        &self,
        optimiser: &mut AdamW,
        steps: usize,
        device: &Device,
    ) -> Result<(), TrainError> {
        let state = Params::load(&self.dir.join("optimiser.safetensors"), device)?;
        Ok(optimiser.restore(steps, &state)?)
    }
}
