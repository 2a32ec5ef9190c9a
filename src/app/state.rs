//! What the app shows, as plain data: panels read it, commands and workers change it, no window is needed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

pub use super::driver::DriverChoice;
use super::figures::Measured;
pub use super::pane::*;
pub use super::score::Score;
pub use super::screen::Screen;
use super::screens::{gallery::Gallery, race::RaceState, surprise::Surprise};
pub use super::show::*;
use super::timing::Timers;
use crate::camera::Eye;
use crate::judge::Tracker;
use crate::scene::{ActionSpace, Law, Scene};
use crate::worker::{Decision, Deed, GoalShown, Mark, Moment, Replay, Solid};

/// Control steps that a rollout spans.
pub const HORIZON: usize = 20;
/// Futures of one action sequence that show its spread.
pub const SAMPLES: usize = 6;

/// One entry of the controller picker.
#[derive(Clone, Debug, PartialEq)]
pub struct DriverOption {
    /// What it picks.
    pub choice: DriverChoice,
    /// What it is called.
    pub label: String,
    /// Why it cannot be picked, if so.
    pub problem: Option<String>,
}

/// One entry of the scene picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SceneEntry {
    /// File stem.
    pub name: String,
    /// One sentence, or why the file cannot be used.
    pub summary: Result<String, String>,
    /// Whether somebody can act in it.
    pub has_actions: bool,
}

/// The episode as far as it went.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Counts up with each episode.
    pub episode: u64,
    /// The seed.
    pub seed: u64,
    /// The goal, in scenes with a task.
    pub goal: Option<GoalShown>,
    /// All moments, the start first.
    pub moments: Vec<Arc<Moment>>,
    /// Whether the task was achieved, once the episode ended.
    pub outcome: Option<bool>,
    /// The moment at which the task was achieved.
    pub reached: Option<usize>,
    /// Disturbances, oldest first.
    pub marks: Vec<Mark>,
    /// What was done besides acting, and after which moment: what a saved session needs.
    pub deeds: Vec<(usize, Deed)>,
    /// Where the tracked bodies are in what the eye saw, `[moments][bodies]`, pixels.
    pub tracks: Vec<Vec<Option<[f32; 2]>>>,
    /// Counts how often the newest moment or the goal was changed by a disturbance.
    pub amended: u64,
}

/// What the mouse holds in the 3-D view.
#[derive(Clone, Debug, PartialEq)]
pub enum Grip {
    /// The view, which turns.
    View,
    /// One of the goal's bodies (the task's own first), at this distance (x, z) from its middle, metres.
    Goal(usize, [f32; 2]),
    /// A body.
    Body(BodyGrip),
}

/// A body held with the mouse. Places are in world metres.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BodyGrip {
    /// Body index.
    pub body: usize,
    /// From the body's centre to where it is held, in the body's own frame.
    pub point_in_body: [f32; 3],
    /// Where it was taken hold of.
    pub from: [f32; 3],
    /// The direction in which the view looked then: the pointer moves in the plane across it.
    pub across: [f32; 3],
    /// Where the pointer is in that plane.
    pub to: [f32; 3],
    /// Whether letting go strikes it; else it is pulled all the while.
    pub strikes: bool,
}

/// Newton seconds of an impulse for each kilogram and metre of the arrow: as if it sprang back within a
/// quarter of a second.
const STRIKE_PER_KG_M: f32 = 4.0;

/// A recorded episode that is played again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayShown {
    /// File and episode.
    pub replay: Replay,
    /// Episodes in the file.
    pub episodes: u64,
    /// The first moment that differs from the recording, and how; `None` before it is known.
    pub verdict: Option<Result<(), (usize, String)>>,
}

