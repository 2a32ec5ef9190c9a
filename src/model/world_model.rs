//! The trait that every imagination implements, whatever its camp.
//!
//! A model sees a [`Context`] of observations (pixels, never the state), turns it into an opaque
//! [`Latent`], imagines [`Rollouts`] for many action sequences at once, and says how far each imagined moment is
//! from a [`Goal`] picture. One imagined step spans [`WorldModel::frameskip`] control steps.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Card, GoalDistance, MaskedClip};

/// Why a model could not be loaded or could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read but is not what it should be.
    #[error("{path}: {what}: {message}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The field or tensor.
        what: String,
        /// Found and expected.
        message: String,
    },
    /// An input does not fit the model.
    #[error("model `{model}`: {message}")]
    Input {
        /// The model.
        model: String,
        /// Found and expected.
        message: String,
    },
    /// The tensor library failed.
    #[error("tensor computation failed: {}", super::input::without_backtrace(&.0.to_string()))]
    Tensor(#[from] candle_core::Error),
    /// The ground truth failed (oracle only).
    #[error(transparent)]
    Sim(#[from] crate::sim::SimError),
    /// The work was cancelled because newer work replaced it.
    #[error("cancelled")]
    Cancelled,
}

/// A flag that long work polls between model steps; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the work to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work should stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// # Errors
    /// [`ModelError::Cancelled`] once the flag is raised.
    pub fn check(&self) -> Result<(), ModelError> {
        if self.is_cancelled() {
            Err(ModelError::Cancelled)
        } else {
            Ok(())
        }
    }
}

/// What a model is given before it imagines: the latest observations and the actions between them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Context {
    /// Side of a frame in pixels.
    pub size: usize,
    /// Oldest first, each `[H, W, 3]` bytes; a short history (start of an episode) is padded by the model by repeating the oldest.
    pub frames: Vec<Vec<u8>>,
    /// `actions[i]` was taken between `frames[i]` and `frames[i + 1]`; one fewer than frames.
    pub actions: Vec<Vec<f32>>,
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
    /// Side of the frame in pixels.
    pub size: usize,
    /// `[H, W, 3]` bytes.
    pub frame: Vec<u8>,
}

/// A model's own state; opaque to everyone else.
#[derive(Clone)]
pub struct Latent(pub Arc<dyn Any + Send + Sync>);

/// A model's own imagined futures; opaque to everyone else.
#[derive(Clone)]
pub struct Rollouts(pub Arc<dyn Any + Send + Sync>);

impl Latent {
    /// Wraps a model's state.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The state, if it is this model's.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made it.
    pub fn get<T: Any>(&self, model: &str) -> Result<&T, ModelError> {
        self.0
            .downcast_ref()
            .ok_or_else(|| foreign(model, "latent"))
    }
}

impl Rollouts {
    /// Wraps a model's imagined futures.
    pub fn new<T: Any + Send + Sync>(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// The futures, if they are this model's.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made them.
    pub fn get<T: Any>(&self, model: &str) -> Result<&T, ModelError> {
        self.0
            .downcast_ref()
            .ok_or_else(|| foreign(model, "rollouts"))
    }
}

fn foreign(model: &str, what: &str) -> ModelError {
    ModelError::Input {
        model: model.into(),
        message: format!("the {what} given was made by another model"),
    }
}

/// Imagined frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frames {
    /// Candidates, N.
    pub n: usize,
    /// Imagined steps, T (the first is one step after the branch).
    pub steps: usize,
    /// Side in pixels.
    pub size: usize,
    /// `[N, T, H, W, 3]` bytes.
    pub data: Vec<u8>,
}

impl Frames {
    /// Frame `t` of candidate `n`, `[H, W, 3]`.
    pub fn at(&self, n: usize, t: usize) -> &[u8] {
        let len = self.size * self.size * 3;
        let start = (n * self.steps + t) * len;
        &self.data[start..start + len]
    }
}

/// Body states read out of a model's latents by its probes (a diagnostic that no planner uses).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProbedStates {
    /// Names of the probed bodies, B.
    pub bodies: Vec<String>,
    /// Candidates, N.
    pub n: usize,
    /// Imagined steps, T.
    pub steps: usize,
    /// `[N, T, B]`: (x, z) metres and yaw in radians (NaN where no yaw is probed).
    pub poses: Vec<[f32; 3]>,
}

impl ProbedStates {
    /// Poses of all bodies at step `t` of candidate `n`, `[B]`.
    pub fn at(&self, n: usize, t: usize) -> &[[f32; 3]] {
        let b = self.bodies.len();
        let start = (n * self.steps + t) * b;
        &self.poses[start..start + b]
    }
}

/// Latents of imagined futures as plain rows, for drawing: no planner uses them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatentRows {
    /// Candidates, N.
    pub n: usize,
    /// Imagined steps, T.
    pub steps: usize,
    /// Numbers of one latent, D.
    pub dim: usize,
    /// `[N, T, D]`.
    pub data: Vec<f32>,
    /// The goal's latent, `[D]`.
    pub goal: Vec<f32>,
}

impl LatentRows {
    /// The latent of candidate `n` at step `t`, `[D]`.
    pub fn at(&self, n: usize, t: usize) -> &[f32] {
        let start = (n * self.steps + t) * self.dim;
        &self.data[start..start + self.dim]
    }
}

/// Distances to a goal, and how they change with the actions that led there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slope {
    /// As [`WorldModel::distance`] gives them, `[N, T]`.
    pub distances: Vec<f32>,
    /// Derivative of each candidate's weighted sum of distances by its actions, `[N, control steps, A]`.
    pub by_action: Vec<f32>,
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

