//! What a world model may be able to do beyond imagining: a trait for each ability.
//!
//! Whoever needs an ability asks for it (`model.facets().pixels`), never for the camp or the architecture.

use super::goal::Metric;
use super::{
    Actions, Cancel, Context, Frame, Frames, Goal, Latent, MaskedClip, ModelError, Rollouts,
    Sampling,
};

/// The abilities of one model: each is there or not.
#[derive(Clone, Copy, Default)]
pub struct Facets<'a> {
    /// It says how far imagined moments are from a goal.
    pub plans: Option<&'a dyn Plans>,
    /// What it imagines are pictures.
    pub pixels: Option<&'a dyn Pixels>,
    /// It shows its own representation.
    pub latents: Option<&'a dyn Latents>,
    /// Probes read places of bodies out of its latents.
    pub readouts: Option<&'a dyn ReadOuts>,
    /// A diagnostic decoder, trained afterwards, draws its latents.
    pub decoder: Option<&'a dyn Decodes>,
    /// It was trained by hiding parts of clips.
    pub masking: Option<&'a dyn Masking>,
    /// It says how unexpected an observation is.
    pub surprise: Option<&'a dyn Surprise>,
    /// It learned which actions experience took.
    pub proposals: Option<&'a dyn Proposals>,
    /// It learned which structured moment comes next on the way to a goal.
    pub stations: Option<&'a dyn Stations>,
    /// It tells how far what it imagines has left what it has ever seen.
    pub strays: Option<&'a dyn Strays>,
    /// It learned to imagine several steps at once.
    pub jumps: Option<&'a dyn Jumping>,
}

impl<'a> Facets<'a> {
    /// The frames of rollouts, for models that imagine pixels.
    ///
    /// # Errors
    /// Those of [`Pixels::frames`].
    pub fn frames(&self, rollouts: &Rollouts) -> Result<Option<Frames>, ModelError> {
        self.pixels.map(|p| p.frames(rollouts)).transpose()
    }

    /// Probed places of bodies in rollouts, for models that have probes.
    ///
    /// # Errors
    /// Those of [`ReadOuts::states`].
    pub fn states(&self, rollouts: &Rollouts) -> Result<Option<ProbedStates>, ModelError> {
        self.readouts.map(|r| r.states(rollouts)).transpose()
    }
}

/// How much a search in a model's imagination may imagine on a processor, for a person to wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Action sequences imagined in one iteration.
    pub candidates: usize,
    /// Iterations of the search.
    pub iterations: usize,
    /// Actions planned ahead, each of which is held for some control steps.
    pub horizon: usize,
}

impl Effort {
    /// What LeWM plans with (arXiv 2603.19312): for models whose steps are cheap.
    pub const CHEAP: Effort = Effort {
        candidates: 300,
        iterations: 10,
        horizon: 5,
    };
    /// For physics, which is exact but costs 12 steps a control step.
    pub const PHYSICS: Effort = Effort {
        candidates: 64,
        iterations: 4,
        horizon: 5,
    };
    /// For models that imagine pixels: seconds a decision instead of minutes.
    pub const PIXELS: Effort = Effort {
        candidates: 16,
        iterations: 2,
        horizon: 2,
    };
}

/// Distances to a goal, and how they change with the actions that led there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slope {
    /// As [`Plans::distance`] gives them, `[N, T]`.
    pub distances: Vec<f32>,
    /// Derivative of each candidate's weighted sum of distances by its actions, `[N, control steps, A]`.
    pub by_action: Vec<f32>,
}

/// Says how far imagined moments are from a goal, so that a planner can search.
pub trait Plans: Send + Sync {
    /// Distance to the goal of every imagined step, `[N, T]` row-major, in the metric's own units.
    ///
    /// # Errors
    /// [`ModelError::Input`] for a metric that does not apply to what the model imagines.
    fn distance(
        &self,
        rollouts: &Rollouts,
        goal: &Goal,
        metric: &Metric,
    ) -> Result<Vec<f32>, ModelError>;

