//! How time runs on the screen: reality acts ahead, the models imagine, and then all of it plays together,
//! again and again; or reality runs live, and hands can be laid on it.

use std::time::{Duration, Instant};

use super::Session;
use crate::app::state::*;
use crate::judge::CONTEXT_FRAMES;
use crate::sim::CONTROL_HZ;
use crate::worker::RealityOrder;

/// Slow motion, times real time.
pub(super) const SLOW: f32 = 0.25;
/// How fast reality acts ahead where nobody decides anything, times real time.
const AHEAD: f32 = 16.0;
/// How fast it acts ahead where a controller decides: fast enough not to bore, slow enough to be followed.
const AHEAD_WITH_CONTROLLER: f32 = 2.0;
/// How long the last moment is held before it plays again.
const HOLD: Duration = Duration::from_millis(1500);
/// How often a clip plays before the next seed follows.
const ROUNDS: u32 = 2;
/// Moments around the one shown that a loop plays.
const AROUND: (usize, usize) = (5, 8);

/// What playing needs to know besides the state.
pub(super) struct Player {
    /// Until when time on the screen has been used up.
    until: Instant,
    /// Since when the last moment is held.
    held: Option<Instant>,
    /// How often the clip has played.
    rounds: u32,
    /// Whether an episode was asked for that has not begun yet.
    pub(super) awaits: bool,
}

impl Default for Player {
    fn default() -> Self {
        Self {
            until: Instant::now(),
            held: None,
            rounds: 0,
            awaits: false,
        }
    }
}

impl Session {
    /// Tells reality how fast to run, and whether the next seed follows by itself.
    pub(super) fn tell_pace(&self) {
        let state = &self.state;
        let (speed, continues) = match state.stage {
            Stage::Live => (state.speed, state.continues),
            _ if state.has_actions() => (AHEAD_WITH_CONTROLLER, false),
            _ => (AHEAD, false),
        };
        // Where nobody acts, reality goes exactly as far as the models imagine.
        let until = (state.stage != Stage::Live && !state.has_actions()).then(|| self.acts_until());
        self.reality.tell(RealityOrder::Until(until));
        self.reality.tell(RealityOrder::Speed(speed));
        self.reality.tell(RealityOrder::Continue(continues));
    }

    /// From here on reality runs as it happens.
    pub(super) fn be_live(&mut self) {
        if self.state.stage == Stage::Live || self.state.replay.is_some() {
            return;
        }
        self.state.stage = Stage::Live;
        self.state.range = None;
        self.state.hunting = false;
        self.state.cursor = Cursor::Live;
        self.tell_pace();
        self.play(self.state.playing);
    }

    pub(super) fn go_live(&mut self) {
        self.be_live();
        self.state.range = None;
        self.state.cursor = Cursor::Live;
        if self.state.replay.is_none() && self.state.playing {
            self.play(true);
        }
    }

    /// Shows reality and imaginations together: what is there of this episode, or the episode anew.
    pub(super) fn show_again(&mut self) {
        if self.state.replay.is_some() || self.state.stage != Stage::Live {
            self.state.cursor = Cursor::At(0);
            return;
        }
        if self.state.driver == DriverChoice::Keyboard && self.state.has_actions() {
            self.state
                .say("You drive: press Space to play your episode again from where you scrub to");
            return;
        }
        self.state.stage = Stage::Preparing;
        self.state.playing = true;
        self.restart(self.state.record.seed);
    }

    /// Starts an episode, in the present way.
    pub(super) fn restart(&mut self, seed: u64) {
        self.state.record.seed = seed;
        // What is still on the screen is over: it neither plays on nor counts as shown.
        if self.state.stage == Stage::Showing {
            self.state.stage = Stage::Preparing;
        }
        self.player.awaits = true;
        self.tell_pace();
        self.reality.tell(RealityOrder::Reset(seed));
    }

    /// Whoever drives now is chosen; other than a person, the episode begins anew under them.
    pub(super) fn choose(&mut self, choice: DriverChoice) {
        self.wished = None;
        self.driver_is_chosen = true;
        let is_person = choice == DriverChoice::Keyboard;
        self.set_driver(choice);
        if is_person {
            self.state.playing = true;
            self.be_live();
            self.restart(self.state.record.seed);
        } else if self.state.stage != Stage::Live {
            self.restart(self.state.record.seed);
        }
    }

