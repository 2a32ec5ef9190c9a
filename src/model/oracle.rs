//! The ceiling: a world model whose imagination is a fork of rapier (as VP2 uses the simulator itself).
//!
//! It is the only model that is shown reality, through [`Oracle::see`]; it shares the trait so that the
//! very same planner drives it. Its distance is that of the task: how far the task's bodies are from their
//! places, with a small pull of the hand towards a body that is not there yet, without which 25 steps ahead
//! are often flat. Where a body has to come to rest, the imagination lets it roll out. Where places and an
//! angle have to be right at one moment, a fork that meets the goal is better than any that only comes near
//! it: followed to its end it will do in reality what it did in imagination, to the bit.

use std::sync::{Arc, Mutex};

use rayon::prelude::*;

use super::facets::{Effort, Facets, Plans};
use super::goal::Metric;
use super::{
    Actions, Camp, Cancel, Card, Context, Cost, Goal, Latent, ModelError, Rollouts, Sampling,
    Shape, WorldModel,
};
use crate::scene::{ActionSpace, Scene};
use crate::sim::{CONTROL_HZ, GoalState, Reality, State, Target};

/// The name of the [floor](Oracle::without_contacts).
pub const CONSTANT_VELOCITY: &str = "constant-velocity";
/// Weight of the hand's distance to the body.
const HAND_PULL: f32 = 0.1;
/// Weight of the hand's own place where it counts beside a body's. It counts only once the bodies are
/// nearly in theirs: until then the hand has to be free to go round them.
const HAND_TARGET: f32 = 0.3;
/// The hand's distance, metres, that is charged until then, so that bringing the bodies home never costs
/// more.
const HAND_AWAY: f32 = 0.9;
/// How many tolerances from its goal a body may be for the hand's place to count.
const NEARLY: f32 = 1.5;
/// Metres that a radian of wrong orientation costs, where orientation counts.
const METRES_PER_RADIAN: f32 = 0.12;
/// Metres that holding a body costs which is to be let go.
const HOLDING: f32 = 0.05;
/// Control steps between two scored moments.
const SCORE_EVERY: usize = 5;
/// The cost of an imagination that meets the goal at once; below what any other can have.
const MET: f32 = -1.0;
/// What each control step costs that it takes until then.
const LATER: f32 = 0.01;
/// Most control steps for which a rolling body is imagined after the plan.
const COAST_STEPS: usize = 40;

/// What it imagines with.
enum Forecast {
    /// Forks of rapier.
    Rapier,
    /// Every body goes on as it moves and the hand does as it is told: nothing touches, falls or is braked.
    ConstantVelocity(ActionSpace),
}

/// A fork of rapier as a world model.
pub struct Oracle {
    card: Card,
    forecast: Forecast,
    action_dim: usize,
    hand: Option<usize>,
    /// For every body, the distance of centres at which the hand touches it.
    reach: Vec<f32>,
    /// Whether success is a matter of one moment, at which an angle has to be right beside the places.
    exacting: bool,
    seen: Mutex<Option<Seen>>,
}

type Seen = (Arc<Reality>, Arc<GoalState>);

struct Truth {
    reality: Arc<Reality>,
    goal: Arc<GoalState>,
}

impl Oracle {
    /// The oracle for a scene's task.
    pub fn new(scene: &Scene) -> Self {
        let hand = scene.hand();
        let size = |b: usize| scene.bodies[b].shape.size();
        let touch = |b: usize| hand.map_or(0.0, |h| 0.5 * (size(h) + size(b)));
        let reach = (0..scene.bodies.len()).map(touch).collect();
        let card = Card {
            summary: "CEM on forks of rapier itself: the ceiling".into(),
            scenes: vec![scene.name.clone()],
            notes: "Sees the true state; not a contestant".into(),
            ..Card::untrained("oracle", Camp::Reference, "rapier3d")
        };
        Self {
            card,
            forecast: Forecast::Rapier,
            action_dim: scene.actions.dim(),
            hand,
            reach,
            exacting: (scene.task.as_ref()).is_some_and(|t| t.angle_degrees.is_some()),
            seen: Mutex::new(None),
        }
    }

