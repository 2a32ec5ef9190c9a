//! Where a hand goes to push a body to a place, or round what stands in the way.

use super::view::{View, norm, plane, scale, sub};
use crate::scene::{Kind, Shape};

/// Goes behind the body (seen from the goal), round it if need be, then pushes it towards the goal.
pub(super) fn push_towards(view: &View, target: usize, goal: [f32; 2], gain: f32) -> [f32; 2] {
    let (scene, body, at) = (view.scene, view.body(target), view.at);
    let to_goal = sub(goal, body);
    let dir = scale(to_goal, 1.0 / norm(to_goal).max(1e-3));
    let clearance =
        scene.bodies[target].shape.size() * 0.6 + scene.bodies[view.hand].shape.size() * 0.5;
    let behind = sub(body, scale(dir, clearance + 0.02));
    let from_body = sub(at, body);
    let aligned = from_body[0] * dir[0] + from_body[1] * dir[1];
    let sideways = (from_body[0] * dir[1] - from_body[1] * dir[0]).abs();
    if aligned < -0.5 * clearance && sideways < 0.35 * clearance {
        // Behind it and in line: push, steering the contact point under the centre.
        let side = sub(sub(body, scale(dir, 0.3 * clearance)), at);
        return scale(side, gain);
    }
    let wish = sub(behind, at);
    let near = norm(from_body);
    if near < clearance * 1.5 && aligned > -0.6 * clearance {
        // Round the body on the side nearer to the place behind it.
        return round(
            from_body,
            wish,
            (clearance * 1.3 - near) / near.max(1e-3) * 6.0,
        );
    }
    scale(wish, gain)
}

/// The way round a body on the side that is nearer to the wish, and outwards by `out` of the distance from
/// it.
fn round(from_body: [f32; 2], wish: [f32; 2], out: f32) -> [f32; 2] {
    let near = norm(from_body).max(1e-3);
    let tangent = [-from_body[1] / near, from_body[0] / near];
    let along = tangent[0] * wish[0] + tangent[1] * wish[1];
    let sign = if along >= 0.0 { 1.0 } else { -1.0 };
    let out = scale(from_body, out);
    [sign * tangent[0] + out[0], sign * tangent[1] + out[1]]
}

/// A place on the outline where a hand can push: in the body's frame, with the direction inwards.
struct Contact {
    at: [f32; 2],
    inwards: [f32; 2],
}

