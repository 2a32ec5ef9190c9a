//! The ceiling: a world model whose imagination is a fork of rapier (as VP2 uses the simulator itself).
//!
//! It is the only model that is shown reality, through [`Oracle::see`]; it shares the trait so that the very same
//! planner drives it. Its distance is that of the task: the planar distance of the task's body to the goal,
//! plus a small pull of the hand towards the body, without which 25 steps ahead are often flat.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::{
    Actions, Camp, Cancel, Card, Context, Cost, Frames, Goal, Latent, ModelError, ProbedStates,
    Rollouts, WorldModel, card::FORMAT,
};
use crate::scene::Scene;
use crate::sim::Reality;

/// Weight of the hand's distance to the body.
const HAND_PULL: f32 = 0.1;
/// Control steps between two scored moments.
const SCORE_EVERY: usize = 5;

/// A fork of rapier as a world model.
pub struct Oracle {
    card: Card,
    body: usize,
    hand: Option<usize>,
    reach: f32,
    seen: Mutex<Option<(Arc<Reality>, [f32; 2])>>,
}

struct Truth {
    reality: Arc<Reality>,
    place: [f32; 2],
}

impl Oracle {
    /// The oracle for a scene's task (for the hand if the scene has none).
    pub fn new(scene: &Scene) -> Self {
        let hand = scene.hand();
        let body = scene
            .task
            .as_ref()
            .and_then(|t| scene.body_index(&t.body))
            .or(hand)
            .unwrap_or(0);
        let reach = hand.map_or(0.0, |h| {
            0.5 * (scene.bodies[h].shape.size() + scene.bodies[body].shape.size())
        });
        let card = Card {
            format: FORMAT,
            name: "oracle".into(),
            camp: Camp::Reference,
            summary: "CEM on forks of rapier itself: the ceiling".into(),
            architecture: "rapier3d".into(),
            scenes: vec![scene.name.clone()],
            parameters: 0,
            steps: 0,
            seed: 0,
            data: "none".into(),
            hardware: "none".into(),
            minutes: 0.0,
            sha256: String::new(),
            notes: "Sees the true state; not a contestant".into(),
            licence: "MIT OR Apache-2.0".into(),
        };
        Self {
            card,
            body,
            hand,
            reach,
            seen: Mutex::new(None),
        }
    }

    /// Shows it reality and the goal's place (x, z), metres.
    pub fn see(&self, reality: Reality, place: [f32; 2]) {
        let mut seen = self.seen.lock().unwrap_or_else(|p| p.into_inner());
        *seen = Some((Arc::new(reality), place));
    }

    fn cost_of(&self, reality: &Reality, place: [f32; 2]) -> f32 {
        let state = reality.measure();
        let Some(body) = state.bodies.get(self.body) else {
            return f32::MAX;
        };
        let distance = body.planar_distance(place);
        match self.hand {
            Some(h) if h != self.body => {
                let hand = &state.bodies[h];
                let apart = hand.planar_distance([body.position[0], body.position[2]]);
                distance + HAND_PULL * (apart - self.reach).max(0.0)
            }
            _ => distance,
        }
    }
}

impl WorldModel for Oracle {
    fn card(&self) -> &Card {
        &self.card
    }

    fn context_frames(&self) -> usize {
        1
    }

    fn frameskip(&self) -> usize {
        SCORE_EVERY
    }

    fn observe(&self, _context: &Context) -> Result<Latent, ModelError> {
        let seen = self.seen.lock().unwrap_or_else(|p| p.into_inner());
        let (reality, place) = seen.as_ref().ok_or_else(|| ModelError::Input {
            model: self.card.name.clone(),
            message: "was not shown reality before it was asked to observe".into(),
        })?;
        Ok(Latent::new(Truth {
            reality: reality.clone(),
            place: *place,
        }))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let truth: &Truth = latent.get(&self.card.name)?;
        let costs: Result<Vec<Vec<f32>>, ModelError> = (0..actions.n)
            .into_par_iter()
            .map(|n| {
                cancel.check()?;
                let mut reality = truth.reality.fork();
                let mut costs = Vec::with_capacity(actions.steps / SCORE_EVERY);
                for t in 0..actions.steps {
                    reality.act(actions.at(n, t));
                    reality.step();
                    if (t + 1) % SCORE_EVERY == 0 {
                        costs.push(self.cost_of(&reality, truth.place));
                    }
                }
                Ok(costs)
            })
            .collect();
        Ok(Rollouts::new(costs?.concat()))
    }

    fn distance(&self, rollouts: &Rollouts, _goal: &Goal) -> Result<Vec<f32>, ModelError> {
        Ok(rollouts.get::<Vec<f32>>(&self.card.name)?.clone())
    }

    fn frames(&self, _rollouts: &Rollouts) -> Result<Option<Frames>, ModelError> {
        Ok(None)
    }

    fn states(&self, _rollouts: &Rollouts) -> Result<Option<ProbedStates>, ModelError> {
        Ok(None)
    }

    fn surprise(
        &self,
        _context: &Context,
        _actions: &Actions,
        _next: &[u8],
    ) -> Result<f32, ModelError> {
        Ok(0.0)
    }

    fn cost(&self) -> Cost {
        Cost::default()
    }
}
