//! What a model imagines, as a film: pictures of a generative model with the truth as an outline, states of a
//! JEPA on a neutral plate.

use bevy::math::Vec3;
use bevy_egui::egui::{
    Color32, CornerRadius, CursorIcon, Painter, Rect, Response, Shape, Stroke, Ui, pos2, vec2,
};

use super::super::command::Command;
use super::super::state::{Compare, Cursor, HORIZON, Imagination, Pane, Rollout, State};
use super::super::theme::{self, Surfaces};
use super::super::verdict;
use super::legible;
use super::outline::{Gaze, across_eye, dashed, probed_pose, solid_line, through_eye};
use super::paint::{WHOLE, stamp, violation_box};
use super::pictures::{
    Pictures, difference_image, frame_image, onion_image, spread_image, square_image,
};
use crate::scene::Kind;

/// Where an imagined moment is drawn, and what is known of it.
pub(super) struct Canvas<'a> {
    pub painter: &'a Painter,
    pub ui: &'a Ui,
    pub state: &'a State,
    pub pane: &'a Pane,
    pub rect: Rect,
}

/// What a pane shows at the moment looked at; `None` where it has imagined nothing before it.
pub(super) fn what_is_shown<'a>(
    state: &'a State,
    pane: &'a Pane,
) -> Option<(Imagination, &'a Rollout)> {
    if let Some(found) = state.imagined(pane) {
        return Some(found);
    }
    // Beyond what was imagined, its end stays on the screen, greyed.
    let shown = state.shown();
    let before = pane.rollouts.iter().filter(|r| r.branch < shown);
    let last = before.max_by_key(|r| r.branch)?;
    let k = last.imagined.steps.min(HORIZON);
    let branch = last.branch;
    Some((Imagination { branch, k }, last))
}

/// Draws the film of a pane at the moment looked at.
pub(super) fn draw(
    canvas: &Canvas,
    pictures: &mut Pictures,
    shown: Option<(Imagination, &Rollout)>,
) {
    let Canvas {
        painter,
        ui,
        state,
        pane,
        rect,
    } = *canvas;
    let s = theme::surfaces(state.look);
    let Some((at, rollout)) = shown else {
        // Nothing is imagined yet: the start that it will see, dimmed.
        let key = stamp(&(state.record.episode, state.shown(), "waiting"));
        if let Some(moment) = state.shown_moment()
            && let Some(texture) =
                pictures.soft(ui.ctx(), &pane.name, key, || square_image(&moment.rgb))
        {
            painter.image(texture, rect, WHOLE, Color32::WHITE.gamma_multiply(0.35));
        }
        return;
    };
    match rollout.imagined.frames {
        Some(_) => frames(canvas, pictures, at, rollout),
        None => states(canvas, pictures, at, rollout, &s),
    }
    let late = at.moment() < state.shown();
    let follows = matches!(state.cursor, Cursor::Live) && (state.playing || pane.busy);
    if late && !follows {
        painter.rect_filled(rect, CornerRadius::same(4), Color32::from_black_alpha(150));
        let until = format!("imagined until {}", verdict::seconds(at.moment()));
        said_in_middle(painter, rect, &until);
    }
}

/// Words in the middle of a film that shows no evidence.
pub(super) fn said_in_middle(painter: &Painter, rect: Rect, text: &str) {
    let text = legible(painter.ctx(), text).into_owned();
    let font = bevy_egui::egui::FontId::proportional(15.0);
    let galley = painter.layout(text, font, Color32::WHITE, rect.width() - 24.0);
    let ground = Rect::from_center_size(rect.center(), galley.size() + vec2(20.0, 10.0));
    painter.rect_filled(ground, 5.0, Color32::from_black_alpha(170));
    painter.galley(ground.min + vec2(10.0, 5.0), galley, Color32::WHITE);
}

fn truth_at(state: &State, moment: usize) -> Option<&[u8]> {
    let moment = state.record.moments.get(moment)?;
    Some(moment.rgb.as_slice())
}

