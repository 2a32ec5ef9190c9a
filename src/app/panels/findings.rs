//! What is wrong with what was imagined in this episode: each failure a click from its moment.

use bevy_egui::egui::{Button, RichText, Sense, Ui, vec2};

use super::super::command::Command;
use super::super::state::{Stage, State};
use super::super::theme;
use super::super::verdict::{camp_word, findings, seconds};
use super::legible;

/// Draws the list, the earliest first.
pub fn findings_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let weak = theme::surfaces(state.look).weak;
    let found = findings(state);
    if found.is_empty() {
        ui.label(RichText::new(none_found(state)).color(weak));
        return;
    }
    for f in &found {
        ui.horizontal(|ui| {
            let (rect, _) = ui.allocate_exact_size(vec2(14.0, 14.0), Sense::hover());
            match f.law {
                Some(law) => theme::law_mark(ui.painter(), law, rect.center(), 4.5),
                None => theme::far_mark(ui.painter(), rect.center(), 4.0),
            }
            let pane = state.panes.get(f.pane);
            let camp = pane.and_then(|p| p.camp()).map_or("Model", camp_word);
            let text = format!("{}  {camp}: {}", seconds(f.moment), f.sentence);
            let text = legible(ui.ctx(), &text).into_owned();
            let is_focus = state.focus == Some((f.pane, f.moment));
            let row = Button::selectable(is_focus, RichText::new(&text).small()).truncate();
            if ui.add(row).on_hover_text(text).clicked() {
                out.push(Command::Failure(f.pane, f.moment));
            }
        });
    }
}

/// What to say where nothing was found: whether anything was looked at yet.
pub fn none_found(state: &State) -> &'static str {
    let mut panes = state.scene_panes().peekable();
    if panes.peek().is_none() {
        return "No model was trained on this scene: nothing is imagined.";
    }
    let all: Vec<_> = panes.collect();
    let imagined = all.iter().any(|(_, p)| !p.rollouts.is_empty());
    let judged = all.iter().all(|(_, p)| p.rollouts.iter().all(|r| r.judged));
    match (imagined, judged && state.stage != Stage::Preparing) {
        (false, _) => "The models are still imagining.",
        (true, false) => "The judge is still looking.",
        (true, true) => {
            "No violation of the laws that were checked, and every body about where it should be."
        }
    }
}