    /// The floor beside that ceiling: it is shown the same state and has the same distance, but knows no
    /// physics beyond constant velocities.
    pub fn without_contacts(scene: &Scene) -> Self {
        let oracle = Self::new(scene);
        let card = Card {
            name: CONSTANT_VELOCITY.into(),
            summary: "CEM on the true state with constant velocities: a floor without contacts"
                .into(),
            architecture: "constant velocity".into(),
            ..oracle.card
        };
        Self {
            card,
            forecast: Forecast::ConstantVelocity(scene.actions.clone()),
            ..oracle
        }
    }

    /// Whether a plan is only good as a whole: a mean of several good ones may miss the moment at which
    /// each succeeds.
    pub fn is_exacting(&self) -> bool {
        self.exacting
    }

    /// Shows it reality and the goal.
    pub fn see(&self, reality: Reality, goal: Arc<GoalState>) {
        let mut seen = self.seen.lock().unwrap_or_else(|p| p.into_inner());
        *seen = Some((Arc::new(reality), goal));
    }

    fn cost_of(&self, state: &State, goal: &GoalState) -> f32 {
        let (hands, bodies): (Vec<&Target>, Vec<&Target>) = goal
            .targets
            .iter()
            .partition(|t| Some(t.body) == self.hand && goal.targets.len() > 1);
        let mut cost: f32 = bodies.iter().map(|t| goal.distance_of(t, state)).sum();
        let mut nearly = bodies
            .iter()
            .all(|t| goal.distance_of(t, state) < NEARLY * goal.task.tolerance_m);
        if let Some(degrees) = goal.task.angle_degrees {
            let angle = goal.angle(state);
            nearly &= angle < NEARLY * degrees.to_radians();
            cost += METRES_PER_RADIAN * angle;
        }
        // A hand that has a place of its own is not drawn to the body any more once the body is nearly there.
        let is_drawn = hands.is_empty() || !nearly;
        for hand in hands {
            let distance = goal.distance_of(hand, state).min(HAND_AWAY);
            cost += HAND_TARGET * if nearly { distance } else { HAND_AWAY };
        }
        let away = |t: &&Target| goal.distance_of(t, state) > 0.7 * goal.task.tolerance_m;
        let pulls = goal.targets.iter().filter(|t| Some(t.body) != self.hand);
        let unsolved = pulls.clone().find(away).or(pulls.clone().next());
        if let (Some(hand), Some(target)) = (self.hand, unsolved)
            && state.held.is_none()
            && is_drawn
        {
            let body = &state.bodies[target.body];
            let hand = &state.bodies[hand];
            let planar = hand.planar_distance([body.position[0], body.position[2]]);
            let apart = if goal.task.vertical {
                let dy = hand.position[1] - body.position[1];
                (planar * planar + dy * dy).sqrt()
            } else {
                planar
            };
            cost += HAND_PULL * (apart - self.reach[target.body]).max(0.0);
        }
        if goal.task.released
            && state.held.is_some()
            && goal.distance(state) < goal.task.tolerance_m
        {
            cost += HOLDING;
        }
        cost
    }

    /// The cost after everything has come to rest.
    fn cost_at_rest(&self, reality: &mut Reality, goal: &GoalState, dim: usize, limit: f32) -> f32 {
        reality.act(&vec![0.0; dim]);
        for _ in 0..COAST_STEPS {
            let state = reality.measure();
            let fast = goal.targets.iter().any(|t| {
                let v = state.bodies[t.body].velocity;
                v.iter().map(|c| c * c).sum::<f32>().sqrt() > limit
            });
            if !fast {
                break;
            }
            reality.step();
        }
        self.cost_of(&reality.measure(), goal)
    }

