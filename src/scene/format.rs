//! The fields of a scene file, as RON reads them.

use serde::{Deserialize, Serialize};

use super::defaults::*;
use super::shape::is_still;
use super::{ActionSpace, Behaviour, Colour, Law, Shape, Task};

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
    /// Floor friction coefficient; what a body has on the floor is the mean of both, unless its `combine`
    /// says otherwise.
    #[serde(default = "default_friction")]
    pub floor_friction: f32,
    /// Typical size of its bodies, metres: contacts are solved to half a hundredth of it, so a small value
    /// lets piles rest more exactly.
    #[serde(default = "default_scale", skip_serializing_if = "is_one")]
    pub scale_m: f32,
    /// What the floor looks like.
    #[serde(default, skip_serializing_if = "Floor::is_plain")]
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
    /// Joints between bodies, or between a body and the world.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joints: Vec<Joint>,
    /// Regions that report which bodies are in them; nothing touches or sees them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensors: Vec<Sensor>,
    /// Fields that are set after randomising, as `--set` does: what takes a scene out of its training ranges.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<(String, f32)>,
    /// Breaks of physics at given steps, for tests of surprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
}

/// One body.
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
    /// Rotation about y at the start, degrees; applied after `pitch` and `roll`.
    #[serde(default)]
    pub yaw: f32,
    /// Rotation about x at the start, degrees; applied after `roll`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pitch: f32,
    /// Rotation about z at the start, degrees; applied first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub roll: f32,
    /// Velocity at the start, m/s.
    #[serde(default)]
    pub velocity: [f32; 3],
    /// Angular velocity at the start, rad/s.
    #[serde(default, skip_serializing_if = "is_still")]
    pub spin: [f32; 3],
    /// Mass in kilograms (dynamic bodies).
    #[serde(default = "default_mass")]
    pub mass: f32,
    /// Coulomb friction coefficient of its surface; what two bodies have together is their mean, unless
    /// `combine` says otherwise.
    #[serde(default = "default_friction")]
    pub friction: f32,
    /// How its friction and that of what it touches become one.
    #[serde(default, skip_serializing_if = "Combine::is_average")]
    pub combine: Combine,
    /// Coefficient of restitution in [0, 1]; of two bodies the greater counts, and the floor has 0.
    #[serde(default)]
    pub restitution: f32,
    /// Share of the linear and of the angular velocity lost in a second, 1/s.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub damping: f32,
    /// Factor on all lengths of the shape.
    #[serde(default = "unit_size", skip_serializing_if = "is_one")]
    pub size: f32,
    /// Paints the local +x end darker in the same hue, so that orientation can be seen.
    #[serde(default)]
    pub marked: bool,
    /// How soft it is (bodies of kind `Soft` only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft: Option<Softness>,
}

/// A soft body's material: rapier's volumetric soft body of tetrahedra.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Softness {
    /// Natural frequency of its edges, Hz: low is wobbly, high is stiff.
    pub frequency_hz: f32,
    /// Damping ratio of its edges.
    #[serde(default = "default_damping_ratio")]
    pub damping_ratio: f32,
    /// Cells along each edge of a cuboid, or subdivisions of a ball.
    #[serde(default = "default_cells")]
    pub cells: u32,
}

/// How two frictions become one. Where two bodies ask for different ways, `Multiply` goes before `Min`, and
/// `Min` before `Average`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Combine {
    /// Their mean: a body of friction 0 still brakes by half of the other's.
    #[default]
    Average,
    /// The lesser of both: a body of friction 0 is ice.
    Min,
    /// Their product.
    Multiply,
}

impl Combine {
    fn is_average(&self) -> bool {
        *self == Combine::Average
    }
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
    /// By forces and contacts, changing its shape (a ball or a cuboid).
    Soft,
}

/// What holds two bodies together. At the start body `b` is moved so that the anchors meet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joint {
    /// What it leaves free.
    pub kind: JointKind,
    /// A body's name, or `world`.
    pub a: String,
    /// A body's name.
    pub b: String,
    /// Where it holds `a`, in that body's frame (in the world for `world`), metres.
    pub anchor_a: [f32; 3],
    /// Where it holds `b`, in that body's frame, metres.
    pub anchor_b: [f32; 3],
}

/// What a joint leaves free. Axes are in the frame of both bodies and need not be normalised.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum JointKind {
    /// Nothing.
    Fixed,
    /// Turning about one axis.
    Revolute {
        /// The axis.
        axis: [f32; 3],
    },
    /// Turning about every axis.
    Spherical,
    /// Sliding along one axis, within ± `travel_m`.
    Prismatic {
        /// The axis.
        axis: [f32; 3],
        /// Metres.
        travel_m: f32,
    },
    /// Everything, up to a distance of the anchors; `b` is then not moved at the start.
    Rope {
        /// Metres.
        length_m: f32,
    },
    /// Everything, with a spring between the anchors; `b` is then not moved at the start.
    Spring {
        /// Metres.
        rest_m: f32,
        /// N/m.
        stiffness: f32,
        /// N s/m.
        damping: f32,
    },
}

