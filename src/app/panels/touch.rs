//! Hands on the 3-D view: what the pointer is on, what it holds, and the marks that say so.

use bevy::math::{Quat, Vec3};
use bevy_egui::egui::{
    Align2, Color32, CursorIcon, Event, FontId, InputState, Painter, Pos2, Rect, Response, Shape,
    Stroke, Ui, pos2, vec2,
};

use super::super::command::Command;
use super::super::convert;
use super::super::state::{BodyGrip, Grip, State};
use super::super::theme;
use super::super::view3d::Scenery;
use super::outline::{Gaze, solid_line};
use crate::scene::Kind;
use crate::worker::GoalShown;

/// How near the pointer must be to the goal's handle, points.
const HANDLE_REACH: f32 = 14.0;

/// What the pointer is on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Under {
    /// A body, and the point of it that is seen.
    Body(usize, Vec3),
    /// One of the goal's bodies.
    Goal(usize),
    /// Nothing that can be held.
    Nothing,
}

/// The view's rectangle and how the camera looks: from points of the window to the world and back.
struct Sight<'a> {
    scenery: &'a Scenery,
    rect: Rect,
}

impl Sight<'_> {
    fn place(&self, at: Pos2) -> [f32; 2] {
        let away = (at - self.rect.min) / self.rect.size();
        [away.x, away.y]
    }

    fn project(&self, point: Vec3) -> Option<Pos2> {
        let [u, v] = self.scenery.lens.project(point)?;
        Some(self.rect.lerp_inside(vec2(u, v)))
    }

    fn level(&self, at: Pos2, height: f32) -> Option<Vec3> {
        let lens = &self.scenery.lens;
        lens.meet(self.place(at), Vec3::Y * height, Vec3::Y)
    }

    /// The handles of the goal's bodies: on their rings, on the side of the camera, so that a body there
    /// does not hide them.
    fn handles(&self, state: &State) -> Vec<(usize, Pos2)> {
        let Some(goal) = &state.record.goal else {
            return Vec::new();
        };
        let handle = |i: usize| {
            let [x, z] = goal.state.targets.get(i)?.place();
            let middle = Vec3::new(x, goal_level(goal, i), z);
            let away = (self.scenery.lens.at - middle) * Vec3::new(1.0, 0.0, 1.0);
            let at = middle + away.normalize_or(Vec3::Z) * goal.tolerance_m;
            Some((i, self.project(at)?))
        };
        (0..goal.state.targets.len()).filter_map(handle).collect()
    }

    fn under(&self, state: &State, at: Pos2) -> Under {
        let handles = self.handles(state);
        let nearest = handles
            .iter()
            .min_by(|a, b| a.1.distance(at).total_cmp(&b.1.distance(at)));
        if let Some((target, shown)) = nearest
            && shown.distance(at) <= HANDLE_REACH
        {
            return Under::Goal(*target);
        }
        let lens = &self.scenery.lens;
        let direction = lens.direction(self.place(at));
        let hits = state.solids.iter().zip(&self.scenery.poses).enumerate();
        let nearest = hits
            .filter_map(|(i, (solid, pose))| {
                let (from, along) = (lens.at.to_array(), direction.to_array());
                let moment = state.shown_moment();
                let surface = moment.and_then(|m| m.surfaces.iter().find(|(body, _)| *body == i));
                let distance = match surface {
                    Some((_, vertices)) => solid.cast_surface(vertices, from, along),
                    None => solid.cast(pose, from, along),
                }?;
                Some((i, distance))
            })
            .min_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((body, distance)) = nearest {
            return Under::Body(body, lens.at + direction * distance);
        }
        let Some(goal) = &state.record.goal else {
            return Under::Nothing;
        };
        let inside = |&i: &usize| {
            let place = goal.state.targets[i].place();
            self.level(at, goal_level(goal, i)).is_some_and(|level| {
                let (dx, dz) = (level.x - place[0], level.z - place[1]);
                dx * dx + dz * dz <= goal.tolerance_m * goal.tolerance_m
            })
        };
        (0..goal.state.targets.len())
            .find(inside)
            .map_or(Under::Nothing, Under::Goal)
    }

    /// The point at which a body is held, as it is drawn now.
    fn held_at(&self, grip: &BodyGrip) -> Option<Vec3> {
        let pose = self.scenery.poses.get(grip.body)?;
        let turn = convert::rotation(pose);
        Some(convert::vec3(pose.position) + turn * convert::vec3(grip.point_in_body))
    }

    fn grip(&self, body: usize, point: Vec3, strikes: bool) -> Option<BodyGrip> {
        let pose = self.scenery.poses.get(body)?;
        let centre = convert::vec3(pose.position);
        let turn: Quat = convert::rotation(pose);
        Some(BodyGrip {
            body,
            point_in_body: (turn.inverse() * (point - centre)).to_array(),
            from: point.to_array(),
            across: self.scenery.lens.forward.to_array(),
            to: point.to_array(),
            strikes,
        })
    }
}

