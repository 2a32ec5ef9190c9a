//! Films that stand still.

use super::faulty::Faulty;
use super::paint;
use super::truth::Truth;
use crate::camera::Eye;

/// A film that stands still from its first imagined frame on; `None` where reality does, too.
pub fn frozen_from_the_start(truth: &Truth, eye: &Eye) -> Option<Faulty> {
    let last = truth.states.len() - 1;
    let bodies = truth.scene.bodies.len();
    let soon = (super::REFERENCE + 3).min(last);
    let before = (0..bodies).any(|b| truth.seen_to_move(eye, b, 1..=super::REFERENCE - 1) >= 2.0);
    let after = (0..bodies).any(|b| truth.seen_to_move(eye, b, super::REFERENCE..=soon) >= 3.0);
    (before && after).then(|| hold(truth, super::REFERENCE, last + 1 - super::REFERENCE))
}

/// Repeats the frame before `at` for `count` frames.
pub(super) fn hold(truth: &Truth, at: usize, count: usize) -> Faulty {
    let honest = truth.frames();
    let size = truth.views[0].size;
    let (mut frames, mut places) = (honest.clone(), vec![Vec::new(); honest.len()]);
    for t in at..(at + count).min(honest.len()) {
        frames[t] = honest[at - 1].clone();
        places[t].extend(paint::difference(size, &frames[t], &honest[t]));
        // All of the film stands still.
        places[t].push([0, 0, size as u16, size as u16]);
    }
    Faulty {
        frames,
        first: at - super::REFERENCE,
        body: None,
        other: None,
        places,
    }
}
