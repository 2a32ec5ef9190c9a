//! How a cloned policy is trained: pairs of frames of one episode, and the action that led from the first
//! towards the second. A distance to go is trained on the same pairs, and how far apart they are; frames of
//! different episodes are out of reach.

use crate::episode::Dataset;
use crate::model::Camp;
use crate::model::cloning::{Cloning, CloningConfig};
use crate::model::nn::{AdamWConfig, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::checkpoint::Progress;
use crate::train::curve::short;
use crate::train::data::fit as suits;
use crate::train::data::sampling::mean_image;
use crate::train::error::TrainError;
use crate::train::export::Made;
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::recipe::Recipe;
use crate::train::run::{Given, Session};
use crate::train::schedule::Length;
use candle_core::{Device, Tensor, Var};
use serde::{Deserialize, Serialize};
use serde_json::json;

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

/// What is learned of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
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

/// A recipe, and what is learned by it.
pub struct Pairwise {
    /// Model and training.
    pub recipe: CloningRecipe,
    /// What is learned of a pair.
    pub target: Target,
}

impl Recipe for Pairwise {
    fn check(&self) -> Result<(), Fault> {
        match self.target {
            Target::Action => self.recipe.check(),
            Target::Steps => self.recipe.check_distance(),
        }
    }

    fn action_dim(&self) -> usize {
        /// Components of an action that a scene may have.
        const MOST_ACTIONS: usize = 4;
        match self.target {
            Target::Action => self.recipe.model.action_dim,
            // It looks at no actions, whatever scenes have.
            Target::Steps => MOST_ACTIONS,
        }
    }

    fn check_fit(&self, given: &Given) -> Result<(), TrainError> {
        let (data, model) = (given.data, &self.recipe.model);
        suits::side(data, "model.image_size", model.image_size)?;
        let (train, validation) = data.split_episodes(given.validation_share);
        for (what, episodes) in [("training", &train), ("validation", &validation)] {
            suits::long_enough(data, episodes, ("ahead", what), 2, 1)?;
        }
        suits::file_size(|params| Cloning::new(model, params).map(|_| ()))
    }

    fn train(&self, session: &mut Session) -> Result<Made, TrainError> {
        let (recipe, params) = (&self.recipe, session.params.clone());
        let mut model = Cloning::new(&recipe.model, &params)?;
        if session.is_fresh() {
            let mean = mean_image(session.data, &session.train_episodes);
            let encoder = params.pp("encoder");
            model.encoder_mut().set_mean_image(mean, &encoder)?;
        }
        let (data, seed, target) = (session.data, session.given.seed, self.target);
        let of = |episodes: &[usize], seed| Pairs::new(data, target, episodes, recipe, seed);
        let learning = Learning {
            name: session.given.architecture,
            model,
            params,
            train: of(&session.train_episodes, seed),
            check: of(&session.validation_episodes, seed ^ 1),
            recipe,
            device: session.device(),
        };
        if learning.train.starts.is_empty() || learning.check.starts.is_empty() {
            return Err(TrainError::none_of("pairs of frames"));
        }
        session.run(&learning, None)?;
        let (error, idle) = learning.validate()?;
        let ahead = recipe.ahead;
        let notes = match target {
            Target::Action => format!(
                "A policy, not a world model: goals up to {ahead} steps ahead in hindsight, mean squared \
                 error of one action. On validation episodes {error:.3}; doing nothing {idle:.3}."
            ),
            Target::Steps => format!(
                "A distance, not a world model: control steps between two frames of an episode, as a share \
                 of {ahead}; 1 for frames of different episodes. Mean squared error on validation episodes \
                 {error:.4}; of their mean {idle:.4}."
            ),
        };
        let given = &session.given;
        Made::new(
            given,
            &session.params,
            &recipe.model,
            Camp::Reference,
            notes,
        )
    }
}

/// The only phase: what it draws and learns.
struct Learning<'a> {
    name: &'static str,
    model: Cloning,
    params: Params,
    train: Pairs<'a>,
    check: Pairs<'a>,
    recipe: &'a CloningRecipe,
    device: &'a Device,
}

impl Learning<'_> {
    /// Frames as the encoder takes them, and what is to be said of each pair.
    fn tensors(
        &self,
        (frames, said): (Vec<u8>, Vec<f32>),
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let shape = (self.recipe.batch, self.recipe.model.action_dim);
        let said = Tensor::from_vec(said, shape, self.device)?;
        Ok((self.model.encoder().pixels(&frames)?, said))
    }

    /// Errors on held-out episodes: the model's, and that of doing nothing or saying the mean of all
    /// distances.
    fn validate(&self) -> Result<(f64, f64), TrainError> {
        const BATCHES: usize = 10;
        let (mut error, mut idle) = (0., 0.);
        for batch in 0..BATCHES {
            let (pixels, said) = self.tensors(self.check.draw(batch))?;
            let loss = self.model.loss(&pixels, &said, false)?;
            error += f64::from(loss.to_scalar::<f32>()?) / BATCHES as f64;
            let rest = match self.check.target {
                Target::Action => said.sqr()?,
                Target::Steps => said.broadcast_sub(&said.mean_all()?)?.sqr()?,
            };
            idle += f64::from(rest.mean_all()?.to_scalar::<f32>()?) / BATCHES as f64;
        }
        Ok((error, idle))
    }
}

impl Phase for Learning<'_> {
    type Batch = (Vec<u8>, Vec<f32>);

    fn plan(&self) -> Plan {
        let r = self.recipe;
        let habits = (r.warmup, r.clip, r.log_every);
        Plan::cosine(
            self.name,
            r.length,
            r.optimiser,
            habits,
            r.checkpoint_seconds,
        )
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, at: At) -> Result<Self::Batch, TrainError> {
        Ok(self.train.draw(at.step))
    }

    fn loss(&self, batch: Self::Batch, _: At) -> Result<Loss, TrainError> {
        let (pixels, said) = self.tensors(batch)?;
        let loss = self.model.loss(&pixels, &said, true)?;
        Ok(Loss::new(loss, self.recipe.batch))
    }

    fn measure(&self, _: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        let (error, idle) = self.validate()?;
        Ok(Some(line(json!({
            "validation_error": short(error), "validation_idle": short(idle),
        }))))
    }
}