/// A world that only a model imagines, driven by a person.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dream {
    /// The dreaming model's folder.
    pub model: String,
    /// The moment of reality that it set out from.
    pub from: usize,
    /// Imagined steps since.
    pub steps: usize,
    /// The newest frame, `[size, size, 3]` bytes: real until the first step is imagined.
    pub frame: Arc<Vec<u8>>,
    /// The action that led to it, `[A]`.
    pub action: Vec<f32>,
    /// Frames a second, smoothed; 0 before it is known.
    pub per_s: f32,
    /// Whether it is stopped.
    pub paused: bool,
    /// Why it cannot go on.
    pub problem: Option<String>,
    /// Where the newest judged frame breaks which law: x0, y0, x1, y1 in pixels (exclusive).
    pub marks: Vec<(Law, [u16; 4])>,
    /// Violations since it set out, by law.
    pub found: BTreeMap<Law, usize>,
}

/// Which moment is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cursor {
    /// The newest; panes follow as closely as their models can.
    #[default]
    Live,
    /// This one, everywhere.
    At(usize),
}

/// The whole screen.
pub struct State {
    /// The scene picker.
    pub scenes: Vec<SceneEntry>,
    /// Index of the scene shown.
    pub scene_index: usize,
    /// The scene shown.
    pub scene: Option<Arc<Scene>>,
    /// The eye of that scene, for drawing into its picture.
    pub eye: Option<Arc<Eye>>,
    /// Finds bodies in the eye's pictures of that scene.
    pub tracker: Option<Arc<Tracker>>,
    /// What fills the window.
    pub screen: Screen,
    /// What went wrong so far, and in the shipped report.
    pub gallery: Gallery,
    /// Impossible events, and the game of the fake.
    pub surprise: Surprise,
    /// The race.
    pub race: RaceState,
    /// Whether time goes on.
    pub playing: bool,
    /// What time does.
    pub stage: Stage,
    /// The moments between which what was recorded plays around.
    pub range: Option<(usize, usize)>,
    /// Whether episodes are looked through for a failure.
    pub hunting: bool,
    /// The failure that is looked at: model, moment.
    pub focus: Option<(usize, usize)>,
    /// The opening, while it plays.
    pub opening: Option<Opening>,
    /// Times real time.
    pub speed: f32,
    /// Whether reality waits while the controller thinks.
    pub waits: bool,
    /// Whether the next seed follows when an episode ends.
    pub continues: bool,
    /// Who drives.
    pub driver: DriverChoice,
    /// The controller that was asked for and is not there (yet): nobody drives in its place.
    pub awaited: Option<String>,
    /// The controller picker.
    pub drivers: Vec<DriverOption>,
    /// The episode.
    pub record: Record,
    /// The moment looked at.
    pub cursor: Cursor,
    /// One a model, whatever its scene.
    pub panes: Vec<Pane>,
    /// Whether models are still being looked for or loaded.
    pub loading: bool,
    /// The newest decision.
    pub decision: Option<Arc<Decision>>,
    /// Whether reality waits for a decision that takes long enough to be noticed.
    pub thinks: bool,
    /// The newest moment when it was made.
    pub planned_at: usize,
    /// Successes so far.
    pub score: Score,
    /// What went wrong or is worth knowing, in one sentence.
    pub note: Option<String>,
    /// Whether the note is an error.
    pub note_is_error: bool,
    /// Whether it is settled once another episode begins.
    pub note_is_of_episode: bool,
    /// What is wrong with the scene's file since it was saved.
    pub fault: Option<String>,
    /// Counts the scenes that were shown, also those that were loaded anew.
    pub scene_version: u64,
    /// The bodies' colliders.
    pub solids: Vec<Solid>,
    /// What the mouse holds.
    pub grip: Option<Grip>,
    /// What an undo would undo.
    pub undo: Option<String>,
    /// What a redo would do again.
    pub redo: Option<String>,
    /// The moment that was saved.
    pub saved: Option<String>,
    /// The recorded episode that is shown, instead of a running one.
    pub replay: Option<ReplayShown>,
    /// Interventions in force.
    pub interventions: BTreeMap<String, f32>,
    /// What stands at the right.
    pub dock: Dock,
    /// The film that fills the room of all.
    pub enlarged: Option<Film>,
    /// Models that a person chose, by place.
    pub slots: [Option<String>; super::slots::SLOTS],
    /// How imaginations are held against the truth.
    pub compare: Compare,
    /// Where the line of a wipe is, from 0 (left) to 1.
    pub wipe: f32,
    /// What the models' eye sees in place of the 3-D view.
    pub show_eye: bool,
    /// Messages that leave by themselves.
    pub toasts: Vec<Toast>,
    /// What was measured, once it is read.
    pub measured: Option<Arc<Measured>>,
    /// How fast the window is.
    pub pace: Pace,
    /// The palette of commands is open.
    pub show_palette: bool,
    /// What is being exported, in words.
    pub exporting: Option<String>,
    /// The shortcut overlay is shown.
    pub show_shortcuts: bool,
    /// Several futures of the same actions, and how far they spread, instead of one.
    pub show_spread: bool,
    /// Instead of what masked models imagine: what they make of a clip of which they see parts.
    pub mask_view: MaskView,
    /// What is dreamt, while somebody dreams.
    pub dream: Option<Dream>,
    /// How the plan is shown.
    pub plan_view: PlanView,
    /// Outlines of what was imagined in the 3-D view.
    pub show_ghosts: bool,
    /// How the window looks.
    pub look: Look,
    /// The body that the 3-D camera follows, by index.
    pub follow: Option<usize>,
    /// How the planner searches, where a person has set it.
    pub search: Option<Search>,
    /// How it searches by itself.
    pub usual_search: Option<Search>,
    /// Whether its model learned which structured moments lie on the way.
    pub knows_stations: bool,
    /// UI scale.
    pub zoom: f32,
    /// Time of every worker.
    pub timers: Timers,
}

