//! How finely a world is stepped. Most worlds take one physics step of 1/120 s with four iterations of the
//! solver, which is what the shipped scenes and models were made with. Some worlds would go wrong so, and get
//! more work:
//!
//! - *Heavy on light*: a body has more than [`HEAVY`] times another's mass, or all that could lie on the
//!   lightest weighs more than [`PILE`] times what that does on earth. The solver takes more iterations,
//!   contacts are stiffer.
//! - *Fast on fast*: two bodies that could meet in a step move further than [`FAST`] of what they are
//!   thick. The step is taken in parts.
//! - *Swinging*: a joint holds a body whose damping is 0. The solver takes more iterations.
//! - *Elastic*: a restitution is above [`ELASTIC`], and things have weight. Impacts are taken in parts, and
//!   flight is freed of the integrator's error.
//!
//! All of it follows from the state of the world alone, so that forks, snapshots and replays do the same.

use rapier3d::parry::bounding_volume::BoundingVolume as _;
use rapier3d::prelude::*;

use super::hand::PRESSED;
use super::{PHYSICS_HZ, Reality};
use crate::scene::{ActionSpace, Kind, Shape};

/// Masses further apart than this count as heavy and light.
pub(super) const HEAVY: f32 = 5.0;
/// What could be piled up on a body without rolling off, in weights of the lightest body under the gravity of
/// the earth.
const PILE: f32 = 6.5;
const EARTH: f32 = 9.81;
/// A restitution above this counts as elastic.
pub(super) const ELASTIC: f32 = 0.9;
/// Two bodies that move by more than this share of their thickness against each other in a step could pass
/// through each other. The shipped scenes stay under two thirds.
const FAST: f32 = 1.0;
/// In parts they move by no more than this share.
const SLOW: f32 = 0.25;
/// Most parts of a step for fast bodies: what the thinnest at the greatest speeds need to stay under
/// [`FAST`].
const MOST_FAST: u32 = 70;
/// Most parts of a step for an elastic impact, and least.
const MOST_ELASTIC: u32 = 512;
const LEAST_ELASTIC: f32 = 8.0;
/// Share of its height that an impact may cost, a metre a second of its speed: 1 % in 10 s.
const LOSS: f32 = 5e-5;
/// Slower impacts are not worth it, m/s: they come from a height of 5 mm.
const GENTLE: f32 = 0.3;

/// Iterations where a joint holds a body that nothing brakes: with four of them a pendulum would lose 8 %
/// in 10 s.
const SWINGING_ITERATIONS: usize = 64;
/// Iterations of the solver and stiffness of contacts in worlds with heavy and light bodies.
const HEAVY_ITERATIONS: usize = 16;
const HEAVY_HZ: f32 = 480.0;
const USUAL_ITERATIONS: usize = 4;

/// What a control step has to take care of.
pub(super) struct Care {
    elastic: bool,
    /// By body: how far it reaches and how thick it is at its thinnest, metres; whether a joint holds it.
    bodies: Vec<(f32, f32, bool)>,
}

impl Reality {
    /// Looks what the world needs, and sets the solver accordingly.
    pub(super) fn take_care(&mut self) -> Care {
        let scene = self.scene().clone();
        let held = |i: usize| {
            let name = &self.drawn[i].name;
            let gripped = self.grip.is_some_and(|(body, _)| body == i);
            gripped || scene.joints.iter().any(|j| j.a == *name || j.b == *name)
        };
        let bodies = (0..self.drawn.len()).map(|i| {
            let b = &self.drawn[i];
            let (reach, thin) = (b.shape.bounding_radius(), b.shape.thickness());
            (reach * b.size, thin * b.size, held(i))
        });
        let heavy = self.is_heavy();
        let swings = self.swings();
        let care = Care {
            elastic: self.is_elastic(),
            bodies: bodies.collect(),
        };
        let usual = IntegrationParameters::default();
        let p = &mut self.world.integration_parameters;
        let contacts = SpringCoefficients::new(HEAVY_HZ, usual.contact_softness.damping_ratio);
        if heavy {
            p.num_solver_iterations = HEAVY_ITERATIONS;
            (p.contact_softness, p.static_contact_softness) = (contacts, contacts);
        } else {
            p.num_solver_iterations = USUAL_ITERATIONS;
            p.contact_softness = usual.contact_softness;
            p.static_contact_softness = usual.static_contact_softness;
        }
        if swings {
            p.num_solver_iterations = SWINGING_ITERATIONS;
        }
        care
    }

