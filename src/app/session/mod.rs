//! The conductor: passes commands to workers and what workers report to the [`State`]; it never waits for
//! them.
//!
//! `applying.rs` does what a person asked for, `showing.rs` lets time run on the screen, `seeking.rs` looks
//! for failures, `opening.rs` plays the first minute, `dreaming.rs` lets a person drive an imagination,
//! `scenes.rs` shows scenes, `loading.rs` takes in models, `driving.rs` decides who drives, `gallery.rs`
//! keeps what went wrong and goes back to it, `imagining.rs` keeps the models imagining, `masking.rs` hides
//! parts of clips from them, `hands.rs` lays hands on reality, `replays.rs` shows what was recorded,
//! `screens.rs` goes from screen to screen,
//! `surprising.rs` shows impossible events.

mod applying;
mod dreaming;
mod driving;
mod gallery;
mod hands;
mod imagining;
mod loading;
mod masking;
mod opening;
mod race;
mod replays;
mod scenes;
mod screens;
mod seeking;
mod showing;
mod surprising;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::command::Command;
use super::figures::{Measured, read_figures};
use super::screens::gallery::{Fault, shipped};
use super::screens::surprise::work::{Done, Work, surprising as surprise_work};
use super::state::*;
use crate::judge::Verdict;
use crate::model::{MaskedClip, WorldModel};
use crate::scene;
use crate::sim::HELD_OUT_SEED;
use crate::worker::{
    Desk, DreamStep, Dreamt, EpisodeStart, Imagine, Imagined, JudgeRollout, LoadFirst, Loaded,
    MaskClip, News, RealityHandle, RealityOrder, Replay, Replayed, Watch, add_deed, judging,
    load_models, places, replaying, spawn_reality,
};

/// A decision that takes longer than this is noticed.
const NOTICED: Duration = Duration::from_millis(350);

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
    /// How planners search: horizon, candidates, iterations, steps before the next plan; what is `None`, each
    /// model chooses.
    pub search: [Option<usize>; 4],
    /// Whether planners go from one structured moment to the next, where their models learned them.
    pub stations: bool,
    /// A recorded episode to replay instead.
    pub replay: Option<Replay>,
    /// Whether the opening plays, until somebody does something.
    pub opening: bool,
}

