//! How a cloned policy is trained: pairs of frames of one episode, and the action that led from the first towards the second. A distance to
//! go is trained on the same pairs, and how far apart they are; frames of different episodes are out of reach.

use super::bounds::{self, Fault, within};
use super::curve::short;
use super::lewm::mean_image;
use super::session::{Opened, Session};
use super::{
    Architecture, Export, Length, Outcome, TrainConfig, TrainError, TrainOptions, export, fit,
};
use crate::episode::Dataset;
use crate::model::Camp;
use crate::model::cloning::{Cloning, CloningConfig};
use crate::model::nn::{AdamW, AdamWConfig, Rng};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;

/// Model and training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CloningRecipe {
    /// Architecture.
    pub model: CloningConfig,
    /// How long.
    pub length: Length,
    /// Pairs a batch.
    pub batch: usize,
    /// A goal lies 1 to this many control steps ahead, uniformly.
    pub ahead: usize,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the training that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Steps between lines of the curve.
    pub log_every: usize,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
}

impl Default for CloningRecipe {
    fn default() -> Self {
        Self {
            model: CloningConfig::default(),
            length: Length::Steps(10_000),
            batch: 80,
            ahead: 25,
            optimiser: AdamWConfig::default(),
            warmup: 0.01,
            clip: 1.,
            log_every: 100,
            checkpoint_seconds: 120.,
        }
    }
}

impl CloningRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> Result<(), Fault> {
        bounds::inside("model", self.model.check())?;
        bounds::length("length", self.length, false)?;
        within("batch", self.batch, 2..=65_536)?;
        within("ahead", self.ahead, 1..=100_000)?;
        bounds::optimiser("optimiser", &self.optimiser)?;
        within("warmup", self.warmup, 0. ..=1.)?;
        bounds::positive("clip", self.clip, 1e9)?;
        within("log_every", self.log_every, 1..=1_000_000_000)?;
        within("checkpoint_seconds", self.checkpoint_seconds, 0. ..=86_400.)
    }

    /// As [`check`](Self::check), where a distance is to be learned.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check_distance(&self) -> Result<(), Fault> {
        self.check()?;
        match self.model.action_dim {
            1 => Ok(()),
            n => Err((
                "model.action_dim".into(),
                format!("found {n}, expected 1: a distance is one number"),
            )),
        }
    }
}

/// Whether the experience is enough to learn from and to validate on, and the weights make a file that is
/// read again.
pub(super) fn check_fit(
    config: &TrainConfig,
    recipe: &CloningRecipe,
    data: &Dataset,
) -> Result<(), TrainError> {
    fit::side(data, "model.image_size", recipe.model.image_size)?;
    let (train, validation) = data.split_episodes(config.validation_share);
    for (what, episodes) in [("training", &train), ("validation", &validation)] {
        fit::long_enough(data, episodes, ("ahead", what), 2, 1)?;
    }
    fit::file_size(|params| Cloning::new(&recipe.model, params).map(|_| ()))
}

/// What is learned of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The first action on the way.
    Action,
    /// The steps between, as a share of the most.
    Steps,
}

/// One in so many pairs is of frames of different episodes, where steps are learned.
const APART: usize = 4;

/// Pairs of frames and actions, drawn by seed and step alone.
struct Pairs<'a> {
    data: &'a Dataset,
    target: Target,
    /// Every frame that has a later one in its episode, and how many.
    starts: Vec<(usize, usize)>,
    ahead: usize,
    batch: usize,
    seed: u64,
}

impl<'a> Pairs<'a> {
    fn new(
        data: &'a Dataset,
        target: Target,
        episodes: &[usize],
        recipe: &CloningRecipe,
        seed: u64,
    ) -> Self {
        let later = |&e: &usize| {
            let span = data.episodes[e];
            (0..span.len.saturating_sub(1)).map(move |t| (span.start + t, span.len - 1 - t))
        };
        Self {
            data,
            target,
            starts: episodes.iter().flat_map(later).collect(),
            ahead: recipe.ahead,
            batch: recipe.batch,
            seed,
        }
    }

    /// Frames that are seen, goals, actions `[N, A]` or steps `[N, 1]`.
    fn draw(&self, step: usize) -> (Vec<u8>, Vec<f32>) {
        let mut rng = Rng::stream(self.seed ^ 0xC10_4E5, step as u64);
        let (mut now, mut goals, mut actions) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..self.batch {
            let (frame, left) = self.starts[rng.below(self.starts.len())];
            let goal = match self.target {
                Target::Action => {
                    actions.extend_from_slice(self.data.action(frame));
                    frame + 1 + rng.below(self.ahead.min(left))
                }
                Target::Steps if rng.below(APART) == 0 => {
                    actions.push(1.);
                    self.starts[rng.below(self.starts.len())].0
                }
                Target::Steps => {
                    let steps = rng.below(self.ahead.min(left) + 1);
                    actions.push(steps as f32 / self.ahead as f32);
                    frame + steps
                }
            };
            now.extend_from_slice(self.data.frame(frame));
            goals.extend_from_slice(self.data.frame(goal));
        }
        now.extend(goals);
        (now, actions)
    }
}