impl Default for State {
    fn default() -> Self {
        Self {
            scenes: Vec::new(),
            scene_index: 0,
            scene: None,
            eye: None,
            tracker: None,
            screen: Screen::default(),
            gallery: Gallery::default(),
            surprise: Surprise::default(),
            race: RaceState::default(),
            playing: true,
            stage: Stage::default(),
            range: None,
            hunting: false,
            focus: None,
            opening: None,
            speed: 1.0,
            waits: true,
            continues: true,
            driver: DriverChoice::Oracle,
            awaited: None,
            drivers: Vec::new(),
            record: Record::default(),
            cursor: Cursor::Live,
            panes: Vec::new(),
            loading: true,
            decision: None,
            thinks: false,
            planned_at: 0,
            score: Score::default(),
            note: None,
            note_is_error: false,
            note_is_of_episode: false,
            fault: None,
            scene_version: 0,
            solids: Vec::new(),
            grip: None,
            undo: None,
            redo: None,
            saved: None,
            replay: None,
            interventions: BTreeMap::new(),
            dock: Dock::default(),
            enlarged: None,
            slots: Default::default(),
            compare: Compare::default(),
            wipe: 0.5,
            show_eye: false,
            toasts: Vec::new(),
            measured: None,
            pace: Pace::default(),
            show_palette: false,
            exporting: None,
            show_shortcuts: false,
            show_spread: false,
            mask_view: MaskView::Off,
            dream: None,
            plan_view: PlanView::default(),
            show_ghosts: true,
            look: Look::default(),
            follow: None,
            search: None,
            usual_search: None,
            knows_stations: false,
            zoom: 1.0,
            timers: Timers::default(),
        }
    }
}

impl State {
    /// Index of the newest moment.
    pub fn newest(&self) -> usize {
        self.record.moments.len().saturating_sub(1)
    }

    /// Index of the moment of reality that is shown.
    pub fn shown(&self) -> usize {
        match self.cursor {
            Cursor::Live => self.newest(),
            Cursor::At(m) => m.min(self.newest()),
        }
    }

    /// The moment of reality that is shown.
    pub fn shown_moment(&self) -> Option<&Arc<Moment>> {
        self.record.moments.get(self.shown())
    }

