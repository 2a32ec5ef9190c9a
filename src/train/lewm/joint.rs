//! First phase: encoder, predictor and inverse model from pixels.

use super::gate::Gate;
use super::sampler::{Sampler, windows};
use super::{Outcome, Session};
use crate::model::jepa::{JointWeights, Lewm, LewmConfig, joint_loss};
use crate::model::nn::{AdamW, AdamWConfig, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::curve::short;
use crate::train::{Length, TrainError};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;

/// Settings of the first phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JointPhase {
    /// How long.
    pub length: Length,
    /// Sequences a batch.
    pub batch: usize,
    /// Frames a sequence, one token apart.
    pub tokens: usize,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the phase that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Weights of the losses.
    pub weights: JointWeights,
    /// Steps between lines of the curve.
    pub log_every: usize,
    /// Steps between looks at what the latents hold.
    pub judge_every: usize,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
}

impl Default for JointPhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(8000),
            batch: 32,
            tokens: 5,
            optimiser: AdamWConfig::default(),
            warmup: 0.01,
            clip: 1.,
            weights: JointWeights::default(),
            log_every: 50,
            judge_every: 1000,
            checkpoint_seconds: 120.,
        }
    }
}

impl JointPhase {
    /// The first field that makes no sense, with why.
    pub(super) fn check(&self, model: &LewmConfig) -> Result<(), Fault> {
        bounds::length("joint.length", self.length, true)?;
        within("joint.batch", self.batch, 2..=65_536)?;
        within("joint.tokens", self.tokens, model.history + 1..=1000)?;
        bounds::optimiser("joint.optimiser", &self.optimiser)?;
        bounds::habits("joint", self.warmup, self.clip, self.log_every)?;
        let w = &self.weights;
        let weights = [
            ("one_step", w.one_step),
            ("open_loop", w.open_loop),
            ("sigreg", w.sigreg),
            ("inverse", w.inverse),
        ];
        for (field, weight) in weights {
            within(format!("joint.weights.{field}"), weight, 0. ..=1e6)?;
        }
        let projections = "joint.weights.sigreg_projections";
        within(projections, w.sigreg_projections, 1..=65_536)?;
        bounds::positive("joint.weights.sigreg_factor", w.sigreg_factor, 1e9)?;
        within("joint.judge_every", self.judge_every, 1..=1_000_000_000)?;
        bounds::checkpoint_seconds("joint", self.checkpoint_seconds)
    }
}

/// Steps prepared ahead of the optimiser.
const AHEAD: usize = 3;

pub fn run(
    session: &mut Session,
    model: &Lewm,
    params: &Params,
    gate: &Gate,
    resumed_steps: Option<usize>,
) -> Result<Outcome, TrainError> {
    let phase = &session.recipe.joint;
    let frameskip = session.recipe.model.frameskip;
    let starts = windows(
        session.data,
        &session.train_episodes,
        phase.tokens,
        frameskip,
    );
    if starts.is_empty() {
        return Err(TrainError::TooLittle {
            field: "training sequences",
            found: 0,
            expected: 1,
        });
    }
    let sampler = Sampler {
        data: session.data,
        starts,
        batch: phase.batch,
        tokens: phase.tokens,
        frameskip,
        seed: session.config.seed,
    };
    let vars = ["encoder", "inverse", "predictor"]
        .iter()
        .flat_map(|part| params.pp(part).vars())
        .collect();
    let mut optimiser = AdamW::new(vars, phase.optimiser)?;
    if let Some(steps) = resumed_steps {
        session
            .checkpoint
            .restore(&mut optimiser, steps, model.device())?;
    }
    let first = session.progress.step;
    let (send, receive) = crossbeam_channel::bounded(AHEAD);
    std::thread::scope(|scope| {
        let sampler = &sampler;
        scope.spawn(move || {
            let mut step = first;
            // Ends when the optimiser hangs up.
            while send.send(sampler.batch(step)).is_ok() {
                step += 1;
            }
        });
        let outcome = optimise(session, model, params, gate, &mut optimiser, &receive);
        drop(receive);
        outcome
    })
}

fn optimise(
    session: &mut Session,
    model: &Lewm,
    params: &Params,
    gate: &Gate,
    optimiser: &mut AdamW,
    batches: &crossbeam_channel::Receiver<super::sampler::Batch>,
) -> Result<Outcome, TrainError> {
    let phase = &session.recipe.joint;
    let (before, started) = (session.progress.phase_seconds, Instant::now());
    let mut saved = Instant::now();
    let (mut since, mut steps_since) = (Instant::now(), 0usize);
    let width = session.recipe.model.frameskip * session.recipe.model.action_dim;
    let first = session.progress.step;
    loop {
        let step = session.progress.step;
        let in_phase = before + started.elapsed().as_secs_f64();
        session.progress.phase_seconds = in_phase;
        session.progress.seconds = session.seconds();
        let done = phase.length.progress(step, in_phase) >= 1.;
        // Every run takes a step, so that runs of whatever length come to an end.
        let up = session.clock.is_up() && step > first;
        if done || up || saved.elapsed().as_secs_f64() > phase.checkpoint_seconds {
            session
                .checkpoint
                .save(params, optimiser, &session.progress)?;
            saved = Instant::now();
        }
        if done {
            return Ok(Outcome::Finished);
        }
        if up {
            return Ok(Outcome::Paused);
        }
        let Ok(batch) = batches.recv() else {
            return Err(TrainError::TooLittle {
                field: "batches",
                found: step,
                expected: step + 1,
            });
        };
        let pixels = model.pixels(&batch.frames)?;
        let shape = (phase.batch, phase.tokens - 1, width);
        let actions = Tensor::from_vec(batch.actions, shape, model.device())?;
        let mut rng = Rng::stream(session.config.seed ^ 0x10_55E5, step as u64);
        let loss = joint_loss(model, &pixels, &actions, &phase.weights, &mut rng)?;
        let lr = phase
            .length
            .rate(step, in_phase, phase.warmup, phase.optimiser.lr);
        let norm = optimiser.step(&loss.total.backward()?, lr, Some(phase.clip))?;
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                phase: "joint",
                step,
                norm,
            });
        }
        session.progress.step += 1;
        session.progress.total_steps += 1;
        steps_since += 1;
        if step.is_multiple_of(phase.log_every.max(1)) {
            let rate = (steps_since * phase.batch * phase.tokens) as f64
                / since.elapsed().as_secs_f64().max(1e-9);
            let value = |t: &Tensor| -> Result<serde_json::Value, TrainError> {
                Ok(short(f64::from(t.to_scalar::<f32>()?)))
            };
            session.curve.write(&json!({
                "phase": "joint", "step": step, "minutes": short(in_phase / 60.), "lr": short(lr),
                "loss": value(&loss.total)?, "one_step": value(&loss.one_step)?, "open_loop": value(&loss.open_loop)?,
                "sigreg": value(&loss.sigreg)?, "inverse": value(&loss.inverse)?, "grad_norm": short(norm),
                "frames_per_s": rate.round(),
            }))?;
            (since, steps_since) = (Instant::now(), 0);
        }
        if step > 0 && step.is_multiple_of(phase.judge_every.max(1)) {
            gate.judge(model, session)?;
            (since, steps_since) = (Instant::now(), 0);
        }
    }
}