/// Trains a cloned policy into `options.out`.
pub(super) fn train(
    config: &TrainConfig,
    recipe: &CloningRecipe,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    let Opened {
        mut session,
        params,
        resumed_steps,
    } = Session::open(config, recipe, data, options)?;
    let mut model = Cloning::new(&recipe.model, &params)?;
    if resumed_steps.is_none() {
        let mean = mean_image(data, &session.train_episodes);
        model
            .encoder_mut()
            .set_mean_image(mean, &params.pp("encoder"))?;
    }
    let target = match config.architecture {
        Architecture::StepsToGo(_) => Target::Steps,
        _ => Target::Action,
    };
    let of = |episodes, seed| Pairs::new(data, target, episodes, recipe, seed);
    let pairs = of(&session.train_episodes, config.seed);
    let held_out = of(&session.validation_episodes, config.seed ^ 1);
    if pairs.starts.is_empty() || held_out.starts.is_empty() {
        return Err(TrainError::TooLittle {
            field: "pairs of frames",
            found: 0,
            expected: 1,
        });
    }
    let mut optimiser = AdamW::new(params.vars(), recipe.optimiser)?;
    if let Some(steps) = resumed_steps {
        session
            .checkpoint
            .restore(&mut optimiser, steps, &options.device)?;
    }
    let (mut since, mut steps_since) = (Instant::now(), 0usize);
    let mut saved_at = Instant::now();
    let tensors = |(frames, actions): (Vec<u8>, Vec<f32>)| -> Result<(Tensor, Tensor), TrainError> {
        let shape = (recipe.batch, recipe.model.action_dim);
        let actions = Tensor::from_vec(actions, shape, &options.device)?;
        Ok((model.encoder().pixels(&frames)?, actions))
    };
    let validate = || -> Result<(f64, f64), TrainError> {
        const BATCHES: usize = 10;
        let (mut error, mut idle) = (0., 0.);
        for batch in 0..BATCHES {
            let (pixels, actions) = tensors(held_out.draw(batch))?;
            let loss = model.loss(&pixels, &actions, false)?;
            error += f64::from(loss.to_scalar::<f32>()?) / BATCHES as f64;
            // Doing nothing, or saying the mean of all distances.
            let rest = match target {
                Target::Action => actions.sqr()?,
                Target::Steps => actions.broadcast_sub(&actions.mean_all()?)?.sqr()?,
            };
            idle += f64::from(rest.mean_all()?.to_scalar::<f32>()?) / BATCHES as f64;
        }
        Ok((error, idle))
    };
    let (mut error, mut idle) = (f64::NAN, f64::NAN);
    let first = session.progress.step;
    loop {
        let step = session.progress.step;
        let seconds = session.seconds();
        session.progress.seconds = seconds;
        let done = recipe.length.progress(step, seconds) >= 1.;
        // Every run takes a step, so that runs of whatever length come to an end.
        let stop = session.clock.is_up() && step > first && !done;
        if stop || saved_at.elapsed().as_secs_f64() > recipe.checkpoint_seconds {
            session
                .checkpoint
                .save(&params, &optimiser, &session.progress)?;
            saved_at = Instant::now();
        }
        if stop {
            return Ok(Outcome::Paused);
        }
        if done || step.is_multiple_of(recipe.log_every.max(1)) {
            (error, idle) = validate()?;
            let rate = (steps_since * recipe.batch) as f64 / since.elapsed().as_secs_f64();
            session.curve.write(&json!({
                "phase": config.architecture.id(), "step": step, "minutes": short(seconds / 60.),
                "validation_error": short(error), "validation_idle": short(idle), "pairs_per_s": rate.round(),
            }))?;
            (since, steps_since) = (Instant::now(), 0);
        }
        if done {
            break;
        }
        let (pixels, actions) = tensors(pairs.draw(step))?;
        let loss = model.loss(&pixels, &actions, true)?;
        let lr = recipe
            .length
            .rate(step, seconds, recipe.warmup, recipe.optimiser.lr);
        let norm = optimiser.step(&loss.backward()?, lr, Some(recipe.clip))?;
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                phase: "cloning",
                step,
                norm,
            });
        }
        session.progress.step += 1;
        session.progress.total_steps += 1;
        steps_since += 1;
    }
    let what = Export {
        camp: Camp::Reference,
        parameters: params.count() as u64,
        steps: session.progress.total_steps,
        seconds: session.progress.seconds,
        notes: match target {
            Target::Action => format!(
                "A policy, not a world model: goals up to {} steps ahead in hindsight, mean squared error of one action. On validation \
                 episodes {error:.3}; doing nothing {idle:.3}.",
                recipe.ahead
            ),
            Target::Steps => format!(
                "A distance, not a world model: control steps between two frames of an episode, as a share of {}; 1 for frames of different \
                 episodes. Mean squared error on validation episodes {error:.4}; of their mean {idle:.4}.",
                recipe.ahead
            ),
        },
        device: &options.device,
    };
    export(config, data, &params, &options.out, &what)?;
    Ok(Outcome::Finished)
}