    /// What a pane shows: its newest rollout that reaches the moment looked at. Live, a model that is late
    /// shows the end of what it has.
    pub fn imagined<'a>(&self, pane: &'a Pane) -> Option<(Imagination, &'a Rollout)> {
        let shown = self.shown();
        let live = matches!(self.cursor, Cursor::Live);
        // The branch itself is real, so a rollout that already imagines the moment goes before one that
        // only starts there.
        let after = pane.rollouts.iter().filter(|r| r.branch < shown);
        let found = after
            .filter(|r| shown <= r.branch + HORIZON || live)
            .max_by_key(|r| r.branch)
            .or_else(|| pane.rollout(shown))?;
        let k = (shown - found.branch).min(HORIZON);
        let branch = found.branch;
        Some((Imagination { branch, k }, found))
    }

    /// Where a probed body of a pane's rollout is, in the moment that is imagined.
    pub fn probed(&self, rollout: &Rollout, column: usize, k: usize) -> Option<[f32; 3]> {
        let name = rollout.imagined.states.as_ref()?.bodies.get(column)?;
        let body = self.scene.as_ref()?.body_index(name)?;
        let real = self.record.moments.get(rollout.branch)?;
        let [x, _, z] = real.state.bodies.get(body)?.position;
        rollout.pose(column, k, [x, z, 0.0])
    }

    /// Moments from which something was imagined, ascending.
    pub fn branches(&self) -> Vec<usize> {
        let mut all: Vec<usize> = self
            .scene_panes()
            .flat_map(|(_, p)| p.rollouts.iter().map(|r| r.branch))
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether the scene has actions.
    pub fn has_actions(&self) -> bool {
        self.scene
            .as_ref()
            .is_some_and(|s| s.actions != ActionSpace::None)
    }

    /// Length of the timeline in control steps: the episode's usual length, or more once it went on for
    /// longer.
    pub fn timeline_steps(&self) -> usize {
        let usual = self.scene.as_ref().map_or(60, |s| {
            s.task
                .as_ref()
                .map_or(s.episode_steps, |t| t.budget_steps.max(s.episode_steps))
                as usize
        });
        let reach = self.branches().last().map_or(0, |b| b + HORIZON);
        usual
            .max(self.newest())
            .max(reach.min(self.newest() + HORIZON))
    }

    /// The impulse that letting go of a body would give it, N·s; `at` is where it is held now.
    pub fn impulse(&self, grip: &BodyGrip, at: [f32; 3]) -> [f32; 3] {
        let mass = self.scene.as_ref().and_then(|scene| {
            let body = scene.bodies.get(grip.body)?;
            let set = self.interventions.get(&format!("{}.mass", body.name));
            Some(set.copied().unwrap_or(body.mass))
        });
        let strength = STRIKE_PER_KG_M * mass.unwrap_or(0.0);
        [0, 1, 2].map(|axis| (grip.to[axis] - at[axis]) * strength)
    }

    /// Whether hands can be laid on what is shown: it is the newest moment of a reality that runs.
    pub fn is_touchable(&self) -> bool {
        self.replay.is_none() && self.shown() == self.newest() && !self.record.moments.is_empty()
    }

    /// Opens this at the right, or what was measured again if it is open.
    pub fn open_dock(&mut self, dock: Dock) {
        self.dock = match self.dock == dock {
            true => Dock::Measured,
            false => dock,
        };
    }

    /// Says something that leaves by itself.
    pub fn say(&mut self, note: impl Into<String>) {
        let note = note.into();
        add_toast(&mut self.toasts, Toast::new(note.clone(), Instant::now()));
        self.note = Some(note);
        self.note_is_error = false;
        self.note_is_of_episode = false;
    }

    /// Says what went wrong, until somebody has read it.
    pub fn complain(&mut self, note: impl Into<String>) {
        self.note = Some(note.into());
        self.note_is_error = true;
        self.note_is_of_episode = false;
    }
}
