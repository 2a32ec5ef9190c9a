//! Stepping, measuring, saving and forking the rapier world.

use std::sync::Arc;

use rapier3d::parry::query;
use rapier3d::prelude::*;
use serde::{Deserialize, Serialize};

use super::build;
use super::command::Command;
use super::{BodyState, Drag, PHYSICS_HZ, SUBSTEPS, SimError, State};
use crate::scene::{Body, Colour, Kind, Scene};

/// A saved moment: rapier's own serde types, so that going on from it gives the same bits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The scene's name.
    pub scene: String,
    /// The seed the world was built with.
    pub seed: u64,
    /// Control steps since the start.
    pub step: u64,
    world: Vec<u8>,
    rest: Vec<u8>,
}

/// What a snapshot holds beside rapier's own state.
#[derive(Serialize, Deserialize)]
struct Rest {
    colours: Vec<Colour>,
    sizes: Vec<f32>,
    hidden: Vec<bool>,
    command: Command,
    grip: Option<(usize, (u32, u32))>,
}

/// The rapier world that runs now.
pub struct Reality {
    scene: Arc<Scene>,
    seed: u64,
    pub(super) world: PhysicsWorld,
    /// As drawn for the seed, and as changed since: size and colour are looked up here.
    pub(super) drawn: Vec<Body>,
    pub(super) hidden: Vec<bool>,
    pub(super) bodies: Vec<RigidBodyHandle>,
    pub(super) colliders: Vec<ColliderHandle>,
    pub(super) soft: Vec<Option<SoftBodyHandle>>,
    pub(super) floor: ColliderHandle,
    sensors: Vec<ColliderHandle>,
    pub(super) drag: Option<Drag>,
    pub(super) command: Command,
    pub(super) grip: Option<(usize, ImpulseJointHandle)>,
    step: u64,
}

/// A body further than this from the origin, or so far under the floor, has left the world, metres.
const WORLD_RADIUS: f32 = 10.0;
const WORLD_DEPTH: f32 = 0.5;

impl Reality {
    /// Builds the scene's world for a seed; every randomised field is drawn from it, then the scene's
    /// interventions are set.
    ///
    /// # Errors
    /// [`SimError::Crowded`] if no start keeps the bodies apart, [`SimError::Field`] for an intervention on a
    /// field that the scene does not have.
    pub fn new(scene: &Arc<Scene>, seed: u64) -> Result<Self, SimError> {
        let start = build::draw_start(scene, seed)?;
        let built = build::build(scene, start);
        if let Some((body, top)) = super::start::buried(&built.drawn) {
            return Err(SimError::Buried {
                scene: scene.name.clone(),
                seed,
                body,
                top,
            });
        }
        let mut reality = Self {
            scene: scene.clone(),
            seed,
            hidden: vec![false; built.drawn.len()],
            world: built.world,
            drawn: built.drawn,
            bodies: built.bodies,
            colliders: built.colliders,
            soft: built.soft,
            floor: built.floor,
            sensors: built.sensors,
            drag: None,
            command: Command::default(),
            grip: None,
            step: 0,
        };
        for (target, value) in scene.interventions.iter() {
            if build::is_set_while_running(target) {
                reality.set(target, *value)?;
            }
        }
        Ok(reality)
    }

    /// The scene.
    pub fn scene(&self) -> &Arc<Scene> {
        &self.scene
    }

    /// The seed it was built with.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Control steps since the start.
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// The body as it was drawn for this seed, with changes of size and colour since.
    pub fn body(&self, i: usize) -> &Body {
        &self.drawn[i]
    }

    /// Whether the body is still there to be seen (an edit can make it vanish).
    pub fn is_visible(&self, i: usize) -> bool {
        !self.hidden[i]
    }

    /// Whether a drawn body is soft: its collider is then a mesh that changes its form.
    pub fn is_soft(&self, i: usize) -> bool {
        self.soft[i].is_some()
    }

    /// Sets the action `[A]` for the next [`step`](Self::step); components are clamped to [-1, 1],
    /// missing or non-finite ones count as 0.
    pub fn act(&mut self, action: &[f32]) {
        self.command.give(action);
    }

