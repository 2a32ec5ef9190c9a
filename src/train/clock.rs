//! How far a phase is, and when time is up.

use super::TrainError;
use crate::model::nn::cosine_lr;
use crate::system::Stop;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

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

    /// Learning rate at this progress: linear warm-up over the share `warmup`, then a cosine to zero.
    pub fn rate(self, steps: usize, seconds: f64, warmup: f64, base: f64) -> f64 {
        const FINE: f64 = 1e6;
        let at = (self.progress(steps, seconds) * FINE) as usize;
        cosine_lr(at, FINE as usize, (warmup * FINE) as usize, base)
    }
}

/// Measures a run, on top of earlier runs that it resumes.
#[derive(Clone, Debug)]
pub struct Clock {
    started: Instant,
    deadline: Option<Duration>,
    stop: Stop,
}

impl Clock {
    /// Starts now; time is up after `minutes`, or once `stop` is raised.
    pub fn start(minutes: Option<f64>, stop: &Stop) -> Self {
        // A time that no clock can show never comes.
        let seconds = |m: f64| Duration::try_from_secs_f64((m * 60.).max(0.)).ok();
        Self {
            started: Instant::now(),
            deadline: minutes.and_then(seconds),
            stop: stop.clone(),
        }
    }

    /// Seconds since the start of this run.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Whether to stop with a checkpoint.
    pub fn is_up(&self) -> bool {
        self.stop.is_raised() || self.deadline.is_some_and(|d| self.started.elapsed() >= d)
    }

    /// For work between checkpoints, which is done again by whoever goes on.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] if somebody asked for an end; time alone cuts off no such work.
    pub fn check(&self) -> Result<(), TrainError> {
        match self.stop.is_raised() {
            true => Err(TrainError::Stopped),
            false => Ok(()),
        }
    }
}
