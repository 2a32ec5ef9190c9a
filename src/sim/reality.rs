//! Building, stepping, saving and forking the rapier world.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rapier3d::control::{CharacterLength, KinematicCharacterController};
use rapier3d::prelude::*;
use serde::{Deserialize, Serialize};

use super::{BodyState, Drag, PHYSICS_HZ, SUBSTEPS, State};
use crate::scene::{ActionSpace, Body, Kind, Scene, Shape};

/// Why a world could not be built, changed or restored.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// `apart` cannot be met by the randomisation.
    #[error(
        "scene `{scene}`, seed {seed}: no start found in {tries} draws that keeps the bodies apart; widen `randomise` or lower `apart`"
    )]
    Crowded {
        /// The scene.
        scene: String,
        /// The seed.
        seed: u64,
        /// Draws that were tried.
        tries: usize,
    },
    /// An intervention names nothing that exists.
    #[error(
        "`{target}`: expected `gravity` or BODY.mass|friction|restitution|x|y|z with a body of this scene"
    )]
    Target {
        /// The name given.
        target: String,
    },
    /// An intervention is out of bounds.
    #[error("`{target}` = {value}: expected {expected}")]
    Value {
        /// The field.
        target: String,
        /// The value given.
        value: f32,
        /// The values allowed.
        expected: String,
    },
    /// A snapshot does not belong to this scene or is damaged.
    #[error("the snapshot cannot be restored into scene `{scene}`: {message}")]
    Snapshot {
        /// The running scene.
        scene: String,
        /// What is wrong.
        message: String,
    },
}

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
    command: Vec<u32>,
}

/// The rapier world that runs now.
pub struct Reality {
    scene: Arc<Scene>,
    seed: u64,
    pub(super) world: PhysicsWorld,
    pub(super) bodies: Vec<RigidBodyHandle>,
    pub(super) colliders: Vec<ColliderHandle>,
    pub(super) drag: Option<Drag>,
    command: [f32; 2],
    step: u64,
}

const FLOOR: Group = Group::GROUP_1;
const HAND: Group = Group::GROUP_2;
const BODY: Group = Group::GROUP_3;
const START_DRAWS: usize = 1000;

