//! **Bodies do not swap or change their colours.**
//!
//! Score: for two bodies, how much better the frame fits if they had swapped places, over how far both moved
//! (1: exactly swapped); for one, the share of its mask's place that has a colour which no body has, or one
//! whose body cannot have come there. Occasion: both are seen before and after; for the second, the body is
//! missing.

use super::permanence::GONE;
use super::{Case, Rule, Score, nowhere_absent, union};
use crate::judge::see::STRANGER;
use crate::scene::Law;

pub(super) const RULE: Rule = Rule {
    law: Law::Identity,
    unit: "share",
    least: 0.3,
    strong: 0.85,
    readouts: false,
    absent: nowhere_absent,
    scores,
    says: |name, _| format!("`{name}` took another's place or another colour; a body stays itself"),
};

/// Two bodies nearer than this cannot be told to have swapped, 64ths of the picture.
const APART: f32 = 4.0;

/// Pixels that a body shows at least, in a picture of 64.
const SEEN: f32 = 8.0;
/// Another body may be so much nearer than it seems, 64ths of the picture.
const NEAR: f32 = 2.0;

fn scores(case: &Case, out: &mut Vec<Score>) {
    for t in case.imagined().filter(|&t| t >= 1) {
        for n in 0..case.count() {
            if let Some(score) = recoloured(case, n, t) {
                let mut s = case.score(Law::Identity, n, t, score);
                s.bounds = case.at(n, t - 1).bounds;
                out.push(s);
            }
            for m in 0..n {
                let shown = |i: usize, k: usize| {
                    let s = case.at(i, k);
                    s.is_seen()
                        && !s.at_border
                        && s.pixels.len() as f32 > SEEN * case.fine().powi(2)
                };
                if !(t - 1..=t).all(|k| shown(n, k) && shown(m, k)) {
                    continue;
                }
                let d = |p: [f32; 2], q: [f32; 2]| (p[0] - q[0]).hypot(p[1] - q[1]);
                let place = |i: usize, k: usize| case.at(i, k).centroid;
                // Where each would be if it went on as before: they may have passed each other.
                let on = |i: usize| {
                    let now = place(i, t - 1);
                    match t >= 2 && shown(i, t - 2) {
                        true => std::array::from_fn(|k| 2.0 * now[k] - place(i, t - 2)[k]),
                        false => now,
                    }
                };
                let (a, b) = (on(n), on(m));
                if d(a, b).min(d(place(n, t - 1), place(m, t - 1))) < APART * case.fine() {
                    continue;
                }
                let own = d(place(n, t), a) + d(place(m, t), b);
                let swapped = d(place(n, t), b) + d(place(m, t), a);
                let score = (own - swapped) / (own + swapped).max(1e-3);
                let mut s = case.score(Law::Identity, n, t, score.max(0.0));
                s.bounds = union(s.bounds, case.at(m, t).bounds);
                out.push(s);
            }
        }
    }
}

/// Share of a missing body's last mask that now has a colour of nobody, or of a body that cannot be there.
fn recoloured(case: &Case, n: usize, t: usize) -> Option<f32> {
    let (film, area) = (case.tracks.film.as_ref()?, case.known_area[n]?);
    let last = (t.saturating_sub(3)..t)
        .rev()
        .find(|&k| case.at(n, k).area > GONE * area)?;
    if case.at(n, t).area > GONE * area {
        return None;
    }
    let mask = &case.at(n, last).pixels;
    let strange = mask.iter().filter(|&&i| {
        let label = film.labels[t][i as usize];
        let other = usize::from(label).checked_sub(1).filter(|&m| m != n);
        label == STRANGER || other.is_some_and(|m| m < case.count() && !came(case, m, last, t, i))
    });
    Some(strange.count() as f32 / mask.len().max(1) as f32)
}

/// Whether another body may have come to a pixel since frame `last`.
fn came(case: &Case, m: usize, last: usize, t: usize, pixel: u32) -> bool {
    let Some(size) = case.tracks.film.as_ref().map(|f| f.size) else {
        return true;
    };
    let s = case.at(m, last);
    let before = case.at(m, last.saturating_sub(1));
    if !s.is_seen() || !before.is_seen() {
        return true;
    }
    let v = (s.centroid[0] - before.centroid[0]).hypot(s.centroid[1] - before.centroid[1]);
    let room = NEAR * case.fine() + 1.5 * v * (t - last) as f32;
    let p = [
        (pixel as usize % size) as f32 + 0.5,
        (pixel as usize / size) as f32 + 0.5,
    ];
    let b = s.bounds.map(f32::from);
    (0..2).all(|i| p[i] > b[i] - room && p[i] < b[i + 2] + room)
}
