//! The ways to draw a plan. Each returns what is to be written under it.

use bevy_egui::egui::{
    Align2, Color32, Context, CornerRadius, FontId, Painter, Pos2, Rect, Shape, Stroke, StrokeKind,
    Vec2, pos2, vec2,
};

use super::super::state::{PlanView, State};
use super::super::theme::{self, Surfaces};
use super::paint::WHOLE;
use super::pictures::{Pictures, frame_image};
use crate::model::Frames;
use crate::planner::Plan;
use crate::scene::ActionSpace;
use crate::worker::{Decision, Energy, LatentPath};

/// What a plan is drawn on.
pub(super) struct Canvas<'a> {
    pub painter: &'a Painter,
    pub rect: Rect,
    pub s: Surfaces,
    pub state: &'a State,
}

impl Canvas<'_> {
    /// In the plane down is towards the eye; in space up is up.
    fn in_space(&self) -> bool {
        let actions = self.state.scene.as_ref().map(|s| &s.actions);
        matches!(actions, Some(ActionSpace::Spatial { .. }))
    }

    fn field(&self) -> Rect {
        self.rect.shrink(12.0)
    }

    /// Where an action's first two components are in the field.
    fn at(&self, a: [f32; 2]) -> Pos2 {
        let share = |v: f32| v.clamp(-1.0, 1.0) * 0.5 + 0.5;
        let down = if self.in_space() { -a[1] } else { a[1] };
        self.field().lerp_inside(vec2(share(a[0]), share(down)))
    }

    fn axes(&self) {
        let (field, line) = (self.field(), Stroke::new(1.0, self.s.line));
        self.painter
            .rect_stroke(field, 2.0, line, StrokeKind::Middle);
        self.painter
            .line_segment([field.left_center(), field.right_center()], line);
        self.painter
            .line_segment([field.center_top(), field.center_bottom()], line);
        // What the axes are: the hand's first action, across and down.
        let (up, down) = match self.in_space() {
            true => ("higher", "lower"),
            false => ("away", "nearer"),
        };
        self.word(field.left_center(), Align2::LEFT_BOTTOM, "left");
        self.word(field.right_center(), Align2::RIGHT_BOTTOM, "right");
        self.word(field.center_top(), Align2::LEFT_TOP, up);
        self.word(field.center_bottom(), Align2::LEFT_BOTTOM, down);
    }

    /// A word on a ground of its own: what lies under it may have any colour.
    fn word(&self, at: Pos2, align: Align2, word: &str) {
        let font = FontId::proportional(11.0);
        let galley = self
            .painter
            .layout_no_wrap(word.to_string(), font, self.s.text);
        let room = align.anchor_size(at, galley.size());
        self.painter.rect_filled(
            room.expand2(vec2(2.0, 0.0)),
            2.0,
            self.s.card.gamma_multiply(0.7),
        );
        self.painter.galley(room.min, galley, self.s.text);
    }

    fn text(&self, at: Pos2, align: Align2, text: &str, colour: Color32) {
        let font = FontId::proportional(11.0);
        self.painter.text(at, align, text, font, colour);
    }
}

/// More about a view, for whoever points at it.
pub(super) fn hint(canvas: &Canvas, view: PlanView) -> String {
    let axes = match (view, canvas.in_space()) {
        (PlanView::Energy | PlanView::Elites, true) => {
            "\nAcross: the hand to the left or right; up: higher. The ring is the action chosen"
        }
        (PlanView::Energy | PlanView::Elites, false) => {
            "\nAcross: the hand to the left or right; down: towards the eye. The ring is the action chosen"
        }
        _ => "",
    };
    format!("{}{axes}", view.meaning())
}

fn range(values: impl Iterator<Item = f32>) -> (f32, f32) {
    values
        .filter(|c| c.is_finite())
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), c| {
            (l.min(c), h.max(c))
        })
}

fn number(v: f32) -> String {
    match v.abs() {
        a if a < 10.0 => format!("{v:.2}"),
        _ => format!("{v:.0}"),
    }
}

/// Yellow for the lowest cost, violet for the highest.
fn hue(cost: f32, (low, high): (f32, f32)) -> Color32 {
    theme::viridis(1.0 - (cost - low) / (high - low).max(1e-9))
}

