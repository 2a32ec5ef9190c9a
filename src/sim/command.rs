//! What the world is told from outside: the action of the hand, and a spring that drags a body.

use std::collections::VecDeque;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// Most components of an action.
pub(super) const MAX_DIM: usize = 4;
/// The action given last, and what becomes of it on the way to the hand.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Command {
    given: [f32; MAX_DIM],
    waiting: VecDeque<[f32; MAX_DIM]>,
    /// Standard deviation of the noise added to every component.
    pub noise: f32,
    /// Control steps between an action and its effect.
    pub delay: usize,
}

impl Command {
    /// Takes an action; components are clamped, missing or non-finite ones count as 0.
    pub fn give(&mut self, action: &[f32]) {
        for (i, c) in self.given.iter_mut().enumerate() {
            let a = action.get(i).copied().unwrap_or(0.0);
            *c = if a.is_finite() {
                a.clamp(-1.0, 1.0)
            } else {
                0.0
            };
        }
    }

    /// The action that reaches the hand in this control step. The noise depends on seed and step alone.
    pub fn take(&mut self, seed: u64, step: u64) -> [f32; MAX_DIM] {
        self.waiting.push_back(self.given);
        while self.waiting.len() > self.delay + 1 {
            self.waiting.pop_front();
        }
        let mut action = if self.waiting.len() == self.delay + 1 {
            self.waiting[0]
        } else {
            [0.0; MAX_DIM]
        };
        if self.noise > 0.0 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0xAC71_0900_0000_0000 ^ step);
            for a in &mut action {
                let noise: f32 = rng.sample(StandardNormal);
                *a = (*a + self.noise * noise).clamp(-1.0, 1.0);
            }
        }
        action
    }
}

/// A spring between a point of a body and a point in the world, as MuJoCo's viewer drags bodies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drag {
    /// Body index.
    pub body: usize,
    /// Where the body is held, metres from its centre, in its own frame; a soft body is held at its centre.
    pub point_in_body: [f32; 3],
    /// Where the spring pulls to, metres, world frame.
    pub target: [f32; 3],
}
