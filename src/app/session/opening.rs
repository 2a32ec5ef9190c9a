//! The opening: one minute that nobody has to touch. Any input ends it.

use std::time::{Duration, Instant};

use super::Session;
use crate::app::state::*;
use crate::app::verdict::findings;

/// What the opening shows first, and from which seed: three balls meet, and an imagination loses them.
const PHENOMENON: (&str, u64) = ("collide3", 1_000_013);
/// The video model of that scene that was measured most.
const MEASURED: &str = "latent-diffusion";
/// What it shows then: a hand pushes a cube.
const TASK: (&str, u64) = ("push", 1_000_000);

impl Session {
    /// Begins the opening.
    pub(super) fn open_with_a_story(&mut self) {
        // The video model whose figures stand beside it.
        self.state.slots[0] = Some(MEASURED.into());
        if self.open_named(PHENOMENON) {
            self.act(Act::Phenomenon);
        }
    }

    fn act(&mut self, act: Act) {
        self.state.opening = Some(Opening {
            act,
            since: Instant::now(),
        });
    }

    /// Shows a scene from a seed; whether there is such a scene.
    fn open_named(&mut self, (name, seed): (&str, u64)) -> bool {
        let index = self.state.scenes.iter().position(|s| s.name == name);
        let Some(index) = index.filter(|i| self.state.scenes[*i].summary.is_ok()) else {
            return false;
        };
        self.state.record.seed = seed;
        self.state.enlarged = None;
        self.state.range = None;
        self.state.focus = None;
        self.state.stage = Stage::Preparing;
        self.apply_speed(1.0);
        self.open_scene(index);
        true
    }

    /// Somebody did something: the story is theirs from here on.
    pub fn interrupt(&mut self) {
        if self.state.opening.take().is_some() {
            self.state.hunting = false;
            self.state
                .say("It is yours now: F finds a failure, Space stops, ? lists all keys");
        }
    }

    /// The next stop of the opening, when its time has come.
    pub(super) fn open_on(&mut self) {
        let Some(opening) = self.state.opening else {
            return;
        };
        let now = Instant::now();
        // What is being prepared takes as long as it takes.
        if self.state.stage == Stage::Preparing {
            self.state.opening = Some(Opening {
                since: now,
                ..opening
            });
            return;
        }
        let after = |seconds: u64| now - opening.since >= Duration::from_secs(seconds);
        match opening.act {
            Act::Phenomenon if after(16) => {
                self.state.slots[0] = None;
                self.open_named(TASK);
                self.act(Act::Task);
            }
            Act::Phenomenon if after(4) && self.state.focus.is_none() => {
                // Seen once as a whole, then the failure from near.
                let failure = findings(&self.state).into_iter().find(|f| f.law.is_some());
                if let Some(f) = failure {
                    self.look_at_failure(f.pane, f.moment);
                }
            }
            Act::Task if after(16) => {
                self.state.dock = Dock::Measured;
                self.state.enlarged = None;
                self.act(Act::Figures);
            }
            Act::Figures if after(10) => {
                self.act(Act::YourTurn);
                self.go_live();
            }
            Act::YourTurn if after(12) => self.state.opening = None,
            _ => {}
        }
    }
}
