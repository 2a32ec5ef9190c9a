//! The words of world models: context, actions, goal, latent, rollouts, sampling, shape and cost.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Frame, ModelError};

/// What a model is given before it imagines: the latest observations and the actions between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Oldest first. A model pads a short history (at the start of an episode) by repeating the oldest frame.
    pub frames: Vec<Frame>,
    /// `actions[i]` was taken between `frames[i]` and `frames[i + 1]`; there is one fewer than frames.
    pub actions: Vec<Vec<f32>>,
}

impl Context {
    /// Observations of side `size`, oldest first, and the actions between them.
    pub fn new(
        size: usize,
        frames: impl IntoIterator<Item = Vec<u8>>,
        actions: Vec<Vec<f32>>,
    ) -> Self {
        Self {
            frames: frames.into_iter().map(|f| Frame::new(size, f)).collect(),
            actions,
        }
    }

    /// One observation, before anybody acted.
    pub fn one(frame: Frame) -> Self {
        Self {
            frames: vec![frame],
            actions: Vec::new(),
        }
    }

    /// Forgets the oldest observations and actions until at most `frames` observations are left.
    pub fn keep(&mut self, frames: usize) {
        let frames = frames.max(1);
        let surplus = self.frames.len().saturating_sub(frames);
        self.frames.drain(..surplus);
        let surplus = (self.actions.len() + 1).saturating_sub(frames);
        self.actions.drain(..surplus);
    }
}

/// Action sequences for many candidates, at the control rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Actions {
    /// Number of candidates, N.
    pub n: usize,
    /// Control steps, T.
    pub steps: usize,
    /// Components of one action, A.
    pub dim: usize,
    /// `[N, T, A]`, in [-1, 1].
    pub data: Vec<f32>,
}

impl Actions {
    /// One sequence `[T][A]` as a batch of one.
    pub fn one(sequence: &[Vec<f32>], dim: usize) -> Self {
        let data = sequence
            .iter()
            .flat_map(|a| (0..dim).map(|i| a.get(i).copied().unwrap_or(0.0)))
            .collect();
        Self {
            n: 1,
            steps: sequence.len(),
            dim,
            data,
        }
    }

    /// The action of candidate `n` at step `t`, `[A]`.
    pub fn at(&self, n: usize, t: usize) -> &[f32] {
        let start = (n * self.steps + t) * self.dim;
        &self.data[start..start + self.dim]
    }
}

/// A goal: an observation to bring about.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Goal {
    /// What it should look like in the end.
    pub frame: Frame,
    /// In place of the frame's: a latent `[D]` of the model that is asked, such as a
    /// [`Station`](super::facets::Station)'s. Only a model that hands such latents out takes them.
    pub latent: Option<Vec<f32>>,
}

impl Goal {
    /// The goal to see this frame of side `size`.
    pub fn new(size: usize, frame: Vec<u8>) -> Self {
        Self {
            frame: Frame::new(size, frame),
            latent: None,
        }
    }

    /// The same goal, aimed at by a latent.
    pub fn at(&self, latent: Vec<f32>) -> Self {
        Self {
            latent: Some(latent),
            ..self.clone()
        }
    }
}

/// What a model alone understands: its own state or its own imagined futures; opaque to everyone else.
pub struct Opaque<K>(Arc<dyn Any + Send + Sync>, PhantomData<K>);

/// Marks a model's state.
pub struct OfState;

/// Marks a model's imagined futures.
pub struct OfFutures;

/// A model's own state.
pub type Latent = Opaque<OfState>;

/// A model's own imagined futures.
pub type Rollouts = Opaque<OfFutures>;

impl<K> Opaque<K> {
    /// Wraps what a model made.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Arc::new(value), PhantomData)
    }

    /// What was wrapped, if it is this model's.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made it.
    pub fn get<T: Any>(&self, model: &str) -> Result<&T, ModelError> {
        let message = "the latent or rollouts given were made by another model";
        let own = self.0.downcast_ref();
        own.ok_or_else(|| ModelError::input(model, message))
    }
}

impl<K> Clone for Opaque<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

/// How a model that draws its futures by chance draws them; other models take no notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampling {
    /// Function evaluations of an imagined frame (NFE); `None` takes the number of the model's configuration.
    pub nfe: Option<usize>,
    /// Which draw of noise: the same draw imagines the same futures to the bit, another draw imagines others.
    pub draw: u64,
}

impl Sampling {
    /// The first draw, with so many function evaluations a frame.
    pub fn nfe(nfe: usize) -> Self {
        Self {
            nfe: Some(nfe),
            draw: 0,
        }
    }

    /// The same with another draw of noise.
    pub fn draw(self, draw: u64) -> Self {
        Self { draw, ..self }
    }
}

/// What a model takes and how far it steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Frames of context that it can use.
    pub context_frames: usize,
    /// Control steps that one imagined step spans.
    pub frameskip: usize,
    /// Components of an action that it can take at most; those of scenes with fewer are padded with zeros.
    pub action_dim: usize,
}

/// What imagining costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Cost {
    /// Learned numbers.
    pub parameters: u64,
    /// Floating-point operations to take in one observation.
    pub encode_flops: f64,
    /// Floating-point operations of one imagined model step that the dynamics needs.
    pub dynamics_flops: f64,
    /// Floating-point operations of one imagined model step that only the picture needs.
    pub rendering_flops: f64,
}
