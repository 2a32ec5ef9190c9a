//! **Bodies do not swap or change their colours.**
//!
//! Score: for two bodies, how much better the frame fits if they had swapped places, over how far both moved
//! (1: exactly swapped); for one, the share of its mask's place that has a colour which no body has.
//! Occasion: both are seen whole before and after; for the second, the body is missing.

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

fn scores(case: &Case, out: &mut Vec<Score>) {
    for t in case.imagined().filter(|&t| t >= 1) {
        for n in 0..case.count() {
            if let Some(score) = recoloured(case, n, t) {
                let mut s = case.score(Law::Identity, n, t, score);
                s.bounds = case.at(n, t - 1).bounds;
                out.push(s);
            }
            for m in 0..n {
                if !(t - 1..=t).all(|k| case.whole(n, k) && case.whole(m, k)) {
                    continue;
                }
                let d = |a: usize, i: usize, b: usize, j: usize| {
                    let (p, q) = (case.at(a, i).centroid, case.at(b, j).centroid);
                    (p[0] - q[0]).hypot(p[1] - q[1])
                };
                if d(n, t - 1, m, t - 1) < APART * case.fine() {
                    continue;
                }
                let own = d(n, t, n, t - 1) + d(m, t, m, t - 1);
                let swapped = d(n, t, m, t - 1) + d(m, t, n, t - 1);
                let score = (own - swapped) / (own + swapped).max(1e-3);
                let mut s = case.score(Law::Identity, n, t, score.max(0.0));
                s.bounds = union(s.bounds, case.at(m, t).bounds);
                out.push(s);
            }
        }
    }
}

/// Share of a missing body's last mask that now has a colour of nobody.
fn recoloured(case: &Case, n: usize, t: usize) -> Option<f32> {
    let (film, area) = (case.tracks.film.as_ref()?, case.known_area[n]?);
    let last = (t.saturating_sub(3)..t)
        .rev()
        .find(|&k| case.at(n, k).area > GONE * area)?;
    if case.at(n, t).area > GONE * area {
        return None;
    }
    let mask = &case.at(n, last).pixels;
    let strange = mask
        .iter()
        .filter(|&&i| film.labels[t][i as usize] == STRANGER);
    Some(strange.count() as f32 / mask.len().max(1) as f32)
}
