//! What the latents hold, seen while training: a loss can look excellent while the hand is missing from the latent.

use super::Session;
use super::readouts::{Targets, moving_bodies};
use super::sampler::{frames_of, spread};
use crate::episode::Dataset;
use crate::model::jepa::Lewm;
use crate::stats::linalg::effective_rank;
use crate::train::TrainError;
use crate::train::curve::short;
use serde_json::json;

/// Frames to fit the linear probe on, and to test it on.
const FIT: usize = 2500;
const TEST: usize = 1200;
/// An effective rank below this, or a spread below [`FLAT`], is a collapse.
const COLLAPSED_RANK: f64 = 3.;
const FLAT: f64 = 0.05;

/// Fixed frames whose latents are looked at.
pub struct Gate {
    fit: Vec<usize>,
    test: Vec<usize>,
    targets: Targets,
}

impl Gate {
    pub fn new(session: &Session) -> Self {
        let data = session.data;
        let pick = |episodes: &[usize], n| spread(&frames_of(data, episodes), n);
        Self {
            fit: pick(&session.train_episodes, FIT),
            test: pick(&session.validation_episodes, TEST),
            targets: Targets::new(data, moving_bodies(data)),
        }
    }

    fn encode(
        &self,
        model: &Lewm,
        data: &Dataset,
        frames: &[usize],
    ) -> Result<Vec<f32>, TrainError> {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|&i| data.frame(i).iter().copied())
            .collect();
        Ok(model.encode_frames(&bytes)?.flatten_all()?.to_vec1()?)
    }

    /// Rank and spread of the latents and the linear probe's r, written to the curve; returned as a sentence.
    pub fn judge(&self, model: &Lewm, session: &mut Session) -> Result<String, TrainError> {
        let d = model.config().latent_dim;
        if self.fit.len() < 2 || self.test.len() < 2 {
            return Ok("Too few episodes to validate.".into());
        }
        let (fit, test) = (
            self.encode(model, session.data, &self.fit)?,
            self.encode(model, session.data, &self.test)?,
        );
        let (rank, std) = effective_rank(&test, d);
        let r = self
            .targets
            .linear_r(d, (&fit, &self.fit), (&test, &self.test));
        let collapsed = rank < COLLAPSED_RANK || std < FLAT;
        session.curve.write(&json!({
            "phase": "gate", "step": session.progress.step, "rank": short(rank), "std": short(std), "probe_r": r,
            "collapsed": collapsed,
        }))?;
        if collapsed {
            tracing::warn!("the latents have collapsed: effective rank {rank:.2}, spread {std:.3}");
        }
        let state = if collapsed {
            "Collapsed: effective"
        } else {
            "Effective"
        };
        Ok(format!("{state} rank of the latents {rank:.1}."))
    }
}
