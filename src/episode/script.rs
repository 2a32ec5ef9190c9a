//! Scripted task policies: what a person would do by hand, so that experience holds what tasks need.
//!
//! They look at the true state and pursue goals of their own, one after another; they make experience and
//! are no contestants.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::pushing::{around_fixed, push_towards, turn_towards};
use super::view::{View, norm, norm3, scale, sub};
use crate::scene::{ActionSpace, Task};

/// A scripted action and how much noise it bears.
pub(super) struct Wish {
    pub action: [f32; 4],
    pub noise: f32,
}

/// The state of a script within an episode.
#[derive(Default)]
pub(super) struct Script {
    goal: Option<[f32; 2]>,
    yaw: f32,
    age: u32,
    body: usize,
    contact: Option<(usize, u32)>,
    speed: f32,
}

/// Control steps after which a goal is given up.
const PATIENCE: u32 = 60;
/// Speed commanded for a metre of distance.
const GAIN: f32 = 9.0;

impl Script {
    /// The next action; `None` where the scene has no task.
    pub fn act(&mut self, view: &View, rng: &mut ChaCha8Rng) -> Option<Wish> {
        let task = view.scene.task.as_ref()?;
        let names = std::iter::once(&task.body).chain(&task.also);
        let bodies: Vec<usize> = names.filter_map(|n| view.scene.body_index(n)).collect();
        let first = *bodies.first()?;
        self.age += 1;
        if let ActionSpace::Spatial { low, high, .. } = view.scene.actions {
            return Some(self.stack(view, task, first, low, high, rng));
        }
        if task.rest_speed.is_some() {
            return Some(self.strike(view, first, rng));
        }
        // Together with the hand means: the other one is what is pushed.
        let pushed: Vec<usize> = bodies.into_iter().filter(|&b| b != view.hand).collect();
        let Some(&first) = pushed.first() else {
            return Some(self.reach(view, task, rng));
        };
        if task.angle_degrees.is_some() {
            return Some(self.pose(view, task, first, rng));
        }
        Some(self.push(view, task, &pushed, rng))
    }

    fn reach(&mut self, view: &View, task: &Task, rng: &mut ChaCha8Rng) -> Wish {
        let goal = self.goal_for(view, view.hand, task.tolerance_m * 0.5, 0.95, rng);
        let waypoint = around_fixed(view, goal);
        planar(scale(sub(waypoint, view.at), GAIN), 0.35)
    }

    fn push(&mut self, view: &View, task: &Task, bodies: &[usize], rng: &mut ChaCha8Rng) -> Wish {
        let body = bodies[self.body % bodies.len()];
        let fresh = self.goal.is_none();
        let before = self.age;
        let goal = self.goal_for(view, body, task.tolerance_m * 0.5, 0.75, rng);
        if !fresh && self.age < before && bodies.len() > 1 {
            // The goal is reached or given up: on to the next body.
            self.body += 1;
            self.goal = None;
        }
        planar(push_towards(view, body, goal, GAIN), 0.35)
    }

    /// Brings a body to a place and an orientation, by pushing where it helps most.
    fn pose(&mut self, view: &View, task: &Task, body: usize, rng: &mut ChaCha8Rng) -> Wish {
        let before = self.age;
        let goal = self.goal_for(view, body, task.tolerance_m * 0.5, 0.6, rng);
        if self.age < before {
            // Mostly a quarter turn or less, so that goals are reached within an episode.
            self.yaw = view.state.bodies[body].yaw() + rng.random_range(-1.6..=1.6);
        }
        planar(
            turn_towards(view, body, goal, self.yaw, &mut self.contact),
            0.25,
        )
    }

    /// Goes behind the ball and drives through it, at a speed that lets it roll some way or other.
    fn strike(&mut self, view: &View, ball: usize, rng: &mut ChaCha8Rng) -> Wish {
        if self.goal.is_none() {
            // Where the ball should go: away from the hand's side, to either side.
            let ball = view.body(ball);
            let aim = [
                rng.random_range(-0.35..=0.35),
                ball[1] - rng.random_range(0.2..=0.6),
            ];
            self.goal = Some(aim);
            self.speed = rng.random_range(0.25..=1.0);
        }
        let goal = self.goal.unwrap_or_default();
        let at = view.body(ball);
        let v = view.state.bodies[ball].velocity;
        let hit = v[0] * v[0] + v[2] * v[2] > 0.01 || at[1] < view.low[1] - 0.08;
        if hit || self.contact.is_some() {
            // One chance: afterwards it keeps out of the way.
            self.contact = Some((0, 0));
            return planar([0.0, 0.3], 0.6);
        }
        let to_goal = sub(goal, at);
        let dir = scale(to_goal, 1.0 / norm(to_goal).max(1e-3));
        let size = |b: usize| view.scene.bodies[b].shape.size();
        let clearance = 0.5 * (size(ball) + size(view.hand));
        let from_ball = sub(view.at, at);
        let behind = -(from_ball[0] * dir[0] + from_ball[1] * dir[1]);
        let aside = from_ball[0] * dir[1] - from_ball[1] * dir[0];
        if behind > 0.6 * clearance && aside.abs() < 0.25 * clearance {
            let steer = scale([-dir[1], dir[0]], 4.0 * aside);
            return planar(
                [
                    dir[0] * self.speed + steer[0],
                    dir[1] * self.speed + steer[1],
                ],
                0.05,
            );
        }
        let place = sub(at, scale(dir, clearance + 0.07));
        planar(scale(sub(place, view.at), GAIN), 0.1)
    }

