//! How far a phase is, and when time is up.

use crate::model::nn::cosine_lr;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// How long a phase lasts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Length {
    /// Optimisation steps: repeatable to the bit.
    Steps(usize),
    /// Wall-clock minutes: fits a machine, but its number of steps depends on it.
    Minutes(f64),
}

impl Length {
    /// Progress in [0, 1] after `steps` steps and `seconds` in the phase; 1 is done.
    pub fn progress(self, steps: usize, seconds: f64) -> f64 {
        let progress = match self {
            Self::Steps(total) => steps as f64 / total.max(1) as f64,
            Self::Minutes(minutes) => seconds / (60. * minutes).max(1e-9),
        };
        progress.min(1.)
    }

    /// Learning rate at this progress: linear warm-up over the share `warmup`, then a cosine to zero.
    pub fn rate(self, steps: usize, seconds: f64, warmup: f64, base: f64) -> f64 {
        const FINE: f64 = 1e6;
        let at = (self.progress(steps, seconds) * FINE) as usize;
        cosine_lr(at, FINE as usize, (warmup * FINE) as usize, base)
    }
}

/// Measures a run, on top of earlier runs that it resumes.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    deadline: Option<Duration>,
}

impl Clock {
    /// Starts now; time is up after `minutes`.
    pub fn start(minutes: Option<f64>) -> Self {
        let deadline = minutes.map(|m| Duration::from_secs_f64((m * 60.).max(0.)));
        Self {
            started: Instant::now(),
            deadline,
        }
    }

    /// Seconds since the start of this run.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Whether to stop.
    pub fn is_up(&self) -> bool {
        self.deadline.is_some_and(|d| self.started.elapsed() >= d)
    }
}
