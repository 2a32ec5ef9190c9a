//! Distance to the goal over time: where it began, where it is, and what the goal allows, written at the
//! curve.

use bevy_egui::egui::{
    Align2, Color32, FontId, Rect, Sense, Shape, Stroke, Ui, WidgetType, pos2, vec2,
};

use super::super::state::State;
use super::super::theme;
use super::super::verdict::length;
use super::name;

/// Draws the curve in the room there is.
pub fn curve_ui(ui: &mut Ui, state: &State) {
    let s = theme::surfaces(state.look);
    let size = vec2(ui.available_width(), ui.available_height().min(104.0));
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let painter = ui.painter_at(rect);
    let field = Rect::from_min_max(rect.min + vec2(2.0, 16.0), rect.max - vec2(2.0, 4.0));
    let distances: Vec<f32> = (state.record.moments.iter().filter_map(|m| m.distance_m)).collect();
    let tolerance = state.record.goal.as_ref().map_or(0.0, |g| g.tolerance_m);
    let (Some(&first), Some(&now)) = (
        distances.first(),
        distances.get(state.shown().min(distances.len().saturating_sub(1))),
    ) else {
        return;
    };
    let top = distances
        .iter()
        .copied()
        .fold(tolerance * 1.2, f32::max)
        .max(1e-3);
    let steps = state.timeline_steps().max(1) as f32;
    let at = |step: f32, metres: f32| {
        pos2(
            field.left() + field.width() * (step / steps),
            field.bottom() - field.height() * (metres / top),
        )
    };
    painter.rect_filled(field, 3.0, s.well.gamma_multiply(0.6));
    let (left, right) = (at(0.0, tolerance), at(steps, tolerance));
    let line = Stroke::new(1.5, theme::GOOD);
    painter.extend(Shape::dashed_line(&[left, right], line, 5.0, 4.0));
    let points = distances.iter().enumerate().map(|(i, d)| at(i as f32, *d));
    painter.add(Shape::line(
        points.collect(),
        Stroke::new(2.0, theme::ACCENT),
    ));
    let here = at(state.shown() as f32, now);
    painter.circle(here, 4.0, s.text, Stroke::new(1.0, s.base));
    let font = FontId::proportional(11.5);
    let write = |place, align, text: String, colour: Color32| {
        painter.text(place, align, text, font.clone(), colour)
    };
    let start = format!("start {}", length(first));
    let drawn = write(rect.left_top(), Align2::LEFT_TOP, start, s.weak);
    let text = format!("now {}", length(now));
    let drawn = write(
        drawn.right_top() + vec2(10.0, 0.0),
        Align2::LEFT_TOP,
        text,
        s.text,
    );
    let text = format!("goal allows {}", length(tolerance));
    let place = pos2(drawn.right() + 10.0, rect.top());
    write(place, Align2::LEFT_TOP, text, s.weak);
    let words = format!(
        "Distance to the goal: start {}, now {}",
        length(first),
        length(now)
    );
    name(&response, WidgetType::Image, &words);
}
