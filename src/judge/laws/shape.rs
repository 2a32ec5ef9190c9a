//! **A body keeps its outline, however it turns.**
//!
//! Score: distance of the outline's moments (two of elongation, one of how far it reaches, one of its
//! corners) from the nearest of all outlines that the body's shape has under the rotations it can take, as
//! the camera sees them. Occasion: it is seen whole. Moments as in Hu (1962).

use super::{Case, Rule, Score};
use crate::judge::world::World;
use crate::scene::{Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::Shape,
    unit: "distance of the outline's moments, relative",
    least: 0.06,
    strong: 0.6,
    readouts: false,
    absent,
    scores,
    says: |name, _| format!("the outline of `{name}` is none that its shape can have"),
};

fn absent(world: &World) -> Option<String> {
    let rigid = |b: &crate::judge::world::Known| matches!(b.kind, Kind::Dynamic | Kind::Hand);
    let none = !world.bodies.iter().any(rigid);
    none.then(|| "every body that moves is soft".to_string())
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        for t in case.imagined() {
            if !case.whole(n, t) {
                continue;
            }
            let s = case.at(n, t);
            if let Some(score) = case.silhouettes.misshape(case.world, case.body(n), s) {
                out.push(case.score(Law::Shape, n, t, score));
            }
        }
    }
}
