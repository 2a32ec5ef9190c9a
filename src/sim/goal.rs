//! Goals on the true state: where bodies have to be, how far they are from it, and whether that is success.

use super::{BodyState, State};
use crate::scene::Task;

/// Where one body has to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Body index.
    pub body: usize,
    /// Centre, metres.
    pub position: [f32; 3],
    /// Rotation about the vertical, radians.
    pub yaw: f32,
}

impl Target {
    /// A body's state as a target.
    pub fn of(body: usize, state: &BodyState) -> Target {
        Target {
            body,
            position: state.position,
            yaw: state.yaw(),
        }
    }

    /// The place in the floor plane, (x, z) metres.
    pub fn place(&self) -> [f32; 2] {
        [self.position[0], self.position[2]]
    }
}

/// A task's goal on the true state; no learned model ever sees it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoalState {
    /// The task's success test.
    pub task: Task,
    /// One entry a body that counts, the task's own first.
    pub targets: Vec<Target>,
}

impl GoalState {
    /// Distance of one target's body from its place, metres.
    pub fn distance_of(&self, target: &Target, state: &State) -> f32 {
        let Some(body) = state.bodies.get(target.body) else {
            return f32::MAX;
        };
        let planar = body.planar_distance(target.place());
        if self.task.vertical {
            let dy = body.position[1] - target.position[1];
            (planar * planar + dy * dy).sqrt()
        } else {
            planar
        }
    }

    /// The distance that the task's tolerance bounds, metres: the furthest body's, or all as one vector.
    pub fn distance(&self, state: &State) -> f32 {
        let each = self.targets.iter().map(|t| self.distance_of(t, state));
        if self.task.together {
            each.map(|d| d * d).sum::<f32>().sqrt()
        } else {
            each.fold(0.0, f32::max)
        }
    }

    /// Difference of the first body's rotation about the vertical, radians in [0, π].
    pub fn angle(&self, state: &State) -> f32 {
        let Some((target, body)) = self
            .targets
            .first()
            .and_then(|t| Some((t, state.bodies.get(t.body)?)))
        else {
            return 0.0;
        };
        let turn = 2.0 * std::f32::consts::PI;
        let d = (body.yaw() - target.yaw).rem_euclid(turn);
        d.min(turn - d)
    }

    /// The success test.
    pub fn is_met(&self, state: &State) -> bool {
        let task = &self.task;
        let slow = |limit: f32| {
            self.targets.iter().all(|t| {
                let v = state.bodies[t.body].velocity;
                (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]).sqrt() <= limit
            })
        };
        self.distance(state) <= task.tolerance_m
            && task
                .angle_degrees
                .is_none_or(|limit| self.angle(state) <= limit.to_radians())
            && task.rest_speed.is_none_or(slow)
            && !(task.released && state.held.is_some())
    }
}
