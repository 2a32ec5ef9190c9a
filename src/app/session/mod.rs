//! The conductor: passes commands to workers and what workers report to the [`State`]; it never waits for them.
//!
//! `loading.rs` takes in models, `driving.rs` decides who drives, `imagining.rs` keeps the models imagining.

mod driving;
mod imagining;
mod loading;

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::command::Command;
use super::state::*;
use crate::camera::Eye;
use crate::judge::Violation;
use crate::model::WorldModel;
use crate::scene;
use crate::sim::HELD_OUT_SEED;
use crate::worker::{
    Desk, EpisodeStart, Imagine, Imagined, JudgeRollout, Loaded, News, RealityHandle, RealityOrder,
    load_models, spawn_reality,
};

/// Frames of context that the judge is shown, and that must be there before models imagine by themselves.
const CONTEXT_FRAMES: usize = 4;
/// Function evaluations a frame at the start.
const DEFAULT_NFE: usize = 3;

/// What a pane has behind it.
struct Backstage {
    model: Option<Arc<dyn WorldModel>>,
    imagination: Desk<Imagine, Imagined>,
    judging: Desk<JudgeRollout, Vec<Violation>>,
    /// Episode of the order under way, and its rollout as far as it is known.
    asked: (u64, Rollout),
    judged: (u64, usize),
}

/// How the app starts.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Scene name or file; `push` if none.
    pub scene: Option<String>,
    /// `jepa`, `generative`, `oracle`, `random`, `keyboard`, or a model's name.
    pub controller: Option<String>,
    /// Seed.
    pub seed: Option<u64>,
}

/// The running app without its window.
pub struct Session {
    /// What is shown.
    pub state: State,
    reality: RealityHandle,
    loading: Option<Receiver<Loaded>>,
    backstage: HashMap<String, Backstage>,
    wished: Option<String>,
    driver_is_chosen: bool,
    rolled: u64,
    /// Where the models imagine from by themselves in this episode.
    branch: Option<usize>,
    held: [f32; 2],
}

impl Session {
    /// Starts the workers and the first scene.
    ///
    /// # Errors
    /// The system's error if threads cannot be started.
    pub fn start(start: &Start) -> std::io::Result<Self> {
        crate::worker::leave_a_core_to_the_window();
        let mut session = Self {
            state: State::default(),
            reality: spawn_reality()?,
            loading: Some(load_models(&scene::models_dir())?),
            backstage: HashMap::new(),
            wished: start.controller.clone(),
            driver_is_chosen: false,
            rolled: 0,
            branch: None,
            held: [0.0; 2],
        };
        session.list_scenes(start.scene.as_deref());
        session.choose_driver();
        session.state.record.seed = start.seed.unwrap_or(HELD_OUT_SEED);
        session.open_scene(session.state.scene_index);
        session.reality.tell(RealityOrder::Play(true));
        Ok(session)
    }

    fn list_scenes(&mut self, wished: Option<&str>) {
        let mut names = scene::list(&scene::library_dir());
        // The order of the tour; what others add follows alphabetically.
        let rank = |n: &str| {
            ["push", "reach", "fall", "collide"]
                .iter()
                .position(|k| *k == n)
        };
        names.sort_by_key(|n| (rank(n).unwrap_or(usize::MAX), n.clone()));
        if let Some(file) = wished.filter(|w| !names.iter().any(|n| n == w)) {
            names.insert(0, file.into());
        }
        self.state.scene_index = wished
            .and_then(|w| names.iter().position(|n| n == w))
            .unwrap_or(0);
        self.state.scenes = names
            .into_iter()
            .map(|name| SceneEntry {
                summary: scene::load(&name)
                    .map(|s| s.summary)
                    .map_err(|e| e.to_string()),
                name,
            })
            .collect();
    }

    fn open_scene(&mut self, index: usize) {
        let Some(entry) = self.state.scenes.get(index) else {
            self.state.complain(format!(
                "No scenes found in {}",
                scene::library_dir().display()
            ));
            return;
        };
        match scene::load(&entry.name) {
            Ok(scene) => {
                let scene = Arc::new(scene);
                self.state.scene_index = index;
                self.forget_imaginations();
                self.state.eye = Eye::standard(&scene).ok().map(Arc::new);
                self.state.scene = Some(scene.clone());
                self.state.score = Score::default();
                self.state.interventions.clear();
                self.state.record.moments.clear();
                self.state.cursor = Cursor::Live;
                self.state.note = None;
                let seed = self.state.record.seed;
                self.reality.tell(RealityOrder::Load(scene, seed));
                self.choose_driver();
                if !self.state.loading {
                    self.note_missing_planner();
                }
            }
            Err(e) => self.state.complain(e.to_string()),
        }
    }

    fn forget_imaginations(&mut self) {
        for back in self.backstage.values_mut() {
            back.imagination.cancel();
            back.judging.cancel();
        }
        for pane in &mut self.state.panes {
            pane.rollouts.clear();
            pane.busy = false;
        }
        self.branch = None;
        self.state.decision = None;
    }

