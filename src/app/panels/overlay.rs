//! The shortcut overlay.

use bevy_egui::egui::{Align2, Context, Grid, RichText, Window};

use super::super::command::{Command, SHORTCUTS};
use super::super::state::State;
use super::super::theme;

/// Draws the overlay while it is open.
pub fn shortcuts_ui(ctx: &Context, state: &State, out: &mut Vec<Command>) {
    if !state.show_shortcuts {
        return;
    }
    let mut open = true;
    Window::new("Shortcuts")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            ui.spacing_mut().interact_size.y = 16.0;
            super::in_room(ui, |ui| {
                Grid::new("shortcuts")
                    .num_columns(2)
                    .spacing([24.0, 5.0])
                    .show(ui, |ui| {
                        for shortcut in SHORTCUTS.iter().filter(|s| !s.what.is_empty()) {
                            ui.label(
                                RichText::new(shortcut.keys)
                                    .monospace()
                                    .color(theme::ACCENT),
                            );
                            ui.label(shortcut.what);
                            ui.end_row();
                        }
                    });
            });
        });
    if !open {
        out.push(Command::ToggleShortcuts);
    }
}