fn frames(canvas: &Canvas, pictures: &mut Pictures, at: Imagination, rollout: &Rollout) {
    let Canvas {
        painter,
        ui,
        state,
        pane,
        rect,
    } = *canvas;
    let (ctx, name) = (ui.ctx(), pane.name.as_str());
    let Some(frames) = &rollout.imagined.frames else {
        return;
    };
    let truth = truth_at(state, at.moment());
    let place = (state.record.episode, rollout.branch, at.moment());
    // The branch itself is real: there is nothing imagined to show yet.
    let Some(index) = rollout.index(at.k) else {
        if let Some(rgb) = truth {
            let key = stamp(&(place, "real"));
            if let Some(texture) = pictures.soft(ctx, name, key, || square_image(rgb)) {
                painter.image(texture, rect, WHOLE, Color32::WHITE);
            }
        }
        return;
    };
    let frame = frames.at(0, index);
    let took = rollout.took_ms.to_bits();
    let key = stamp(&(place, took, state.compare, state.show_spread));
    let wipes = state.compare == Compare::Wipe;
    let spreads = state.show_spread && frames.n > 1;
    let texture = pictures.soft(ctx, name, key, || {
        let all = || {
            (0..frames.n)
                .map(|n| frames.at(n, index))
                .collect::<Vec<&[u8]>>()
        };
        match (state.compare, truth) {
            _ if spreads => spread_image(frames.size, &all()),
            (Compare::Difference, Some(truth)) => difference_image(frames.size, frame, truth),
            (Compare::Onion, Some(truth)) => onion_image(frames.size, frame, truth),
            _ => frame_image(frames.size, frame),
        }
    });
    if let Some(texture) = texture {
        painter.image(texture, rect, WHOLE, Color32::WHITE);
    }
    if let (true, Some(truth)) = (wipes && !spreads, truth) {
        let key = stamp(&(place, "truth"));
        let texture = pictures.soft(ctx, &format!("{name} truth"), key, || square_image(truth));
        if let Some(texture) = texture {
            let left = Rect::from_min_max(rect.min, pos2(wipe_x(state, rect), rect.bottom()));
            let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(state.wipe, 1.0));
            painter.image(texture, left, uv, Color32::WHITE);
        }
    }
    if state.compare == Compare::Outline && !spreads {
        true_edges(canvas, at.moment(), Color32::WHITE);
    }
    if wipes {
        wipe_line(painter, state, rect);
    }
    let scale = rect.width() / frames.size as f32;
    for v in rollout.violations_at(at.k) {
        let Some([x0, y0, x1, y1]) = verdict::box_at(v, index) else {
            continue;
        };
        let corner = |x: u16, y: u16| rect.min + vec2(f32::from(x), f32::from(y)) * scale;
        let outline = Rect::from_two_pos(corner(x0, y0), corner(x1, y1)).expand(3.0);
        violation_box(painter, rect, outline, v.law);
    }
}

fn wipe_x(state: &State, rect: Rect) -> f32 {
    rect.left() + rect.width() * state.wipe
}

fn wipe_line(painter: &Painter, state: &State, rect: Rect) {
    let x = wipe_x(state, rect);
    let ends = [pos2(x, rect.top()), pos2(x, rect.bottom())];
    painter.line_segment(ends, Stroke::new(4.0, Color32::from_black_alpha(120)));
    painter.line_segment(ends, Stroke::new(2.0, Color32::WHITE));
}

