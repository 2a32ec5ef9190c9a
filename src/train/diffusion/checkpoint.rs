//! Where a training stands, on disk: weights, their average, the optimiser's moments, counters.
//!
//! Files carry the step in their names and `state.json` is replaced last, so a training that is killed while it writes
//! resumes from the checkpoint before.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::ModelError;
use crate::model::generative::PixelDiffusionConfig;
use crate::model::nn::{AdamW, Ema, Init, Params};
use crate::system::files;

/// Counters of a training, and what else of its model has to be remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State<M = PixelDiffusionConfig> {
    /// Optimisation steps taken.
    pub step: u64,
    /// Frames predicted in training.
    pub frames: u64,
    /// Minutes spent.
    pub minutes: f64,
    /// Steps of the optimiser (a step with a gradient that is not finite is skipped).
    pub optimiser_steps: usize,
    /// Updates of the average.
    pub average_updates: usize,
    /// The model, with the scale of the data that it was trained at.
    pub model: M,
}

/// The `checkpoint` folder of a training.
pub struct Checkpoint {
    dir: PathBuf,
}

impl Checkpoint {
    /// The folder below a training's output; made if it is missing.
    pub fn new(out: &Path) -> Result<Self, ModelError> {
        let dir = out.join("checkpoint");
        std::fs::create_dir_all(&dir).map_err(|source| ModelError::Io {
            path: dir.clone(),
            source,
        })?;
        files::tidy(&dir);
        let checkpoint = Self { dir };
        checkpoint.forget_cut_off();
        Ok(checkpoint)
    }

    fn file(&self, what: &str, step: u64) -> PathBuf {
        self.dir.join(format!("{what}-{step}.safetensors"))
    }

    /// The newest state, if there is one.
    pub fn state<M: DeserializeOwned>(&self) -> Result<Option<State<M>>, ModelError> {
        let path = self.dir.join("state.json");
        let text = match crate::system::files::text(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(ModelError::Io { path, source }),
        };
        let state = serde_json::from_str(&text).map_err(|e| ModelError::Invalid {
            path,
            what: format!("line {}, column {}", e.line(), e.column()),
            message: e.to_string(),
        })?;
        Ok(Some(state))
    }

    /// The weights of a state.
    pub fn weights<M>(&self, state: &State<M>, device: &Device) -> Result<Params, ModelError> {
        read(&self.file("weights", state.step), device)
    }

    /// Gives average and optimiser what they held at a state.
    pub fn restore<M>(
        &self,
        state: &State<M>,
        adam: &mut AdamW,
        ema: &mut Ema,
        device: &Device,
    ) -> Result<(), ModelError> {
        adam.restore(
            state.optimiser_steps,
            &read(&self.file("moments", state.step), device)?,
        )?;
        Ok(ema.restore(
            state.average_updates,
            &read(&self.file("average", state.step), device)?,
        )?)
    }

    /// Writes everything, then forgets older checkpoints. After a failure (a full disk) the one before
    /// stands, and nothing is left of the new one.
    pub fn save<M: Serialize>(
        &self,
        state: &State<M>,
        params: &Params,
        adam: &AdamW,
        ema: &Ema,
    ) -> Result<(), ModelError> {
        let saved = self.write(state, params, adam, ema);
        if saved.is_err() {
            self.forget_cut_off();
        }
        saved
    }

    fn write<M: Serialize>(
        &self,
        state: &State<M>,
        params: &Params,
        adam: &AdamW,
        ema: &Ema,
    ) -> Result<(), ModelError> {
        write(params, &self.file("weights", state.step), DType::F32)?;
        write(ema.params(), &self.file("average", state.step), DType::F32)?;
        let moments = Params::fresh(0, params.device());
        for (name, value) in adam.state()? {
            moments
                .buffer(value.shape(), &name, Init::Zeros)?
                .set(&value)?;
        }
        write(&moments, &self.file("moments", state.step), DType::F32)?;
        let path = self.dir.join("state.json");
        let text = serde_json::to_string_pretty(state).map_err(|e| ModelError::Invalid {
            path: path.clone(),
            what: "state".into(),
            message: e.to_string(),
        })?;
        files::replace(&path, text.as_bytes()).map_err(|source| ModelError::Io { path, source })?;
        self.forget_all_but(state.step);
        Ok(())
    }

    /// Removes what belongs to no state: somebody was cut off while writing it.
    fn forget_cut_off(&self) {
        match self.state::<serde_json::Value>() {
            Ok(Some(state)) => self.forget_all_but(state.step),
            Ok(None) => self.forget_all_but(u64::MAX),
            // Whatever this is, somebody may want it.
            Err(_) => {}
        }
    }

    /// Best effort: a file that stays costs space and nothing else.
    fn forget_all_but(&self, step: u64) {
        let keep = ["weights", "average", "moments"].map(|what| self.file(what, step));
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|e| e == "safetensors") && !keep.contains(&path) {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}

/// Writes weights.
pub(super) fn write(params: &Params, path: &Path, dtype: DType) -> Result<(), ModelError> {
    params.save(path, dtype).map_err(|e| ModelError::Invalid {
        path: path.into(),
        what: "weights".into(),
        message: e.to_string(),
    })
}

fn read(path: &Path, device: &Device) -> Result<Params, ModelError> {
    Params::load(path, device).map_err(|e| ModelError::Invalid {
        path: path.into(),
        what: "weights".into(),
        message: e.to_string(),
    })
}
