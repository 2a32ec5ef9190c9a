//! Play, pause, step, reset, speed, seed, and the lamp that tells success.

use bevy_egui::egui::{Align, Button, Color32, Layout, RichText, Sense, Slider, Ui, vec2};

use super::super::command::Command;
use super::super::state::{Cursor, State};
use super::super::theme;
use super::badge;
use super::interventions::outside;
use super::number::{figure, number_ui, whole};
use crate::sim::CONTROL_HZ;

/// Windows narrower than this, in points, have the controls in two rows.
const NARROW: f32 = 1240.0;

/// Height that the controls take in a window so wide.
pub fn height(window_width: f32) -> f32 {
    match window_width < NARROW {
        true => 58.0,
        false => 26.0,
    }
}

/// Draws the transport controls, in one row or two.
pub fn transport_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let narrow = ui.ctx().content_rect().width() < NARROW;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 5.0;
        let plays = match &state.dream {
            Some(dream) => !dream.paused,
            None => state.playing,
        };
        let (icon, word) = if plays {
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
        moment_menu_ui(ui, state, out);
        if !narrow {
            ui.add_space(8.0);
            course_ui(ui, state, out);
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
            if !narrow {
                outside_ui(ui, state, out);
            }
        });
    });
    if narrow {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            course_ui(ui, state, out);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                outside_ui(ui, state, out);
            });
        });
    }
}

/// How fast time runs, and which seed.
fn course_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    speed_ui(ui, state, out);
    if state.replay.is_none() {
        ui.add_space(8.0);
        seed_ui(ui, state, out);
    }
}

/// The way back from disturbances.
fn moment_menu_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let runs = state.replay.is_none();
    let undo = ui.add_enabled(state.undo.is_some() && runs, Button::new("Undo"));
    let undo = match &state.undo {
        Some(what) => undo.on_hover_text(format!("Back to before the {what} (Ctrl+Z)")),
        None => undo.on_disabled_hover_text(
            "Takes back what you do to reality: pulls, impulses, a moved goal, interventions (Ctrl+Z)",
        ),
    };
    if undo.clicked() {
        out.push(Command::Undo);
    }
    ui.add_enabled_ui(runs, |ui| {
        ui.menu_button("Moment…", |ui| {
            ui.set_min_width(230.0);
            let shortcut = |text: &str, keys: &str| Button::new(text).shortcut_text(keys);
            if ui.add(shortcut("Save this moment", "Ctrl+S")).clicked() {
                out.push(Command::SaveMoment);
            }
            let back = match &state.saved {
                Some(saved) => format!("Return to {saved}"),
                None => "Return to the saved moment".into(),
            };
            let back = ui.add_enabled(state.saved.is_some(), shortcut(&back, "Ctrl+R"));
            if back.on_disabled_hover_text("None is saved").clicked() {
                out.push(Command::RestoreMoment);
            }
            let undo = match &state.undo {
                Some(what) => format!("Undo the {what}"),
                None => "Undo the last disturbance".into(),
            };
            let undo = ui.add_enabled(state.undo.is_some(), shortcut(&undo, "Ctrl+Z"));
            if undo.clicked() {
                out.push(Command::Undo);
            }
        });
    });
}

/// Slowest and fastest, times real time.
const SPEEDS: (f32, f32) = (0.25, 4.0);

fn refused(what: &str, why: &str) -> Command {
    Command::Complain(format!("{what}: {why}; nothing was changed"))
}

fn speed_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.light).weak;
    ui.label(RichText::new("Speed").color(weak));
    let mut speed = state.speed;
    ui.spacing_mut().slider_width = 80.0;
    let slider = Slider::new(&mut speed, SPEEDS.0..=SPEEDS.1)
        .logarithmic(true)
        .show_value(false);
    let slider = ui.add(slider);
    super::name(&slider, bevy_egui::egui::WidgetType::Slider, "Speed");
    if slider.changed() {
        out.push(Command::Speed(speed));
    }
    let (shown, exact) = (format!("{:.2}×", state.speed), state.speed.to_string());
    if let Some(typed) = number_ui(ui, "Speed, number", &shown, &exact) {
        let (low, high) = SPEEDS;
        let asked = figure(&typed, "×").and_then(|speed| match (low..=high).contains(&speed) {
            true => Ok(Command::Speed(speed)),
            false => Err(format!("`{typed}` is not from {low} to {high}")),
        });
        out.push(asked.unwrap_or_else(|why| refused("Speed", &why)));
    }
}

fn seed_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.light).weak;
    ui.label(RichText::new("Seed").color(weak));
    let seed = state.record.seed.to_string();
    if let Some(typed) = number_ui(ui, "Seed, number", &seed, &seed) {
        out.push(match whole(&typed, u64::MAX) {
            Ok(seed) => Command::Seed(seed),
            Err(why) => refused("Seed", &why),
        });
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
}

/// Says that reality has left what the models were trained on.
fn outside_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let Some(scene) = &state.scene else { return };
    let outside = outside(scene, &state.interventions);
    let Some(first) = outside.first() else { return };
    let more = match outside.len() {
        1 => String::new(),
        n => format!(" +{}", n - 1),
    };
    let chip = badge(
        ui,
        &format!("⚠ out of distribution: {}{more}", first.name),
        theme::BAD,
    );
    let lines: Vec<String> = outside
        .iter()
        .map(|o| format!("{}: {}", o.name, o.how_far))
        .collect();
    let hover = format!("The models were not trained on this\n{}", lines.join("\n"));
    let chip = chip.interact(Sense::click()).on_hover_text(hover);
    if chip.clicked() && !state.show_interventions {
        out.push(Command::ToggleInterventions);
    }
}

/// Draws the success lamp, the distance and the count of successes.
pub fn lamp_ui(ui: &mut Ui, state: &State) {
    let s = theme::surfaces(state.light);
    if state.record.goal.is_none() {
        let text = match state.replay {
            Some(_) => "A recorded episode: it has no goal",
            None => "No task here: a phenomenon to watch",
        };
        ui.horizontal(|ui| {
            lamp(ui, s.line);
            ui.label(RichText::new(text).color(s.weak));
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
    let score = &state.score;
    ui.label(
        RichText::new(format!(
            "Successes {}/{}",
            score.successes(),
            score.episodes()
        ))
        .color(s.weak),
    );
}

fn lamp(ui: &mut Ui, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(16.0, 16.0), Sense::hover());
    let painter = ui.painter();
    painter.circle_filled(rect.center(), 8.0, colour.gamma_multiply(0.35));
    painter.circle_filled(rect.center(), 5.5, colour);
}
