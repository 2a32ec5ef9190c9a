//! What the target encoder's maps hold, seen while training: a masked loss falls to nothing when all maps become alike.

use super::Session;
use crate::model::jepa::vjepa::{ActionJepa, Summary};
use crate::stats::linalg::effective_rank;
use crate::train::TrainError;
use crate::train::curve::short;
use crate::train::lewm::{Targets, frames_of, moving_bodies, spread};
use candle_core::Tensor;
use serde_json::json;

/// Frames to fit summary and linear probe on, and to test the probe on.
const FIT: usize = 1500;
const TEST: usize = 700;
/// Components of a map that the probe reads.
const COMPONENTS: usize = 64;
/// Below this effective rank, or this spread (embeddings are layer-normalised: 1 would be all), of what differs between frames at one and
/// the same place, the encoder has collapsed: it says where a token is and not what is there.
const COLLAPSED_RANK: f64 = 3.;
const FLAT: f64 = 0.05;

/// Fixed frames whose maps are looked at.
pub struct Gate {
    fit: Vec<usize>,
    test: Vec<usize>,
    targets: Targets,
}

impl Gate {
    pub fn new(session: &Session) -> Self {
        let (data, wanted) = (session.data, &session.recipe.masked.gate_scenes);
        let pick = |episodes: &[usize], n: usize| -> Vec<usize> {
            let of_scenes: Vec<usize> = episodes
                .iter()
                .copied()
                .filter(|&e| {
                    let scene = &data.scenes[data.episodes[e].scene];
                    wanted.is_empty() || wanted.contains(&scene.name)
                })
                .collect();
            spread(&frames_of(data, &of_scenes), n)
        };
        Self {
            fit: pick(&session.train_episodes, FIT),
            test: pick(&session.validation_episodes, TEST),
            targets: Targets::new(data, moving_bodies(data)),
        }
    }

    fn maps(
        &self,
        model: &ActionJepa,
        session: &Session,
        frames: &[usize],
    ) -> Result<Tensor, TrainError> {
        let bytes: Vec<u8> = frames
            .iter()
            .flat_map(|&i| session.data.frame(i).iter().copied())
            .collect();
        Ok(model.encode_frames(&bytes)?)
    }

    /// Rank and spread of the embeddings and the linear probe's r, written to the curve; returned as a sentence.
    pub fn judge(&self, model: &ActionJepa, session: &mut Session) -> Result<String, TrainError> {
        if self.fit.len() < 2 || self.test.len() < 2 {
            return Ok("Too few episodes to validate.".into());
        }
        let width = model.config().width;
        let fit = self.maps(model, session, &self.fit)?;
        let test = self.maps(model, session, &self.test)?;
        let content = test.broadcast_sub(&test.mean_keepdim(0)?)?;
        let rows: Vec<f32> = content.flatten_all()?.to_vec1()?;
        let (rank, std) = effective_rank(&rows, width);
        let (summary, held) = Summary::of(&fit, COMPONENTS.min(model.config().map_len()))?;
        let numbers = |maps: &Tensor| -> Result<Vec<f32>, TrainError> {
            Ok(summary.read(maps)?.flatten_all()?.to_vec1()?)
        };
        let (fit, test) = (numbers(&fit)?, numbers(&test)?);
        let d = COMPONENTS.min(model.config().map_len());
        let r = self
            .targets
            .linear_r(d, (&fit, &self.fit), (&test, &self.test));
        let collapsed = rank < COLLAPSED_RANK || std < FLAT;
        session.curve.write(&json!({
            "phase": "gate", "step": session.progress.step, "rank": short(rank), "std": short(std), "summary_variance": short(held),
            "probe_r": r, "collapsed": collapsed,
        }))?;
        if collapsed {
            tracing::warn!("the maps have collapsed: effective rank {rank:.2}, spread {std:.3}");
        }
        let state = if collapsed {
            "Collapsed: effective"
        } else {
            "Effective"
        };
        Ok(format!(
            "{state} rank of the embeddings at a place {rank:.1}, spread {std:.2}."
        ))
    }
}
