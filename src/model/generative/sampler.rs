//! What draws the next frame, in whatever space a generative model imagines, as the world model around it
//! (`world.rs`) asks for it.

use candle_core::Tensor;

use super::Objective;
use crate::model::goal::HueMotion;
use crate::model::nn::{Params, Rng};
use crate::model::{Cancel, Frame, ModelError};

/// What a sampler takes and gives.
pub struct Layout {
    /// Side of a frame in pixels.
    pub size: usize,
    /// Side of a frame as the network sees it.
    pub side: usize,
    /// Channels of a frame as the network sees it.
    pub channels: usize,
    /// Frames of context that the network looks at.
    pub context: usize,
    /// Frames that it makes something of, that number or more: older ones live on in a belief.
    pub watched: usize,
    /// Latest actions that are embedded; the last of them leads to the next frame.
    pub actions: usize,
    /// Components of an action.
    pub action_dim: usize,
    /// Function evaluations of a frame unless told otherwise.
    pub nfe: usize,
    /// Whether it samples, or says the mean of the futures.
    pub objective: Objective,
    /// How far hues move in ordinary experience.
    pub hue_motion: HueMotion,
    /// Candidates that are denoised together: more no longer fit the cache.
    pub chunk: usize,
}

/// What the network sees of one moment of several candidates, N.
pub struct Moment {
    /// `[N, S, S, K·C]`: the last K frames as the network sees them, oldest first.
    pub context: Tensor,
    /// How many of the oldest are not there, because the episode is too young.
    pub missing: usize,
    /// `[N, actions·dim]`: the latest actions; the last leads to the next frame.
    pub actions: Tensor,
    /// `[N, B]`: what is believed once the newest frame was seen or imagined, of a sampler that carries a
    /// belief.
    pub belief: Option<Tensor>,
    /// Function evaluations to take.
    pub nfe: usize,
}

/// Multiply-adds of a model.
pub struct Work {
    /// To take in a frame.
    pub encode: f64,
    /// Of one function evaluation.
    pub dynamics: f64,
    /// Of one function evaluation, for the picture only.
    pub dynamics_of_picture: f64,
    /// Of the picture of one imagined frame.
    pub picture: f64,
    /// Of carrying a belief on by one imagined frame.
    pub carry: f64,
}

/// Draws the next frame, in whatever space the model imagines.
pub trait Sampler: Send + Sync + Sized + 'static {
    /// The settings it is built from: part of `train.ron`.
    type Config;

    /// Whether networks can be built from the settings.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    fn check(config: &Self::Config) -> Result<(), (&'static str, String)>;

    /// Networks on the variables in `params`.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    fn new(config: &Self::Config, params: &Params) -> candle_core::Result<Self>;

    /// The settings.
    fn config(&self) -> &Self::Config;

    /// What it takes and gives.
    fn layout(&self) -> Layout;

    /// Frames as the network sees them, `[S·S·C]` each.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn encode(&self, frames: &[Frame]) -> Result<Vec<Vec<f32>>, ModelError>;

    /// What stands in for frames before the oldest one that is known.
    fn before(&self, oldest: &[f32]) -> Vec<f32>;

    /// The next frame of every candidate, `[N, S, S, C]`. All of them get the same noise.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`] between two evaluations once `cancel` is raised.
    fn next(&self, moment: Moment, rng: &mut Rng, cancel: &Cancel) -> Result<Tensor, ModelError>;

    /// What is believed, `[N, B]`, once the actions `[N, dim]` have led to frames `[N, S·S·C]`; nothing of
    /// a sampler without a belief.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn carry(
        &self,
        _before: Option<&Tensor>,
        _frames: &Tensor,
        _actions: &Tensor,
    ) -> Result<Option<Tensor>, ModelError> {
        Ok(None)
    }

    /// What becomes of an imagined frame before the network sees it again.
    fn settle(&self, _imagined: &mut [f32]) {}

    /// Imagined frames as pictures, `[.., H, W, 3]` bytes.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn draw(&self, imagined: &[f32]) -> Result<Vec<u8>, ModelError>;

    /// Mean squared difference of each imagined frame from a real one, in the model's own space.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn errors(&self, imagined: &[f32], real: &Frame) -> Result<Vec<f32>, ModelError>;

    /// What it makes of the last frame, for probes; it may look at the whole history.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn features(
        &self,
        last: &Frame,
        history: &dyn Fn() -> Result<History, ModelError>,
    ) -> Result<Vec<f32>, ModelError>;

    /// Whether a picture loses something when it is encoded and drawn again.
    fn has_own_latents(&self) -> bool;

    /// Whether planners measure distances in the model's own space unless they choose another metric.
    fn plans_in_latents(&self) -> bool {
        false
    }

    /// Multiply-adds.
    fn work(&self) -> Work;
}

/// The context as the network sees it.
pub struct History {
    /// Frames, oldest first, as many as the model uses.
    pub frames: Vec<Vec<f32>>,
    /// Frames that are missing at the start.
    pub missing: usize,
    /// All but the newest of the embedded actions, each padded to the model's components.
    pub actions: Vec<Vec<f32>>,
    /// `[1, B]`: what is believed of all frames that were watched, of a sampler that carries a belief.
    pub belief: Option<Tensor>,
}