/// Sends what hands do, and draws what they hold or could hold.
pub(super) fn touch_ui(
    ui: &Ui,
    state: &State,
    scenery: &Scenery,
    response: &Response,
    out: &mut Vec<Command>,
) {
    let sight = Sight {
        scenery,
        rect: response.rect,
    };
    let painter = ui.painter_at(response.rect);
    let pointer = response.interact_pointer_pos();
    let held = response.is_pointer_button_down_on();
    if state.is_touchable() {
        goal_handle(&painter, state, &sight);
    }
    match (&state.grip, pointer.filter(|_| held)) {
        (None, Some(at)) => {
            // Where the button went down, not where a slow frame finds the pointer.
            let (strikes, origin) = ui.input(|i| (shift_at_press(i), i.pointer.press_origin()));
            let at = origin.unwrap_or(at);
            let under = sight.under(state, at);
            if is_past(state) && matches!(under, Under::Body(b, _) if can_hold(state, b, strikes)) {
                // The past cannot be touched: the newest moment comes to the screen, and it can.
                out.push(Command::Live);
                out.push(Command::Say(
                    "Live: now bodies and the goal can be pulled".into(),
                ));
            }
            out.push(Command::Grab(grip_at(state, &sight, at, strikes)));
        }
        (Some(grip), Some(at)) => {
            if let Some(to) = led_to(state, &sight, grip, at) {
                out.push(Command::Lead(to));
            }
            let icon = match grip {
                Grip::View => CursorIcon::AllScroll,
                _ => CursorIcon::Grabbing,
            };
            ui.ctx().set_cursor_icon(icon);
        }
        (Some(_), None) => out.push(Command::LetGo),
        (None, None) => {}
    }
    match &state.grip {
        Some(Grip::Body(grip)) => held_body(&painter, state, &sight, grip),
        Some(Grip::Goal(target, _)) => {
            let goal = state.record.goal.as_ref();
            let target = goal.and_then(|g| g.state.targets.get(*target));
            if let (Some(at), Some(target)) = (pointer, target) {
                let [x, z] = target.place().map(|v| v * 100.0);
                say(&painter, state, at, &format!("goal: {x:.0}, {z:.0} cm"), "");
            }
        }
        Some(Grip::View) => {}
        None => {
            if let Some(at) = response.hover_pos() {
                hovered(ui, &painter, state, &sight, at);
            }
        }
    }
}

/// Whether what is shown is over, in a reality that could go on.
fn is_past(state: &State) -> bool {
    state.replay.is_none() && state.shown() < state.newest()
}

/// Whether Shift was down when the button went down, which may have been and gone within one slow frame.
fn shift_at_press(input: &InputState) -> bool {
    let pressed = input.events.iter().find_map(|event| match event {
        Event::PointerButton {
            pressed: true,
            modifiers,
            ..
        } => Some(modifiers.shift),
        _ => None,
    });
    pressed.unwrap_or(false) || input.modifiers.shift
}

/// What pressing the button there takes hold of.
fn grip_at(state: &State, sight: &Sight, at: Pos2, strikes: bool) -> Grip {
    if !state.is_touchable() {
        return Grip::View;
    }
    match sight.under(state, at) {
        Under::Body(body, point) if can_hold(state, body, strikes) => sight
            .grip(body, point, strikes)
            .map_or(Grip::View, Grip::Body),
        Under::Goal(target) => {
            let goal = state.record.goal.as_ref();
            let offset = goal.and_then(|goal| {
                let level = sight.level(at, goal_level(goal, target))?;
                let place = goal.state.targets.get(target)?.place();
                Some([level.x - place[0], level.z - place[1]])
            });
            Grip::Goal(target, offset.unwrap_or_default())
        }
        _ => Grip::View,
    }
}

