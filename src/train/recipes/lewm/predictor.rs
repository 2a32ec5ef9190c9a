//! Second phase: the predictor alone, open loop on stored latents, and the covariance of the whitened
//! distance.

use crate::model::jepa::{Lewm, open_loop_loss};
use crate::model::nn::{AdamWConfig, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::checkpoint::Progress;
use crate::train::curve::short;
use crate::train::data::sequences::Sequences;
use crate::train::data::stored::Stored;
use crate::train::error::TrainError;
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::schedule::Length;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Settings of the second phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictorPhase {
    /// How long.
    pub length: Length,
    /// Sequences a batch.
    pub batch: usize,
    /// Imagined steps a sequence.
    pub rollout: usize,
    /// What the mean square of the error counts in the planner's own whitened distance, beside the plain one
    /// of the latents; 0 leaves it out.
    pub planned: f64,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the phase that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Upper bound of stored latents.
    pub max_frames: usize,
    /// Steps between lines of the curve.
    pub log_every: usize,
}

impl Default for PredictorPhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(4000),
            batch: 256,
            rollout: 6,
            planned: 0.,
            optimiser: AdamWConfig::default(),
            warmup: 0.02,
            clip: 1.,
            max_frames: 400_000,
            log_every: 200,
        }
    }
}

impl PredictorPhase {
    /// The first field that makes no sense, with why. It may be left out where the phase before is not.
    pub(super) fn check(&self, may_skip: bool) -> Result<(), Fault> {
        bounds::length("predictor.length", self.length, may_skip)?;
        within("predictor.batch", self.batch, 1..=1 << 20)?;
        within("predictor.rollout", self.rollout, 1..=1000)?;
        within("predictor.planned", self.planned, 0. ..=1e6)?;
        bounds::optimiser("predictor.optimiser", &self.optimiser)?;
        bounds::habits("predictor", self.warmup, self.clip, self.log_every)?;
        within("predictor.max_frames", self.max_frames, 1..=usize::MAX)
    }
}

/// Seconds between checkpoints.
const SAVE_SECONDS: f64 = 120.;

/// The second phase: what it draws and learns.
pub(super) struct Predicting<'a> {
    pub phase: &'a PredictorPhase,
    pub model: &'a Lewm,
    /// The same networks without gradients.
    pub frozen: &'a Lewm,
    pub params: Params,
    /// The whitened distance's matrix, `[D, D]`.
    pub whitening: Tensor,
    /// Stored latents of the training episodes, and sequences of them.
    pub train: (&'a Stored<f32>, Sequences<'a>),
    /// The same of episodes that are held out.
    pub check: (&'a Stored<f32>, Sequences<'a>),
    pub seed: u64,
}

impl Phase for Predicting<'_> {
    type Batch = (Tensor, Tensor);

    fn plan(&self) -> Plan {
        let p = self.phase;
        let habits = (p.warmup, p.clip, p.log_every);
        Plan::cosine("predictor", p.length, p.optimiser, habits, SAVE_SECONDS)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.pp("predictor").vars()
    }

    fn draw(&self, at: At) -> Result<Self::Batch, TrainError> {
        let (latents, sequences) = &self.train;
        Ok(sequences.stored(latents, at.step, self.model.device())?)
    }

    fn loss(&self, (z, actions): Self::Batch, at: At) -> Result<Loss, TrainError> {
        let mut rng = Rng::stream(self.seed ^ 0x2_55E5, at.step as u64);
        let weight = self.phase.planned;
        let planned = (weight > 0.).then_some((weight, &self.whitening));
        let value = open_loop_loss(self.model, &z, &actions, planned, Some(&mut rng))?;
        Ok(Loss::new(value, self.phase.batch * self.phase.rollout))
    }

    /// The error of a rollout on held-out episodes, beside that of copying.
    fn measure(&self, _: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        let (latents, sequences) = &self.check;
        let (mut error, mut copied) = (f64::NAN, f64::NAN);
        if !sequences.starts.is_empty() {
            let (z, actions) = sequences.stored(latents, 0, self.model.device())?;
            let history = self.model.config().history;
            let copy = z
                .narrow(1, history, self.phase.rollout)?
                .broadcast_sub(&z.narrow(1, history - 1, 1)?)?;
            let own = open_loop_loss(self.frozen, &z, &actions, None, None)?;
            error = f64::from(own.to_scalar::<f32>()?);
            copied = f64::from(copy.sqr()?.mean_all()?.to_scalar::<f32>()?);
        }
        Ok(Some(line(json!({
            "validation_open_loop": short(error), "validation_copy": short(copied),
        }))))
    }
}
