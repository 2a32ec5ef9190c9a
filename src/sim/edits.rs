//! Counterfactual edits: physics broken on purpose, at a given step, for tests of surprise and of the judge.

use rapier3d::prelude::*;

use super::Reality;
use super::build::{BODY, FLOOR, HAND};
use crate::scene::{EditKind, Kind};

/// The group of a body that passes through fixed bodies: those do not know it, all others do.
const GHOST: Group = Group::GROUP_4;

impl Reality {
    /// Applies the scene's edits of this step, and ends those that last until now.
    pub(super) fn apply_edits(&mut self) {
        let scene = self.scene().clone();
        let now = self.steps();
        for edit in &scene.edits {
            let body = scene.body_index(&edit.body);
            if u64::from(edit.step) == now {
                match body {
                    _ if edit.what == EditKind::ReverseGravity => self.reverse_gravity(),
                    Some(body) => self.edit(body, edit.what),
                    None => {}
                }
            }
            if let (EditKind::Hover { steps }, Some(body)) = (edit.what, body)
                && u64::from(edit.step) + u64::from(steps) == now
            {
                self.weigh(body, 1.0);
            }
        }
    }

    /// Breaks physics for one body now, as an edit of a scene does; how long it hovers is then up to whoever
    /// breaks it.
    pub fn edit(&mut self, body: usize, what: EditKind) {
        if what.needs_forces() && self.drawn[body].kind != Kind::Dynamic {
            return;
        }
        match what {
            EditKind::Teleport { to } => self.teleport(body, to),
            EditKind::Vanish => {
                self.hidden[body] = true;
                self.world.colliders[self.colliders[body]].set_enabled(false);
                if self.soft[body].is_none() {
                    self.world.bodies[self.bodies[body]].set_enabled(false);
                }
            }
            EditKind::Recolour { colour } => self.drawn[body].colour = colour,
            EditKind::PassThrough => {
                let groups = InteractionGroups::new(BODY, FLOOR, InteractionTestMode::And);
                self.world.colliders[self.colliders[body]].set_collision_groups(groups);
            }
            EditKind::Freeze if self.drawn[body].kind == Kind::Dynamic => {
                self.scale_velocity(body, 0.0);
                let held = &mut self.world.bodies[self.bodies[body]];
                held.set_body_type(RigidBodyType::Fixed, true);
            }
            EditKind::Hover { .. } => {
                self.scale_velocity(body, 0.0);
                self.weigh(body, 0.0);
            }
            EditKind::NoGravity => self.weigh(body, 0.0),
            EditKind::Speed { factor } => self.scale_velocity(body, factor),
            EditKind::StopDead => self.scale_velocity(body, 0.0),
            EditKind::PassWall => self.pass_walls(body),
            EditKind::ReverseGravity => self.reverse_gravity(),
            EditKind::Freeze => {}
        }
    }

    fn reverse_gravity(&mut self) {
        self.world.gravity = -self.world.gravity;
    }

    /// Sets a body's share of gravity: 1 is its usual weight.
    pub fn weigh(&mut self, body: usize, share: f32) {
        self.world.bodies[self.bodies[body]].set_gravity_scale(share, true);
    }

    /// Turns a rigid body about an axis of the world through its centre, by so many radians: a counterfactual
    /// edit that keeps its motion.
    pub fn turn(&mut self, body: usize, axis: [f32; 3], radians: f32) {
        if self.soft[body].is_some() {
            return;
        }
        let (sin, cos) = (libm::sinf(0.5 * radians), libm::cosf(0.5 * radians));
        let axis = Vector::from(axis).normalize_or_zero() * sin;
        let by = Rotation::from_xyzw(axis.x, axis.y, axis.z, cos);
        let held = &mut self.world.bodies[self.bodies[body]];
        let turned = by * *held.rotation();
        held.set_rotation(turned, true);
        self.propagate();
    }

    fn scale_velocity(&mut self, body: usize, factor: f32) {
        let body = &mut self.world.bodies[self.bodies[body]];
        let (velocity, spin) = (body.linvel() * factor, body.angvel() * factor);
        body.set_linvel(velocity, true);
        body.set_angvel(spin, true);
    }

    fn pass_walls(&mut self, ghost: usize) {
        let own = self.colliders[ghost];
        let groups =
            InteractionGroups::new(GHOST, FLOOR | HAND | BODY | GHOST, InteractionTestMode::And);
        self.world.colliders[own].set_collision_groups(groups);
        let others = (0..self.colliders.len())
            .filter(|&i| i != ghost && self.drawn[i].kind != Kind::Fixed)
            .map(|i| self.colliders[i])
            .chain([self.floor])
            .collect::<Vec<_>>();
        for other in others {
            let mut groups = self.world.colliders[other].collision_groups();
            groups.filter |= GHOST;
            self.world.colliders[other].set_collision_groups(groups);
        }
    }
}
