//! The conductor: passes commands to workers and what workers report to the [`State`]; it never waits for
//! them.
//!
//! `dreaming.rs` lets a person drive an imagination, `scenes.rs` shows scenes, `loading.rs` takes in
//! models, `driving.rs` decides who drives, `imagining.rs` keeps the models imagining, `masking.rs` hides
//! parts of clips from them, `hands.rs` lays hands on reality, `replays.rs` plays what was recorded.

mod dreaming;
mod driving;
mod hands;
mod imagining;
mod loading;
mod masking;
mod replays;
mod scenes;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;

use super::command::Command;
use super::state::*;
use crate::judge::Verdict;
use crate::model::{MaskedClip, WorldModel};
use crate::scene;
use crate::sim::HELD_OUT_SEED;
use crate::worker::{
    Desk, DreamStep, Dreamt, EpisodeStart, Imagine, Imagined, JudgeRollout, Loaded, MaskClip, News,
    RealityHandle, RealityOrder, Replay, Replayed, Watch, judging, load_models, replaying,
    spawn_reality,
};

/// What a pane has behind it.
struct Backstage {
    model: Option<Arc<dyn WorldModel>>,
    imagination: Desk<Imagine, Imagined>,
    judging: Desk<JudgeRollout, Verdict>,
    masking: Desk<MaskClip, MaskedClip>,
    /// Episode of the order under way, and its rollout as far as it is known.
    asked: (u64, Rollout),
    judged: (u64, usize),
    /// What the order under way masks.
    masks: MaskKey,
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
    /// Interventions on the first scene.
    pub set: Vec<(String, f32)>,
    /// A recorded episode to replay instead.
    pub replay: Option<Replay>,
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
    held: [f32; 4],
    /// What was held since the last dreamt step, if it was let go again.
    tapped: Option<[f32; 4]>,
    /// Looks after the file of the scene shown.
    watch: Option<Watch>,
    dreams: Desk<DreamStep, Dreamt>,
    dream_judge: Desk<JudgeRollout, Verdict>,
    dreamer: Option<dreaming::Dreamer>,
    replays: Desk<Replay, Replayed>,
    replays_shown: u64,
    /// Until when a replay's time has been used up.
    played_until: Instant,
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
            held: [0.0; 4],
            tapped: None,
            watch: None,
            dreams: Desk::open("dreaming", || crate::worker::dreaming)?,
            dream_judge: Desk::open("judge-dream", || judging)?,
            dreamer: None,
            replays: Desk::open("replaying", replaying)?,
            replays_shown: 0,
            played_until: Instant::now(),
        };
        session.list_scenes(start.scene.as_deref());
        session.choose_driver();
        session.state.record.seed = start.seed.unwrap_or(HELD_OUT_SEED);
        match &start.replay {
            Some(replay) => session.open_replay(replay.clone()),
            None => session.open_scene(session.state.scene_index),
        }
        for (target, value) in &start.set {
            session.apply(Command::Intervene(target.clone(), *value));
        }
        Ok(session)
    }

    fn forget_imaginations(&mut self) {
        for back in self.backstage.values_mut() {
            back.imagination.cancel();
            back.judging.cancel();
            back.masking.cancel();
        }
        for pane in &mut self.state.panes {
            pane.rollouts.clear();
            pane.busy = false;
            pane.masked = None;
        }
        self.branch = None;
        self.state.decision = None;
    }

    /// Does what a person asked for.
    pub fn apply(&mut self, command: Command) {
        match command {
            Command::Dream(index) => self.dream_in(index),
            Command::ToggleDream => self.toggle_dream(),
            Command::DreamAgain => self.dream_again(),
            Command::TogglePlay if self.state.dream.is_some() => self.hold_dream(),
            Command::Step if self.state.dream.is_some() => self.step_dream(),
            Command::Reset if self.state.dream.is_some() => self.dream_again(),
            Command::PlanView(view) => self.state.plan_view = view,
            Command::NextPlanView => {
                let at = self.state.plan_view as usize + 1;
                self.state.plan_view = PlanView::ALL[at % PlanView::ALL.len()];
            }
            Command::ToggleSpread => self.toggle_spread(),
            Command::MaskView(view) => self.state.mask_view = view,
            Command::NextMaskView => self.next_mask_view(),
            Command::TogglePlay => {
                self.state.playing = !self.state.playing;
                if self.state.replay.is_some() {
                    if self.state.playing && self.state.shown() == self.state.newest() {
                        self.state.cursor = Cursor::At(0);
                    }
                    return;
                }
                if self.state.playing {
                    self.state.cursor = Cursor::Live;
                }
                if self.state.playing && self.state.awaited.is_some() && !self.state.loading {
                    self.give_up_awaited();
                    return;
                }
                self.play(self.state.playing);
            }
            Command::Step if self.state.awaited.is_some() && self.state.replay.is_none() => {
                self.state
                    .say("The controller that was asked for is not there yet: nobody acts");
            }
            Command::Step => {
                self.pause();
                let next = self.state.shown() + 1;
                if next <= self.state.newest() || self.state.replay.is_some() {
                    self.state.cursor = Cursor::At(next);
                } else {
                    self.state.cursor = Cursor::Live;
                    self.reality.tell(RealityOrder::Step);
                }
            }
            Command::Reset if self.state.replay.is_some() => self.state.cursor = Cursor::At(0),
            Command::Reset => self
                .reality
                .tell(RealityOrder::Reset(self.state.record.seed)),
            Command::Seed(_) | Command::RollSeed if !self.is_touchable() => {}
            Command::Seed(seed) => {
                self.state.record.seed = seed;
                self.reality.tell(RealityOrder::Reset(seed));
            }
            Command::RollSeed => {
                // Seeds for looking at lie in the held-out range; which one does not matter, only that they
                // differ.
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
            Command::Driver(_) | Command::NextDriver if !self.is_touchable() => {}
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
            Command::ShowModel(index, shown) => self.show_model(index, shown),
            Command::ToggleDifference => self.state.show_difference ^= true,
            Command::ToggleGhosts => self.state.show_ghosts ^= true,
            Command::Intervene(..) | Command::ClearInterventions if !self.is_touchable() => {}
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
            Command::Grab(grip) => self.grab(grip),
            Command::Lead(to) => self.lead(to),
            Command::LetGo => self.let_go(),
            Command::Undo | Command::SaveMoment | Command::RestoreMoment
                if !self.is_touchable() => {}
            Command::Undo if self.state.undo.is_none() => {
                self.state
                    .say("Nothing to undo: nobody has disturbed reality");
            }
            Command::Undo => self.reality.tell(RealityOrder::Undo),
            Command::SaveMoment => self.reality.tell(RealityOrder::Save),
            Command::RestoreMoment if self.state.saved.is_none() => {
                self.state.say("No moment is saved: Ctrl+S saves one");
            }
            Command::RestoreMoment => self.reality.tell(RealityOrder::Restore),
            Command::Complain(what) => self.state.complain(what),
            Command::DismissError => self.state.note = None,
            Command::DismissFault => self.state.fault = None,
            Command::ReplayEpisode(episode) => {
                if let Some(shown) = &self.state.replay {
                    let file = shown.replay.file.clone();
                    self.open_replay(Replay { file, episode });
                }
            }
            // These belong to the 3-D view, which reads them itself.
            Command::ResetCamera | Command::Orbit(..) => {}
        }
    }

    fn pause(&mut self) {
        if self.state.playing {
            self.state.playing = false;
            self.play(false);
        }
    }

    /// The action held on the keyboard at this moment.
    pub fn hold(&mut self, action: [f32; 4]) {
        if action != self.held {
            self.held = action;
            if action != [0.0; 4] {
                self.tapped = Some(action);
            }
            if self.state.dream.is_none() {
                self.reality.tell(RealityOrder::Hold(action));
            }
        }
    }

    /// Takes in everything that workers have reported, and gives them what is next.
    pub fn poll(&mut self) {
        self.hear_loading();
        self.hear_watch();
        self.hear_replays();
        while let Some(news) = self.reality.poll() {
            self.hear_reality(news);
        }
        self.hear_imaginations();
        self.dream_on();
        self.branch_by_itself();
        self.mask_clips();
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
            News::Rewound(rewound) => self.take_rewound(*rewound),
            News::Amended {
                episode,
                moment,
                goal,
                goes_on,
            } => {
                let record = &mut self.state.record;
                if episode != record.episode {
                    return;
                }
                record.amended += 1;
                if let Some(newest) = record.moments.last_mut() {
                    *newest = moment;
                }
                if goes_on {
                    record.outcome = None;
                    record.reached = None;
                    if let Some(first) = record.moments.first() {
                        self.state.score.forget(first);
                    }
                }
                let shown = std::mem::replace(&mut record.goal, goal);
                // While the goal is being moved, the hand knows better where it is.
                if let (Some(Grip::Goal(target, _)), Some(new), Some(shown)) =
                    (&self.state.grip, &mut record.goal, shown)
                    && let Some(hand) = shown.state.targets.get(*target)
                    && let Some(t) = Arc::make_mut(&mut new.state).targets.get_mut(*target)
                {
                    (t.position[0], t.position[2]) = (hand.position[0], hand.position[2]);
                }
            }
            News::Marked { episode, marks } => {
                if episode == self.state.record.episode {
                    self.state.record.marks = marks;
                }
            }
            News::WayBack { undo, saved } => {
                if self.state.replay.is_none() {
                    if saved.is_some() && saved != self.state.saved {
                        self.state.say("This moment is saved: Ctrl+R returns to it");
                    }
                    self.state.undo = undo;
                    self.state.saved = saved;
                }
            }
            News::Solids(solids) => {
                if self.state.replay.is_none() {
                    self.state.solids = solids;
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
                    self.state.record.reached = success.then_some(self.state.newest());
                    if let Some(first) = self.state.record.moments.first() {
                        self.state.score.count(first, success);
                    }
                }
            }
            News::Failed(message) => {
                self.state.playing = false;
                self.state.complain(message);
                self.state.note_is_of_episode = true;
            }
        }
    }

    fn begin_episode(&mut self, start: EpisodeStart) {
        if !self.is_shown(&start.scene) {
            return;
        }
        self.forget_imaginations();
        self.wake();
        self.place_eye(&start.scene, start.seed);
        self.state.cursor = Cursor::Live;
        if self.state.note_is_of_episode {
            self.state.note = None;
        }
        self.state.record = Record {
            episode: start.episode,
            seed: start.seed,
            goal: start.goal,
            moments: vec![start.first],
            outcome: None,
            reached: None,
            marks: Vec::new(),
            amended: 0,
        };
    }
}
