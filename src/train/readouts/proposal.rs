//! The action prior: cloned in hindsight on frozen latents.

use super::mlp::lock;
use crate::episode::Dataset;
use crate::model::jepa::{LewmConfig, Proposal};
use crate::model::nn::{Params, Rng};
use crate::train::bounds::{Fault, within};
use crate::train::checkpoint::Progress;
use crate::train::curve::short;
use crate::train::data::sampling::windows;
use crate::train::data::stored::Stored;
use crate::train::data::targets::episode_of;
use crate::train::error::TrainError;
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::run::Session;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Mutex;

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
    pub(in crate::train) fn check(&self) -> Result<(), Fault> {
        within("proposal.steps", self.steps, 1..=100_000_000)?;
        within("proposal.batch", self.batch, 1..=1 << 20)?;
        within("proposal.ahead_steps", self.ahead_steps, 1..=100_000)?;
        within("proposal.max_frames", self.max_frames, 1..=usize::MAX)
    }
}

/// What is learned from: goals that were reached later, and the actions that led towards them.
struct Cloning<'a> {
    phase: ProposalPhase,
    model: &'a LewmConfig,
    proposal: Proposal,
    params: Params,
    data: &'a Dataset,
    /// Stored latents, and where a history begins that a token follows.
    train: (&'a Stored<f32>, Vec<usize>),
    check: (&'a Stored<f32>, Vec<usize>),
    rng: Mutex<Rng>,
}

impl Cloning<'_> {
    /// Histories, goals, and the mean action of the token in between.
    fn tensors(
        &self,
        (latents, starts): &(&Stored<f32>, Vec<usize>),
        rng: &mut Rng,
    ) -> candle_core::Result<[Tensor; 3]> {
        let (data, model, n) = (self.data, self.model, self.phase.batch);
        let (h, skip, dim) = (model.history, model.frameskip, model.action_dim);
        let (mut z, mut goals, mut wanted) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..n {
            let start = starts[rng.below(starts.len())];
            let now = start + (h - 1) * skip;
            let span = episode_of(data, now);
            let last = span.start + span.len - 1;
            let reach = (last - now).min(self.phase.ahead_steps.max(skip)).max(1);
            let goal = now + 1 + rng.below(reach);
            (0..h).for_each(|i| latents.read(start + i * skip, &mut z));
            latents.read(goal, &mut goals);
            let block = &data.actions[now * data.action_dim..(now + skip) * data.action_dim];
            wanted.extend((0..dim).map(|a| {
                let each = block.iter().skip(a).step_by(data.action_dim);
                each.sum::<f32>() / skip as f32
            }));
        }
        let (d, device) = (model.latent_dim, self.params.device());
        Ok([
            Tensor::from_vec(z, (n, h * d), device)?,
            Tensor::from_vec(goals, (n, d), device)?,
            Tensor::from_vec(wanted, (n, dim), device)?,
        ])
    }
}

impl Phase for Cloning<'_> {
    type Batch = [Tensor; 3];

    fn plan(&self) -> Plan {
        Plan {
            measure_every: 500,
            ..Plan::fit("proposal", self.phase.steps, 100, 1e-3)
        }
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.pp("proposal").vars()
    }

    fn draw(&self, _: At) -> Result<Self::Batch, TrainError> {
        Ok(self.tensors(&self.train, &mut lock(&self.rng))?)
    }

    fn loss(&self, [z, goals, wanted]: Self::Batch, _: At) -> Result<Loss, TrainError> {
        let error = (self.proposal.forward(&z, &goals)? - wanted)?.sqr()?;
        Ok(Loss::new(error.mean_all()?, self.phase.batch))
    }

    /// What it errs by on validation episodes, beside always saying the mean.
    fn measure(&self, _: &Progress, _: bool) -> Result<Option<Line>, TrainError> {
        let [z, goals, wanted] = self.tensors(&self.check, &mut Rng::stream(7, 0x9209))?;
        let error = (self.proposal.forward(&z, &goals)?.detach() - &wanted)?.sqr()?;
        let mean = wanted.broadcast_sub(&wanted.mean_keepdim(0)?)?.sqr()?;
        let value = |t: Tensor| -> candle_core::Result<_> {
            Ok(short(f64::from(t.mean_all()?.to_scalar::<f32>()?)))
        };
        Ok(Some(line(json!({
            "validation": value(error)?, "validation_mean": value(mean)?,
        }))))
    }
}

/// Trains `proposal.*` of the session's weights on stored latents.
///
/// # Errors
/// [`TrainError::TooLittle`] where there are no sequences; what the loop says.
pub fn run(
    session: &mut Session,
    phase: ProposalPhase,
    model: &LewmConfig,
    (latents, held_out): (&Stored<f32>, &Stored<f32>),
) -> Result<(), TrainError> {
    let (data, params) = (session.data, session.params.clone());
    let starts = |latents: &Stored<f32>| {
        windows(data, &latents.episodes, model.history + 1, model.frameskip)
    };
    let cloning = Cloning {
        phase,
        model,
        proposal: Proposal::new(model.latent_dim, model.history, model.action_dim, &params)?,
        params,
        data,
        train: (latents, starts(latents)),
        check: (held_out, starts(held_out)),
        rng: Rng::stream(session.given.seed, 0x9209).into(),
    };
    if cloning.train.1.is_empty() || cloning.check.1.is_empty() {
        return Err(TrainError::none_of("sequences for the action prior"));
    }
    session.fit(&cloning)
}
