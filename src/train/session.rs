//! What the phases of one training share.

use super::{Checkpoint, Clock, Curve, Progress, TrainConfig, TrainError, TrainOptions};
use crate::episode::Dataset;
use crate::model::nn::Params;

/// One training under way, of a recipe `R`.
pub(super) struct Session<'a, R> {
    pub config: &'a TrainConfig,
    pub recipe: &'a R,
    pub data: &'a Dataset,
    pub train_episodes: Vec<usize>,
    pub validation_episodes: Vec<usize>,
    pub options: &'a TrainOptions,
    pub clock: Clock,
    pub checkpoint: Checkpoint,
    pub curve: Curve,
    pub progress: Progress,
    /// Seconds of the runs that this one resumes.
    pub earlier_seconds: f64,
}

/// A training as it begins, or goes on.
pub(super) struct Opened<'a, R> {
    pub session: Session<'a, R>,
    /// Fresh weights, those of the checkpoint, or (where only read-outs are fitted anew) those of the finished model.
    pub params: Params,
    /// Steps that the optimiser of the checkpoint had taken, where there is one.
    pub resumed_steps: Option<usize>,
}

impl<'a, R> Session<'a, R> {
    /// Begins a training, or goes on with the one whose checkpoint lies in `options.out`.
    ///
    /// # Errors
    /// [`TrainError`] if a checkpoint cannot be read.
    pub fn open(
        config: &'a TrainConfig,
        recipe: &'a R,
        data: &'a Dataset,
        options: &'a TrainOptions,
    ) -> Result<Opened<'a, R>, TrainError> {
        let checkpoint = Checkpoint::new(&options.out, config)?;
        let saved = match options.resume && !options.readouts_only {
            true => checkpoint.progress()?,
            false => None,
        };
        let params = match &saved {
            Some(_) => checkpoint
                .weights(&options.device)?
                .drawing_missing(config.seed),
            None if options.readouts_only => {
                let finished = options.out.join("model.safetensors");
                Params::load(&finished, &options.device)?.drawing_missing(config.seed)
            }
            None => Params::fresh(config.seed, &options.device),
        };
        let (train_episodes, validation_episodes) = data.split_episodes(config.validation_share);
        let session = Session {
            config,
            recipe,
            data,
            train_episodes,
            validation_episodes,
            options,
            clock: Clock::start(options.minutes, &options.stop),
            curve: Curve::open(&options.out, saved.is_some() || options.readouts_only)?,
            checkpoint,
            progress: saved.as_ref().map(|(p, _)| p.clone()).unwrap_or_default(),
            earlier_seconds: saved.as_ref().map_or(0., |(p, _)| p.seconds),
        };
        Ok(Opened {
            session,
            params,
            resumed_steps: saved.map(|(_, steps)| steps),
        })
    }

    /// Seconds of training, those of earlier runs included.
    pub fn seconds(&self) -> f64 {
        self.earlier_seconds + self.clock.seconds()
    }

    /// The phase is over and the next begins.
    pub fn next_phase(&mut self) {
        self.progress.phase += 1;
        self.progress.step = 0;
        self.progress.phase_seconds = 0.;
    }
}
