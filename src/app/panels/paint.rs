//! What several panels paint: rows, words in corners, marks on pictures.

use std::hash::{DefaultHasher, Hash, Hasher};

use bevy_egui::egui::{
    Align, Color32, FontId, Layout, Painter, Rect, Stroke, StrokeKind, Ui, pos2, vec2,
};

use super::super::theme;
use crate::scene::Law;

/// Height of a row.
pub const ROW: f32 = 26.0;

/// All of a texture.
pub const WHOLE: Rect = Rect {
    min: pos2(0.0, 0.0),
    max: pos2(1.0, 1.0),
};

/// The mark of a broken law around what broke it: a box, and the law's shape outside of its corner, so that
/// nothing of what it shows is covered.
pub fn violation_box(painter: &Painter, rect: Rect, outline: Rect, law: Law) {
    let under = Stroke::new(4.0, Color32::from_black_alpha(140));
    painter.rect_stroke(outline, 2.0, under, StrokeKind::Middle);
    let line = Stroke::new(2.0, theme::BAD);
    painter.rect_stroke(outline, 2.0, line, StrokeKind::Middle);
    let above = outline.left_top() + vec2(5.0, -9.0);
    let at = match above.y > rect.top() + 6.0 {
        true => above,
        false => outline.left_bottom() + vec2(5.0, 9.0),
    };
    theme::law_mark(painter, law, at, 4.5);
}

/// A row of fixed height.
pub(super) fn row_ui(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let size = vec2(ui.available_width(), ROW);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_height(ROW);
        content(ui);
    });
}

/// A word in the upper left corner of a picture that shows no evidence.
pub fn corner_label(painter: &Painter, rect: Rect, text: &str) {
    let galley = painter.layout_no_wrap(text.into(), FontId::proportional(11.5), Color32::WHITE);
    let ground = Rect::from_min_size(
        rect.left_top() + vec2(6.0, 6.0),
        galley.size() + vec2(10.0, 4.0),
    );
    painter.rect_filled(ground, 3.0, Color32::from_black_alpha(150));
    painter.galley(ground.min + vec2(5.0, 2.0), galley, Color32::WHITE);
}

/// A number that changes with what is drawn.
pub fn stamp(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