/// The running app without its window.
pub struct Session {
    /// What is shown.
    pub state: State,
    reality: RealityHandle,
    loading: Vec<Receiver<Loaded>>,
    /// While it is open, models that are not looked at wait.
    rest_of_models: Option<Sender<()>>,
    backstage: HashMap<String, Backstage>,
    wished: Option<String>,
    /// How planners are to search, until it is known how they would by themselves.
    wished_search: [Option<usize>; 4],
    wished_stations: bool,
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
    player: showing::Player,
    /// Whether Explore played when another screen was opened.
    rested: bool,
    /// Seeds that were looked through for a failure.
    hunted: u32,
    /// The model and the kind of failure that is looked for; `None`: any.
    hunts: Option<(String, Fault)>,
    /// The entry of the gallery whose moment is waited for.
    seek: Option<gallery::Seek>,
    /// Films of impossible events, and what models make of them.
    surprising: Desk<Work, Done>,
    /// Since when the picture of the Surprise screen is shown.
    shown_since: Instant,
    /// Pairs of its game in a row that came to nothing.
    pairs_failed: u64,
    /// What the race has behind it.
    racing: race::Conductor,
    /// The shipped report, while it is read.
    report: Option<Receiver<shipped::Read>>,
    /// Frames of the window that were drawn; without a window nothing is ever unseen.
    drawn: u64,
    figures: Option<Receiver<Measured>>,
    /// When reality last told something.
    heard: Instant,
    /// A command line that is to be copied.
    copied: Option<String>,
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
            loading: Vec::new(),
            rest_of_models: None,
            backstage: HashMap::new(),
            wished: start.controller.clone(),
            wished_search: start.search,
            wished_stations: start.stations,
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
            player: showing::Player::default(),
            rested: false,
            racing: race::Conductor::open()?,
            hunted: 0,
            hunts: None,
            seek: None,
            surprising: Desk::open("judge-surprise", || surprise_work)?,
            shown_since: Instant::now(),
            pairs_failed: 0,
            report: Some(shipped::begin(&scene::models_dir())?),
            drawn: 0,
            figures: Some(read_figures(&scene::models_dir())?),
            heard: Instant::now(),
            copied: None,
        };
        session.list_scenes(start.scene.as_deref());
        session.choose_driver();
        session.state.record.seed = start.seed.unwrap_or(HELD_OUT_SEED);
        match &start.replay {
            Some(replay) => session.open_replay(replay.clone()),
            None if start.opening => session.open_with_a_story(),
            None => session.open_scene(session.state.scene_index),
        }
        if session.state.scene.is_none() && start.replay.is_none() {
            session.open_scene(session.state.scene_index);
        }
        // The models of the scene that is shown are loaded first. Where one of them may have to drive, none
        // waits.
        let scene = session.state.scene.as_ref();
        let mut order = LoadFirst {
            scene: scene.map_or("push", |s| s.name.as_str()).into(),
            named: session.state.slots.iter().flatten().cloned().collect(),
            rest: None,
        };
        if start.opening && !session.state.has_actions() {
            let (open, rest) = bounded(0);
            (session.rest_of_models, order.rest) = (Some(open), Some(rest));
        }
        session
            .loading
            .push(load_models(&scene::models_dir(), order)?);
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
        if self.rest_of_models.is_some() && self.state.has_first_films() {
            self.rest_of_models = None;
        }
        self.hear_watch();
        self.hear_replays();
        while let Some(news) = self.reality.poll() {
            self.hear_reality(news);
            self.heard = Instant::now();
        }
        let runs = self.state.playing && self.state.stage != Stage::Showing;
        let waited = self.heard.elapsed() > NOTICED && self.state.has_actions();
        self.state.thinks = runs && waited && !self.state.record.moments.is_empty();
        self.race_on();
        self.track_reality();
        self.hear_imaginations();
        self.dream_on();
        self.branch_by_itself();
        self.mask_clips();
        self.go_on_showing();
        self.hunt_on();
        self.seek_on();
        self.hear_report();
        self.surprise_on();
        self.open_on();
        if let Some(measured) = self.figures.as_ref().and_then(|f| f.try_recv().ok()) {
            self.state.measured = Some(Arc::new(measured));
            self.figures = None;
        }
    }

    /// A frame of the window was drawn: what it showed is no longer unseen.
    pub fn was_drawn(&mut self) {
        self.drawn += 1;
        let watched: Vec<usize> = self.state.watched_panes().map(|(i, _)| i).collect();
        for index in watched {
            if let Some(pane) = self.state.panes.get_mut(index) {
                pane.unseen = false;
            }
        }
    }

    /// A command line that is to be copied, once.
    pub fn take_copied(&mut self) -> Option<String> {
        self.copied.take()
    }

    /// Whether anything is under way that will change the screen by itself.
    pub fn is_busy(&self) -> bool {
        let state = &self.state;
        let runs = state.playing && !state.record.moments.is_empty();
        runs || state.loading
            || self.figures.is_some()
            || self.report.is_some()
            || self.seek.is_some()
            || self.surprise_moves()
            || state.record.moments.is_empty() && !state.note_is_error
            || state.dream.as_ref().is_some_and(|d| !d.paused)
            || state.panes.iter().any(|p| p.busy)
            || self
                .backstage
                .values()
                .any(|b| b.judging.is_busy() || b.masking.is_busy())
            || self.replays.is_busy()
            || self.dreams.is_busy()
            || state.grip.is_some()
            || state.exporting.is_some()
            || !state.toasts.is_empty()
            || self.racing.is_busy()
            || state.screen == Screen::Race && state.race.plays()
    }

    /// Finds the bodies in the pictures of the moments that are new.
    fn track_reality(&mut self) {
        let Some(tracker) = &self.state.tracker else {
            return;
        };
        let record = &mut self.state.record;
        let first = record.tracks.len();
        for moment in record.moments.iter().skip(first) {
            let size = (moment.rgb.len() / 3).isqrt();
            record.tracks.push(places(tracker, size, &moment.rgb));
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
                    let newest = self.state.record.moments.len();
                    self.state.gallery.complete(episode, newest, &moment.rgb);
                    self.state.record.moments.push(moment);
                }
            }
            News::Rewound(rewound) => self.take_rewound(*rewound),
            News::Did { episode, at, deed } => {
                if episode == self.state.record.episode {
                    add_deed(&mut self.state.record.deeds, at, deed);
                }
            }
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
                    record.tracks.truncate(record.moments.len() - 1);
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
            News::WayBack { undo, redo, saved } => {
                if self.state.replay.is_none() {
                    if saved.is_some() && saved != self.state.saved {
                        self.state.say("This moment is saved: Ctrl+R returns to it");
                    }
                    self.state.undo = undo;
                    self.state.redo = redo;
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
            deeds: start.deeds,
            ..Record::default()
        };
        self.prepare();
    }
}
