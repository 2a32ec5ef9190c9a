//! The Surprise screen's part of the session: what is missing on the screen is asked for, one thing at a
//! time, and only while the screen is shown.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Session;
use crate::app::screens::surprise::work::{Done, Fake, Work};
use crate::app::screens::surprise::{Curve, Do, Event, Films, Mode};
use crate::app::state::*;
use crate::sim::{CONTROL_HZ, HELD_OUT_SEED};

/// How long the last picture is held before the films play again.
const HOLD: Duration = Duration::from_millis(1000);
/// Pairs of the game come from seeds from here on.
const FIRST_PAIR: u64 = HELD_OUT_SEED + 700_000;
/// Pairs that are tried before the game gives up.
const TRIES: u64 = 12;

impl Session {
    /// Does what a person asked for on the screen.
    pub(super) fn do_in_surprise(&mut self, what: Do) {
        if let Do::Mode(_) = what {
            self.show_screen(Screen::Surprise);
        }
        let surprise = &mut self.state.surprise;
        match what {
            Do::Mode(mode) if mode != surprise.mode => {
                surprise.mode = mode;
                surprise.frame = 0;
                surprise.stands = false;
                surprise.asks = None;
                self.surprising.cancel();
            }
            Do::Mode(_) => {}
            Do::Event(event) => {
                surprise.event = event;
                self.films_anew();
            }
            Do::Scene(scene) => {
                surprise.scene = Some(scene);
                self.films_anew();
            }
            Do::Another if surprise.mode == Mode::Spot => self.next_pair(),
            Do::Another => {
                let seed = surprise.films.as_ref().map_or(surprise.seed, |f| f.seed.1);
                surprise.seed = seed.saturating_add(1);
                self.films_anew();
            }
            Do::Play => {
                surprise.stands ^= true;
                self.shown_since = Instant::now();
            }
            Do::Frame(frame) => {
                surprise.stands = true;
                surprise.frame = frame.min(surprise.length().saturating_sub(1));
            }
            Do::Step(by) => {
                let answered = surprise.mode == Mode::Spot && surprise.spot.guess.is_some();
                if answered && by > 0 {
                    return self.next_pair();
                }
                let frame = surprise.frame.saturating_add_signed(by as isize);
                self.do_in_surprise(Do::Frame(frame));
            }
            Do::Number(n) => match surprise.mode {
                Mode::Spot if n < 2 => surprise.spot.answer(n),
                Mode::Spot => {}
                Mode::Watch => {
                    if let Some(event) = Event::ALL.get(n) {
                        self.do_in_surprise(Do::Event(*event));
                    }
                }
            },
        }
    }

    fn films_anew(&mut self) {
        self.state.surprise.begin_anew();
        self.surprising.cancel();
    }

    fn next_pair(&mut self) {
        let spot = &mut self.state.surprise.spot;
        (spot.round, spot.guess, spot.problem) = (None, None, None);
        spot.curves.clear();
        self.state.surprise.asks = None;
        self.state.surprise.frame = 0;
        self.state.surprise.stands = false;
        self.surprising.cancel();
    }

    /// The scene of the films: the chosen one, or the one that Explore shows.
    fn surprise_scene(&self) -> String {
        let chosen = self.state.surprise.scene.clone();
        chosen.unwrap_or_else(|| self.scene_listed())
    }

    /// Takes in what was made, asks for what is missing, and lets the films play.
    pub(super) fn surprise_on(&mut self) {
        if self.state.screen != Screen::Surprise {
            if self.surprising.is_busy() {
                self.surprising.cancel();
                self.state.surprise.asks = None;
            }
            return;
        }
        if let Some(report) = self.surprising.poll() {
            self.take_surprise(report.result);
        }
        if !self.surprising.is_busy()
            && let Some(work) = self.missing()
        {
            self.surprising.ask(work);
        }
        self.play_surprise();
    }

    fn take_surprise(&mut self, result: Result<Done, String>) {
        let surprise = &mut self.state.surprise;
        surprise.asks = None;
        match result {
            Ok(Done::Films(films)) => {
                surprise.films = Some(films.into());
                (surprise.frame, self.shown_since) = (0, Instant::now());
            }
            Ok(Done::Curve(curve)) if surprise.mode == Mode::Spot => surprise.spot.hear(curve),
            Ok(Done::Curve(curve)) => surprise.curves.push(curve),
            Ok(Done::Round(round)) => {
                surprise.spot.round = Some(round.into());
                (surprise.frame, self.shown_since) = (0, Instant::now());
            }
            Err(e) if surprise.mode == Mode::Watch => surprise.problem = Some(e),
            // Another pair takes its place, for a while.
            Err(e) => {
                self.pairs_failed += 1;
                if self.pairs_failed >= TRIES {
                    surprise.spot.problem = Some(e);
                    self.pairs_failed = 0;
                }
            }
        }
    }

