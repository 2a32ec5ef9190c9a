//! The fields of a scene file, as RON reads them.

use serde::{Deserialize, Serialize};

use super::Colour;

/// A described world.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Identifier, equal to the file's stem: `[a-z0-9_]{1,32}`.
    pub name: String,
    /// One sentence for the scene picker.
    pub summary: String,
    /// At most 16 bodies; index `i` is instance id `i + 1` in the eye (0 is floor and background).
    pub bodies: Vec<Body>,
    /// The models' eye.
    pub camera: CameraSpec,
    /// Direction in which sunlight travels (need not be normalised; y must be negative).
    #[serde(default = "default_sun")]
    pub sun: [f32; 3],
    /// Gravity along y, m/s².
    #[serde(default = "default_gravity")]
    pub gravity: f32,
    /// Floor friction coefficient.
    #[serde(default = "default_friction")]
    pub floor_friction: f32,
    /// What the floor looks like.
    #[serde(default)]
    pub floor: Floor,
    /// What an agent may do.
    #[serde(default)]
    pub actions: ActionSpace,
    /// Fields drawn afresh for every seed.
    #[serde(default)]
    pub randomise: Vec<Randomise>,
    /// Pairs of bodies whose centres must start at least so far apart in the plane, metres.
    #[serde(default)]
    pub apart: Vec<(String, String, f32)>,
    /// What there is to achieve, if anything.
    #[serde(default)]
    pub task: Option<Task>,
    /// Control steps (at 10 Hz) of one recorded episode.
    #[serde(default = "default_steps")]
    pub episode_steps: u32,
    /// How `collect` behaves in this scene.
    #[serde(default)]
    pub behaviour: Behaviour,
    /// Laws that the judge applies here.
    #[serde(default)]
    pub laws: Vec<Law>,
    /// Interventions that the app offers here beside the general ones.
    #[serde(default)]
    pub sliders: Vec<Slider>,
}

/// One rigid body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// Unique name: `[a-z0-9_]{1,32}`.
    pub name: String,
    /// How it moves.
    pub kind: Kind,
    /// Its collider, which is also exactly what the eye sees.
    pub shape: Shape,
    /// Hue.
    pub colour: Colour,
    /// Centre at the start, metres.
    pub position: [f32; 3],
    /// Rotation about y at the start, degrees.
    #[serde(default)]
    pub yaw: f32,
    /// Velocity at the start, m/s.
    #[serde(default)]
    pub velocity: [f32; 3],
    /// Mass in kilograms (dynamic bodies).
    #[serde(default = "default_mass")]
    pub mass: f32,
    /// Coulomb friction coefficient.
    #[serde(default = "default_friction")]
    pub friction: f32,
    /// Coefficient of restitution in [0, 1].
    #[serde(default)]
    pub restitution: f32,
    /// Paints the local +x end darker in the same hue, so that orientation can be seen.
    #[serde(default)]
    pub marked: bool,
}

/// How a body moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Never.
    Fixed,
    /// By forces and contacts.
    Dynamic,
    /// By the action: a kinematic body that fixed bodies stop and dynamic bodies do not.
    Hand,
}

/// A collider in its body's frame.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Shape {
    /// Sphere.
    Ball {
        /// Metres.
        radius: f32,
    },
    /// Box.
    Cuboid {
        /// Half extents, metres.
        half: [f32; 3],
    },
    /// Upright cylinder.
    Cylinder {
        /// Half height, metres.
        half_height: f32,
        /// Metres.
        radius: f32,
    },
    /// Upright capsule.
    Capsule {
        /// Half height of the cylindrical part, metres.
        half_height: f32,
        /// Metres.
        radius: f32,
    },
}

impl Shape {
    /// Radius of the smallest centred sphere around the shape, metres.
    pub fn bounding_radius(&self) -> f32 {
        match *self {
            Shape::Ball { radius } => radius,
            Shape::Cuboid { half: [x, y, z] } => (x * x + y * y + z * z).sqrt(),
            Shape::Cylinder {
                half_height,
                radius,
            } => (half_height * half_height + radius * radius).sqrt(),
            Shape::Capsule {
                half_height,
                radius,
            } => half_height + radius,
        }
    }

    /// A length that stands for the body's size in success tests: the side of a cube, the diameter of a ball, metres.
    pub fn size(&self) -> f32 {
        match *self {
            Shape::Ball { radius }
            | Shape::Cylinder { radius, .. }
            | Shape::Capsule { radius, .. } => 2.0 * radius,
            Shape::Cuboid { half: [x, _, z] } => x + z,
        }
    }
}

/// Pinhole camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraSpec {
    /// Position, metres.
    pub position: [f32; 3],
    /// Point in the middle of the picture, metres.
    pub target: [f32; 3],
    /// Vertical (and, the picture being square, horizontal) field of view, degrees.
    pub fov_degrees: f32,
    /// Side of the picture in pixels: 64, 96 or 128. The models that ship were trained with 64.
    #[serde(default = "default_size")]
    pub size: usize,
    /// Samples a pixel along each axis, 1 to 4.
    #[serde(default = "default_samples")]
    pub samples: usize,
    /// Each coordinate of the position is drawn afresh for every seed, within ± this, metres; the target stays in the middle.
    #[serde(default)]
    pub jitter_m: f32,
}

