//! **A body does not split into two.**
//!
//! Score: area of the mask's second connected component over the body's own area. Something in front may
//! cut a body in two, so a component counts only where nothing is beside the mask.

use super::{Case, Rule, Score, nowhere_absent};
use crate::scene::Law;

pub(super) const RULE: Rule = Rule {
    law: Law::Duplication,
    unit: "area of the second piece over the body's",
    least: 0.12,
    strong: 0.8,
    readouts: false,
    absent: nowhere_absent,
    scores,
    says: |name, _| format!("`{name}` became two; a real body cannot"),
};

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        let Some(area) = case.known_area[n] else {
            continue;
        };
        for t in case.imagined() {
            let s = case.at(n, t);
            let second = s.components.get(1).copied().unwrap_or(0.0);
            out.push(case.score(Law::Duplication, n, t, second / area));
        }
    }
}