/// Fixed bodies stay, and a hand has no mass to strike.
fn can_hold(state: &State, body: usize, strikes: bool) -> bool {
    let kind = state
        .scene
        .as_ref()
        .and_then(|s| s.bodies.get(body))
        .map(|b| b.kind);
    match kind {
        Some(Kind::Dynamic | Kind::Soft) => true,
        Some(Kind::Hand) => !strikes,
        _ => false,
    }
}

/// Where in the world the pointer leads what is held; `None` if it is there already.
fn led_to(state: &State, sight: &Sight, grip: &Grip, at: Pos2) -> Option<[f32; 3]> {
    let place = sight.place(at);
    let lens = &sight.scenery.lens;
    match grip {
        Grip::View => None,
        Grip::Body(grip) => {
            let (point, across) = (convert::vec3(grip.from), convert::vec3(grip.across));
            let to = lens.meet(place, point, across)?.to_array();
            (to != grip.to).then_some(to)
        }
        Grip::Goal(target, offset) => {
            let goal = state.record.goal.as_ref()?;
            let to = sight.level(at, goal_level(goal, *target))?;
            let [x, z] = goal.state.targets.get(*target)?.place();
            let moved = (to.x - offset[0] - x).abs() > 1e-4 || (to.z - offset[1] - z).abs() > 1e-4;
            moved.then_some(to.to_array())
        }
    }
}

/// The height at which a goal is moved: the floor's, or that of the body where height counts.
fn goal_level(goal: &GoalShown, target: usize) -> f32 {
    match goal.state.targets.get(target) {
        Some(t) if goal.state.task.vertical => t.position[1],
        _ => 0.0,
    }
}

fn goal_handle(painter: &Painter, state: &State, sight: &Sight) {
    for (target, at) in sight.handles(state) {
        let hot = matches!(state.grip, Some(Grip::Goal(held, _)) if held == target);
        let radius = if hot { 10.0 } else { 8.5 };
        let edge = Stroke::new(1.5, Color32::from_rgb(90, 60, 0));
        painter.circle(at, radius, theme::IMAGINED, edge);
        for (x, y) in [(1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)] {
            let tip = at + vec2(x, y) * 6.0;
            let back = at + vec2(x, y) * 2.6;
            let side = vec2(-y, x) * 2.6;
            let arrow = vec![tip, back + side, back - side];
            painter.add(Shape::convex_polygon(arrow, edge.color, Stroke::NONE));
        }
    }
}

fn hovered(ui: &Ui, painter: &Painter, state: &State, sight: &Sight, at: Pos2) {
    let shift = ui.input(|i| i.modifiers.shift);
    match sight.under(state, at) {
        Under::Body(body, _) => {
            let Some(described) = state.scene.as_ref().and_then(|s| s.bodies.get(body)) else {
                return;
            };
            let hint = match (described.kind, state.replay.is_some()) {
                (_, true) => "recorded: it cannot be touched",
                (Kind::Fixed, _) => "fixed: nothing moves it",
                _ if !state.is_touchable() => "the past cannot be touched; L: back to live",
                (Kind::Hand, _) if shift => "it has no mass to strike; drag to lead it",
                (Kind::Hand, _) => "drag: lead it where you want",
                (Kind::Dynamic | Kind::Soft, _) if shift => "drag and let go: strike it",
                (Kind::Dynamic | Kind::Soft, _) => "drag: pull it · Shift+drag: strike it",
            };
            outline(painter, state, sight, body);
            if state.is_touchable() && can_hold(state, body, shift) {
                ui.ctx().set_cursor_icon(CursorIcon::Grab);
            }
            say(
                painter,
                state,
                at,
                &told(state, body, &described.name),
                hint,
            );
        }
        Under::Goal(_) if state.is_touchable() => {
            ui.ctx().set_cursor_icon(CursorIcon::Grab);
            say(painter, state, at, "goal", "drag: put it elsewhere");
        }
        _ => {}
    }
}

