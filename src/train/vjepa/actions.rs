//! The second stage: what actions do to the frozen encoder's maps; then the summary, the whitened distance and the read-outs.

use super::maps::Maps;
use super::{Session, VjepaRecipe};
use crate::episode::Dataset;
use crate::model::jepa::vjepa::{ActionJepa, Summary};
use crate::model::jepa::{difference_covariance, whitening};
use crate::model::nn::{AdamW, AdamWConfig, Init, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::curve::short;
use crate::train::fit::misfit;
use crate::train::lewm::{Place, fit_readouts, thinned};
use crate::train::{Length, TrainError, TrainOptions, load};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Instant;

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
    /// Errors of an embedding below this count by their square; 0 is the plain absolute error, which holds a predictor to copying where most
    /// of a map stays as it is.
    pub smooth: f64,
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
    recipe: &VjepaRecipe,
    options: &TrainOptions,
) -> Result<Option<Dataset>, TrainError> {
    let (phase, dim) = (&recipe.actions, recipe.model.action_dim);
    match phase.data.is_empty() {
        true => Ok(None),
        false => Ok(Some(load(&phase.data, dim, phase.episodes, options)?)),
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
        Some((scene, seed)) => Err(misfit(
            "actions.data",
            format!(
                "the episode of seed {seed} of scene `{scene}` is validated on in the second stage and \
                 learned from in the first; \
                 let actions.episodes be as many as episodes, or more"
            ),
        )),
    }
}

/// What came of it.
pub struct Done {
    /// Experience of its own, without the frames.
    own: Option<Dataset>,
    /// For the card.
    pub notes: String,
}

impl Done {
    /// The experience that the predictor learned from.
    pub fn data<'a>(&'a self, masked: &'a Dataset) -> &'a Dataset {
        self.own.as_ref().unwrap_or(masked)
    }
}

/// Trains the predictor and what follows from its maps; `None` if time was up before.
pub fn run(
    session: &mut Session,
    params: &Params,
    resumed_steps: Option<usize>,
) -> Result<Option<Done>, TrainError> {
    let (phase, model) = (&session.recipe.actions, &session.recipe.model);
    let mut own = experience(session.recipe, session.options)?;
    let started = Instant::now();
    let encoder = ActionJepa::new(model, &params.detached())?;
    let (stored, held_out) = {
        let data = own.as_ref().unwrap_or(session.data);
        let (train, validation) = data.split_episodes(session.config.validation_share);
        // Where not all fits, of each scene its share, not the first scene alone.
        let train = thinned(&train, phase.max_frames as f64 / data.len().max(1) as f64);
        let encode =
            |episodes: &[usize], most| Maps::encode(&encoder, data, episodes, most, &session.clock);
        let stored = encode(&train, phase.max_frames)?;
        let held_out = encode(&validation, phase.max_frames / 10)?;
        (stored, held_out)
    };
    let seconds = started.elapsed().as_secs_f64();
    tracing::info!("encoded {} frames in {seconds:.1} s", stored.len());
    if let Some(own) = &mut own {
        own.frames = Vec::new();
    }
    let data = own.as_ref().unwrap_or(session.data);
    if !learn(session, params, data, (&stored, &held_out), resumed_steps)? {
        return Ok(None);
    }
    let notes = conclude(session, params, data, (&stored, &held_out))?;
    Ok(Some(Done { own, notes }))
}

/// Batches of stored maps and the actions between them.
struct Batches<'a> {
    maps: &'a Maps,
    data: &'a Dataset,
    starts: Vec<usize>,
    tokens: usize,
    frameskip: usize,
    batch: usize,
    seed: u64,
}

impl Batches<'_> {
    /// Maps `[B, tokens, map]` and actions `[B, tokens − 1, frameskip·A]`.
    fn draw(&self, step: usize, params: &Params) -> Result<(Tensor, Tensor), TrainError> {
        let mut rng = Rng::stream(self.seed, step as u64);
        let (mut frames, mut actions) = (Vec::new(), Vec::new());
        for _ in 0..self.batch {
            let start = self.starts[rng.below(self.starts.len())];
            frames.extend((0..self.tokens).map(|t| start + t * self.frameskip));
            let (dim, steps) = (self.data.action_dim, (self.tokens - 1) * self.frameskip);
            actions.extend_from_slice(&self.data.actions[start * dim..(start + steps) * dim]);
        }
        let z = self.maps.gather(&frames)?.to_device(params.device())?;
        let width = self.frameskip * self.data.action_dim;
        let shape = (self.batch, self.tokens - 1, width);
        Ok((
            z.reshape((self.batch, self.tokens, ()))?,
            Tensor::from_vec(actions, shape, params.device())?,
        ))
    }
}

