//! Hands on reality: interventions that take it out of the training distribution.

use rapier3d::prelude::*;

use super::{Reality, SimError};
use crate::scene::Shape;

/// A spring between a point of a body and a point in the world, as MuJoCo's viewer drags bodies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drag {
    /// Body index.
    pub body: usize,
    /// Where the spring pulls to, metres, world frame.
    pub target: [f32; 3],
}

impl Reality {
    /// Starts, moves or ends a drag; the spring acts at the body's centre until it is ended.
    pub fn drag(&mut self, drag: Option<Drag>) {
        self.drag = drag.filter(|d| d.body < self.bodies.len());
    }

    /// Applies an impulse (N s) at a body's centre.
    pub fn impulse(&mut self, body: usize, impulse: [f32; 3]) {
        if let Some(&handle) = self.bodies.get(body) {
            self.world.bodies[handle].apply_impulse(Vector::from(impulse), true);
        }
    }

    /// Changes `gravity` or `BODY.mass|friction|restitution|x|y|z` of the running world.
    ///
    /// # Errors
    /// [`SimError::Target`] for an unknown target, [`SimError::Value`] for a value out of bounds.
    pub fn set(&mut self, target: &str, value: f32) -> Result<(), SimError> {
        let bad = |expected: &str| SimError::Value {
            target: target.into(),
            value,
            expected: expected.into(),
        };
        if !value.is_finite() || value.abs() > 1000.0 {
            return Err(bad("a finite number up to 1000 in size"));
        }
        if target == "gravity" {
            self.world.gravity = Vector::new(0.0, value, 0.0);
            return Ok(());
        }
        let unknown = || SimError::Target {
            target: target.into(),
        };
        let (name, field) = target.split_once('.').ok_or_else(unknown)?;
        let index = self.scene().body_index(name).ok_or_else(unknown)?;
        let (body, collider) = (self.bodies[index], self.colliders[index]);
        match field {
            "mass" if value > 0.0 => {
                self.world.colliders[collider].set_mass(value);
                let (bodies, colliders) = (&mut self.world.bodies, &self.world.colliders);
                bodies[body].recompute_mass_properties_from_colliders(colliders);
            }
            "mass" => return Err(bad("a mass above 0 kg")),
            "friction" if (0.0..=5.0).contains(&value) => {
                self.world.colliders[collider].set_friction(value)
            }
            "friction" => return Err(bad("a friction coefficient from 0 to 5")),
            "restitution" if (0.0..=1.0).contains(&value) => {
                self.world.colliders[collider].set_restitution(value)
            }
            "restitution" => return Err(bad("a restitution from 0 to 1")),
            "x" | "y" | "z" => {
                let axis = match field {
                    "x" => 0,
                    "y" => 1,
                    _ => 2,
                };
                let mut at = self.world.bodies[body].translation();
                at[axis] = value;
                self.world.bodies[body].set_translation(at, true);
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// Puts a body at a point, keeping its motion: a counterfactual edit, deterministic.
    pub fn teleport(&mut self, body: usize, position: [f32; 3]) {
        let Some(&handle) = self.bodies.get(body) else {
            return;
        };
        self.world.bodies[handle].set_translation(Vector::from(position), true);
        let (bodies, colliders) = (&mut self.world.bodies, &mut self.world.colliders);
        bodies.propagate_modified_body_positions_to_colliders(colliders);
    }

    /// Scales a body's collider about its centre: a counterfactual edit.
    pub fn resize(&mut self, body: usize, factor: f32) {
        let Some(&handle) = self.colliders.get(body) else {
            return;
        };
        let shape = match self.scene().bodies[body].shape {
            Shape::Ball { radius } => SharedShape::ball(radius * factor),
            Shape::Cuboid { half: [x, y, z] } => {
                SharedShape::cuboid(x * factor, y * factor, z * factor)
            }
            Shape::Cylinder {
                half_height,
                radius,
            } => SharedShape::cylinder(half_height * factor, radius * factor),
            Shape::Capsule {
                half_height,
                radius,
            } => SharedShape::capsule_y(half_height * factor, radius * factor),
        };
        self.world.colliders[handle].set_shape(shape);
    }

    /// Pulls the dragged body: a critically damped spring scaled by its mass.
    pub(super) fn apply_drag(&mut self) {
        let Some(drag) = self.drag else { return };
        let body = &mut self.world.bodies[self.bodies[drag.body]];
        if !body.is_dynamic() {
            return;
        }
        const NATURAL_FREQUENCY: f32 = 12.0;
        let pull = (Vector::from(drag.target) - body.translation())
            * (NATURAL_FREQUENCY * NATURAL_FREQUENCY)
            - body.linvel() * (2.0 * NATURAL_FREQUENCY);
        let impulse = pull * (body.mass() / super::PHYSICS_HZ as f32);
        body.apply_impulse(impulse, true);
    }
}
