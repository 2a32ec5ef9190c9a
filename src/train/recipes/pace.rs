//! What trainings of diffusion models have in common: their pace, and the last part on the model's own
//! frames.

use crate::model::nn::AdamWConfig;
use crate::train::bounds::{self, Fault, within};
use crate::train::phase::Plan;
use crate::train::schedule::{Length, Schedule};
use serde::{Deserialize, Serialize};

/// How long, how many at once, how fast.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// How long; rate and self-rolled tail follow the spent fraction.
    pub length: Length,
    /// Frames in one optimisation step.
    pub batch: usize,
    /// Optimiser; its rate is the peak of the cosine.
    pub adamw: AdamWConfig,
    /// Steps over which the rate rises.
    pub warmup_steps: u64,
    /// Gradients longer than this are scaled down to it.
    pub clip: f64,
    /// Decay of the moving average of the weights.
    pub ema: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            length: Length::Minutes(30.0),
            batch: 32,
            adamw: AdamWConfig {
                lr: 1e-3,
                betas: (0.9, 0.99),
                eps: 1e-8,
                weight_decay: 1e-2,
            },
            warmup_steps: 100,
            clip: 1.0,
            ema: 0.999,
        }
    }
}

impl Pace {
    /// The first field that makes no sense, with why; `part` is what the pace belongs to.
    pub(in crate::train) fn check(&self, part: &str) -> Result<(), Fault> {
        let field = |name: &str| format!("{part}.{name}");
        bounds::length(field("length"), self.length, false)?;
        within(field("batch"), self.batch, 1..=65_536)?;
        bounds::optimiser(field("adamw"), &self.adamw)?;
        within(field("warmup_steps"), self.warmup_steps, 0..=1_000_000_000)?;
        bounds::positive(field("clip"), self.clip, 1e9)?;
        match (0.0..1.0).contains(&self.ema) {
            true => Ok(()),
            false => Err((
                field("ema"),
                format!("found {}, expected 0 to below 1", self.ema),
            )),
        }
    }

    /// A phase at this pace: the rate falls to 2 % of its peak, and only 50 gradients in a row that are not
    /// finite end it, since a rare sample may overflow.
    pub(in crate::train) fn plan(&self, name: &'static str, measure_every: usize) -> Plan {
        Plan {
            name,
            length: self.length,
            optimiser: self.adamw,
            schedule: Schedule::CosineToTail {
                warmup: self.warmup_steps,
            },
            clip: self.clip,
            bad_steps: 50,
            log_every: Some(100),
            measure_every,
            checkpoint_seconds: 180.,
            is_serial: false,
        }
    }
}

/// The last part of a training, on the model's own frames.
#[derive(Clone, Copy, Debug)]
pub(in crate::train) struct Rolling {
    /// From this fraction of the phase on.
    pub from: f64,
    /// Most predictions in a row then.
    pub most: usize,
    /// Denoising steps of a frame that is fed back.
    pub nfe: usize,
}

impl Rolling {
    /// The first field that makes no sense, with why; `part` is what it belongs to.
    pub fn check(self, part: &str) -> Result<(), Fault> {
        within(format!("{part}.self_rolled_from"), self.from, 0.0..=1.0)?;
        within(format!("{part}.self_rolled_steps"), self.most, 0..=64)?;
        within(format!("{part}.self_rolled_nfe"), self.nfe, 1..=64)
    }

    /// Sequences of a step out of `batch` frames, and predictions in a row in each: a growing number.
    pub fn shape(self, progress: f64, batch: usize) -> (usize, usize) {
        let rolls = match progress < self.from || self.most < 2 {
            true => 1,
            false => {
                let part = (progress - self.from) / (1.0 - self.from).max(1e-9);
                let longest = self.most as f64;
                (2.0 + part * (longest - 1.0)).min(longest) as usize
            }
        };
        ((batch / rolls).max(1), rolls)
    }
}
