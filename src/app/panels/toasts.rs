//! Messages that leave by themselves, whole and over nothing that is looked at.

use bevy_egui::egui::{
    Align2, Area, Context, Frame, Id, Label, Margin, Order, RichText, Stroke, vec2,
};

use super::super::state::State;
use super::super::theme;
use super::legible;

/// Draws the messages above the controls: at the foot of the column at the right where there is one of this
/// width, so that no film is covered.
pub fn toasts_ui(ctx: &Context, state: &State, above: f32, column: Option<f32>) {
    let export = state.exporting.iter().cloned();
    let texts: Vec<String> = export
        .chain(state.toasts.iter().map(|t| t.text.clone()))
        .collect();
    if texts.is_empty() {
        return;
    }
    let s = theme::surfaces(state.look);
    let (align, width) = match column {
        Some(column) => (Align2::RIGHT_BOTTOM, column - 16.0),
        None => (Align2::CENTER_BOTTOM, 520.0),
    };
    Area::new(Id::new("toasts"))
        .order(Order::Tooltip)
        .interactable(false)
        .anchor(align, vec2(-8.0, -above - 8.0))
        .show(ctx, |ui| {
            for text in texts {
                Frame::new()
                    .fill(s.card)
                    .stroke(Stroke::new(1.0, theme::ACCENT.gamma_multiply(0.7)))
                    .corner_radius(6)
                    .inner_margin(Margin::symmetric(12, 7))
                    .show(ui, |ui| {
                        ui.set_max_width(width - 26.0);
                        let text = legible(ui.ctx(), &text).into_owned();
                        ui.add(Label::new(RichText::new(text).color(s.text)).wrap());
                    });
            }
        });
}
