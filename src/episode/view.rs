//! What scripted policies look at, and the geometry of the plane that they think in.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::scene::Scene;
use crate::sim::State;

/// What a script looks at.
pub(super) struct View<'a> {
    pub scene: &'a Scene,
    pub state: &'a State,
    pub hand: usize,
    pub low: [f32; 2],
    pub high: [f32; 2],
    /// Where the hand is in the plane.
    pub at: [f32; 2],
}

impl<'a> View<'a> {
    pub fn new(
        scene: &'a Scene,
        state: &'a State,
        hand: usize,
        (low, high): ([f32; 2], [f32; 2]),
    ) -> Self {
        let at = plane(state.bodies[hand].position);
        Self {
            scene,
            state,
            hand,
            low,
            high,
            at,
        }
    }

    /// Where a body is in the plane.
    pub fn body(&self, i: usize) -> [f32; 2] {
        plane(self.state.bodies[i].position)
    }

    /// A place within the hand's bounds, `share` of the way to them.
    pub fn place(&self, share: f32, rng: &mut ChaCha8Rng) -> [f32; 2] {
        std::array::from_fn(|i| {
            let (middle, half) = (
                0.5 * (self.low[i] + self.high[i]),
                0.5 * (self.high[i] - self.low[i]),
            );
            let reach = half * share;
            middle + rng.random_range(-reach..=reach)
        })
    }
}

/// The place in the plane.
pub(super) fn plane(p: [f32; 3]) -> [f32; 2] {
    [p[0], p[2]]
}

/// The difference.
pub(super) fn sub(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// A multiple.
pub(super) fn scale(a: [f32; 2], s: f32) -> [f32; 2] {
    [a[0] * s, a[1] * s]
}

/// The length.
pub(super) fn norm(a: [f32; 2]) -> f32 {
    (a[0] * a[0] + a[1] * a[1]).sqrt()
}

/// The length in space.
pub(super) fn norm3(a: [f32; 3]) -> f32 {
    (a[0] * a[0] + a[1] * a[1] + a[2] * a[2]).sqrt()
}
