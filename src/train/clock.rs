//! When time is up.

use super::error::TrainError;
use crate::system::Stop;
use std::time::{Duration, Instant};

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
