//! The cross-entropy method (Rubinstein 1999; as LeWM uses it, arXiv 2603.19312 §4).

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::gate::{elites_first, gated};
use super::search::{Gaussian, Search, by_cost, draw};
use super::{CostShape, Plan, Planner, Problem};
use crate::model::ModelError;

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
    /// Candidates of the first iteration that come from the model's action prior, where it has one.
    pub proposals: usize,
    /// So many candidates for each elite are listed besides, and as many that stray most are dropped, where a
    /// model tells how far it strays; 0 gates nothing.
    pub gate: f32,
}

impl Default for Cem {
    fn default() -> Self {
        Self {
            elite_share: 0.1,
            sigma: 1.0,
            min_sigma: 0.05,
            shape: CostShape::Sum,
            proposals: 0,
            gate: 0.0,
        }
    }
}

impl Planner for Cem {
    fn id(&self) -> &'static str {
        match self.gate > 0.0 {
            true => "cem-gated",
            false => "cem",
        }
    }

    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError> {
        let mut search = Search::new(problem, self.shape)?;
        let (n, genes) = (problem.budget.candidates.max(2), search.genes());
        let mut rng = ChaCha8Rng::seed_from_u64(problem.seed);
        let mut found = Gaussian {
            mean: search.start(),
            sigma: vec![self.sigma; genes],
        };
        let elites = ((n as f32 * self.elite_share).round() as usize).clamp(2, n);
        let mut tokens = vec![0.0f32; n * genes];
        let mut proposed = search.proposals(self.proposals)?;
        proposed.truncate(n.saturating_sub(1));
        for _ in 0..problem.budget.iterations.max(1) {
            // The current mean is itself a candidate, so that a good plan is never lost.
            draw(&mut tokens, &found.mean, &found.sigma, &mut rng);
            // Beside the mean, and only once: afterwards they live on in the elites, if they are good.
            for (i, candidate) in proposed.drain(..).enumerate() {
                tokens[(i + 1) * genes..(i + 2) * genes].copy_from_slice(&candidate);
            }
            let (costs, strays) = search.score_gated(&tokens, self.gate)?;
            let order = by_cost(&costs);
            let chosen = gated(&order, strays.as_deref(), elites, self.gate);
            let share = 1.0 / elites as f32;
            let best: Vec<(usize, f32)> = chosen.iter().map(|&i| (i, share)).collect();
            let spread = found.refit(&tokens, &best, self.min_sigma);
            let order = elites_first(&chosen, &order);
            search.record(&tokens, &costs, &order, elites, spread);
            if search.time_is_up() {
                break;
            }
        }
        search.finish(&found.mean)
    }
}