impl Reality {
    /// Builds the scene's world for a seed; every randomised field is drawn from it.
    ///
    /// # Errors
    /// [`SimError::Crowded`] if no start keeps the bodies apart.
    pub fn new(scene: &Arc<Scene>, seed: u64) -> Result<Self, SimError> {
        let start = draw_start(scene, seed)?;
        let mut world = PhysicsWorld::new();
        world.gravity = Vector::new(0.0, scene.gravity, 0.0);
        world.integration_parameters.dt = 1.0 / PHYSICS_HZ as f32;
        let floor = ColliderBuilder::cuboid(50.0, 0.5, 50.0)
            .translation(Vector::new(0.0, -0.5, 0.0))
            .friction(scene.floor_friction)
            .restitution(0.0)
            .restitution_combine_rule(CoefficientCombineRule::Max)
            .collision_groups(InteractionGroups::new(
                FLOOR,
                BODY,
                InteractionTestMode::And,
            ));
        world.insert(RigidBodyBuilder::fixed(), floor);
        let (mut bodies, mut colliders) = (Vec::new(), Vec::new());
        for body in &start {
            let (b, c) = world.insert(rigid_body(body), collider(body));
            bodies.push(b);
            colliders.push(c);
        }
        Ok(Self {
            scene: scene.clone(),
            seed,
            world,
            bodies,
            colliders,
            drag: None,
            command: [0.0; 2],
            step: 0,
        })
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

    /// Sets the action `[A]` for the next [`step`](Self::step); components are clamped to [-1, 1],
    /// missing or non-finite ones count as 0.
    pub fn act(&mut self, action: &[f32]) {
        for (i, c) in self.command.iter_mut().enumerate() {
            let a = action.get(i).copied().unwrap_or(0.0);
            *c = if a.is_finite() {
                a.clamp(-1.0, 1.0)
            } else {
                0.0
            };
        }
    }

    /// One control step: 12 physics steps under the action set last.
    pub fn step(&mut self) {
        for _ in 0..SUBSTEPS {
            self.move_hand();
            self.apply_drag();
            self.world.step();
        }
        self.step += 1;
    }

    /// Everything that can be measured.
    pub fn measure(&self) -> State {
        let bodies = self
            .bodies
            .iter()
            .map(|&h| {
                let b = &self.world.bodies[h];
                let (t, r, v, w) = (b.translation(), b.rotation(), b.linvel(), b.angvel());
                BodyState {
                    position: [t.x, t.y, t.z],
                    rotation: [r.x, r.y, r.z, r.w],
                    velocity: [v.x, v.y, v.z],
                    spin: [w.x, w.y, w.z],
                }
            })
            .collect();
        let index = |c: ColliderHandle| self.colliders.iter().position(|&k| k == c);
        let mut contacts: Vec<(usize, usize)> = self
            .world
            .contact_pairs()
            .filter(|pair| pair.has_any_active_contact())
            .filter_map(|pair| Some((index(pair.collider1)?, index(pair.collider2)?)))
            .map(|(a, b)| (a.min(b), a.max(b)))
            .collect();
        contacts.sort_unstable();
        State {
            step: self.step,
            bodies,
            contacts,
        }
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
            bodies: self.bodies.clone(),
            colliders: self.colliders.clone(),
            drag: self.drag,
            command: self.command,
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
        let command = self.command.iter().map(|c| c.to_bits()).collect();
        Ok(Snapshot {
            scene: self.scene.name.clone(),
            seed: self.seed,
            step: self.step,
            world,
            command,
        })
    }

    /// Goes back to a saved moment of this scene.
    ///
    /// # Errors
    /// [`SimError::Snapshot`] if it is of another scene or damaged; reality is then unchanged.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), SimError> {
        if snapshot.scene != self.scene.name || snapshot.command.len() != 2 {
            return Err(self.snapshot_error(format!("it was taken in scene `{}`", snapshot.scene)));
        }
        let (world, _): (PhysicsWorld, usize) =
            bincode::serde::decode_from_slice(&snapshot.world, bincode::config::standard())
                .map_err(|e| self.snapshot_error(e.to_string()))?;
        let known = |h: &RigidBodyHandle| world.bodies.get(*h).is_some();
        if !self.bodies.iter().all(known)
            || !self
                .colliders
                .iter()
                .all(|c| world.colliders.get(*c).is_some())
        {
            return Err(self.snapshot_error("it has other bodies".into()));
        }
        self.world = world;
        self.seed = snapshot.seed;
        self.step = snapshot.step;
        self.command = [
            f32::from_bits(snapshot.command[0]),
            f32::from_bits(snapshot.command[1]),
        ];
        self.drag = None;
        Ok(())
    }

    /// Collider of body `i`: the very shape and pose that the eye casts rays into.
    pub fn collider(&self, i: usize) -> &Collider {
        &self.world.colliders[self.colliders[i]]
    }

    /// Puts a body at a place of the plane, at rest: for goals and counterfactual edits.
    pub fn place(&mut self, body: usize, x: f32, z: f32) {
        let Some(&handle) = self.bodies.get(body) else {
            return;
        };
        let b = &mut self.world.bodies[handle];
        let y = b.translation().y;
        b.set_translation(Vector::new(x, y, z), true);
        b.set_linvel(Vector::ZERO, true);
        b.set_angvel(Vector::ZERO, true);
        let (bodies, colliders) = (&mut self.world.bodies, &mut self.world.colliders);
        bodies.propagate_modified_body_positions_to_colliders(colliders);
    }

    fn snapshot_error(&self, message: String) -> SimError {
        SimError::Snapshot {
            scene: self.scene.name.clone(),
            message,
        }
    }