    /// Floating-point operations of measuring one imagined step by a metric, beyond those of imagining it.
    fn measuring_flops(&self, metric: &Metric) -> f64 {
        match metric {
            Metric::Learned(learned) => learned.flops(),
            _ => 0.0,
        }
    }

    /// Floating-point operations of one imagined step's picture that a metric does without: whoever compares
    /// latents draws none.
    fn spared_flops(&self, metric: &Metric, sampling: Sampling) -> f64 {
        let _every_picture_is_looked_at = (metric, sampling);
        0.0
    }

    /// What a search that a person waits for may imagine.
    fn effort(&self) -> Effort;

    /// Imagines, and differentiates Σₜ weightsₜ · distanceₜ by every action (`weights: [T]`);
    /// `None` for models that cannot.
    ///
    /// # Errors
    /// As for [`WorldModel::imagine`](super::WorldModel::imagine) and [`distance`](Self::distance).
    fn gradient(
        &self,
        _latent: &Latent,
        _actions: &Actions,
        _goal: &Goal,
        _metric: &Metric,
        _weights: &[f32],
        _cancel: &Cancel,
    ) -> Result<Option<Slope>, ModelError> {
        Ok(None)
    }
}

/// Tells how far imagined moments have left what observations look like: a planner that searches for the
/// smallest distance finds the futures in which the model errs in its favour, and those are the ones that no
/// observation resembles.
pub trait Strays: Send + Sync {
    /// How far every imagined step has left, `[N, T]` row-major, from 0 up; it is compared within one search
    /// only.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made the rollouts.
    fn strays(&self, rollouts: &Rollouts) -> Result<Vec<f32>, ModelError>;
}

/// Imagines pictures.
pub trait Pixels: Send + Sync {
    /// The imagined frames.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made the rollouts.
    fn frames(&self, rollouts: &Rollouts) -> Result<Frames, ModelError>;

