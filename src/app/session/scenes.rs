//! Which scenes there are, which one is shown, and its file while it is edited.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use crate::app::state::*;
use crate::camera::Eye;
use crate::judge::Tracker;
use crate::scene::{self, Scene};
use crate::worker::{RealityOrder, Replay, SESSION_ENDING, watch};

/// How often the scene's file is looked at.
const WATCH_EVERY: Duration = Duration::from_millis(500);

/// The order in which scenes are listed: tasks from easy to hard, then phenomena; what others add follows
/// alphabetically.
const ORDER: [&str; 18] = [
    "push",
    "reach",
    "push_t",
    "strike",
    "gather",
    "stack",
    "fall",
    "collide",
    "collide3",
    "projectile",
    "ramp",
    "pendulum",
    "dominoes",
    "tower",
    "occluder",
    "container",
    "spin",
    "jelly",
];

impl Session {
    pub(super) fn list_scenes(&mut self, wished: Option<&str>) {
        let mut names = scene::list(&scene::library_dir());
        let rank = |n: &str| ORDER.iter().position(|k| *k == n);
        names.sort_by_key(|n| (rank(n).unwrap_or(usize::MAX), n.clone()));
        if let Some(file) = wished.filter(|w| !names.iter().any(|n| n == w)) {
            names.insert(0, file.into());
        }
        self.state.scenes = names
            .into_iter()
            .map(|name| {
                let scene = scene::load(&name);
                SceneEntry {
                    has_actions: scene.as_ref().is_ok_and(|s| !s.is_phenomenon()),
                    summary: scene.map(|s| s.summary).map_err(|e| e.to_string()),
                    name,
                }
            })
            .collect();
        let scenes = &self.state.scenes;
        let asked = wished.and_then(|w| scenes.iter().position(|s| s.name == w));
        // A file that cannot be used is no reason to begin with an empty window.
        let sound = || scenes.iter().position(|s| s.summary.is_ok());
        self.state.scene_index = asked.or_else(sound).unwrap_or(0);
    }

    pub(super) fn open_scene(&mut self, index: usize) {
        let Some(entry) = self.state.scenes.get(index) else {
            self.state.complain(format!(
                "No scenes found in {}",
                scene::library_dir().display()
            ));
            return;
        };
        let name = entry.name.clone();
        match scene::load(&name) {
            Ok(scene) => {
                let scene = Arc::new(scene);
                self.state.scene_index = index;
                self.state.replay = None;
                self.state.fault = None;
                self.watch_file(&name, &scene);
                let person = self.state.driver == DriverChoice::Keyboard && self.driver_is_chosen;
                if !person || scene.is_phenomenon() {
                    self.state.stage = Stage::Preparing;
                    self.state.playing = true;
                }
                self.run_scene(scene);
            }
            Err(e) => self.state.complain(e.to_string()),
        }
    }

    /// Opens a file that somebody dropped: a scene or a recording.
    pub fn open_file(&mut self, path: &Path) {
        let ending = path.extension().unwrap_or_default().to_string_lossy();
        match ending.as_ref() {
            "ron" => {
                let name = path.display().to_string();
                let summary = Scene::load(path);
                let entry = SceneEntry {
                    has_actions: summary.as_ref().is_ok_and(|s| !s.is_phenomenon()),
                    summary: summary.map(|s| s.summary).map_err(|e| e.to_string()),
                    name: name.clone(),
                };
                self.state.scenes.retain(|s| s.name != name);
                self.state.scenes.insert(0, entry);
                self.open_scene(0);
            }
            _ if path.join("card.ron").is_file() => self.add_model(path),
            _ if path.join("index.json").is_file() => self.open_replay(Replay {
                file: path.into(),
                episode: 0,
            }),
            "json" => self.add_result(path),
            "gif" | "png" | "safetensors" => self.offer_judging(path),
            _ if path.is_dir() => self.offer_judging(path),
            "plx" | SESSION_ENDING => self.open_replay(Replay {
                file: path.into(),
                episode: 0,
            }),
            _ => self.state.complain(format!(
                "{}: a scene (.ron), recorded episodes (.plx), a saved session (.{SESSION_ENDING}), a result \
                 (.json), a film, or a model's folder can be opened here",
                path.display()
            )),
        }
    }

