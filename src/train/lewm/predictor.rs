//! Second phase: the predictor alone, open loop on stored latents, and the covariance of the whitened distance.

use super::sampler::{Sampler, windows};
use super::{Outcome, Session};
use crate::episode::Dataset;
use crate::model::jepa::{Lewm, difference_covariance, open_loop_loss, whitening};
use crate::model::nn::{AdamW, AdamWConfig, Init, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::curve::short;
use crate::train::{Clock, Length, TrainError};
use candle_core::Tensor;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;

/// Settings of the second phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PredictorPhase {
    /// How long.
    pub length: Length,
    /// Sequences a batch.
    pub batch: usize,
    /// Imagined steps a sequence.
    pub rollout: usize,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the phase that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Upper bound of stored latents.
    pub max_frames: usize,
    /// Steps between lines of the curve.
    pub log_every: usize,
}

impl Default for PredictorPhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(4000),
            batch: 256,
            rollout: 6,
            optimiser: AdamWConfig::default(),
            warmup: 0.02,
            clip: 1.,
            max_frames: 400_000,
            log_every: 200,
        }
    }
}

impl PredictorPhase {
    /// The first field that makes no sense, with why. It may be left out where the phase before is not.
    pub(super) fn check(&self, may_skip: bool) -> Result<(), Fault> {
        bounds::length("predictor.length", self.length, may_skip)?;
        within("predictor.batch", self.batch, 1..=1 << 20)?;
        within("predictor.rollout", self.rollout, 1..=1000)?;
        bounds::optimiser("predictor.optimiser", &self.optimiser)?;
        bounds::habits("predictor", self.warmup, self.clip, self.log_every)?;
        within("predictor.max_frames", self.max_frames, 1..=usize::MAX)
    }
}

/// Seconds between checkpoints.
const SAVE_SECONDS: f64 = 120.;

/// Every so-manieth episode, so that `share` of them are left: where not all fit, of each scene its share, not the first scene alone.
pub fn thinned(episodes: &[usize], share: f64) -> Vec<usize> {
    let share = share.min(1.);
    let keeps = |i: usize| ((i + 1) as f64 * share).floor() > (i as f64 * share).floor();
    (0..episodes.len())
        .filter(|&i| keeps(i))
        .map(|i| episodes[i])
        .collect()
}

/// Latents of all frames of some episodes.
pub struct Latents {
    /// The episodes that fitted.
    pub episodes: Vec<usize>,
    /// For every frame of the dataset the row in `rows`, or `u32::MAX`.
    index: Vec<u32>,
    rows: Vec<f32>,
    dim: usize,
}

impl Latents {
    /// Encodes episodes, of more than `max_frames` frames so many, evenly spread, that about so many are left.
    pub fn encode(
        model: &Lewm,
        data: &Dataset,
        episodes: &[usize],
        max_frames: usize,
        clock: &Clock,
    ) -> Result<Self, TrainError> {
        let dim = model.config().latent_dim;
        let mut latents = Self {
            episodes: Vec::new(),
            index: vec![u32::MAX; data.len()],
            rows: Vec::new(),
            dim,
        };
        let (frame, mut count) = (data.size * data.size * 3, 0usize);
        let all: usize = episodes.iter().map(|&e| data.episodes[e].len).sum();
        let chosen = thinned(episodes, max_frames as f64 / all.max(1) as f64);
        for group in chosen.chunks(8) {
            clock.check()?;
            let mut bytes = Vec::new();
            for &e in group {
                let span = data.episodes[e];
                bytes.extend_from_slice(
                    &data.frames[span.start * frame..(span.start + span.len) * frame],
                );
                for i in span.start..span.start + span.len {
                    latents.index[i] = count as u32;
                    count += 1;
                }
                latents.episodes.push(e);
            }
            let z: Vec<f32> = model.encode_frames(&bytes)?.flatten_all()?.to_vec1()?;
            latents.rows.extend(z);
        }
        Ok(latents)
    }

    /// Latents `rows: [frames, dim]` that are there already; `index` says which row a frame of the dataset has, `u32::MAX` for none.
    pub fn of_rows(episodes: Vec<usize>, index: Vec<u32>, rows: Vec<f32>, dim: usize) -> Self {
        Self {
            episodes,
            index,
            rows,
            dim,
        }
    }

    /// Of these latents' episodes so many, evenly spread, that about `max_frames` frames are left.
    pub fn thinned(mut self, data: &Dataset, max_frames: usize) -> Self {
        let frames: usize = self.episodes.iter().map(|&e| data.episodes[e].len).sum();
        let step = frames.div_ceil(max_frames.max(1)).max(1);
        self.episodes = self.episodes.into_iter().step_by(step).collect();
        self
    }

    /// Width of a latent.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Latent of frame `i`; empty if it was not encoded.
    pub fn get(&self, i: usize) -> &[f32] {
        let row = self.index[i] as usize;
        if row == u32::MAX as usize {
            &[]
        } else {
            &self.rows[row * self.dim..(row + 1) * self.dim]
        }
    }

    /// Number of latents.
    pub fn len(&self) -> usize {
        self.rows.len() / self.dim.max(1)
    }