    /// Frames as the model's own latents render them, which is the floor of its imagined pictures; `None`
    /// for models that imagine pixels directly.
    ///
    /// # Errors
    /// [`ModelError::Input`] where a frame does not fit.
    fn reconstruct(&self, _frames: &Frames) -> Result<Option<Frames>, ModelError> {
        Ok(None)
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

/// Shows its own representation.
pub trait Latents: Send + Sync {
    /// The model's own representation of the context's last observation, `[D]`, for probes.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the context is empty or does not fit.
    fn features(&self, context: &Context) -> Result<Vec<f32>, ModelError>;

    /// The latents of rollouts and of a goal as plain rows, for models that have nothing else to show of
    /// them.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made the rollouts.
    fn rows(&self, _rollouts: &Rollouts, _goal: &Goal) -> Result<Option<LatentRows>, ModelError> {
        Ok(None)
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

    /// The same of some bodies only; nothing if none is left.
    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Option<Self> {
        let kept: Vec<usize> = (0..self.bodies.len())
            .filter(|&b| keep(&self.bodies[b]))
            .collect();
        let moments = self.poses.chunks_exact(self.bodies.len().max(1));
        (!kept.is_empty()).then(|| Self {
            bodies: kept.iter().map(|&b| self.bodies[b].clone()).collect(),
            poses: moments
                .flat_map(|row| kept.iter().map(|&b| row[b]))
                .collect(),
            ..*self
        })
    }
}

/// Has probes, which were trained afterwards and which no planner sees.
pub trait ReadOuts: Send + Sync {
    /// Body states of imagined moments.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made the rollouts.
    fn states(&self, rollouts: &Rollouts) -> Result<ProbedStates, ModelError>;

    /// Body states read by the linear probe out of the context's last three observations: what the model
    /// knows now, before it imagines (n = steps = 1).
    ///
    /// # Errors
    /// [`ModelError::Input`] where the context is empty or does not fit.
    fn now(&self, context: &Context) -> Result<ProbedStates, ModelError>;
}

/// Has a diagnostic decoder, which was trained afterwards and which no planner sees.
pub trait Decodes: Send + Sync {
    /// Pictures of the imagined latents.
    ///
    /// # Errors
    /// [`ModelError::Input`] if another model made the rollouts.
    fn decoded(&self, rollouts: &Rollouts) -> Result<Frames, ModelError>;
}

/// Was trained by hiding parts of clips.
pub trait Masking: Send + Sync {
    /// Frames of a clip that [`masked`](Self::masked) takes.
    fn clip_frames(&self) -> usize;

    /// Hides blocks of a clip and predicts the embeddings of what is hidden; `seed` draws the blocks: even
    /// seeds eight small ones, odd seeds two large ones.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the clip does not fit.
    fn masked(&self, clip: &[Frame], seed: u64) -> Result<MaskedClip, ModelError>;
}

/// Says how unexpected an observation is.
pub trait Surprise: Send + Sync {
    /// Prediction error on the observation that followed, in the model's own space: `actions` (as many
    /// control steps as one imagined step spans) led from the context's last frame to `next`.
    ///
    /// # Errors
    /// [`ModelError::Input`] where an input does not fit.
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &Frame,
    ) -> Result<f32, ModelError>;
}

/// Learned a prior over what experience did in such a place with such an outcome.
pub trait Proposals: Send + Sync {
    /// Action sequences `[n, steps, dim]` drawn from the prior: some of a search's first candidates. The
    /// same seed draws the same.
    ///
    /// # Errors
    /// [`ModelError::Input`] where an input does not fit.
    fn propose(
        &self,
        latent: &Latent,
        goal: &Goal,
        n: usize,
        steps: usize,
        dim: usize,
        seed: u64,
    ) -> Result<Actions, ModelError>;
}

/// A moment to reach on the way to a goal: contact made or lost, a body come to rest, a turning point, or
/// the goal itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Station {
    /// Its latent, `[D]`.
    pub latent: Vec<f32>,
    /// Control steps from now until then.
    pub steps: f32,
    /// How probable the model holds it among its proposals.
    pub probability: f32,
    /// Whether it is the goal.
    pub is_goal: bool,
    /// Distance to it when it was chosen, in the model's units.
    pub away: f32,
    /// Where the model's probes place bodies there (n = steps = 1); none where it has no probes.
    pub places: Option<ProbedStates>,
}

/// Learned, on its own frozen latents, which structured moments lie between a moment and a goal.
pub trait Stations: Send + Sync {
    /// Proposals for the next one, the most probable first.
    ///
    /// # Errors
    /// [`ModelError::Input`] where latent or goal does not fit.
    fn next(&self, latent: &Latent, goal: &Goal) -> Result<Vec<Station>, ModelError>;

    /// The goal as the last station.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the goal does not fit.
    fn last(&self, goal: &Goal) -> Result<Station, ModelError>;

    /// A station as a latent in which it has stood still for as long as the model looks back.
    ///
    /// # Errors
    /// [`ModelError::Input`] where the station is of another size.
    fn arrived(&self, station: &Station) -> Result<Latent, ModelError>;

    /// Distance of a moment to a station, in the units of [`Plans::distance`]; `hand`: whether it counts
    /// where the hand is.
    ///
    /// # Errors
    /// [`ModelError::Input`] where latent or station does not fit.
    fn distance(&self, latent: &Latent, station: &Station, hand: bool) -> Result<f32, ModelError>;
}

/// What a film costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct FilmCost {
    /// Calls of the network, one after the other.
    pub calls: usize,
    /// Floating-point operations, without those of taking in observations.
    pub flops: f64,
}

/// Learned, on its own frozen latents, to imagine several steps at once: far first, then what lies between.
pub trait Jumping: Send + Sync {
    /// As [`WorldModel::imagine`](super::WorldModel::imagine), every step of it, by jumps. No step depends
    /// on actions after it, and the beginning of a long film is a short film.
    ///
    /// # Errors
    /// As for [`WorldModel::imagine`](super::WorldModel::imagine).
    fn imagine_by_jumps(
        &self,
        latent: &Latent,
        actions: &Actions,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError>;

    /// What a film of so many control steps costs by jumps.
    ///
    /// # Errors
    /// [`ModelError::Input`] where none were learned.
    fn film_cost(&self, steps: usize) -> Result<FilmCost, ModelError>;
}