/// A learned (or, for the oracle, true) imagination.
///
/// # Errors
/// All methods return [`ModelError::Input`] where an input does not fit the model and [`ModelError::Cancelled`] once
/// `cancel` is raised.
pub trait WorldModel: Send + Sync {
    /// Name, camp, architecture, training, scenes.
    fn card(&self) -> &Card;

    /// Frames of context it can use.
    fn context_frames(&self) -> usize;

    /// Control steps that one imagined step spans.
    fn frameskip(&self) -> usize;

    /// Takes in the context.
    fn observe(&self, context: &Context) -> Result<Latent, ModelError>;

    /// Imagines the future of each action sequence; `actions.steps` is a multiple of [`frameskip`](Self::frameskip), and T of the
    /// rollouts is that quotient.
    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError>;

    /// Distance to the goal of every imagined step, `[N, T]` row-major, in the model's own units.
    fn distance(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Vec<f32>, ModelError>;

    /// Imagines, and differentiates Σₜ weightsₜ · distanceₜ by every action (`weights: [T]`); `None` for models that cannot.
    fn gradient(
        &self,
        _latent: &Latent,
        _actions: &Actions,
        _goal: &Goal,
        _weights: &[f32],
        _cancel: &Cancel,
    ) -> Result<Option<Slope>, ModelError> {
        Ok(None)
    }

    /// Action sequences `[n, steps, dim]` from a prior over what experience did in such a place with such an outcome, for models that learned
    /// one: some of a search's first candidates. The same seed draws the same.
    fn propose(
        &self,
        _latent: &Latent,
        _goal: &Goal,
        _n: usize,
        _steps: usize,
        _dim: usize,
        _seed: u64,
    ) -> Result<Option<Actions>, ModelError> {
        Ok(None)
    }

    /// The imagined frames, for models that have pixels.
    fn frames(&self, rollouts: &Rollouts) -> Result<Option<Frames>, ModelError>;

    /// `samples` different futures of one action sequence (`actions.n` is 1), for models that draw theirs by chance: N of the frames is
    /// `samples`, and the first is the one that [`imagine`](Self::imagine) gives.
    fn samples(
        &self,
        _latent: &Latent,
        _actions: &Actions,
        _samples: usize,
        _cancel: &Cancel,
    ) -> Result<Option<Frames>, ModelError> {
        Ok(None)
    }

    /// The latents of rollouts and of a goal as plain rows, for models that predict latents and have nothing else to show.
    fn latents(
        &self,
        _rollouts: &Rollouts,
        _goal: &Goal,
    ) -> Result<Option<LatentRows>, ModelError> {
        Ok(None)
    }

    /// Body states read out by probes, for models that have them.
    fn states(&self, rollouts: &Rollouts) -> Result<Option<ProbedStates>, ModelError>;

    /// Body states read by the linear probe out of the context's last three observations, for models that have probes: what the
    /// model knows now, before it imagines (n = steps = 1).
    fn read_out(&self, _context: &Context) -> Result<Option<ProbedStates>, ModelError> {
        Ok(None)
    }

    /// Pictures that a diagnostic decoder, trained afterwards, draws of the imagined latents, for models without pixels of their own
    /// that have one. No planner sees them.
    fn decoded(&self, _rollouts: &Rollouts) -> Result<Option<Frames>, ModelError> {
        Ok(None)
    }

    /// The model's own representation of the context's last observation, `[D]`, for probes; `None` for models that have none to show.
    fn features(&self, _context: &Context) -> Result<Option<Vec<f32>>, ModelError> {
        Ok(None)
    }

    /// Frames `[N, H, W, 3]` as the model's own latents render them: the floor of its imagined pictures. `None` for models that
    /// imagine pixels themselves, or none.
    fn reconstruct(&self, _size: usize, _frames: &[u8]) -> Result<Option<Vec<u8>>, ModelError> {
        Ok(None)
    }

    /// Frames of a clip that [`masked`](Self::masked) takes; `None` for models that were not trained by masking.
    fn clip_frames(&self) -> Option<usize> {
        None
    }

    /// Hides blocks of a clip (frames `[H, W, 3]` of side `size`, as many as [`clip_frames`](Self::clip_frames) says) and predicts the
    /// embeddings of what is hidden; `seed` draws the blocks: even seeds eight small ones, odd seeds two large ones.
    fn masked(
        &self,
        _size: usize,
        _frames: &[Vec<u8>],
        _seed: u64,
    ) -> Result<Option<MaskedClip>, ModelError> {
        Ok(None)
    }

    /// Candidates and iterations of a search that this model can afford on a processor; `None` leaves its camp's budget.
    fn search(&self) -> Option<(usize, usize)> {
        None
    }

    /// Prediction error on the observation that followed, in the model's own space: `action` led from the context's last frame to `next`
    /// (`frameskip` control steps later; `actions` holds them all).
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &[u8],
    ) -> Result<f32, ModelError>;

    /// What imagining costs.
    fn cost(&self) -> Cost;

    /// Plans with another distance from now on; `false` for models that have only their own.
    fn set_goal_distance(&self, _distance: GoalDistance) -> bool {
        false
    }

    /// Number of function evaluations a frame (diffusion models); others ignore it.
    fn set_nfe(&self, _nfe: usize) {}

    /// What that number is; `None` for models that have none.
    fn nfe(&self) -> Option<usize> {
        None
    }
}
