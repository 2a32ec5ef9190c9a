//! **Energy does not grow unless a hand works.**
//!
//! Score: by how much a body's energy for each kilogram, g y + v²/2 as its track tells, has grown over the
//! greatest of the last frames, over its speed (plus 0.3 m/s, so that what hardly moves does not count), m/s.
//! Between two frames both height and velocity are means, so what flies keeps this sum exactly. Occasion: no
//! hand and nothing that moves is near enough to have pushed it.

use super::{Case, Rule, Score};
use crate::judge::motion::length;
use crate::judge::world::World;
use crate::scene::{Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::Energy,
    unit: "m/s",
    least: 0.08,
    strong: 0.5,
    readouts: true,
    absent,
    scores,
    says: |name, _| format!("`{name}` has more energy than before, though nothing gave it any"),
};

/// Times between frames that are looked back on.
const BACK: usize = 4;

fn absent(world: &World) -> Option<String> {
    let free = |b: &crate::judge::world::Known| b.kind != Kind::Hand && b.kind != Kind::Fixed;
    let none = !world.bodies.iter().any(free);
    none.then(|| "no body moves but by a hand".to_string())
}

/// Energy for each kilogram between frames `t - 1` and `t`, and the speed.
fn energy(case: &Case, n: usize, t: usize) -> Option<(f32, f32)> {
    if !case.whole(n, t) || !case.whole(n, t - 1) {
        return None;
    }
    let (a, b) = (case.at(n, t - 1).at, case.at(n, t).at);
    let v = length([b[0] - a[0], b[1] - a[1]]) / case.tracks.dt;
    let g = match case.world.down {
        true => 0.0,
        false => -0.5 * (case.world.gravity.low + case.world.gravity.high),
    };
    Some((g * 0.5 * (a[1] + b[1]) + 0.5 * v * v, v))
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        if case.world.bodies[case.body(n)].kind == Kind::Hand {
            continue;
        }
        for t in case.imagined() {
            if t < BACK + 1 || (t + 1 - BACK..=t).any(|k| case.motion[n][k].neighbours > 0.0) {
                continue;
            }
            let Some((now, speed)) = energy(case, n, t) else {
                continue;
            };
            let before = (t - BACK..t).map(|k| energy(case, n, k));
            let Some(before) = before.collect::<Option<Vec<_>>>() else {
                continue;
            };
            let most = before.iter().map(|b| b.0).fold(f32::MIN, f32::max);
            let fastest = before.iter().map(|b| b.1).fold(speed, f32::max);
            let grown = (now - most).max(0.0) / (fastest + 0.3);
            out.push(case.score(Law::Energy, n, t, grown));
        }
    }
}