/// The energy map over first actions, or the first actions that were tried where the model is too dear to
/// be asked for a map.
pub(super) fn energy(canvas: &Canvas, decision: &Decision, plan: &Plan) -> String {
    let text = match &decision.preview.energy {
        Some(map) => {
            energy_map(canvas, map);
            canvas.axes();
            let (low, high) = range(map.costs.iter().copied());
            let (low, high) = (number(low), number(high));
            format!("{0} × {0} first actions, cost {low} to {high}", map.side)
        }
        None => {
            canvas.axes();
            let costs = range(plan.first_actions.iter().map(|(_, c)| *c));
            for (action, cost) in &plan.first_actions {
                let fill = hue(*cost, costs).gamma_multiply(0.9);
                canvas.painter.circle_filled(canvas.at(*action), 3.0, fill);
            }
            let (low, high) = (number(costs.0), number(costs.1));
            let count = plan.first_actions.len();
            format!("{count} first actions tried, cost {low} to {high}")
        }
    };
    if let [x, z, ..] = decision.action[..] {
        ring(canvas, canvas.at([x, z]));
    }
    text
}

fn ring(canvas: &Canvas, at: Pos2) {
    let p = canvas.painter;
    p.circle_stroke(at, 7.0, Stroke::new(3.5, Color32::BLACK));
    p.circle_stroke(at, 7.0, Stroke::new(2.0, Color32::WHITE));
}

fn energy_map(canvas: &Canvas, map: &Energy) {
    let costs = range(map.costs.iter().copied());
    let share = |i: usize| 2.0 * i as f32 / (map.side.max(2) - 1) as f32 - 1.0;
    let cell = canvas.field().size() / (map.side.max(2) - 1) as f32;
    let painter = canvas.painter.with_clip_rect(canvas.field());
    for (i, cost) in map.costs.iter().enumerate() {
        let middle = canvas.at([share(i % map.side), share(i / map.side)]);
        let ground = Rect::from_center_size(middle, cell + Vec2::splat(0.6));
        painter.rect_filled(ground, CornerRadius::ZERO, hue(*cost, costs));
    }
}

/// First actions of the elites by iteration, above the cost of the best and of the elites by iteration.
pub(super) fn elites(canvas: &Canvas, plan: &Plan) -> String {
    canvas.axes();
    let last = plan.elites.len().saturating_sub(1).max(1) as f32;
    for (iteration, elites) in plan.elites.iter().enumerate() {
        let fill = theme::viridis(iteration as f32 / last).gamma_multiply(0.85);
        for elite in elites {
            if let [x, z, ..] = elite.actions[..] {
                canvas.painter.circle_filled(canvas.at([x, z]), 3.0, fill);
            }
        }
    }
    if let Some(first) = plan.actions.first()
        && let [x, z, ..] = first[..]
    {
        ring(canvas, canvas.at([x, z]));
    }
    let mean = |i: &crate::planner::IterationTrace| i.mean_elite;
    let (from, to) = (plan.iterations.first(), plan.iterations.last());
    match (from.map(mean), to.map(mean)) {
        (Some(from), Some(to)) => format!(
            "{} iterations, elites' cost {} to {}",
            plan.iterations.len(),
            number(from),
            number(to)
        ),
        _ => "no iterations".into(),
    }
}

/// Bars: the distance to the goal at every imagined step.
pub(super) fn cost_by_step(canvas: &Canvas, plan: &Plan) -> String {
    let costs = &plan.cost_by_step;
    let (low, high) = range(costs.iter().copied());
    // Distances begin at nothing; only what is rewarded for success is lower.
    let (floor, top) = (low.min(0.0), high.max(low.min(0.0) + 1e-6));
    let field = canvas.rect.shrink2(vec2(12.0, 20.0));
    let wide = field.width() / costs.len().max(1) as f32;
    let y =
        |v: f32| field.bottom() - field.height() * ((v - floor) / (top - floor)).clamp(0.0, 1.0);
    for (t, &cost) in costs.iter().enumerate() {
        let left = field.left() + wide * t as f32;
        let bar = Rect::from_min_max(
            pos2(left + 2.0, y(cost).min(y(0.0) - 1.0)),
            pos2(left + wide - 2.0, y(0.0).max(y(cost))),
        );
        let fill = hue(cost, (low.min(floor), top));
        canvas.painter.rect_filled(bar, 2.0, fill);
        if wide > 26.0 {
            let over = bar.center_top() - vec2(0.0, 2.0);
            canvas.word(over, Align2::CENTER_BOTTOM, &number(cost));
        }
        if wide > 14.0 {
            let under = pos2(bar.center().x, field.bottom() + 3.0);
            canvas.text(
                under,
                Align2::CENTER_TOP,
                &format!("{}", t + 1),
                canvas.s.weak,
            );
        }
    }
    match (costs.first(), costs.last()) {
        (Some(a), Some(b)) => format!(
            "{} imagined steps, distance {} to {}",
            costs.len(),
            number(*a),
            number(*b)
        ),
        _ => "no imagined steps".into(),
    }
}

