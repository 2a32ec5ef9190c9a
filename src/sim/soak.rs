//! Long runs: does reality stay finite, in its place and solid?

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Reality, SimError};
use crate::scene::Scene;

/// What long runs of a scene showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Soak {
    /// Runs, each with its own seed.
    pub runs: u64,
    /// Control steps of each.
    pub steps: u64,
    /// Runs with a state that is not finite.
    pub broken: u64,
    /// Runs in which a body left the world; [`State::left`](super::State::left) marks it from then on.
    pub left: u64,
    /// Runs in which some body came to rest on another or on the floor.
    pub rested: u64,
    /// Deepest overlap of bodies at rest, metres.
    pub resting_penetration_m: f32,
}

/// A body slower than this counts as resting, m/s and rad/s.
const RESTING: f32 = 0.02;

/// Runs the scene from `runs` seeds for `steps` control steps under random actions.
///
/// # Errors
/// [`SimError`] if a world cannot be built.
pub fn soak(scene: &Arc<Scene>, seed: u64, runs: u64, steps: u64) -> Result<Soak, SimError> {
    let each = (seed..seed + runs)
        .into_par_iter()
        .map(|seed| run(scene, seed, steps))
        .collect::<Result<Vec<Soak>, _>>()?;
    let none = Soak {
        steps,
        ..Soak::default()
    };
    Ok(each.into_iter().fold(none, |a, b| Soak {
        runs: a.runs + b.runs,
        steps,
        broken: a.broken + b.broken,
        left: a.left + b.left,
        rested: a.rested + b.rested,
        resting_penetration_m: a.resting_penetration_m.max(b.resting_penetration_m),
    }))
}

fn run(scene: &Arc<Scene>, seed: u64, steps: u64) -> Result<Soak, SimError> {
    let mut reality = Reality::new(scene, seed)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut found = Soak {
        runs: 1,
        steps,
        ..Soak::default()
    };
    for _ in 0..steps {
        let action: Vec<f32> = (0..scene.actions.dim())
            .map(|_| rng.random_range(-1.0..=1.0))
            .collect();
        reality.act(&action);
        reality.step();
        let state = reality.measure();
        let finite = state
            .bodies
            .iter()
            .all(|b| b.to_array().iter().all(|v| v.is_finite()));
        if !finite || reality.is_broken() {
            found.broken = 1;
            break;
        }
        if !state.left.is_empty() {
            found.left = 1;
            break;
        }
        if let Some(depth) = reality.resting_overlap(RESTING) {
            found.rested = 1;
            found.resting_penetration_m = found.resting_penetration_m.max(depth);
        }
    }
    Ok(found)
}
