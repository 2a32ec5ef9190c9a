//! The screens: Explore, and whole screens beside it. Each is a small module here: plain data in the state, a
//! function that draws it, and what its keys mean.
//!
//! To add a screen: a variant of [`Screen`], its words there, its data as a field of the state, a line in
//! [`screen_ui`] and in [`of_key`], its name in [`Screen::TABS`], and its key in `keymap.rs`. A screen that
//! shows nothing yet has no tab: a command that asks for it is answered with a word.

pub mod gallery;
pub mod race;
pub mod surprise;

use bevy_egui::egui::{Button, RichText, Ui, WidgetType};

use super::command::{Command, keys_of};
use super::panels::{name, pictures::Pictures};
use super::screen::Screen;
use super::state::State;

/// Draws a screen other than Explore in the room below the strip at the top.
pub fn screen_ui(ui: &mut Ui, state: &State, pictures: &mut Pictures, out: &mut Vec<Command>) {
    match state.screen {
        Screen::Gallery => gallery::panel::gallery_ui(ui, state, pictures, out),
        Screen::Surprise => surprise::watch::surprise_ui(ui, state, pictures, out),
        Screen::Race => race::panel::race_ui(ui, state, pictures, out),
        Screen::Explore => {}
    }
}

/// Whether a command is the same on every screen.
pub fn is_everywhere(command: &Command) -> bool {
    matches!(
        command,
        Command::Screen(_)
            | Command::ToggleShortcuts
            | Command::TogglePalette
            | Command::Close
            | Command::ToggleTheme
            | Command::ToggleFullscreen
            | Command::Zoom(_)
            | Command::ExportPicture
            | Command::Complain(_)
            | Command::Say(_)
            | Command::DismissError
            | Command::DismissFault
    )
}

/// Whether a command can be carried out on a screen beside Explore; all others lead back there.
pub fn stays(command: &Command) -> bool {
    let own = matches!(
        command,
        Command::Gallery(_) | Command::Race(_) | Command::Surprise(_)
    );
    is_everywhere(command) || own
}

/// What a key means on a screen: the films' keys mean nothing where no film of theirs is, unless the screen
/// has a use for them.
pub fn of_key(screen: Screen, command: Command) -> Option<Command> {
    match (screen, &command) {
        (Screen::Explore, _) => Some(command),
        _ if is_everywhere(&command) => Some(command),
        // Commands that name their screen mean it.
        (_, Command::Gallery(_) | Command::Surprise(_) | Command::Race(_)) => Some(command),
        (Screen::Gallery, Command::Scene(place)) => {
            Some(Command::Gallery(gallery::Do::OpenPlace(*place)))
        }
        (Screen::Race, command) => of_key_in_race(command).map(Command::Race),
        (Screen::Surprise, command) => of_key_in_surprise(command).map(Command::Surprise),
        _ => None,
    }
}

fn of_key_in_race(command: &Command) -> Option<race::Do> {
    use race::Do;
    match command {
        Command::TogglePlay => Some(Do::Toggle),
        Command::Reset => Some(Do::Start),
        Command::Step => Some(Do::NextSeed),
        Command::RollSeed => Some(Do::RollSeed),
        _ => None,
    }
}

fn of_key_in_surprise(command: &Command) -> Option<surprise::Do> {
    use surprise::Do;
    match command {
        Command::Scene(n) => Some(Do::Number(*n)),
        Command::TogglePlay => Some(Do::Play),
        Command::Step => Some(Do::Step(1)),
        Command::StepBack => Some(Do::Step(-1)),
        Command::RollSeed => Some(Do::Another),
        _ => None,
    }
}

/// Draws the tabs of all screens that there are.
pub fn tabs_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.spacing_mut().item_spacing.x = 3.0;
    for &screen in Screen::TABS {
        let on = state.screen == screen;
        let text = RichText::new(screen.words());
        let text = if on { text.strong() } else { text };
        let response = ui.add(Button::new(text).selected(on));
        name(&response, WidgetType::Button, screen.words());
        let command = Command::Screen(screen);
        let hint = format!("{}{}", screen.meaning(), keys_of(&command));
        if response.on_hover_text(hint).clicked() {
            out.push(command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::command::TABLE;

    #[test]
    fn every_screen_with_a_tab_has_a_key_and_no_other_has_one() {
        for screen in [
            Screen::Explore,
            Screen::Gallery,
            Screen::Race,
            Screen::Surprise,
        ] {
            let opens = Command::Screen(screen);
            let keys: Vec<_> = (TABLE.iter())
                .filter(|e| e.command.as_ref() == Some(&opens))
                .collect();
            assert_eq!(keys.len(), usize::from(screen.is_open()), "{screen:?}");
            assert!(keys.iter().all(|e| e.key.is_some()), "{screen:?}");
        }
    }

    #[test]
    fn keys_of_the_films_do_nothing_on_other_screens_and_keys_of_the_window_work_everywhere() {
        let films = [
            Command::TogglePlay,
            Command::Reset,
            Command::NextFailure,
            Command::ToggleDream,
        ];
        for command in films {
            assert_eq!(of_key(Screen::Gallery, command.clone()), None);
            assert_eq!(
                of_key(Screen::Explore, command.clone()),
                Some(command.clone())
            );
        }
        for command in [
            Command::Close,
            Command::ToggleTheme,
            Command::Screen(Screen::Explore),
        ] {
            assert_eq!(of_key(Screen::Gallery, command.clone()), Some(command));
        }
    }
}
