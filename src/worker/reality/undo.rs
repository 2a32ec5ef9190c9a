//! The way back from disturbances of reality.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::act::RunningEpisode;

/// Disturbances that can be undone.
pub(super) const UNDO_DEPTH: usize = 16;
/// Changes of the same thing that follow each other this closely are one disturbance: a slider is dragged
/// through many values.
const ONE_MOVE: Duration = Duration::from_millis(900);

/// What a hand does to reality.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Touch {
    /// Pulls a body.
    Pull(usize),
    /// Strikes a body.
    Strike(usize),
    /// Moves one of the goal's bodies.
    Goal(usize),
    /// Changes a quantity.
    Set(String),
    /// Goes back to the saved moment.
    Restore,
}

impl Touch {
    fn goes_on(&self) -> bool {
        matches!(self, Touch::Goal(_) | Touch::Set(_))
    }
}

/// A moment of an episode that can be gone back to, with all that led there.
pub(super) struct Saved {
    act: RunningEpisode,
    interventions: BTreeMap<String, f32>,
}

impl Saved {
    /// Keeps the moment at which an episode is.
    pub(super) fn new(act: &RunningEpisode, interventions: &BTreeMap<String, f32>) -> Self {
        Self {
            act: act.fork(),
            interventions: interventions.clone(),
        }
    }

    /// The same moment once more.
    pub(super) fn copy(&self) -> Self {
        Self::new(&self.act, &self.interventions)
    }

    /// The seed of its episode.
    pub(super) fn seed(&self) -> u64 {
        self.act.seed
    }

    /// The moment's index.
    pub(super) fn at(&self) -> usize {
        self.act.moments.len() - 1
    }

    /// The episode again, as it was, under a new number; with the interventions that were in force.
    pub(super) fn again(&self, episode: u64) -> (RunningEpisode, BTreeMap<String, f32>) {
        let mut act = self.act.fork();
        act.episode = episode;
        (act, self.interventions.clone())
    }
}

struct Entry {
    what: String,
    touch: Touch,
    before: Saved,
    last: Instant,
}

/// What can be undone, newest last, and what was.
#[derive(Default)]
pub(super) struct Undo {
    entries: VecDeque<Entry>,
    /// What was undone, newest last, with the moment from which it was.
    undone: Vec<(Entry, Saved)>,
}

impl Undo {
    /// Takes note of a disturbance; `before` is asked for the moment unless it goes on with the newest one.
    /// Whether it is new.
    pub(super) fn push(
        &mut self,
        touch: Touch,
        what: String,
        now: Instant,
        before: impl FnOnce() -> Saved,
    ) -> bool {
        // Another course was taken: the old one cannot be gone back to.
        self.undone.clear();
        if let Some(newest) = self.entries.back_mut()
            && newest.touch == touch
            && touch.goes_on()
            && now.saturating_duration_since(newest.last) < ONE_MOVE
        {
            newest.last = now;
            return false;
        }
        if self.entries.len() == UNDO_DEPTH {
            self.entries.pop_front();
        }
        self.entries.push_back(Entry {
            what,
            touch,
            before: before(),
            last: now,
        });
        true
    }

    /// Takes the newest one back at the moment `now`: what it was, and the moment before it.
    pub(super) fn back(&mut self, now: Saved) -> Option<(String, &Saved)> {
        let entry = self.entries.pop_back()?;
        let what = entry.what.clone();
        self.undone.push((entry, now));
        self.undone.last().map(|(e, _)| (what, &e.before))
    }

    /// Takes the newest undoing back: what is done again, and the moment at which it was undone.
    pub(super) fn forth(&mut self) -> Option<(String, Saved)> {
        let (entry, then) = self.undone.pop()?;
        let what = entry.what.clone();
        self.entries.push_back(entry);
        Some((what, then))
    }

    /// What would be done again.
    pub(super) fn next_forth(&self) -> Option<&str> {
        self.undone.last().map(|(e, _)| e.what.as_str())
    }

    /// Drops the newest one if it is this and nothing came of it; whether it did.
    pub(super) fn drop_idle(&mut self, touch: &Touch, episode: u64, newest: usize) -> bool {
        let idle = |e: &Entry| {
            e.touch == *touch && e.before.act.episode == episode && e.before.at() == newest
        };
        let is_idle = self.entries.back().is_some_and(idle);
        if is_idle {
            self.entries.pop_back();
        }
        is_idle
    }

    /// What would be undone.
    pub(super) fn next(&self) -> Option<&str> {
        self.entries.back().map(|e| e.what.as_str())
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.undone.clear();
    }
}