/// The plan's path through latents, thick, among those of other elites; the start is a ring, the goal a flag.
pub(super) fn latents(canvas: &Canvas, path: &LatentPath) -> String {
    let points = || {
        let all = path.paths.iter().flatten().copied();
        all.chain([path.start, path.goal])
    };
    let (x0, x1) = range(points().map(|p| p[0]));
    let (y0, y1) = range(points().map(|p| p[1]));
    // One scale for both components: distances can be compared by eye.
    let span = (x1 - x0).max(y1 - y0).max(1e-6);
    let field = canvas.rect.shrink(22.0);
    let at = |p: [f32; 2]| {
        let share = |v: f32, l: f32, h: f32| 0.5 + (v - 0.5 * (l + h)) / span;
        field.lerp_inside(vec2(share(p[0], x0, x1), 1.0 - share(p[1], y0, y1)))
    };
    let line = |path: &[[f32; 2]], start: [f32; 2]| -> Vec<Pos2> {
        std::iter::once(start)
            .chain(path.iter().copied())
            .map(at)
            .collect()
    };
    let painter = canvas.painter;
    for elite in path.paths.iter().skip(1) {
        let thin = Stroke::new(1.0, canvas.s.weak.gamma_multiply(0.5));
        painter.add(Shape::line(line(elite, path.start), thin));
    }
    if let Some(own) = path.paths.first() {
        painter.add(Shape::line(
            line(own, path.start),
            Stroke::new(2.5, theme::ACCENT),
        ));
        for (t, p) in own.iter().enumerate() {
            let shade = theme::viridis((t + 1) as f32 / own.len().max(1) as f32);
            painter.circle(at(*p), 4.0, shade, Stroke::new(1.0, canvas.s.base));
        }
    }
    painter.circle_stroke(at(path.start), 5.0, Stroke::new(2.0, canvas.s.text));
    let goal = at(path.goal);
    let diamond = [(0.0, -8.0), (8.0, 0.0), (0.0, 8.0), (-8.0, 0.0)];
    let diamond = diamond.map(|(x, y)| goal + vec2(x, y)).to_vec();
    let edge = Stroke::new(1.5, canvas.s.base);
    painter.add(Shape::convex_polygon(diamond, theme::IMAGINED, edge));
    // Labels go away from the edge that they are near.
    let label = |p: Pos2, text: &str| {
        let up = p.y > canvas.rect.top() + 26.0;
        let (by, align) = match up {
            true => (-10.0, Align2::CENTER_BOTTOM),
            false => (10.0, Align2::CENTER_TOP),
        };
        canvas.text(p + vec2(0.0, by), align, text, canvas.s.text);
    };
    label(at(path.start), "now");
    label(goal, "goal");
    format!(
        "2 components hold {:.0} % of the variance",
        path.share * 100.0
    )
}

/// The imagined frames of the plan in rows, each with its step.
pub(super) fn film(
    canvas: &Canvas,
    ctx: &Context,
    film: &Frames,
    pictures: &mut Pictures,
) -> String {
    let count = film.steps.max(1);
    let columns = (count as f32).sqrt().ceil() as usize;
    let rows = count.div_ceil(columns);
    let gap = 3.0;
    let side = ((canvas.rect.width() - gap * (columns + 1) as f32) / columns as f32)
        .min((canvas.rect.height() - gap * (rows + 1) as f32) / rows as f32);
    let used = vec2(
        columns as f32 * (side + gap) - gap,
        rows as f32 * (side + gap) - gap,
    );
    let origin = canvas.rect.center() - 0.5 * used;
    for t in 0..film.steps {
        let (row, column) = (t / columns, t % columns);
        let by = vec2(column as f32, row as f32) * (side + gap);
        let place = Rect::from_min_size(origin + by, vec2(side, side));
        let frame = film.at(0, t);
        let key = super::paint::stamp(&frame);
        let texture = pictures.show(ctx, &format!("film {t}"), key, || {
            frame_image(film.size, frame)
        });
        if let Some(texture) = texture {
            canvas.painter.image(texture, place, WHOLE, Color32::WHITE);
        }
        let ground = Rect::from_min_size(place.min, vec2(18.0, 14.0));
        canvas
            .painter
            .rect_filled(ground, 2.0, Color32::from_black_alpha(150));
        let number = format!("{}", t + 1);
        canvas.text(
            ground.center(),
            Align2::CENTER_CENTER,
            &number,
            Color32::WHITE,
        );
    }
    format!("{} imagined frames of the plan", film.steps)
}
