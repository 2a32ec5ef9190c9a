//! What each command does to the session.

use super::Session;
use super::showing::SLOW;
use crate::app::command::Command;
use crate::app::export::command_line;
use crate::app::state::*;
use crate::sim::HELD_OUT_SEED;
use crate::worker::{RealityOrder, Replay};

impl Session {
    /// Does what a person asked for.
    pub fn apply(&mut self, command: Command) {
        self.go_where_it_belongs(&command);
        match command {
            Command::Screen(screen) => self.show_screen(screen),
            Command::Gallery(what) => self.do_in_gallery(what),
            Command::Surprise(what) => self.do_in_surprise(what),
            Command::Race(what) => self.do_in_race(what),
            Command::Dream(index) => self.dream_in(index),
            Command::ToggleDream => self.toggle_dream(),
            Command::DreamAgain => self.dream_again(),
            Command::TogglePlay if self.state.dream.is_some() => self.hold_dream(),
            Command::Step if self.state.dream.is_some() => self.step_dream(),
            Command::Reset if self.state.dream.is_some() => self.dream_again(),
            Command::TogglePlay => self.toggle_play(),
            Command::Step if self.state.awaited.is_some() && self.state.replay.is_none() => {
                self.state
                    .say("The controller that was asked for is not there yet: nobody acts");
            }
            Command::Step => self.step(),
            Command::StepBack => self.look_at(self.state.shown().saturating_sub(1)),
            Command::Scrub(moment) => self.look_at(moment),
            Command::ToggleLoop => self.toggle_loop(),
            Command::ToggleSlow => {
                let slow = self.state.speed > SLOW;
                self.apply(Command::Speed(if slow { SLOW } else { 1.0 }));
            }
            Command::Opening => self.open_with_a_story(),
            Command::Live => self.go_live(),
            Command::Show => self.show_again(),
            Command::NextFailure => self.next_failure(),
            Command::Failure(pane, moment) => self.look_at_failure(pane, moment),
            Command::Reset if self.state.replay.is_some() => self.state.cursor = Cursor::At(0),
            Command::Reset => self.restart(self.state.record.seed),
            Command::Seed(_) | Command::RollSeed | Command::NextSeed if !self.is_touchable() => {}
            Command::Seed(seed) => self.restart(seed),
            Command::NextSeed => self.restart(self.state.record.seed.saturating_add(1)),
            Command::RollSeed => {
                // Seeds for looking at lie in the held-out range; which one does not matter, only that they
                // differ.
                self.rolled = self
                    .rolled
                    .wrapping_add(self.state.record.seed)
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                self.restart(HELD_OUT_SEED + (self.rolled >> 33) % 100_000);
            }
            Command::Speed(speed) => {
                self.state.speed = speed.clamp(0.25, 4.0);
                self.tell_pace();
            }
            Command::Scene(index) => self.open_scene(index),
            Command::Driver(_) | Command::NextDriver if !self.is_touchable() => {}
            Command::Driver(choice) => self.choose(choice),
            Command::NextDriver => self.next_driver(),
            Command::Waits(on) => {
                self.state.waits = on;
                self.reality.tell(RealityOrder::Waits(on));
            }
            Command::Continue(on) => {
                self.state.continues = on;
                self.tell_pace();
            }
            Command::BranchHere => self.branch_here(),
            Command::Nfe(pane, nfe) => {
                if let Some(pane) = self.state.panes.get_mut(pane) {
                    pane.nfe = nfe.clamp(1, 50);
                }
            }
            Command::Pick(slot, index) => self.pick(slot, index),
            Command::Intervene(..) | Command::ClearInterventions if !self.is_touchable() => {}
            Command::Intervene(target, value) => {
                self.be_live();
                self.state.interventions.insert(target.clone(), value);
                self.reality.tell(RealityOrder::Set(target, value));
            }
            Command::ClearInterventions => {
                self.state.interventions.clear();
                self.reality.tell(RealityOrder::ClearInterventions);
                self.restart(self.state.record.seed);
            }
            Command::Grab(grip) => self.grab(grip),
            Command::Lead(to) => self.lead(to),
            Command::LetGo => self.let_go(),
            Command::Undo | Command::Redo | Command::SaveMoment | Command::RestoreMoment
                if !self.is_touchable() => {}
            Command::Undo if self.state.undo.is_none() => {
                self.state
                    .say("Nothing to undo: nobody has disturbed this episode");
            }
            Command::Undo => self.reality.tell(RealityOrder::Undo),
            Command::Redo if self.state.redo.is_none() => {
                self.state
                    .say("Nothing to do again: Ctrl+Z undoes a disturbance");
            }
            Command::Redo => self.reality.tell(RealityOrder::Redo),
            Command::SaveMoment => self.reality.tell(RealityOrder::Save),
            Command::RestoreMoment if self.state.saved.is_none() => {
                self.state.say("No moment is saved: Ctrl+S saves one");
            }
            Command::RestoreMoment => {
                self.be_live();
                self.reality.tell(RealityOrder::Restore);
            }
            Command::ReplayEpisode(episode) => {
                if let Some(shown) = &self.state.replay {
                    let file = shown.replay.file.clone();
                    self.open_replay(Replay { file, episode });
                }
            }
            Command::CopyCommand => {
                self.copied = Some(command_line(&self.state));
            }
            command => self.apply_to_screen(command),
        }
    }