    fn missing(&mut self) -> Option<Work> {
        let scene = self.surprise_scene();
        let surprise = &self.state.surprise;
        if surprise.mode == Mode::Spot {
            let Some(round) = surprise.spot.round.clone() else {
                let wanted = surprise.spot.problem.is_none();
                return wanted.then(|| self.a_pair()).flatten();
            };
            return self.next_curve(&round.scene, &surprise.spot.curves, || round.pair().into());
        }
        if surprise.problem.is_some() {
            return None;
        }
        let Some(films) = surprise.films.clone() else {
            let seed = surprise.seed.max(HELD_OUT_SEED);
            return Some(Work::Films(scene, seed, surprise.event));
        };
        let work = self.next_curve(&films.scene, &surprise.curves, || films.clone())?;
        if let Work::Curve(_, name, ..) = &work {
            self.state.surprise.asks = Some(name.clone());
        }
        Some(work)
    }

    /// Asks the next model that has not been asked about films of a scene; camps take turns.
    fn next_curve(
        &self,
        scene: &str,
        asked: &[Curve],
        films: impl FnOnce() -> Arc<Films>,
    ) -> Option<Work> {
        let waits = |p: &&Pane| {
            let usual = !p.twin && p.same_as.is_none() && p.card.is_some();
            let asked = asked.iter().any(|c| c.model == p.name);
            usual && p.is_for(scene) && p.status == PaneStatus::Ready && !asked
        };
        let of_its_camp = |p: &&Pane| asked.iter().filter(|c| c.camp == p.camp()).count();
        let pane = self
            .state
            .panes
            .iter()
            .filter(waits)
            .min_by_key(of_its_camp)?;
        let model = self.backstage.get(&pane.name)?.model.clone()?;
        Some(Work::Curve(films(), pane.name.clone(), pane.camp(), model))
    }

    /// A pair of a scene that is drawn by chance: every third time reality is broken, else a model imagines.
    fn a_pair(&mut self) -> Option<Work> {
        if self.state.loading {
            return None;
        }
        let number = self.state.surprise.spot.rounds;
        self.state.surprise.spot.rounds += 1;
        let mixed = (number ^ self.state.record.seed << 8).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let draw = |n: usize, shift: u32| (mixed >> shift) as usize % n.max(1);
        let seed = FIRST_PAIR + (mixed >> 20) % 90_000;
        let can = |p: &&Pane| !p.twin && p.same_as.is_none() && p.has_pixels();
        let ready = |p: &&Pane| can(p) && p.status == PaneStatus::Ready;
        let models: Vec<&Pane> = self.state.panes.iter().filter(ready).collect();
        let scenes: Vec<&SceneEntry> = (self.state.scenes.iter())
            .filter(|s| s.summary.is_ok() && !s.name.ends_with(".ron"))
            .collect();
        if scenes.is_empty() {
            self.state.surprise.spot.problem = Some("No scene can be shown".into());
            return None;
        }
        if number % 3 == 2 || models.is_empty() {
            let event = Event::ALL[draw(Event::ALL.len(), 8)];
            let scene = scenes[draw(scenes.len(), 40)].name.clone();
            return Some(Work::Round(scene, seed, Fake::Broken(event)));
        }
        let pane = models[draw(models.len(), 16)];
        let own: Vec<&&SceneEntry> = scenes.iter().filter(|s| pane.is_for(&s.name)).collect();
        let scene = own.get(draw(own.len(), 40))?.name.clone();
        let model = self.backstage.get(&pane.name)?.model.clone()?;
        let fake = Fake::Imagined(pane.name.clone(), model, pane.nfe.max(1));
        Some(Work::Round(scene, seed, fake))
    }

    /// Whether films of the screen move.
    pub(super) fn surprise_moves(&self) -> bool {
        let surprise = &self.state.surprise;
        let plays = !surprise.stands && surprise.length() > 0;
        self.state.screen == Screen::Surprise && (plays || self.surprising.is_busy())
    }

    fn play_surprise(&mut self) {
        let surprise = &mut self.state.surprise;
        let length = surprise.length();
        if surprise.stands || length == 0 {
            return;
        }
        let is_last = surprise.frame + 1 >= length;
        let wait = match is_last {
            true => HOLD,
            false => Duration::from_secs_f32(1.0 / CONTROL_HZ as f32),
        };
        if self.shown_since.elapsed() >= wait {
            surprise.frame = if is_last { 0 } else { surprise.frame + 1 };
            self.shown_since = Instant::now();
        }
    }
}
