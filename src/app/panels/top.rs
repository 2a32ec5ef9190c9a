//! The bar at the top: scenes, controller, switches.

use bevy_egui::egui::{Align, Button, Checkbox, ComboBox, Layout, RichText, Ui};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;
use super::legible;

/// Windows narrower than this, in points, have the bar in two rows.
const NARROW: f32 = 1300.0;
/// Height of the bar's first row, in points.
const ROW: f32 = 42.0;
/// Height of its second row.
const SECOND_ROW: f32 = 34.0;

/// Height of the bar in a window so wide.
pub fn height(window_width: f32) -> f32 {
    match window_width < NARROW {
        true => ROW + SECOND_ROW,
        false => ROW,
    }
}

/// Draws the bar.
pub fn top_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    if ui.ctx().content_rect().width() < NARROW {
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 4.0;
            ui.horizontal(|ui| picked_ui(ui, state, out));
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                switches_ui(ui, state, out);
            });
        });
        return;
    }
    ui.horizontal_centered(|ui| {
        picked_ui(ui, state, out);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            switches_ui(ui, state, out);
        });
    });
}

/// What is shown, and who drives.
fn picked_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.add_space(2.0);
    ui.label(RichText::new("Parallax").heading().strong());
    ui.add_space(10.0);
    scenes_ui(ui, state, out);
    ui.separator();
    controller_ui(ui, state, out);
    let mut waits = state.waits;
    let waits = ui.add_enabled(
        state.has_actions() && state.replay.is_none(),
        Checkbox::new(&mut waits, "Reality waits"),
    );
    if waits
        .on_hover_text(
            "Reality waits while the controller thinks; off: it goes on with the last action",
        )
        .on_disabled_hover_text("Nobody acts here, so there is nobody to wait for")
        .changed()
    {
        out.push(Command::Waits(!state.waits));
    }
}

/// Switches from the right, and the message in what is left.
fn switches_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    if ui.button("?").on_hover_text("Shortcuts (?)").clicked() {
        out.push(Command::ToggleShortcuts);
    }
    let theme = if state.light { "🌙" } else { "☀" };
    if ui
        .button(theme)
        .on_hover_text("Light or dark (M)")
        .clicked()
    {
        out.push(Command::ToggleTheme);
    }
    let timers = Button::new("Timers").selected(state.show_timers);
    if ui
        .add(timers)
        .on_hover_text("Time of every worker (T)")
        .clicked()
    {
        out.push(Command::ToggleTimers);
    }
    let hands = Button::new("Interventions").selected(state.show_interventions);
    if ui
        .add(hands)
        .on_hover_text("Take reality out of what the models were trained on (I)")
        .clicked()
    {
        out.push(Command::ToggleInterventions);
    }
    models_ui(ui, state, out);
    let able = state.scene_panes().any(|(_, p)| p.can_dream());
    let dream = Button::new("Dream").selected(state.dream.is_some());
    let dream = ui
        .add_enabled(able || state.dream.is_some(), dream)
        .on_hover_text("Drive what a generative model imagines, without reality (O)")
        .on_disabled_hover_text("No model with pixels is ready for this scene");
    if dream.clicked() {
        out.push(Command::ToggleDream);
    }
    note_ui(ui, state);
}

/// Which of the scene's models are shown.
fn models_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let shown: Vec<usize> = state.scene_panes().map(|(i, _)| i).collect();
    let all = state.scene_models().count();
    let title = format!("Models {}/{all}", shown.len());
    ui.add_enabled_ui(all > 0, |ui| {
        ui.menu_button(title, |ui| {
            for (index, pane) in state.scene_models() {
                let mut on = shown.contains(&index);
                let mut text = match pane.camp() {
                    Some(camp) if pane.twin => {
                        format!("{} · {}, asked once without noise", pane.name, camp.id())
                    }
                    Some(camp) => format!("{} · {}", pane.name, camp.id()),
                    None => pane.name.clone(),
                };
                if let Some(other) = &pane.same_as {
                    text.push_str(&format!(", the same weights as {other}"));
                }
                let text = legible(ui.ctx(), &text).into_owned();
                let row = ui.checkbox(&mut on, text);
                let row = match &pane.card {
                    Some(card) => {
                        let summary = legible(ui.ctx(), &card.summary);
                        row.on_hover_text(summary)
                    }
                    None => row,
                };
                if row.changed() {
                    out.push(Command::ShowModel(index, on));
                }
            }
        })
        .response
        .on_hover_text("Which models imagine beside reality; all of them may drive");
    });
}

/// Scenes that fit into the bar as buttons; more of them become a list.
const BUTTONS: usize = 5;

