//! The bar at the top: scenes, controller, switches.

use bevy_egui::egui::{Align, Button, ComboBox, Layout, RichText, Ui};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;

/// Draws the bar.
pub fn top_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.horizontal_centered(|ui| {
        ui.add_space(2.0);
        ui.label(RichText::new("Parallax").heading().strong());
        ui.add_space(10.0);
        scenes_ui(ui, state, out);
        ui.separator();
        controller_ui(ui, state, out);
        let mut waits = state.waits;
        if ui
            .checkbox(&mut waits, "Reality waits")
            .on_hover_text(
                "Reality waits while the controller thinks; off: it goes on with the last action",
            )
            .changed()
        {
            out.push(Command::Waits(waits));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
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
        });
    });
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
                let text = match pane.camp() {
                    Some(camp) if pane.twin => {
                        format!("{} · {}, asked once without noise", pane.name, camp.id())
                    }
                    Some(camp) => format!("{} · {}", pane.name, camp.id()),
                    None => pane.name.clone(),
                };
                let row = ui.checkbox(&mut on, text);
                let row = match &pane.card {
                    Some(card) => row.on_hover_text(&card.summary),
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
        .selected_text(RichText::new(current).strong())
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
    let button = Button::new(title(&scene.name))
        .selected(selected)
        .frame_when_inactive(true);
    let hover = match &scene.summary {
        Ok(summary) if index < 9 => format!("{summary} ({})", index + 1),
        Ok(summary) => summary.clone(),
        Err(e) => e.clone(),
    };
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
    let mut title = stem.trim_end_matches(".ron").replace('_', " ");
    if let Some(first) = title.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    title
}

fn controller_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.label(RichText::new("Controller").color(theme::surfaces(state.light).weak));
    let current = state
        .drivers
        .iter()
        .find(|d| d.choice == state.driver)
        .map_or("none", |d| d.label.as_str());
    let current = match state.replay {
        Some(_) => "the recorded actions",
        None if state.has_actions() => current,
        None => "none: nothing to act on",
    };
    ComboBox::from_id_salt("controller")
        .selected_text(current)
        .width(220.0)
        .show_ui(ui, |ui| {
            for option in &state.drivers {
                let selected = option.choice == state.driver;
                let button = Button::selectable(selected, option.label.as_str());
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
    if let Some(note) = &state.note {
        let colour = if state.note_is_error {
            ui.visuals().error_fg_color
        } else {
            weak
        };
        let mark = if state.note_is_error { "⚠ " } else { "" };
        let text = RichText::new(format!("{mark}{note}")).color(colour);
        ui.add(bevy_egui::egui::Label::new(text).truncate())
            .on_hover_text(note);
    } else if state.loading {
        ui.label(RichText::new("Loading models…").color(weak));
        ui.spinner();
    }
}
