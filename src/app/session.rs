//! The conductor: passes commands to workers and what workers report to the [`State`]; it never waits for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use crossbeam_channel::{Receiver, TryRecvError};

use super::command::Command;
use super::state::*;
use crate::camera::Eye;
use crate::judge::Violation;
use crate::model::oracle::Oracle;
use crate::model::{Camp, WorldModel};
use crate::planner::{Budget, Cem, Controller, Mpc, OracleMpc, Random};
use crate::scene::{self, Scene};
use crate::sim::HELD_OUT_SEED;
use crate::worker::{
    Desk, Driver, EpisodeStart, Imagine, Imagined, JudgeRollout, Loaded, News, RealityHandle,
    RealityOrder, context_at, imagination, judging, load_models, spawn_reality,
};

/// Frames of context that the judge is shown, and that must be there before models imagine by themselves.
const CONTEXT_FRAMES: usize = 4;
/// Control steps for which a plan is followed before the next one is made.
const REPLAN_EVERY: usize = 5;
/// Models that imagine faster than this follow every change of the plan; slower ones only what reality did otherwise.
const QUICK_MS: f32 = 100.0;
/// Rollouts that a pane keeps of one episode.
const MAX_ROLLOUTS: usize = 64;
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
        let rank = |n: &str| ["push", "reach", "fall", "collide"].iter().position(|k| *k == n);
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

    /// Lists the controllers of this scene, and picks one that works if none was chosen or the chosen one does not.
    fn choose_driver(&mut self) {
        self.state.drivers = self.driver_options();
        let works = |s: &State, c: &DriverChoice| {
            s.drivers.iter().any(|d| d.choice == *c && d.problem.is_none())
        };
        let wished = self.wished.clone();
        let wish = wished.as_deref().and_then(|w| self.find_driver(w));
        let planner = self
            .find_driver("jepa")
            .filter(|_| !self.driver_is_chosen && self.wished.is_none());
        let current = Some(self.state.driver.clone()).filter(|_| self.driver_is_chosen);
        let fallback = [DriverChoice::Oracle, DriverChoice::Random];
        let choice = [wish, planner, current]
            .into_iter()
            .flatten()
            .chain(fallback)
            .find(|c| works(&self.state, c))
            .unwrap_or(DriverChoice::Keyboard);
        self.set_driver(choice);
    }

    fn find_driver(&self, wish: &str) -> Option<DriverChoice> {
        let by_camp = |camp| {
            self.state
                .scene_panes()
                .find(|(_, p)| p.camp() == Some(camp) && p.status == PaneStatus::Ready)
                .map(|(_, p)| DriverChoice::Planner(p.name.clone()))
        };
        match wish {
            "jepa" => by_camp(Camp::Jepa),
            "generative" => by_camp(Camp::Generative),
            "oracle" => Some(DriverChoice::Oracle),
            "random" => Some(DriverChoice::Random),
            "keyboard" => Some(DriverChoice::Keyboard),
            name => self
                .backstage
                .get(name)
                .filter(|b| b.model.is_some())
                .map(|_| DriverChoice::Planner(name.into())),
        }
    }

    fn driver_options(&self) -> Vec<DriverOption> {
        let no_task = (!self.state.has_actions()).then(|| "This scene has no actions".to_string());
        let mut options: Vec<DriverOption> = self
            .state
            .scene_panes()
            .filter(|(_, p)| p.card.is_some())
            .map(|(_, p)| DriverOption {
                choice: DriverChoice::Planner(p.name.clone()),
                label: match p.camp() {
                    Some(Camp::Jepa) => format!("JEPA planner · {}", p.name),
                    Some(Camp::Generative) => format!("Generative planner · {}", p.name),
                    _ => format!("Planner · {}", p.name),
                },
                problem: no_task.clone().or_else(|| match &p.status {
                    PaneStatus::Ready => None,
                    PaneStatus::Loading => Some("Still loading".into()),
                    PaneStatus::Failed(e) => Some(e.clone()),
                }),
            })
            .collect();
        // Planners in latent space come first: they are what the app is about, and the fastest.
        options.sort_by_key(|o| !o.label.starts_with("JEPA"));
        for (choice, label) in [
            (DriverChoice::Oracle, "Oracle · fork of reality"),
            (DriverChoice::Random, "Random actions"),
            (DriverChoice::Keyboard, "You · arrows or WASD"),
        ] {
            options.push(DriverOption {
                choice,
                label: label.into(),
                problem: no_task.clone(),
            });
        }
        options
    }

    fn set_driver(&mut self, choice: DriverChoice) {
        if choice != self.state.driver {
            self.state.score = Score::default();
        }
        self.state.driver = choice.clone();
        self.state.decision = None;
        if let Some(driver) = self.build_driver(&choice) {
            self.reality.tell(RealityOrder::Drive(driver));
        }
    }

    fn build_driver(&self, choice: &DriverChoice) -> Option<Driver> {
        let model = match choice {
            DriverChoice::Planner(name) => Some(self.backstage.get(name)?.model.clone()?),
            _ => None,
        };
        let controller: Box<dyn Controller> = match (choice, &model) {
            (DriverChoice::Keyboard, _) => return Some(Driver::Keyboard),
            (DriverChoice::Planner(_), Some(model)) => {
                // Pixels cost a hundred times what latents cost: their planner gets a budget that a person can wait for.
                let budget = match model.card().camp {
                    Camp::Generative => Budget::SMALL,
                    _ => Budget::PAPER,
                };
                Box::new(Mpc::new(
                    model.clone(),
                    Cem::default(),
                    budget,
                    REPLAN_EVERY,
                ))
            }
            (DriverChoice::Oracle, _) => {
                let oracle = Arc::new(Oracle::new(self.state.scene.as_deref()?));
                Box::new(OracleMpc::new(oracle, Budget::ORACLE, REPLAN_EVERY))
            }
            _ => Box::new(Random::new(self.state.record.seed)),
        };
        Some(Driver::Controller {
            controller: Arc::new(Mutex::new(controller)),
            preview: model.filter(|m| m.card().camp != Camp::Generative),
        })
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
            Command::Reset => self.reality.tell(RealityOrder::Reset(self.state.record.seed)),
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
                self.reality.tell(RealityOrder::Reset(self.state.record.seed));
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

    fn next_driver(&mut self) {
        let usable: Vec<&DriverOption> = self
            .state
            .drivers
            .iter()
            .filter(|d| d.problem.is_none())
            .collect();
        let at = usable.iter().position(|d| d.choice == self.state.driver);
        let next = at.map_or(0, |i| (i + 1) % usable.len().max(1));
        if let Some(choice) = usable.get(next).map(|d| d.choice.clone()) {
            self.apply(Command::Driver(choice));
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

    fn hear_loading(&mut self) {
        loop {
            match self.loading.as_ref().map(Receiver::try_recv) {
                Some(Ok(Loaded::Found { name, card })) => {
                    let mut pane = Pane {
                        name,
                        nfe: DEFAULT_NFE,
                        ..Pane::default()
                    };
                    match card {
                        Ok(card) => pane.card = Some(*card),
                        Err(e) => pane.status = PaneStatus::Failed(e),
                    }
                    self.state.panes.push(pane);
                    self.state.drivers = self.driver_options();
                }
                Some(Ok(Loaded::Ready { name, model, took })) => {
                    tracing::info!("{name}: loaded in {:.0} ms", took.as_secs_f64() * 1e3);
                    self.take_model(&name, model);
                }
                Some(Err(TryRecvError::Disconnected)) => {
                    self.loading = None;
                    self.state.loading = false;
                    self.note_missing_planner();
                }
                Some(Err(TryRecvError::Empty)) | None => return,
            }
        }
    }

    fn note_missing_planner(&mut self) {
        if self.state.has_actions()
            && self.state.driver == DriverChoice::Oracle
            && !self.driver_is_chosen
            && self.wished.is_none()
        {
            self.state
                .say("No JEPA model for this scene is loaded: the oracle drives instead");
        }
    }

    fn take_model(&mut self, name: &str, model: Result<Arc<dyn WorldModel>, String>) {
        let opened = model.and_then(|model| {
            let parameters = model.cost().parameters;
            let thread = |kind: &str| format!("{kind}-{name}");
            let back = Backstage {
                model: Some(model),
                imagination: Desk::open(&thread("imagine"), || imagination)
                    .map_err(|e| e.to_string())?,
                judging: Desk::open(&thread("judge"), || judging).map_err(|e| e.to_string())?,
                asked: (0, Rollout::default()),
                judged: (0, 0),
            };
            Ok((back, parameters))
        });
        let Some(pane) = self.state.panes.iter_mut().find(|p| p.name == name) else {
            return;
        };
        match opened {
            Ok((back, parameters)) => {
                pane.status = PaneStatus::Ready;
                pane.parameters = parameters;
                self.backstage.insert(name.into(), back);
            }
            Err(e) => pane.status = PaneStatus::Failed(e),
        }
        let before = self.state.driver.clone();
        self.state.drivers = self.driver_options();
        if !self.driver_is_chosen {
            let wish = self.wished.clone().unwrap_or_else(|| "jepa".into());
            if let Some(choice) = self.find_driver(&wish).filter(|c| *c != before) {
                if self.state.has_actions() {
                    self.set_driver(choice);
                }
            }
        }
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

    fn hear_imaginations(&mut self) {
        let (episode, scene) = (self.state.record.episode, self.state.scene.clone());
        for pane in &mut self.state.panes {
            let Some(back) = self.backstage.get_mut(&pane.name) else {
                continue;
            };
            if let Some(report) = back.imagination.poll() {
                pane.busy = false;
                let took_ms = report.took.as_secs_f32() * 1e3;
                let (of, rollout) = std::mem::take(&mut back.asked);
                let branch = rollout.branch;
                match report.result {
                    Ok(_) if of != episode => {}
                    Ok(imagined) => {
                        self.state.timers.rollout(&pane.name).add(took_ms);
                        pane.status = PaneStatus::Ready;
                        if let Some(scene) = scene.clone() {
                            let moments = &self.state.record.moments;
                            back.judged = (episode, branch);
                            back.judging.ask(JudgeRollout {
                                scene,
                                real: context_at(moments, branch, CONTEXT_FRAMES).frames,
                                imagined: imagined.clone(),
                            });
                        }
                        // What was found before stays on the screen until the judge is through again.
                        let violations = pane
                            .rollout(branch)
                            .map(|r| r.violations.clone())
                            .unwrap_or_default();
                        pane.rollouts.retain(|r| r.branch != branch);
                        if pane.rollouts.len() == MAX_ROLLOUTS {
                            pane.rollouts.remove(0);
                        }
                        pane.rollouts.push(Rollout {
                            imagined,
                            took_ms,
                            violations,
                            ..rollout
                        });
                    }
                    Err(e) => pane.status = PaneStatus::Failed(e),
                }
            }
            if let Some(report) = back.judging.poll() {
                self.state.timers.judge.add(report.took.as_secs_f32() * 1e3);
                let (of, branch) = back.judged;
                let rollout = pane.rollouts.iter_mut().find(|r| r.branch == branch);
                if let (true, Some(rollout)) = (of == episode, rollout) {
                    rollout.judged = true;
                    match report.result {
                        Ok(violations) => rollout.violations = violations,
                        Err(e) => tracing::warn!("{}: not judged: {e}", pane.name),
                    }
                }
            }
        }
    }

    /// While reality plays, every model imagines from a branch that moves on every [`HORIZON`] steps. What reality will do is
    /// not known yet: the plan stands in for it, and a rollout is imagined anew once reality has acted otherwise.
    fn branch_by_itself(&mut self) {
        if !self.state.playing || self.state.record.moments.is_empty() {
            return;
        }
        let Some(scene) = self.state.scene.clone() else {
            return;
        };
        let newest = self.state.newest();
        let plans = matches!(
            self.state.driver,
            DriverChoice::Oracle | DriverChoice::Planner(_)
        );
        let branch = match self.branch {
            Some(b) if newest < b + HORIZON => b,
            Some(_) => newest,
            // A plan is on its way: worth waiting for.
            None if self.state.has_actions() => {
                if plans && self.state.decision.is_none() && newest < 5 {
                    return;
                }
                0
            }
            // Velocities can only be seen over several frames.
            None if newest + 1 >= CONTEXT_FRAMES => newest,
            None => return,
        };
        self.branch = Some(branch);
        let (actions, source) = self.actions_from(branch, &scene);
        let taken = newest - branch;
        let panes: Vec<usize> = self.state.scene_panes().map(|(i, _)| i).collect();
        for index in panes {
            let pane = &self.state.panes[index];
            let stale = pane.rollout(branch).is_none_or(|r| {
                let same = if r.took_ms < QUICK_MS { HORIZON } else { taken };
                !alike(&r.actions, &actions, same)
            });
            if stale && !pane.busy {
                self.ask_to_imagine(index, branch, &actions, source, &scene);
            }
        }
    }

    fn branch_here(&mut self) {
        if self.state.record.moments.is_empty() {
            return;
        }
        if !self.state.scene_panes().any(|(_, p)| p.status == PaneStatus::Ready) {
            self.state.say("No model of this scene is ready to imagine");
            return;
        }
        let branch = self.state.shown();
        self.imagine_from(branch);
    }

    /// Lets every model of the scene imagine [`HORIZON`] steps from a moment.
    fn imagine_from(&mut self, branch: usize) {
        let Some(scene) = self.state.scene.clone() else {
            return;
        };
        let (actions, source) = self.actions_from(branch, &scene);
        let panes: Vec<usize> = self.state.scene_panes().map(|(i, _)| i).collect();
        for index in panes {
            self.ask_to_imagine(index, branch, &actions, source, &scene);
        }
    }

    fn ask_to_imagine(
        &mut self,
        index: usize,
        branch: usize,
        actions: &[Vec<f32>],
        source: ActionSource,
        scene: &Scene,
    ) {
        let pane = &mut self.state.panes[index];
        let Some(back) = self.backstage.get_mut(&pane.name) else {
            return;
        };
        let Some(model) = back.model.clone().filter(|_| pane.status == PaneStatus::Ready) else {
            return;
        };
        let rollout = Rollout {
            branch,
            source,
            actions: actions.to_vec(),
            ..Rollout::default()
        };
        back.asked = (self.state.record.episode, rollout);
        let context = context_at(&self.state.record.moments, branch, model.context_frames());
        back.imagination.ask(Imagine {
            model,
            context,
            actions: actions.to_vec(),
            dim: scene.actions.dim(),
            nfe: pane.nfe,
        });
        pane.busy = true;
    }

    /// The actions after a moment: those that were taken, then those of the plan, else the last one held.
    fn actions_from(&self, branch: usize, scene: &Scene) -> (Vec<Vec<f32>>, ActionSource) {
        let dim = scene.actions.dim();
        if dim == 0 {
            return (vec![Vec::new(); HORIZON], ActionSource::None);
        }
        let moments = &self.state.record.moments;
        let taken = moments.iter().skip(branch + 1).take(HORIZON);
        let mut actions: Vec<Vec<f32>> = taken.map(|m| m.action.clone()).collect();
        if actions.len() == HORIZON {
            return (actions, ActionSource::Taken);
        }
        let plan = self.state.decision.as_ref().and_then(|d| d.plan.as_ref());
        let source = match plan {
            Some(plan) if !plan.actions.is_empty() => {
                let missing = HORIZON - actions.len();
                let done = self.state.newest().saturating_sub(self.state.planned_at);
                actions.extend(plan.actions.iter().skip(done).take(missing).cloned());
                ActionSource::Planned
            }
            _ => ActionSource::Held,
        };
        let last = actions
            .last()
            .or(moments.get(branch).map(|m| &m.action))
            .filter(|a| a.len() == dim)
            .cloned()
            .unwrap_or_else(|| vec![0.0; dim]);
        actions.resize(HORIZON, last);
        (actions, source)
    }
}

/// Whether two action sequences agree, near enough for a picture, over the first `steps`.
fn alike(a: &[Vec<f32>], b: &[Vec<f32>], steps: usize) -> bool {
    let near = |x: &f32, y: &f32| (x - y).abs() < 0.05;
    a.len() >= steps.min(b.len())
        && a.iter()
            .zip(b)
            .take(steps)
            .all(|(p, q)| p.len() == q.len() && p.iter().zip(q).all(|(x, y)| near(x, y)))
}