    /// An episode has begun.
    pub(super) fn prepare(&mut self) {
        self.player = Player::default();
        self.state.range = None;
        self.state.focus = None;
        let is_person = self.state.driver == DriverChoice::Keyboard && self.state.has_actions();
        self.state.stage = match self.state.stage {
            Stage::Live => Stage::Live,
            _ if is_person => Stage::Live,
            _ => Stage::Preparing,
        };
        self.tell_pace();
        self.play(self.state.playing);
        if self.state.stage == Stage::Preparing && !self.state.has_actions() {
            self.state.cursor = Cursor::At(0);
        }
    }

    pub(super) fn toggle_play(&mut self) {
        self.state.playing = !self.state.playing;
        self.player.until = Instant::now();
        self.player.held = None;
        if self.state.replay.is_some() {
            if self.state.playing && self.state.shown() == self.state.newest() {
                self.state.cursor = Cursor::At(0);
            }
            return;
        }
        let awaits = self.state.awaited.is_some() && !self.state.loading;
        if self.state.playing && awaits {
            return self.give_up_awaited();
        }
        match (self.state.stage, self.state.cursor) {
            // What was recorded goes on from the moment shown.
            (Stage::Showing, _) => {
                if self.state.playing && self.state.shown() >= self.clip_end() {
                    self.state.cursor = Cursor::At(self.clip_start());
                }
            }
            (Stage::Live, Cursor::At(m)) if m < self.state.newest() => {}
            _ => {
                if self.state.stage == Stage::Live {
                    self.state.cursor = Cursor::Live;
                }
                self.play(self.state.playing);
            }
        }
    }

    /// Looks at a moment, and stops there.
    pub(super) fn look_at(&mut self, moment: usize) {
        self.pause();
        self.state.cursor = Cursor::At(moment.min(self.state.newest()));
    }

    pub(super) fn step(&mut self) {
        self.pause();
        let next = self.state.shown() + 1;
        if next <= self.state.newest() || self.state.replay.is_some() {
            self.state.cursor = Cursor::At(next.min(self.state.newest()));
            return;
        }
        self.be_live();
        self.state.cursor = Cursor::Live;
        self.reality.tell(RealityOrder::Step);
    }

    pub(super) fn toggle_loop(&mut self) {
        if self.state.range.take().is_some() {
            self.state.focus = None;
            return self.apply_speed(1.0);
        }
        let shown = self.state.shown();
        let range = (
            shown.saturating_sub(AROUND.0),
            (shown + AROUND.1).min(self.state.newest()),
        );
        self.play_around(range);
    }

    /// Plays a range around and around.
    pub(super) fn play_around(&mut self, (from, to): (usize, usize)) {
        if to <= from {
            return self.state.say("There is nothing to play around yet");
        }
        self.stop_reality();
        self.state.range = Some((from, to));
        self.state.cursor = Cursor::At(from);
        self.state.playing = true;
        self.player.until = Instant::now();
        self.player.held = None;
    }

    pub(super) fn apply_speed(&mut self, speed: f32) {
        self.state.speed = speed;
        self.tell_pace();
    }

    fn clip_start(&self) -> usize {
        self.state.range.map_or(0, |(from, _)| from)
    }

    /// The last moment that plays: of a phenomenon, what the models imagined; else all that happened.
    fn clip_end(&self) -> usize {
        let newest = self.state.newest();
        if let Some((_, to)) = self.state.range {
            return to.min(newest);
        }
        let imagined = self.state.branches().last().map(|b| b + HORIZON);
        match imagined {
            Some(end) if !self.state.has_actions() => end.min(newest),
            _ => newest,
        }
    }

    /// The moments from which the models are to imagine what has happened already.
    pub(super) fn branches_wanted(&self) -> Vec<usize> {
        let newest = self.state.newest();
        match self.state.has_actions() {
            true => (0..newest.max(1)).step_by(HORIZON).collect(),
            // Velocities can only be seen over several frames.
            false => vec![(CONTEXT_FRAMES - 1).min(newest)],
        }
    }

    /// Lets the models imagine, and plays what is there.
    pub(super) fn go_on_showing(&mut self) {
        self.state.toasts.retain(|t| t.until > Instant::now());
        if self.state.replay.is_none() {
            match self.state.stage {
                Stage::Preparing => self.prepare_on(),
                Stage::Showing => self.imagine_what_happened(),
                Stage::Live => {}
            }
        }
        self.play_recording();
    }

