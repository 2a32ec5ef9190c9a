//! Hands on reality: interventions that take it out of the training distribution.

use rapier3d::prelude::*;

use super::build::{body_shape, rotation};
use super::{Drag, Reality, SimError};
use crate::scene::{FieldError, Kind, MOST_HEAVY, bounds};

impl Reality {
    /// Starts, moves or ends a drag; the spring acts where the body is held until it is ended.
    pub fn drag(&mut self, drag: Option<Drag>) {
        self.drag = drag.filter(|d| d.body < self.bodies.len());
    }

    /// Applies an impulse (N s) at a body's centre.
    pub fn impulse(&mut self, body: usize, impulse: [f32; 3]) {
        if let Some(&handle) = self.bodies.get(body) {
            self.world.bodies[handle].apply_impulse(Vector::from(impulse), true);
        }
    }

    /// Changes a field of the running world: one of [`WORLD_FIELDS`](crate::scene::WORLD_FIELDS), or
    /// `BODY.FIELD` with one of [`BODY_FIELDS`](crate::scene::BODY_FIELDS).
    ///
    /// # Errors
    /// [`SimError::Field`] for an unknown target or a value out of bounds.
    pub fn set(&mut self, target: &str, value: f32) -> Result<(), SimError> {
        self.scene().check_field(target, value)?;
        if let Some(body) = target
            .strip_suffix(".y")
            .and_then(|n| self.scene().body_index(n))
            && self.drawn[body].kind != Kind::Fixed
        {
            let reach =
                self.collider(body).compute_aabb().maxs.y - self.measure().bodies[body].position[1];
            let (low, high) = (-reach, bounds("y").1);
            if value < low {
                return Err(SimError::Field(FieldError::Bounds {
                    target: target.into(),
                    value,
                    low,
                    high,
                }));
            }
        }
        if let Some(name) = target.strip_suffix(".mass") {
            self.check_mass(target, name, value)?;
        }
        match target {
            "gravity" => self.world.gravity = Vector::new(0.0, value, 0.0),
            "floor_friction" => self.world.colliders[self.floor].set_friction(value),
            "action.noise" => self.command.noise = value,
            "action.delay" => self.command.delay = value.round() as usize,
            _ => {
                if let Some((name, field)) = target.split_once('.')
                    && let Some(body) = self.scene().body_index(name)
                {
                    self.set_body(body, field, value);
                }
            }
        }
        Ok(())
    }

