//! Reality in 3-D, what is written over it, and hands on it.

use bevy_egui::egui::{
    self, Color32, Rect, RichText, Sense, Ui, UiBuilder, Vec2, WidgetType, pos2, vec2,
};

use super::super::command::Command;
use super::super::state::{Cursor, Grip, State};
use super::super::theme;
use super::super::view3d::Scenery;
use super::{legible, name, touch};

/// Draws the view; returns the size of its rectangle in points.
pub fn reality_ui(
    ui: &mut Ui,
    state: &State,
    scenery: Option<&Scenery>,
    out: &mut Vec<Command>,
) -> Vec2 {
    let s = theme::surfaces(state.light);
    let rect = ui.available_rect_before_wrap();
    let response = ui.allocate_rect(rect, Sense::click_and_drag());
    name(&response, WidgetType::Image, "Reality in 3-D");
    let painter = ui.painter_at(rect);
    painter.rect_filled(rect, 8.0, s.well);
    if let Some(scenery) = scenery {
        let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
        let mut shape = egui::epaint::RectShape::filled(rect, 8.0, Color32::WHITE);
        shape = shape.with_texture(scenery.texture, uv);
        painter.add(shape);
    }
    if response.dragged() && state.grip == Some(Grip::View) {
        let d = response.drag_delta();
        out.push(Command::Orbit(-d.x * 0.008, d.y * 0.008, 1.0));
    }
    if response.double_clicked() {
        out.push(Command::ResetCamera);
    }
    if response.hovered() {
        let scroll = ui.input(|i| i.smooth_scroll_delta().y);
        if scroll != 0.0 {
            out.push(Command::Orbit(0.0, 0.0, (-scroll * 0.002).exp()));
        }
    }
    title_ui(ui, state, rect);
    legend_ui(ui, state, rect);
    if let Some(scenery) = scenery {
        touch::touch_ui(ui, state, scenery, &response, out);
    }
    rect.size()
}

fn title_ui(ui: &mut Ui, state: &State, rect: Rect) {
    let s = theme::surfaces(state.light);
    let title = Rect::from_min_size(rect.min + vec2(14.0, 12.0), vec2(rect.width() - 28.0, 80.0));
    let mut over = ui.new_child(UiBuilder::new().max_rect(title));
    over.spacing_mut().item_spacing.y = 3.0;
    over.label(RichText::new("Reality").strong().color(s.text));
    if let Some(scene) = &state.scene {
        let summary = legible(over.ctx(), &scene.summary).into_owned();
        over.label(RichText::new(summary).small().color(s.weak));
    }
}

/// What the translucent things in the view mean; only those that are there.
fn legend_ui(ui: &mut Ui, state: &State, rect: Rect) {
    let s = theme::surfaces(state.light);
    let mut entries = Vec::new();
    if state.record.goal.is_some() {
        entries.push((
            theme::IMAGINED,
            "Golden body and ring: the goal and its tolerance; drag it elsewhere",
        ));
    }
    let live = matches!(state.cursor, Cursor::Live);
    if state.show_ghosts
        && live
        && state
            .decision
            .as_ref()
            .is_some_and(|d| d.preview.path.is_some())
    {
        entries.push((
            s.text,
            "Dots: where the plan leads, as its model imagines it",
        ));
    }
    let probed = state.scene_panes().any(|(_, p)| {
        state.imagined(p).is_some_and(|(at, r)| {
            r.imagined.states.is_some() && at.moment() == state.shown() && at.k > 0
        })
    });
    if state.show_ghosts && probed {
        entries.push((
            theme::ACCENT,
            "Ghosts: bodies read out of the JEPA's latents",
        ));
    }
    if state.is_touchable() {
        let hint =
            "Drag a body to pull it, with Shift to strike it; drag elsewhere to turn the view";
        entries.insert(0, (Color32::TRANSPARENT, hint));
    }
    let painter = ui.painter_at(rect);
    for (row, (colour, text)) in entries.into_iter().rev().enumerate() {
        let at = rect.left_bottom() + vec2(20.0, -20.0 - 24.0 * row as f32);
        let font = egui::FontId::proportional(12.0);
        let galley = painter.layout_no_wrap(text.into(), font, s.text);
        let ground =
            Rect::from_min_size(at + vec2(-10.0, -10.0), vec2(galley.size().x + 30.0, 20.0));
        painter.rect_filled(ground, 10.0, s.card.gamma_multiply(0.85));
        painter.circle_filled(at, 4.0, colour);
        let left = if colour == Color32::TRANSPARENT {
            0.0
        } else {
            11.0
        };
        painter.galley(at + vec2(left, -0.5 * galley.size().y), galley, s.text);
    }
}
