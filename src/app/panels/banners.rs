//! Strips under the bar: a scene's file that is bad, and the recorded episode that is shown.

use bevy_egui::egui::{Align, Button, Frame, Label, Layout, Margin, Panel, RichText, Ui};

use super::super::command::Command;
use super::super::state::{ReplayShown, State};
use super::super::theme;
use super::number::{number_ui, whole};
use super::{badge, legible};
use crate::sim::CONTROL_HZ;

/// Draws the strips that are needed.
pub fn banners_ui(root: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let s = theme::surfaces(state.look);
    let strip = |colour| {
        Frame::new()
            .fill(s.card.lerp_to_gamma(colour, 0.16))
            .inner_margin(Margin::symmetric(14, 5))
    };
    if let Some(fault) = &state.fault {
        Panel::top("fault")
            .resizable(false)
            .frame(strip(theme::BAD))
            .show(root, |ui| fault_ui(ui, fault, out));
    }
    if let Some(error) = state.note.as_ref().filter(|_| state.note_is_error) {
        Panel::top("error")
            .resizable(false)
            .frame(strip(theme::BAD))
            .show(root, |ui| error_ui(ui, error, out));
    }
    if let Some(replay) = &state.replay {
        Panel::top("replay")
            .resizable(false)
            .frame(strip(theme::ACCENT))
            .show(root, |ui| replay_ui(ui, state, replay, out));
    }
}

fn error_ui(ui: &mut Ui, error: &str, out: &mut Vec<Command>) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if ui.button("Dismiss").clicked() {
            out.push(Command::DismissError);
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let colour = ui.visuals().error_fg_color;
            let error = legible(ui.ctx(), error).into_owned();
            let text = RichText::new(format!("⚠ {error}")).color(colour);
            ui.add(Label::new(text).wrap()).on_hover_text(error);
        });
    });
}

fn fault_ui(ui: &mut Ui, fault: &str, out: &mut Vec<Command>) {
    ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
        if ui
            .button("Dismiss")
            .on_hover_text("The message goes by itself when the file is good again")
            .clicked()
        {
            out.push(Command::DismissFault);
        }
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            let colour = ui.visuals().error_fg_color;
            ui.label(
                RichText::new("⚠ The scene as it was goes on")
                    .strong()
                    .color(colour),
            );
            let fault = legible(ui.ctx(), fault).into_owned();
            ui.add(Label::new(fault.as_str()).wrap())
                .on_hover_text(fault);
        });
    });
}

fn replay_ui(ui: &mut Ui, state: &State, replay: &ReplayShown, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.look).weak;
    ui.horizontal(|ui| {
        ui.label(RichText::new("Replay").strong());
        let file = replay.replay.file.display().to_string();
        let name = replay.replay.file.file_name();
        let name = name.map_or(file.clone(), |n| n.to_string_lossy().into_owned());
        let name = RichText::new(legible(ui.ctx(), &name)).color(weak);
        ui.label(name).on_hover_text(legible(ui.ctx(), &file));
        ui.label("Episode");
        let episode = replay.replay.episode;
        let last = replay.episodes.saturating_sub(1);
        let shown = episode.to_string();
        if let Some(typed) = number_ui(ui, "Episode, number", &shown, &shown) {
            out.push(match whole(&typed, last) {
                Ok(episode) => Command::ReplayEpisode(episode),
                Err(why) => Command::Complain(format!("Episode: {why}; nothing was changed")),
            });
        }
        ui.label(RichText::new(format!("of {}", replay.episodes)).color(weak));
        let next = Button::new("Next");
        if ui.add_enabled(episode < last, next).clicked() {
            out.push(Command::ReplayEpisode(episode + 1));
        }
        ui.label(RichText::new(format!("seed {}", state.record.seed)).color(weak));
        match &replay.verdict {
            None => {
                ui.spinner();
            }
            Some(Ok(())) => {
                badge(ui, "✔ bit-identical", theme::GOOD).on_hover_text(
                    "Rebuilt from scene, seed and actions, every bit of every state and picture is the \
                     recorded one",
                );
            }
            Some(Err((step, what))) => {
                let seconds = *step as f32 / CONTROL_HZ as f32;
                badge(ui, &format!("✖ differs from {seconds:.1} s on (step {step})"), theme::BAD)
                    .on_hover_text(what);
                ui.add(Label::new(RichText::new(what).color(weak)).truncate());
            }
        }
    });
}
