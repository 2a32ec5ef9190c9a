//! What rollouts are measured on: windows of real episodes.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::camera::Eye;
use crate::episode::{Episode, record};
use crate::model::{Actions, Context};
use crate::scene::Scene;
use crate::sim::BodyState;
use crate::task::TaskError;

/// Real frames given to the model.
pub const CONTEXT: usize = crate::judge::CONTEXT_FRAMES;
/// Imagined steps.
pub const STEPS: usize = 20;
/// Steps at which numbers are reported.
pub const HORIZONS: [usize; 4] = [1, 5, 10, 20];

/// One clip: real frames, ids, the actions between them, and where the context ends.
pub struct Clip {
    /// The episode it is cut from.
    pub episode: Episode,
    /// First frame of the context.
    pub start: usize,
    pub(super) size: usize,
    dim: usize,
}

impl Clip {
    /// The clip of a seed: a window of its episode, drawn from the seed.
    ///
    /// # Errors
    /// [`TaskError`] if reality cannot be built.
    pub fn new(scene: &Arc<Scene>, eye: &Eye, seed: u64) -> Result<Clip, TaskError> {
        let episode = record(scene, eye, seed)?;
        let frames = scene.episode_steps as usize;
        let spare = frames.saturating_sub(CONTEXT + STEPS);
        let start = ChaCha8Rng::seed_from_u64(seed ^ 0xC11B).random_range(0..=spare);
        Ok(Clip {
            episode,
            start,
            size: eye.size(),
            dim: scene.actions.dim(),
        })
    }

    /// Real frame `t` counted from the context's first, `[H, W, 3]`.
    pub fn frame(&self, t: usize) -> &[u8] {
        let n = self.size * self.size * 3;
        &self.episode.frames[(self.start + t) * n..(self.start + t + 1) * n]
    }

    /// Instance ids of frame `t`, `[H, W]`.
    pub fn ids(&self, t: usize) -> &[u8] {
        let n = self.size * self.size;
        &self.episode.ids[(self.start + t) * n..(self.start + t + 1) * n]
    }

    /// The true state of a body at frame `t`.
    pub fn state(&self, scene: &Scene, t: usize, body: usize) -> &BodyState {
        &self.episode.states[(self.start + t) * scene.bodies.len() + body]
    }

    /// The action between frames `t` and `t + 1`.
    pub fn action(&self, t: usize) -> Vec<f32> {
        let at = (self.start + t) * self.dim;
        self.episode.actions[at..at + self.dim].to_vec()
    }

    /// The context that a model gets which can use `most` observations: [`CONTEXT`], or as many more as there
    /// are before them in the episode.
    pub fn context(&self, most: usize) -> Context {
        let end = self.start + CONTEXT;
        let first = end.saturating_sub(most.max(CONTEXT));
        let n = self.size * self.size * 3;
        let frame = |t: usize| self.episode.frames[t * n..(t + 1) * n].to_vec();
        let action = |t: usize| self.episode.actions[t * self.dim..(t + 1) * self.dim].to_vec();
        Context::new(
            self.size,
            (first..end).map(frame),
            (first..end - 1).map(action).collect(),
        )
    }

    /// The actions after it, [`STEPS`] of them.
    pub fn actions(&self) -> Actions {
        let sequence: Vec<Vec<f32>> = (0..STEPS).map(|t| self.action(CONTEXT - 1 + t)).collect();
        Actions::one(&sequence, self.dim)
    }
}
