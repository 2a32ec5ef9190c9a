//! What all searches share: tokens on a grid of control steps, their cost, the clock and the trace.

use std::time::Instant;

use rand::Rng;
use rand_distr::StandardNormal;

use super::{Elite, IterationTrace, Plan, Problem};
use crate::model::facets::Plans;
use crate::model::{Actions, ModelError, require};

/// How distances of the imagined steps become one cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostShape {
    /// Mean over all imagined steps. Nearness on the way counts, as in PETS (arXiv 1805.12114), where a
    /// plan is worth the sum of its rewards.
    #[default]
    Sum,
    /// Only the last imagined step.
    Last,
}

impl CostShape {
    /// Weights of `steps` steps; they sum to one.
    pub fn weights(self, steps: usize) -> Vec<f32> {
        match self {
            CostShape::Sum => vec![1.0 / steps.max(1) as f32; steps],
            CostShape::Last => (0..steps)
                .map(|t| f32::from(u8::from(t + 1 == steps)))
                .collect(),
        }
    }
}

/// One search in progress.
pub(super) struct Search<'a> {
    problem: &'a Problem<'a>,
    plans: &'a dyn Plans,
    frameskip: usize,
    shape: CostShape,
    /// Token that each control step belongs to.
    grid: Vec<usize>,
    tokens: usize,
    plan: Plan,
    started: Instant,
    /// Seconds when the last iteration ended.
    last_ended: f64,
}

impl<'a> Search<'a> {
    /// Checks that the horizon fits the model and lays the grid.
    pub fn new(problem: &'a Problem<'a>, shape: CostShape) -> Result<Self, ModelError> {
        let (budget, model) = (problem.budget, problem.model);
        let plans = require(
            model,
            model.facets().plans,
            "measures no distance to a goal",
        )?;
        let (hold, frameskip) = (budget.hold.max(1), model.shape().frameskip.max(1));
        if !budget.steps().is_multiple_of(frameskip) || budget.horizon == 0 {
            let message = format!(
                "a horizon of {} × {hold} control steps is not a multiple of its frameskip {frameskip}",
                budget.horizon
            );
            return Err(ModelError::Input {
                model: model.card().name.clone(),
                message,
            });
        }
        // A token of the last plan that is under way keeps its end: the first token is what is left of it.
        let phase = problem.warm.map_or(0, |w| w.phase) % hold;
        let grid: Vec<usize> = (0..budget.steps()).map(|t| (t + phase) / hold).collect();
        Ok(Self {
            tokens: grid.last().map_or(0, |t| t + 1),
            grid,
            problem,
            plans,
            frameskip,
            shape,
            plan: Plan {
                phase,
                ..Plan::default()
            },
            started: Instant::now(),
            last_ended: 0.0,
        })
    }

    /// Numbers that make one candidate: tokens × action components.
    pub fn genes(&self) -> usize {
        self.tokens * self.problem.dim
    }

    /// Tokens of a candidate.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The last plan as a start, token by token; zeros where there is none.
    pub fn start(&self) -> Vec<f32> {
        let flat: Vec<f32> = self.problem.warm.map_or_else(Vec::new, |w| {
            let fits = w.actions.iter().all(|a| a.len() == self.problem.dim);
            if fits { w.actions.concat() } else { Vec::new() }
        });
        self.gather(&flat, None)
    }

    /// The last plan's elites; tokens that they lack repeat their last action.
    pub fn start_elites(&self) -> Vec<Vec<f32>> {
        let elites = self.problem.warm.and_then(|w| w.elites.last());
        elites.map_or_else(Vec::new, |elites| {
            elites
                .iter()
                .filter(|e| e.actions.len() >= self.problem.dim)
                .map(|e| {
                    let end = &e.actions[e.actions.len() - self.problem.dim..];
                    self.gather(&e.actions, Some(end))
                })
                .collect()
        })
    }

    /// Up to `n` candidates from the model's action prior, token by token.
    ///
    /// # Errors
    /// [`ModelError::Input`] where some are asked for and the model has no prior.
    pub fn proposals(&self, n: usize) -> Result<Vec<Vec<f32>>, ModelError> {
        let p = self.problem;
        let steps = self.grid.len();
        if n == 0 {
            return Ok(Vec::new());
        }
        let lack = "learned no prior over actions; plan without proposals";
        let prior = require(p.model, p.model.facets().proposals, lack)?;
        let drawn = prior.propose(p.latent, p.goal, n, steps, p.dim, p.seed)?;
        let each = drawn.data.chunks_exact((steps * p.dim).max(1));
        Ok(each.map(|a| self.gather(a, None)).collect())
    }

