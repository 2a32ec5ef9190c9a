//! The outcome of a search, open to inspection.

use crate::model::facets::Station;

/// One iteration of a search, for display.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IterationTrace {
    /// Lowest cost among the candidates.
    pub best: f32,
    /// Mean cost of the elites.
    pub mean_elite: f32,
    /// Mean standard deviation of the search distribution after the update.
    pub spread: f32,
}

/// A candidate that did well.
#[derive(Clone, Debug, PartialEq)]
pub struct Elite {
    /// `[T, A]` at the control rate, row-major.
    pub actions: Vec<f32>,
    /// Its cost.
    pub cost: f32,
}

/// The outcome of a search.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Actions at the control rate, `[H × hold][A]`.
    pub actions: Vec<Vec<f32>>,
    /// Cost of the last elites (mean).
    pub cost: f32,
    /// Distance to the goal at every imagined model step of [`actions`](Self::actions).
    pub cost_by_step: Vec<f32>,
    /// One entry an iteration.
    pub iterations: Vec<IterationTrace>,
    /// The best candidates of every iteration, best first, at most [`Plan::ELITES`] of each.
    pub elites: Vec<Vec<Elite>>,
    /// First action and cost of the candidates of the first iteration: the energy over first actions.
    pub first_actions: Vec<([f32; 2], f32)>,
    /// Imagined model steps, summed over candidates and iterations; one whose gradient was taken counts
    /// three times.
    pub model_steps: usize,
    /// Control steps of the first token that were taken already: above 0 only after [`Plan::shifted`].
    pub phase: usize,
    /// Moments to reach on the way, the nearest first and the goal last: the search aimed at the first of
    /// them. Empty where a planner aims at the goal itself.
    pub stations: Vec<Station>,
}

impl Plan {
    /// Elites kept of an iteration.
    pub const ELITES: usize = 10;

    /// What is left of the plan, and of its last elites, after `steps` control steps of tokens of `hold`:
    /// what the next search may start from.
    pub fn shifted(mut self, steps: usize, hold: usize) -> Plan {
        let dim = self.actions.first().map_or(0, Vec::len);
        self.actions.drain(..steps.min(self.actions.len()));
        let last = self.elites.pop().unwrap_or_default();
        let rest = |elite: Elite| Elite {
            actions: elite.actions.into_iter().skip(steps * dim).collect(),
            ..elite
        };
        self.elites = vec![last.into_iter().map(rest).collect()];
        self.phase = (self.phase + steps) % hold.max(1);
        self.stations
            .iter_mut()
            .for_each(|s| s.steps -= steps as f32);
        self
    }
}
