//! A shipped model's metadata: `models/NAME/card.ron`.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ModelError;
use crate::system::files;

/// Format of card and weights; raised when old files can no longer be read.
pub const FORMAT: u32 = 1;

/// Which imagination a model is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Camp {
    /// Predicts pixels.
    Generative,
    /// Predicts embeddings.
    Jepa,
    /// Straddles both.
    Hybrid,
    /// Not learned: the oracle and the floors.
    Reference,
}

impl Camp {
    /// The word on screen and in JSON.
    pub const fn id(self) -> &'static str {
        match self {
            Camp::Generative => "generative",
            Camp::Jepa => "jepa",
            Camp::Hybrid => "hybrid",
            Camp::Reference => "reference",
        }
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// A training whose weights another one began with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its folder, as the recipe of the later training names it.
    pub folder: String,
    /// SHA-256 of its `model.safetensors`, hexadecimal.
    pub sha256: String,
    /// Optimisation steps taken.
    pub steps: u64,
    /// Frames that losses were computed over; 0 where they were not counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frames: u64,
    /// Minutes of training.
    pub minutes: f64,
}

impl Stage {
    /// The trainings that a training begins with which starts from the model in `folder`, the first one
    /// first.
    ///
    /// # Errors
    /// [`ModelError`] if there is no sound card.
    pub fn chain(folder: &Path) -> Result<Vec<Stage>, ModelError> {
        let mut card = Card::load(folder)?;
        let mut stages = std::mem::take(&mut card.stages);
        stages.push(Stage {
            folder: folder.display().to_string(),
            sha256: card.sha256,
            steps: card.steps,
            frames: card.frames,
            minutes: card.minutes,
        });
        Ok(stages)
    }
}

/// A model's folder metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// The folder's name.
    pub name: String,
    /// Camp.
    pub camp: Camp,
    /// One line for lists: what it is.
    pub summary: String,
    /// `lewm` or `pixel_diffusion`, for example; `model.ron` beside the card describes the network.
    pub architecture: String,
    /// Scenes it was trained on (it may be run on others).
    pub scenes: Vec<String>,
    /// Learned numbers.
    pub parameters: u64,
    /// Optimisation steps taken.
    pub steps: u64,
    /// Seed of the training.
    pub seed: u64,
    /// Episodes and their seed ranges.
    pub data: String,
    /// Machine and wall-clock minutes of the training.
    pub hardware: String,
    /// Minutes of training.
    pub minutes: f64,
    /// SHA-256 of `model.safetensors`, hexadecimal.
    pub sha256: String,
    /// Where it differs from the paper.
    pub notes: String,
    /// SHA-256 of `readouts.safetensors`, hexadecimal; none where nothing is read out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readouts: Option<String>,
    /// SHA-256 of `keyframes.safetensors`, hexadecimal; none where no structured moments were learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyframes: Option<String>,
    /// SHA-256 of `jumps.safetensors`, hexadecimal; none where no jumps were learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jumps: Option<String>,
    /// SHA-256 of `distance.safetensors`, hexadecimal; none where no distance in steps was learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance: Option<String>,
    /// Frames that losses were computed over; 0 where they were not counted.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub frames: u64,
    /// Earlier trainings, the first one first: this one began with the weights of the last of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Licence of the weights.
    pub licence: String,
    /// What the model answers to one fixed question (see `fingerprint.rs`); `parallax models --check` asks
    /// again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behaviour: Vec<f32>,
}

impl Card {
    /// The card of something that was not trained: everything that a training says is empty.
    pub fn untrained(name: &str, camp: Camp, architecture: &str) -> Card {
        Card {
            format: FORMAT,
            name: name.into(),
            camp,
            summary: String::new(),
            architecture: architecture.into(),
            scenes: Vec::new(),
            parameters: 0,
            steps: 0,
            seed: 0,
            data: "none".into(),
            hardware: "none".into(),
            minutes: 0.0,
            sha256: String::new(),
            notes: String::new(),
            readouts: None,
            keyframes: None,
            jumps: None,
            distance: None,
            frames: 0,
            stages: Vec::new(),
            licence: "MIT OR Apache-2.0".into(),
            behaviour: Vec::new(),
        }
    }

    /// Minutes of this training and of all before it that it went on from.
    pub fn all_minutes(&self) -> f64 {
        self.minutes + self.stages.iter().map(|s| s.minutes).sum::<f64>()
    }

    /// Frames of this training and of all before it that it went on from.
    pub fn all_frames(&self) -> u64 {
        self.frames + self.stages.iter().map(|s| s.frames).sum::<u64>()
    }

    /// Reads `dir/card.ron`.
    ///
    /// # Errors
    /// [`ModelError`] naming the file, and the line of a field that does not parse.
    pub fn load(dir: &Path) -> Result<Card, ModelError> {
        let path = dir.join("card.ron");
        let text = files::text(&path).map_err(|source| ModelError::Io {
            path: path.clone(),
            source,
        })?;
        let card: Card = ron::from_str(&text).map_err(|e| ModelError::Invalid {
            path: path.clone(),
            what: format!("line {}, column {}", e.span.start.line, e.span.start.col),
            message: e.code.to_string(),
        })?;
        if card.format != FORMAT {
            return Err(ModelError::Invalid {
                path,
                what: "format".into(),
                message: format!("found {}, this program reads {FORMAT}", card.format),
            });
        }
        Ok(card)
    }

    /// Writes `dir/card.ron`.
    ///
    /// # Errors
    /// [`ModelError::Io`] if the file cannot be written.
    pub fn save(&self, dir: &Path) -> Result<(), ModelError> {
        let path = dir.join("card.ron");
        let text =
            ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default()).map_err(|e| {
                ModelError::Invalid {
                    path: path.clone(),
                    what: "card".into(),
                    message: e.to_string(),
                }
            })?;
        files::replace(&path, (text + "\n").as_bytes())
            .map_err(|source| ModelError::Io { path, source })
    }
}
