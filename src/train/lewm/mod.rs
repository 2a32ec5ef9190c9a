//! How a LeWM is trained: encoder and predictor jointly, then the predictor alone on stored latents, then the
//! whitened distance, then the read-outs.
//!
//! The second phase is cheap (a latent is 200 times smaller than a frame) and decides much: in our trials it and the
//! whitened distance took pushing from 46 to 76 % success.

mod bench;
mod decoding;
mod gate;
mod joint;
mod predictor;
mod proposing;
mod readouts;
mod sampler;

pub use bench::bench_lewm_step;
pub use joint::JointPhase;
pub use predictor::PredictorPhase;
pub(super) use predictor::{Latents, thinned};
pub use proposing::ProposalPhase;
pub use readouts::ReadoutPhase;
pub(super) use readouts::{Place, Targets, fit as fit_readouts, moving_bodies};
pub(super) use sampler::{frames_of, mean_image, spread, windows};

use super::bounds::{self, Fault};
use super::session::Opened;
use super::{
    Export, Length, Outcome, TrainConfig, TrainError, TrainOptions, export, fit, weights_to,
};
use crate::episode::Dataset;
use crate::model::jepa::{Decoder, Lewm, LewmConfig, Probes, Proposal};
use crate::model::nn::{Init, Params};
use crate::model::{Camp, Card};
use gate::Gate;
use serde::{Deserialize, Serialize};

/// Model and phases.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LewmRecipe {
    /// Architecture.
    pub model: LewmConfig,
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

impl LewmRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        self.joint.check(&self.model)?;
        self.predictor.check(self.joint.length != Length::Skip)?;
        self.readouts.check(self.model.image_size)?;
        self.proposal.map_or(Ok(()), |phase| phase.check())
    }
}

/// Whether the experience is enough for every phase, and the weights make a file that is read again.
pub(super) fn check_fit(
    config: &TrainConfig,
    recipe: &LewmRecipe,
    data: &Dataset,
) -> Result<(), TrainError> {
    let (model, joint, predictor) = (&recipe.model, &recipe.joint, &recipe.predictor);
    fit::side(data, "model.image_size", model.image_size)?;
    let (train, validation) = data.split_episodes(config.validation_share);
    let frames = |episodes: &[usize]| {
        episodes
            .iter()
            .map(|&e| data.episodes[e].len)
            .sum::<usize>()
    };
    let stored = |episodes: &[usize], most: usize| {
        thinned(episodes, most as f64 / frames(episodes).max(1) as f64)
    };
    let skip = model.frameskip;
    if joint.length != Length::Skip {
        let what = ("joint.tokens", "training");
        fit::long_enough(data, &train, what, joint.tokens, skip)?;
    }
    let second = stored(&train, predictor.max_frames);
    let tokens = predictor.rollout + model.history;
    let what = ("predictor.rollout", "training");
    fit::long_enough(data, &second, what, tokens, skip)?;
    if let Some(prior) = recipe.proposal {
        let parts = [
            ("training", &train, prior.max_frames),
            ("validation", &validation, prior.max_frames / 10),
        ];
        for (what, episodes, most) in parts {
            let episodes = stored(episodes, most);
            let tokens = model.history + 1;
            fit::long_enough(data, &episodes, ("proposal", what), tokens, skip)?;
        }
    }
    fit::file_size(|params| {
        let d = model.latent_dim;
        Lewm::new(model, params)?;
        params.buffer((d, d), "whitening", Init::Zeros)?;
        Probes::new(d, moving_bodies(data).len(), params)?;
        if recipe.proposal.is_some() {
            Proposal::new(d, model.history, model.action_dim, params)?;
        }
        if let Some(sizes) = recipe.readouts.decoder {
            Decoder::new(sizes, d, data.size, params)?;
        }
        Ok(())
    })
}

/// What all phases share.
type Session<'a> = super::session::Session<'a, LewmRecipe>;

/// Trains a LeWM into `options.out`.
pub(super) fn train(
    config: &TrainConfig,
    recipe: &LewmRecipe,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    let Opened {
        mut session,
        params,
        resumed_steps: mut optimiser_steps,
    } = Session::open(config, recipe, data, options)?;
    let mut model = Lewm::new(&recipe.model, &params)?;
    if optimiser_steps.is_none() && !options.readouts_only {
        let mean = sampler::mean_image(data, &session.train_episodes);
        model.set_mean_image(mean, &params)?;
    }
    let gate = Gate::new(&session);
    if options.readouts_only {
        return readouts_anew(&mut session, &params);
    }
    if session.progress.phase == 0 {
        if joint::run(&mut session, &model, &params, &gate, optimiser_steps.take())?
            == Outcome::Paused
        {
            return Ok(Outcome::Paused);
        }
        session.next_phase();
    }
    let verdict = gate.judge(&model, &mut session)?;
    if predictor::run(&mut session, &params, optimiser_steps)? == Outcome::Paused {
        return Ok(Outcome::Paused);
    }
    if let Some(phase) = recipe.proposal {
        proposing::run(&mut session, &params, phase)?;
    }
    let quality = readouts::run(&mut session, &params)?;
    let frozen = params.detached();
    let parts = ["encoder", "predictor"];
    let what = Export {
        camp: Camp::Jepa,
        parameters: parts
            .iter()
            .map(|part| frozen.pp(part).count() as u64)
            .sum(),
        steps: session.progress.total_steps,
        seconds: session.seconds(),
        notes: format!(
            "Convolutional encoder and residual MLP predictor with history {} in place of transformers; inverse-dynamics \
             loss; second phase on stored latents; whitened distance. {verdict} {quality}",
            recipe.model.history
        ),
        device: &options.device,
    };
    export(config, data, &params, &options.out, &what)?;
    Ok(Outcome::Finished)
}

/// Fits the read-outs and the action prior of a finished model again; its other weights stay as they are, and so does what its card says of them.
fn readouts_anew(session: &mut Session, params: &Params) -> Result<Outcome, TrainError> {
    // Read whole, so that what belongs to no read-out is written back as it was.
    let _ = crate::model::jepa::Lewm::new(&session.recipe.model, params)?;
    let d = session.recipe.model.latent_dim;
    params.buffer((d, d), "whitening", Init::Zeros)?;
    if let Some(phase) = session.recipe.proposal {
        proposing::run(session, params, phase)?;
    }
    readouts::run(session, params)?;
    let out = &session.options.out;
    let before = Card::load(out)?;
    let sha256 = weights_to(&out.join("model.safetensors"), params)?;
    Card { sha256, ..before }.save(out)?;
    Ok(Outcome::Finished)
}
