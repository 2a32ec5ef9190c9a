//! **A body does not jump from place to place.**
//!
//! Score: how far a body is from anywhere that it could have gone since the last frame, metres. Alone, that
//! is where gravity, friction and damping take it; where something may have touched it, anywhere within what
//! both speeds and restitution allow; where it is not seen whole, within the reach of the fastest thing
//! around. A ball that was hidden comes out where its speed has taken it. Continuity of motion as in Spelke
//! (1990).

use super::{Case, Rule, Score, nowhere_absent};
use crate::judge::motion::{length, minus};
use crate::scene::{Kind, Law, Shape};

pub(super) const RULE: Rule = Rule {
    law: Law::Continuity,
    unit: "m",
    least: 0.02,
    strong: 0.24,
    readouts: true,
    absent: nowhere_absent,
    scores,
    says: |name, score| {
        let cm = 100.0 * score;
        format!(
            "`{name}` is {cm:.0} cm from anywhere that it could have gone in a tenth of a second"
        )
    },
};

/// Longest time that a body may be hidden, frames.
const HIDDEN: usize = 14;

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        for t in case.imagined() {
            let step = case.motion[n][t].jump;
            let jump = step
                .or_else(|| emerged(case, n, t))
                .or_else(|| afar(case, n, t));
            if let Some(jump) = jump {
                out.push(case.score(Law::Continuity, n, t, jump));
            }
        }
    }
}

/// How far a body that is not seen whole is from where the fastest thing around could have sent it, metres:
/// its middle may be three quarters of its breadth from the middle of what is seen.
fn afar(case: &Case, n: usize, t: usize) -> Option<f32> {
    if !case.is_film() || t < 2 || !case.at(n, t).is_seen() || !case.at(n, t - 1).is_seen() {
        return None;
    }
    let (world, dt) = (case.world, case.tracks.dt);
    let known = &world.bodies[case.body(n)];
    let speed = |m: usize, k: usize| {
        let (a, b) = (case.at(m, k - 1), case.at(m, k));
        let both = a.is_seen() && b.is_seen();
        if both {
            length(minus(b.at, a.at)) / dt
        } else {
            0.0
        }
    };
    let hand = world.hand_speed * std::f32::consts::SQRT_2;
    let before =
        (t.saturating_sub(3).max(1)..t).flat_map(|k| (0..case.count()).map(move |m| (m, k)));
    let fastest = before.map(|(m, k)| speed(m, k)).fold(hand, f32::max);
    let falls = if world.down { 0.0 } else { world.weight() * dt };
    let most = (1.0 + known.restitution) * fastest + falls;
    let gone = length(minus(case.at(n, t).at, case.at(n, t - 1).at));
    Some((gone - most * dt - 1.5 * known.bounding).max(0.0))
}

/// How far a ball that rolls alone is from where it should come out again, metres.
fn emerged(case: &Case, n: usize, t: usize) -> Option<f32> {
    if !case.is_film() || t == 0 {
        return None;
    }
    let (world, body) = (case.world, case.body(n));
    let known = &world.bodies[body];
    let others = (0..world.bodies.len()).filter(|&o| o != body);
    let alone = others.into_iter().all(|o| !world.may_touch(body, o));
    let ball = matches!(known.shape, Shape::Ball { .. });
    let screens = world.bodies.iter().any(|b| b.kind == Kind::Fixed);
    if !screens || !alone || !ball || !case.whole(n, t) || case.whole(n, t - 1) {
        return None;
    }
    let floor = |k: usize| (case.at(n, k).at[1] - known.inscribed).abs() < 0.5 * known.inscribed;
    let from = (1..t)
        .rev()
        .take(HIDDEN)
        .find(|&k| case.whole(n, k) && case.whole(n, k - 1))?;
    if !floor(from - 1) || !floor(t) {
        return None;
    }
    let (a, b) = (case.at(n, from - 1).at, case.at(n, from).at);
    let k = (t - from) as f32;
    let gone = minus(case.at(n, t).at, b);
    let v = minus(b, a);
    let lost = (1.0 - known.damping.high * case.tracks.dt * k).max(0.0);
    let (least, most) = (v.map(|x| x * k * lost), v.map(|x| x * k));
    let off = length(minus(gone, most)).min(length(minus(gone, least)));
    Some(2.0 * off / (k + 1.0))
}
