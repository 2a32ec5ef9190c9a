//! Weights, their average, optimiser and place in the training, so that `--resume` goes on as if nothing had
//! happened.

use super::error::{TrainError, io};
use crate::model::nn::{AdamW, Ema, Params};
use crate::system::files;
use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const WEIGHTS: &str = "weights.safetensors";
const AVERAGE: &str = "average.safetensors";
const OPTIMISER: &str = "optimiser.safetensors";
const PROGRESS: &str = "progress.json";
/// What earlier versions wrote for diffusion models.
const FORMER: &str = "state.json";

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
    /// Frames that losses of all phases were computed over.
    pub frames: u64,
    /// Steps of the phase's optimiser: a gradient that is not finite takes none.
    pub optimiser_steps: usize,
    /// Updates of the average of the weights, where the phase has one.
    pub average_updates: usize,
}

/// The folder `checkpoint` of a training.
pub(super) struct Checkpoint {
    dir: PathBuf,
}

impl Checkpoint {
    /// The checkpoint of the training in `out`.
    pub fn new(out: &Path) -> Self {
        Self {
            dir: out.join("checkpoint"),
        }
    }

    /// Whether there is one, also of an earlier version or put aside while it was about to be replaced.
    pub fn is_in(out: &Path) -> bool {
        let places = ["checkpoint", "checkpoint.before"].map(|c| out.join(c));
        let files = [PROGRESS, FORMER];
        let is_there = |dir: &PathBuf| files.iter().any(|f| dir.join(f).is_file());
        places.iter().any(is_there)
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
        average: Option<&Ema>,
        progress: &Progress,
    ) -> Result<(), TrainError> {
        let partial = self.dir.with_extension("partial");
        let write = || {
            if partial.exists() {
                std::fs::remove_dir_all(&partial).map_err(io(&partial))?;
            }
            std::fs::create_dir_all(&partial).map_err(io(&partial))?;
            params.save(&partial.join(WEIGHTS), DType::F32)?;
            optimiser.save(&partial.join(OPTIMISER))?;
            if let Some(average) = average {
                average.params().save(&partial.join(AVERAGE), DType::F32)?;
            }
            let text =
                serde_json::to_string_pretty(progress).map_err(|e| io(&partial)(e.into()))?;
            files::replace(&partial.join(PROGRESS), text.as_bytes()).map_err(io(&partial))?;
            files::replace_folder(&partial, &self.dir).map_err(io(&self.dir))
        };
        let saved = write();
        if saved.is_err() {
            let _ = std::fs::remove_dir_all(&partial);
        }
        saved
    }

    /// Where the saved training stands; `None` if there is none.
    ///
    /// # Errors
    /// [`TrainError::Config`] if it is damaged or of an earlier version.
    pub fn progress(&self) -> Result<Option<Progress>, TrainError> {
        let path = self.dir.join(PROGRESS);
        let invalid = |message: String| TrainError::Config {
            path: path.clone(),
            field: "progress".into(),
            message,
        };
        match files::text(&path) {
            Ok(text) => serde_json::from_str(&text).map(Some).map_err(|e| {
                let what = "an earlier version wrote it, or it is damaged";
                invalid(format!("{e}; {what}; --overwrite begins anew"))
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                match self.dir.join(FORMER).is_file() {
                    true => Err(invalid(
                        "an earlier version wrote this checkpoint; --overwrite begins anew".into(),
                    )),
                    false => Ok(None),
                }
            }
            Err(source) => Err(TrainError::Io { path, source }),
        }
    }

    /// The saved weights.
    ///
    /// # Errors
    /// [`TrainError::Weights`] naming the tensor.
    pub fn weights(&self, device: &Device) -> Result<Params, TrainError> {
        Ok(Params::load(&self.dir.join(WEIGHTS), device)?)
    }

    /// Gives an optimiser and an average of the same variables what they held.
    ///
    /// # Errors
    /// [`TrainError::Weights`] or [`TrainError::Tensor`].
    pub fn restore(
        &self,
        optimiser: &mut AdamW,
        average: Option<&mut Ema>,
        progress: &Progress,
        device: &Device,
    ) -> Result<(), TrainError> {
        let read = |name| Params::load(&self.dir.join(name), device);
        optimiser.restore(progress.optimiser_steps, &read(OPTIMISER)?)?;
        if let Some(average) = average {
            average.restore(progress.average_updates, &read(AVERAGE)?)?;
        }
        Ok(())
    }
}
