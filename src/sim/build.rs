//! From a scene and a seed to a rapier world.

use std::sync::Arc;

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rapier3d::prelude::*;

use super::{BodyState, PHYSICS_HZ, SimError};
use crate::scene::{Body, Combine, Joint, JointKind, Kind, Part, Scene, Shape, Softness};

pub(super) const FLOOR: Group = Group::GROUP_1;
pub(super) const HAND: Group = Group::GROUP_2;
pub(super) const BODY: Group = Group::GROUP_3;
const START_DRAWS: usize = 1000;

/// A world and where the scene's bodies are in it.
pub(super) struct Built {
    pub world: PhysicsWorld,
    pub drawn: Vec<Body>,
    pub bodies: Vec<RigidBodyHandle>,
    pub colliders: Vec<ColliderHandle>,
    pub soft: Vec<Option<SoftBodyHandle>>,
    pub floor: ColliderHandle,
    pub sensors: Vec<ColliderHandle>,
}

/// What was drawn for a seed.
pub(super) struct Start {
    pub bodies: Vec<Body>,
    gravity: f32,
    floor_friction: f32,
}

pub(super) fn build(scene: &Arc<Scene>, start: Start) -> Built {
    let mut world = PhysicsWorld::new();
    world.gravity = Vector::new(0.0, start.gravity, 0.0);
    world.integration_parameters.dt = 1.0 / PHYSICS_HZ as f32;
    world.integration_parameters.length_unit = scene.scale_m;
    let floor = ColliderBuilder::cuboid(50.0, 0.5, 50.0)
        .translation(Vector::new(0.0, -0.5, 0.0))
        .friction(start.floor_friction)
        .restitution(0.0)
        .restitution_combine_rule(CoefficientCombineRule::Max)
        .collision_groups(InteractionGroups::new(
            FLOOR,
            BODY,
            InteractionTestMode::And,
        ));
    let (_, floor) = world.insert(RigidBodyBuilder::fixed(), floor);
    let mut drawn = start.bodies;
    meet_anchors(&scene.joints, &mut drawn);
    let (mut bodies, mut colliders, mut soft) = (Vec::new(), Vec::new(), Vec::new());
    for body in &drawn {
        if let Some(material) = &body.soft {
            let handle = world.insert_soft_body(soft_body(body, material));
            let root = world.soft_bodies[handle].root_body();
            bodies.push(root);
            colliders.extend(world.bodies[root].colliders().first());
            soft.push(Some(handle));
        } else {
            let (b, c) = world.insert(rigid_body(body), collider(body));
            bodies.push(b);
            colliders.push(c);
            soft.push(None);
        }
    }
    let anchor = (!scene.joints.is_empty()).then(|| world.insert_body(RigidBodyBuilder::fixed()));
    for j in &scene.joints {
        let (a, b) = (scene.body_index(&j.a), scene.body_index(&j.b));
        if let (Some(a), Some(b)) = (a.map(|a| bodies[a]).or(anchor), b) {
            world.insert_impulse_joint(a, bodies[b], joint(j));
        }
    }
    let sensors = scene.sensors.iter().map(|s| {
        let region = ColliderBuilder::new(shape(&s.shape))
            .translation(Vector::from(s.position))
            .sensor(true)
            .active_collision_types(ActiveCollisionTypes::all())
            .collision_groups(InteractionGroups::new(
                FLOOR,
                BODY | HAND,
                InteractionTestMode::Or,
            ));
        world.insert(RigidBodyBuilder::fixed(), region).1
    });
    Built {
        sensors: sensors.collect(),
        drawn,
        bodies,
        colliders,
        soft,
        floor,
        world,
    }
}

pub(super) fn rotation(yaw: f32, pitch: f32, roll: f32) -> Rotation {
    let half = |degrees: f32| {
        let half = degrees.to_radians() * 0.5;
        (libm::sinf(half), libm::cosf(half))
    };
    let (sin, cos) = half(yaw);
    let about_y = Rotation::from_xyzw(0.0, sin, 0.0, cos);
    if pitch == 0.0 && roll == 0.0 {
        return about_y;
    }
    let ((sx, cx), (sz, cz)) = (half(pitch), half(roll));
    about_y * Rotation::from_xyzw(sx, 0.0, 0.0, cx) * Rotation::from_xyzw(0.0, 0.0, sz, cz)
}

pub(super) fn pose(b: &Body) -> Pose {
    Pose::from_parts(Vector::from(b.position), rotation(b.yaw, b.pitch, b.roll))
}

