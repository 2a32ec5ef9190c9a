//! The second stage: what actions do to the frozen encoder's maps.

use crate::episode::Dataset;
use crate::model::jepa::vjepa::{ActionJepa, MapError};
use crate::model::nn::{AdamWConfig, Params};
use crate::train::bounds::{self, Fault, within};
use crate::train::checkpoint::Progress;
use crate::train::curve::short;
use crate::train::data::experience::load;
use crate::train::data::sequences::Sequences;
use crate::train::data::stored::Stored;
use crate::train::error::TrainError;
use crate::train::options::TrainOptions;
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::schedule::Length;
use candle_core::{Tensor, Var};
use half::f16;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;

/// Settings of the second stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ActionPhase {
    /// Folders of experience of the scenes to be controlled; none means all that the first stage saw.
    pub data: Vec<PathBuf>,
    /// Upper bound of episodes from each.
    pub episodes: Option<usize>,
    /// How long.
    pub length: Length,
    /// Sequences a batch.
    pub batch: usize,
    /// Imagined steps a sequence, R: each from true maps, and open loop from the first.
    pub rollout: usize,
    /// Errors of an embedding below this count by their square; 0 is the plain absolute error, which holds a
    /// predictor to copying where most of a map stays as it is.
    pub smooth: f64,
    /// Share of a token's weight in the loss that goes by how much it changes, 0 to 1; 0 weighs all alike.
    pub by_change: f64,
    /// What the mean square of the error counts in the planner's own whitened distance; 0 leaves it out.
    pub planned: f64,
    /// How many of a sequence's steps are also predicted from true maps: all, unless it is said. What
    /// remains is imagined open loop, as a planner does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forced: Option<usize>,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the stage that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Upper bound of stored maps.
    pub max_frames: usize,
    /// Maps from which the summary is taken.
    pub summary_frames: usize,
    /// Steps between lines of the curve.
    pub log_every: usize,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
}

impl Default for ActionPhase {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            episodes: None,
            length: Length::Steps(6000),
            batch: 64,
            rollout: 2,
            smooth: 0.,
            by_change: 0.,
            planned: 0.,
            forced: None,
            optimiser: AdamWConfig::default(),
            warmup: 0.03,
            clip: 1.,
            max_frames: 90_000,
            summary_frames: 4000,
            log_every: 200,
            checkpoint_seconds: 120.,
        }
    }
}

impl ActionPhase {
    /// The first field that makes no sense, with why.
    pub(super) fn check(&self) -> Result<(), Fault> {
        within(
            "actions.episodes",
            self.episodes.unwrap_or(1),
            1..=usize::MAX,
        )?;
        bounds::length("actions.length", self.length, false)?;
        within("actions.batch", self.batch, 1..=1 << 20)?;
        within("actions.rollout", self.rollout, 1..=1000)?;
        within("actions.smooth", self.smooth, 0. ..=1e6)?;
        within("actions.by_change", self.by_change, 0. ..=1.)?;
        within("actions.planned", self.planned, 0. ..=1e6)?;
        within("actions.forced", self.forced.unwrap_or(1), 1..=1000)?;
        bounds::optimiser("actions.optimiser", &self.optimiser)?;
        bounds::habits("actions", self.warmup, self.clip, self.log_every)?;
        within("actions.max_frames", self.max_frames, 1..=usize::MAX)?;
        within(
            "actions.summary_frames",
            self.summary_frames,
            2..=usize::MAX,
        )?;
        bounds::checkpoint_seconds("actions", self.checkpoint_seconds)
    }
}

/// The second stage's own experience; none if it takes the first stage's.
pub(super) fn experience(
    phase: &ActionPhase,
    action_dim: usize,
    options: &TrainOptions,
) -> Result<Option<Dataset>, TrainError> {
    match phase.data.is_empty() {
        true => Ok(None),
        false => Ok(Some(load(
            &phase.data,
            action_dim,
            phase.episodes,
            options,
        )?)),
    }
}

/// What the second stage validates on must not be what the encoder learned from in the first.
pub(super) fn keep_apart(
    data: &Dataset,
    learned: &[usize],
    own: &Dataset,
    held_out: &[usize],
) -> Result<(), TrainError> {
    let of = |data: &Dataset, e: usize| {
        let span = data.episodes[e];
        (data.scenes[span.scene].name.clone(), span.seed)
    };
    let learned: HashSet<(String, u64)> = learned.iter().map(|&e| of(data, e)).collect();
    match held_out
        .iter()
        .map(|&e| of(own, e))
        .find(|e| learned.contains(e))
    {
        None => Ok(()),
        Some((scene, seed)) => Err(TrainError::misfit(
            "actions.data",
            format!(
                "the episode of seed {seed} of scene `{scene}` is validated on in the second stage and \
                 learned from in the first; \
                 let actions.episodes be as many as episodes, or more"
            ),
        )),
    }
}

/// The second stage: what it draws and learns.
pub(super) struct Acting<'a> {
    pub phase: &'a ActionPhase,
    pub model: &'a ActionJepa,
    pub params: Params,
    /// From a difference of maps to the whitened numbers of the planner: `[map, K]`.
    pub metric: Tensor,
    /// Stored maps of the training episodes, and sequences of them.
    pub train: (&'a Stored<f16>, Sequences<'a>),
    /// The same of episodes that are held out.
    pub check: (&'a Stored<f16>, Sequences<'a>),
}

impl Phase for Acting<'_> {
    type Batch = (Tensor, Tensor);

    fn plan(&self) -> Plan {
        let p = self.phase;
        let habits = (p.warmup, p.clip, p.log_every);
        Plan::cosine(
            "actions",
            p.length,
            p.optimiser,
            habits,
            p.checkpoint_seconds,
        )
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.pp("predictor").vars()
    }

    fn draw(&self, at: At) -> Result<Self::Batch, TrainError> {
        let (maps, sequences) = &self.train;
        Ok(sequences.stored(maps, at.step, self.params.device())?)
    }

    fn loss(&self, (z, actions): Self::Batch, _: At) -> Result<Loss, TrainError> {
        let measure = MapError {
            smooth: self.phase.smooth,
            by_change: self.phase.by_change,
            planned: (self.phase.planned > 0.).then(|| (self.phase.planned, self.metric.clone())),
        };
        let forced = self.phase.forced;
        let (teacher, rollout) = self.model.losses(&z, &actions, &measure, forced)?;
        let frames = self.phase.batch * self.phase.rollout;
        Ok(Loss::new((teacher + rollout)?, frames))
    }

    /// Errors on held-out episodes, beside those of copying.
    fn measure(&self, _: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        let (maps, sequences) = &self.check;
        if sequences.starts.is_empty() {
            return Ok(Some(Line::new()));
        }
        let history = self.model.config().history;
        let (z, actions) = sequences.stored(maps, 0, self.params.device())?;
        let (teacher, rollout) = self
            .model
            .losses(&z, &actions, &MapError::default(), None)?;
        let value =
            |t: Tensor| -> candle_core::Result<_> { Ok(short(f64::from(t.to_scalar::<f32>()?))) };
        let first = z.narrow(1, history - 1, 1)?;
        let copied = |t: usize| -> candle_core::Result<_> {
            let later = z.narrow(1, history - 1 + t, 1)?;
            value((later - &first)?.abs()?.mean_all()?)
        };
        Ok(Some(line(json!({ "validation": {
            "one_step": value(teacher)?, "open_loop": value(rollout)?,
            "copy_one_step": copied(1)?, "copy_last_step": copied(self.phase.rollout)?,
        }}))))
    }
}
