//! Panels: functions over plain state. They draw and send commands, nothing else, so tests run them without
//! a window.

pub mod banners;
pub mod bodies;
pub mod cards;
pub mod curve;
pub mod dream;
pub mod films;
pub mod findings;
pub mod interventions;
mod masked;
mod model_film;
pub mod number;
pub(super) mod outline;
pub mod overlay;
pub mod paint;
mod picks;
pub mod pictures;
mod pieces;
pub mod plan;
mod plan_views;
pub mod rail;
pub mod reality;
pub mod search;
pub mod timeline;
pub mod timers;
pub mod toasts;
pub mod top;
mod touch;
pub mod transport;

use bevy_egui::egui::{Color32, Response, RichText, ScrollArea, Ui, WidgetInfo, WidgetType};

pub(super) use super::fonts::legible;

/// The content of a floating panel, with a scroll bar where the window is not tall enough for it.
pub(super) fn in_room(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let height = ui.ctx().content_rect().height() - 110.0;
    ScrollArea::vertical()
        .max_height(height.max(100.0))
        .show(ui, content);
}

/// A small rounded label on a coloured ground.
pub(super) fn badge(ui: &mut Ui, text: &str, colour: Color32) -> Response {
    let frame = bevy_egui::egui::Frame::new()
        .fill(colour.gamma_multiply(0.25))
        .corner_radius(4)
        .inner_margin(bevy_egui::egui::Margin::symmetric(6, 1));
    let text_colour = if ui.visuals().dark_mode {
        colour
    } else {
        colour.lerp_to_gamma(Color32::BLACK, 0.45)
    };
    frame
        .show(ui, |ui| {
            ui.label(RichText::new(text).small().color(text_colour))
        })
        .response
}

/// Gives a self-painted widget a name that screen readers and tests find.
pub(super) fn name(response: &Response, kind: WidgetType, label: &str) {
    response.widget_info(|| WidgetInfo::labeled(kind, true, label));
}