    /// Does what a person asked for.
    pub fn apply(&mut self, command: Command) {
        match command {
            Command::TogglePlay => {
                self.state.playing = !self.state.playing;
                if self.state.playing {
                    self.state.cursor = Cursor::Live;
                }
                self.reality.tell(RealityOrder::Play(self.state.playing));
            }
            Command::Step => {
                self.pause();
                let next = self.state.shown() + 1;
                if next <= self.state.newest() {
                    self.state.cursor = Cursor::At(next);
                } else {
                    self.state.cursor = Cursor::Live;
                    self.reality.tell(RealityOrder::Step);
                }
            }
            Command::Reset => self
                .reality
                .tell(RealityOrder::Reset(self.state.record.seed)),
            Command::Seed(seed) => {
                self.state.record.seed = seed;
                self.reality.tell(RealityOrder::Reset(seed));
            }
            Command::RollSeed => {
                // Seeds for looking at lie in the held-out range; which one does not matter, only that they differ.
                self.rolled = self
                    .rolled
                    .wrapping_add(self.state.record.seed)
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                self.apply(Command::Seed(HELD_OUT_SEED + (self.rolled >> 33) % 100_000));
            }
            Command::Speed(speed) => {
                self.state.speed = speed.clamp(0.25, 4.0);
                self.reality.tell(RealityOrder::Speed(self.state.speed));
            }
            Command::Scene(index) => self.open_scene(index),
            Command::Driver(choice) => {
                self.wished = None;
                self.driver_is_chosen = true;
                self.set_driver(choice);
            }
            Command::NextDriver => self.next_driver(),
            Command::Waits(on) => {
                self.state.waits = on;
                self.reality.tell(RealityOrder::Waits(on));
            }
            Command::Continue(on) => {
                self.state.continues = on;
                self.reality.tell(RealityOrder::Continue(on));
            }
            Command::Scrub(moment) => {
                self.pause();
                self.state.cursor = Cursor::At(moment.min(self.state.newest()));
            }
            Command::Live => self.state.cursor = Cursor::Live,
            Command::BranchHere => self.branch_here(),
            Command::Nfe(pane, nfe) => {
                if let Some(pane) = self.state.panes.get_mut(pane) {
                    pane.nfe = nfe.clamp(1, 50);
                }
            }
            Command::ToggleDifference => self.state.show_difference ^= true,
            Command::ToggleGhosts => self.state.show_ghosts ^= true,
            Command::Intervene(target, value) => {
                self.state.interventions.insert(target.clone(), value);
                self.reality.tell(RealityOrder::Set(target, value));
            }
            Command::ClearInterventions => {
                self.state.interventions.clear();
                self.reality.tell(RealityOrder::ClearInterventions);
                self.reality
                    .tell(RealityOrder::Reset(self.state.record.seed));
            }
            Command::ToggleInterventions => self.state.show_interventions ^= true,
            Command::ToggleTimers => self.state.show_timers ^= true,
            Command::ToggleShortcuts => self.state.show_shortcuts ^= true,
            Command::ToggleTheme => self.state.light ^= true,
            Command::Zoom(factor) => {
                self.state.zoom = (self.state.zoom * factor).clamp(0.6, 2.5);
            }
            // These belong to the 3-D view, which reads them itself.
            Command::ResetCamera | Command::Orbit(..) => {}
        }
    }

    fn pause(&mut self) {
        if self.state.playing {
            self.state.playing = false;
            self.reality.tell(RealityOrder::Play(false));
        }
    }

    /// The action held on the keyboard at this moment.
    pub fn hold(&mut self, action: [f32; 2]) {
        if action != self.held {
            self.held = action;
            self.reality.tell(RealityOrder::Hold(action));
        }
    }

    /// Takes in everything that workers have reported, and gives them what is next.
    pub fn poll(&mut self) {
        self.hear_loading();
        while let Some(news) = self.reality.poll() {
            self.hear_reality(news);
        }
        self.hear_imaginations();
        self.branch_by_itself();
    }

    fn hear_reality(&mut self, news: News) {
        match news {
            News::Began(start) => self.begin_episode(start),
            News::Moment {
                episode,
                moment,
                step_ms,
                look_ms,
            } => {
                self.state.timers.physics.add(step_ms);
                self.state.timers.eye.add(look_ms);
                if episode == self.state.record.episode {
                    self.state.record.moments.push(moment);
                }
            }
            News::Decided(decision) => {
                // Following a plan is no decision: the newest plan stays on the screen.
                if decision.plan.is_some() {
                    self.state.timers.decision.add(decision.decide_ms);
                    self.state.planned_at = self.state.newest();
                    self.state.decision = Some(Arc::new(*decision));
                }
            }
            News::Ended { episode, success } => {
                if episode == self.state.record.episode
                    && let Some(success) = success
                {
                    self.state.record.outcome = Some(success);
                    self.state.score.episodes += 1;
                    self.state.score.successes += usize::from(success);
                }
            }
            News::Failed(message) => {
                self.state.playing = false;
                self.state.complain(message);
            }
        }
    }

    fn begin_episode(&mut self, start: EpisodeStart) {
        let current = self.state.scene.as_ref().map(|s| s.name.clone());
        if current.as_deref() != Some(start.scene.name.as_str()) {
            return;
        }
        self.forget_imaginations();
        self.state.cursor = Cursor::Live;
        if self.state.note_is_error {
            self.state.note = None;
        }
        self.state.record = Record {
            episode: start.episode,
            seed: start.seed,
            goal: start.goal,
            moments: vec![start.first],
            outcome: None,
        };
    }
}