    /// How many steps reality acts ahead where nobody decides anything.
    fn acts_until(&self) -> usize {
        let scene = self.state.scene.as_ref();
        let steps = scene.map_or(HORIZON, |s| s.episode_steps as usize);
        (CONTEXT_FRAMES - 1 + HORIZON).min(steps)
    }

    /// Whether reality has acted far enough for the models to imagine beside it.
    fn has_acted(&self) -> bool {
        let record = &self.state.record;
        match self.state.has_actions() {
            true => record.outcome.is_some() || self.state.newest() >= 3 * HORIZON,
            false => self.state.newest() >= self.acts_until(),
        }
    }

    fn prepare_on(&mut self) {
        let awaits = self.player.awaits || self.state.record.moments.is_empty();
        if awaits || !self.has_acted() {
            return;
        }
        self.stop_reality();
        self.imagine_what_happened();
        let first = self.branches_wanted().first().copied().unwrap_or(0);
        let ready = |p: &Pane| p.status == PaneStatus::Ready;
        let watched: Vec<bool> = self
            .state
            .watched_panes()
            .filter(|(_, p)| ready(p))
            .map(|(_, p)| p.rollout(first).is_some())
            .collect();
        let loads = self.state.loading && watched.is_empty();
        if !loads && watched.iter().all(|there| *there) {
            self.state.stage = Stage::Showing;
            self.state.cursor = Cursor::At(0);
            self.player = Player::default();
        }
    }

    /// Reality stands still; the screen may play on.
    fn stop_reality(&mut self) {
        self.reality.tell(RealityOrder::Play(false));
    }

    fn imagine_what_happened(&mut self) {
        let Some(scene) = self.state.scene.clone() else {
            return;
        };
        let wanted = self.branches_wanted();
        let mut orders = Vec::new();
        for (index, pane) in self.state.watched_panes() {
            let missing = wanted.iter().find(|b| pane.rollout(**b).is_none());
            // The judge is through with one before the next comes: a newer order would cancel it.
            let back = self.backstage.get(&pane.name);
            if back.is_some_and(|b| b.judging.is_busy()) {
                continue;
            }
            if let (false, PaneStatus::Ready, Some(branch)) = (pane.busy, &pane.status, missing) {
                orders.push((index, *branch));
            }
        }
        for (index, branch) in orders {
            let (actions, source) = self.actions_from(branch, &scene);
            self.ask_to_imagine(index, branch, &actions, source, &scene);
        }
    }

    /// Moves the cursor on while what was recorded plays.
    fn play_recording(&mut self) {
        let now = Instant::now();
        let recorded = self.state.replay.is_some()
            || matches!(
                (self.state.stage, self.state.cursor),
                (Stage::Showing, _) | (Stage::Live, Cursor::At(_))
            );
        if !recorded || !self.state.playing || self.state.dream.is_some() {
            self.player.until = now;
            return;
        }
        if let Some(since) = self.player.held {
            let hold = if self.state.range.is_some() {
                HOLD / 2
            } else {
                HOLD
            };
            if now.saturating_duration_since(since) >= hold {
                self.player.held = None;
                self.player.until = now;
                self.play_again();
            }
            return;
        }
        let step = 1.0 / (CONTROL_HZ as f32 * self.state.speed);
        let passed = now.saturating_duration_since(self.player.until);
        let steps = (passed.as_secs_f32() / step) as usize;
        if steps == 0 {
            return;
        }
        // Whoever is late slows down instead of rushing.
        self.player.until = match steps {
            1 => self.player.until + Duration::from_secs_f32(step),
            _ => now,
        };
        let end = self.clip_end();
        let next = (self.state.shown() + 1).min(end);
        self.state.cursor = Cursor::At(next);
        if next < end {
            return;
        }
        match (
            self.state.replay.is_some(),
            self.state.stage,
            self.state.range,
        ) {
            (true, _, None) => self.state.playing = false,
            (false, Stage::Live, None) => {
                // The recording is over, and reality goes on where it stood.
                self.state.cursor = Cursor::Live;
                self.play(true);
            }
            _ => self.player.held = Some(now),
        }
    }

    /// The clip from its start, or the next seed.
    fn play_again(&mut self) {
        self.player.rounds += 1;
        let goes_on = self.state.range.is_none()
            && self.state.continues
            && self.state.opening.is_none()
            && self.state.exporting.is_none();
        if goes_on && self.player.rounds >= ROUNDS {
            return self.restart(self.state.record.seed.saturating_add(1));
        }
        self.state.cursor = Cursor::At(self.clip_start());
    }
}