/// A region that reports which bodies are in it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Unique name: `[a-z0-9_]{1,32}`.
    pub name: String,
    /// Its extent (not a compound).
    pub shape: Shape,
    /// Its centre, metres.
    pub position: [f32; 3],
}

/// A break of physics: a counterfactual edit of one episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// The control step before which it happens.
    pub step: u32,
    /// The body concerned (ignored by `ReverseGravity`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// What happens.
    pub what: EditKind,
}

/// What an edit does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum EditKind {
    /// Puts the body elsewhere, keeping its motion.
    Teleport {
        /// Metres.
        to: [f32; 3],
    },
    /// The body is no more.
    Vanish,
    /// The body takes another colour.
    Recolour {
        /// The new one.
        colour: Colour,
    },
    /// The body no longer touches anything but the floor.
    PassThrough,
    /// The body stops where it is and stays there.
    Freeze,
    /// Things fall up.
    ReverseGravity,
    /// The body stops where it is and has no weight for a while; then it falls on.
    Hover {
        /// Control steps until it has its weight again.
        steps: u32,
    },
    /// The body has no weight from now on: what flies goes straight on.
    NoGravity,
    /// The body's velocity and spin are multiplied, once.
    Speed {
        /// Between -10 and 10; below 0 it turns back.
        factor: f32,
    },
    /// The body stops at once, but may be moved again.
    StopDead,
    /// The body passes through fixed bodies, but not through the floor or other bodies.
    PassWall,
}

impl EditKind {
    /// Whether it changes how forces move a body, which it then has to be free to do: not a hand, which goes
    /// where it is told, nor a soft body.
    pub fn needs_forces(&self) -> bool {
        matches!(
            self,
            Self::Hover { .. }
                | Self::NoGravity
                | Self::Speed { .. }
                | Self::StopDead
                | Self::PassWall
        )
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
    #[serde(default = "default_size", skip_serializing_if = "is_default_size")]
    pub size: usize,
    /// Samples a pixel along each axis, 1 to 4.
    #[serde(
        default = "default_samples",
        skip_serializing_if = "is_default_samples"
    )]
    pub samples: usize,
    /// Each coordinate of the position is drawn afresh for every seed, within ± this, metres; the target
    /// stays in the middle.
    #[serde(default, skip_serializing_if = "is_zero")]
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

impl Floor {
    fn is_plain(&self) -> bool {
        *self == Floor::Plain
    }
}

/// Draws one field afresh for every seed: uniformly between `low` and `high`, or one of `among` or `colours`.
///
/// Targets: `BODY.FIELD` with one of [`BODY_FIELDS`], `gravity`, `floor_friction`, and with `colours`
/// `BODY.colour`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Randomise {
    /// Which field.
    pub target: String,
    /// Inclusive lower bound.
    #[serde(default)]
    pub low: f32,
    /// Upper bound.
    #[serde(default)]
    pub high: f32,
    /// Values to choose from, in place of a range.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub among: Vec<f32>,
    /// Colours to choose from, for a target `BODY.colour`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub colours: Vec<Colour>,
}

/// The numbers of a body that can be randomised, set and offered as sliders.
pub const BODY_FIELDS: [&str; 17] = [
    "x",
    "y",
    "z",
    "yaw",
    "pitch",
    "roll",
    "vx",
    "vy",
    "vz",
    "wx",
    "wy",
    "wz",
    "mass",
    "friction",
    "restitution",
    "damping",
    "size",
];

/// The numbers that belong to no body: gravity in m/s², friction of the floor, standard deviation of the
/// noise on actions, their delay in control steps, and where the camera stands in metres (it goes on
/// looking at its target).
pub const WORLD_FIELDS: [&str; 7] = [
    "gravity",
    "floor_friction",
    "action.noise",
    "action.delay",
    "camera.x",
    "camera.y",
    "camera.z",
];

/// An intervention that the app offers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slider {
    /// `BODY.FIELD` with one of [`BODY_FIELDS`], or one of [`WORLD_FIELDS`].
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

    /// Whether the camera looks down on the scene, so that a body's place on the floor says where it is in
    /// the picture. Seen from the side its height would be needed, too, which probes do not read.
    pub fn is_seen_from_above(&self) -> bool {
        let (from, to) = (self.camera.position, self.camera.target);
        let look = [to[0] - from[0], to[1] - from[1], to[2] - from[2]];
        let length = (look[0] * look[0] + look[1] * look[1] + look[2] * look[2]).sqrt();
        -look[1] > 0.9 * length
    }

    /// For every instance id of the eye (0 is the background, then the bodies), whether it can move.
    pub fn moving_ids(&self) -> Vec<bool> {
        let bodies = self.bodies.iter().map(|b| b.kind != Kind::Fixed);
        std::iter::once(false).chain(bodies).collect()
    }
}
