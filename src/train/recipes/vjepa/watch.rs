//! What the maps hold while they are trained.

use crate::episode::Dataset;
use crate::model::jepa::vjepa::{ActionJepa, Summary};
use crate::train::curve::short;
use crate::train::error::TrainError;
use crate::train::phase::line;
use crate::train::readouts::gates::{Gate, Seen, Verdict};
use crate::train::run::Session;
use candle_core::Tensor;
use serde_json::json;

/// Components of a map that the probe reads.
const COMPONENTS: usize = 64;

/// Frames whose maps are looked at while they are trained.
pub struct Watch<'a> {
    gate: Gate,
    data: &'a Dataset,
    model: &'a ActionJepa,
}

impl<'a> Watch<'a> {
    /// Of the scenes named; of all if none is.
    pub fn new(session: &Session<'a>, model: &'a ActionJepa, scenes: &[String]) -> Self {
        let data = session.data;
        let of_scenes = |episodes: &[usize]| -> Vec<usize> {
            let is_wanted = |e: &usize| {
                let scene = &data.scenes[data.episodes[*e].scene];
                scenes.is_empty() || scenes.contains(&scene.name)
            };
            episodes.iter().copied().filter(is_wanted).collect()
        };
        let fit = of_scenes(&session.train_episodes);
        let test = of_scenes(&session.validation_episodes);
        Self {
            gate: Gate::new(data, [&fit, &test], [1500, 700]),
            data,
            model,
        }
    }

    /// Rank and spread of what differs between frames at one and the same place (an embedding is
    /// layer-normalised: a spread of 1 would be all): an encoder that says where a token is, and not what is
    /// there, has collapsed.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn judge(&self, step: usize) -> Result<Option<Verdict>, TrainError> {
        let config = self.model.config();
        let d = COMPONENTS.min(config.map_len());
        self.gate.judge(self.data, step, |[fit, test]| {
            let (fit, test) = (
                self.model.encode_frames(fit)?,
                self.model.encode_frames(test)?,
            );
            let content = test.broadcast_sub(&test.mean_keepdim(0)?)?;
            let (summary, held) = Summary::of(&fit, d)?;
            let numbers = |maps: &Tensor| summary.read(maps)?.flatten_all()?.to_vec1();
            Ok(Seen {
                content: content.flatten_all()?.to_vec1()?,
                width: config.width,
                features: [numbers(&fit)?, numbers(&test)?],
                d,
                facts: line(json!({ "summary_variance": short(held) })),
            })
        })
    }
}