/// Moves the second body of every holding joint so that the anchors meet.
fn meet_anchors(joints: &[Joint], bodies: &mut [Body]) {
    for joint in joints {
        if matches!(
            joint.kind,
            JointKind::Rope { .. } | JointKind::Spring { .. }
        ) {
            continue;
        }
        let at = |name: &str| bodies.iter().position(|b| b.name == name);
        let hold = Vector::from(joint.anchor_a);
        let hold = at(&joint.a).map_or(hold, |a| pose(&bodies[a]) * hold);
        if let Some(b) = at(&joint.b) {
            let body = &mut bodies[b];
            let turned = rotation(body.yaw, body.pitch, body.roll) * Vector::from(joint.anchor_b);
            body.position = (hold - turned).to_array();
        }
    }
}

fn joint(j: &Joint) -> GenericJoint {
    let (a, b) = (Vector::from(j.anchor_a), Vector::from(j.anchor_b));
    let unit = |axis: [f32; 3]| Vector::from(axis).normalize_or(Vector::Z);
    let mut joint: GenericJoint = match j.kind {
        JointKind::Fixed => FixedJointBuilder::new().build().into(),
        JointKind::Revolute { axis } => RevoluteJointBuilder::new(unit(axis)).build().into(),
        JointKind::Spherical => SphericalJointBuilder::new().build().into(),
        JointKind::Prismatic { axis, travel_m } => PrismaticJointBuilder::new(unit(axis))
            .limits([-travel_m, travel_m])
            .build()
            .into(),
        JointKind::Rope { length_m } => RopeJointBuilder::new(length_m).build().into(),
        JointKind::Spring {
            rest_m,
            stiffness,
            damping,
        } => SpringJointBuilder::new(rest_m, stiffness, damping)
            .build()
            .into(),
    };
    joint.set_local_anchor1(a);
    joint.set_local_anchor2(b);
    joint.set_contacts_enabled(false);
    joint
}

fn rigid_body(b: &Body) -> RigidBodyBuilder {
    let builder = match b.kind {
        Kind::Fixed => RigidBodyBuilder::fixed(),
        Kind::Dynamic | Kind::Soft => RigidBodyBuilder::dynamic(),
        Kind::Hand => RigidBodyBuilder::kinematic_position_based(),
    };
    builder
        .pose(pose(b))
        .linvel(Vector::from(b.velocity))
        .angvel(Vector::from(b.spin))
        .linear_damping(b.damping)
        .angular_damping(b.damping)
        .can_sleep(false)
}

/// A collider's shape, in the frame of its body.
pub(super) fn shape(s: &Shape) -> SharedShape {
    match s {
        Shape::Ball { radius } => SharedShape::ball(*radius),
        Shape::Cuboid { half: [x, y, z] } => SharedShape::cuboid(*x, *y, *z),
        Shape::Cylinder {
            half_height,
            radius,
        } => SharedShape::cylinder(*half_height, *radius),
        Shape::Capsule {
            half_height,
            radius,
        } => SharedShape::capsule_y(*half_height, *radius),
        // Scenes are checked before they are built, so the hull exists; a ball stands in otherwise.
        Shape::Convex { points } => {
            let points: Vec<Vector> = points.iter().map(|&p| Vector::from(p)).collect();
            SharedShape::convex_hull(&points)
                .unwrap_or_else(|| SharedShape::ball(s.bounding_radius()))
        }
        Shape::Compound { parts } => SharedShape::compound(
            parts
                .iter()
                .map(|p| (part_pose(p), shape(&p.shape)))
                .collect(),
        ),
    }
}

/// A part's pose in its body's frame.
pub(super) fn part_pose(part: &Part) -> Pose {
    let [x, y, z] = part.rotation;
    Pose::from_parts(Vector::from(part.position), rotation(y, x, z))
}

/// The shape that a body has at its present size.
pub(super) fn body_shape(b: &Body) -> SharedShape {
    if b.size == 1.0 {
        shape(&b.shape)
    } else {
        shape(&b.shape.scaled(b.size))
    }
}

fn friction_rule(combine: Combine) -> CoefficientCombineRule {
    match combine {
        Combine::Average => CoefficientCombineRule::Average,
        Combine::Min => CoefficientCombineRule::Min,
        Combine::Multiply => CoefficientCombineRule::Multiply,
    }
}

