//! Fields for numbers. What is typed counts once it is finished, at Enter or when another place is clicked,
//! and never letter by letter; Esc leaves things as they were. What is no number changes nothing and says so.

use bevy_egui::egui::text::{CCursor, CCursorRange};
use bevy_egui::egui::{Button, Id, Key, RichText, Sense, TextEdit, Ui, WidgetType};

use super::name;
use crate::scene::Scene;

/// A figure as people write it: with a decimal point or comma, and with or without its unit.
///
/// # Errors
/// In a sentence: it is no number, or not a finite one.
pub fn figure(text: &str, unit: &str) -> Result<f32, String> {
    let bare = text.trim();
    let bare = bare.strip_suffix(unit.trim()).unwrap_or(bare).trim();
    let plain = bare.replace('\u{2212}', "-").replace(',', ".");
    match plain.parse::<f32>() {
        Ok(value) if value.is_finite() => Ok(value),
        Ok(_) => Err(format!("`{text}` is not finite")),
        Err(_) => Err(format!("`{text}` is no number such as -3.7")),
    }
}

/// A whole number from 0 up to `last`; spaces and underscores between its digits are allowed.
///
/// # Errors
/// In a sentence: it is none, or larger.
pub fn whole(text: &str, last: u64) -> Result<u64, String> {
    let parts = |c: char| matches!(c, '_' | ' ' | '\u{a0}' | '\u{202f}');
    let plain: String = text.trim().chars().filter(|c| !parts(*c)).collect();
    let digits = !plain.is_empty() && plain.bytes().all(|b| b.is_ascii_digit());
    match plain.parse::<u64>() {
        Ok(value) if digits && value <= last => Ok(value),
        _ => Err(format!("`{text}` is no whole number from 0 to {last}")),
    }
}

/// What was typed for a field of the scene.
///
/// # Errors
/// In a sentence that names the field: it is no number, or the scene does not take it.
pub fn intervention(scene: &Scene, target: &str, text: &str, unit: &str) -> Result<f32, String> {
    let value = figure(text, unit).map_err(|e| format!("{target}: {e}"))?;
    if target == "action.delay" && value.fract() != 0.0 {
        return Err(format!("{target}: `{text}` is no whole number of steps"));
    }
    scene
        .check_field(target, value)
        .map(|()| value)
        .map_err(|e| e.to_string())
}

/// Draws a field that shows `shown` until it is clicked, and then `exact` to be changed. Returns what was
/// typed, when that is finished and differs from `exact`.
pub fn number_ui(ui: &mut Ui, label: &str, shown: &str, exact: &str) -> Option<String> {
    // Focus stays with the field, whatever comes and goes before it.
    ui.push_id(("number", label), |ui| field_ui(ui, label, shown, exact))
        .inner
}

fn field_ui(ui: &mut Ui, label: &str, shown: &str, exact: &str) -> Option<String> {
    // The button and the text field in its place are one widget.
    let id = ui.next_auto_id();
    let is_editing = ui.is_enabled()
        && ui.memory_mut(|m| {
            m.interested_in_focus(id, ui.layer_id());
            m.has_focus(id)
        });
    let begun = ui.data(|d| d.get_temp::<Edit>(id));
    if is_editing {
        let mut edit = begun.unwrap_or_else(|| Edit::new(exact));
        let width = ui
            .spacing()
            .interact_size
            .x
            .max(13.0 + 7.5 * edit.text.chars().count() as f32);
        let field = TextEdit::singleline(&mut edit.text)
            .id(id)
            .clip_text(false)
            .margin(ui.spacing().button_padding)
            .min_size(ui.spacing().interact_size)
            .desired_width(width - 2.0 * ui.spacing().button_padding.x);
        let response = ui.add(field);
        name(&response, WidgetType::TextEdit, label);
        if response.gained_focus() {
            select_all(ui, id, &edit.text);
        }
        if response.lost_focus() {
            return finish(ui, id, edit);
        }
        ui.data_mut(|d| d.insert_temp(id, edit));
        return None;
    }
    // The focus may have been taken by another widget since this one was last drawn.
    let typed = begun.and_then(|edit| finish(ui, id, edit));
    let button = Button::new(RichText::new(shown))
        .sense(Sense::click())
        .min_size(ui.spacing().interact_size);
    let response = ui.add(button).on_hover_text("Click to type a number");
    name(&response, WidgetType::TextEdit, label);
    if response.clicked() {
        ui.data_mut(|d| d.insert_temp(id, Edit::new(exact)));
        ui.memory_mut(|m| m.request_focus(id));
        select_all(ui, id, exact);
    }
    typed
}

/// What is being typed, and what it began as.
#[derive(Clone, Debug)]
struct Edit {
    text: String,
    was: String,
}

impl Edit {
    fn new(exact: &str) -> Self {
        Self {
            text: exact.into(),
            was: exact.into(),
        }
    }
}

fn finish(ui: &Ui, id: Id, edit: Edit) -> Option<String> {
    ui.data_mut(|d| d.remove::<Edit>(id));
    let given_up = ui.input(|i| i.key_pressed(Key::Escape));
    (!given_up && edit.text != edit.was).then_some(edit.text)
}

fn select_all(ui: &Ui, id: Id, text: &str) {
    let mut state = TextEdit::load_state(ui.ctx(), id).unwrap_or_default();
    let all = CCursorRange::two(CCursor::new(0), CCursor::new(text.chars().count()));
    state.cursor.set_char_range(Some(all));
    state.store(ui.ctx(), id);
}
