//! **A body stays sharp, opaque and of its own colour.**
//!
//! Score: the greatest of four departures, each over what calibration's paint allows. Opacity: how much less
//! pure the colour inside the outline is than its paint (the background shines through). Brightness: how far
//! outside of what shadow and full light leave. Softness: how much wider the outline's blur is than the
//! eye's own samples make it. Occasion: enough of it is
//! seen; for sharpness, all of it. Of what is blurred away, too few pixels show nothing else.

use super::{Case, Rule, Score, nowhere_absent};
use crate::judge::track::Look;
use crate::scene::Law;

pub(super) const RULE: Rule = Rule {
    law: Law::Look,
    unit: "departure of opacity, light or sharpness",
    least: 0.08,
    strong: 0.6,
    readouts: false,
    absent: nowhere_absent,
    scores,
    says: |name, score| {
        let how = if score > 0.5 { "far from" } else { "unlike" };
        format!("`{name}` is blurred, see-through or {how} its own paint")
    },
};

/// Brightness that ambient light alone and full light give, over the lit paint's; a mark is darker.
const LIGHT: [f32; 2] = [0.48, 1.02];
const MARKED: f32 = 0.55;
/// An outline of the eye's own samples is so soft at most; blur of a pixel doubles it.
const SOFT: f32 = 1.1;
/// Of so much excess softness counts as much as of opacity.
const SOFTNESS: f32 = 0.3;
/// Share of a body's area that is in pixels of its own, if so much of it is seen.
const CORE: f32 = 0.8;
const SHOWN: f32 = 0.6;
/// Pixels inside that it takes to speak of colour, in a picture of 64.
const INSIDE: f32 = 4.0;

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        let marked = case.world.scene.bodies[case.body(n)].marked;
        for t in case.imagined() {
            let (whole, s) = (case.whole(n, t), case.at(n, t));
            let seen = s.is_seen();
            let inside = seen.then(|| departure(&s.look, case.fine(), marked, whole));
            // Of what shows enough of itself, some pixels show nothing else.
            let shown = case.known_area[n].is_some_and(|area| s.area > SHOWN * area);
            let washed = shown.then_some(CORE - s.look.core);
            let score = inside.flatten().into_iter().chain(washed).reduce(f32::max);
            if let Some(score) = score {
                out.push(case.score(Law::Look, n, t, score));
            }
        }
    }
}

/// What is inside of the outline tells of opacity and light whatever is beside the body; its edge tells of
/// sharpness where nothing is.
fn departure(look: &Look, fine: f32, marked: bool, whole: bool) -> Option<f32> {
    let soft = whole.then_some(SOFTNESS * (look.softness - SOFT));
    if look.inside < INSIDE * fine * fine {
        return soft;
    }
    let least = if marked { LIGHT[0] * MARKED } else { LIGHT[0] };
    let (dark, bright) = (least - look.light, look.light - LIGHT[1]);
    let inside = (1.0 - look.opacity).abs().max(dark).max(bright);
    Some(soft.map_or(inside, |s| s.max(inside)))
}
