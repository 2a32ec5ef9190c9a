//! What calibration on reality found: which laws are on in which scene, and from which score on something is
//! a violation. `assets/judge.ron` holds it: the file in the program's home, and as a copy compiled in.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::camera::SIZE;
use crate::scene::{Law, Scene, home};

/// One law in one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Setting {
    /// It is judged.
    On {
        /// A score above this is a violation; each law's file says its unit.
        threshold: f32,
        /// The greatest score in calibration's clips of reality.
        reality: f32,
        /// Share of the clips in which it had an occasion.
        occasions: f32,
    },
    /// It is not judged.
    Off {
        /// Why not.
        reason: String,
    },
}

/// The laws of one scene.
pub type SceneCalibration = BTreeMap<Law, Setting>;

/// `assets/judge.ron`, written by `parallax judge calibrate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// First seed of the calibration clips.
    pub seed: u64,
    /// By side of the picture in pixels, then by scene.
    pub sizes: BTreeMap<usize, BTreeMap<String, SceneCalibration>>,
}

impl Calibration {
    /// That of the program's home, read once; the one that was compiled in where there is none, or a damaged
    /// one.
    pub fn shipped() -> &'static Calibration {
        static SHIPPED: OnceLock<Calibration> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            let own = Calibration::read(&home().join("assets/judge.ron"));
            let own = own.inspect_err(|e| tracing::warn!("{e}; the compiled thresholds are used"));
            match own {
                Ok(found) if !found.sizes.is_empty() => found,
                _ => ron::from_str(include_str!("../../assets/judge.ron")).unwrap_or_default(),
            }
        })
    }

    /// Its SHA-256, by which results name the thresholds with which they were judged.
    pub fn sha256(&self) -> String {
        // Names and numbers only: this cannot fail; an empty text would differ from every other.
        let text = ron::to_string(self).unwrap_or_default();
        let bytes = Sha256::digest(text);
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// That of a file; none where there is no such file yet.
    ///
    /// # Errors
    /// A sentence that names the file, if it holds something else.
    pub fn read(path: &Path) -> std::io::Result<Calibration> {
        if !path.exists() {
            return Ok(Calibration::default());
        }
        let wrong = |what: &dyn std::fmt::Display| {
            std::io::Error::other(format!("{}: {what}", path.display()))
        };
        let text = crate::system::files::text(path).map_err(|e| wrong(&e))?;
        let read: Calibration = ron::from_str(&text).map_err(|e| wrong(&e))?;
        for (name, scene) in read.sizes.values().flatten() {
            for (law, setting) in scene {
                if let Setting::On { threshold, .. } = setting
                    && !threshold.is_finite()
                {
                    return Err(wrong(&format!(
                        "scene `{name}`, law `{}`: found {threshold}, expected a finite number",
                        law.id()
                    )));
                }
            }
        }
        Ok(read)
    }

    /// What was found of a scene at the size of its pictures.
    pub fn of(&self, scene: &Scene) -> Option<&SceneCalibration> {
        self.sizes.get(&scene.camera.size)?.get(&scene.name)
    }

    /// Takes down what was found of a scene.
    pub fn insert(&mut self, scene: &Scene, found: SceneCalibration) {
        let size = self.sizes.entry(scene.camera.size).or_default();
        size.insert(scene.name.clone(), found);
    }

    /// Whether a scene was calibrated at the size of its pictures.
    pub fn knows(&self, scene: &Scene) -> bool {
        self.of(scene).is_some()
    }

    /// Why nothing can be said of a scene's pictures, if so.
    pub fn misfit(&self, scene: &Scene) -> Option<String> {
        if self.knows(scene) {
            return None;
        }
        let (name, size) = (&scene.name, scene.camera.size);
        let elsewhere = self.sizes.get(&SIZE).is_some_and(|s| s.contains_key(name));
        Some(match elsewhere {
            true => format!("not calibrated at {size} pixels"),
            false => format!("not calibrated: run `parallax judge calibrate --scene {name}`"),
        })
    }
}
