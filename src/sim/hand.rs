//! The agent's hand: where it goes, what it holds.

use rapier3d::control::{CharacterLength, KinematicCharacterController};
use rapier3d::parry::query;
use rapier3d::prelude::*;

use super::Reality;
use super::build::{BODY, FLOOR, HAND};
use super::command::MAX_DIM;
use crate::scene::{ActionSpace, Kind};

/// Deepest that the hand presses into a body, and that into a wall behind it, metres. What gives way never
/// comes near it.
pub(super) const PRESSED: f32 = 0.01;
/// The hand keeps so far from what stops it, metres.
const CLEARANCE: f32 = 0.004;

/// The other collider of a pair.
fn other_of(pair: &ContactPair, own: ColliderHandle) -> ColliderHandle {
    if pair.collider1 == own {
        pair.collider2
    } else {
        pair.collider1
    }
}

impl Reality {
    /// Moves the hand by its commanded velocity for one physics step.
    pub(super) fn move_hand(&mut self, action: [f32; MAX_DIM], dt: f32) {
        let Some(hand) = self.scene().hand() else {
            return;
        };
        let at = self.world.bodies[self.bodies[hand]].translation();
        match self.scene().actions {
            ActionSpace::None => {}
            ActionSpace::Planar {
                max_speed,
                limit,
                z_range,
            } => {
                let [z0, z1] = z_range.unwrap_or([-limit, limit]);
                let goal_x = (at.x + action[0] * max_speed * dt).clamp(-limit, limit);
                let goal_z = (at.z + action[1] * max_speed * dt).clamp(z0, z1);
                let mut movement = Vector::new(goal_x - at.x, 0.0, goal_z - at.z);
                let walls = self.scene().bodies.iter().any(|b| b.kind == Kind::Fixed);
                if walls && movement != Vector::ZERO {
                    let filter = QueryFilter::only_fixed().groups(InteractionGroups::new(
                        HAND,
                        BODY,
                        InteractionTestMode::And,
                    ));
                    let moved = self.slide(hand, movement, filter, dt);
                    movement = Vector::new(moved.x, 0.0, moved.z);
                }
                // Without walls everything gives way.
                let movement = if walls {
                    self.give_way(hand, movement)
                } else {
                    movement
                };
                let next = at + movement;
                self.world.bodies[self.bodies[hand]].set_next_kinematic_translation(next);
            }
            ActionSpace::Spatial {
                max_speed,
                low,
                high,
                grip_reach_m,
            } => {
                self.grip_or_release(hand, action[3] > 0.0, grip_reach_m);
                let wish: [f32; 3] = std::array::from_fn(|i| {
                    (at[i] + action[i] * max_speed * dt).clamp(low[i], high[i]) - at[i]
                });
                let movement = self.stop_at_bodies(hand, Vector::from(wish), dt);
                self.world.bodies[self.bodies[hand]].set_next_kinematic_translation(at + movement);
            }
        }
    }

    /// A movement that takes the hand no further into what does not give way, and out again where it is in
    /// too far.
    fn give_way(&self, hand: usize, mut movement: Vector) -> Vector {
        let own = self.colliders[hand];
        let touching = self.world.contact_pairs_with(own);
        for pair in touching.filter(|p| p.has_any_active_contact()) {
            let other = other_of(pair, own);
            let Some((depth, inward)) = self.overlap(own, other) else {
                continue;
            };
            let inward = Vector::new(inward.x, 0.0, inward.z);
            if inward.length() < 0.1 {
                continue;
            }
            let inward = inward.normalize();
            let Some(behind) = self.wall_behind(other, inward, &mut vec![own]) else {
                continue;
            };
            // Gently as far as there is room, or out again: what is pushed fast would bounce to and fro.
            let room = (0.2 * (PRESSED - depth - behind)).max(-movement.length());
            movement -= inward * (movement.dot(inward) - room).max(0.0);
        }
        movement
    }

    /// How deep a body and those behind it in a direction are pressed into each other and into the fixed one
    /// that ends the row, metres; `None` where nothing fixed stands there, so that they give way.
    fn wall_behind(
        &self,
        body: ColliderHandle,
        direction: Vector,
        passed: &mut Vec<ColliderHandle>,
    ) -> Option<f32> {
        passed.push(body);
        let mut deepest: Option<f32> = None;
        for pair in self.world.contact_pairs_with(body) {
            let next = other_of(pair, body);
            let parent = self.world.colliders[next].parent();
            let Some(parent) = parent.filter(|_| !passed.contains(&next)) else {
                continue;
            };
            if next == self.floor || !pair.has_any_active_contact() {
                continue;
            }
            // Those that only are about to touch count, too.
            let (depth, way) = self.overlap(body, next).unwrap_or((0.0, direction));
            if way.dot(direction) < 0.3 {
                continue;
            }
            let behind = match self.world.bodies[parent].is_fixed() {
                true => Some(0.0),
                false => self.wall_behind(next, direction, passed),
            };
            if let Some(behind) = behind {
                deepest = Some(deepest.unwrap_or(0.0).max(depth + behind));
            }
        }
        deepest
    }

