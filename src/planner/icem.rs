//! The improved cross-entropy method (Pinneri et al. 2020, arXiv 2008.06389): coloured noise, elites that
//! live on, a population that shrinks, and the best candidate in place of the mean.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::gate::{elites_first, gated};
use super::noise::coloured;
use super::search::{Search, by_cost, moments};
use super::{CostShape, Plan, Planner, Problem};
use crate::model::ModelError;

/// CEM with the paper's additions.
#[derive(Clone, Copy, Debug)]
pub struct Icem {
    /// Share of the budget's candidates that become elites.
    pub elite_share: f32,
    /// Elites that are candidates again in the next iteration, and in the next decision.
    pub kept: usize,
    /// Exponent of the noise's spectrum over tokens: 2 in the paper, whose tokens last one step. Ours are
    /// held, which makes their noise slow already; on `push` 2 did worse than 0 (80 against 89 % of 100
    /// tuning episodes), for going round a cube takes turns.
    pub beta: f32,
    /// How much of the old distribution stays at an update.
    pub alpha: f32,
    /// The population shrinks by this factor an iteration, to no fewer than twice the elites. What it saves
    /// is not spent on other iterations: the budget is an upper bound.
    pub decay: f32,
    /// Standard deviation at the start.
    pub sigma: f32,
    /// The search does not become narrower than this.
    pub min_sigma: f32,
    /// How distances become a cost.
    pub shape: CostShape,
    /// Candidates of the first iteration that come from the model's action prior, where it has one.
    pub proposals: usize,
    /// As [`Cem::gate`](super::Cem::gate).
    pub gate: f32,
}

impl Default for Icem {
    fn default() -> Self {
        Self {
            elite_share: 0.1,
            kept: 5,
            beta: 0.0,
            alpha: 0.1,
            decay: 1.25,
            sigma: 1.0,
            min_sigma: 0.02,
            shape: CostShape::Sum,
            proposals: 0,
            gate: 0.0,
        }
    }
}

impl Planner for Icem {
    fn id(&self) -> &'static str {
        match self.gate > 0.0 {
            true => "icem-gated",
            false => "icem",
        }
    }

    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError> {
        let mut search = Search::new(problem, self.shape)?;
        let (n, genes, dim) = (
            problem.budget.candidates.max(2),
            search.genes(),
            problem.dim,
        );
        let mut rng = ChaCha8Rng::seed_from_u64(problem.seed);
        let mut mean = search.start();
        let mut sigma = vec![self.sigma; genes];
        let elites = ((n as f32 * self.elite_share).round() as usize).clamp(2, n);
        let mut kept: Vec<Vec<f32>> = search.start_elites();
        kept.truncate(self.kept);
        kept.extend(search.proposals(self.proposals)?);
        let mut best = (f32::INFINITY, mean.clone());
        let iterations = problem.budget.iterations.max(1);
        let mut population = n as f32;
        for iteration in 0..iterations {
            let size = (population.round() as usize).max(2 * elites).min(n);
            let mut tokens = Vec::with_capacity(size * genes);
            // The mean is a candidate in the first iteration (the last plan, shifted) and in the last.
            if iteration == 0 || iteration + 1 == iterations {
                tokens.extend_from_slice(&mean);
            }
            kept.iter()
                .take(size.saturating_sub(2))
                .for_each(|k| tokens.extend_from_slice(k));
            while tokens.len() < size * genes {
                let noise: Vec<Vec<f32>> = (0..dim)
                    .map(|_| coloured(search.tokens(), self.beta, &mut rng))
                    .collect();
                for g in 0..genes {
                    let value = mean[g] + sigma[g] * noise[g % dim][g / dim];
                    tokens.push(value.clamp(-1.0, 1.0));
                }
            }
            let (costs, strays) = search.score_gated(&tokens, self.gate)?;
            let order = by_cost(&costs);
            let chosen = gated(&order, strays.as_deref(), elites, self.gate);
            let order = elites_first(&chosen, &order);
            let share = 1.0 / chosen.len().max(1) as f32;
            let weighted: Vec<(usize, f32)> = chosen.iter().map(|&i| (i, share)).collect();
            for (g, (m, s)) in moments(&tokens, genes, &weighted).into_iter().enumerate() {
                mean[g] = (1.0 - self.alpha) * m + self.alpha * mean[g];
                sigma[g] = ((1.0 - self.alpha) * s + self.alpha * sigma[g]).max(self.min_sigma);
            }
            let candidate = |i: usize| tokens[i * genes..(i + 1) * genes].to_vec();
            if let Some(&i) = order.first().filter(|&&i| costs[i] < best.0) {
                best = (costs[i], candidate(i));
            }
            kept = chosen
                .iter()
                .take(self.kept)
                .map(|&i| candidate(i))
                .collect();
            let spread = sigma.iter().sum::<f32>() / genes.max(1) as f32;
            search.record(&tokens, &costs, &order, elites, spread);
            population /= self.decay.max(1.0);
            if search.time_is_up() {
                break;
            }
        }
        search.finish(&best.1)
    }
}
