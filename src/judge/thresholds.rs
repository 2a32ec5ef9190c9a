//! What calibration on reality found: a score above its law's threshold is a violation.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::scene::Law;

/// Thresholds of one scene, one a law; see `laws.rs` for the scores' units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneThresholds {
    /// Missing share of the expected visible area.
    pub permanence: f32,
    /// Area of the second component over the body's.
    pub duplication: f32,
    /// Unexplained jump, pixels.
    pub continuity: f32,
    /// |ln(area / expected)|.
    pub size: f32,
    /// Overlap of inscribed radii, metres.
    pub interpenetration: f32,
}

impl Default for SceneThresholds {
    /// For scenes that were never calibrated: cautious.
    fn default() -> Self {
        Self {
            permanence: 0.9,
            duplication: 0.5,
            continuity: 16.0,
            size: 0.9,
            interpenetration: 0.08,
        }
    }
}

impl SceneThresholds {
    /// The threshold of a law.
    pub fn of(&self, law: Law) -> f32 {
        match law {
            Law::Permanence => self.permanence,
            Law::Duplication => self.duplication,
            Law::Continuity => self.continuity,
            Law::Size => self.size,
            Law::Interpenetration => self.interpenetration,
        }
    }

    /// Sets the threshold of a law.
    pub fn set(&mut self, law: Law, value: f32) {
        *match law {
            Law::Permanence => &mut self.permanence,
            Law::Duplication => &mut self.duplication,
            Law::Continuity => &mut self.continuity,
            Law::Size => &mut self.size,
            Law::Interpenetration => &mut self.interpenetration,
        } = value;
    }
}

/// `assets/judge.ron`, written by `parallax eval judge --calibrate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// First seed of the calibration clips.
    pub seed: u64,
    /// Clips a scene.
    pub clips: u64,
    /// By scene.
    pub scenes: BTreeMap<String, SceneThresholds>,
}

impl Thresholds {
    /// The thresholds that ship with the program.
    pub fn shipped() -> Thresholds {
        ron::from_str(include_str!("../../assets/judge.ron")).unwrap_or_default()
    }

    /// Those of a file; none where there is no such file yet.
    ///
    /// # Errors
    /// A sentence that names the file, if it holds something else.
    pub fn read(path: &Path) -> std::io::Result<Thresholds> {
        if !path.exists() {
            return Ok(Thresholds::default());
        }
        ron::from_str(&std::fs::read_to_string(path)?)
            .map_err(|e| std::io::Error::other(format!("{}: {e}", path.display())))
    }

    /// Those of a scene.
    pub fn scene(&self, name: &str) -> SceneThresholds {
        self.scenes.get(name).copied().unwrap_or_default()
    }
}