fn scenes_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    if state.scenes.len() > BUTTONS {
        return scene_list_ui(ui, state, out);
    }
    ui.spacing_mut().item_spacing.x = 3.0;
    for index in 0..state.scenes.len() {
        scene_ui(ui, state, index, out);
    }
    ui.spacing_mut().item_spacing.x = 8.0;
}

fn scene_list_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.label(RichText::new("Scene").color(theme::surfaces(state.light).weak));
    let current = match state.scenes.get(state.scene_index) {
        Some(scene) => title(&scene.name),
        None => state
            .scene
            .as_ref()
            .map_or("none".into(), |s| title(&s.name)),
    };
    ComboBox::from_id_salt("scene")
        .selected_text(RichText::new(legible(ui.ctx(), &current)).strong())
        .width(150.0)
        .height(720.0)
        .show_ui(ui, |ui| {
            ui.set_min_width(420.0);
            for (heading, has_actions) in [
                ("Tasks, with actions", true),
                ("Phenomena, to watch", false),
            ] {
                let weak = theme::surfaces(state.light).weak;
                ui.label(RichText::new(heading).small().color(weak));
                for (index, scene) in state.scenes.iter().enumerate() {
                    if scene.has_actions == has_actions {
                        ui.horizontal(|ui| {
                            scene_ui(ui, state, index, out);
                            let summary = scene.summary.as_ref().unwrap_or_else(|e| e);
                            let summary = legible(ui.ctx(), summary);
                            let summary = RichText::new(summary).small().color(weak);
                            ui.add(bevy_egui::egui::Label::new(summary).truncate());
                        });
                    }
                }
            }
        });
}

fn scene_ui(ui: &mut Ui, state: &State, index: usize, out: &mut Vec<Command>) {
    let Some(scene) = state.scenes.get(index) else {
        return;
    };
    let selected = index == state.scene_index && state.scene.is_some();
    let shown = legible(ui.ctx(), &title(&scene.name)).into_owned();
    let button = Button::new(shown)
        .selected(selected)
        .frame_when_inactive(true);
    let hover = match &scene.summary {
        Ok(summary) if index < 9 => format!("{summary} ({})", index + 1),
        Ok(summary) => summary.clone(),
        Err(e) => e.clone(),
    };
    let hover = legible(ui.ctx(), &hover).into_owned();
    let response = ui.add_enabled(scene.summary.is_ok(), button);
    let response = response
        .on_hover_text(&hover)
        .on_disabled_hover_text(&hover);
    if response.clicked() {
        out.push(Command::Scene(index));
    }
}

/// A scene's name for the screen.
fn title(name: &str) -> String {
    let stem = name.rsplit('/').next().unwrap_or(name);
    let title = stem.trim_end_matches(".ron").replace('_', " ");
    let mut letters = title.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => title,
    }
}

fn controller_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.label(RichText::new("Controller").color(theme::surfaces(state.light).weak));
    let current = state
        .drivers
        .iter()
        .find(|d| d.choice == state.driver)
        .map_or("none", |d| d.label.as_str());
    let awaited = state.awaited.as_ref().map(|wish| match state.loading {
        true => format!("{wish} is loading…"),
        false => format!("{wish} cannot drive"),
    });
    let current = match (&state.replay, &awaited) {
        (Some(_), _) => "the recorded actions",
        (None, Some(awaited)) if state.has_actions() => awaited,
        (None, _) if state.has_actions() => current,
        (None, _) => "none: nothing to act on",
    };
    let current = legible(ui.ctx(), current).into_owned();
    let width = match ui.ctx().content_rect().width() < 1000.0 {
        true => 170.0,
        false => 220.0,
    };
    ComboBox::from_id_salt("controller")
        .selected_text(current)
        .truncate()
        .width(width)
        .height(720.0)
        .show_ui(ui, |ui| {
            for option in &state.drivers {
                let selected = option.choice == state.driver && state.awaited.is_none();
                let label = legible(ui.ctx(), &option.label).into_owned();
                let button = Button::selectable(selected, label);
                let response = ui.add_enabled(option.problem.is_none(), button);
                let response = match &option.problem {
                    Some(problem) => response.on_disabled_hover_text(problem),
                    None => response,
                };
                if response.clicked() {
                    out.push(Command::Driver(option.choice.clone()));
                }
            }
        });
}

fn note_ui(ui: &mut Ui, state: &State) {
    let weak = theme::surfaces(state.light).weak;
    // What went wrong has a strip of its own.
    if let Some(note) = state.note.as_ref().filter(|_| !state.note_is_error) {
        let note = legible(ui.ctx(), note).into_owned();
        let text = RichText::new(&note).color(weak);
        ui.add(bevy_egui::egui::Label::new(text).truncate())
            .on_hover_text(note);
    } else if state.loading {
        ui.label(RichText::new("Loading models…").color(weak));
        ui.spinner();
    }
}
