//! Model-predictive path integral control (Williams et al. 2015), with a refitted deviation as TD-MPC has
//! it (arXiv 2203.04955).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::search::{Gaussian, Search, by_cost, draw};
use super::{CostShape, Plan, Planner, Problem};
use crate::model::ModelError;

/// Every candidate counts, the cheaper the more.
#[derive(Clone, Copy, Debug)]
pub struct Mppi {
    /// Weight of a candidate: e^(-(cost - lowest) / (temperature × deviation of the elites' costs)). In
    /// units of that deviation, because each model measures distance in units of its own.
    pub temperature: f32,
    /// Share of candidates that get a weight at all.
    pub elite_share: f32,
    /// Standard deviation at the start.
    pub sigma: f32,
    /// The search does not become narrower than this.
    pub min_sigma: f32,
    /// How distances become a cost.
    pub shape: CostShape,
}

impl Default for Mppi {
    fn default() -> Self {
        Self {
            temperature: 0.5,
            elite_share: 0.2,
            sigma: 1.0,
            min_sigma: 0.05,
            shape: CostShape::Sum,
        }
    }
}

impl Planner for Mppi {
    fn id(&self) -> &'static str {
        "mppi"
    }

    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError> {
        let mut search = Search::new(problem, self.shape)?;
        let (n, genes) = (problem.budget.candidates.max(2), search.genes());
        let elites = ((n as f32 * self.elite_share).round() as usize).clamp(2, n);
        let mut rng = ChaCha8Rng::seed_from_u64(problem.seed);
        let mut found = Gaussian {
            mean: search.start(),
            sigma: vec![self.sigma; genes],
        };
        let mut tokens = vec![0.0f32; n * genes];
        for _ in 0..problem.budget.iterations.max(1) {
            draw(&mut tokens, &found.mean, &found.sigma, &mut rng);
            let costs = search.score(&tokens)?;
            let order = by_cost(&costs);
            let weights = self.weights(&costs, &order[..elites]);
            let spread = found.refit(&tokens, &weights, self.min_sigma);
            search.record(&tokens, &costs, &order, elites, spread);
            if search.time_is_up() {
                break;
            }
        }
        search.finish(&found.mean)
    }
}

impl Mppi {
    fn weights(&self, costs: &[f32], best: &[usize]) -> Vec<(usize, f32)> {
        let finite = |&&i: &&usize| costs[i] < f32::MAX;
        let usable: Vec<usize> = best.iter().filter(finite).copied().collect();
        let usable = if usable.is_empty() {
            best.to_vec()
        } else {
            usable
        };
        let mean = usable.iter().map(|&i| costs[i]).sum::<f32>() / usable.len() as f32;
        let variance = usable
            .iter()
            .map(|&i| (costs[i] - mean) * (costs[i] - mean))
            .sum::<f32>()
            / usable.len() as f32;
        let unit = (self.temperature * variance.sqrt()).max(1e-12);
        let lowest = costs[usable[0]];
        let raw: Vec<f32> = usable
            .iter()
            .map(|&i| libm::expf(-(costs[i] - lowest) / unit))
            .collect();
        let total: f32 = raw.iter().sum();
        usable
            .into_iter()
            .zip(raw.into_iter().map(|w| w / total))
            .collect()
    }
}
