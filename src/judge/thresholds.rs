//! What calibration on reality found: a score above its law's threshold is a violation.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::camera::SIZE;
use crate::scene::{Law, Scene};

/// Thresholds of one scene, one a law; see `laws.rs` for the scores' units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SceneThresholds {
    /// Missing share of the expected visible area.
    pub permanence: f32,
    /// Area of the second component over the body's.
    pub duplication: f32,
    /// Unexplained jump, 64ths of the picture.
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
    /// By scene, for pictures of 64 pixels.
    pub scenes: BTreeMap<String, SceneThresholds>,
    /// By size of the picture, where it is another, and scene.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sizes: BTreeMap<usize, BTreeMap<String, SceneThresholds>>,
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
        let wrong = |what: &dyn std::fmt::Display| {
            std::io::Error::other(format!("{}: {what}", path.display()))
        };
        let text = crate::system::files::text(path).map_err(|e| wrong(&e))?;
        let read: Thresholds = ron::from_str(&text).map_err(|e| wrong(&e))?;
        let sizes = read.sizes.values().flatten();
        for (name, each) in read.scenes.iter().chain(sizes) {
            if let Some(law) = Law::ALL.into_iter().find(|law| !each.of(*law).is_finite()) {
                return Err(wrong(&format!(
                    "scene `{name}`, law `{}`: found {}, expected a finite number",
                    law.id(),
                    each.of(law)
                )));
            }
        }
        Ok(read)
    }

    /// Those of a scene's name, for pictures of 64 pixels.
    pub fn scene(&self, name: &str) -> SceneThresholds {
        self.scenes.get(name).copied().unwrap_or_default()
    }

    /// Those of a scene at the size of its pictures.
    pub fn of(&self, scene: &Scene) -> SceneThresholds {
        let own = self.at(scene.camera.size).and_then(|s| s.get(&scene.name));
        own.copied().unwrap_or_else(|| self.scene(&scene.name))
    }

    fn at(&self, size: usize) -> Option<&BTreeMap<String, SceneThresholds>> {
        match size {
            SIZE => Some(&self.scenes),
            _ => self.sizes.get(&size),
        }
    }

    /// Takes down what was found of a scene.
    pub fn insert(&mut self, scene: &Scene, found: SceneThresholds) {
        let scenes = match scene.camera.size {
            SIZE => &mut self.scenes,
            size => self.sizes.entry(size).or_default(),
        };
        scenes.insert(scene.name.clone(), found);
    }

    /// Whether a scene was calibrated at the size of its pictures.
    pub fn knows(&self, scene: &Scene) -> bool {
        self.at(scene.camera.size)
            .is_some_and(|s| s.contains_key(&scene.name))
    }

    /// Why a calibrated scene's thresholds say nothing of the pictures that it is going to give, if they do
    /// not.
    pub fn misfit(&self, scene: &Scene) -> Option<String> {
        let moved = scene
            .interventions
            .iter()
            .find(|(target, _)| target.starts_with("camera."));
        if let Some((target, value)) = moved {
            return Some(format!(
                "not calibrated with the camera elsewhere ({target} = {value})"
            ));
        }
        let size = scene.camera.size;
        let elsewhere = self.scenes.contains_key(&scene.name) && !self.knows(scene);
        elsewhere.then(|| format!("not calibrated at {size} pixels"))
    }
}
