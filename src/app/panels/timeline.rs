//! One timeline for everything: reality, each model's rollouts, violations, and where we look.

use bevy_egui::egui::{
    Align2, Color32, CornerRadius, FontId, Painter, Pos2, Rect, Sense, Stroke, Ui, WidgetType,
    pos2, vec2,
};

use super::super::command::Command;
use super::super::state::{Cursor, HORIZON, Pane, Rollout, State};
use super::super::theme::{self, Surfaces};
use super::name;
use crate::scene::Law;
use crate::sim::CONTROL_HZ;

const LABELS: f32 = 118.0;
const RULER: f32 = 18.0;
const TRACK: f32 = 20.0;
const TALLEST_TRACK: f32 = 30.0;

/// From moments to screen and back.
struct Axis {
    track: f32,
    left: f32,
    width: f32,
    steps: usize,
}

impl Axis {
    fn x(&self, moment: f32) -> f32 {
        self.left + self.width * moment / self.steps.max(1) as f32
    }

    fn moment(&self, x: f32) -> usize {
        let share = ((x - self.left) / self.width).clamp(0.0, 1.0);
        (share * self.steps as f32).round() as usize
    }
}

/// Draws the timeline; a click or drag scrubs.
pub fn timeline_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let tracks = (1 + state.scene_panes().count()) as f32;
    let track = ((ui.available_height() - RULER - 6.0) / tracks).clamp(TRACK, TALLEST_TRACK);
    let height = RULER + tracks * track + 6.0;
    let size = vec2(ui.available_width(), height);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    name(&response, WidgetType::Slider, "Timeline");
    let axis = Axis {
        track,
        left: rect.left() + LABELS,
        width: (rect.width() - LABELS - 10.0).max(10.0),
        steps: state.timeline_steps(),
    };
    let pressed = response.is_pointer_button_down_on() || response.clicked();
    if let Some(at) = response.interact_pointer_pos().filter(|_| pressed) {
        let moment = axis.moment(at.x).min(state.newest());
        if state.cursor != Cursor::At(moment) {
            out.push(Command::Scrub(moment));
        }
    }
    let painter = ui.painter_at(rect);
    let s = theme::surfaces(state.light);
    ruler(&painter, rect, &axis, &s);
    let mut y = rect.top() + RULER;
    reality_track(&painter, rect, y, &axis, state, &s);
    let disturbed = disturbances(&painter, y, &axis, state, response.hover_pos());
    let mut hovered = None;
    for (_, pane) in state.scene_panes() {
        y += track;
        let hit = pane_track(&painter, rect, y, &axis, pane, &s, response.hover_pos());
        hovered = hovered.or(hit);
    }
    playheads(&painter, rect, &axis, state, &s);
    if let Some((law, body, severity)) = hovered {
        let body = state
            .scene
            .as_ref()
            .zip(body)
            .and_then(|(sc, body)| sc.bodies.get(body))
            .map_or("?", |b| b.name.as_str());
        let body = super::legible(ui.ctx(), body).into_owned();
        response.on_hover_text(format!(
            "{} · {body} · severity {severity:.2}\n{}",
            law.id(),
            law.statement()
        ));
    } else if let Some(text) = disturbed {
        response.on_hover_text(super::legible(ui.ctx(), &text));
    }
}

/// Draws what was done to reality, or where a replay leaves the recording; returns what the pointer is on.
fn disturbances(
    painter: &Painter,
    y: f32,
    axis: &Axis,
    state: &State,
    pointer: Option<Pos2>,
) -> Option<String> {
    let mut hovered = None;
    let mut mark = |moment: usize, what: &str| {
        let tip = pos2(axis.x(moment as f32), y + axis.track * 0.62);
        let corners = vec![tip, tip + vec2(-5.0, -9.0), tip + vec2(5.0, -9.0)];
        let edge = Stroke::new(1.0, Color32::from_black_alpha(180));
        painter.add(bevy_egui::egui::Shape::convex_polygon(
            corners,
            theme::IMAGINED,
            edge,
        ));
        if pointer.is_some_and(|p| p.distance(tip - vec2(0.0, 5.0)) < 9.0) {
            let seconds = moment as f32 / CONTROL_HZ as f32;
            hovered = Some(format!("{seconds:.1} s: {what}"));
        }
    };
    for done in &state.record.marks {
        mark(done.moment, &done.what);
    }
    let verdict = state.replay.as_ref().and_then(|r| r.verdict.as_ref());
    if let Some(Err((step, what))) = verdict {
        mark(*step, what);
    }
    hovered
}

fn ruler(painter: &Painter, rect: Rect, axis: &Axis, s: &Surfaces) {
    let font = FontId::proportional(11.0);
    let hz = CONTROL_HZ as usize;
    // Labels stay at least 40 px apart.
    let every = [1, 2, 5, 10, 20, 50]
        .into_iter()
        .find(|e| axis.x((e * hz) as f32) - axis.x(0.0) > 40.0)
        .unwrap_or(100);
    for second in 0..=axis.steps / hz {
        let x = axis.x((second * hz) as f32);
        let major = second % every == 0;
        let top = rect.top() + if major { 12.0 } else { 15.0 };
        painter.line_segment(
            [pos2(x, top), pos2(x, rect.bottom() - 4.0)],
            Stroke::new(1.0, s.line.gamma_multiply(if major { 0.8 } else { 0.35 })),
        );
        if major {
            let at = pos2(x, rect.top() + 5.0);
            painter.text(
                at,
                Align2::CENTER_CENTER,
                format!("{second} s"),
                font.clone(),
                s.weak,
            );
        }
    }
}

