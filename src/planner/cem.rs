//! The cross-entropy method (Rubinstein 1999; as LeWM uses it, arXiv 2603.19312 §4).

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::{Budget, IterationTrace, Plan, Planner};
use crate::model::{Actions, Cancel, Goal, Latent, ModelError, WorldModel};

/// How distances of the imagined steps become one cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostShape {
    /// Sum over all imagined steps (MODELS §5: 97 against 89 %).
    #[default]
    Sum,
    /// Only the last imagined step.
    Last,
}

/// Samples action tokens from a diagonal Gaussian and refits it to the best tenth.
#[derive(Clone, Copy, Debug)]
pub struct Cem {
    /// Share of candidates that become elites.
    pub elite_share: f32,
    /// Standard deviation at the start.
    pub sigma: f32,
    /// The search does not become narrower than this.
    pub min_sigma: f32,
    /// How distances become a cost.
    pub shape: CostShape,
}

impl Default for Cem {
    fn default() -> Self {
        Self {
            elite_share: 0.1,
            sigma: 1.0,
            min_sigma: 0.05,
            shape: CostShape::Sum,
        }
    }
}

impl Planner for Cem {
    fn plan(
        &self,
        model: &dyn WorldModel,
        latent: &Latent,
        goal: &Goal,
        dim: usize,
        budget: &Budget,
        warm: Option<&Plan>,
        seed: u64,
        cancel: &Cancel,
    ) -> Result<Plan, ModelError> {
        let (n, hold) = (budget.candidates.max(2), budget.hold.max(1));
        let frameskip = model.frameskip().max(1);
        if !(budget.horizon * hold).is_multiple_of(frameskip) || budget.horizon == 0 {
            let message = format!(
                "a horizon of {} × {hold} control steps is not a multiple of its frameskip {frameskip}",
                budget.horizon
            );
            return Err(ModelError::Input {
                model: model.card().name.clone(),
                message,
            });
        }
        let genes = budget.horizon * dim;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut mean = start_mean(warm, budget.horizon, hold, dim);
        let mut sigma = vec![self.sigma; genes];
        let elites = ((n as f32 * self.elite_share).round() as usize).clamp(2, n);
        let mut plan = Plan::default();
        let mut tokens = vec![0.0f32; n * genes];
        for iteration in 0..budget.iterations.max(1) {
            cancel.check()?;
            for (i, gene) in tokens.iter_mut().enumerate() {
                let g = i % genes.max(1);
                // The current mean is itself a candidate, so that a good plan is never lost.
                let noise: f32 = if i < genes {
                    0.0
                } else {
                    rng.sample(StandardNormal)
                };
                *gene = (mean[g] + sigma[g] * noise).clamp(-1.0, 1.0);
            }
            let rollouts = model.imagine(
                latent,
                &expand(&tokens, n, budget.horizon, hold, dim),
                cancel,
            )?;
            let distances = model.distance(&rollouts, goal)?;
            let steps = distances.len() / n;
            plan.model_steps += n * steps;
            let costs: Vec<f32> = distances
                .chunks_exact(steps.max(1))
                .map(|d| match self.shape {
                    CostShape::Sum => d.iter().sum::<f32>() / steps as f32,
                    CostShape::Last => d.last().copied().unwrap_or(f32::INFINITY),
                })
                .map(|c| if c.is_finite() { c } else { f32::MAX })
                .collect();
            if iteration == 0 && dim >= 2 {
                plan.first_actions = (0..n)
                    .map(|i| ([tokens[i * genes], tokens[i * genes + 1]], costs[i]))
                    .collect();
            }
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
            let best = &order[..elites];
            for g in 0..genes {
                let values = best.iter().map(|&i| tokens[i * genes + g]);
                let m = values.clone().sum::<f32>() / elites as f32;
                let variance = values.map(|v| (v - m) * (v - m)).sum::<f32>() / elites as f32;
                mean[g] = m;
                sigma[g] = variance.sqrt().max(self.min_sigma);
            }
            plan.cost = best.iter().map(|&i| costs[i]).sum::<f32>() / elites as f32;
            plan.iterations.push(IterationTrace {
                best: costs[order[0]],
                mean_elite: plan.cost,
                spread: sigma.iter().sum::<f32>() / genes.max(1) as f32,
            });
        }
        plan.actions = expand(&mean, 1, budget.horizon, hold, dim)
            .data
            .chunks_exact(dim.max(1))
            .map(<[f32]>::to_vec)
            .collect();
        Ok(plan)
    }
}

/// The last plan as a start, token by token; zeros without one.
fn start_mean(warm: Option<&Plan>, horizon: usize, hold: usize, dim: usize) -> Vec<f32> {
    let mut mean = vec![0.0; horizon * dim];
    if let Some(plan) = warm {
        for (h, token) in mean.chunks_exact_mut(dim.max(1)).enumerate() {
            if let Some(action) = plan.actions.get(h * hold).filter(|a| a.len() == dim) {
                token.copy_from_slice(action);
            }
        }
    }
    mean
}

/// `[N, H, A]` tokens to `[N, H × hold, A]` actions.
fn expand(tokens: &[f32], n: usize, horizon: usize, hold: usize, dim: usize) -> Actions {
    let mut data = Vec::with_capacity(n * horizon * hold * dim);
    for token in tokens.chunks_exact(dim.max(1)).take(n * horizon) {
        for _ in 0..hold {
            data.extend_from_slice(token);
        }
    }
    Actions {
        n,
        steps: horizon * hold,
        dim,
        data,
    }
}