    /// A mass stays within what contacts with the other bodies bear.
    fn check_mass(&self, target: &str, name: &str, value: f32) -> Result<(), SimError> {
        let others = (0..self.bodies.len()).filter(|&i| self.drawn[i].name != name);
        let masses = others.map(|i| &self.world.bodies[self.bodies[i]]);
        let masses = masses.filter(|b| b.is_dynamic()).map(|b| b.mass());
        let (least, most) = masses.fold((f32::MAX, 0.0f32), |(l, m), x| (l.min(x), m.max(x)));
        let (low, high) = bounds("mass");
        let (low, high) = (low.max(most / MOST_HEAVY), high.min(least * MOST_HEAVY));
        match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(SimError::Field(FieldError::Bounds {
                target: target.into(),
                value,
                low,
                high,
            })),
        }
    }

    fn set_body(&mut self, index: usize, field: &str, value: f32) {
        let (body, collider) = (self.bodies[index], self.colliders[index]);
        match field {
            "friction" => self.world.colliders[collider].set_friction(value),
            "restitution" => self.world.colliders[collider].set_restitution(value),
            "x" | "y" | "z" => {
                let axis = usize::from(field.as_bytes()[0] - b'x');
                let mut at = self.measure().bodies[index].position;
                at[axis] = value;
                self.teleport(index, at);
            }
            // A soft body's mass, size and material are made when it is built.
            _ if self.soft[index].is_some() => {}
            "mass" => {
                self.world.colliders[collider].set_mass(value);
                let (bodies, colliders) = (&mut self.world.bodies, &self.world.colliders);
                bodies[body].recompute_mass_properties_from_colliders(colliders);
            }
            "damping" => {
                self.world.bodies[body].set_linear_damping(value);
                self.world.bodies[body].set_angular_damping(value);
            }
            "size" => {
                self.drawn[index].size = value;
                let mass = self.world.bodies[body].mass();
                self.world.colliders[collider].set_shape(body_shape(&self.drawn[index]));
                if mass > 0.0 {
                    self.world.colliders[collider].set_mass(mass);
                }
            }
            "vx" | "vy" | "vz" => {
                let mut v = self.world.bodies[body].linvel();
                v[usize::from(field.as_bytes()[1] - b'x')] = value;
                self.world.bodies[body].set_linvel(v, true);
            }
            "wx" | "wy" | "wz" => {
                let mut w = self.world.bodies[body].angvel();
                w[usize::from(field.as_bytes()[1] - b'x')] = value;
                self.world.bodies[body].set_angvel(w, true);
            }
            _ => {
                let b = &mut self.drawn[index];
                b.set_field(field, value);
                let turned = rotation(b.yaw, b.pitch, b.roll);
                self.world.bodies[body].set_rotation(turned, true);
                self.propagate();
            }
        }
    }

    /// Puts a body at a point, keeping its motion: a counterfactual edit, deterministic.
    pub fn teleport(&mut self, body: usize, position: [f32; 3]) {
        let Some(&handle) = self.bodies.get(body) else {
            return;
        };
        let position = Vector::from(position);
        if let Some(soft) = self.soft[body] {
            let soft = &mut self.world.soft_bodies[soft];
            let by = position - soft.center_of_mass();
            for i in 0..soft.num_particles() {
                let at = soft.particle_position(i) + by;
                soft.set_particle_position(i, at);
            }
            let world = &mut self.world;
            let (bodies, colliders) = (&mut world.bodies, &mut world.colliders);
            let parameters = &world.integration_parameters;
            let mut broken = Vec::new();
            world
                .soft_bodies
                .sync_particle_positions(bodies, colliders, parameters, &mut broken);
        } else {
            self.world.bodies[handle].set_translation(position, true);
        }
        self.propagate();
    }

    /// Puts a body at a place of the plane, at rest: for goals.
    pub fn place(&mut self, body: usize, x: f32, z: f32) {
        let y = self.measure().bodies[body].position[1];
        self.put(body, [x, y, z], None);
    }

    /// Puts a rigid body at a point, turned about the vertical by so many radians if that is given, at rest.
    pub fn put(&mut self, body: usize, position: [f32; 3], yaw: Option<f32>) {
        self.teleport(body, position);
        if self.soft[body].is_some() {
            return;
        }
        let b = &mut self.world.bodies[self.bodies[body]];
        if let Some(yaw) = yaw {
            b.set_rotation(rotation(yaw.to_degrees(), 0.0, 0.0), true);
        }
        b.set_linvel(Vector::ZERO, true);
        b.set_angvel(Vector::ZERO, true);
        self.propagate();
    }

    /// Scales a rigid body's collider about its centre: a counterfactual edit.
    pub fn resize(&mut self, body: usize, factor: f32) {
        let Some(&handle) = self.colliders.get(body) else {
            return;
        };
        if self.soft[body].is_none() {
            self.drawn[body].size = (self.drawn[body].size * factor).clamp(0.01, 10.0);
            self.world.colliders[handle].set_shape(body_shape(&self.drawn[body]));
        }
    }

    pub(super) fn propagate(&mut self) {
        let (bodies, colliders) = (&mut self.world.bodies, &mut self.world.colliders);
        bodies.propagate_modified_body_positions_to_colliders(colliders);
    }

    /// Pulls the dragged body: a critically damped spring scaled by how heavy the body is at the point
    /// held, in the direction of the pull.
    pub(super) fn apply_drag(&mut self, dt: f32) {
        let Some(drag) = self.drag else { return };
        let is_soft = self.soft[drag.body].is_some();
        let body = &mut self.world.bodies[self.bodies[drag.body]];
        if !body.is_dynamic() {
            return;
        }
        const NATURAL_FREQUENCY: f32 = 12.0;
        let spring = |from: Vector, velocity: Vector| {
            (Vector::from(drag.target) - from) * (NATURAL_FREQUENCY * NATURAL_FREQUENCY)
                - velocity * (2.0 * NATURAL_FREQUENCY)
        };
        if is_soft {
            let pull = spring(body.translation(), body.linvel());
            body.apply_impulse(pull * (body.mass() * dt), true);
            return;
        }
        let held = body.position() * Vector::from(drag.point_in_body);
        let pull = spring(held, body.velocity_at_point(held));
        let (along, arm) = (pull.normalize_or_zero(), held - body.center_of_mass());
        let masses = body.mass_properties();
        let turn = masses.effective_world_inv_inertia * arm.cross(along);
        let lightness = masses.effective_inv_mass.dot(along * along) + along.dot(turn.cross(arm));
        if lightness > 0.0 {
            body.apply_impulse_at_point(pull * (dt / lightness), held, true);
        }
    }
}
