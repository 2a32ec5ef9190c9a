//! How episodes ended.

use std::sync::Arc;

use crate::worker::Moment;

/// How episodes ended since the controller or the scene changed.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// The first moment of each episode that ended, by which it is known again, and whether with success.
    ended: Vec<(Arc<Moment>, bool)>,
}

impl Score {
    /// Counts an episode that ended.
    pub fn count(&mut self, first: &Arc<Moment>, success: bool) {
        self.forget(first);
        self.ended.push((first.clone(), success));
    }

    /// An end that was told no longer holds.
    pub fn forget(&mut self, first: &Arc<Moment>) {
        self.ended.retain(|(m, _)| !Arc::ptr_eq(m, first));
    }

    /// Episodes that ended.
    pub fn episodes(&self) -> usize {
        self.ended.len()
    }

    /// Episodes that ended with success.
    pub fn successes(&self) -> usize {
        self.ended.iter().filter(|(_, success)| *success).count()
    }
}