/// What the floor looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Floor {
    /// One grey.
    #[default]
    Plain,
    /// Squares of two soft greys, so that motion over the floor is visible.
    Checker {
        /// Side of a square, metres.
        tile_m: f32,
    },
}

/// What an agent may do. Actions are normalised: `[-1, 1]^A` at 10 Hz.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum ActionSpace {
    /// Nothing: a phenomenon to watch (A = 0).
    #[default]
    None,
    /// The hand's velocity in the floor plane (A = 2: x, z).
    Planar {
        /// Speed at |a| = 1 along an axis, m/s.
        max_speed: f32,
        /// The hand's centre stays within ± this in x and z, metres.
        limit: f32,
    },
}

impl ActionSpace {
    /// A, the number of components of an action.
    pub fn dim(&self) -> usize {
        match self {
            ActionSpace::None => 0,
            ActionSpace::Planar { .. } => 2,
        }
    }
}

/// Draws one field uniformly for every seed. Targets: `BODY.x|y|z|yaw|vx|vy|vz|mass|friction|restitution`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Randomise {
    /// Which field.
    pub target: String,
    /// Inclusive lower bound.
    pub low: f32,
    /// Upper bound.
    pub high: f32,
}

/// What there is to achieve: bring a body's centre to a place in the plane.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The body to bring (success looks at nothing else).
    pub body: String,
    /// Success: planar distance of centres at most this, metres.
    pub tolerance_m: f32,
    /// Control steps until the episode counts as failed.
    pub budget_steps: u32,
    /// Where goals come from.
    pub goal: GoalSampler,
}

/// Where goals come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum GoalSampler {
    /// A later moment of an episode recorded with the scene's behaviour.
    Experience {
        /// Control steps between start and goal.
        ahead_steps: u32,
        /// The task's body moves at least this far between them, metres.
        min_move_m: f32,
    },
    /// Uniform over a rectangle of the plane, clear of fixed bodies.
    Region {
        /// Lower corner (x, z), metres.
        low: [f32; 2],
        /// Upper corner (x, z), metres.
        high: [f32; 2],
        /// At least so far from the start, metres.
        min_distance_m: f32,
    },
}

/// Shares of the behaviours that `collect` mixes; they are normalised to sum 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// Scripted task policy with noise.
    pub task: f32,
    /// Correlated (Ornstein-Uhlenbeck) exploration that seeks contact.
    pub contact: f32,
    /// Pure correlated exploration.
    pub explore: f32,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            task: 0.4,
            contact: 0.4,
            explore: 0.2,
        }
    }
}

/// A checkable statement about tracked bodies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Law {
    /// A body that was seen does not cease to be.
    Permanence,
    /// A body is one body.
    Duplication,
    /// A body does not jump.
    Continuity,
    /// A body keeps its size.
    Size,
    /// Bodies do not overlap.
    Interpenetration,
}

impl Law {
    /// All laws, in the order in which they are listed.
    pub const ALL: [Law; 5] = [
        Law::Permanence,
        Law::Duplication,
        Law::Continuity,
        Law::Size,
        Law::Interpenetration,
    ];

    /// The identifier used in JSON and on screen.
    pub const fn id(self) -> &'static str {
        match self {
            Law::Permanence => "permanence",
            Law::Duplication => "duplication",
            Law::Continuity => "continuity",
            Law::Size => "size",
            Law::Interpenetration => "interpenetration",
        }
    }

    /// What the law says, in words.
    pub const fn statement(self) -> &'static str {
        match self {
            Law::Permanence => "A body that was seen does not vanish",
            Law::Duplication => "A body does not split into two",
            Law::Continuity => "A body does not jump from place to place",
            Law::Size => "A body keeps its size",
            Law::Interpenetration => "Bodies do not overlap",
        }
    }
}

/// An intervention that the app offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slider {
    /// As in [`Randomise::target`], or `gravity`.
    pub target: String,
    /// Lower end.
    pub low: f32,
    /// Upper end.
    pub high: f32,
}

impl Scene {
    /// Index of the body of that name.
    pub fn body_index(&self, name: &str) -> Option<usize> {
        self.bodies.iter().position(|b| b.name == name)
    }

    /// Index of the hand, if there is one.
    pub fn hand(&self) -> Option<usize> {
        self.bodies.iter().position(|b| b.kind == Kind::Hand)
    }

    /// Indices of the bodies that can move (hand and dynamic ones).
    pub fn moving(&self) -> Vec<usize> {
        (0..self.bodies.len())
            .filter(|&i| self.bodies[i].kind != Kind::Fixed)
            .collect()
    }
}

fn default_sun() -> [f32; 3] {
    [-0.45, -1.0, -0.3]
}
fn default_gravity() -> f32 {
    -9.81
}
fn default_friction() -> f32 {
    0.5
}
fn default_mass() -> f32 {
    1.0
}
fn default_steps() -> u32 {
    60
}
fn default_size() -> usize {
    64
}
fn default_samples() -> usize {
    2
}