fn collider(b: &Body) -> ColliderBuilder {
    let groups = match b.kind {
        Kind::Hand => InteractionGroups::new(HAND, BODY, InteractionTestMode::And),
        _ => InteractionGroups::new(BODY, FLOOR | HAND | BODY, InteractionTestMode::And),
    };
    ColliderBuilder::new(body_shape(b))
        .mass(b.mass)
        .friction(b.friction)
        .friction_combine_rule(friction_rule(b.combine))
        .restitution(b.restitution)
        .restitution_combine_rule(CoefficientCombineRule::Max)
        .collision_groups(groups)
}

fn soft_body(b: &Body, material: &Softness) -> SoftBodyBuilder {
    let cells = material.cells as usize;
    let (centre, turn) = (Vector::from(b.position), rotation(b.yaw, b.pitch, b.roll));
    let builder = match b.shape.scaled(b.size) {
        Shape::Cuboid { half } => SoftBodyBuilder::cuboid(
            Vector::ZERO,
            Vector::from(half),
            cells + 1,
            cells + 1,
            cells + 1,
        ),
        other => SoftBodyBuilder::sphere(Vector::ZERO, other.bounding_radius(), cells.min(3)),
    };
    let placed = builder
        .particle_positions()
        .iter()
        .map(|p| centre + turn * *p);
    let placed: Vec<Vector> = placed.collect();
    let softness = SpringCoefficients {
        natural_frequency: material.frequency_hz,
        damping_ratio: material.damping_ratio,
    };
    let groups = InteractionGroups::new(BODY, FLOOR | HAND | BODY, InteractionTestMode::And);
    let surface = ColliderBuilder::ball(1.0)
        .friction(b.friction)
        .friction_combine_rule(friction_rule(b.combine))
        .restitution(b.restitution)
        .restitution_combine_rule(CoefficientCombineRule::Max)
        .collision_groups(groups);
    builder
        .positions(placed)
        .mass(b.mass)
        .softness(softness)
        .volume_preservation(true)
        .linear_damping(b.damping)
        .surface_collider(surface)
        .can_sleep(false)
}

/// A soft body's state: its centre of mass and mean velocity; it has no one rotation.
pub(super) fn soft_state(soft: &SoftBody) -> BodyState {
    let centre = soft.center_of_mass();
    let count = soft.num_particles().max(1) as f32;
    let sum = soft
        .particle_velocities()
        .fold(Vector::ZERO, |sum, v| sum + v);
    BodyState {
        position: centre.to_array(),
        rotation: [0.0, 0.0, 0.0, 1.0],
        velocity: (sum / count).to_array(),
        spin: [0.0; 3],
    }
}

/// Whether an intervention acts on the running world; the others are part of how a world is drawn.
pub(super) fn is_set_while_running(target: &str) -> bool {
    target.starts_with("action.")
}

/// Draws all randomised fields until the bodies are apart, then sets the scene's interventions.
pub(super) fn draw_start(scene: &Scene, seed: u64) -> Result<Start, SimError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for _ in 0..START_DRAWS {
        let mut start = Start {
            bodies: scene.bodies.clone(),
            gravity: scene.gravity,
            floor_friction: scene.floor_friction,
        };
        for r in &scene.randomise {
            if let Some(&colour) = r.colours.choose(&mut rng) {
                let name = r.target.strip_suffix(".colour").unwrap_or_default();
                if let Some(b) = start.bodies.iter_mut().find(|b| b.name == name) {
                    b.colour = colour;
                }
                continue;
            }
            let value = match r.among.choose(&mut rng) {
                Some(&value) => value,
                None if r.high > r.low => rng.random_range(r.low..=r.high),
                None => r.low,
            };
            start.set(&r.target, value);
        }
        for (target, value) in &scene.interventions {
            start.set(target, *value);
        }
        let apart = scene.apart.iter().all(|(a, b, distance)| {
            let at = |n: &str| {
                start
                    .bodies
                    .iter()
                    .find(|b| b.name == n)
                    .map(|b| b.position)
            };
            match (at(a), at(b)) {
                (Some(p), Some(q)) => {
                    (0..3).map(|i| (p[i] - q[i]).powi(2)).sum::<f32>() >= distance * distance
                }
                _ => true,
            }
        });
        if apart {
            return Ok(start);
        }
    }
    Err(SimError::Crowded {
        scene: scene.name.clone(),
        seed,
        tries: START_DRAWS,
    })
}

impl Start {
    fn set(&mut self, target: &str, value: f32) {
        match target {
            "gravity" => self.gravity = value,
            "floor_friction" => self.floor_friction = value,
            _ => {
                if let Some((name, field)) = target.split_once('.')
                    && let Some(b) = self.bodies.iter_mut().find(|b| b.name == name)
                {
                    b.set_field(field, value);
                }
            }
        }
    }
}