    /// Tokens `[K, A]` from actions `[T, A]`: the action at each token's first step, `missing` (or zero)
    /// where there is none.
    fn gather(&self, actions: &[f32], missing: Option<&[f32]>) -> Vec<f32> {
        let dim = self.problem.dim;
        let mut tokens = vec![0.0; self.genes()];
        for (k, token) in tokens.chunks_exact_mut(dim.max(1)).enumerate() {
            let step = self.grid.partition_point(|&t| t < k);
            match (actions.get(step * dim..(step + 1) * dim), missing) {
                (Some(action), _) | (None, Some(action)) => token.copy_from_slice(action),
                (None, None) => {}
            }
        }
        tokens
    }

    /// `[N, K, A]` tokens to `[N, T, A]` actions.
    pub fn expand(&self, tokens: &[f32]) -> Actions {
        let (dim, genes) = (self.problem.dim, self.genes());
        let n = tokens.len() / genes.max(1);
        let mut data = Vec::with_capacity(n * self.grid.len() * dim);
        for candidate in tokens.chunks_exact(genes.max(1)) {
            for &k in &self.grid {
                data.extend_from_slice(&candidate[k * dim..(k + 1) * dim]);
            }
        }
        Actions {
            n,
            steps: self.grid.len(),
            dim,
            data,
        }
    }

    /// Imagines candidates `[N, K, A]` and returns their costs.
    pub fn score(&mut self, tokens: &[f32]) -> Result<Vec<f32>, ModelError> {
        let p = self.problem;
        p.cancel.check()?;
        let actions = self.expand(tokens);
        let distances = self.distances(&actions)?;
        self.plan.model_steps += distances.len();
        let costs = self.costs(&distances, actions.n);
        self.note_first(tokens, &costs);
        Ok(costs)
    }

    /// As [`score`](Self::score), and how far each candidate's course has left what observations look like:
    /// the mean over its imagined steps, if `gate` is more than 0.
    ///
    /// # Errors
    /// [`ModelError::Input`] where a gate is asked for and the model does not tell.
    pub fn score_gated(
        &mut self,
        tokens: &[f32],
        gate: f32,
    ) -> Result<(Vec<f32>, Option<Vec<f32>>), ModelError> {
        if gate <= 0.0 {
            return Ok((self.score(tokens)?, None));
        }
        let p = self.problem;
        let lack = "does not tell how far it strays; plan without a gate";
        let teller = require(p.model, p.model.facets().strays, lack)?;
        p.cancel.check()?;
        let actions = self.expand(tokens);
        let rollouts = p.model.imagine(p.latent, &actions, p.sampling, p.cancel)?;
        let distances = self.plans.distance(&rollouts, p.goal, p.metric)?;
        let strays = teller.strays(&rollouts)?;
        self.plan.model_steps += distances.len();
        let costs = self.costs(&distances, actions.n);
        self.note_first(tokens, &costs);
        let steps = (strays.len() / actions.n.max(1)).max(1);
        let mean = |s: &[f32]| s.iter().sum::<f32>() / steps as f32;
        let finite = |s: f32| if s.is_finite() { s } else { f32::MAX };
        let strays = strays.chunks_exact(steps).map(|s| finite(mean(s)));
        Ok((costs, Some(strays.collect())))
    }

    /// Distances of every imagined step of candidates, `[N, T]`.
    fn distances(&self, actions: &Actions) -> Result<Vec<f32>, ModelError> {
        let p = self.problem;
        let rollouts = p.model.imagine(p.latent, actions, p.sampling, p.cancel)?;
        self.plans.distance(&rollouts, p.goal, p.metric)
    }

    /// As [`score`](Self::score), with the costs' gradient by token, `[N, K, A]`.
    pub fn score_with_gradient(
        &mut self,
        tokens: &[f32],
    ) -> Result<(Vec<f32>, Vec<f32>), ModelError> {
        let p = self.problem;
        p.cancel.check()?;
        let actions = self.expand(tokens);
        let weights = self.shape.weights(actions.steps / self.frameskip);
        let slope = self
            .plans
            .gradient(p.latent, &actions, p.goal, p.metric, &weights, p.cancel)?
            .ok_or_else(|| ModelError::Input {
                model: p.model.card().name.clone(),
                message: "has no gradient by actions; plan with cem, icem or mppi".into(),
            })?;
        self.plan.model_steps += 3 * slope.distances.len();
        let costs = self.costs(&slope.distances, actions.n);
        let (dim, genes) = (p.dim, self.genes());
        let mut by_token = vec![0.0; tokens.len()];
        let rows = slope
            .by_action
            .chunks_exact((self.grid.len() * dim).max(1))
            .zip(by_token.chunks_exact_mut(genes.max(1)));
        for (from, to) in rows {
            for (t, &k) in self.grid.iter().enumerate() {
                (0..dim).for_each(|a| to[k * dim + a] += from[t * dim + a]);
            }
        }
        self.note_first(tokens, &costs);
        Ok((costs, by_token))
    }

