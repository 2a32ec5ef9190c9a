//! **A collision changes both bodies, as their masses say.**
//!
//! Score: what is left of both changes of velocity, weighted with the masses of the scene's range that fit
//! best, beyond what friction does meanwhile, m/s. Occasion: two bodies, seen whole from before to after,
//! meet on the floor, and no third body is near. Newton's third law.

use super::{Case, Rule, Score};
use crate::judge::motion::{length, minus};
use crate::judge::world::World;
use crate::scene::{Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::Momentum,
    unit: "m/s",
    least: 0.05,
    strong: 0.35,
    readouts: true,
    absent,
    scores,
    says: |name, score| {
        format!(
            "`{name}` and what it met changed by {score:.2} m/s in a way that no masses explain"
        )
    },
};

/// A collision changes a velocity by so much at least, m/s.
const HIT: f32 = 0.15;

/// A body that shows so much of its area is seen whole.
const SHOWN: f32 = 0.95;

fn absent(world: &World) -> Option<String> {
    let dynamic = world.bodies.iter().filter(|b| b.kind == Kind::Dynamic);
    match (world.down, dynamic.count()) {
        (false, _) => Some("from the side floor and bodies push at once".to_string()),
        (_, 0 | 1) => Some("it takes two bodies that push each other".to_string()),
        _ => None,
    }
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    let (world, dt) = (case.world, case.tracks.dt);
    for n in 0..case.count() {
        for m in 0..n {
            let (a, b) = (&world.bodies[case.body(n)], &world.bodies[case.body(m)]);
            if a.kind != Kind::Dynamic || b.kind != Kind::Dynamic {
                continue;
            }
            let ratio = [b.mass.low / a.mass.high, b.mass.high / a.mass.low];
            for t in case.imagined().filter(|&t| t >= 3) {
                if !(t - 3..=t).all(|k| shown(case, n, k) && shown(case, m, k)) {
                    continue;
                }
                let third = (0..case.count()).filter(|&o| o != n && o != m);
                let apart = |o: usize| {
                    let d = |k: usize, i: usize| length(minus(case.at(o, k).at, case.at(i, k).at));
                    let reach = 2.5 * a.bounding.max(b.bounding) + 0.15;
                    (t - 3..=t).all(|k| case.at(o, k).is_seen() && d(k, n).min(d(k, m)) > reach)
                };
                if !third.into_iter().all(apart) {
                    continue;
                }
                let v = |i: usize, k: usize| {
                    minus(case.at(i, k).at, case.at(i, k - 1).at).map(|d| d / dt)
                };
                let change = |i: usize| minus(v(i, t), v(i, t - 2));
                let (da, db) = (change(n), change(m));
                let gap = |k: usize| length(minus(case.at(n, k).at, case.at(m, k).at));
                let met = gap(t - 1).min(gap(t - 2)) < a.bounding + b.bounding + 0.05;
                if !met || length(da).max(length(db)) < HIT {
                    continue;
                }
                let long = db[0] * db[0] + db[1] * db[1];
                let best = -(da[0] * db[0] + da[1] * db[1]) / long.max(1e-9);
                let best = best.clamp(ratio[0], ratio[1]);
                let left = length([da[0] + best * db[0], da[1] + best * db[1]]) / (1.0 + best);
                let friction = a.friction.max(b.friction) * world.weight() * dt;
                let score = (left - friction).max(0.0);
                out.push(case.score(Law::Momentum, n, t, score));
            }
        }
    }
}

/// Whether all of the body is seen: from above, bodies side by side do not hide each other.
fn shown(case: &Case, n: usize, t: usize) -> bool {
    let s = case.at(n, t);
    let all = case.known_area[n].is_some_and(|area| s.area > SHOWN * area);
    case.whole(n, t) || (s.is_seen() && !s.at_border && all && s.components.len() == 1)
}
