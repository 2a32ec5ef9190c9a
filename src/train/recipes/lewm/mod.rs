//! How a LeWM is trained: encoder and predictor jointly, then the predictor alone on stored latents, then the
//! whitened distance, then the read-outs.
//!
//! The second phase is cheap (a latent is 200 times smaller than a frame) and decides much: in our trials it
//! and the whitened distance took pushing from 46 to 76 % success.

mod joint;
mod predictor;
mod watch;

pub use joint::JointPhase;
pub use predictor::PredictorPhase;

use crate::model::jepa::{
    Decoder, Lewm, LewmConfig, Probes, Proposal, difference_covariance, whitening,
};
use crate::model::nn::Init;
use crate::model::{Camp, Card, folder};
use crate::train::bounds::{self, Fault};
use crate::train::data::fit as suits;
use crate::train::data::sampling::{mean_image, thinned};
use crate::train::data::sequences::{SEQUENCES, Sequences};
use crate::train::data::stored::Stored;
use crate::train::data::targets::moving_bodies;
use crate::train::error::{TrainError, io};
use crate::train::export::{Made, weights_to};
use crate::train::readouts::fit::ReadoutPhase;
use crate::train::readouts::proposal::ProposalPhase;
use crate::train::readouts::{decoder, fit, proposal};
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use crate::train::schedule::Length;
use candle_core::Tensor;
use joint::Joint;
use predictor::Predicting;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use watch::Watch;

/// Model and phases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LewmRecipe {
    /// Architecture.
    pub model: LewmConfig,
    /// Folder of a finished LeWM of the same sizes whose weights this training begins with: its encoder, its
    /// read-outs and its action prior stay as they are, the first phase is left out, and its predictor goes
    /// on learning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// Encoder, predictor and inverse model together.
    pub joint: JointPhase,
    /// The predictor alone, on stored latents.
    pub predictor: PredictorPhase,
    /// Probes of the frozen latents.
    pub readouts: ReadoutPhase,
    /// The action prior that a search may take candidates from; none where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<ProposalPhase>,
}

impl Recipe for LewmRecipe {
    fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        self.joint.check(&self.model)?;
        self.predictor.check(self.is_joint())?;
        if self.start.is_some() && self.proposal.is_some() {
            let found =
                "found Some, but a training that starts from a finished model keeps its prior";
            return Err(("proposal".into(), format!("{found}: leave it out")));
        }
        self.readouts.check(self.model.image_size)?;
        self.proposal.map_or(Ok(()), |phase| phase.check())
    }

    fn action_dim(&self) -> usize {
        self.model.action_dim
    }

    fn start(&self) -> Option<&Path> {
        self.start.as_deref()
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let (model, data) = (&self.model, given.data);
        suits::side(data, "model.image_size", model.image_size)?;
        let (train, validation) = data.split_episodes(given.validation_share);
        let skip = model.frameskip;
        if self.is_joint() {
            let what = ("joint.tokens", "training");
            suits::long_enough(data, &train, what, self.joint.tokens, skip)?;
        }
        let second = thinned(data, &train, self.predictor.max_frames);
        let tokens = self.predictor.rollout + model.history;
        let what = ("predictor.rollout", "training");
        suits::long_enough(data, &second, what, tokens, skip)?;
        if let Some(prior) = self.proposal {
            for (what, episodes, most) in [
                ("training", &train, prior.max_frames),
                ("validation", &validation, prior.max_frames / 10),
            ] {
                let episodes = thinned(data, episodes, most);
                let tokens = model.history + 1;
                suits::long_enough(data, &episodes, ("proposal", what), tokens, skip)?;
            }
        }
        suits::file_size(|params| {
            let d = model.latent_dim;
            Lewm::new(model, params)?;
            params.buffer((d, d), "whitening", Init::Zeros)?;
            Probes::new(d, moving_bodies(data).len(), params)?;
            if self.proposal.is_some() {
                Proposal::new(d, model.history, model.action_dim, params)?;
            }
            if let Some(sizes) = self.readouts.decoder {
                Decoder::new(sizes, d, data.size, params)?;
            }
            Ok(())
        })
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        if let Some(folder) = self.start.as_ref().filter(|_| session.is_fresh()) {
            let weights = folder::weights(folder, session.device())?;
            session.params = weights.drawing_missing(session.given.seed);
            session.enter(1);
        }
        let params = session.params.clone();
        let mut model = Lewm::new(&self.model, &params)?;
        if self.start.is_some() {
            params.keep(|name| folder::is_readout(name) || name.starts_with("proposal."))?;
        } else if session.is_fresh() {
            let mean = mean_image(session.data, &session.train_episodes);
            model.set_mean_image(mean, &params)?;
        }
        let watch = Watch::new(session, &model);
        if session.is_due(0) {
            let (phase, seed) = (&self.joint, session.given.seed);
            let shape = (phase.tokens, self.model.frameskip);
            let (episodes, draws) = (&session.train_episodes, seed ^ SEQUENCES);
            let sequences = Sequences::new(session.data, episodes, shape, phase.batch, draws);
            let joint = Joint {
                phase,
                model: &model,
                params: params.clone(),
                sequences: sequences.or_too_little("training sequences")?,
                watch: &watch,
                seed,
            };
            session.run(&joint, None)?;
        }
        session.enter(1);
        let verdict = match watch.judge(session.progress.step)? {
            None => "Too few episodes to validate.".into(),
            Some(verdict) => {
                let rank = verdict.rank;
                let sentence = format!("{} rank of the latents {rank:.1}.", verdict.state());
                session.curve.write(&verdict.line.into())?;
                sentence
            }
        };
        self.predict(session, &model)?;
        let quality = match &self.start {
            None => self.read_out(session)?,
            Some(folder) => {
                let (from, to) = (folder, &session.given.options.out);
                let [from, to] = [from, to].map(|dir| dir.join(folder::READOUTS_TABLE));
                if from.is_file() {
                    std::fs::copy(&from, &to).map_err(io(&to))?;
                }
                format!(
                    "Encoder, read-outs and prior are those of {}; the predictor went on learning.",
                    folder.display()
                )
            }
        };
        let notes = format!(
            "Convolutional encoder and residual MLP predictor with history {} in place of transformers; \
             inverse-dynamics loss; second phase on stored latents; whitened distance. {verdict} {quality}",
            self.model.history
        );
        let made = Made::new(&session.given, &params, &self.model, Camp::Jepa, notes)?;
        Ok(made.of_parts(&["encoder", "predictor"]))
    }

    fn has_readouts(&self) -> bool {
        true
    }

    /// Fits the read-outs and the action prior of a finished model again; its other weights stay as they are,
    /// and so does what its card says of them.
    fn fit_readouts(&self, session: &mut Session) -> Result<(), TrainError> {
        // Read whole, so that what belongs to no read-out is written back as it was.
        Lewm::new(&self.model, &session.params)?;
        let d = self.model.latent_dim;
        session.params.buffer((d, d), "whitening", Init::Zeros)?;
        self.read_out(session)?;
        let out = &session.given.options.out;
        let before = Card::load(out)?;
        let (sha256, readouts) = weights_to(out, &session.params)?;
        let card = Card {
            sha256,
            readouts,
            ..before
        };
        folder::save_network(out, &folder::network_text(&self.model)?)?;
        Ok(card.save(out)?)
    }
}

