//! How a V-JEPA 2-AC is trained: masked clips of all scenes without their actions, then, with the encoder as
//! it is then, the action-conditioned predictor on stored maps of the scenes that are to be controlled; then
//! the summary, the whitened distance and the read-outs.

mod actions;
mod masked;
mod watch;

pub use actions::ActionPhase;
pub use masked::MaskedPhase;

use crate::episode::Dataset;
use crate::model::jepa::vjepa::{ActionJepa, MaskedJepa, Summary, VjepaConfig};
use crate::model::jepa::{Probes, difference_covariance, whitening};
use crate::model::nn::{Init, Params};
use crate::model::{Camp, folder};
use crate::train::bounds::{self, Fault};
use crate::train::curve::short;
use crate::train::data::fit as suits;
use crate::train::data::sampling::{frames_of, thinned, windows};
use crate::train::data::sequences::Sequences;
use crate::train::data::stored::Stored;
use crate::train::data::targets::moving_bodies;
use crate::train::error::TrainError;
use crate::train::export::{Experience, Made};
use crate::train::readouts::fit::{self, ReadoutPhase};
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use actions::{Acting, experience, keep_apart};
use candle_core::Tensor;
use half::f16;
use masked::Masked;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use watch::Watch;

/// Model and stages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VjepaRecipe {
    /// Architecture.
    pub model: VjepaConfig,
    /// Folder of a finished V-JEPA of the same sizes whose weights this training begins with: its encoder
    /// stays as it is, the first stage is left out, and its predictor goes on learning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<PathBuf>,
    /// Masked clips, without actions.
    pub masked: MaskedPhase,
    /// The action-conditioned predictor on stored maps.
    pub actions: ActionPhase,
    /// Probes of the frozen maps' summaries.
    pub readouts: ReadoutPhase,
}

impl Recipe for VjepaRecipe {
    fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        self.masked.check(&self.model)?;
        self.actions.check()?;
        self.readouts.check(self.model.image_size)
    }

    fn action_dim(&self) -> usize {
        self.model.action_dim
    }

    fn start(&self) -> Option<&Path> {
        self.start.as_deref()
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let (model, masked, actions) = (&self.model, &self.masked, &self.actions);
        let data = given.data;
        suits::side(data, "model.image_size", model.image_size)?;
        let (train, _) = data.split_episodes(given.validation_share);
        if self.start.is_none() {
            let what = ("model.clip_frames", "training");
            suits::long_enough(data, &train, what, model.clip_frames, masked.stride)?;
        }
        let is_there = |name: &&String| data.scenes.iter().any(|s| s.name == **name);
        if let Some(name) = masked.gate_scenes.iter().find(|name| !is_there(name)) {
            let message = format!("found {name}, of which there are no episodes");
            return Err(TrainError::misfit("masked.gate_scenes", message));
        }
        // Read now and again when its turn has come: what is wrong with it is not found out after the first
        // stage.
        let own = experience(actions, model.action_dim, given.options)?;
        let second = own.as_ref().unwrap_or(data);
        suits::any(second)?;
        suits::side(second, "model.image_size", model.image_size)?;
        let (stored, held_out) = second.split_episodes(given.validation_share);
        if let Some(own) = &own {
            keep_apart(data, &train, own, &held_out)?;
        }
        let stored = thinned(second, &stored, actions.max_frames);
        let what = ("actions.rollout", "training");
        let tokens = actions.rollout + model.history;
        suits::long_enough(second, &stored, what, tokens, model.frameskip)?;
        suits::file_size(|params| {
            let k = model.summary;
            MaskedJepa::new(model, params)?;
            ActionJepa::new(model, params)?;
            Summary::new(model, params)?;
            params.buffer((k, k), "whitening", Init::Zeros)?;
            Probes::new(k, moving_bodies(second).len(), params)?;
            Ok(())
        })
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        if let Some(folder) = self.start.as_ref().filter(|_| session.is_fresh()) {
            let path = folder.join(folder::WEIGHTS);
            let seed = session.given.seed;
            session.params = Params::load(&path, session.device())?.drawing_missing(seed);
            session.enter(1);
        }
        let (params, data, model) = (session.params.clone(), session.data, &self.model);
        let networks = MaskedJepa::new(model, &params)?;
        let maps = ActionJepa::new(model, &params)?;
        if session.is_fresh() && self.start.is_none() {
            MaskedJepa::follow(&params, 0.)?;
        }
        let watch = Watch::new(session, &maps, &self.masked.gate_scenes);
        if session.is_due(0) {
            let (phase, frames) = (&self.masked, model.clip_frames);
            let starts = windows(data, &session.train_episodes, frames, phase.stride);
            if starts.is_empty() {
                return Err(TrainError::none_of("training clips"));
            }
            let masked = Masked {
                phase,
                networks: &networks,
                params: params.clone(),
                data,
                starts,
                watch: &watch,
                seed: session.given.seed,
            };
            session.run(&masked, None)?;
        }
        session.enter(1);
        let verdict = match watch.judge(session.progress.step)? {
            None => "Too few episodes to validate.".into(),
            Some(verdict) => {
                let (rank, std) = (verdict.rank, verdict.std);
                let state = verdict.state();
                session.curve.write(&verdict.line.into())?;
                format!("{state} rank of the embeddings at a place {rank:.1}, spread {std:.2}.")
            }
        };
        let mut own = experience(&self.actions, model.action_dim, session.given.options)?;
        let stored = self.maps(session, own.as_ref().unwrap_or(data))?;
        if let Some(own) = &mut own {
            // What is stored stands for the frames from here on.
            own.frames = Vec::new();
        }
        let second = own.as_ref().unwrap_or(data);
        let (phase, seed) = (&self.actions, session.given.seed);
        let shape = (phase.rollout + model.history, model.frameskip);
        let sequences = |maps: &Stored<f16>, salt: u64| {
            Sequences::new(second, &maps.episodes, shape, phase.batch, seed ^ salt)
        };
        let train = sequences(&stored[0], 0x00AC_7105);
        let (numbers, summarised) = self.summarise(session, second, &stored)?;
        let acting = Acting {
            phase,
            metric: self.metric(&params)?,
            model: &maps,
            params: params.clone(),
            train: (
                &stored[0],
                train.or_too_little("sequences for the second stage")?,
            ),
            check: (&stored[1], sequences(&stored[1], 0x000C_4EC4)),
        };
        session.run(&acting, None)?;
        let most = self.readouts.max_frames;
        let [fit, test] = numbers;
        let (fit, test) = (fit.thinned(second, most), test.thinned(second, most / 4));
        let quality = fit::fit(session, &self.readouts, second, &fit, &test)?;
        let eye = match &self.start {
            Some(folder) => format!("The encoder of {}", folder.display()),
            None => format!(
                "Masked pretraining on {} scenes, {} frames, without actions",
                data.scenes.len(),
                data.len()
            ),
        };
        let notes = format!(
            "{eye}; then the encoder as it is and a predictor over {} tokens a frame, each of \
             {merge}x{merge} patches, with the actions told to every token. {verdict} {summarised} \
             {quality}",
            model.cells() / model.merge.pow(2),
            merge = model.merge,
        );
        let made = Made::new(&session.given, &params, model, Camp::Jepa, notes)?;
        Ok(Made {
            experience: Experience::of(second),
            ..made.of_parts(&["target", "predictor"])
        })
    }
}