    /// A result that `parallax eval` wrote stands beside what was measured.
    fn add_result(&mut self, path: &Path) {
        let camp = |model: &str| {
            let pane = self.state.panes.iter().find(|p| p.name == model)?;
            pane.camp()
        };
        let mut measured = match &self.state.measured {
            Some(measured) => (**measured).clone(),
            None => {
                return self
                    .state
                    .say("The shipped results are still being read: try again");
            }
        };
        match measured.add(path, camp) {
            Ok(scene) => {
                self.state.measured = Some(Arc::new(measured));
                self.state.dock = Dock::Measured;
                let file = path.display();
                self.state
                    .say(format!("{file}: stands among what was measured in {scene}"));
            }
            Err(e) => self.state.complain(e),
        }
    }

    /// A film is judged by a command: it says more than a window can, and writes it down.
    fn offer_judging(&mut self, path: &Path) {
        let scene = self
            .state
            .scene
            .as_ref()
            .map_or("push", |s| s.name.as_str());
        let line = format!("parallax judge '{}' --scene {scene}", path.display());
        self.copied = Some(line);
    }

    fn watch_file(&mut self, name: &str, scene: &Arc<Scene>) {
        let path = match name.ends_with(".ron") {
            true => PathBuf::from(name),
            false => scene::library_dir().join(format!("{name}.ron")),
        };
        let watch = watch(&path, scene.clone(), WATCH_EVERY);
        self.watch = watch
            .inspect_err(|e| tracing::warn!("{}: not watched: {e}", path.display()))
            .ok();
    }

    /// Takes in what became of the scene's file.
    pub(super) fn hear_watch(&mut self) {
        match self.watch.as_ref().and_then(|w| w.poll()) {
            Some(Ok(scene)) => {
                let file_was_bad = self.state.fault.take().is_some();
                let same = self.state.scene.as_ref().is_some_and(|s| **s == *scene);
                if !same {
                    let name = scene.name.clone();
                    if let Some(entry) = self.state.scenes.get_mut(self.state.scene_index) {
                        entry.summary = Ok(scene.summary.clone());
                    }
                    self.run_scene(scene);
                    self.state.say(format!(
                        "{name} was saved: it starts anew with the same seed"
                    ));
                } else if file_was_bad {
                    self.state.say("The scene's file is as it was");
                }
            }
            Some(Err(e)) => self.state.fault = Some(e),
            None => {}
        }
    }

    /// Runs a scene from the seed that is shown.
    fn run_scene(&mut self, scene: Arc<Scene>) {
        self.show_scene(scene.clone());
        let seed = self.state.record.seed;
        self.tell_pace();
        self.reality.tell(RealityOrder::Load(scene, seed));
        self.choose_driver();
        self.play(self.state.playing);
        if !self.state.loading {
            self.note_missing_planner();
        }
    }

    /// Clears the screen for a scene.
    pub(super) fn show_scene(&mut self, scene: Arc<Scene>) {
        self.forget_imaginations();
        self.state.eye = Eye::standard(&scene).ok().map(Arc::new);
        self.state.tracker = Some(Arc::new(Tracker::new(&scene)));
        self.state.scene = Some(scene);
        self.state.scene_version += 1;
        self.state.score = Score::default();
        self.state.interventions.clear();
        self.state.record.moments.clear();
        self.state.record.tracks.clear();
        self.state.record.marks.clear();
        self.state.record.goal = None;
        self.state.solids.clear();
        self.state.grip = None;
        self.state.cursor = Cursor::Live;
        self.state.range = None;
        self.state.focus = None;
        self.state.enlarged = None;
        self.state.note = None;
    }

    /// Puts the eye where it stands for a seed, so that what is imagined is drawn over what was seen.
    pub(super) fn place_eye(&mut self, scene: &Arc<Scene>, seed: u64) {
        if scene.camera.jitter_m > 0.0 {
            let eye = Eye::standard(scene).ok();
            self.state.eye = eye.map(|e| Arc::new(e.for_seed(seed)));
        }
    }

    /// Whether this very scene is shown; one that was loaded anew is another.
    pub(super) fn is_shown(&self, scene: &Arc<Scene>) -> bool {
        self.state.replay.is_none()
            && self
                .state
                .scene
                .as_ref()
                .is_some_and(|s| Arc::ptr_eq(s, scene))
    }
}
