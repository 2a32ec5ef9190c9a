//! Finding out why a planner lost a race.

use std::sync::{Arc, Mutex, PoisonError};

use crate::eval::contest::Contest;
use crate::eval::control::EpisodeResult;
use crate::eval::why::{self, Stage, Suspect, WhyResult};
use crate::model::Cancel;

/// An order to look into one episode of a planner.
pub struct Explain {
    /// The episode: a contest of one seed.
    pub contest: Contest,
    /// The planner.
    pub suspect: Suspect,
    /// Where it says how far it is.
    pub progress: Progress,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Looked {
    /// It has not begun.
    #[default]
    NotYet,
    /// The planner acts again: control steps so far, and at most.
    Acts(u32, u32),
    /// Its decisions are carried out on forks of reality: which one, of how many.
    Examines(usize, usize),
    /// A search with the true cost runs the same race: control steps so far, and at most.
    Searches(u32, u32),
}

/// How far it is, for whoever looks; only the newest counts.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Mutex<Looked>>);

impl Progress {
    /// How far it is.
    pub fn get(&self) -> Looked {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, looked: Looked) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = looked;
    }
}

/// What was found out.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    /// The episode as it ran again, with reality waiting for every decision.
    pub again: EpisodeResult,
    /// Why it failed, if it did.
    pub why: WhyResult,
}

/// The explaining worker's function.
///
/// # Errors
/// In words: the planner or the task failed, or the seed is none.
pub fn explaining(order: Explain, cancel: &Cancel) -> Result<Explained, String> {
    let mut again = None;
    let progress = order.progress;
    let why = why::run_until(&order.contest, order.suspect, cancel, |stage| match stage {
        Stage::Ran(episode) => again = Some(episode.clone()),
        Stage::Acts(step, most) => progress.set(Looked::Acts(step, most)),
        Stage::Examines(which, of) => progress.set(Looked::Examines(which, of)),
        Stage::Searches(step, most) => progress.set(Looked::Searches(step, most)),
    });
    let why = why.map_err(|e| e.to_string())?;
    let again = again.ok_or("no episode was run: the contest has no seed")?;
    Ok(Explained { again, why })
}