    /// One control step: 12 physics steps under the action set last, each in as many parts as `pace.rs` says.
    pub fn step(&mut self) {
        self.apply_edits();
        let action = self.command.take(self.seed, self.step);
        let care = self.take_care();
        for _ in 0..SUBSTEPS {
            let parts = self.parts(&care, &action);
            let dt = 1.0 / PHYSICS_HZ as f32 / parts as f32;
            self.world.integration_parameters.dt = dt;
            for _ in 0..parts {
                self.move_hand(action, dt);
                self.apply_drag(dt);
                let before = self.velocities(&care);
                self.world.step();
                self.correct_flight(&care, &before, dt);
            }
        }
        self.step += 1;
    }

    /// Everything that can be measured.
    pub fn measure(&self) -> State {
        let bodies = self
            .bodies
            .iter()
            .zip(&self.soft)
            .map(|(&h, soft)| {
                if let Some(soft) = soft {
                    return build::soft_state(&self.world.soft_bodies[*soft]);
                }
                let b = &self.world.bodies[h];
                let (t, r, v, w) = (b.translation(), b.rotation(), b.linvel(), b.angvel());
                BodyState {
                    position: [t.x, t.y, t.z],
                    rotation: [r.x, r.y, r.z, r.w],
                    velocity: [v.x, v.y, v.z],
                    spin: [w.x, w.y, w.z],
                }
            })
            .collect::<Vec<BodyState>>();
        let index = |c: ColliderHandle| self.colliders.iter().position(|&k| k == c);
        let mut contacts: Vec<(usize, usize)> = self
            .world
            .contact_pairs()
            .filter(|pair| pair.has_any_active_contact())
            .filter_map(|pair| Some((index(pair.collider1)?, index(pair.collider2)?)))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        contacts.sort_unstable();
        contacts.dedup();
        let has_left = |b: &BodyState| {
            let [x, y, z] = b.position;
            y < -WORLD_DEPTH || x.abs().max(y.abs()).max(z.abs()) > WORLD_RADIUS
        };
        let left = (0..bodies.len()).filter(|&i| has_left(&bodies[i]));
        State {
            step: self.step,
            left: left.collect(),
            bodies,
            contacts,
            inside: self.inside(),
            held: self.grip.map(|(body, _)| body),
        }
    }

    /// Pairs of a sensor and a body in it that can move.
    fn inside(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for (s, &sensor) in self.sensors.iter().enumerate() {
            for (a, _, b, _, intersects) in self.world.intersection_pairs_with(sensor) {
                let other = if a == sensor { b } else { a };
                let body = self.colliders.iter().position(|&c| c == other);
                let can_move = |&b: &usize| self.drawn[b].kind != Kind::Fixed;
                pairs.extend(
                    body.filter(|b| intersects && can_move(b))
                        .map(|body| (s, body)),
                );
            }
        }
        pairs.sort_unstable();
        pairs
    }

    /// The deepest overlap of two bodies at rest (or one and the floor), metres; `None` where none rests on
    /// another. A body rests while it is slower than `slow`, m/s and rad/s.
    pub fn resting_overlap(&self, slow: f32) -> Option<f32> {
        let rests = |collider: ColliderHandle| {
            let parent = self.world.colliders[collider].parent();
            parent.is_none_or(|b| {
                let b = &self.world.bodies[b];
                b.linvel().length() < slow && b.angvel().length() < slow
            })
        };
        let pairs = self.world.contact_pairs();
        let resting = pairs
            .filter(|p| p.has_any_active_contact() && rests(p.collider1) && rests(p.collider2));
        let depths = resting.flat_map(|p| {
            let [a, b] = [p.collider1, p.collider2].map(|c| &self.world.colliders[c]);
            let rigid = a.shape().as_trimesh().is_none() && b.shape().as_trimesh().is_none();
            // Rapier's own points may be a few steps old.
            let now = query::contact(a.position(), a.shape(), b.position(), b.shape(), 0.0);
            match now {
                Ok(found) if rigid => vec![found.map_or(0.0, |c| -c.dist)],
                _ => {
                    let points = p.manifolds().iter().flat_map(|m| m.points.iter());
                    points.map(|c| -c.dist).collect()
                }
            }
        });
        depths.reduce(f32::max).map(|d| d.max(0.0))
    }

    /// Whether rapier had to disable a body because its state was no longer finite.
    pub fn is_broken(&self) -> bool {
        self.bodies
            .iter()
            .any(|&h| !self.world.bodies[h].translation().is_finite())
    }

