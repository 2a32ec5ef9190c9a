//! Help and the palette: both read the one table of commands.

use bevy_egui::egui::{
    Align2, Button, Context, Grid, Id, Key, RichText, ScrollArea, TextEdit, Ui, WidgetType, Window,
};

use super::super::command::{Command, Entry, TABLE};
use super::super::state::State;
use super::super::theme;
use super::name;

/// Draws the overview of keys while it is open.
pub fn shortcuts_ui(ctx: &Context, state: &State, out: &mut Vec<Command>) {
    if !state.show_shortcuts {
        return;
    }
    let mut open = true;
    Window::new("Keys")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0])
        .show(ctx, |ui| {
            ui.spacing_mut().interact_size.y = 16.0;
            super::in_room(ui, |ui| {
                let listed = |e: &&Entry| !e.what.is_empty() && !e.keys.is_empty();
                let all: Vec<&Entry> = TABLE.iter().filter(listed).collect();
                // Two columns where the window has room for them.
                let columns = if ui.ctx().content_rect().width() > 1050.0 {
                    2
                } else {
                    1
                };
                let half = all.len().div_ceil(columns);
                ui.horizontal_top(|ui| {
                    for (i, part) in all.chunks(half).enumerate() {
                        keys_ui(ui, i, part);
                        ui.add_space(18.0);
                    }
                });
            });
        });
    if !open {
        out.push(Command::ToggleShortcuts);
    }
}

fn keys_ui(ui: &mut Ui, column: usize, entries: &[&Entry]) {
    Grid::new(("keys", column))
        .num_columns(2)
        .spacing([16.0, 4.0])
        .show(ui, |ui| {
            for entry in entries {
                ui.label(RichText::new(entry.keys).monospace().color(theme::ACCENT));
                ui.label(entry.what);
                ui.end_row();
            }
        });
}

/// Commands whose name has all of these words, in the table's order.
pub fn matching(query: &str) -> Vec<&'static Entry> {
    let query = query.to_lowercase();
    let words: Vec<&str> = query.split_whitespace().collect();
    let fits = |e: &&Entry| {
        let what = e.what.to_lowercase();
        e.command.is_some() && !e.what.is_empty() && words.iter().all(|w| what.contains(w))
    };
    TABLE.iter().filter(fits).collect()
}

/// What is typed into the palette, and which line is chosen.
#[derive(Clone, Default)]
struct Typed {
    text: String,
    line: usize,
}

/// Draws the palette of commands while it is open.
pub fn palette_ui(ctx: &Context, state: &State, out: &mut Vec<Command>) {
    let id = Id::new("palette");
    if !state.show_palette {
        ctx.data_mut(|d| d.remove::<Typed>(id));
        return;
    }
    let is_new = ctx.data(|d| d.get_temp::<Typed>(id)).is_none();
    let mut typed = ctx.data(|d| d.get_temp::<Typed>(id)).unwrap_or_default();
    let mut open = true;
    let mut chosen = None;
    Window::new("Commands")
        .open(&mut open)
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_TOP, [0.0, 70.0])
        .show(ctx, |ui| {
            ui.set_width(460.0);
            let field = TextEdit::singleline(&mut typed.text)
                .hint_text("Type what you want to do")
                .desired_width(f32::INFINITY);
            let field = ui.add(field);
            name(&field, WidgetType::TextEdit, "Command");
            if is_new {
                field.request_focus();
            }
            if field.changed() {
                typed.line = 0;
            }
            let found = matching(&typed.text);
            let (down, up, enter) = ui.input(|i| {
                let pressed = |key| i.key_pressed(key);
                (
                    pressed(Key::ArrowDown),
                    pressed(Key::ArrowUp),
                    pressed(Key::Enter),
                )
            });
            if down {
                typed.line += 1;
            }
            if up {
                typed.line = typed.line.saturating_sub(1);
            }
            typed.line = typed.line.min(found.len().saturating_sub(1));
            let height = ui.ctx().content_rect().height() - 240.0;
            ScrollArea::vertical()
                .max_height(height.max(120.0))
                .show(ui, |ui| {
                    for (i, entry) in found.iter().enumerate() {
                        let row = Button::selectable(i == typed.line, entry.what)
                            .shortcut_text(entry.keys)
                            .min_size(bevy_egui::egui::vec2(ui.available_width(), 22.0));
                        let row = ui.add(row);
                        if i == typed.line && (down || up) {
                            row.scroll_to_me(None);
                        }
                        if row.clicked() {
                            chosen = entry.command.clone();
                        }
                    }
                });
            if enter && let Some(entry) = found.get(typed.line) {
                chosen = entry.command.clone();
            }
        });
    ctx.data_mut(|d| d.insert_temp(id, typed));
    if let Some(command) = chosen {
        out.push(Command::TogglePalette);
        out.push(command);
    } else if !open || ctx.input(|i| i.key_pressed(Key::Escape)) {
        out.push(Command::TogglePalette);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_palette_finds_commands_by_any_of_their_words_in_any_order() {
        let found = |query| matching(query).iter().map(|e| e.what).collect::<Vec<_>>();
        assert!(
            found("failure next")
                .iter()
                .any(|w| w.starts_with("Next failure"))
        );
        assert!(found("GIF").len() == 1, "{:?}", found("GIF"));
        assert!(found("no such thing").is_empty());
        let all = TABLE
            .iter()
            .filter(|e| e.command.is_some() && !e.what.is_empty());
        assert_eq!(found("").len(), all.count());
    }

    #[test]
    fn no_key_means_two_things() {
        let mut seen = Vec::new();
        for e in TABLE.iter().filter(|e| e.key.is_some()) {
            let key = (e.key, e.ctrl, e.shift);
            assert!(!seen.contains(&key), "{:?} {}", e.key, e.what);
            seen.push(key);
        }
    }
}
