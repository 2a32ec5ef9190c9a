//! What is picked below the films: scene, seed, and who acts.

use bevy_egui::egui::{self, Align, Button, Layout, RichText, Ui, WidgetType};

use super::super::command::Command;
use super::super::state::State;
use super::super::theme;
use super::number::{number_ui, whole};
use super::{legible, name};

/// Scene, seed and who acts, from the right.
pub(super) fn picks_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    controller_ui(ui, state, out);
    if state.replay.is_none() {
        // A field of its own order inside a row that is filled from the right.
        let room = egui::vec2(SEED, ui.available_height());
        let order = Layout::left_to_right(Align::Center);
        ui.allocate_ui_with_layout(room, order, |ui| seed_ui(ui, state, out));
    }
    scenes_ui(ui, state, out);
}

/// Room for the seed, in points.
const SEED: f32 = 152.0;

fn scenes_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let current = match state.scenes.get(state.scene_index) {
        Some(scene) => title(&scene.name),
        None => state
            .scene
            .as_ref()
            .map_or("none".into(), |s| title(&s.name)),
    };
    let text = RichText::new(format!("{} ⏷", legible(ui.ctx(), &current))).strong();
    let menu = ui.menu_button(text, |ui| {
        // All of them at once, in two columns: nothing is hidden below a fold.
        ui.horizontal_top(|ui| {
            for (heading, has_actions) in [
                ("Tasks, with actions", true),
                ("Phenomena, to watch", false),
            ] {
                ui.vertical(|ui| {
                    ui.set_width(330.0);
                    let weak = theme::surfaces(state.look).weak;
                    ui.label(RichText::new(heading).small().color(weak));
                    for index in 0..state.scenes.len() {
                        if state.scenes[index].has_actions == has_actions {
                            scene_ui(ui, state, index, out);
                        }
                    }
                });
            }
        });
    });
    let response = menu.response.on_hover_text("Another scene (1 … 9)");
    name(
        &response,
        WidgetType::ComboBox,
        &format!("Scene: {current}"),
    );
}

fn scene_ui(ui: &mut Ui, state: &State, index: usize, out: &mut Vec<Command>) {
    let Some(scene) = state.scenes.get(index) else {
        return;
    };
    let selected = index == state.scene_index && state.scene.is_some();
    let shown = legible(ui.ctx(), &title(&scene.name)).into_owned();
    let hover = match &scene.summary {
        Ok(summary) if index < 9 => format!("{summary} ({})", index + 1),
        Ok(summary) => summary.clone(),
        Err(e) => e.clone(),
    };
    let hover = legible(ui.ctx(), &hover).into_owned();
    ui.horizontal(|ui| {
        let button = Button::selectable(selected, shown);
        let response = ui.add_enabled(scene.summary.is_ok(), button);
        let response = response
            .on_hover_text(&hover)
            .on_disabled_hover_text(&hover);
        if response.clicked() {
            out.push(Command::Scene(index));
            ui.close();
        }
        let weak = theme::surfaces(state.look).weak;
        let text = RichText::new(&hover).small().color(weak);
        ui.add(egui::Label::new(text).truncate());
    });
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
    let current = state
        .drivers
        .iter()
        .find(|d| d.choice == state.driver)
        .map_or("nobody", |d| d.label.as_str());
    let awaited = state.awaited.as_ref().map(|wish| match state.loading {
        true => format!("{wish} is loading…"),
        false => format!("{wish} cannot drive"),
    });
    let current = match (&state.replay, &awaited) {
        (Some(_), _) => "the recorded actions",
        (None, Some(awaited)) if state.has_actions() => awaited,
        (None, _) if state.has_actions() => current,
        (None, _) => "nobody",
    };
    let current = legible(ui.ctx(), current).into_owned();
    let room = match ui.ctx().content_rect().width() < 1000.0 {
        true => 20,
        false => 30,
    };
    let short: String = match current.chars().count() > room {
        true => current.chars().take(room - 1).chain(['…']).collect(),
        false => current.clone(),
    };
    let able = state.has_actions() && state.replay.is_none();
    ui.add_enabled_ui(able, |ui| {
        let menu = ui.menu_button(format!("Acts: {short} ⏷"), |ui| {
            ui.set_min_width(300.0);
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
            ui.separator();
            let mut waits = state.waits;
            if ui
                .checkbox(&mut waits, "Reality waits while it thinks")
                .on_hover_text("Off: reality goes on with the last action meanwhile")
                .changed()
            {
                out.push(Command::Waits(waits));
            }
        });
        let response = menu.response.on_hover_text("Who acts (C)");
        let response = response.on_disabled_hover_text("There is nothing to act on here");
        name(
            &response,
            WidgetType::ComboBox,
            &format!("Who acts: {current}"),
        );
    });
}

fn seed_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.look).weak;
    ui.label(RichText::new("Seed").color(weak));
    let seed = state.record.seed.to_string();
    if let Some(typed) = number_ui(ui, "Seed, number", &seed, &seed) {
        out.push(match whole(&typed, u64::MAX) {
            Ok(seed) => Command::Seed(seed),
            Err(why) => Command::Complain(format!("Seed: {why}; nothing was changed")),
        });
    }
    if ui.button("🎲").on_hover_text("Another seed (G)").clicked() {
        out.push(Command::RollSeed);
    }
}
