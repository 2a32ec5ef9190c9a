//! **No body starts to move untouched.**
//!
//! Score: the velocity that a body at rest has gained while nothing can have touched it, m/s. Occasion: it
//! rested on the floor in two frames, is seen whole in three, and everything that moves is further away than
//! it could have come. (The other half, contact without reaction, makes bodies overlap: see
//! `interpenetration.rs`.) Michotte's launching (1946), turned round.

use super::{Case, Rule, Score, no_free_body};
use crate::judge::motion::{Footing, REST, length};
use crate::scene::Law;

pub(super) const RULE: Rule = Rule {
    law: Law::Contact,
    unit: "m/s",
    least: 0.06,
    strong: 0.4,
    readouts: true,
    absent: no_free_body,
    scores,
    says: |name, score| {
        format!("`{name}` started to move at {score:.2} m/s, though nothing touched it")
    },
};

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        for t in case.imagined() {
            let step = &case.motion[n][t];
            if step.footing == Footing::Floor && length(step.before) <= REST {
                let gained = length(step.now) - length(step.before);
                out.push(case.score(Law::Contact, n, t, gained.max(0.0)));
            }
        }
    }
}
