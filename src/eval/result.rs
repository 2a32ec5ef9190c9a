//! What every result says of itself: what was measured, of which weights, in which world, how.

use serde::Serialize;

use crate::model::{Sampling, WorldModel};
use crate::scene::{Departure, Edit, Scene};
use crate::sim::{CALIBRATION_SEED, HELD_OUT_SEED, TUNING_SEED};

/// Raised when keys of results change their meaning.
pub const SCHEMA: u32 = 1;

/// The head of a result. What does not apply is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Head {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was measured, such as `control`.
    pub suite: &'static str,
    /// The scene's name.
    pub scene: String,
    /// Which version of the scene: [`Scene::sha256`] of its file, before anything was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene_sha256: Option<String>,
    /// The model's name, or that of a controller that is not learned.
    pub model: String,
    /// Which weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_sha256: Option<String>,
    /// First seed.
    pub seed: u64,
    /// What these seeds are for: `held out`, `tuning`, `calibration` or `training`.
    pub seeds: &'static str,
    /// Episodes, clips, pairs or dreams that were asked for; a suite that counts them itself says how many
    /// counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub episodes: Option<u64>,
    /// Function evaluations a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nfe: Option<usize>,
    /// What was set in the scene.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<(String, f32)>,
    /// What of it lies outside the range of training; null where nothing was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_distribution: Option<Vec<Departure>>,
    /// Where physics is broken on purpose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// The command that measures it again.
    pub command: String,
    /// Version of the program.
    pub version: &'static str,
    /// Where it was computed: `cpu`, `cuda` or `metal`.
    pub device: String,
}

impl Head {
    /// Notes whose weights were measured, and how the model samples.
    pub fn of(mut self, model: &dyn WorldModel) -> Self {
        self.model_sha256 = Some(model.card().sha256.clone());
        self.nfe = model.nfe(Sampling::default());
        self
    }

    /// Notes what was changed of the scene.
    pub fn note_world(&mut self, scene: &Scene) {
        self.interventions = scene.interventions.clone();
        self.out_of_distribution = (!scene.interventions.is_empty()).then(|| scene.departures());
        self.edits = scene.edits.clone();
    }
}

/// A result: its head, and what the suite found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation<R> {
    /// What was measured and how.
    #[serde(flatten)]
    pub head: Head,
    /// What came out.
    #[serde(flatten)]
    pub result: R,
}

/// What the seeds from `first` on are for: `training`, `calibration`, `tuning` or `held out`.
pub fn seeds_are(first: u64) -> &'static str {
    match first {
        HELD_OUT_SEED.. => "held out",
        TUNING_SEED.. => "tuning",
        CALIBRATION_SEED.. => "calibration",
        _ => "training",
    }
}
