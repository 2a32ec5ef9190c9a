//! Second phase: the predictor alone, open loop on stored latents, and the covariance of the whitened distance.

use crate::episode::Dataset;
use crate::model::jepa::{Lewm, open_loop_loss};
use crate::model::nn::{AdamWConfig, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::checkpoint::Progress;
use crate::train::curve::short;
use crate::train::data::sequences::{SEQUENCES, Sequences};
use crate::train::data::stored::Stored;
use crate::train::error::TrainError;
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::schedule::{Length, Schedule};
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
        bounds::optimiser("predictor.optimiser", &self.optimiser)?;
        bounds::habits("predictor", self.warmup, self.clip, self.log_every)?;
        within("predictor.max_frames", self.max_frames, 1..=usize::MAX)
    }
}

/// Seconds between checkpoints.
const SAVE_SECONDS: f64 = 120.;

/// The second phase: what it draws and learns.
pub struct Predicting<'a> {
    phase: &'a PredictorPhase,
    model: &'a Lewm,
    /// The same networks without gradients.
    frozen: &'a Lewm,
    params: Params,
    train: (&'a Stored<f32>, Sequences<'a>),
    check: (&'a Stored<f32>, Sequences<'a>),
    seed: u64,
}

impl<'a> Predicting<'a> {
    /// On stored latents of the training episodes and of those held out.
    ///
    /// # Errors
    /// [`TrainError::TooLittle`] where there are no sequences.
    pub fn new(
        phase: &'a PredictorPhase,
        data: &'a Dataset,
        (model, frozen, params): (&'a Lewm, &'a Lewm, Params),
        (latents, held_out): (&'a Stored<f32>, &'a Stored<f32>),
        seed: u64,
    ) -> Result<Self, TrainError> {
        let shape = (
            phase.rollout + model.config().history,
            model.config().frameskip,
        );
        let sequences = |latents: &Stored<f32>, salt: u64| {
            let seed = seed ^ SEQUENCES ^ salt;
            Sequences::new(data, &latents.episodes, shape, phase.batch, seed)
        };
        let train = sequences(latents, 0xCAC4E);
        Ok(Self {
            phase,
            model,
            frozen,
            params,
            train: (
                latents,
                train.or_too_little("sequences for the second phase")?,
            ),
            check: (held_out, sequences(held_out, 0xC4EC4)),
            seed,
        })
    }
}

impl Phase for Predicting<'_> {
    type Batch = (Tensor, Tensor);

    fn plan(&self) -> Plan {
        let phase = self.phase;
        Plan {
            name: "predictor",
            length: phase.length,
            optimiser: phase.optimiser,
            schedule: Schedule::Cosine {
                warmup: phase.warmup,
            },
            clip: phase.clip,
            bad_steps: 1,
            log_every: None,
            measure_every: phase.log_every,
            checkpoint_seconds: SAVE_SECONDS,
            is_serial: false,
        }
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
        let value = open_loop_loss(self.model, &z, &actions, Some(&mut rng))?;
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
            let own = open_loop_loss(self.frozen, &z, &actions, None)?;
            error = f64::from(own.to_scalar::<f32>()?);
            copied = f64::from(copy.sqr()?.mean_all()?.to_scalar::<f32>()?);
        }
        Ok(Some(line(json!({
            "validation_open_loop": short(error), "validation_copy": short(copied),
        }))))
    }
}
