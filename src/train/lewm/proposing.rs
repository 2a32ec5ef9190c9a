//! The action prior: cloned in hindsight on frozen latents.

use super::Session;
use super::predictor::Latents;
use super::sampler::windows;
use crate::model::jepa::{Lewm, Proposal};
use crate::model::nn::{AdamW, AdamWConfig, Params, Rng, cosine_lr};
use crate::train::TrainError;
use crate::train::bounds::{Fault, within};
use crate::train::curve::short;
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Settings of the action prior.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProposalPhase {
    /// Optimisation steps.
    pub steps: usize,
    /// Examples a step.
    pub batch: usize,
    /// Goals are up to so many control steps ahead.
    pub ahead_steps: usize,
    /// Upper bound of stored latents.
    pub max_frames: usize,
}

impl Default for ProposalPhase {
    fn default() -> Self {
        Self {
            steps: 8000,
            batch: 512,
            ahead_steps: 60,
            max_frames: 300_000,
        }
    }
}

impl ProposalPhase {
    /// The first field that makes no sense, with why.
    pub(super) fn check(&self) -> Result<(), Fault> {
        within("proposal.steps", self.steps, 1..=100_000_000)?;
        within("proposal.batch", self.batch, 1..=1 << 20)?;
        within("proposal.ahead_steps", self.ahead_steps, 1..=100_000)?;
        within("proposal.max_frames", self.max_frames, 1..=usize::MAX)
    }
}

const RATE: f64 = 1e-3;

/// Trains `proposal.*` of `params`; what it errs by on validation episodes, beside always saying the mean, goes to the curve.
pub fn run(session: &mut Session, params: &Params, phase: ProposalPhase) -> Result<(), TrainError> {
    let (config, data) = (&session.recipe.model, session.data);
    let (d, h, skip, dim) = (
        config.latent_dim,
        config.history,
        config.frameskip,
        config.action_dim,
    );
    let model = Lewm::new(config, &params.detached())?;
    let proposal = Proposal::new(d, h, dim, params)?;
    let encode = |episodes: &[usize], frames| {
        Latents::encode(&model, data, episodes, frames, &session.clock)
    };
    let latents = encode(&session.train_episodes, phase.max_frames)?;
    let held_out = encode(&session.validation_episodes, phase.max_frames / 10)?;
    // Where the history begins; a token must follow it.
    let starts = |latents: &Latents| windows(data, &latents.episodes, h + 1, skip);
    let (train, check) = (starts(&latents), starts(&held_out));
    if train.is_empty() || check.is_empty() {
        return Err(TrainError::TooLittle {
            field: "sequences for the action prior",
            found: 0,
            expected: 1,
        });
    }
    let draw = |latents: &Latents, starts: &[usize], rng: &mut Rng| -> candle_core::Result<_> {
        let (mut z, mut goals, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..phase.batch {
            let start = starts[rng.below(starts.len())];
            let now = start + (h - 1) * skip;
            let span = data.episodes.partition_point(|e| e.start <= now).max(1) - 1;
            let last = data.episodes[span].start + data.episodes[span].len - 1;
            let reach = (last - now).min(phase.ahead_steps.max(skip)).max(1);
            let goal = now + 1 + rng.below(reach);
            (0..h).for_each(|i| z.extend_from_slice(latents.get(start + i * skip)));
            goals.extend_from_slice(latents.get(goal));
            let block = &data.actions[now * data.action_dim..(now + skip) * data.action_dim];
            wanted.extend((0..dim).map(|a| {
                let each = block.iter().skip(a).step_by(data.action_dim);
                each.sum::<f32>() / skip as f32
            }));
        }
        Ok((
            Tensor::from_vec(z, (phase.batch, h * d), params.device())?,
            Tensor::from_vec(goals, (phase.batch, d), params.device())?,
            Tensor::from_vec(wanted, (phase.batch, dim), params.device())?,
        ))
    };
    let settings = AdamWConfig {
        lr: RATE,
        weight_decay: 1e-3,
        ..Default::default()
    };
    let mut optimiser = AdamW::new(params.pp("proposal").vars(), settings)?;
    let mut rng = Rng::stream(session.config.seed, 0x9209);
    for step in 0..=phase.steps {
        session.clock.check()?;
        if step.is_multiple_of(500) || step == phase.steps {
            let (z, goals, wanted) = draw(&held_out, &check, &mut Rng::stream(7, 0x9209))?;
            let error = (proposal.forward(&z, &goals)?.detach() - &wanted)?.sqr()?;
            let mean = wanted.broadcast_sub(&wanted.mean_keepdim(0)?)?.sqr()?;
            let value = |t: Tensor| -> candle_core::Result<f64> {
                Ok(f64::from(t.mean_all()?.to_scalar::<f32>()?))
            };
            session.curve.write(&json!({
                "phase": "proposal", "step": step, "validation": short(value(error)?), "validation_mean": short(value(mean)?),
            }))?;
        }
        if step == phase.steps {
            break;
        }
        let (z, goals, wanted) = draw(&latents, &train, &mut rng)?;
        let loss = (proposal.forward(&z, &goals)? - wanted)?
            .sqr()?
            .mean_all()?;
        let rate = cosine_lr(step, phase.steps, 100, RATE);
        let norm = optimiser.step(&loss.backward()?, rate, Some(1.))?;
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                phase: "proposal",
                step,
                norm,
            });
        }
    }
    Ok(())
}
