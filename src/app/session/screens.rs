//! Going from screen to screen: Explore rests while another one is shown, and goes on afterwards.

use super::Session;
use crate::app::command::Command;
use crate::app::screens;
use crate::app::state::*;

impl Session {
    /// Shows a screen, if it has anything to show.
    pub(super) fn show_screen(&mut self, screen: Screen) {
        if !screen.is_open() {
            let words = screen.words();
            return self.state.say(format!("{words} has nothing to show yet"));
        }
        if screen == self.state.screen {
            return;
        }
        self.interrupt();
        if self.state.screen == Screen::Explore {
            self.rest();
        }
        self.state.screen = screen;
        if screen == Screen::Race {
            self.open_race();
        }
        if screen == Screen::Explore {
            self.go_on_exploring();
        }
    }

    /// What belongs to the films leads back to them.
    pub(super) fn go_where_it_belongs(&mut self, command: &Command) {
        if self.state.screen != Screen::Explore && !screens::stays(command) {
            self.show_screen(Screen::Explore);
        }
    }

    /// Reality and films stand still while nobody sees them; what is being imagined comes to its end.
    fn rest(&mut self) {
        self.rested = self.state.playing;
        self.pause();
        self.hold([0.0; 4]);
        self.state.grip = None;
        if let Some(dream) = &mut self.state.dream {
            dream.paused = true;
        }
    }

    fn go_on_exploring(&mut self) {
        if std::mem::take(&mut self.rested) && !self.state.playing {
            self.toggle_play();
        }
    }
}
