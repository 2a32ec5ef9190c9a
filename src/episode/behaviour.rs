//! How `collect` behaves: a scripted task policy with noise, contact-seeking exploration, pure exploration.
//!
//! The mixture decides more than the model does (MODELS §1). Exploration is an Ornstein-Uhlenbeck
//! process or a random action held for a few steps, because planners hold actions as well.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use crate::scene::{ActionSpace, Kind, Scene, Shape};
use crate::sim::State;

/// One of the three behaviours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// Pursues goals of its own, with noise.
    Task,
    /// Explores, drawn towards dynamic bodies.
    Contact,
    /// Explores.
    Explore,
}

/// A policy that looks at the true state (it only makes experience; no model ever sees the state).
pub struct Policy {
    kind: PolicyKind,
    rng: ChaCha8Rng,
    noise: [f32; 2],
    held: [f32; 2],
    hold_left: u32,
    held_style: bool,
    attracted: bool,
    goal: Option<[f32; 2]>,
    goal_age: u32,
}

impl Policy {
    /// The policy of an episode: its kind is drawn from the scene's behaviour mixture.
    pub fn for_seed(scene: &Scene, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed ^ 0x9E37_79B9_7F4A_7C15);
        let b = &scene.behaviour;
        let draw = rng.random::<f32>() * (b.task + b.contact + b.explore);
        let kind = if draw < b.task {
            PolicyKind::Task
        } else if draw < b.task + b.contact {
            PolicyKind::Contact
        } else {
            PolicyKind::Explore
        };
        let held_style = rng.random::<f32>() < 0.5;
        Self {
            kind,
            rng,
            noise: [0.0; 2],
            held: [0.0; 2],
            hold_left: 0,
            held_style,
            attracted: true,
            goal: None,
            goal_age: 0,
        }
    }

    /// Which behaviour was drawn.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The next action `[A]`, components in [-1, 1].
    pub fn act(&mut self, scene: &Scene, state: &State) -> Vec<f32> {
        let (ActionSpace::Planar { limit, .. }, Some(hand)) = (&scene.actions, scene.hand()) else {
            return Vec::new();
        };
        let at = plane(state.bodies[hand].position);
        self.advance_noise();
        let wish = match self.kind {
            PolicyKind::Explore => self.explore(at, *limit),
            PolicyKind::Contact => self.seek_contact(scene, state, at, *limit),
            PolicyKind::Task => self.pursue(scene, state, hand, at, *limit),
        };
        wish.iter().map(|a| a.clamp(-1.0, 1.0)).collect()
    }

    fn advance_noise(&mut self) {
        for n in &mut self.noise {
            let fresh: f32 = self.rng.sample(StandardNormal);
            *n = 0.85 * *n + 0.45 * fresh;
        }
    }

    fn explore(&mut self, at: [f32; 2], limit: f32) -> [f32; 2] {
        let raw = if self.held_style {
            if self.hold_left == 0 {
                self.hold_left = self.rng.random_range(1..=8);
                self.held = [
                    self.rng.random_range(-1.2..=1.2),
                    self.rng.random_range(-1.2..=1.2),
                ];
            }
            self.hold_left -= 1;
            self.held
        } else {
            self.noise
        };
        // Away from the border, or exploration spends its time pressed against it.
        std::array::from_fn(|i| {
            if at[i].abs() > limit * 0.92 && raw[i] * at[i] > 0.0 {
                -raw[i]
            } else {
                raw[i]
            }
        })
    }

    fn seek_contact(&mut self, scene: &Scene, state: &State, at: [f32; 2], limit: f32) -> [f32; 2] {
        if self.rng.random::<f32>() < 0.08 {
            self.attracted = !self.attracted;
        }
        let base = self.explore(at, limit);
        let nearest = (0..scene.bodies.len())
            .filter(|&i| scene.bodies[i].kind == Kind::Dynamic)
            .map(|i| sub(plane(state.bodies[i].position), at))
            .min_by(|a, b| norm(*a).total_cmp(&norm(*b)));
        match nearest {
            Some(d) if self.attracted => {
                let unit = scale(d, 0.8 / norm(d).max(1e-3));
                [0.7 * base[0] + unit[0], 0.7 * base[1] + unit[1]]
            }
            _ => base,
        }
    }

    fn pursue(
        &mut self,
        scene: &Scene,
        state: &State,
        hand: usize,
        at: [f32; 2],
        limit: f32,
    ) -> [f32; 2] {
        let Some(task) = &scene.task else {
            return self.explore(at, limit);
        };
        let Some(target) = scene.body_index(&task.body) else {
            return self.explore(at, limit);
        };
        let body = plane(state.bodies[target].position);
        self.goal_age += 1;
        let reached = self
            .goal
            .is_some_and(|g| norm(sub(g, body)) < task.tolerance_m * 0.5);
        let goal = match self.goal {
            Some(goal) if !reached && self.goal_age < 60 => goal,
            _ => {
                self.goal_age = 0;
                let reach = limit * if target == hand { 0.95 } else { 0.75 };
                [
                    self.rng.random_range(-reach..=reach),
                    self.rng.random_range(-reach..=reach),
                ]
            }
        };
        self.goal = Some(goal);
        let speed_gain = 9.0;
        let wish = if target == hand {
            let waypoint = around_fixed(scene, state, at, goal);
            scale(sub(waypoint, at), speed_gain)
        } else {
            push_towards(scene, target, hand, body, at, goal, speed_gain)
        };
        let size = norm(wish);
        let wish = if size > 1.0 {
            scale(wish, 1.0 / size)
        } else {
            wish
        };
        [
            wish[0] + 0.35 * self.noise[0],
            wish[1] + 0.35 * self.noise[1],
        ]
    }
}

