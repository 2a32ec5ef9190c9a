//! Which configuration and which experience a training began with.

use super::config::TrainConfig;
use super::error::{TrainError, io};
use crate::episode::Dataset;
use crate::model::Stage;
use crate::system::difference::{self, Difference, Fields};
use crate::system::files;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Of the bytes of frames every so-manieth frame is looked at.
const EVERY: usize = 8;
/// What a training begins with, field by field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    config: Fields,
    data: Fields,
    /// The weights that it begins with, where they are not drawn.
    #[serde(default)]
    stages: Fields,
}

/// A dataset in a few words.
#[derive(Serialize)]
struct Summary {
    frame_side: usize,
    action_components: usize,
    episodes: usize,
    frames: usize,
    scenes: Vec<String>,
    first_seed: u64,
    last_seed: u64,
    /// A digest of seeds, lengths, scenes, actions, states and some of the frames: named last, since it says
    /// least.
    what_they_hold: String,
}

impl Identity {
    /// Of a configuration, its experience, and the trainings that it goes on from.
    pub fn new(config: &TrainConfig, data: &Dataset, stages: &[Stage]) -> Self {
        let seeds = data.episodes.iter().map(|e| e.seed);
        let summary = Summary {
            frame_side: data.size,
            action_components: data.action_dim,
            episodes: data.episodes.len(),
            frames: data.len(),
            scenes: data.scenes.iter().map(|s| s.name.clone()).collect(),
            first_seed: seeds.clone().min().unwrap_or(0),
            last_seed: seeds.max().unwrap_or(0),
            what_they_hold: contents(data),
        };
        Self {
            config: difference::fields(config),
            data: difference::fields(&summary),
            stages: difference::fields(&stages),
        }
    }

    /// Refuses to go on with a training that began with something else; a training of an earlier version did
    /// not write down with what.
    ///
    /// # Errors
    /// [`TrainError::Config`] naming the field that differs.
    pub fn check(&self, path: &Path) -> Result<(), TrainError> {
        if !path.exists() {
            return Ok(());
        }
        let fault = |field: String, message: String| TrainError::Config {
            path: path.into(),
            field,
            message,
        };
        let text = files::text(path).map_err(io(path))?;
        let began: Self = serde_json::from_str(&text)
            .map_err(|e| fault("what the training began with".into(), e.to_string()))?;
        let parts = [
            ("train.ron", &began.config, &self.config),
            ("episodes", &began.data, &self.data),
            ("started from", &began.stages, &self.stages),
        ];
        for (part, before, now) in parts {
            if let Some(d) = difference::first(before, now) {
                return Err(fault(
                    format!("{part}: {}", d.field),
                    format!(
                        "the unfinished training began with {}, found {}; give it back what it began with, \
                         choose another folder \
                         with --out, or begin anew with --overwrite",
                        d.first, d.second
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Writes it down.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let text = serde_json::to_string_pretty(self).map_err(|e| io(path)(e.into()))?;
        files::replace(path, text.as_bytes()).map_err(io(path))
    }
}

/// The first field in which two configurations differ.
pub(super) fn differs(there: &TrainConfig, config: &TrainConfig) -> Option<Difference> {
    difference::first(&difference::fields(there), &difference::fields(config))
}

fn contents(data: &Dataset) -> String {
    let mut digest = Sha256::new();
    for e in &data.episodes {
        for number in [e.start as u64, e.len as u64, e.seed, e.scene as u64] {
            digest.update(number.to_le_bytes());
        }
    }
    for value in &data.actions {
        digest.update(value.to_le_bytes());
    }
    for value in data.states.iter().flat_map(|s| s.to_array()) {
        digest.update(value.to_le_bytes());
    }
    for frame in (0..data.len()).step_by(EVERY) {
        digest.update(data.frame(frame));
    }
    let digest = digest.finalize();
    digest.iter().map(|b| format!("{b:02x}")).collect()
}
