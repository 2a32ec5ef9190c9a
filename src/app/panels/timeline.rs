//! One timeline for everything: a lane a film, what is wrong where, and the moment looked at.

use bevy_egui::egui::{
    Align, Align2, Button, Color32, CornerRadius, FontId, Layout, Painter, Pos2, Rect, RichText,
    Sense, Shape, Stroke, Ui, WidgetType, pos2, vec2,
};

use super::super::command::Command;
use super::super::state::{Compare, Cursor, HORIZON, Pane, State};
use super::super::theme::{self, Surfaces};
use super::super::verdict::{Finding, findings, seconds};
use super::name;
use crate::scene::Law;
use crate::sim::CONTROL_HZ;

const LABELS: f32 = 118.0;
const RULER: f32 = 18.0;
const TRACK: f32 = 26.0;
const LEGEND: f32 = 20.0;
/// Lanes that there is always room for, so that nothing moves when another scene has fewer models.
const LANES: f32 = 3.0;
/// Its height, whatever is shown.
pub const HEIGHT: f32 = RULER + LANES * TRACK + LEGEND;

/// From moments to screen and back.
struct Axis {
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

/// Draws the timeline; a click or drag scrubs, a click on a mark goes to the failure.
pub fn timeline_ui(ui: &mut Ui, state: &State, out: &mut Vec<Command>) {
    let size = vec2(ui.available_width(), HEIGHT);
    let (rect, response) = ui.allocate_exact_size(size, Sense::click_and_drag());
    name(&response, WidgetType::Slider, "Timeline");
    let axis = Axis {
        left: rect.left() + LABELS,
        width: (rect.width() - LABELS - 10.0).max(10.0),
        steps: state.timeline_steps(),
    };
    let painter = ui.painter_at(rect);
    let s = theme::surfaces(state.look);
    ruler(&painter, rect, &axis, &s);
    let mut y = rect.top() + RULER;
    reality_track(&painter, rect, y, &axis, state, &s);
    let disturbed = disturbances(&painter, y, &axis, state, response.hover_pos());
    let found = findings(state);
    let mut hovered: Option<&Finding> = None;
    for (index, pane) in state.scene_panes() {
        y += TRACK;
        pane_track(&painter, rect, y, &axis, pane, &s);
        for f in found.iter().filter(|f| f.pane == index) {
            let at = pos2(axis.x(f.moment as f32), y + TRACK * 0.5);
            match f.law {
                Some(law) => theme::law_mark(&painter, law, at, 4.5),
                None => theme::far_mark(&painter, at, 4.0),
            }
            if state.focus == Some((f.pane, f.moment)) {
                painter.circle_stroke(at, 9.0, Stroke::new(1.5, s.text));
            }
            if response.hover_pos().is_some_and(|p| p.distance(at) < 8.0) {
                hovered = Some(f);
            }
        }
    }
    range(&painter, rect, &axis, state, &s);
    playhead(&painter, rect, &axis, state, &s);
    legend(&painter, rect, state, &found, &s);
    compare_ui(ui, state, rect, out);
    let pressed = response.is_pointer_button_down_on() || response.clicked();
    match (hovered, response.interact_pointer_pos().filter(|_| pressed)) {
        (Some(f), Some(_)) if response.clicked() => out.push(Command::Failure(f.pane, f.moment)),
        (Some(_), _) => {}
        (None, Some(at)) if at.y < rect.bottom() - LEGEND => {
            let moment = axis.moment(at.x).min(state.newest());
            if state.cursor != Cursor::At(moment) {
                out.push(Command::Scrub(moment));
            }
        }
        _ => {}
    }
    if let Some(f) = hovered {
        let text = format!(
            "{}: {}\nClick: look at it slowly",
            seconds(f.moment),
            f.sentence
        );
        response.on_hover_text_at_pointer(super::legible(ui.ctx(), &text).into_owned());
    } else if let Some(text) = disturbed {
        response.on_hover_text_at_pointer(super::legible(ui.ctx(), &text).into_owned());
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
        let tip = pos2(axis.x(moment as f32), y + TRACK * 0.62);
        let corners = vec![tip, tip + vec2(-5.0, -9.0), tip + vec2(5.0, -9.0)];
        let edge = Stroke::new(1.0, Color32::from_black_alpha(180));
        painter.add(Shape::convex_polygon(corners, theme::IMAGINED, edge));
        if pointer.is_some_and(|p| p.distance(tip - vec2(0.0, 5.0)) < 9.0) {
            hovered = Some(format!("{}: {what}", seconds(moment)));
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
            [pos2(x, top), pos2(x, rect.bottom() - LEGEND)],
            Stroke::new(1.0, s.line.gamma_multiply(if major { 0.8 } else { 0.35 })),
        );
        if major {
            let (at, text) = (pos2(x, rect.top() + 5.0), format!("{second} s"));
            painter.text(at, Align2::CENTER_CENTER, text, font.clone(), s.weak);
        }
    }
}

fn label(painter: &Painter, rect: Rect, y: f32, text: &str, dot: Color32, s: &Surfaces) {
    let middle = y + TRACK * 0.5;
    painter.circle_filled(pos2(rect.left() + 7.0, middle), 4.0, dot);
    let clip = Rect::from_min_max(
        pos2(rect.left(), y),
        pos2(rect.left() + LABELS - 8.0, y + TRACK),
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
        pos2(axis.x(from), y + 5.0),
        pos2(axis.x(to), y + TRACK - 5.0),
    )
}

fn reality_track(painter: &Painter, rect: Rect, y: f32, axis: &Axis, state: &State, s: &Surfaces) {
    label(painter, rect, y, "Reality", s.text, s);
    let radius = CornerRadius::same(3);
    painter.rect_filled(bar(axis, y, 0.0, axis.steps as f32), radius, s.well);
    let past = bar(axis, y, 0.0, state.newest() as f32);
    painter.rect_filled(past, radius, s.weak.gamma_multiply(0.55));
    if let Some(at) = state.record.reached {
        let at = pos2(axis.x(at as f32), y + TRACK * 0.5);
        painter.circle(at, 7.0, theme::GOOD, Stroke::new(1.0, s.base));
        let font = FontId::proportional(11.0);
        painter.text(at, Align2::CENTER_CENTER, "✔", font, Color32::WHITE);
    }
}

/// Draws from where to where a model imagined; where it began, a line.
fn pane_track(painter: &Painter, rect: Rect, y: f32, axis: &Axis, pane: &Pane, s: &Surfaces) {
    let colour = theme::camp_colour(pane.camp());
    let text = match pane.camp() {
        Some(camp) => super::super::verdict::camp_word(camp),
        None => pane.name.as_str(),
    };
    label(painter, rect, y, text, colour, s);
    let radius = CornerRadius::same(3);
    let whole = bar(axis, y, 0.0, axis.steps as f32);
    painter.rect_filled(whole, radius, s.well.gamma_multiply(0.5));
    let mut rollouts: Vec<_> = pane.rollouts.iter().collect();
    rollouts.sort_by_key(|r| r.branch);
    for (i, rollout) in rollouts.iter().enumerate() {
        // A later imagination takes over from an earlier one: they are not painted over each other.
        let next = rollouts.get(i + 1).map_or(usize::MAX, |r| r.branch);
        let end = rollout.branch + rollout.imagined.steps.min(HORIZON);
        let span = bar(axis, y, rollout.branch as f32, end.min(next) as f32);
        painter.rect_filled(span, radius, colour.gamma_multiply(0.4));
        let x = span.left();
        painter.line_segment(
            [pos2(x, y + 3.0), pos2(x, y + TRACK - 3.0)],
            Stroke::new(2.0, colour),
        );
    }
}

/// The range that plays around and around.
fn range(painter: &Painter, rect: Rect, axis: &Axis, state: &State, s: &Surfaces) {
    let Some((from, to)) = state.range else {
        return;
    };
    let top = rect.top() + 9.0;
    let ends = [from, to].map(|m| axis.x(m as f32));
    let area = Rect::from_min_max(pos2(ends[0], top), pos2(ends[1], rect.bottom() - LEGEND));
    painter.rect_filled(area, 0.0, s.text.gamma_multiply(0.07));
    for x in ends {
        let line = [pos2(x, top), pos2(x, rect.bottom() - LEGEND)];
        painter.line_segment(line, Stroke::new(1.5, s.text.gamma_multiply(0.6)));
    }
}

fn playhead(painter: &Painter, rect: Rect, axis: &Axis, state: &State, s: &Surfaces) {
    let x = axis.x(state.shown() as f32);
    painter.line_segment(
        [pos2(x, rect.top() + 10.0), pos2(x, rect.bottom() - LEGEND)],
        Stroke::new(2.0, s.text),
    );
    painter.circle_filled(pos2(x, rect.top() + 12.0), 4.0, s.text);
    // A model that is late, or imagines in longer steps, shows another moment: a mark on its own lane says
    // which.
    for (row, (_, pane)) in state.scene_panes().enumerate() {
        let Some((at, _)) = state
            .imagined(pane)
            .filter(|(at, _)| at.moment() != state.shown())
        else {
            continue;
        };
        let y = rect.top() + RULER + TRACK * (row as f32 + 1.5);
        let at = pos2(axis.x(at.moment() as f32), y);
        let diamond = [(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)];
        painter.add(Shape::convex_polygon(
            diamond.iter().map(|(dx, dy)| at + vec2(*dx, *dy)).collect(),
            theme::IMAGINED,
            Stroke::new(1.0, s.base),
        ));
    }
}

/// Picks how imaginations are held against the truth.
fn compare_ui(ui: &mut Ui, state: &State, rect: Rect, out: &mut Vec<Command>) {
    let wide = if rect.width() > 900.0 { 420.0 } else { 200.0 };
    let row = Rect::from_min_max(
        pos2(rect.right() - wide, rect.bottom() - LEGEND),
        rect.right_bottom(),
    );
    let mut row = super::pieces::inside(ui, row, Layout::right_to_left(Align::Center));
    row.spacing_mut().item_spacing.x = 3.0;
    row.spacing_mut().interact_size.y = LEGEND - 2.0;
    row.spacing_mut().button_padding = vec2(6.0, 1.0);
    for compare in Compare::ALL.into_iter().rev() {
        let word = match (compare, wide > 300.0) {
            (Compare::Outline, _) => "outline",
            (Compare::Onion, true) => "shines through",
            (Compare::Onion, false) => "onion",
            (Compare::Wipe, _) => "wipe",
            (Compare::Difference, true) => "difference",
            (Compare::Difference, false) => "diff",
        };
        let on = state.compare == compare;
        let button = Button::selectable(on, RichText::new(word).small());
        let response = row
            .add(button)
            .on_hover_text(format!("{} (X)", compare.words()));
        name(&response, WidgetType::SelectableLabel, compare.words());
        if response.clicked() {
            out.push(Command::Compare(compare));
        }
    }
    if wide > 300.0 {
        let weak = theme::surfaces(state.look).weak;
        row.label(RichText::new("Truth:").small().color(weak));
    }
}

/// What the marks mean: those that are there, and at least what a dashed line is.
fn legend(painter: &Painter, rect: Rect, state: &State, found: &[Finding], s: &Surfaces) {
    let y = rect.bottom() - LEGEND * 0.5;
    let font = FontId::proportional(12.0);
    let mut x = rect.left() + LABELS;
    let time = format!("{} / {}", seconds(state.shown()), seconds(state.newest()));
    let at = pos2(rect.left() + 7.0, y);
    painter.text(
        at,
        Align2::LEFT_CENTER,
        time,
        FontId::monospace(12.5),
        s.text,
    );
    let word = |x: &mut f32, text: &str| {
        let galley = painter.layout_no_wrap(text.into(), font.clone(), s.weak);
        let width = galley.size().x;
        painter.galley(pos2(*x, y - 0.5 * galley.size().y), galley, s.weak);
        *x += width + 16.0;
    };
    let present = |law: Law| found.iter().any(|f| f.law == Some(law));
    for law in Law::ALL.into_iter().filter(|l| present(*l)) {
        theme::law_mark(painter, law, pos2(x + 5.0, y), 4.5);
        x += 14.0;
        word(&mut x, theme::law_word(law));
    }
    if found.iter().any(|f| f.law.is_none()) {
        theme::far_mark(painter, pos2(x + 5.0, y), 4.0);
        x += 14.0;
        word(&mut x, "farther off than its own size");
    }
    if !state.record.marks.is_empty() {
        word(&mut x, "triangle: disturbed");
    }
    word(&mut x, "dashed: where it really is");
}