impl VjepaRecipe {
    /// Maps of about so many frames as the recipe says of the training episodes, and of a tenth of the
    /// others.
    fn maps(&self, session: &Session, data: &Dataset) -> Result<[Stored<f16>; 2], TrainError> {
        let encoder = ActionJepa::new(&self.model, &session.params.detached())?;
        let (train, held_out) = data.split_episodes(session.given.validation_share);
        let encode = |episodes: &[usize], most: usize| {
            let episodes = thinned(data, episodes, most);
            let shape = (self.model.map_len(), 1);
            Stored::encode(data, &episodes, shape, &session.clock, |bytes| {
                let maps = encoder.encode_frames(bytes)?;
                maps.flatten_all()?.to_vec1::<f32>()
            })
        };
        let most = self.actions.max_frames;
        Ok([encode(&train, most)?, encode(&held_out, most / 10)?])
    }

    /// Summary and whitened distance of what the encoder sees, which stays as it is from here on: the
    /// stored frames in the summary's numbers, and a sentence for the card.
    fn summarise(
        &self,
        session: &mut Session,
        data: &Dataset,
        [stored, held_out]: &[Stored<f16>; 2],
    ) -> Result<([Stored<f32>; 2], String), TrainError> {
        let (model, params) = (&self.model, session.params.clone());
        let (k, len) = (model.summary, model.map_len());
        let frames = frames_of(data, &stored.episodes);
        let step = frames.len().div_ceil(self.actions.summary_frames.max(1));
        let sample: Vec<usize> = frames.into_iter().step_by(step.max(1)).collect();
        let maps = |rows: Vec<f32>| Tensor::from_vec(rows, ((), len), &candle_core::Device::Cpu);
        let (summary, held) = Summary::of(&maps(stored.gather(&sample))?, k)?;
        summary.store(model, &params)?;
        let numbers = |stored: &Stored<f16>| {
            let read = |rows| summary.read(&maps(rows)?)?.flatten_all()?.to_vec1();
            stored.mapped(k, read)
        };
        let (fit, test) = (numbers(stored)?, numbers(held_out)?);
        let covariance = difference_covariance(&fit.differences(data, model.frameskip), k);
        let w = whitening(&covariance, k, model.whiten_lambda)
            .ok_or(TrainError::none_of("rank of the maps' motion"))?;
        let buffer = params.buffer((k, k), "whitening", Init::Zeros)?;
        buffer.set(&Tensor::from_vec(w, (k, k), params.device())?)?;
        session
            .curve
            .write(&json!({ "phase": "summary", "components": k, "variance": short(held) }))?;
        let said = format!(
            "{k} principal components hold {:.0} % of the maps' variance.",
            100. * held
        );
        Ok(([fit, test], said))
    }

    /// From a difference of maps to the whitened numbers in which a planner measures it: `[map, K]`.
    fn metric(&self, params: &Params) -> Result<Tensor, TrainError> {
        let k = self.model.summary;
        let basis = Summary::new(&self.model, params)?;
        let w = params.buffer((k, k), "whitening", Init::Zeros)?;
        let w = w.as_detached_tensor().t()?;
        Ok(basis.basis().matmul(&w)?)
    }
}
