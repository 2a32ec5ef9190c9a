//! Play, pause, step, reset, speed, seed, and the lamp that tells success.

use bevy_egui::egui::{
    Align, Button, Color32, DragValue, Layout, RichText, Sense, Slider, Ui, vec2,
};

use super::super::command::Command;
use super::super::state::{Cursor, State};
use super::super::theme;
use crate::sim::CONTROL_HZ;

/// Draws the row of transport controls.
pub fn transport_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let (icon, word) = if state.playing {
            ("⏸", "Pause")
        } else {
            ("▶", "Play")
        };
        let play = Button::new(RichText::new(format!("{icon} {word}")).strong())
            .min_size(vec2(78.0, 26.0))
            .fill(theme::ACCENT.gamma_multiply(if state.light { 0.55 } else { 0.35 }));
        if ui.add(play).on_hover_text("Space").clicked() {
            out.push(Command::TogglePlay);
        }
        if ui
            .button("⏭ Step")
            .on_hover_text("One control step, 0.1 s (N or →)")
            .clicked()
        {
            out.push(Command::Step);
        }
        if ui
            .button("⟲ Reset")
            .on_hover_text("The same seed again (R)")
            .clicked()
        {
            out.push(Command::Reset);
        }
        if ui
            .button("Branch here")
            .on_hover_text("Let every model imagine the next 20 steps from this moment (B)")
            .clicked()
        {
            out.push(Command::BranchHere);
        }
        let live = matches!(state.cursor, Cursor::Live);
        let button = Button::new("Live").selected(live);
        if ui
            .add(button)
            .on_hover_text("The newest moment (L)")
            .clicked()
        {
            out.push(Command::Live);
        }
        ui.add_space(8.0);
        let weak = theme::surfaces(state.light).weak;
        ui.label(RichText::new("Speed").color(weak));
        let mut speed = state.speed;
        let slider = Slider::new(&mut speed, 0.25..=4.0)
            .logarithmic(true)
            .custom_formatter(|v, _| format!("{v:.2}×"));
        if ui.add(slider).changed() {
            out.push(Command::Speed(speed));
        }
        ui.add_space(8.0);
        ui.label(RichText::new("Seed").color(weak));
        let mut seed = state.record.seed;
        if ui.add(DragValue::new(&mut seed).speed(1.0)).changed() {
            out.push(Command::Seed(seed));
        }
        if ui.button("🎲").on_hover_text("Another seed (G)").clicked() {
            out.push(Command::RollSeed);
        }
        let mut continues = state.continues;
        if ui
            .checkbox(&mut continues, "Next seed")
            .on_hover_text("When an episode ends, the next seed follows")
            .changed()
        {
            out.push(Command::Continue(continues));
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let time = |m: usize| m as f32 / CONTROL_HZ as f32;
            ui.label(
                RichText::new(format!(
                    "{:.1} s / {:.1} s",
                    time(state.shown()),
                    time(state.newest())
                ))
                .monospace(),
            );
        });
    });
}

/// Draws the success lamp, the distance and the count of successes.
pub fn lamp_ui(ui: &mut Ui, state: &State) {
    let s = theme::surfaces(state.light);
    if state.record.goal.is_none() {
        ui.horizontal(|ui| {
            lamp(ui, s.line);
            ui.label(RichText::new("No task here: a phenomenon to watch").color(s.weak));
        });
        return;
    }
    let (colour, word) = match state.record.outcome {
        Some(true) => (theme::GOOD, "✔ Goal reached"),
        Some(false) => (theme::BAD, "✖ Out of time"),
        None => (s.line, "On the way to the goal"),
    };
    ui.horizontal(|ui| {
        lamp(ui, colour);
        ui.label(RichText::new(word).strong());
        if let Some(d) = state.shown_moment().and_then(|m| m.distance_m) {
            ui.label(RichText::new(format!("{:.1} cm to go", d * 100.0)).color(s.weak));
        }
    });
    let score = state.score;
    ui.label(
        RichText::new(format!("Successes {}/{}", score.successes, score.episodes)).color(s.weak),
    );
}

fn lamp(ui: &mut Ui, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
    let painter = ui.painter();
    painter.circle_filled(rect.center(), 8.0, colour.gamma_multiply(0.35));
    painter.circle_filled(rect.center(), 5.5, colour);
}