/// Trains the predictor; false if time was up before it was done.
fn learn(
    session: &mut Session,
    params: &Params,
    data: &Dataset,
    (stored, held_out): (&Maps, &Maps),
    resumed_steps: Option<usize>,
) -> Result<bool, TrainError> {
    let (phase, config) = (&session.recipe.actions, &session.recipe.model);
    let model = ActionJepa::new(config, params)?;
    let mut optimiser = AdamW::new(params.pp("predictor").vars(), phase.optimiser)?;
    if let Some(steps) = resumed_steps.filter(|_| session.progress.step > 0) {
        session
            .checkpoint
            .restore(&mut optimiser, steps, params.device())?;
    }
    let tokens = phase.rollout + config.history;
    let batches = |maps, salt: u64| -> Batches {
        Batches {
            starts: Maps::windows(maps, data, tokens, config.frameskip),
            maps,
            data,
            tokens,
            frameskip: config.frameskip,
            batch: phase.batch,
            seed: session.config.seed ^ salt,
        }
    };
    let (sampler, checker) = (batches(stored, 0x00AC_7105), batches(held_out, 0x000C_4EC4));
    if sampler.starts.is_empty() {
        return Err(TrainError::TooLittle {
            field: "sequences for the second stage",
            found: 0,
            expected: 1,
        });
    }
    let first = session.progress.step;
    let (before, started) = (session.progress.phase_seconds, Instant::now());
    let mut saved = Instant::now();
    let (mut since, mut steps_since) = (Instant::now(), 0usize);
    loop {
        let step = session.progress.step;
        let in_phase = before + started.elapsed().as_secs_f64();
        session.progress.phase_seconds = in_phase;
        session.progress.seconds = session.seconds();
        let done = phase.length.progress(step, in_phase) >= 1.;
        // Every run takes a step, so that runs of whatever length come to an end.
        let up = session.clock.is_up() && step > first && !done;
        // Also at the end: whoever is stopped while read-outs are fitted goes on from there.
        if done || up || saved.elapsed().as_secs_f64() > phase.checkpoint_seconds {
            session
                .checkpoint
                .save(params, &optimiser, &session.progress)?;
            saved = Instant::now();
        }
        if up {
            return Ok(false);
        }
        if done || step.is_multiple_of(phase.log_every.max(1)) {
            let rate = (steps_since * phase.batch) as f64 / since.elapsed().as_secs_f64().max(1e-9);
            let mut line = json!({
                "phase": "actions", "step": step, "minutes": short(in_phase / 60.), "sequences_per_s": rate.round(),
            });
            if !checker.starts.is_empty() {
                let (z, actions) = checker.draw(0, params)?;
                let (teacher, rollout) = model.losses(&z, &actions, 0.)?;
                let first = z.narrow(1, config.history - 1, 1)?;
                let copied = |t: usize| -> Result<f64, TrainError> {
                    let later = z.narrow(1, config.history - 1 + t, 1)?;
                    let error = (later - &first)?.abs()?.mean_all()?;
                    Ok(f64::from(error.to_scalar::<f32>()?))
                };
                line["validation"] = json!({
                    "one_step": short(f64::from(teacher.to_scalar::<f32>()?)),
                    "open_loop": short(f64::from(rollout.to_scalar::<f32>()?)),
                    "copy_one_step": short(copied(1)?), "copy_last_step": short(copied(phase.rollout)?),
                });
            }
            session.curve.write(&line)?;
            (since, steps_since) = (Instant::now(), 0);
        }
        if done {
            return Ok(true);
        }
        let (z, actions) = sampler.draw(step, params)?;
        let (teacher, rollout) = model.losses(&z, &actions, phase.smooth)?;
        let lr = phase
            .length
            .rate(step, in_phase, phase.warmup, phase.optimiser.lr);
        let grads = (teacher + rollout)?.backward()?;
        let norm = optimiser.step(&grads, lr, Some(phase.clip))?;
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                phase: "actions",
                step,
                norm,
            });
        }
        session.progress.step += 1;
        session.progress.total_steps += 1;
        steps_since += 1;
    }
}

/// Summary, whitened distance and read-outs; a sentence for the card.
fn conclude(
    session: &mut Session,
    params: &Params,
    data: &Dataset,
    (stored, held_out): (&Maps, &Maps),
) -> Result<String, TrainError> {
    let (phase, config) = (&session.recipe.actions, &session.recipe.model);
    let k = config.summary;
    let sample = stored.gather(&stored.spread(data, phase.summary_frames))?;
    let (summary, held) = Summary::of(&sample, k)?;
    summary.store(config, params)?;
    let readouts = &session.recipe.readouts;
    let numbers = |maps: &Maps, frames| maps.summaries(data, &summary, (k, frames));
    let (fit, test) = (
        numbers(stored, usize::MAX)?,
        numbers(held_out, readouts.max_frames / 4)?,
    );
    let covariance = difference_covariance(&fit.differences(data, config.frameskip), k);
    let w = whitening(&covariance, k, config.whiten_lambda).ok_or(TrainError::TooLittle {
        field: "rank of the maps' motion",
        found: 0,
        expected: 1,
    })?;
    let buffer = params.buffer((k, k), "whitening", Init::Zeros)?;
    buffer.set(&Tensor::from_vec(w, (k, k), params.device())?)?;
    session
        .curve
        .write(&json!({ "phase": "summary", "components": k, "variance": short(held) }))?;
    let fit = fit.thinned(data, readouts.max_frames);
    let place = Place {
        out: &session.options.out,
        seed: session.config.seed,
        params,
        clock: &session.clock.clone(),
    };
    let quality = fit_readouts(readouts, data, &fit, &test, &place, &mut session.curve)?;
    Ok(format!(
        "{k} principal components hold {:.0} % of the maps' variance. {quality}",
        100. * held
    ))
}
