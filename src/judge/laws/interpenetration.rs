//! **Bodies do not overlap or pass through each other.**
//!
//! Score, metres: how much shorter a pair is, along the line of its centres, than both inscribed balls side
//! by side (the outer ends are seen even where one body hides the inner part of the other), or how much
//! nearer their centres come on straight lines between two frames; how deep a body's inscribed ball is in a
//! fixed box or under the floor. From the side one body may be behind the other, so there only the floor
//! counts.

use super::{Case, Rule, Score, WANDERS, union};
use crate::judge::motion::{length, minus};
use crate::judge::track::Sighting;
use crate::judge::world::World;
use crate::scene::{Kind, Law, Shape};

pub(super) const RULE: Rule = Rule {
    law: Law::Interpenetration,
    unit: "m",
    least: 0.01,
    strong: 0.07,
    readouts: true,
    absent,
    scores,
    says: |name, score| {
        format!(
            "`{name}` is {:.1} cm inside of what it cannot enter",
            100.0 * score
        )
    },
};

fn absent(world: &World) -> Option<String> {
    let free = |b: &&crate::judge::world::Known| b.kind == Kind::Dynamic && !b.jointed;
    if world.down {
        return None;
    }
    let mut bodies = world.bodies.iter().filter(free);
    match bodies.clone().count() {
        0 => Some("seen from the side, and a joint holds every body that moves".to_string()),
        _ => bodies.all(|b| b.wanders).then(|| WANDERS.to_string()),
    }
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for t in case.imagined().filter(|&t| t >= 1) {
        for n in 0..case.count() {
            let known = &case.world.bodies[case.body(n)];
            if case.world.down {
                if let Some(deep) = in_wall(case, n, t) {
                    out.push(case.score(Law::Interpenetration, n, t, deep));
                }
                for m in 0..n {
                    if let Some(deep) = overlap(case, n, m, t) {
                        let mut s = case.score(Law::Interpenetration, n, t, deep);
                        s.bounds = union(s.bounds, case.at(m, t).bounds);
                        out.push(s);
                    }
                }
            } else if case.whole(n, t)
                && known.kind == Kind::Dynamic
                && !known.jointed
                && !known.wanders
            {
                let deep = known.inscribed - case.at(n, t).at[1];
                out.push(case.score(Law::Interpenetration, n, t, deep));
            }
        }
    }
}

/// Enough of it is seen, and no border cuts it.
fn shown(case: &Case, n: usize, s: &Sighting) -> bool {
    if !case.is_film() {
        return s.is_seen();
    }
    let known = case.known_area[n].unwrap_or(f32::MAX);
    s.is_seen() && !s.at_border && s.area > 0.25 * known
}

fn overlap(case: &Case, n: usize, m: usize, t: usize) -> Option<f32> {
    let (a, b) = (case.at(n, t), case.at(m, t));
    if !shown(case, n, a) || !shown(case, m, b) {
        return None;
    }
    let radius = |i: usize| case.world.bodies[case.body(i)].inscribed;
    // Of a shape with notches nothing is sure to be inside.
    if radius(n) == 0.0 || radius(m) == 0.0 {
        return None;
    }
    let both = radius(n) + radius(m);
    let mut deep = match case.is_film() {
        true => shortened(case, both, a, b)?,
        false => both - length(minus(a.at, b.at)),
    };
    let (a0, b0) = (case.at(n, t - 1), case.at(m, t - 1));
    if case.whole(n, t - 1) && case.whole(m, t - 1) && case.whole(n, t) && case.whole(m, t) {
        let (from, to) = (minus(a0.at, b0.at), minus(a.at, b.at));
        deep = deep.max(both - nearest(from, to));
    }
    Some(deep)
}

/// Least distance of a segment from the origin.
fn nearest(from: [f32; 2], to: [f32; 2]) -> f32 {
    let d = minus(to, from);
    let long = d[0] * d[0] + d[1] * d[1];
    let t = match long > 0.0 {
        true => (-(from[0] * d[0] + from[1] * d[1]) / long).clamp(0.0, 1.0),
        false => 0.0,
    };
    length([from[0] + t * d[0], from[1] + t * d[1]])
}

/// How much shorter than both bodies side by side the pair is along the line of its centres, metres.
fn shortened(case: &Case, both: f32, a: &Sighting, b: &Sighting) -> Option<f32> {
    let size = case.tracks.film.as_ref()?.size;
    let d = minus(a.centroid, b.centroid);
    let long = length(d);
    if long < 1e-3 {
        return Some(both);
    }
    let axis = [d[0] / long, d[1] / long];
    let along = |i: u32| {
        let (x, y) = (i as usize % size, i as usize / size);
        (x as f32 + 0.5) * axis[0] + (y as f32 + 0.5) * axis[1]
    };
    let ends = |s: &Sighting| {
        let each = s.pixels.iter().map(|&i| along(i));
        each.fold((f32::MAX, f32::MIN), |(l, h), p| (l.min(p), h.max(p)))
    };
    let ((_, far), (near, _)) = (ends(a), ends(b));
    let scale = case.world.metres_per_pixel(a.place?);
    // Pixel centres lie half a pixel inside each end.
    Some(2.0 * both - (far - near + 1.0) * scale)
}

/// How deep a body's inscribed ball is, or comes on its way, in a fixed box, metres.
fn in_wall(case: &Case, n: usize, t: usize) -> Option<f32> {
    let scene = &case.world.scene;
    let s = case.at(n, t);
    if !shown(case, n, s) {
        return None;
    }
    let radius = case.world.bodies[case.body(n)].inscribed;
    if radius == 0.0 {
        return None;
    }
    let shift = case.tracks.film.as_ref()?.shifted;
    let before = case.at(n, t - 1);
    let mut deepest: Option<f32> = None;
    for wall in scene.bodies.iter().filter(|b| b.kind == Kind::Fixed) {
        let Shape::Cuboid { half } = wall.shape else {
            continue;
        };
        if wall.yaw != 0.0 || wall.pitch != 0.0 || wall.roll != 0.0 {
            continue;
        }
        let set = |axis: &str, own: f32, by: f32| {
            let target = format!("{}.{axis}", wall.name);
            let set = scene.interventions.iter().rfind(|(t, _)| *t == target);
            set.map_or(own, |(_, v)| *v) + by
        };
        let centre = [
            set("x", wall.position[0], shift[0]),
            set("z", wall.position[2], shift[1]),
        ];
        let from = if before.is_seen() { before.at } else { s.at };
        for k in 0..=4 {
            let u = k as f32 / 4.0;
            let p: [f32; 2] =
                std::array::from_fn(|i| from[i] + u * (s.at[i] - from[i]) - centre[i]);
            let out = [p[0].abs() - half[0], p[1].abs() - half[2]];
            let outside = length(out.map(|d| d.max(0.0)));
            let distance = outside + out[0].max(out[1]).min(0.0);
            let deep = radius - distance;
            deepest = Some(deepest.map_or(deep, |d| d.max(deep)));
        }
    }
    deepest
}
