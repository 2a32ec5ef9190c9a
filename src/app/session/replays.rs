//! A recorded episode instead of a running one: it is rebuilt by a worker, and played from the record.

use std::time::Instant;

use super::Session;
use crate::app::state::*;
use crate::sim::CONTROL_HZ;
use crate::worker::{RealityOrder, Replay, Replayed};

/// Episodes of replays are numbered from here, so that they are never taken for running ones.
const FIRST_NUMBER: u64 = 1 << 40;

impl Session {
    pub(super) fn open_replay(&mut self, replay: Replay) {
        self.replays.ask(replay);
    }

    pub(super) fn hear_replays(&mut self) {
        if let Some(report) = self.replays.poll() {
            match report.result {
                Ok(replayed) => self.take_replayed(replayed),
                Err(e) => self.state.complain(e),
            }
        }
        self.play_replay();
    }

    fn take_replayed(&mut self, replayed: Replayed) {
        self.watch = None;
        self.reality.tell(RealityOrder::Play(false));
        self.state.fault = None;
        self.state.scene_index = usize::MAX;
        let same = self.state.scene.as_ref() == Some(&replayed.scene);
        if !same || self.state.replay.is_none() {
            self.show_scene(replayed.scene);
        }
        self.forget_imaginations();
        if let Some(scene) = self.state.scene.clone() {
            self.place_eye(&scene, replayed.seed);
        }
        self.state.drivers = self.driver_options();
        let verdict = match replayed.difference {
            None => Ok(()),
            Some(d) => Err((d.step, d.what)),
        };
        self.state.replay = Some(ReplayShown {
            replay: replayed.replay,
            episodes: replayed.episodes,
            verdict: Some(verdict),
        });
        self.replays_shown += 1;
        self.state.record = Record {
            episode: FIRST_NUMBER + self.replays_shown,
            seed: replayed.seed,
            moments: replayed.moments,
            ..Record::default()
        };
        self.state.solids = replayed.solids;
        self.state.undo = None;
        self.state.saved = None;
        self.state.cursor = Cursor::At(0);
        self.state.playing = true;
        self.played_until = Instant::now();
    }

    /// Moves the cursor on while a replay plays.
    fn play_replay(&mut self) {
        let now = Instant::now();
        if self.state.replay.is_none() || !self.state.playing {
            self.played_until = now;
            return;
        }
        let step = 1.0 / (CONTROL_HZ as f32 * self.state.speed);
        let passed = now.saturating_duration_since(self.played_until);
        let steps = (passed.as_secs_f32() / step) as usize;
        if steps == 0 {
            return;
        }
        // Whoever is late slows down instead of rushing.
        self.played_until = match steps {
            1 => self.played_until + std::time::Duration::from_secs_f32(step),
            _ => now,
        };
        let next = (self.state.shown() + 1).min(self.state.newest());
        self.state.cursor = Cursor::At(next);
        if next == self.state.newest() {
            self.state.playing = false;
        }
    }
}