/// Goes behind the body (seen from the goal), round it if need be, then pushes it towards the goal.
fn push_towards(
    scene: &Scene,
    target: usize,
    hand: usize,
    body: [f32; 2],
    at: [f32; 2],
    goal: [f32; 2],
    gain: f32,
) -> [f32; 2] {
    let to_goal = sub(goal, body);
    let dir = scale(to_goal, 1.0 / norm(to_goal).max(1e-3));
    let clearance = scene.bodies[target].shape.size() * 0.6 + scene.bodies[hand].shape.size() * 0.5;
    let behind = sub(body, scale(dir, clearance + 0.02));
    let from_body = sub(at, body);
    let aligned = from_body[0] * dir[0] + from_body[1] * dir[1];
    let sideways = (from_body[0] * dir[1] - from_body[1] * dir[0]).abs();
    if aligned < -0.5 * clearance && sideways < 0.35 * clearance {
        // Behind it and in line: push, steering the contact point under the centre.
        let side = sub(sub(body, scale(dir, 0.3 * clearance)), at);
        return scale(side, gain);
    }
    let wish = sub(behind, at);
    let near = norm(from_body);
    if near < clearance * 1.5 && aligned > -0.6 * clearance {
        // Round the body on the side nearer to the place behind it.
        let tangent = [
            -from_body[1] / near.max(1e-3),
            from_body[0] / near.max(1e-3),
        ];
        let sign = if tangent[0] * wish[0] + tangent[1] * wish[1] >= 0.0 {
            1.0
        } else {
            -1.0
        };
        let out = scale(from_body, (clearance * 1.3 - near) / near.max(1e-3) * 6.0);
        return [sign * tangent[0] + out[0], sign * tangent[1] + out[1]];
    }
    scale(wish, gain)
}

/// The goal, or the corner of the first fixed box in the way.
fn around_fixed(scene: &Scene, state: &State, at: [f32; 2], goal: [f32; 2]) -> [f32; 2] {
    let margin = scene
        .hand()
        .map_or(0.06, |h| scene.bodies[h].shape.bounding_radius())
        + 0.015;
    for (i, b) in scene.bodies.iter().enumerate() {
        let (Kind::Fixed, Shape::Cuboid { half }) = (b.kind, b.shape) else {
            continue;
        };
        let centre = plane(state.bodies[i].position);
        let (hx, hz) = (half[0] + margin, half[2] + margin);
        if !crosses(sub(at, centre), sub(goal, centre), hx, hz) {
            continue;
        }
        let (cx, cz) = (hx + 0.02, hz + 0.02);
        let corners = [[cx, cz], [cx, -cz], [-cx, cz], [-cx, -cz]]
            .map(|c| [centre[0] + c[0], centre[1] + c[1]]);
        let best = corners
            .into_iter()
            .filter(|&c| !crosses(sub(at, centre), sub(c, centre), hx, hz))
            .min_by(|a, b| {
                let length = |c: [f32; 2]| norm(sub(c, at)) + norm(sub(goal, c));
                length(*a).total_cmp(&length(*b))
            });
        if let Some(corner) = best {
            return corner;
        }
    }
    goal
}

/// Whether the segment a-b enters the box |x| < hx, |z| < hz (slab test).
fn crosses(a: [f32; 2], b: [f32; 2], hx: f32, hz: f32) -> bool {
    let (mut t0, mut t1) = (0.0f32, 1.0f32);
    for (axis, h) in [hx, hz].into_iter().enumerate() {
        let d = b[axis] - a[axis];
        if d.abs() < 1e-6 {
            if a[axis].abs() >= h {
                return false;
            }
            continue;
        }
        let (mut near, mut far) = ((-h - a[axis]) / d, (h - a[axis]) / d);
        if near > far {
            std::mem::swap(&mut near, &mut far);
        }
        t0 = t0.max(near);
        t1 = t1.min(far);
    }
    t1 - t0 > 1e-3
}

fn plane(p: [f32; 3]) -> [f32; 2] {
    [p[0], p[2]]
}
fn sub(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] - b[0], a[1] - b[1]]
}
fn scale(a: [f32; 2], s: f32) -> [f32; 2] {
    [a[0] * s, a[1] * s]
}
fn norm(a: [f32; 2]) -> f32 {
    (a[0] * a[0] + a[1] * a[1]).sqrt()
}
