//! Tracks from what probes read in latents, and the calibration of each model's probes.
//!
//! A probe reads where bodies lie on the floor and how they are turned, with errors of its own. So reality is
//! passed through the model's encoder and its probes, and each law's threshold lies above what comes out of
//! that: what the judge then finds is what the imagination does, not what the probe does. Laws that places
//! cannot carry are absent.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use super::calibration::SceneCalibration;
use super::track::{Sighting, Source, Track, Tracks};
use super::world::World;
use crate::model::ProbedStates;
use crate::scene::home;

/// What calibration found of one model in one scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReadoutCalibration {
    /// The first letters of its weights' hash: of other weights it says nothing.
    pub weights: String,
    /// Its laws.
    pub laws: SceneCalibration,
}

/// `assets/judge-readouts.ron`, written by `parallax judge calibrate --model`: by model, then by scene.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Readouts {
    /// By model, then by scene.
    pub models: BTreeMap<String, BTreeMap<String, ReadoutCalibration>>,
}

impl Readouts {
    /// Those of the program's home, read once; those that were compiled in where there are none.
    pub fn shipped() -> &'static Readouts {
        static SHIPPED: OnceLock<Readouts> = OnceLock::new();
        SHIPPED.get_or_init(|| {
            let own = Readouts::read(&home().join("assets/judge-readouts.ron"));
            let own = own.inspect_err(|e| tracing::warn!("{e}; the compiled thresholds are used"));
            match own {
                Ok(found) if !found.models.is_empty() => found,
                _ => ron::from_str(include_str!("../../assets/judge-readouts.ron"))
                    .unwrap_or_default(),
            }
        })
    }

    /// Those of a file; none where there is no such file yet.
    ///
    /// # Errors
    /// A sentence that names the file, if it holds something else.
    pub fn read(path: &Path) -> std::io::Result<Readouts> {
        if !path.exists() {
            return Ok(Readouts::default());
        }
        let wrong = |what: &dyn std::fmt::Display| {
            std::io::Error::other(format!("{}: {what}", path.display()))
        };
        let text = crate::system::files::text(path).map_err(|e| wrong(&e))?;
        ron::from_str(&text).map_err(|e| wrong(&e))
    }

    /// What was found of a model in a scene.
    pub fn of(&self, model: &str, scene: &str) -> Option<&ReadoutCalibration> {
        self.models.get(model)?.get(scene)
    }
}

/// Tracks of one candidate's probed states; steps are `control_steps` tenths of a second apart. `None` where
/// the camera does not look down, for probes read places on the floor.
pub fn tracks(
    world: &World,
    probed: &ProbedStates,
    candidate: usize,
    control_steps: usize,
) -> Option<Tracks<'static>> {
    if !world.down || candidate >= probed.n {
        return None;
    }
    let column = |(b, name): (usize, &String)| Some((b, world.scene.body_index(name)?));
    let columns = probed.bodies.iter().enumerate().filter_map(column);
    let sighting = |b: usize, body: usize, t: usize| {
        let [x, z, yaw] = probed.at(candidate, t)[b];
        let seen = x.is_finite() && z.is_finite();
        Sighting {
            place: seen.then_some([x, world.bodies[body].plane, z]),
            at: [x, z],
            angle: yaw.is_finite().then_some([yaw, std::f32::consts::TAU]),
            ..Sighting::default()
        }
    };
    Some(Tracks {
        source: Source::Readouts,
        dt: 0.1 * control_steps.max(1) as f32,
        reference: 0,
        tracks: columns
            .map(|(b, body)| Track {
                body,
                sightings: (0..probed.steps).map(|t| sighting(b, body, t)).collect(),
            })
            .collect(),
        film: None,
        actions: None,
    })
}
