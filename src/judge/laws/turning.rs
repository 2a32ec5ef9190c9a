//! **A body does not jump from one orientation to another.**
//!
//! Score: the lesser of the turn since the last frame and its departure from the turn before, radians.
//! Occasion: the body is seen whole in three frames and its orientation can be seen, by a mark, a second
//! paint or a long outline.

use super::{Case, Rule, Score};
use crate::judge::world::World;
use crate::scene::{Kind, Law, Shape};

pub(super) const RULE: Rule = Rule {
    law: Law::Turning,
    unit: "rad",
    least: 0.2,
    strong: 0.75,
    readouts: true,
    absent,
    scores,
    says: |name, score| {
        format!(
            "`{name}` turned by {:.0}° at once, which nothing explains",
            score.to_degrees()
        )
    },
};

fn absent(world: &World) -> Option<String> {
    if !world.down {
        return Some("the camera does not look along the axis that bodies turn about".to_string());
    }
    let turned = |i: usize| {
        let (b, known) = (&world.scene.bodies[i], &world.bodies[i]);
        let long = match &b.shape {
            Shape::Cuboid { half } => half[0].max(half[2]) > 1.5 * half[0].min(half[2]),
            Shape::Compound { .. } => true,
            _ => false,
        };
        known.kind == Kind::Dynamic && (b.marked || long)
    };
    let none = !(0..world.bodies.len()).any(turned);
    none.then(|| "no body shows how it is turned".to_string())
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        for t in case.imagined().filter(|&t| t >= 2) {
            if !(t - 2..=t).all(|k| case.whole(n, k)) {
                continue;
            }
            let angle = |k: usize| case.at(n, k).angle;
            let (Some(a), Some(b), Some(c)) = (angle(t - 2), angle(t - 1), angle(t)) else {
                continue;
            };
            if a[1] != b[1] || b[1] != c[1] {
                continue;
            }
            let wrap = |d: f32| libm::remainderf(d, c[1]);
            let (before, now) = (wrap(b[0] - a[0]), wrap(c[0] - b[0]));
            let score = now.abs().min(wrap(now - before).abs());
            out.push(case.score(Law::Turning, n, t, score));
        }
    }
}
