//! What the reality thread is told and what it tells.

use std::collections::BTreeMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use super::deed::Deed;
use super::{Decision, Driver, Solid};
use crate::model::{Context, Goal};
use crate::scene::Scene;
use crate::sim::{Drag, State};

/// One moment of reality, as it is shown, recorded and given to models.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moment {
    /// The true state.
    pub state: State,
    /// What the eye saw, `[64, 64, 3]` bytes.
    pub rgb: Vec<u8>,
    /// The action that led here from the moment before (empty at the start), `[A]`.
    pub action: Vec<f32>,
    /// Planar distance of the task's body to its goal, metres.
    pub distance_m: Option<f32>,
    /// Surfaces of soft bodies: body index, vertices in world metres.
    pub surfaces: Vec<(usize, Vec<[f32; 3]>)>,
    /// Bodies that an edit has made vanish.
    pub hidden: Vec<usize>,
}

/// The goal of an episode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoalShown {
    /// The goal picture that planners get.
    pub picture: Goal,
    /// Where the task's body should come to rest: x, z in metres.
    pub place: [f32; 2],
    /// Index of the task's body.
    pub body: usize,
    /// Success: at most this far, metres.
    pub tolerance_m: f32,
    /// The goal on the true state, for the success test and the oracle.
    pub state: std::sync::Arc<crate::sim::GoalState>,
}

/// A new episode.
#[derive(Clone, Debug)]
pub struct EpisodeStart {
    /// Counts up with each episode of this run.
    pub episode: u64,
    /// The scene.
    pub scene: Arc<Scene>,
    /// The seed.
    pub seed: u64,
    /// The goal, in scenes with a task.
    pub goal: Option<GoalShown>,
    /// The first moment.
    pub first: Arc<Moment>,
    /// What was done to it so far besides acting, and after which moment.
    pub deeds: Vec<(usize, Deed)>,
}

/// A disturbance, marked on the timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The newest moment when it began.
    pub moment: usize,
    /// What it was, in words.
    pub what: String,
}

/// Reality went back to an earlier moment, maybe of an earlier episode.
#[derive(Clone, Debug)]
pub struct Rewound {
    /// The episode, under a new number; `first` is where it once began.
    pub start: EpisodeStart,
    /// All its moments up to the one gone back to.
    pub moments: Vec<Arc<Moment>>,
    /// Its disturbances up to there.
    pub marks: Vec<Mark>,
    /// How it had ended by then, if it had.
    pub outcome: Option<bool>,
    /// The moment at which it had ended.
    pub ended_at: Option<usize>,
    /// Interventions in force then.
    pub interventions: BTreeMap<String, f32>,
    /// Why, in words.
    pub why: String,
}

/// What the reality thread tells.
#[derive(Debug)]
pub enum News {
    /// A new episode began.
    Began(EpisodeStart),
    /// Reality went back.
    Rewound(Box<Rewound>),
    /// The newest moment is another than was told, because of a disturbance; the goal as it is now.
    Amended {
        /// The episode.
        episode: u64,
        /// The newest moment.
        moment: Arc<Moment>,
        /// The goal.
        goal: Option<GoalShown>,
        /// Whether an end that was told no longer holds.
        goes_on: bool,
    },
    /// Somebody laid hands on reality, or nothing came of it.
    Marked {
        /// The episode.
        episode: u64,
        /// All that was done to it, and when.
        marks: Vec<Mark>,
    },
    /// Something was done to reality besides acting.
    Did {
        /// The episode.
        episode: u64,
        /// After which moment.
        at: usize,
        /// What.
        deed: Deed,
    },
    /// What the way back is at present.
    WayBack {
        /// What an undo would undo.
        undo: Option<String>,
        /// What was undone last and can be done again.
        redo: Option<String>,
        /// The moment that was saved, in words.
        saved: Option<String>,
    },
    /// The colliders of the bodies, whenever they may have changed.
    Solids(Vec<Solid>),
    /// The next moment of an episode.
    Moment {
        /// The episode.
        episode: u64,
        /// The moment.
        moment: Arc<Moment>,
        /// Milliseconds that stepping physics took.
        step_ms: f32,
        /// Milliseconds that the eye took.
        look_ms: f32,
    },
    /// A controller decided.
    Decided(Box<Decision>),
    /// An episode ended: with success, without, or (no task) simply so.
    Ended {
        /// The episode.
        episode: u64,
        /// Whether the task was achieved; `None` without a task.
        success: Option<bool>,
    },
    /// Something failed; reality is paused.
    Failed(String),
}

/// What reality can be told to do.
pub enum RealityOrder {
    /// Show this scene from this seed.
    Load(Arc<Scene>, u64),
    /// Play or pause.
    Play(bool),
    /// Stop by itself once the episode has so many steps; `None`: do not.
    Until(Option<usize>),
    /// Take one step.
    Step,
    /// Start again from this seed.
    Reset(u64),
    /// Times real time.
    Speed(f32),
    /// Who drives.
    Drive(Driver),
    /// The action held on the keyboard: velocity in x, y and z, and grip.
    Hold([f32; 4]),
    /// Whether reality waits while the controller thinks.
    Waits(bool),
    /// Whether the next seed follows when an episode ends.
    Continue(bool),
    /// An intervention, kept over episodes.
    Set(String, f32),
    /// Ends all interventions (with the next episode where they cannot be undone).
    ClearInterventions,
    /// Drags a body. A hand has no mass to pull on: it goes to the target by its own action.
    Pull(Option<Drag>),
    /// Strikes a body: an impulse at its centre, N·s.
    Strike(usize, [f32; 3]),
    /// Moves the goal to a place (x, z) in metres; while it is `held`, the episode does not end.
    MoveGoal {
        /// Which of the goal's bodies, the task's own first.
        target: usize,
        /// Where to.
        place: [f32; 2],
        /// Whether it is still being moved.
        held: bool,
    },
    /// Goes back to the moment before the last disturbance.
    Undo,
    /// Goes on to the moment at which the last undoing was asked for.
    Redo,
    /// Keeps the newest moment.
    Save,
    /// Goes back to the moment kept.
    Restore,
}

/// The reality thread, seen from the window.
pub struct RealityHandle {
    pub(super) orders: Sender<RealityOrder>,
    pub(super) news: Receiver<News>,
}

impl RealityHandle {
    /// Tells reality what to do; orders are small and rare, so a full channel means a dead thread.
    pub fn tell(&self, order: RealityOrder) {
        if let Err(e) = self.orders.try_send(order) {
            tracing::error!("reality does not listen: {e}");
        }
    }

    /// The next piece of news, if there is one; never waits.
    pub fn poll(&self) -> Option<News> {
        self.news.try_recv().ok()
    }
}

/// The context that ends at moment `at`: at most `frames` observations and the actions between them.
pub fn context_at(moments: &[Arc<Moment>], at: usize, frames: usize) -> Context {
    let end = (at + 1).min(moments.len());
    let start = end.saturating_sub(frames.max(1));
    let shown = &moments[start..end];
    let size = shown.first().map_or(0, |m| (m.rgb.len() / 3).isqrt());
    let actions = shown.iter().skip(1).map(|m| m.action.clone());
    Context::new(size, shown.iter().map(|m| m.rgb.clone()), actions.collect())
}
