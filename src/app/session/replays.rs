//! A recorded episode instead of a running one: it is rebuilt by a worker, and played from the record.

use super::Session;
use super::showing::Player;
use crate::app::state::*;
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
        self.state.redo = None;
        self.state.saved = None;
        self.state.cursor = Cursor::At(0);
        self.state.playing = true;
        self.player = Player::default();
        self.state.range = None;
    }
}