    /// Commands that change what is on the screen and nothing behind it.
    fn apply_to_screen(&mut self, command: Command) {
        let state = &mut self.state;
        match command {
            Command::PlanView(view) => state.plan_view = view,
            Command::NextPlanView if state.dock != Dock::Plan => state.dock = Dock::Plan,
            Command::NextPlanView => {
                let at = state.plan_view as usize + 1;
                state.plan_view = PlanView::ALL[at % PlanView::ALL.len()];
            }
            Command::ToggleSpread => self.toggle_spread(),
            Command::MaskView(view) => state.mask_view = view,
            Command::NextMaskView => self.next_mask_view(),
            Command::Compare(compare) => state.compare = compare,
            Command::NextCompare => {
                state.compare = state.compare.next();
                let words = state.compare.words();
                state.say(format!("Truth and imagination: {words} (X)"));
            }
            Command::Wipe(at) => state.wipe = at.clamp(0.0, 1.0),
            Command::ToggleEye => state.show_eye ^= true,
            Command::ToggleGhosts => state.show_ghosts ^= true,
            Command::Enlarge(film) => state.enlarged = film,
            Command::Dock(dock) => state.open_dock(dock),
            Command::ToggleInterventions => state.open_dock(Dock::Interventions),
            Command::ToggleTimers => state.open_dock(Dock::Timers),
            Command::ToggleShortcuts => state.show_shortcuts ^= true,
            Command::TogglePalette => state.show_palette ^= true,
            Command::Close => self.close(),
            Command::ToggleTheme => {
                state.look = match state.look.is_light() {
                    true => Look::Dark,
                    false => Look::Light,
                };
            }
            Command::ToggleProjector => {
                state.look = match state.look {
                    Look::Projector => Look::Dark,
                    _ => Look::Projector,
                };
            }
            Command::Follow(body) => {
                let bodies = state.scene.as_ref().map_or(0, |s| s.bodies.len());
                state.follow = body.filter(|b| *b < bodies);
            }
            // Whoever leads the camera elsewhere no longer wants it to follow.
            Command::Pan(..) | Command::ResetCamera => state.follow = None,
            Command::Search(search) => self.set_search(search),
            Command::Zoom(factor) => state.zoom = (state.zoom * factor).clamp(0.6, 2.5),
            Command::Complain(what) => state.complain(what),
            Command::Say(what) => state.say(what),
            Command::DismissError => state.note = None,
            Command::DismissFault => state.fault = None,
            // These belong to the window, which reads them itself.
            _ => {}
        }
    }

    /// Closes what is open, the newest first.
    fn close(&mut self) {
        let state = &mut self.state;
        if std::mem::take(&mut state.show_palette) || std::mem::take(&mut state.show_shortcuts) {
            return;
        }
        if state.screen != Screen::Explore {
            return self.show_screen(Screen::Explore);
        }
        if state.enlarged.take().is_some() {
            return;
        }
        if state.dock != Dock::Measured {
            state.dock = Dock::Measured;
        } else if state.dream.is_some() {
            self.wake();
        } else if state.range.take().is_some() {
            state.focus = None;
            self.apply(Command::Speed(1.0));
        } else if state.note_is_error {
            state.note = None;
        }
    }
}
