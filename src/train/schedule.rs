//! How long a phase lasts, and which learning rate is in force when.

use crate::model::nn::cosine_lr;
use serde::{Deserialize, Serialize};

/// How long a phase lasts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Length {
    /// Optimisation steps: repeatable to the bit.
    Steps(usize),
    /// Wall-clock minutes: fits a machine, but its number of steps depends on it.
    Minutes(f64),
    /// Leaves the phase out: what it would train stays as it was drawn.
    Skip,
}

impl Length {
    /// Progress in [0, 1] after `steps` steps and `seconds` in the phase; 1 is done.
    pub fn progress(self, steps: usize, seconds: f64) -> f64 {
        let progress = match self {
            Self::Steps(total) => steps as f64 / total.max(1) as f64,
            Self::Minutes(minutes) => seconds / (60. * minutes).max(1e-9),
            Self::Skip => 1.,
        };
        progress.min(1.)
    }
}

/// How the learning rate rises and falls over a phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Schedule {
    /// Rises over this share of the phase, then falls to zero along a cosine.
    Cosine {
        /// Share of the phase that warms up.
        warmup: f64,
    },
    /// Rises over so many steps, then falls to zero along a cosine over the others.
    CosineSteps {
        /// Steps that warm up.
        warmup: usize,
        /// Steps of the phase.
        total: usize,
    },
    /// Rises over so many steps while a cosine over the whole phase falls to 2 % of the peak.
    CosineToTail {
        /// Steps that warm up.
        warmup: u64,
    },
}

impl Schedule {
    /// Learning rate of a step at this progress of the phase, where `peak` is the highest.
    pub fn rate(self, step: usize, progress: f64, peak: f64) -> f64 {
        /// Progress is counted in parts of this size.
        const FINE: f64 = 1e6;
        match self {
            Self::Cosine { warmup } => {
                let at = (progress * FINE) as usize;
                cosine_lr(at, FINE as usize, (warmup * FINE) as usize, peak)
            }
            Self::CosineSteps { warmup, total } => cosine_lr(step, total, warmup, peak),
            Self::CosineToTail { warmup } => {
                let warm = ((step + 1) as f64 / warmup.max(1) as f64).min(1.0);
                let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
                peak * warm * (0.02 + 0.98 * cosine)
            }
        }
    }
}
