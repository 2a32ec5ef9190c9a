//! Looking for failures: the next one of this episode, else through the next seeds until there is one.

use super::Session;
use super::showing::SLOW;
use crate::app::screens::gallery::Fault;
use crate::app::state::*;
use crate::app::verdict::{Finding, findings};

/// Seeds that are looked through for a failure.
const MOST_SEEDS: u32 = 40;
/// Moments before a failure at which the loop begins: half a second.
const BEFORE: usize = 5;
/// Moments after its begin at which the loop ends.
const AFTER: usize = 6;

impl Session {
    /// The next failure after the one that is looked at; without one, seeds are looked through.
    pub(super) fn next_failure(&mut self) {
        self.wake();
        let seen = self.state.focus.map(|(pane, moment)| (moment, pane));
        let next = findings(&self.state)
            .into_iter()
            .find(|f| seen.is_none_or(|seen| (f.moment, f.pane) > seen))
            // What is still being imagined is waited for: the quick model is not to be blamed first.
            .filter(|_| self.state.stage != Stage::Preparing);
        if let Some(next) = next {
            return self.look_at_failure(next.pane, next.moment);
        }
        if self.state.scene_panes().next().is_none() && !self.state.loading {
            return self
                .state
                .say("No model was trained on this scene, so none can fail in it");
        }
        if self.state.replay.is_some() {
            return self.state.say("No further failure in this recording");
        }
        self.state.hunting = true;
        self.hunts = None;
        self.hunted = 0;
        self.state.enlarged = None;
        self.state.playing = true;
        let was_live = self.state.stage == Stage::Live;
        if was_live {
            self.state.stage = Stage::Preparing;
        }
        self.apply_speed(1.0);
        if was_live {
            self.play(true);
        }
        // An episode that is still being imagined is looked through first.
        if seen.is_some() || self.state.stage == Stage::Showing && self.is_judged() {
            return self.hunt_in_next_seed();
        }
        if self.state.stage == Stage::Preparing && self.state.record.moments.is_empty() {
            self.restart(self.state.record.seed);
        }
    }

    /// Looks through seeds, from the one shown on, for a failure of this kind by this model.
    pub(super) fn hunt_for(&mut self, model: String, fault: Fault) {
        self.hunts = Some((model, fault));
        self.hunted = 0;
        self.state.hunting = true;
        self.state.enlarged = None;
        self.state.playing = true;
    }

    /// Whether this is what is looked for.
    fn is_hunted(&self, finding: &Finding) -> bool {
        let Some((model, fault)) = &self.hunts else {
            return true;
        };
        let law = match fault {
            Fault::Law(law) => Some(*law),
            Fault::Place | Fault::Goal => None,
        };
        let pane = self.state.panes.get(finding.pane);
        pane.is_some_and(|p| p.name == *model) && finding.law == law
    }

    fn hunt_in_next_seed(&mut self) {
        self.hunted += 1;
        if self.hunted > MOST_SEEDS {
            self.state.hunting = false;
            return self.state.say(format!(
                "No failure found in {MOST_SEEDS} seeds: another scene may be harder"
            ));
        }
        let seed = self.state.record.seed.saturating_add(1);
        self.restart(seed);
    }

    /// Whether all that is shown has been imagined and judged.
    fn is_judged(&self) -> bool {
        let wanted = self.branches_wanted().len();
        let mut panes = self.state.watched_panes();
        panes.all(|(_, p)| {
            let failed = matches!(p.status, PaneStatus::Failed(_));
            let judged = p.rollouts.iter().filter(|r| r.judged).count();
            failed || !p.busy && judged >= wanted
        })
    }

    /// Goes on looking for a failure, if that is wanted.
    pub(super) fn hunt_on(&mut self) {
        if !self.state.hunting || self.state.stage != Stage::Showing {
            return;
        }
        if !self.is_judged() {
            return;
        }
        let mut all = findings(&self.state).into_iter();
        match all.find(|f| self.is_hunted(f)) {
            Some(first) => {
                self.state.hunting = false;
                self.look_at_failure(first.pane, first.moment);
            }
            None => self.hunt_in_next_seed(),
        }
    }

    /// Plays around a failure, slowly, in a film that fills the room.
    pub(super) fn look_at_failure(&mut self, pane: usize, moment: usize) {
        self.state.focus = Some((pane, moment));
        self.state.enlarged = self.state.slot_of(pane).map(Film::Model);
        self.apply_speed(SLOW);
        let end = (moment + AFTER).min(self.state.newest());
        self.play_around((moment.saturating_sub(BEFORE), end));
    }

    /// The failures of this episode.
    pub fn failures(&self) -> Vec<Finding> {
        findings(&self.state)
    }
}
