//! Which configuration and which experience a training began with.

use super::{TrainConfig, TrainError};
use crate::episode::Dataset;
use crate::system::difference::{self, Difference, Fields};
use crate::system::files;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// Of the bytes of frames every so-manieth frame is looked at.
const EVERY: usize = 8;
/// Fields that a training measures and writes into its folder's `train.ron`.
const MEASURED: [&str; 3] = ["model.sigma_data", "model.mean", "model.hue_motion"];

/// What a training begins with, field by field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Identity {
    config: Fields,
    data: Fields,
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
    /// Of a configuration and its experience.
    pub fn new(config: &TrainConfig, data: &Dataset) -> Self {
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
            config: given(config),
            data: difference::fields(&summary),
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
        let text = files::text(path).map_err(|source| TrainError::Io {
            path: path.into(),
            source,
        })?;
        let began: Self = serde_json::from_str(&text)
            .map_err(|e| fault("what the training began with".into(), e.to_string()))?;
        let parts = [
            ("train.ron", &began.config, &self.config),
            ("episodes", &began.data, &self.data),
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
        let io = |source| TrainError::Io {
            path: path.into(),
            source,
        };
        let text = serde_json::to_string_pretty(self).map_err(|e| io(e.into()))?;
        files::replace(path, text.as_bytes()).map_err(io)
    }
}

/// The first field in which two configurations differ, apart from what a training measures.
pub(super) fn differs(there: &TrainConfig, config: &TrainConfig) -> Option<Difference> {
    difference::first(&given(there), &given(config))
}

/// The fields that are given and not measured.
fn given(config: &TrainConfig) -> Fields {
    let is_given = |field: &String| !MEASURED.iter().any(|m| field.contains(m));
    let all = difference::fields(config).into_iter();
    all.filter(|(field, _)| is_given(field)).collect()
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