    fn costs(&self, distances: &[f32], n: usize) -> Vec<f32> {
        let steps = distances.len() / n.max(1);
        let weights = self.shape.weights(steps);
        distances
            .chunks_exact(steps.max(1))
            .map(|d| d.iter().zip(&weights).map(|(d, w)| d * w).sum::<f32>())
            .map(|c| if c.is_finite() { c } else { f32::MAX })
            .collect()
    }

    fn note_first(&mut self, tokens: &[f32], costs: &[f32]) {
        if self.plan.iterations.is_empty() && self.problem.dim >= 2 {
            self.plan.first_actions = tokens
                .chunks_exact(self.genes().max(1))
                .zip(costs)
                .map(|(c, cost)| ([c[0], c[1]], *cost))
                .collect();
        }
    }

    /// Writes an iteration into the trace; `order` sorts the candidates by cost, of which the first
    /// `elites` were used.
    pub fn record(
        &mut self,
        tokens: &[f32],
        costs: &[f32],
        order: &[usize],
        elites: usize,
        spread: f32,
    ) {
        let genes = self.genes();
        let best = &order[..elites.clamp(1, order.len().max(1)).min(order.len())];
        let mean = best.iter().map(|&i| costs[i]).sum::<f32>() / best.len().max(1) as f32;
        self.plan.cost = mean;
        self.plan.iterations.push(IterationTrace {
            best: best.first().map_or(f32::MAX, |&i| costs[i]),
            mean_elite: mean,
            spread,
        });
        let kept = best.iter().take(Plan::ELITES).map(|&i| Elite {
            actions: self.expand(&tokens[i * genes..(i + 1) * genes]).data,
            cost: costs[i],
        });
        let kept = kept.collect();
        self.plan.elites.push(kept);
    }

    /// Whether another iteration would probably end after the budget's time.
    pub fn time_is_up(&mut self) -> bool {
        let Some(ms) = self.problem.budget.milliseconds else {
            return false;
        };
        let now = self.started.elapsed().as_secs_f64();
        let iteration = now - self.last_ended;
        self.last_ended = now;
        (now + iteration) * 1e3 > f64::from(ms)
    }

    /// The plan that follows `tokens`, imagined once more for its cost by step.
    pub fn finish(mut self, tokens: &[f32]) -> Result<Plan, ModelError> {
        let p = self.problem;
        p.cancel.check()?;
        let actions = self.expand(tokens);
        self.plan.cost_by_step = self.distances(&actions)?;
        self.plan.model_steps += self.plan.cost_by_step.len();
        self.plan.actions = actions
            .data
            .chunks_exact(p.dim.max(1))
            .map(<[f32]>::to_vec)
            .collect();
        Ok(self.plan)
    }
}

/// Indices by rising cost; ties by index, so that a seed decides everything.
pub(super) fn by_cost(costs: &[f32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[a].total_cmp(&costs[b]).then(a.cmp(&b)));
    order
}

/// Fills `tokens` with candidates from a diagonal Gaussian; the first is its mean.
pub(super) fn draw(tokens: &mut [f32], mean: &[f32], sigma: &[f32], rng: &mut impl Rng) {
    let genes = mean.len();
    for (i, gene) in tokens.iter_mut().enumerate() {
        let g = i % genes.max(1);
        let noise: f32 = match i < genes {
            true => 0.0,
            false => rng.sample(StandardNormal),
        };
        *gene = (mean[g] + sigma[g] * noise).clamp(-1.0, 1.0);
    }
}

/// A diagonal Gaussian over genes, as a search narrows it.
pub(super) struct Gaussian {
    /// Mean of each gene.
    pub mean: Vec<f32>,
    /// Standard deviation of each gene.
    pub sigma: Vec<f32>,
}

impl Gaussian {
    /// Refits it to weighted candidates, no narrower than `least`; returns the mean deviation.
    pub fn refit(&mut self, tokens: &[f32], weights: &[(usize, f32)], least: f32) -> f32 {
        let genes = self.mean.len();
        for (g, (m, s)) in moments(tokens, genes, weights).into_iter().enumerate() {
            (self.mean[g], self.sigma[g]) = (m, s.max(least));
        }
        self.sigma.iter().sum::<f32>() / genes.max(1) as f32
    }
}

/// Mean and standard deviation of each gene over candidates `which`, each with its weight (which sum to one).
pub(super) fn moments(tokens: &[f32], genes: usize, which: &[(usize, f32)]) -> Vec<(f32, f32)> {
    let moment = |g: usize| {
        let values = which.iter().map(|&(i, w)| (tokens[i * genes + g], w));
        let mean = values.clone().map(|(v, w)| v * w).sum::<f32>();
        let variance = values
            .map(|(v, w)| w * (v - mean) * (v - mean))
            .sum::<f32>();
        (mean, variance.sqrt())
    };
    (0..genes).map(moment).collect()
}