    fn moves_freely(&self, i: usize) -> bool {
        !self.hidden[i] && self.soft[i].is_none() && self.world.bodies[self.bodies[i]].is_dynamic()
    }

    fn is_heavy(&self) -> bool {
        let (mut least, mut most, mut pile) = (f32::MAX, 0.0f32, 0.0f32);
        for i in (0..self.bodies.len()).filter(|&i| !self.hidden[i]) {
            let mass = match self.soft[i] {
                Some(_) => self.drawn[i].mass,
                None if self.moves_freely(i) => self.world.bodies[self.bodies[i]].mass(),
                None => continue,
            };
            (least, most) = (least.min(mass), most.max(mass));
            if !matches!(self.drawn[i].shape, Shape::Ball { .. }) {
                pile += mass;
            }
        }
        let weight = self.world.gravity.length() / EARTH;
        most > HEAVY * least || pile * weight > PILE * least
    }

    /// Whether one of the scene's joints holds a body without any damping.
    fn swings(&self) -> bool {
        let joints = &self.scene().joints;
        joints.iter().any(|j| {
            let body = self.scene().body_index(&j.b);
            body.is_some_and(|i| {
                self.moves_freely(i) && self.world.bodies[self.bodies[i]].linear_damping() == 0.0
            })
        })
    }

    fn is_elastic(&self) -> bool {
        let bouncy = |i: usize| self.world.colliders[self.colliders[i]].restitution() > ELASTIC;
        self.world.gravity.y != 0.0 && (0..self.bodies.len()).any(|i| !self.hidden[i] && bouncy(i))
    }

    /// Into how many parts the next physics step is divided.
    pub(super) fn parts(&self, care: &Care, action: &[f32]) -> u32 {
        let impact = if care.elastic {
            self.parts_of_impacts()
        } else {
            1
        };
        impact.max(self.parts_of_meetings(care, action))
    }

    /// Velocity of a body, and how fast its outer parts go round.
    fn motion(&self, i: usize, care: &Care, action: &[f32]) -> (Vector, f32) {
        if self.drawn[i].kind == Kind::Hand {
            let a = |i: usize| action.get(i).copied().unwrap_or(0.0);
            let by = match self.scene().actions {
                ActionSpace::None => Vector::ZERO,
                ActionSpace::Planar { max_speed, .. } => Vector::new(a(0), 0.0, a(1)) * max_speed,
                ActionSpace::Spatial { max_speed, .. } => Vector::new(a(0), a(1), a(2)) * max_speed,
            };
            return (by, 0.0);
        }
        let body = &self.world.bodies[self.bodies[i]];
        (body.linvel(), body.angvel().length() * care.bodies[i].0)
    }

    /// Parts in which bodies that could meet in this step cannot pass through each other. Rapier itself sees
    /// to what is fixed.
    fn parts_of_meetings(&self, care: &Care, action: &[f32]) -> u32 {
        const DT: f32 = 1.0 / PHYSICS_HZ as f32;
        let moving = |i: &usize| {
            let b = &self.world.bodies[self.bodies[*i]];
            !self.hidden[*i] && (b.is_dynamic() || b.is_kinematic())
        };
        let pressing = self.parts_of_pressing(care, action);
        let (mut fastest, mut thinnest) = (0.0f32, f32::MAX);
        for i in (0..self.bodies.len()).filter(moving) {
            let (v, turn) = self.motion(i, care, action);
            fastest = fastest.max(v.length() + turn);
            thinnest = thinnest.min(care.bodies[i].1);
        }
        if fastest * DT <= FAST * thinnest {
            return pressing;
        }
        let mut parts = pressing as f32;
        for i in (0..self.bodies.len()).filter(moving) {
            for j in (0..i).filter(moving) {
                let ((v, turn), (w, other_turn)) =
                    (self.motion(i, care, action), self.motion(j, care, action));
                let travel = ((v - w).length() + turn + other_turn) * DT;
                let ((reach, thin, _), (other_reach, other_thin, _)) =
                    (care.bodies[i], care.bodies[j]);
                let place = |i: usize| self.world.bodies[self.bodies[i]].translation();
                let apart = (place(i) - place(j)).length() - reach - other_reach;
                if travel > FAST * (thin + other_thin) && apart <= travel {
                    parts = parts.max((travel / (SLOW * (thin + other_thin))).ceil());
                }
            }
        }
        (parts as u32).min(MOST_FAST)
    }