    /// An independent copy that goes on with the same bits: the oracle's imagination.
    pub fn fork(&self) -> Reality {
        let w = &self.world;
        let world = PhysicsWorld {
            gravity: w.gravity,
            integration_parameters: w.integration_parameters,
            physics_pipeline: PhysicsPipeline::new(),
            collision_pipeline: CollisionPipeline::new(),
            islands: w.islands.clone(),
            broad_phase: w.broad_phase.clone(),
            narrow_phase: w.narrow_phase.clone(),
            bodies: w.bodies.clone(),
            colliders: w.colliders.clone(),
            impulse_joints: w.impulse_joints.clone(),
            multibody_joints: w.multibody_joints.clone(),
            soft_bodies: w.soft_bodies.clone(),
            ccd_solver: CCDSolver::new(),
        };
        Reality {
            scene: self.scene.clone(),
            seed: self.seed,
            world,
            drawn: self.drawn.clone(),
            hidden: self.hidden.clone(),
            bodies: self.bodies.clone(),
            colliders: self.colliders.clone(),
            soft: self.soft.clone(),
            floor: self.floor,
            sensors: self.sensors.clone(),
            drag: self.drag,
            command: self.command.clone(),
            grip: self.grip,
            step: self.step,
        }
    }

    /// Saves this moment.
    ///
    /// # Errors
    /// [`SimError::Snapshot`] if rapier's state cannot be encoded.
    pub fn snapshot(&self) -> Result<Snapshot, SimError> {
        let world = bincode::serde::encode_to_vec(&self.world, bincode::config::standard())
            .map_err(|e| self.snapshot_error(e.to_string()))?;
        let rest = Rest {
            colours: self.drawn.iter().map(|b| b.colour).collect(),
            sizes: self.drawn.iter().map(|b| b.size).collect(),
            hidden: self.hidden.clone(),
            command: self.command.clone(),
            grip: self
                .grip
                .map(|(body, joint)| (body, joint.into_raw_parts())),
        };
        let rest = bincode::serde::encode_to_vec(&rest, bincode::config::standard())
            .map_err(|e| self.snapshot_error(e.to_string()))?;
        Ok(Snapshot {
            scene: self.scene.name.clone(),
            seed: self.seed,
            step: self.step,
            world,
            rest,
        })
    }

    /// Goes back to a saved moment of this scene.
    ///
    /// # Errors
    /// [`SimError::Snapshot`] if it is of another scene or damaged; reality is then unchanged.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SimError> {
        if snapshot.scene != self.scene.name {
            return Err(self.snapshot_error(format!("it was taken in scene `{}`", snapshot.scene)));
        }
        let damaged = |e: bincode::error::DecodeError| self.snapshot_error(e.to_string());
        let (world, _): (PhysicsWorld, usize) =
            bincode::serde::decode_from_slice(&snapshot.world, bincode::config::standard())
                .map_err(damaged)?;
        let (rest, _): (Rest, usize) =
            bincode::serde::decode_from_slice(&snapshot.rest, bincode::config::standard())
                .map_err(damaged)?;
        let grip = rest
            .grip
            .map(|(body, (i, g))| (body, ImpulseJointHandle::from_raw_parts(i, g)));
        let n = self.bodies.len();
        let fits = self.bodies.iter().all(|h| world.bodies.contains(*h))
            && self.colliders.iter().all(|c| world.colliders.contains(*c))
            && self
                .soft
                .iter()
                .flatten()
                .all(|s| world.soft_bodies.get(*s).is_some())
            && [rest.colours.len(), rest.sizes.len(), rest.hidden.len()] == [n; 3]
            && grip.is_none_or(|(b, j)| b < n && world.impulse_joints.contains(j));
        if !fits {
            return Err(self.snapshot_error("it has other bodies".into()));
        }
        if snapshot.seed != self.seed {
            self.drawn = build::draw_start(&self.scene, snapshot.seed)?.bodies;
        }
        for (body, (colour, size)) in self
            .drawn
            .iter_mut()
            .zip(rest.colours.into_iter().zip(rest.sizes))
        {
            body.colour = colour;
            body.size = size;
        }
        self.world = world;
        self.hidden = rest.hidden;
        self.command = rest.command;
        self.grip = grip;
        self.seed = snapshot.seed;
        self.step = snapshot.step;
        self.drag = None;
        Ok(())
    }

    /// Collider of body `i`: the very shape and pose that the eye casts rays into.
    pub fn collider(&self, i: usize) -> &Collider {
        &self.world.colliders[self.colliders[i]]
    }

    fn snapshot_error(&self, message: String) -> SimError {
        SimError::Snapshot {
            scene: self.scene.name.clone(),
            message,
        }
    }
}