    /// How deep two colliders overlap, metres, and the direction from the first into the second.
    fn overlap(&self, a: ColliderHandle, b: ColliderHandle) -> Option<(f32, Vector)> {
        let (a, b) = (&self.world.colliders[a], &self.world.colliders[b]);
        let contact = query::contact(a.position(), a.shape(), b.position(), b.shape(), 0.0);
        let contact = contact.ok().flatten()?;
        Some((-contact.dist, contact.normal1))
    }

    /// A movement of body `i` as far as what the filter lets through allows; it slides along what stops it.
    fn slide(&self, i: usize, movement: Vector, filter: QueryFilter, dt: f32) -> Vector {
        let controller = KinematicCharacterController {
            offset: CharacterLength::Absolute(CLEARANCE),
            snap_to_ground: None,
            max_slope_climb_angle: 0.0,
            ..Default::default()
        };
        let collider = &self.world.colliders[self.colliders[i]];
        let queries = self.world.query_pipeline_with_filter(filter);
        let moved = controller.move_shape(
            dt,
            &queries,
            collider.shape(),
            collider.position(),
            movement,
            |_| {},
        );
        moved.translation
    }

    /// A gripping hand pushes nothing: it, and what it holds, stop at every other body.
    fn stop_at_bodies(&self, hand: usize, movement: Vector, dt: f32) -> Vector {
        let held = self.grip.map(|(body, _)| body);
        let (own, carried) = (self.colliders[hand], held.map(|b| self.colliders[b]));
        let others =
            |handle: ColliderHandle, _: &Collider| handle != own && Some(handle) != carried;
        let filter = |groups: Group| {
            QueryFilter::new()
                .exclude_sensors()
                .groups(InteractionGroups::new(
                    HAND,
                    groups,
                    InteractionTestMode::And,
                ))
                .predicate(&others)
        };
        let moved = self.slide(hand, movement, filter(BODY), dt);
        let Some(held) = held else {
            return moved;
        };
        // Upwards the load follows freely; else it must not be pressed into what lies under or beside it.
        let groups = if moved.y > 0.0 { BODY } else { BODY | FLOOR };
        let filter = QueryFilter::new()
            .exclude_sensors()
            .groups(InteractionGroups::new(
                BODY,
                groups,
                InteractionTestMode::And,
            ))
            .predicate(&others);
        let load = self.slide(held, moved, filter, dt);
        let least = |a: f32, b: f32| if a.abs() < b.abs() { a } else { b };
        Vector::new(
            least(moved.x, load.x),
            least(moved.y, load.y),
            least(moved.z, load.z),
        )
    }

    /// Suction takes hold of the nearest dynamic body within reach, and lets go of it.
    fn grip_or_release(&mut self, hand: usize, grips: bool, reach: f32) {
        match self.grip {
            Some((_, joint)) if !grips => {
                self.world.remove_impulse_joint(joint);
                self.grip = None;
            }
            None if grips => {
                let near = (0..self.bodies.len())
                    .filter(|&i| self.drawn[i].kind == Kind::Dynamic && !self.hidden[i])
                    .filter_map(|i| Some((i, self.surface_distance(hand, i)?)))
                    .filter(|(_, d)| *d <= reach)
                    .min_by(|a, b| a.1.total_cmp(&b.1));
                if let Some((body, _)) = near {
                    let holder = self.bodies[hand];
                    let held = self.bodies[body];
                    let relative = self.world.bodies[holder].position().inverse()
                        * *self.world.bodies[held].position();
                    let joint = FixedJointBuilder::new()
                        .local_frame1(relative)
                        .contacts_enabled(false);
                    let joint = self.world.insert_impulse_joint(holder, held, joint);
                    self.grip = Some((body, joint));
                }
            }
            _ => {}
        }
    }

    /// Distance of two bodies' surfaces, metres; 0 where they touch.
    fn surface_distance(&self, a: usize, b: usize) -> Option<f32> {
        let (a, b) = (
            &self.world.colliders[self.colliders[a]],
            &self.world.colliders[self.colliders[b]],
        );
        rapier3d::parry::query::distance(a.position(), a.shape(), b.position(), b.shape())
            .ok()
            .map(|d| d.distance)
    }
}