    /// Lifts a body on to another, or puts it down somewhere.
    fn stack(
        &mut self,
        view: &View,
        task: &Task,
        cube: usize,
        low: [f32; 3],
        high: [f32; 3],
        rng: &mut ChaCha8Rng,
    ) -> Wish {
        let base = match (&task.goal, &task.other_goal) {
            (crate::scene::GoalSampler::OnTop { base }, _)
            | (_, Some(crate::scene::GoalSampler::OnTop { base })) => view.scene.body_index(base),
            _ => None,
        };
        let height = |b: usize| view.scene.bodies[b].shape.half_height();
        if self.goal.is_none() || self.age > PATIENCE {
            // Three in four on to the base, else to a free place: letting go has to be seen as well.
            let on_base = base.is_some() && rng.random::<f32>() < 0.75;
            self.body = usize::from(on_base);
            self.goal = Some(view.place(0.8, rng));
            self.age = 0;
        }
        let on_base = self.body == 1;
        let (place, floor) = match base.filter(|_| on_base) {
            Some(b) => (view.body(b), view.state.bodies[b].position[1] + height(b)),
            None => (self.goal.unwrap_or_default(), 0.0),
        };
        let hand = view.state.bodies[view.hand].position;
        let body = view.state.bodies[cube].position;
        let to = |target: [f32; 3], grip: f32, noise: f32| {
            let d: [f32; 3] =
                std::array::from_fn(|i| (target[i].clamp(low[i], high[i]) - hand[i]) * GAIN);
            let size = norm3(d).max(1.0);
            Wish {
                action: [d[0] / size, d[1] / size, d[2] / size, grip],
                noise,
            }
        };
        let over = height(cube) + height(view.hand);
        let carry = view
            .scene
            .bodies
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != view.hand && *i != cube)
            .map(|(i, _)| 2.0 * height(i))
            .fold(0.0, f32::max)
            + 0.04;
        if view.state.held == Some(cube) {
            let lift = hand[1] - body[1];
            let away = norm(sub([body[0], body[2]], place));
            let rest = floor + height(cube);
            if away > 0.012 {
                let high_enough = body[1] > carry + height(cube) - 0.01 || away < 0.03;
                let y = carry + height(cube) + lift;
                let target = if high_enough {
                    [
                        hand[0] + place[0] - body[0],
                        y,
                        hand[2] + place[1] - body[2],
                    ]
                } else {
                    [hand[0], y, hand[2]]
                };
                return to(target, 1.0, 0.1);
            }
            if body[1] > rest + 0.012 {
                return to([hand[0], rest + lift, hand[2]], 1.0, 0.03);
            }
            self.goal = None;
            return to([hand[0], hand[1] + 0.05, hand[2]], -1.0, 0.0);
        }
        let away = norm(sub([body[0], body[2]], place));
        if on_base && away < 0.5 * task.tolerance_m && body[1] > floor {
            // Done: rise and hover until patience ends.
            return to([hand[0], carry + over + 0.15, hand[2]], -1.0, 0.2);
        }
        let aside = norm(sub(view.at, [body[0], body[2]]));
        if aside > 0.02 {
            let y = (body[1] + over + 0.03).max(if aside > 0.2 { hand[1] } else { 0.0 });
            return to([body[0], y, body[2]], -1.0, 0.15);
        }
        to([body[0], body[1] + over, body[2]], 1.0, 0.03)
    }

    /// The goal being pursued for a body: a new one when it is reached or patience ends.
    fn goal_for(
        &mut self,
        view: &View,
        body: usize,
        near: f32,
        share: f32,
        rng: &mut ChaCha8Rng,
    ) -> [f32; 2] {
        let at = view.body(body);
        let reached = self.goal.is_some_and(|g| norm(sub(g, at)) < near);
        let goal = match self.goal {
            Some(goal) if !reached && self.age < PATIENCE => goal,
            _ => {
                self.age = 0;
                view.place(share, rng)
            }
        };
        self.goal = Some(goal);
        goal
    }
}

/// A planar action no longer than 1.
fn planar(wish: [f32; 2], noise: f32) -> Wish {
    let size = norm(wish);
    let wish = if size > 1.0 {
        scale(wish, 1.0 / size)
    } else {
        wish
    };
    Wish {
        action: [wish[0], wish[1], 0.0, 0.0],
        noise,
    }
}
