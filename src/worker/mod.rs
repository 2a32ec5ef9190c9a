//! Threads and channels: imagination, planning, judging and reality itself, behind one protocol; no model
//! code.
//!
//! Every long job is an order with a ticket, put on a [`Desk`]; a newer order of its kind cancels the
//! older one between model steps. Channels are bounded, a panic becomes an error in the report and the
//! worker starts afresh, and each worker measures its own time. Whoever asks never waits: reports are
//! polled. Read `desk.rs` first, then `reality/mod.rs`, the thread that owns the ground truth
//! (`reality/hands.rs` is what people do to it); `watching.rs` looks after the scene's file; `race/` runs
//! several controllers beside each other, each in a world of its own; the others are plain functions
//! behind a desk.

mod deed;
mod desk;
mod dreaming;
mod explaining;
mod imagination;
mod judging;
mod loading;
mod masking;
mod news;
mod planning;
mod preview;
mod priority;
mod race;
mod reality;
mod replaying;
mod session_file;
mod solid;
mod waking;
mod watching;

pub use deed::{Deed, add_deed};
pub use desk::{Desk, Report};
pub use dreaming::{DreamStep, Dreamt, dreaming};
pub use explaining::{Explain, Explained, Looked, Progress, explaining};
pub use imagination::{Imagine, Imagined, imagination, places};
pub use judging::{JudgeRollout, judging};
pub use loading::{LoadFirst, Loaded, load_model, load_models, offered_models};
pub use masking::{MaskClip, masking};
pub use news::{
    EpisodeStart, GoalShown, Mark, Moment, News, RealityHandle, RealityOrder, Rewound, context_at,
};
pub use planning::{Decision, Driver, PlanRequest, planning};
pub use preview::{ENERGY_SIDE, Energy, LatentPath, Preview, principal};
pub use priority::stand_back;
pub use race::{
    Course, Doing, FILM_SIDE, Finish, Heat, LaneNews, LaneStep, Maker, Plans, Race, SetUp,
    setting_up,
};
pub use reality::{goal_bounds, held_action, spawn_reality};
pub use replaying::{Difference, Replay, Replayed, Replayer, recorded, replaying};
pub use session_file::{SESSION_ENDING, SessionFile};
pub use solid::Solid;
pub use waking::on_news;
pub use watching::{Watch, watch};

/// Whether a thread of this name is a worker: what goes wrong there is reported to whoever asked.
pub fn is_worker(thread: &str) -> bool {
    const NAMES: [&str; 11] = [
        "reality",
        "planning",
        "loading",
        "watching",
        "dreaming",
        "replaying",
        "fonts",
        "figures",
        "judge-dream",
        "setting-up",
        "explaining",
    ];
    const KINDS: [&str; 5] = ["model-", "imagine-", "judge-", "mask-", "race-"];
    NAMES.contains(&thread) || KINDS.iter().any(|kind| thread.starts_with(kind))
}

/// Threads that models may use: one core stays with the window.
pub fn model_threads() -> usize {
    std::thread::available_parallelism().map_or(1, |n| n.get().saturating_sub(1).max(1))
}

/// Sizes the shared pool of the model threads, which stand back for the window; harmless when it was sized
/// before.
pub fn leave_a_core_to_the_window() {
    if let Err(e) = rayon::ThreadPoolBuilder::new()
        .num_threads(model_threads())
        .thread_name(|i| format!("model-{i}"))
        .start_handler(|_| stand_back())
        .build_global()
    {
        tracing::debug!("model threads were sized before: {e}");
    }
}