    /// Differences of latents `span` frames apart, at most about 200 000 of them.
    pub fn differences(&self, data: &Dataset, span: usize) -> Vec<f32> {
        let starts = windows(data, &self.episodes, 2, span);
        let step = (starts.len() / 200_000).max(1);
        let chosen: Vec<usize> = starts.into_iter().step_by(step).collect();
        let delta = |&i: &usize| -> Vec<f32> {
            self.get(i + span)
                .iter()
                .zip(self.get(i))
                .map(|(b, a)| b - a)
                .collect()
        };
        chosen.par_iter().flat_map_iter(delta).collect()
    }
}

pub fn run(
    session: &mut Session,
    params: &Params,
    resumed_steps: Option<usize>,
) -> Result<Outcome, TrainError> {
    let phase = &session.recipe.predictor;
    let (config, data) = (&session.recipe.model, session.data);
    let (d, frameskip) = (config.latent_dim, config.frameskip);
    let encoder = Lewm::new(config, &params.detached())?;
    let started = Instant::now();
    let encode = |episodes: &[usize], frames| {
        Latents::encode(&encoder, data, episodes, frames, &session.clock)
    };
    let latents = encode(&session.train_episodes, phase.max_frames)?;
    let held_out = encode(&session.validation_episodes, phase.max_frames / 10)?;
    tracing::info!(
        "encoded {} frames in {:.1} s",
        latents.len(),
        started.elapsed().as_secs_f64()
    );

    let covariance = difference_covariance(&latents.differences(data, frameskip), d);
    let w = whitening(&covariance, d, config.whiten_lambda).ok_or(TrainError::TooLittle {
        field: "rank of the latents' motion",
        found: 0,
        expected: 1,
    })?;
    let buffer = params.buffer((d, d), "whitening", Init::Zeros)?;
    buffer.set(&Tensor::from_vec(w, (d, d), params.device())?)?;

    let model = Lewm::new(config, params)?;
    let mut optimiser = AdamW::new(params.pp("predictor").vars(), phase.optimiser)?;
    if let Some(steps) = resumed_steps.filter(|_| session.progress.step > 0) {
        session
            .checkpoint
            .restore(&mut optimiser, steps, params.device())?;
    }
    let tokens = phase.rollout + config.history;
    let batches = |episodes: &[usize], salt: u64| Sampler {
        data,
        starts: windows(data, episodes, tokens, frameskip),
        batch: phase.batch,
        tokens,
        frameskip,
        seed: session.config.seed ^ salt,
    };
    let (sampler, checker) = (
        batches(&latents.episodes, 0xCAC4E),
        batches(&held_out.episodes, 0xC4EC4),
    );
    if sampler.starts.is_empty() {
        return Err(TrainError::TooLittle {
            field: "sequences for the second phase",
            found: 0,
            expected: 1,
        });
    }
    let gather = |latents: &Latents,
                  sampler: &Sampler,
                  step: usize|
     -> Result<(Tensor, Tensor), TrainError> {
        let (mut z, mut actions) = (Vec::new(), Vec::new());
        for start in sampler.draw(step) {
            (0..tokens).for_each(|t| z.extend_from_slice(latents.get(start + t * frameskip)));
            actions.extend_from_slice(sampler.actions(start));
        }
        let z = Tensor::from_vec(z, (phase.batch, tokens, d), params.device())?;
        let shape = (phase.batch, tokens - 1, frameskip * config.action_dim);
        Ok((z, Tensor::from_vec(actions, shape, params.device())?))
    };
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
        if done || up || saved.elapsed().as_secs_f64() > SAVE_SECONDS {
            session
                .checkpoint
                .save(params, &optimiser, &session.progress)?;
            saved = Instant::now();
        }
        if up {
            return Ok(Outcome::Paused);
        }
        if done || step.is_multiple_of(phase.log_every.max(1)) {
            let error = if checker.starts.is_empty() {
                (f64::NAN, f64::NAN)
            } else {
                let (z, actions) = gather(&held_out, &checker, 0)?;
                let copied = z
                    .narrow(1, config.history, phase.rollout)?
                    .broadcast_sub(&z.narrow(1, config.history - 1, 1)?)?
                    .sqr()?
                    .mean_all()?;
                let error = open_loop_loss(&encoder, &z, &actions, None)?;
                (
                    f64::from(error.to_scalar::<f32>()?),
                    f64::from(copied.to_scalar::<f32>()?),
                )
            };
            let rate = (steps_since * phase.batch * phase.rollout) as f64
                / since.elapsed().as_secs_f64().max(1e-9);
            session.curve.write(&json!({
                "phase": "predictor", "step": step, "minutes": short(in_phase / 60.),
                "validation_open_loop": short(error.0), "validation_copy": short(error.1),
                "transitions_per_s": rate.round(),
            }))?;
            (since, steps_since) = (Instant::now(), 0);
        }
        if done {
            return Ok(Outcome::Finished);
        }
        let (z, actions) = gather(&latents, &sampler, step)?;
        let mut rng = Rng::stream(session.config.seed ^ 0x2_55E5, step as u64);
        let loss = open_loop_loss(&model, &z, &actions, Some(&mut rng))?;
        let lr = phase
            .length
            .rate(step, in_phase, phase.warmup, phase.optimiser.lr);
        let norm = optimiser.step(&loss.backward()?, lr, Some(phase.clip))?;
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                phase: "predictor",
                step,
                norm,
            });
        }
        session.progress.step += 1;
        session.progress.total_steps += 1;
        steps_since += 1;
    }
}
