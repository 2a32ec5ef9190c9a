//! **What nothing touches falls as gravity says.**
//!
//! Score: how far the velocity of a body in the air is from the one before, changed by the scene's gravity
//! and by no more than its damping, m/s; of a body on a hinge, from what gravity does to a pendulum. Both as
//! set. Where it may meet the floor, any bounce up to the scene's restitution is allowed. Occasion: the body
//! is seen whole in three frames and nothing else can have touched it. Galileo (1638); the pendulum's
//! equation θ'' = -g/l sin θ, with differences over 0.1 s.

use super::{Case, Rule, Score, WANDERS};
use crate::judge::motion::Footing;
use crate::judge::world::World;
use crate::scene::{Kind, Law};

pub(super) const RULE: Rule = Rule {
    law: Law::FreeFlight,
    unit: "m/s",
    least: 0.12,
    strong: 0.9,
    readouts: false,
    absent,
    scores,
    says: |name, score| {
        format!("`{name}` does not fly as gravity has it: off by {score:.1} m/s in 0.1 s")
    },
};

fn absent(world: &World) -> Option<String> {
    if world.down {
        return Some("the camera sees a fall head on, and bodies stay on the floor".to_string());
    }
    let moves = |b: &&crate::judge::world::Known| matches!(b.kind, Kind::Dynamic | Kind::Soft);
    let none = world.bodies.iter().filter(moves).all(|b| b.wanders);
    none.then(|| WANDERS.to_string())
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        for t in case.imagined() {
            let step = &case.motion[n][t];
            if let (Footing::Air | Footing::Hop | Footing::Hinge, Some(off)) =
                (step.footing, step.off)
            {
                out.push(case.score(Law::FreeFlight, n, t, off));
            }
        }
    }
}