/// A body's name, and where it is and how fast in the moment shown.
fn told(state: &State, body: usize, name: &str) -> String {
    let moment = state.shown_moment();
    let Some(at) = moment.and_then(|m| m.state.bodies.get(body)) else {
        return name.into();
    };
    let [x, y, z] = at.position.map(|v| v * 100.0);
    let speed = convert::vec3(at.velocity).length();
    format!("{name}: {x:.0}, {y:.0}, {z:.0} cm · {speed:.2} m/s")
}

/// The line from the body to the pointer, or the arrow of the impulse, and what it means.
fn held_body(painter: &Painter, state: &State, sight: &Sight, grip: &BodyGrip) {
    let Some(at) = sight.held_at(grip) else {
        return;
    };
    let ends = sight.project(at).zip(sight.project(convert::vec3(grip.to)));
    let Some((from, to)) = ends else { return };
    outline(painter, state, sight, grip.body);
    let colour = if grip.strikes {
        theme::BAD
    } else {
        theme::ACCENT
    };
    let under = Stroke::new(5.0, Color32::from_black_alpha(120));
    painter.line_segment([from, to], under);
    painter.line_segment([from, to], Stroke::new(2.5, colour));
    painter.circle(from, 4.0, colour, Stroke::new(1.0, Color32::BLACK));
    let later = if state.playing {
        ""
    } else {
        "forces act when time runs"
    };
    let name = state
        .scene
        .as_ref()
        .and_then(|s| s.bodies.get(grip.body))
        .map_or("?", |b| b.name.as_str());
    if grip.strikes {
        arrow_head(painter, from, to, colour);
        let impulse = convert::vec3(state.impulse(grip, at.to_array())).length();
        let hint = if state.playing {
            "let go to strike"
        } else {
            "let go to strike; it moves when time runs"
        };
        say(
            painter,
            state,
            to,
            &format!("{name}: {impulse:.2} N·s"),
            hint,
        );
    } else {
        painter.circle(to, 5.0, Color32::TRANSPARENT, Stroke::new(2.5, colour));
        say(painter, state, to, &format!("pull on {name}"), later);
    }
}

fn arrow_head(painter: &Painter, from: Pos2, to: Pos2, colour: Color32) {
    let along = to - from;
    if along.length() < 8.0 {
        return;
    }
    let along = along.normalized();
    let (back, side) = (to - along * 13.0, vec2(-along.y, along.x) * 6.5);
    let head = vec![to + along * 2.0, back + side, back - side];
    let edge = Stroke::new(1.0, Color32::from_black_alpha(160));
    painter.add(Shape::convex_polygon(head, colour, edge));
}

/// The edge of a body in the view.
fn outline(painter: &Painter, state: &State, sight: &Sight, body: usize) {
    let (Some(solid), Some(pose)) = (state.solids.get(body), sight.scenery.poses.get(body)) else {
        return;
    };
    let gaze = Gaze {
        project: &|p| sight.project(p),
        across: sight.scenery.lens.across(),
    };
    for edge in gaze.edges(solid, pose) {
        solid_line(painter, &edge, Color32::WHITE);
    }
}

/// A label beside the pointer.
fn say(painter: &Painter, state: &State, at: Pos2, title: &str, hint: &str) {
    let s = theme::surfaces(state.look);
    let title = super::legible(painter.ctx(), title).into_owned();
    let title = painter.layout_no_wrap(title, FontId::proportional(13.0), s.text);
    let hint = painter.layout_no_wrap(hint.into(), FontId::proportional(11.5), s.weak);
    let has_hint = !hint.text().is_empty();
    let height = title.size().y + if has_hint { hint.size().y + 2.0 } else { 0.0 };
    let size = vec2(title.size().x.max(hint.size().x) + 16.0, height + 10.0);
    let clip = painter.clip_rect();
    // Beside the pointer, but inside the view.
    let x = if at.x + 18.0 + size.x < clip.right() {
        at.x + 18.0
    } else {
        at.x - 14.0 - size.x
    };
    let y = (at.y + 12.0).min(clip.bottom() - size.y - 4.0);
    let ground = Rect::from_min_size(pos2(x, y), size);
    painter.rect_filled(ground, 5.0, s.card.gamma_multiply(0.92));
    let top = Align2::LEFT_TOP.pos_in_rect(&ground) + vec2(8.0, 5.0);
    let below = top + vec2(0.0, title.size().y + 2.0);
    painter.galley(top, title, s.text);
    if has_hint {
        painter.galley(below, hint, s.weak);
    }
}
