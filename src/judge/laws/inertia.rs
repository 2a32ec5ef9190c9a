//! **What nothing touches keeps its velocity, but for friction.**
//!
//! Score: how far the velocity of a body on the floor is from what friction and damping can make of the one
//! before, m/s: a sliding body loses at most μ g dt, a rolling ball nothing but its damping. Occasion: it
//! moves, is seen whole in three frames, and nothing else can have touched it.
//! Friction and slopes pull steadily, so half of the departure from the change of velocity before counts as
//! well. Newton's first law with
//! Coulomb's friction, μ the greatest that the scene allows.

use super::{Case, Rule, Score, no_free_body};
use crate::judge::motion::{Footing, REST, length};
use crate::scene::Law;

pub(super) const RULE: Rule = Rule {
    law: Law::Inertia,
    unit: "m/s",
    least: 0.05,
    strong: 0.4,
    readouts: true,
    absent: no_free_body,
    scores,
    says: |name, score| {
        format!("`{name}` changed its velocity by {score:.2} m/s more than friction can, untouched")
    },
};

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        for t in case.imagined() {
            let step = &case.motion[n][t];
            if let (Footing::Floor | Footing::Slope, Some(off)) = (step.footing, step.off)
                && length(step.before) > REST
            {
                out.push(case.score(Law::Inertia, n, t, off));
            }
        }
    }
}
