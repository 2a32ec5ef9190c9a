//! A recorded session: one episode with everything that was done to it, so that it can be played again to the
//! same bits, on this machine or another.

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::deed::Deed;
use super::news::Moment;
use crate::camera::Eye;
use crate::scene::Scene;
use crate::sim::{BodyState, Reality};
use crate::system::files;
use crate::task::TaskInstance;

/// How the name of a session's file ends.
pub const SESSION_ENDING: &str = "session";
/// The format that this program writes and reads.
const FORMAT: u32 = 1;

/// An episode of T moments as it was lived. Everything that is needed to live it again, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionFile {
    format: u32,
    scene: Scene,
    seed: u64,
    /// What was done besides acting, and after which moment, in the order in which it was done.
    deeds: Vec<(usize, Deed)>,
    /// `[T - 1][A]`: the action after each moment but the last.
    actions: Vec<Vec<f32>>,
    /// `[T][bodies]`.
    states: Vec<Vec<BodyState>>,
    /// SHA-256 of what the eye saw at each moment, hexadecimal.
    pictures: Vec<String>,
}

fn fingerprint(rgb: &[u8]) -> String {
    let digest = Sha256::digest(rgb);
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// A session that is lived again: its moments, the world at their end, and where it first differs.
pub(super) struct LivedAgain {
    pub(super) scene: Arc<Scene>,
    pub(super) seed: u64,
    pub(super) reality: Reality,
    pub(super) moments: Vec<Arc<Moment>>,
    pub(super) difference: Option<(usize, String)>,
}

impl SessionFile {
    /// What was recorded, from the first moment on.
    pub fn new(
        scene: &Scene,
        seed: u64,
        moments: &[Arc<Moment>],
        deeds: &[(usize, Deed)],
    ) -> SessionFile {
        let after = moments.iter().skip(1);
        SessionFile {
            format: FORMAT,
            scene: scene.clone(),
            seed,
            deeds: deeds.to_vec(),
            actions: after.map(|m| m.action.clone()).collect(),
            states: moments.iter().map(|m| m.state.bodies.clone()).collect(),
            pictures: moments.iter().map(|m| fingerprint(&m.rgb)).collect(),
        }
    }

    /// The file's text (RON).
    ///
    /// # Errors
    /// In a sentence.
    pub fn text(&self) -> Result<String, String> {
        let layout = ron::ser::PrettyConfig::new().depth_limit(2);
        ron::ser::to_string_pretty(self, layout).map_err(|e| e.to_string())
    }

    /// Reads a session.
    ///
    /// # Errors
    /// In a sentence that names the file and the field.
    pub fn read(path: &Path) -> Result<SessionFile, String> {
        let at = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let text = files::text(path).map_err(|e| at(&e))?;
        let session: SessionFile = ron::from_str(&text)
            .map_err(|e| format!("{}: is no session of Parallax: {e}", path.display()))?;
        session.check().map_err(|e| at(&e))?;
        session
            .scene
            .check(&path.display().to_string())
            .map_err(|e| e.to_string())?;
        Ok(session)
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "format: found {}, expected {FORMAT}: another version of Parallax wrote this session",
                self.format
            ));
        }
        let moments = self.states.len();
        if moments == 0 {
            return Err("states: there are none, expected one row a moment".into());
        }
        for (field, found, expected) in [
            ("actions", self.actions.len(), moments - 1),
            ("pictures", self.pictures.len(), moments),
        ] {
            if found != expected {
                return Err(format!(
                    "{field}: found {found} rows, expected {expected}, since there are {moments} states"
                ));
            }
        }
        let bodies = self.scene.bodies.len();
        if let Some(row) = self.states.iter().find(|row| row.len() != bodies) {
            let found = row.len();
            return Err(format!(
                "states: found a row of {found} bodies, expected {bodies}"
            ));
        }
        let dim = self.scene.actions.dim();
        if let Some(row) = self.actions.iter().find(|row| row.len() != dim) {
            let found = row.len();
            return Err(format!(
                "actions: found a row of {found} components, expected {dim}"
            ));
        }
        let ordered = self.deeds.windows(2).all(|w| w[0].0 <= w[1].0);
        if !ordered || self.deeds.last().is_some_and(|(at, _)| *at >= moments) {
            return Err(format!(
                "deeds: expected moments in ascending order below {moments}"
            ));
        }
        Ok(())
    }

    /// The world, as it was described.
    pub fn scene(&self) -> &Scene {
        &self.scene
    }

    /// Moments.
    pub fn len(&self) -> usize {
        self.states.len()
    }

    /// Whether it holds nothing; one that was read never does.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Lives it again. `eye` is the scene's; `look` gives the moment that reality is in; `goes_on` may break
    /// it off.
    ///
    /// # Errors
    /// In a sentence: the world cannot be built, or a deed cannot be done.
    pub(super) fn live(
        &self,
        eye: &Eye,
        mut look: impl FnMut(&Reality, Vec<f32>) -> Moment,
        mut goes_on: impl FnMut() -> Result<(), String>,
        compare: impl Fn(&Scene, &[BodyState], &[BodyState]) -> Option<String>,
    ) -> Result<LivedAgain, String> {
        let scene = Arc::new(self.scene.clone());
        // As the window begins an episode: a task's world is set up with its goal.
        let mut reality = match &scene.task {
            Some(_) => {
                TaskInstance::new(&scene, eye, self.seed)
                    .map_err(|e| e.to_string())?
                    .reality
            }
            None => Reality::new(&scene, self.seed).map_err(|e| e.to_string())?,
        };
        let (mut moments, mut difference) = (Vec::with_capacity(self.len()), None);
        let mut deeds = self.deeds.iter().peekable();
        for step in 0..self.len() {
            goes_on()?;
            let action = match step {
                0 => Vec::new(),
                _ => self.actions[step - 1].clone(),
            };
            if step > 0 {
                reality.act(&action);
                reality.step();
            }
            let mut moment = look(&reality, action);
            while let Some((_, deed)) = deeds.next_if(|(at, _)| *at == step) {
                deed.redo(&mut reality)
                    .map_err(|e| format!("deeds, moment {step}: {e}"))?;
                if deed.is_seen_at_once() {
                    moment = look(&reality, moment.action);
                }
            }
            let differs = || {
                compare(&scene, &self.states[step], &moment.state.bodies).or_else(|| {
                    (fingerprint(&moment.rgb) != self.pictures[step])
                        .then(|| "picture: it differs, the states do not".to_string())
                })
            };
            if difference.is_none() {
                difference = differs().map(|what| (step, what));
            }
            moments.push(Arc::new(moment));
        }
        Ok(LivedAgain {
            scene,
            seed: self.seed,
            reality,
            moments,
            difference,
        })
    }
}
