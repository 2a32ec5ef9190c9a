//! What a phase of a training is. The loop in `run.rs` knows nothing else of a recipe.

use super::checkpoint::Progress;
use super::error::TrainError;
use super::schedule::{Length, Schedule};
use crate::model::nn::AdamWConfig;
use candle_core::{Tensor, Var};
use serde_json::{Map, Value};

/// A line of the learning curve: names and what they say.
pub(super) type Line = Map<String, Value>;

/// How a phase is paced.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The word for the phase in the curve and in errors.
    pub name: &'static str,
    /// How long it lasts.
    pub length: Length,
    /// Its optimiser, whose rate is the peak of `schedule`.
    pub optimiser: AdamWConfig,
    /// How the rate rises and falls.
    pub schedule: Schedule,
    /// Longer gradients are scaled down to this length.
    pub clip: f64,
    /// So many gradients in a row that are not finite end the training. Such a step changes no weight.
    pub bad_steps: usize,
    /// Steps between lines of the curve that tell the losses; none where only measurements are told.
    pub log_every: Option<usize>,
    /// Steps between measurements; the first is before the first step, the last after the last.
    pub measure_every: usize,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
    /// Whether batches have to be drawn one after the other, since they share a generator.
    pub is_serial: bool,
}

impl Plan {
    /// A phase whose rate warms up over the share `warmup` of it and falls to zero, in which a gradient that
    /// is not finite is an error at once. It is measured every `every` steps.
    pub fn cosine(
        name: &'static str,
        length: Length,
        optimiser: AdamWConfig,
        (warmup, clip, every): (f64, f64, usize),
        checkpoint_seconds: f64,
    ) -> Self {
        Self {
            name,
            length,
            optimiser,
            schedule: Schedule::Cosine { warmup },
            clip,
            bad_steps: 1,
            log_every: None,
            measure_every: every,
            checkpoint_seconds,
            is_serial: false,
        }
    }

    /// A short fit: rates that warm up over `warmup` of `steps` steps and fall to zero, gradients no longer
    /// than 1, nothing told, batches from one generator.
    pub fn fit(name: &'static str, steps: usize, warmup: usize, lr: f64) -> Self {
        Self {
            name,
            length: Length::Steps(steps),
            optimiser: AdamWConfig {
                lr,
                weight_decay: 1e-3,
                ..Default::default()
            },
            schedule: Schedule::CosineSteps {
                warmup,
                total: steps,
            },
            clip: 1.,
            bad_steps: 1,
            log_every: None,
            measure_every: usize::MAX,
            checkpoint_seconds: f64::INFINITY,
            is_serial: true,
        }
    }
}

/// A step of a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct At {
    /// Its number.
    pub step: usize,
    /// How far the phase is before it, in [0, 1].
    pub progress: f64,
}

/// What a step is taken from.
pub(super) struct Loss {
    /// What is made smaller.
    pub value: Tensor,
    /// Frames, or transitions, that it was computed over.
    pub frames: usize,
    /// Parts of it that the curve tells beside it: one number each, or a row of them.
    pub parts: Vec<(&'static str, Tensor)>,
    /// What else the curve tells of the step.
    pub facts: Line,
}

impl Loss {
    /// A loss of which there is nothing else to tell.
    pub fn new(value: Tensor, frames: usize) -> Self {
        Self {
            value,
            frames,
            parts: Vec::new(),
            facts: Line::new(),
        }
    }
}

/// One phase of a training: what it learns from, and by what loss.
pub(super) trait Phase: Sync {
    /// What a step learns from.
    type Batch: Send;

    /// How it is paced.
    fn plan(&self) -> Plan;

    /// The variables that are trained.
    fn variables(&self) -> Vec<(String, Var)>;

    /// What a step learns from. Several threads ask for several steps at once, so nothing but the step's
    /// number may decide what is drawn (unless the plan is serial).
    ///
    /// # Errors
    /// [`TrainError`] if it cannot be prepared.
    fn draw(&self, at: At) -> Result<Self::Batch, TrainError>;

    /// The loss of a step.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    fn loss(&self, batch: Self::Batch, at: At) -> Result<Loss, TrainError>;

    /// What follows a step: a target network that trails behind, for example.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    fn follow(&self, _: At) -> Result<(), TrainError> {
        Ok(())
    }

    /// What is measured on held-out episodes; none where there is nothing to tell now.
    ///
    /// # Errors
    /// [`TrainError`] if it cannot be measured.
    fn measure(&self, _: &Progress, _is_last: bool) -> Result<Option<Line>, TrainError> {
        Ok(None)
    }

    /// A checkpoint was written, and the phase goes on or pauses.
    ///
    /// # Errors
    /// [`TrainError`] if what the phase keeps beside it cannot be written.
    fn kept(&self, _: &Progress) -> Result<(), TrainError> {
        Ok(())
    }
}

/// A line of the curve out of what the `json!` macro makes.
pub(super) fn line(value: Value) -> Line {
    match value {
        Value::Object(line) => line,
        other => Line::from_iter([("value".into(), other)]),
    }
}