/// Places on the upright faces of a compound of boxes where the hand has room.
fn contacts(shape: &Shape, hand_radius: f32) -> Vec<Contact> {
    let boxes: Vec<([f32; 2], [f32; 2])> = shape
        .parts()
        .iter()
        .filter_map(|p| match &p.shape {
            Shape::Cuboid { half } => Some((plane(p.position), [half[0], half[2]])),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for &(centre, half) in &boxes {
        for (axis, sign) in [(0, 1.0), (0, -1.0), (1, 1.0), (1, -1.0)] {
            for along in [-0.75, -0.35, 0.0, 0.35, 0.75] {
                let mut at = centre;
                at[axis] += sign * half[axis];
                at[1 - axis] += along * half[1 - axis];
                let mut inwards = [0.0; 2];
                inwards[axis] = -sign;
                let hand = sub(at, scale(inwards, hand_radius + 0.01));
                let free = boxes.iter().all(|(c, h)| {
                    let d: [f32; 2] =
                        std::array::from_fn(|i| ((hand[i] - c[i]).abs() - h[i]).max(0.0));
                    norm(d) >= hand_radius
                });
                if free {
                    found.push(Contact { at, inwards });
                }
            }
        }
    }
    found
}

/// Control steps for which a contact is kept before another is considered.
const KEEP: u32 = 10;

/// Brings a body to a place and an orientation by quasi-static pushing: of all contacts the one whose push
/// brings both errors down most, judged by a body that slips on its floor like a disc of the same extent.
pub(super) fn turn_towards(
    view: &View,
    target: usize,
    goal: [f32; 2],
    yaw: f32,
    chosen: &mut Option<(usize, u32)>,
) -> [f32; 2] {
    let shape = &view.scene.bodies[target].shape;
    let radius = 0.5 * view.scene.bodies[view.hand].shape.size();
    let choices = contacts(shape, radius);
    let (body, turned) = (view.body(target), view.state.bodies[target].yaw());
    let (sin, cos) = (libm::sinf(turned), libm::cosf(turned));
    let to_world = |p: [f32; 2]| [p[0] * cos + p[1] * sin, p[1] * cos - p[0] * sin];
    let turn = 2.0 * std::f32::consts::PI;
    let wanted = (yaw - turned + 0.5 * turn).rem_euclid(turn) - 0.5 * turn;
    let to_goal = sub(goal, body);
    let lever_scale = 0.5 * shape.bounding_radius();
    let stay = chosen.filter(|(i, age)| *age < KEEP && *i < choices.len());
    let pick = stay.map(|(i, _)| i).or_else(|| {
        let cost = |c: &Contact| {
            let lever = (c.at[1] * c.inwards[0] - c.at[0] * c.inwards[1]) / lever_scale;
            let share = 1.0 / (1.0 + lever * lever);
            let push = to_world(c.inwards);
            let reach = norm(sub(
                sub(add(body, to_world(c.at)), scale(push, radius + 0.03)),
                view.at,
            ));
            [0.02, 0.06]
                .map(|s| {
                    let left = sub(to_goal, scale(push, s * share));
                    let twist = lever_scale * wanted - s * share * lever;
                    (left[0] * left[0] + left[1] * left[1] + twist * twist).sqrt()
                })
                .into_iter()
                .fold(f32::MAX, f32::min)
                + 0.03 * reach
        };
        let best = choices
            .iter()
            .enumerate()
            .min_by(|a, b| cost(a.1).total_cmp(&cost(b.1)));
        best.map(|(i, _)| i)
    });
    let Some(pick) = pick else {
        return push_towards(view, target, goal, 9.0);
    };
    let age = stay.map_or(0, |(_, age)| age + 1);
    *chosen = Some((pick, age));
    let contact = &choices[pick];
    let (at, push) = (add(body, to_world(contact.at)), to_world(contact.inwards));
    let from_contact = sub(view.at, at);
    let behind = -(from_contact[0] * push[0] + from_contact[1] * push[1]);
    let aside = from_contact[0] * push[1] - from_contact[1] * push[0];
    if behind > 0.2 * radius && behind < radius + 0.08 && aside.abs() < 0.5 * radius {
        // In line: push, slower as the errors vanish.
        let error = norm(to_goal).max(lever_scale * wanted.abs());
        let speed = (6.0 * error).clamp(0.25, 1.0);
        let steer = scale([-push[1], push[0]], 5.0 * aside);
        return [push[0] * speed + steer[0], push[1] * speed + steer[1]];
    }
    // While it goes there, the choice stands.
    *chosen = Some((pick, age.min(KEEP - 3)));
    let place = sub(at, scale(push, radius + 0.04));
    let (from_body, wish) = (sub(view.at, body), sub(place, view.at));
    let clearance = shape.bounding_radius() + radius + 0.01;
    let near = norm(from_body);
    let outward = place_outward(place, body, view.at);
    if near < clearance && !outward && norm(wish) > 0.06 {
        // Out of the outline first, then round it.
        return round(from_body, wish, (clearance - near) / near.max(1e-3) * 12.0);
    }
    scale(wish, 9.0)
}

/// Whether the place lies on the hand's side of the body, so that the straight way is free.
fn place_outward(place: [f32; 2], body: [f32; 2], hand: [f32; 2]) -> bool {
    let (p, h) = (sub(place, body), sub(hand, body));
    (p[0] * h[0] + p[1] * h[1]) / (norm(p) * norm(h)).max(1e-4) > 0.7
}

fn add(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] + b[0], a[1] + b[1]]
}

/// The goal, or the corner of the first fixed box in the way.
pub(super) fn around_fixed(view: &View, goal: [f32; 2]) -> [f32; 2] {
    let (scene, at) = (view.scene, view.at);
    let margin = scene
        .hand()
        .map_or(0.06, |h| scene.bodies[h].shape.bounding_radius())
        + 0.015;
    for (i, b) in scene.bodies.iter().enumerate() {
        let (Kind::Fixed, Shape::Cuboid { half }) = (b.kind, &b.shape) else {
            continue;
        };
        let centre = view.body(i);
        let (hx, hz) = (half[0] + margin, half[2] + margin);
        if !crosses(sub(at, centre), sub(goal, centre), hx, hz) {
            continue;
        }
        let (cx, cz) = (hx + 0.02, hz + 0.02);
        let corners = [[cx, cz], [cx, -cz], [-cx, cz], [-cx, -cz]]
            .map(|c| [centre[0] + c[0], centre[1] + c[1]]);
        let best = corners
            .into_iter()
            .filter(|&c| !crosses(sub(at, centre), sub(c, centre), hx, hz))
            .min_by(|a, b| {
                let length = |c: [f32; 2]| norm(sub(c, at)) + norm(sub(goal, c));
                length(*a).total_cmp(&length(*b))
            });
        if let Some(corner) = best {
            return corner;
        }
    }
    goal
}

/// Whether the segment a-b enters the box |x| < hx, |z| < hz (slab test).
fn crosses(a: [f32; 2], b: [f32; 2], hx: f32, hz: f32) -> bool {
    let (mut t0, mut t1) = (0.0f32, 1.0f32);
    for (axis, h) in [hx, hz].into_iter().enumerate() {
        let d = b[axis] - a[axis];
        if d.abs() < 1e-6 {
            if a[axis].abs() >= h {
                return false;
            }
            continue;
        }
        let (mut near, mut far) = ((-h - a[axis]) / d, (h - a[axis]) / d);
        if near > far {
            std::mem::swap(&mut near, &mut far);
        }
        t0 = t0.max(near);
        t1 = t1.min(far);
    }
    t1 - t0 > 1e-3
}
