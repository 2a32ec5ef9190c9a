//! How `collect` behaves: a scripted task policy with noise, contact-seeking exploration, pure exploration.
//!
//! The mixture decides more than the model does. Exploration is an Ornstein-Uhlenbeck
//! process or a random action held for a few steps, because planners hold actions as well.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::script::{Script, Wish};
use super::view::View;
use crate::scene::{ActionSpace, Kind, Scene};
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
    noise: [f32; MAX_DIM],
    held: [f32; MAX_DIM],
    hold_left: u32,
    held_style: bool,
    attracted: bool,
    script: Script,
}

/// Most components of an action.
const MAX_DIM: usize = 4;

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
            noise: [0.0; MAX_DIM],
            held: [0.0; MAX_DIM],
            hold_left: 0,
            held_style,
            attracted: true,
            script: Script::default(),
        }
    }

    /// Which behaviour was drawn.
    pub fn kind(&self) -> PolicyKind {
        self.kind
    }

    /// The next action `[A]`, components in [-1, 1].
    pub fn act(&mut self, scene: &Scene, state: &State) -> Vec<f32> {
        let (Some(bounds), Some(hand)) = (scene.actions.planar_bounds(), scene.hand()) else {
            return Vec::new();
        };
        let dim = scene.actions.dim();
        self.advance_noise(dim);
        let mut wish = match self.kind {
            PolicyKind::Explore => self.explore(scene, state, hand),
            PolicyKind::Contact => self.seek_contact(scene, state, hand),
            PolicyKind::Task => {
                let view = View::new(scene, state, hand, bounds);
                match self.script.act(&view, &mut self.rng) {
                    Some(wish) => self.with_noise(wish, dim),
                    None => self.explore(scene, state, hand),
                }
            }
        };
        wish.truncate(dim);
        wish.iter().map(|a| a.clamp(-1.0, 1.0)).collect()
    }

    /// Noise on movements; the grip is left as the script wants it.
    fn with_noise(&self, wish: Wish, dim: usize) -> Vec<f32> {
        let moving = if dim == 4 { 3 } else { dim };
        let noisy = |i: usize| match i < moving {
            true => wish.action[i] + wish.noise * self.noise[i],
            false => wish.action[i],
        };
        (0..dim).map(noisy).collect()
    }

    fn advance_noise(&mut self, dim: usize) {
        for n in &mut self.noise[..dim] {
            let fresh: f32 = self.rng.sample(StandardNormal);
            *n = 0.85 * *n + 0.45 * fresh;
        }
    }

    fn explore(&mut self, scene: &Scene, state: &State, hand: usize) -> Vec<f32> {
        let dim = scene.actions.dim();
        let raw = if self.held_style {
            if self.hold_left == 0 {
                self.hold_left = self.rng.random_range(1..=8);
                for h in &mut self.held[..dim] {
                    *h = self.rng.random_range(-1.2..=1.2);
                }
            }
            self.hold_left -= 1;
            self.held
        } else {
            self.noise
        };
        // Away from the border, or exploration spends its time pressed against it.
        let mut wish = raw[..dim].to_vec();
        let at = state.bodies[hand].position;
        for (component, low, high, at) in borders(&scene.actions, at) {
            let (middle, half) = (0.5 * (low + high), 0.5 * (high - low));
            let off = at - middle;
            if off.abs() > half * 0.92 && wish[component] * off > 0.0 {
                wish[component] = -wish[component];
            }
        }
        wish
    }

    fn seek_contact(&mut self, scene: &Scene, state: &State, hand: usize) -> Vec<f32> {
        if self.rng.random::<f32>() < 0.08 {
            self.attracted = !self.attracted;
        }
        let mut wish = self.explore(scene, state, hand);
        if !self.attracted {
            return wish;
        }
        let at = state.bodies[hand].position;
        let nearest = (0..scene.bodies.len())
            .filter(|&i| scene.bodies[i].kind == Kind::Dynamic)
            .map(|i| {
                let b = state.bodies[i].position;
                let mut d = [b[0] - at[0], b[1] - at[1], b[2] - at[2]];
                if wish.len() == 2 {
                    d[1] = 0.0;
                }
                d
            })
            .min_by(|a, b| norm3(*a).total_cmp(&norm3(*b)));
        if let Some(d) = nearest {
            let pull = 0.8 / norm3(d).max(1e-3);
            let towards: &[f32] = if wish.len() == 2 { &[d[0], d[2]] } else { &d };
            for (w, d) in wish.iter_mut().zip(towards) {
                *w = 0.7 * *w + pull * d;
            }
        }
        wish
    }
}

/// Component of the action, bounds of the hand along it, and where it is.
fn borders(actions: &ActionSpace, at: [f32; 3]) -> Vec<(usize, f32, f32, f32)> {
    match actions {
        ActionSpace::Spatial { low, high, .. } => {
            (0..3).map(|i| (i, low[i], high[i], at[i])).collect()
        }
        actions => actions.planar_bounds().map_or(Vec::new(), |(low, high)| {
            vec![(0, low[0], high[0], at[0]), (1, low[1], high[1], at[2])]
        }),
    }
}

fn norm3(d: [f32; 3]) -> f32 {
    (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]).sqrt()
}
