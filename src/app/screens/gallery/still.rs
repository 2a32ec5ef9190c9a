//! Draws the stills of an entry: what was imagined, with the judge's mark, and what was real.

use bevy_egui::egui::{Color32, FontId, Painter, Pos2, Rect, Shape, Stroke, Ui, vec2};

use super::{Entry, Fault, Still};
use crate::app::panels::outline;
use crate::app::panels::paint::{WHOLE, violation_box};
use crate::app::panels::pictures::{Pictures, frame_image};
use crate::app::state::State;
use crate::app::theme;

/// Places of the pictures of entries: as many as can be on the screen at once share their memory.
fn texture_place(entry: &Entry, what: &str) -> String {
    format!("gallery {what} {}", entry.id % 64)
}

/// What was imagined.
pub(super) fn imagined(
    ui: &Ui,
    painter: &Painter,
    state: &State,
    rect: Rect,
    entry: &Entry,
    still: &Still,
    pictures: &mut Pictures,
) {
    let s = theme::surfaces(state.look);
    painter.rect_filled(rect, 3.0, s.well);
    if let Some(rgb) = &still.imagined {
        let place = texture_place(entry, "imagined");
        let texture = pictures.soft(ui.ctx(), &place, entry.id, || frame_image(still.size, rgb));
        if let Some(texture) = texture {
            painter.image(texture, rect, WHOLE, Color32::WHITE);
        }
    }
    let scale = rect.width() / still.size.max(1) as f32;
    let at = |[x, y]: [f32; 2]| rect.min + vec2(x, y) * scale;
    let inside = painter.with_clip_rect(rect.intersect(painter.clip_rect()));
    for outline in still.outlines.iter().filter(|o| o.fill.is_some()) {
        let points: Vec<Pos2> = outline.points.iter().copied().map(at).collect();
        let [r, g, b] = outline.fill.unwrap_or_default();
        let fill = Color32::from_rgb(r, g, b).gamma_multiply(0.9);
        let line = Stroke::new(1.5, theme::camp_colour(entry.camp));
        inside.add(Shape::convex_polygon(points, fill, line));
    }
    let colour = match still.imagined.is_some() {
        true => Color32::WHITE,
        false => s.text,
    };
    for outline in still.outlines.iter().filter(|o| o.fill.is_none()) {
        let points: Vec<Pos2> = outline.points.iter().copied().map(at).collect();
        outline::dashed(&inside, &points, colour);
    }
    for [from, to] in &still.lines {
        let (from, to) = (at(*from), at(*to));
        inside.line_segment([from, to], Stroke::new(3.5, Color32::from_black_alpha(150)));
        inside.line_segment([from, to], Stroke::new(2.0, theme::BAD));
        inside.circle_filled(to, 3.0, theme::BAD);
    }
    if let (Fault::Law(law), Some([x0, y0, x1, y1])) = (entry.fault, still.mark) {
        let corner = |x: u16, y: u16| at([f32::from(x), f32::from(y)]);
        let outline = Rect::from_two_pos(corner(x0, y0), corner(x1, y1)).expand(2.0);
        violation_box(&inside, rect, outline, law);
    }
}

/// What was real.
pub(super) fn truth(
    ui: &Ui,
    painter: &Painter,
    state: &State,
    rect: Rect,
    entry: &Entry,
    still: &Still,
    pictures: &mut Pictures,
) {
    let s = theme::surfaces(state.look);
    painter.rect_filled(rect, 3.0, s.well);
    match &still.truth {
        Some(rgb) => {
            let place = texture_place(entry, "truth");
            let texture =
                pictures.soft(ui.ctx(), &place, entry.id, || frame_image(still.size, rgb));
            if let Some(texture) = texture {
                painter.image(texture, rect, WHOLE, Color32::WHITE);
            }
        }
        None => {
            let font = FontId::proportional(11.5);
            let galley = painter.layout("not known".into(), font, s.weak, rect.width() - 8.0);
            let at = rect.center() - 0.5 * galley.size();
            painter.galley(at, galley, s.weak);
        }
    }
}