    /// Distances along the forecast of constant velocities.
    fn costs_without_contacts(
        &self,
        truth: &Truth,
        actions: &Actions,
        n: usize,
        space: &ActionSpace,
    ) -> Vec<f32> {
        let dt = 1.0 / CONTROL_HZ as f32;
        let mut state = truth.reality.measure();
        let mut costs = Vec::with_capacity(actions.steps / SCORE_EVERY);
        for t in 0..actions.steps {
            for (b, body) in state.bodies.iter_mut().enumerate() {
                let velocity = match Some(b) == self.hand {
                    true => hand_velocity(space, actions.at(n, t)),
                    false => body.velocity,
                };
                for (x, v) in body.position.iter_mut().zip(velocity) {
                    *x += v * dt;
                }
                if let (true, Some((low, high))) = (Some(b) == self.hand, space.planar_bounds()) {
                    body.position[0] = body.position[0].clamp(low[0], high[0]);
                    body.position[2] = body.position[2].clamp(low[1], high[1]);
                }
            }
            if (t + 1) % SCORE_EVERY == 0 {
                costs.push(self.cost_of(&state, &truth.goal));
            }
        }
        costs
    }
}

/// The velocity of a hand under an action, m/s.
fn hand_velocity(space: &ActionSpace, action: &[f32]) -> [f32; 3] {
    match (space, action) {
        (ActionSpace::Planar { max_speed, .. }, [x, z, ..]) => {
            [x * *max_speed, 0.0, z * *max_speed]
        }
        (ActionSpace::Spatial { max_speed, .. }, [x, y, z, ..]) => {
            [x, y, z].map(|a| a * *max_speed)
        }
        _ => [0.0; 3],
    }
}

impl WorldModel for Oracle {
    fn card(&self) -> &Card {
        &self.card
    }

    fn shape(&self) -> Shape {
        Shape {
            context_frames: 1,
            frameskip: SCORE_EVERY,
            action_dim: self.action_dim,
        }
    }

    fn observe(&self, _context: &Context) -> Result<Latent, ModelError> {
        let seen = self.seen.lock().unwrap_or_else(|p| p.into_inner());
        let (reality, goal) = seen.as_ref().ok_or_else(|| {
            ModelError::input(
                &self.card.name,
                "was not shown reality before it was asked to observe",
            )
        })?;
        Ok(Latent::new(Truth {
            reality: reality.clone(),
            goal: goal.clone(),
        }))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        _sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let truth: &Truth = latent.get(&self.card.name)?;
        let costs: Result<Vec<Vec<f32>>, ModelError> = (0..actions.n)
            .into_par_iter()
            .map(|n| {
                cancel.check()?;
                if let Forecast::ConstantVelocity(space) = &self.forecast {
                    return Ok(self.costs_without_contacts(truth, actions, n, space));
                }
                let mut reality = truth.reality.fork();
                let mut costs = Vec::with_capacity(actions.steps / SCORE_EVERY);
                for t in 0..actions.steps {
                    reality.act(actions.at(n, t));
                    reality.step();
                    if self.exacting && truth.goal.is_met(&reality.measure()) {
                        return Ok(vec![MET + LATER * t as f32; actions.steps / SCORE_EVERY]);
                    }
                    if (t + 1) % SCORE_EVERY == 0 {
                        costs.push(self.cost_of(&reality.measure(), &truth.goal));
                    }
                }
                if let Some(limit) = truth.goal.task.rest_speed {
                    let last = self.cost_at_rest(&mut reality, &truth.goal, actions.dim, limit);
                    costs.fill(last);
                }
                Ok(costs)
            })
            .collect();
        Ok(Rollouts::new(costs?.concat()))
    }

    fn cost(&self, _sampling: Sampling) -> Cost {
        Cost::default()
    }

    fn facets(&self) -> Facets<'_> {
        Facets {
            plans: Some(self),
            ..Facets::default()
        }
    }
}

impl Plans for Oracle {
    /// The task's own distance, whatever the metric: it sees the state and no pictures.
    fn distance(
        &self,
        rollouts: &Rollouts,
        _goal: &Goal,
        _metric: &Metric,
    ) -> Result<Vec<f32>, ModelError> {
        Ok(rollouts.get::<Vec<f32>>(&self.card.name)?.clone())
    }

    fn effort(&self) -> Effort {
        Effort::PHYSICS
    }
}