    /// Parts in which a hand that touches something notices in time that it does not give way.
    fn parts_of_pressing(&self, care: &Care, action: &[f32]) -> u32 {
        const DT: f32 = 1.0 / PHYSICS_HZ as f32;
        let Some(hand) = self.scene().hand() else {
            return 1;
        };
        let travel = self.motion(hand, care, action).0.length() * DT;
        let mut touching = self.world.contact_pairs_with(self.colliders[hand]);
        match travel > PRESSED && touching.any(|pair| pair.has_any_active_contact()) {
            true => (travel / PRESSED).ceil() as u32,
            false => 1,
        }
    }

    /// Parts in which an elastic impact of this step loses next to nothing. Rapier gives back the speed at
    /// the start of the step, and so takes what the fall to the surface would add to it.
    fn parts_of_impacts(&self) -> u32 {
        const DT: f32 = 1.0 / PHYSICS_HZ as f32;
        let gravity = self.world.gravity.length();
        let restitution = |i: usize| self.world.colliders[self.colliders[i]].restitution();
        let bounds = |i: usize| self.world.colliders[self.colliders[i]].compute_aabb();
        let velocity = |i: usize| self.world.bodies[self.bodies[i]].linvel();
        let mut parts = 1.0f32;
        let mut meet = |speed: f32| {
            if speed > GENTLE {
                let wanted = gravity * DT / (LOSS * speed * speed);
                parts = parts.max(wanted.ceil().max(LEAST_ELASTIC));
            }
        };
        for i in (0..self.bodies.len()).filter(|&i| self.moves_freely(i)) {
            let down = -velocity(i).y;
            let (box_i, e) = (bounds(i), restitution(i));
            if e > ELASTIC && down > 0.0 && box_i.mins.y <= 2.0 * down * DT {
                meet(down);
            }
            for j in (0..self.bodies.len()).filter(|&j| j != i && !self.hidden[j]) {
                if e.max(restitution(j)) <= ELASTIC || (j < i && self.moves_freely(j)) {
                    continue;
                }
                let between = velocity(i) - velocity(j);
                let near = box_i.loosened(2.0 * between.length() * DT);
                if near.intersects(&bounds(j)) {
                    meet(between.length());
                }
            }
        }
        (parts as u32).min(MOST_ELASTIC)
    }

    /// Velocities of all bodies, for [`Reality::correct_flight`]; none where nothing is elastic.
    pub(super) fn velocities(&self, care: &Care) -> Vec<Vector> {
        match care.elastic {
            true => self
                .bodies
                .iter()
                .map(|&b| self.world.bodies[b].linvel())
                .collect(),
            false => Vec::new(),
        }
    }

    /// Puts bodies that nothing but gravity moved where a parabola has them. The integrator takes the
    /// velocity at the end of each of its iterations for all of it, and so is ahead by half an iteration's
    /// fall.
    pub(super) fn correct_flight(&mut self, care: &Care, before: &[Vector], dt: f32) {
        let iterations = self
            .world
            .integration_parameters
            .num_solver_iterations
            .max(1);
        let fall = self.world.gravity * dt;
        let mut corrected = false;
        for (i, was) in before.iter().enumerate() {
            let body = &self.world.bodies[self.bodies[i]];
            let other = (body.linvel() - *was - fall).length();
            let only_falls = other <= 0.05 * fall.length() + 1e-6;
            if only_falls && self.moves_freely(i) && !care.bodies[i].2 {
                let at = body.translation() - fall * (0.5 * dt / iterations as f32);
                self.world.bodies[self.bodies[i]].set_translation(at, false);
                corrected = true;
            }
        }
        if corrected {
            self.propagate();
        }
    }
}
