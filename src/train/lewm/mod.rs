//! How a LeWM is trained: encoder and predictor jointly, then the predictor alone on stored latents, then the
//! whitened distance, then the read-outs.
//!
//! The second phase is cheap (a latent is 200 times smaller than a frame) and decides much: in our trials it and the
//! whitened distance took pushing from 46 to 76 % success.

mod bench;
mod gate;
mod joint;
mod predictor;
mod readouts;
mod sampler;

pub use bench::bench_lewm_step;
pub use joint::JointPhase;
pub(super) use predictor::Latents;
pub use predictor::PredictorPhase;
pub use readouts::ReadoutPhase;
pub(super) use readouts::{Place, Targets, fit as fit_readouts, moving_bodies};
pub(super) use sampler::{frames_of, mean_image, windows};

use super::{
    Checkpoint, Clock, Curve, Export, Outcome, Progress, TrainConfig, TrainError, TrainOptions,
    export,
};
use crate::episode::Dataset;
use crate::model::Camp;
use crate::model::jepa::{Lewm, LewmConfig};
use crate::model::nn::Params;
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
}

impl LewmRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.model.check()?;
        if self.joint.batch < 2 {
            return Err((
                "joint.batch",
                format!("found {}, expected at least 2", self.joint.batch),
            ));
        }
        if self.joint.tokens <= self.model.history {
            return Err((
                "joint.tokens",
                format!(
                    "found {}, expected more than the history of {}",
                    self.joint.tokens, self.model.history
                ),
            ));
        }
        if self.predictor.batch == 0 || self.predictor.rollout == 0 {
            return Err(("predictor", "batch and rollout must be at least 1".into()));
        }
        Ok(())
    }
}

/// What all phases share.
struct Session<'a> {
    config: &'a TrainConfig,
    recipe: &'a LewmRecipe,
    data: &'a Dataset,
    train_episodes: Vec<usize>,
    validation_episodes: Vec<usize>,
    options: &'a TrainOptions,
    clock: Clock,
    checkpoint: Checkpoint,
    curve: Curve,
    progress: Progress,
    /// Seconds of the runs that this one resumes.
    earlier_seconds: f64,
}

impl Session<'_> {
    fn seconds(&self) -> f64 {
        self.earlier_seconds + self.clock.seconds()
    }
}

/// Trains a LeWM into `options.out`.
pub(super) fn train(
    config: &TrainConfig,
    recipe: &LewmRecipe,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    if data.size != recipe.model.image_size {
        return Err(TrainError::TooLittle {
            field: "frame side",
            found: data.size,
            expected: recipe.model.image_size,
        });
    }
    let checkpoint = Checkpoint::new(&options.out, config)?;
    let saved = if options.resume {
        checkpoint.progress()?
    } else {
        None
    };
    let (train_episodes, validation_episodes) = data.split_episodes(config.validation_share);
    let params = match &saved {
        Some(_) => checkpoint
            .weights(&options.device)?
            .drawing_missing(config.seed),
        None => Params::fresh(config.seed, &options.device),
    };
    let mut model = Lewm::new(&recipe.model, &params)?;
    let mut session = Session {
        config,
        recipe,
        data,
        train_episodes,
        validation_episodes,
        options,
        clock: Clock::start(options.minutes),
        curve: Curve::open(&options.out, saved.is_some())?,
        checkpoint,
        progress: saved.as_ref().map(|(p, _)| p.clone()).unwrap_or_default(),
        earlier_seconds: saved.as_ref().map_or(0., |(p, _)| p.seconds),
    };
    if saved.is_none() {
        let mean = sampler::mean_image(data, &session.train_episodes);
        model.set_mean_image(mean, &params)?;
    }
    let gate = Gate::new(&session);
    let mut optimiser_steps = saved.map(|(_, steps)| steps);
    if session.progress.phase == 0 {
        if joint::run(&mut session, &model, &params, &gate, optimiser_steps.take())?
            == Outcome::Paused
        {
            return Ok(Outcome::Paused);
        }
        session.progress = Progress {
            phase: 1,
            step: 0,
            phase_seconds: 0.,
            ..session.progress
        };
    }
    let verdict = gate.judge(&model, &mut session)?;
    if predictor::run(&mut session, &params, optimiser_steps)? == Outcome::Paused {
        return Ok(Outcome::Paused);
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
    session.checkpoint.remove()?;
    Ok(Outcome::Finished)
}