/// The line of a wipe follows the pointer.
pub(super) fn wipe_ui(state: &State, response: &Response, out: &mut Vec<Command>) {
    if state.compare != Compare::Wipe {
        return;
    }
    if let Some(at) = response
        .interact_pointer_pos()
        .filter(|_| response.dragged())
    {
        let share = (at.x - response.rect.left()) / response.rect.width().max(1.0);
        out.push(Command::Wipe(share));
    }
    if response.hovered() {
        response.ctx.set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
}

/// Dashed edges of the bodies that move, where they really are.
fn true_edges(canvas: &Canvas, moment: usize, colour: Color32) {
    let (state, rect) = (canvas.state, canvas.rect);
    let (Some(scene), Some(eye), Some(truth)) =
        (&state.scene, &state.eye, state.record.moments.get(moment))
    else {
        return;
    };
    let gaze = Gaze {
        project: &|p| through_eye(eye, rect, p),
        across: across_eye(scene),
    };
    for (i, body) in scene.bodies.iter().enumerate() {
        if body.kind != Kind::Fixed {
            for edge in gaze.edges_in(state, truth, i) {
                dashed(canvas.painter, &edge, colour);
            }
        }
    }
}

fn states(
    canvas: &Canvas,
    pictures: &mut Pictures,
    at: Imagination,
    rollout: &Rollout,
    s: &Surfaces,
) {
    let Canvas {
        painter,
        ui,
        state,
        pane,
        rect,
    } = *canvas;
    let (Some(scene), Some(eye)) = (&state.scene, &state.eye) else {
        return;
    };
    if state.compare == Compare::Onion || state.compare == Compare::Wipe {
        let key = stamp(&(state.record.episode, at.moment(), "plate"));
        if let Some(rgb) = truth_at(state, at.moment())
            && let Some(texture) = pictures.soft(ui.ctx(), &pane.name, key, || square_image(rgb))
        {
            let (right, shade) = match state.compare {
                Compare::Wipe => (wipe_x(state, rect), 255),
                _ => (rect.right(), 120),
            };
            let part = Rect::from_min_max(rect.min, pos2(right, rect.bottom()));
            let uv = pos2((right - rect.left()) / rect.width().max(1.0), 1.0);
            let uv = Rect::from_min_max(pos2(0.0, 0.0), uv);
            painter.image(texture, part, uv, Color32::from_gray(shade));
        }
    }
    let Some(states) = &rollout.imagined.states else {
        return no_probes(canvas, pictures, at, rollout);
    };
    let gaze = Gaze {
        project: &|p| through_eye(eye, rect, p),
        across: across_eye(scene),
    };
    if let Some(truth) = state.record.moments.get(at.moment()) {
        for (i, body) in scene.bodies.iter().enumerate() {
            if body.kind == Kind::Fixed {
                for edge in gaze.edges_in(state, truth, i) {
                    painter.add(Shape::convex_polygon(edge, s.line, Stroke::NONE));
                }
            }
        }
    }
    let offs = verdict::offsets(state, rollout, at.k);
    for (column, name) in states.bodies.iter().enumerate() {
        let Some(index) = scene.body_index(name) else {
            continue;
        };
        let body = &scene.bodies[index];
        let real = state.record.moments.get(rollout.branch);
        let pose = match at.k {
            0 => real.and_then(|m| m.state.bodies.get(index)).copied(),
            k => state
                .probed(rollout, column, k)
                .and_then(|p| probed_pose(body.position[1], p)),
        };
        let (Some(solid), Some(pose)) = (state.solids.get(index), pose) else {
            continue;
        };
        let fill = theme::body_colour(solid.colour).gamma_multiply(0.9);
        for edge in gaze.edges(solid, &pose) {
            painter.add(Shape::convex_polygon(edge.clone(), fill, Stroke::NONE));
            solid_line(painter, &edge, theme::camp_colour(pane.camp()));
        }
        // From where it really is to where it is imagined.
        let truth = state.record.moments.get(at.moment());
        let truth = truth.and_then(|m| m.state.bodies.get(index));
        let far = offs.iter().find(|o| o.body == index).and_then(|o| o.metres);
        if let (Some(truth), Some(far)) = (truth, far)
            && far > 0.02
            && let (Some(a), Some(b)) = (
                through_eye(eye, rect, Vec3::from(truth.position)),
                through_eye(eye, rect, Vec3::from(pose.position)),
            )
        {
            painter.line_segment([a, b], Stroke::new(1.5, s.text));
        }
    }
    true_edges(canvas, at.moment(), s.text);
    if state.compare == Compare::Wipe {
        wipe_line(painter, state, rect);
    }
}

/// A JEPA without probes that fit: what its diagnostic decoder draws, if it has one, else the truth alone.
fn no_probes(canvas: &Canvas, pictures: &mut Pictures, at: Imagination, rollout: &Rollout) {
    let Canvas {
        painter,
        ui,
        state,
        pane,
        rect,
    } = *canvas;
    let decoded = rollout.imagined.decoded.as_ref().zip(rollout.index(at.k));
    if let Some((decoded, index)) = decoded {
        let key = stamp(&(state.record.episode, rollout.branch, at.moment(), "decoded"));
        let place = format!("{} decoded", pane.name);
        let texture = pictures.soft(ui.ctx(), &place, key, || {
            frame_image(decoded.size, decoded.at(0, index))
        });
        if let Some(texture) = texture {
            painter.image(texture, rect, WHOLE, Color32::WHITE);
        }
        true_edges(canvas, at.moment(), Color32::WHITE);
        return;
    }
    true_edges(canvas, at.moment(), theme::surfaces(state.look).text);
    let from_above = (state.scene.as_ref()).is_none_or(|scene| scene.is_seen_from_above());
    let why = match from_above {
        true => {
            "Nothing reads bodies out of its latents in this scene: what it imagines has no picture"
        }
        false => {
            "Its probes read places on the floor and no heights: what it imagines here has no picture"
        }
    };
    said_in_middle(painter, rect, why);
}
