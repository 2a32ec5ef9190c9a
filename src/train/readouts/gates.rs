//! What a representation holds, seen while it is trained: a loss can look excellent while the hand is missing
//! from the latents, or fall to nothing because all of them become alike.

use crate::episode::Dataset;
use crate::stats::linalg::effective_rank;
use crate::train::curve::short;
use crate::train::data::sampling::{bytes_of, frames_of, spread};
use crate::train::data::targets::{Targets, moving_bodies};
use crate::train::error::TrainError;
use crate::train::phase::{Line, line};
use serde_json::json;

/// An effective rank below this, or a spread below [`FLAT`], is a collapse.
const COLLAPSED_RANK: f64 = 3.;
const FLAT: f64 = 0.05;

/// Fixed frames that are looked at.
pub struct Gate {
    /// Frames that the linear probe is fitted on.
    fit: Vec<usize>,
    /// Frames that it is tested on.
    test: Vec<usize>,
    targets: Targets,
}

/// What a representation says of the frames.
pub struct Seen {
    /// Rows `[N, width]` whose rank and spread tell a collapse.
    pub content: Vec<f32>,
    /// Their width.
    pub width: usize,
    /// Features `[frames, D]` of the frames to fit a linear probe on, and of those to test it on.
    pub features: [Vec<f32>; 2],
    /// D.
    pub d: usize,
    /// What else the curve tells.
    pub facts: Line,
}

/// What was found.
pub struct Verdict {
    /// For the curve.
    pub line: Line,
    /// Whether the representation has collapsed.
    pub collapsed: bool,
    /// The effective rank.
    pub rank: f64,
    /// The spread.
    pub std: f64,
}

impl Verdict {
    /// What a sentence about the rank begins with.
    pub fn state(&self) -> &'static str {
        match self.collapsed {
            true => "Collapsed: effective",
            false => "Effective",
        }
    }
}

impl Gate {
    /// At most about `most` frames, evenly spread, of some episodes to fit on and of others to test on.
    pub fn new(data: &Dataset, [fit, test]: [&[usize]; 2], most: [usize; 2]) -> Self {
        Self {
            fit: spread(&frames_of(data, fit), most[0]),
            test: spread(&frames_of(data, test), most[1]),
            targets: Targets::new(data, moving_bodies(data)),
        }
    }

    /// Rank and spread of the representation and the linear probe's r, after `step` steps; none where there
    /// are too few frames. `look` says what a representation makes of the bytes of frames to fit on and of
    /// frames to test on.
    ///
    /// # Errors
    /// What `look` says.
    pub fn judge(
        &self,
        data: &Dataset,
        step: usize,
        look: impl FnOnce([&[u8]; 2]) -> candle_core::Result<Seen>,
    ) -> Result<Option<Verdict>, TrainError> {
        if self.fit.len() < 2 || self.test.len() < 2 {
            return Ok(None);
        }
        let [fit, test] = [&self.fit, &self.test].map(|frames| bytes_of(data, frames));
        let seen = look([&fit, &test])?;
        let (rank, std) = effective_rank(&seen.content, seen.width);
        let [fit, test] = &seen.features;
        let r = self
            .targets
            .linear_r(seen.d, (fit, &self.fit), (test, &self.test));
        let collapsed = rank < COLLAPSED_RANK || std < FLAT;
        if collapsed {
            tracing::warn!("collapsed: effective rank {rank:.2}, spread {std:.3}");
        }
        let mut line = line(json!({
            "phase": "gate", "step": step, "rank": short(rank), "std": short(std), "probe_r": r,
            "collapsed": collapsed,
        }));
        line.extend(seen.facts);
        Ok(Some(Verdict {
            line,
            collapsed,
            rank,
            std,
        }))
    }
}
