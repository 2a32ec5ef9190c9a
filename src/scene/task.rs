//! The fields of a scene file that say what an agent may do, what it is to achieve, how experience behaves,
//! and which laws apply.

use serde::{Deserialize, Serialize};

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
        /// Narrower bounds of z, metres, where the hand may not go everywhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        z_range: Option<[f32; 2]>,
    },
    /// The hand's velocity in space and a suction grip (A = 4: x, y, z, grip; it holds while grip > 0).
    Spatial {
        /// Speed at |a| = 1 along an axis, m/s.
        max_speed: f32,
        /// Lower bounds of the hand's centre, metres.
        low: [f32; 3],
        /// Upper bounds of the hand's centre, metres.
        high: [f32; 3],
        /// Suction takes hold of a dynamic body whose surface is at most so far from the hand's, metres.
        grip_reach_m: f32,
    },
}

impl ActionSpace {
    /// A, the number of components of an action.
    pub fn dim(&self) -> usize {
        match self {
            ActionSpace::None => 0,
            ActionSpace::Planar { .. } => 2,
            ActionSpace::Spatial { .. } => 4,
        }
    }

    /// Where the hand's centre may be, metres: lower and upper corner in x and z.
    pub fn planar_bounds(&self) -> Option<([f32; 2], [f32; 2])> {
        match *self {
            ActionSpace::None => None,
            ActionSpace::Planar { limit, z_range, .. } => {
                let [z0, z1] = z_range.unwrap_or([-limit, limit]);
                Some(([-limit, z0.max(-limit)], [limit, z1.min(limit)]))
            }
            ActionSpace::Spatial { low, high, .. } => Some(([low[0], low[2]], [high[0], high[2]])),
        }
    }
}

/// What there is to achieve: bring bodies to a goal.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// The body to bring.
    pub body: String,
    /// Further bodies that have to be at their places as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Success: the distance of every body's centre from its place is at most this, metres (in the plane,
    /// unless `vertical`).
    pub tolerance_m: f32,
    /// The distances of all bodies count together, as one vector (Push-T in DINO-WM's evaluation).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub together: bool,
    /// Success also needs the first body's rotation about the vertical within this, degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub angle_degrees: Option<f32>,
    /// Success also needs every body no faster than this, m/s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest_speed: Option<f32>,
    /// Distances are measured in space, not in the plane.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub vertical: bool,
    /// Success also needs that the hand holds nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub released: bool,
    /// Control steps until the episode counts as failed.
    pub budget_steps: u32,
    /// Where goals come from.
    pub goal: GoalSampler,
    /// Where goals come from when the other kind is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_goal: Option<GoalSampler>,
}

/// Where goals come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum GoalSampler {
    /// A later moment of an episode recorded with the scene's behaviour.
    Experience {
        /// Control steps between start and goal.
        ahead_steps: u32,
        /// The task's first body moves at least this far between them, metres.
        min_move_m: f32,
    },
    /// Uniform over a rectangle of the plane, clear of fixed bodies and of each other.
    Region {
        /// Lower corner (x, z), metres.
        low: [f32; 2],
        /// Upper corner (x, z), metres.
        high: [f32; 2],
        /// At least so far from the start, metres.
        min_distance_m: f32,
    },
    /// On top of another body.
    OnTop {
        /// The other body.
        base: String,
    },
}

impl Default for GoalSampler {
    fn default() -> Self {
        GoalSampler::Experience {
            ahead_steps: 25,
            min_move_m: 0.1,
        }
    }
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

/// A checkable statement about what a film or a read-out shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Law {
    /// A body that was seen does not cease to be.
    Permanence,
    /// A body is one body.
    Duplication,
    /// A body stays itself: colours do not swap, and none is recoloured.
    Identity,
    /// A body does not jump.
    Continuity,
    /// A body keeps its size.
    Size,
    /// A body keeps its outline, as far as turning does not change it.
    Shape,
    /// A body stays sharp, opaque and of its own colour.
    Look,
    /// What does not move stays as it is.
    Background,
    /// What nothing touches falls as gravity says.
    FreeFlight,
    /// What nothing touches keeps its velocity, but for friction.
    Inertia,
    /// Energy does not grow unless a hand works.
    Energy,
    /// A collision changes both bodies, as their masses say.
    Momentum,
    /// There is no reaction without contact, and no contact without reaction.
    Contact,
    /// What rests is supported.
    Support,
    /// Bodies are neither in each other nor pass through each other.
    Interpenetration,
    /// A body does not jump from one orientation to another.
    Turning,
    /// The hand goes where the action says.
    Action,
    /// A world that moves does not freeze.
    Stillness,
}

impl Law {
    /// All laws, in the order in which they are listed.
    pub const ALL: [Law; 18] = [
        Law::Permanence,
        Law::Duplication,
        Law::Identity,
        Law::Continuity,
        Law::Size,
        Law::Shape,
        Law::Look,
        Law::Background,
        Law::FreeFlight,
        Law::Inertia,
        Law::Energy,
        Law::Momentum,
        Law::Contact,
        Law::Support,
        Law::Interpenetration,
        Law::Turning,
        Law::Action,
        Law::Stillness,
    ];

    /// The identifier used in JSON and on screen.
    pub const fn id(self) -> &'static str {
        match self {
            Law::Permanence => "permanence",
            Law::Duplication => "duplication",
            Law::Identity => "identity",
            Law::Continuity => "continuity",
            Law::Size => "size",
            Law::Shape => "shape",
            Law::Look => "look",
            Law::Background => "background",
            Law::FreeFlight => "free_flight",
            Law::Inertia => "inertia",
            Law::Energy => "energy",
            Law::Momentum => "momentum",
            Law::Contact => "contact",
            Law::Support => "support",
            Law::Interpenetration => "interpenetration",
            Law::Turning => "turning",
            Law::Action => "action",
            Law::Stillness => "stillness",
        }
    }

    /// What the law says, in words.
    pub const fn statement(self) -> &'static str {
        match self {
            Law::Permanence => "A body that was seen does not vanish",
            Law::Duplication => "A body does not split into two",
            Law::Identity => "Bodies do not swap or change their colours",
            Law::Continuity => "A body does not jump from place to place",
            Law::Size => "A body keeps its size",
            Law::Shape => "A body keeps its outline, however it turns",
            Law::Look => "A body stays sharp, opaque and of its own colour",
            Law::Background => "What does not move stays as it is",
            Law::FreeFlight => "What nothing touches falls as gravity says",
            Law::Inertia => "What nothing touches keeps its velocity, but for friction",
            Law::Energy => "Energy does not grow unless a hand works",
            Law::Momentum => "A collision changes both bodies, as their masses say",
            Law::Contact => {
                "No body starts to move untouched, and none is touched without reacting"
            }
            Law::Support => "What rests is supported",
            Law::Interpenetration => "Bodies do not overlap or pass through each other",
            Law::Turning => "A body does not jump from one orientation to another",
            Law::Action => "The hand goes where the action says",
            Law::Stillness => "A world that moves does not freeze",
        }
    }

    /// Whether it speaks of how things move.
    pub const fn is_of_motion(self) -> bool {
        matches!(
            self,
            Law::Continuity
                | Law::FreeFlight
                | Law::Inertia
                | Law::Energy
                | Law::Momentum
                | Law::Contact
                | Law::Support
                | Law::Turning
                | Law::Action
                | Law::Stillness
        )
    }
}
