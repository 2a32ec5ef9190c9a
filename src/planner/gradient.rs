//! Descent along the cost's gradient by actions, from several starts at once.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::search::{Search, by_cost, draw};
use super::{CostShape, Plan, Planner, Problem};
use crate::model::ModelError;

/// Adam (Kingma & Ba 2015) on the tokens of every candidate; the best one met becomes the plan. The
/// budget's candidates are starts, its iterations descent steps. Only for models with
/// [`Plans::gradient`](crate::model::facets::Plans::gradient).
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// Length of a step, in units of actions.
    pub rate: f32,
    /// Standard deviation of the starts about the last plan.
    pub sigma: f32,
    /// How distances become a cost.
    pub shape: CostShape,
}

impl Default for Adam {
    fn default() -> Self {
        Self {
            rate: 0.1,
            sigma: 0.7,
            shape: CostShape::Sum,
        }
    }
}

const BETAS: (f32, f32) = (0.9, 0.999);
const EPS: f32 = 1e-8;

impl Planner for Adam {
    fn id(&self) -> &'static str {
        "gradient"
    }

    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError> {
        let mut search = Search::new(problem, self.shape)?;
        let (n, genes) = (problem.budget.candidates.max(1), search.genes());
        let mut rng = ChaCha8Rng::seed_from_u64(problem.seed);
        let start = search.start();
        let mut tokens = vec![0.0f32; n * genes];
        draw(&mut tokens, &start, &vec![self.sigma; genes], &mut rng);
        let (mut first, mut second) = (vec![0.0f32; tokens.len()], vec![0.0f32; tokens.len()]);
        let mut best = (f32::INFINITY, start);
        for iteration in 0..problem.budget.iterations.max(1) {
            let (costs, slope) = search.score_with_gradient(&tokens)?;
            let order = by_cost(&costs);
            let winner = order[0];
            if costs[winner] < best.0 {
                best = (
                    costs[winner],
                    tokens[winner * genes..(winner + 1) * genes].to_vec(),
                );
            }
            let power = iteration as i32 + 1;
            let unbias = (1.0 - BETAS.0.powi(power), 1.0 - BETAS.1.powi(power));
            let mut moved = 0.0;
            let before = tokens.clone();
            for (i, g) in slope.iter().enumerate() {
                let g = if g.is_finite() { *g } else { 0.0 };
                first[i] = BETAS.0 * first[i] + (1.0 - BETAS.0) * g;
                second[i] = BETAS.1 * second[i] + (1.0 - BETAS.1) * g * g;
                let step = first[i] / unbias.0 / ((second[i] / unbias.1).sqrt() + EPS);
                let next = (tokens[i] - self.rate * step).clamp(-1.0, 1.0);
                moved += (next - tokens[i]).abs();
                tokens[i] = next;
            }
            let elites = (n / 10).max(1);
            search.record(&before, &costs, &order, elites, moved / tokens.len() as f32);
            if search.time_is_up() {
                break;
            }
        }
        search.finish(&best.1)
    }
}
