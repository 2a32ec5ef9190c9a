//! **A world that moves does not freeze.**
//!
//! Score, m/s: while the film has stood still over three frames, how far the motion of some body is from what
//! physics allows it: one in the air that does not fall, one that rolled and stands, a hand that is told to
//! move and does not, or, of two bodies that moved at once, the slower one's speed when both stopped at the
//! same moment. Occasion: such a body is there.

use super::{Case, Rule, Score, nowhere_absent};
use crate::judge::motion::{length, minus};
use crate::scene::{ActionSpace, Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::Stillness,
    unit: "m/s",
    least: 0.06,
    strong: 0.45,
    readouts: true,
    absent: nowhere_absent,
    scores,
    says: |_, _| "the film stands still, though something in it has to move".to_string(),
};

/// Mean difference of two frames that are the same but for noise, bytes.
const SAME: f32 = 0.25;
/// Centroids that move less stand still, 64ths of the picture.
const STILL: f32 = 0.08;
/// A hand may be at its bound where it is so near to it, share of its room.
const AT_BOUND: f32 = 0.2;
/// Frames that have to be alike.
const RUN: usize = 2;

fn scores(case: &Case, out: &mut Vec<Score>) {
    let mut run = 0usize;
    let first = case.tracks.reference.saturating_sub(1).max(1);
    for t in first..case.tracks.len() {
        run = if still(case, t) { run + 1 } else { 0 };
        if t < case.tracks.reference {
            continue;
        }
        let size = case.tracks.film.as_ref().map_or(0, |f| f.size as u16);
        let score = if run >= RUN {
            unexplained(case, t, run)
        } else {
            0.0
        };
        out.push(case.whole_film(Law::Stillness, t, score, [0, 0, size, size]));
    }
}

fn still(case: &Case, t: usize) -> bool {
    let moved = |n: usize| {
        let (a, b) = (case.at(n, t - 1), case.at(n, t));
        let d = match case.is_film() {
            true => length(minus(a.centroid, b.centroid)) / case.fine(),
            false => 50.0 * length(minus(a.at, b.at)),
        };
        a.is_seen() != b.is_seen() || d > STILL
    };
    if (0..case.count()).any(moved) {
        return false;
    }
    let Some(film) = &case.tracks.film else {
        return true;
    };
    let (a, b) = (film.frames[t - 1], film.frames[t]);
    let sum: u64 = a
        .iter()
        .zip(b)
        .map(|(p, q)| u64::from(p.abs_diff(*q)))
        .sum();
    (sum as f32) < SAME * a.len().max(1) as f32
}

fn unexplained(case: &Case, t: usize, run: usize) -> f32 {
    let dt = case.tracks.dt;
    // The frame after which nothing moved.
    let stop = t - run;
    let mut worst = 0.0f32;
    let mut speeds = Vec::new();
    for n in 0..case.count() {
        let hand = case.world.bodies[case.body(n)].kind == Kind::Hand;
        if hand {
            worst = worst.max(told(case, n, t, run) / dt);
            continue;
        }
        let off = (stop + 1..=t).filter_map(|k| case.motion[n][k].off);
        worst = off.fold(worst, f32::max);
        let shown = |k: usize| case.at(n, k).is_seen() && !case.at(n, k).at_border;
        if stop >= 1 && shown(stop) && shown(stop - 1) {
            speeds.push(length(minus(case.at(n, stop).at, case.at(n, stop - 1).at)) / dt);
        }
    }
    speeds.sort_by(|a, b| b.total_cmp(a));
    worst.max(speeds.get(1).copied().unwrap_or(0.0))
}

/// How far the hand was told to go in a step while it stood, metres: the least of the last steps.
fn told(case: &Case, n: usize, t: usize, run: usize) -> f32 {
    let Some(actions) = case.tracks.actions else {
        return 0.0;
    };
    let clear = |k: usize| case.at(n, k).is_seen() && !case.at(n, k).at_border;
    let planar = case.world.scene.actions.planar_bounds();
    let wish = |k: usize| {
        let Some(a) = actions.get(k - 1) else {
            return 0.0;
        };
        let s = case.at(n, k - 1);
        let step = |i: usize| {
            let a = a.get(i).copied().unwrap_or(0.0).clamp(-1.0, 1.0);
            let by = a * case.world.hand_speed * case.tracks.dt;
            match (planar, &case.world.scene.actions) {
                (Some((low, high)), _) if case.world.down => {
                    (s.at[i] + by).clamp(low[i], high[i]) - s.at[i]
                }
                // From the side its distance is not known, and so its place only about.
                (_, ActionSpace::Spatial { low, high, .. }) => {
                    let room = AT_BOUND * (high[i] - low[i]);
                    let inside = s.at[i] > low[i] + room && s.at[i] < high[i] - room;
                    if inside { by } else { 0.0 }
                }
                _ => 0.0,
            }
        };
        length([step(0), step(1)])
    };
    let steps = t + 1 - run..=t;
    match steps.clone().all(clear) {
        true => steps.map(wish).fold(f32::MIN, f32::max).max(0.0),
        false => 0.0,
    }
}
