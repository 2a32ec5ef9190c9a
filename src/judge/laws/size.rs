//! **A body keeps its size.**
//!
//! Score: how far the logarithm of the visible area is outside of what the body's shape shows at its place,
//! over all the ways that it can be turned. Occasion: it is seen whole. A neighbour may hide a part but
//! cannot make a body grow.

use super::{Case, Rule, Score};
use crate::judge::world::World;
use crate::scene::{Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::Size,
    unit: "|ln(area / expected)|",
    least: 0.12,
    strong: 0.65,
    readouts: false,
    absent,
    scores,
    says: |name, score| {
        let change = 100.0 * (libm::expf(score) - 1.0);
        format!("`{name}` is {change:.0} % too large or too small; a real body keeps its size")
    },
};

fn absent(world: &World) -> Option<String> {
    let rigid = |b: &crate::judge::world::Known| matches!(b.kind, Kind::Dynamic | Kind::Hand);
    let none = !world.bodies.iter().any(rigid);
    none.then(|| "every body that moves is soft".to_string())
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        for t in case.imagined() {
            let s = case.at(n, t);
            if !s.is_seen() || s.at_border {
                continue;
            }
            let Some([low, high]) = case.silhouettes.area(case.world, case.body(n), s) else {
                continue;
            };
            let growth = (s.area / high).ln();
            if s.beside && growth <= 0.0 {
                continue;
            }
            let score = growth.max((low / s.area.max(0.1)).ln());
            out.push(case.score(Law::Size, n, t, score));
        }
    }
}