    /// Moves the hand by its commanded velocity; fixed bodies stop it and let it slide.
    fn move_hand(&mut self) {
        let ActionSpace::Planar { max_speed, limit } = self.scene.actions else {
            return;
        };
        let Some(hand) = self.scene.hand() else {
            return;
        };
        let dt = 1.0 / PHYSICS_HZ as f32;
        let at = self.world.bodies[self.bodies[hand]].translation();
        let goal_x = (at.x + self.command[0] * max_speed * dt).clamp(-limit, limit);
        let goal_z = (at.z + self.command[1] * max_speed * dt).clamp(-limit, limit);
        let mut movement = Vector::new(goal_x - at.x, 0.0, goal_z - at.z);
        if self.scene.bodies.iter().any(|b| b.kind == Kind::Fixed) && movement != Vector::ZERO {
            let controller = KinematicCharacterController {
                offset: CharacterLength::Absolute(0.004),
                snap_to_ground: None,
                max_slope_climb_angle: 0.0,
                ..Default::default()
            };
            let collider = &self.world.colliders[self.colliders[hand]];
            let filter = QueryFilter::only_fixed().groups(InteractionGroups::new(
                HAND,
                BODY,
                InteractionTestMode::And,
            ));
            let queries = self.world.query_pipeline_with_filter(filter);
            let moved = controller.move_shape(
                dt,
                &queries,
                collider.shape(),
                collider.position(),
                movement,
                |_| {},
            );
            movement = Vector::new(moved.translation.x, 0.0, moved.translation.z);
        }
        let next = at + movement;
        self.world.bodies[self.bodies[hand]].set_next_kinematic_translation(next);
    }
}

fn rigid_body(b: &Body) -> RigidBodyBuilder {
    let builder = match b.kind {
        Kind::Fixed => RigidBodyBuilder::fixed(),
        Kind::Dynamic => RigidBodyBuilder::dynamic(),
        Kind::Hand => RigidBodyBuilder::kinematic_position_based(),
    };
    let half = b.yaw.to_radians() * 0.5;
    let rotation = Rotation::from_xyzw(0.0, libm::sinf(half), 0.0, libm::cosf(half));
    builder
        .pose(Pose::from_parts(Vector::from(b.position), rotation))
        .linvel(Vector::from(b.velocity))
        .can_sleep(false)
}

fn collider(b: &Body) -> ColliderBuilder {
    let shape = match b.shape {
        Shape::Ball { radius } => ColliderBuilder::ball(radius),
        Shape::Cuboid { half: [x, y, z] } => ColliderBuilder::cuboid(x, y, z),
        Shape::Cylinder {
            half_height,
            radius,
        } => ColliderBuilder::cylinder(half_height, radius),
        Shape::Capsule {
            half_height,
            radius,
        } => ColliderBuilder::capsule_y(half_height, radius),
    };
    let groups = match b.kind {
        Kind::Hand => InteractionGroups::new(HAND, BODY, InteractionTestMode::And),
        _ => InteractionGroups::new(BODY, FLOOR | HAND | BODY, InteractionTestMode::And),
    };
    shape
        .mass(b.mass)
        .friction(b.friction)
        .restitution(b.restitution)
        .restitution_combine_rule(CoefficientCombineRule::Max)
        .collision_groups(groups)
}

/// Draws all randomised fields until the bodies are apart.
fn draw_start(scene: &Scene, seed: u64) -> Result<Vec<Body>, SimError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..START_DRAWS {
        let mut bodies = scene.bodies.clone();
        for r in &scene.randomise {
            let value = if r.high > r.low {
                rng.random_range(r.low..=r.high)
            } else {
                r.low
            };
            if let Some((name, field)) = r.target.split_once('.')
                && let Some(b) = bodies.iter_mut().find(|b| b.name == name)
            {
                match field {
                    "x" => b.position[0] = value,
                    "y" => b.position[1] = value,
                    "z" => b.position[2] = value,
                    "yaw" => b.yaw = value,
                    "vx" => b.velocity[0] = value,
                    "vy" => b.velocity[1] = value,
                    "vz" => b.velocity[2] = value,
                    "mass" => b.mass = value.max(0.001),
                    "friction" => b.friction = value.max(0.0),
                    "restitution" => b.restitution = value.clamp(0.0, 1.0),
                    _ => {}
                }
            }
        }
        let apart = scene.apart.iter().all(|(a, b, distance)| {
            let at = |n: &str| bodies.iter().find(|b| b.name == n).map(|b| b.position);
            match (at(a), at(b)) {
                (Some(p), Some(q)) => {
                    (0..3).map(|i| (p[i] - q[i]).powi(2)).sum::<f32>() >= distance * distance
                }
                _ => true,
            }
        });
        if apart {
            return Ok(bodies);
        }
    }
    Err(SimError::Crowded {
        scene: scene.name.clone(),
        seed,
        tries: START_DRAWS,
    })
}
