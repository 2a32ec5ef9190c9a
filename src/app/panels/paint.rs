//! What several panels paint: rows, insets, labels and marks on pictures.

use std::hash::{DefaultHasher, Hash, Hasher};

use bevy_egui::egui::{
    Align, Color32, FontId, Layout, Painter, Rect, Stroke, StrokeKind, TextureId, Ui, pos2, vec2,
};

use super::super::state::{Imagination, Pane, Rollout, State};
use super::super::theme;

/// Height of a card's header and footer.
pub const ROW: f32 = 26.0;

/// Where an imagined moment is drawn, and what is known of it.
pub(super) struct Picture<'a> {
    /// Draws.
    pub painter: &'a Painter,
    /// The panel.
    pub ui: &'a Ui,
    /// All that the window shows.
    pub state: &'a State,
    /// Whose imagination it is.
    pub pane: &'a Pane,
    /// What was imagined.
    pub rollout: &'a Rollout,
    /// The moment of it.
    pub at: Imagination,
    /// Where.
    pub rect: Rect,
}

impl<'a> Picture<'a> {
    /// Whose imagination is drawn, what of it, and where.
    pub fn subject(&self) -> (&'a Pane, &'a Rollout, Imagination, Rect) {
        (self.pane, self.rollout, self.at, self.rect)
    }

    /// A number that changes with the imagined step that is drawn.
    pub fn stamp(&self, index: usize) -> u64 {
        let rollout = self.rollout;
        let took = rollout.took_ms.to_bits();
        stamp(&(self.state.record.episode, rollout.branch, index, took))
    }
}

/// All of a texture.
pub(super) const WHOLE: Rect = Rect {
    min: pos2(0.0, 0.0),
    max: pos2(1.0, 1.0),
};

/// The mark of a broken law around what broke it.
pub(super) fn violation_label(
    painter: &Painter,
    rect: Rect,
    outline: Rect,
    law: crate::scene::Law,
) {
    let colour = theme::law_colour(law);
    painter.rect_stroke(
        outline,
        2.0,
        Stroke::new(4.0, Color32::from_black_alpha(140)),
        StrokeKind::Middle,
    );
    painter.rect_stroke(outline, 2.0, Stroke::new(2.0, colour), StrokeKind::Middle);
    let galley =
        painter.layout_no_wrap(law.id().into(), FontId::proportional(11.5), Color32::WHITE);
    let size = galley.size() + vec2(20.0, 4.0);
    let above = outline.left_top() - vec2(0.0, size.y + 2.0);
    let x = above.x.min(rect.right() - size.x).max(rect.left());
    let at = pos2(x, above.y.max(rect.top()));
    let ground = Rect::from_min_size(at, size);
    painter.rect_filled(ground, 3.0, Color32::from_black_alpha(190));
    theme::law_mark(painter, law, ground.left_center() + vec2(9.0, 0.0), 4.5);
    painter.galley(at + vec2(17.0, 2.0), galley, Color32::WHITE);
}

/// A row of fixed height, so that all cards are equally tall.
pub(super) fn row_ui(ui: &mut Ui, content: impl FnOnce(&mut Ui)) {
    let size = vec2(ui.available_width(), ROW);
    ui.allocate_ui_with_layout(size, Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_height(ROW);
        content(ui);
    });
}

/// Where a small picture covers least: up in the sky where the eye looks from the side, else at the lower
/// right.
pub(super) fn inset_rect(rect: Rect, state: &State) -> Rect {
    let size = rect.width() * 0.3;
    let from_the_side = state.scene.as_ref().is_some_and(|s| {
        let [_, up, back] = s.camera.position;
        up < back
    });
    let y = if from_the_side {
        rect.top() + 6.0
    } else {
        rect.bottom() - size - 6.0
    };
    Rect::from_min_size(pos2(rect.right() - size - 6.0, y), vec2(size, size))
}

/// A small picture with a word for it.
pub(super) fn inset(painter: &Painter, rect: Rect, texture: TextureId, what: &str, edge: Color32) {
    painter.image(texture, rect, WHOLE, Color32::WHITE);
    painter.rect_stroke(rect, 2.0, Stroke::new(1.5, edge), StrokeKind::Outside);
    let galley = painter.layout_no_wrap(what.into(), FontId::proportional(11.0), Color32::WHITE);
    let ground = Rect::from_min_size(rect.left_top(), galley.size() + vec2(8.0, 2.0));
    painter.rect_filled(ground, 2.0, Color32::from_black_alpha(150));
    painter.galley(ground.min + vec2(4.0, 1.0), galley, Color32::WHITE);
}

/// A word in the upper left corner of a picture.
pub(super) fn corner_label(painter: &Painter, rect: Rect, text: &str) {
    let galley = painter.layout_no_wrap(text.into(), FontId::proportional(11.5), Color32::WHITE);
    let ground = Rect::from_min_size(
        rect.left_top() + vec2(6.0, 6.0),
        galley.size() + vec2(10.0, 4.0),
    );
    painter.rect_filled(ground, 3.0, Color32::from_black_alpha(150));
    painter.galley(ground.min + vec2(5.0, 2.0), galley, Color32::WHITE);
}

/// A number that changes with what is drawn.
pub(super) fn stamp(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