impl LewmRecipe {
    /// Whether encoder and predictor learn together first.
    fn is_joint(&self) -> bool {
        self.start.is_none() && self.joint.length != Length::Skip
    }

    /// The latents of about so many frames of the training episodes, and of about `held_out` of the others.
    fn latents(
        &self,
        session: &Session,
        [train, held_out]: [usize; 2],
    ) -> Result<[Stored<f32>; 2], TrainError> {
        let model = Lewm::new(&self.model, &session.params.detached())?;
        let encode = |episodes: &[usize], most| {
            let episodes = thinned(session.data, episodes, most);
            let shape = (self.model.latent_dim, 8);
            Stored::encode(session.data, &episodes, shape, &session.clock, |bytes| {
                model.encode_frames(bytes)?.flatten_all()?.to_vec1::<f32>()
            })
        };
        Ok([
            encode(&session.train_episodes, train)?,
            encode(&session.validation_episodes, held_out)?,
        ])
    }

    /// The whitened distance and the second phase, on stored latents.
    fn predict(&self, session: &mut Session, model: &Lewm) -> Result<(), TrainError> {
        let (phase, data, params) = (&self.predictor, session.data, session.params.clone());
        let [latents, held_out] =
            self.latents(session, [phase.max_frames, phase.max_frames / 10])?;
        let d = self.model.latent_dim;
        let differences = latents.differences(data, self.model.frameskip);
        let covariance = difference_covariance(&differences, d);
        let w = whitening(&covariance, d, self.model.whiten_lambda)
            .ok_or(TrainError::none_of("rank of the latents' motion"))?;
        let buffer = params.buffer((d, d), "whitening", Init::Zeros)?;
        buffer.set(&Tensor::from_vec(w, (d, d), params.device())?)?;
        let whitening = buffer.as_detached_tensor();
        let frozen = Lewm::new(&self.model, &params.detached())?;
        let shape = (phase.rollout + self.model.history, self.model.frameskip);
        let seed = session.given.seed;
        let sequences = |latents: &Stored<f32>, salt: u64| {
            let draws = seed ^ SEQUENCES ^ salt;
            Sequences::new(data, &latents.episodes, shape, phase.batch, draws)
        };
        let train = sequences(&latents, 0xCAC4E);
        let predicting = Predicting {
            phase,
            model,
            frozen: &frozen,
            params,
            whitening,
            train: (
                &latents,
                train.or_too_little("sequences for the second phase")?,
            ),
            check: (&held_out, sequences(&held_out, 0xC4EC4)),
            seed,
        };
        session.run(&predicting, None)
    }

    /// Action prior, probes and diagnostic decoder; a sentence for the card.
    fn read_out(&self, session: &mut Session) -> Result<String, TrainError> {
        if let Some(phase) = self.proposal {
            let [latents, held_out] =
                self.latents(session, [phase.max_frames, phase.max_frames / 10])?;
            proposal::run(session, phase, &self.model, (&latents, &held_out))?;
        }
        let (phase, data) = (&self.readouts, session.data);
        let [latents, held_out] =
            self.latents(session, [phase.max_frames, phase.max_frames / 4])?;
        let found = fit::fit(session, phase, data, &latents, &held_out)?;
        if let Some(sizes) = phase.decoder {
            let model = Lewm::new(&self.model, &session.params.detached())?;
            let stored = (&latents, &held_out);
            let mean = model.mean_image();
            decoder::run(session, mean, stored, sizes, phase.decoder_steps)?;
        }
        Ok(found)
    }
}
