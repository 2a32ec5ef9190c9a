//! Pieces that the cards of all films share.

use bevy_egui::egui::{
    self, Align, Color32, FontId, Layout, Rect, RichText, Sense, Ui, UiBuilder, vec2,
};

use super::super::command::Command;
use super::super::state::{Film, State};
use super::super::theme;
use super::super::verdict::Verdict;
use super::legible;

/// A child of the panel in this rectangle.
pub(super) fn inside(ui: &mut Ui, rect: Rect, layout: Layout) -> Ui {
    let mut child = ui.new_child(UiBuilder::new().max_rect(rect).layout(layout));
    child.set_clip_rect(rect.expand(1.0).intersect(ui.clip_rect()));
    child
}

/// A dot in a colour, before a title.
pub(super) fn dot(ui: &mut Ui, colour: Color32) {
    let (rect, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
    ui.painter().circle_filled(rect.center(), 4.5, colour);
}

/// A double click enlarges a film, and puts it back.
pub(super) fn enlarge(state: &State, film: Film, out: &mut Vec<Command>) {
    let is_large = state.enlarged == Some(film);
    out.push(Command::Enlarge((!is_large).then_some(film)));
}

/// The verdict in words; vermillion and with its law's mark where something is broken.
pub(super) fn verdict_ui(ui: &mut Ui, state: &State, rect: Rect, verdict: &Verdict) {
    let s = theme::surfaces(state.look);
    let mut rows = inside(ui, rect, Layout::top_down(Align::Min));
    rows.spacing_mut().item_spacing.y = 2.0;
    let colour = match verdict.is_broken {
        true => theme::broken(state.look),
        false => s.text,
    };
    let sign = if verdict.is_broken { "✖ " } else { "" };
    let line = format!("{sign}{}", legible(ui.ctx(), &verdict.line));
    let size = match rect.size() {
        s if s.x > 300.0 && s.y > 90.0 => 18.0,
        s if s.x > 250.0 || s.y > 90.0 => 16.0,
        _ => 14.0,
    };
    let mut job = egui::text::LayoutJob::simple(
        line.clone(),
        FontId::proportional(size),
        colour,
        rect.width(),
    );
    // A large film has room for all of it.
    job.wrap.max_rows = match rect.height() {
        h if h > 190.0 => 7,
        h if h > 100.0 => 3,
        _ => 2,
    };
    rows.add(egui::Label::new(job)).on_hover_text(line);
    let rest = legible(ui.ctx(), &verdict.rest).into_owned();
    let text = egui::Label::new(RichText::new(&rest).color(s.weak));
    let text = match rect.height() > 100.0 {
        true => text.wrap(),
        false => text.truncate(),
    };
    rows.add(text).on_hover_text(rest);
}