fn label(
    painter: &Painter,
    rect: Rect,
    y: f32,
    track: f32,
    text: &str,
    dot: Color32,
    s: &Surfaces,
) {
    let middle = y + track * 0.5;
    painter.circle_filled(pos2(rect.left() + 7.0, middle), 4.0, dot);
    let clip = Rect::from_min_max(
        pos2(rect.left(), y),
        pos2(rect.left() + LABELS - 8.0, y + track),
    );
    painter.with_clip_rect(clip).text(
        pos2(rect.left() + 17.0, middle),
        Align2::LEFT_CENTER,
        super::legible(painter.ctx(), text),
        FontId::proportional(12.0),
        s.text,
    );
}

fn bar(axis: &Axis, y: f32, from: f32, to: f32) -> Rect {
    Rect::from_min_max(
        pos2(axis.x(from), y + 4.0),
        pos2(axis.x(to), y + axis.track - 4.0),
    )
}

fn reality_track(painter: &Painter, rect: Rect, y: f32, axis: &Axis, state: &State, s: &Surfaces) {
    label(painter, rect, y, axis.track, "Reality", s.text, s);
    let radius = CornerRadius::same(3);
    let whole = bar(axis, y, 0.0, axis.steps as f32);
    painter.rect_filled(whole, radius, s.well);
    let past = bar(axis, y, 0.0, state.newest() as f32);
    painter.rect_filled(past, radius, s.weak.gamma_multiply(0.55));
    if let Some(at) = state.record.reached {
        let at = pos2(axis.x(at as f32), y + axis.track * 0.5);
        painter.circle(at, 6.0, theme::GOOD, Stroke::new(1.0, s.base));
        painter.text(
            at,
            Align2::CENTER_CENTER,
            "✔",
            FontId::proportional(9.0),
            Color32::WHITE,
        );
    }
}

/// Draws a model's rollouts and their violations; returns what the pointer is on.
fn pane_track(
    painter: &Painter,
    rect: Rect,
    y: f32,
    axis: &Axis,
    pane: &Pane,
    s: &Surfaces,
    pointer: Option<Pos2>,
) -> Option<(Law, Option<usize>, f32)> {
    let colour = theme::camp_colour(pane.camp());
    label(painter, rect, y, axis.track, &pane.name, colour, s);
    let radius = CornerRadius::same(3);
    painter.rect_filled(
        bar(axis, y, 0.0, axis.steps as f32),
        radius,
        s.well.gamma_multiply(0.5),
    );
    let mut hovered = None;
    for rollout in &pane.rollouts {
        let end = (rollout.branch + rollout.imagined.steps.min(HORIZON)) as f32;
        let span = bar(axis, y, rollout.branch as f32, end);
        painter.rect_filled(span, radius, colour.gamma_multiply(0.35));
        let x = span.left();
        painter.line_segment(
            [pos2(x, y + 2.0), pos2(x, y + axis.track - 2.0)],
            Stroke::new(2.0, colour),
        );
        hovered = hovered.or(violation_marks(painter, y, axis, rollout, pointer));
    }
    hovered
}

fn violation_marks(
    painter: &Painter,
    y: f32,
    axis: &Axis,
    rollout: &Rollout,
    pointer: Option<Pos2>,
) -> Option<(Law, Option<usize>, f32)> {
    let mut hovered = None;
    let skip = rollout.imagined.frameskip.max(1);
    for v in &rollout.violations {
        let moment = rollout.branch + (v.first_frame + 1) * skip;
        let at = pos2(axis.x(moment as f32), y + axis.track * 0.5);
        theme::law_mark(painter, v.law, at, 4.5);
        if pointer.is_some_and(|p| p.distance(at) < 8.0) {
            hovered = Some((v.law, v.body, v.severity));
        }
    }
    hovered
}

fn playheads(painter: &Painter, rect: Rect, axis: &Axis, state: &State, s: &Surfaces) {
    let x = axis.x(state.shown() as f32);
    painter.line_segment(
        [pos2(x, rect.top() + 10.0), pos2(x, rect.bottom())],
        Stroke::new(2.0, s.text),
    );
    painter.circle_filled(pos2(x, rect.top() + 12.0), 4.0, s.text);
    // A model that is late, or imagines in longer steps, shows another moment: a mark on its own track says
    // which.
    for (row, (_, pane)) in state.scene_panes().enumerate() {
        let Some((at, _)) = state
            .imagined(pane)
            .filter(|(at, _)| at.moment() != state.shown())
        else {
            continue;
        };
        let y = rect.top() + RULER + axis.track * (row as f32 + 1.5);
        let at = pos2(axis.x(at.moment() as f32), y);
        let diamond = [(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)];
        painter.add(bevy_egui::egui::Shape::convex_polygon(
            diamond.iter().map(|(dx, dy)| at + vec2(*dx, *dy)).collect(),
            theme::IMAGINED,
            Stroke::new(1.0, s.base),
        ));
    }
}
