//! First phase: encoder, predictor and inverse model from pixels.

use super::watch::Watch;
use crate::model::jepa::{JointWeights, Lewm, LewmConfig, joint_loss};
use crate::model::nn::{AdamWConfig, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::checkpoint::Progress;
use crate::train::data::sequences::Sequences;
use crate::train::error::TrainError;
use crate::train::phase::{At, Line, Loss, Phase, Plan};
use crate::train::schedule::Length;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};

/// Settings of the first phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JointPhase {
    /// How long.
    pub length: Length,
    /// Sequences a batch.
    pub batch: usize,
    /// Frames a sequence, one token apart.
    pub tokens: usize,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the phase that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Weights of the losses.
    pub weights: JointWeights,
    /// Steps between lines of the curve.
    pub log_every: usize,
    /// Steps between looks at what the latents hold.
    pub judge_every: usize,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
}

impl Default for JointPhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(8000),
            batch: 32,
            tokens: 5,
            optimiser: AdamWConfig::default(),
            warmup: 0.01,
            clip: 1.,
            weights: JointWeights::default(),
            log_every: 50,
            judge_every: 1000,
            checkpoint_seconds: 120.,
        }
    }
}

impl JointPhase {
    /// The first field that makes no sense, with why.
    pub(super) fn check(&self, model: &LewmConfig) -> Result<(), Fault> {
        bounds::length("joint.length", self.length, true)?;
        within("joint.batch", self.batch, 2..=65_536)?;
        within("joint.tokens", self.tokens, model.history + 1..=1000)?;
        bounds::optimiser("joint.optimiser", &self.optimiser)?;
        bounds::habits("joint", self.warmup, self.clip, self.log_every)?;
        let w = &self.weights;
        let weights = [
            ("one_step", w.one_step),
            ("open_loop", w.open_loop),
            ("sigreg", w.sigreg),
            ("inverse", w.inverse),
        ];
        for (field, weight) in weights {
            within(format!("joint.weights.{field}"), weight, 0. ..=1e6)?;
        }
        let projections = "joint.weights.sigreg_projections";
        within(projections, w.sigreg_projections, 1..=65_536)?;
        bounds::positive("joint.weights.sigreg_factor", w.sigreg_factor, 1e9)?;
        within("joint.judge_every", self.judge_every, 1..=1_000_000_000)?;
        bounds::checkpoint_seconds("joint", self.checkpoint_seconds)
    }
}

/// The first phase: what it draws and learns.
pub(super) struct Joint<'a> {
    pub phase: &'a JointPhase,
    pub model: &'a Lewm,
    pub params: Params,
    pub sequences: Sequences<'a>,
    /// Looks at what the latents hold meanwhile.
    pub watch: &'a Watch<'a>,
    pub seed: u64,
}

impl Phase for Joint<'_> {
    type Batch = (Vec<u8>, Tensor);

    fn plan(&self) -> Plan {
        let p = self.phase;
        let habits = (p.warmup, p.clip, p.judge_every);
        Plan {
            log_every: Some(p.log_every),
            ..Plan::cosine("joint", p.length, p.optimiser, habits, p.checkpoint_seconds)
        }
    }

    fn variables(&self) -> Vec<(String, Var)> {
        let parts = ["encoder", "inverse", "predictor"].iter();
        parts.flat_map(|part| self.params.pp(part).vars()).collect()
    }

    fn draw(&self, at: At) -> Result<Self::Batch, TrainError> {
        Ok(self.sequences.frames(at.step, self.model.device())?)
    }

    fn loss(&self, (frames, actions): Self::Batch, at: At) -> Result<Loss, TrainError> {
        let pixels = self.model.pixels(&frames)?;
        let mut rng = Rng::stream(self.seed ^ 0x10_55E5, at.step as u64);
        let weights = &self.phase.weights;
        let loss = joint_loss(self.model, &pixels, &actions, weights, &mut rng)?;
        Ok(Loss {
            parts: vec![
                ("one_step", loss.one_step),
                ("open_loop", loss.open_loop),
                ("sigreg", loss.sigreg),
                ("inverse", loss.inverse),
            ],
            ..Loss::new(loss.total, self.phase.batch * self.phase.tokens)
        })
    }

    /// The verdict on the finished phase is the recipe's to ask for.
    fn measure(&self, progress: &Progress, is_last: bool) -> Result<Option<Line>, TrainError> {
        match is_last || progress.step == 0 {
            true => Ok(None),
            false => Ok(self.watch.judge(progress.step)?.map(|verdict| verdict.line)),
        }
    }
}
