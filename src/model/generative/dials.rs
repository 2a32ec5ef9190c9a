//! What of a model can be set while many share it.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use crate::model::GoalDistance;

/// Function evaluations, draw of noise and goal distance of a diffusion model.
pub(super) struct Dials {
    nfe: AtomicUsize,
    sample: AtomicU64,
    distance: RwLock<GoalDistance>,
}

impl Dials {
    /// The first draw, and the distance between colours.
    pub fn new(nfe: usize) -> Self {
        Self {
            nfe: AtomicUsize::new(nfe),
            sample: AtomicU64::new(0),
            distance: RwLock::default(),
        }
    }

    /// Function evaluations a frame.
    pub fn nfe(&self) -> usize {
        self.nfe.load(Ordering::Relaxed)
    }

    /// Sets them, to 1 to 64.
    pub fn set_nfe(&self, nfe: usize) {
        self.nfe.store(nfe.clamp(1, 64), Ordering::Relaxed);
    }

    /// Which draw of noise.
    pub fn sample(&self) -> u64 {
        self.sample.load(Ordering::Relaxed)
    }

    /// Chooses the draw.
    pub fn set_sample(&self, sample: u64) {
        self.sample.store(sample, Ordering::Relaxed);
    }

    /// What planners minimise.
    pub fn distance(&self) -> GoalDistance {
        let distance = self.distance.read().unwrap_or_else(|p| p.into_inner());
        distance.clone()
    }

    /// Sets it.
    pub fn set_distance(&self, distance: GoalDistance) {
        *self.distance.write().unwrap_or_else(|p| p.into_inner()) = distance;
    }
}
