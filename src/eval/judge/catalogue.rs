//! The catalogue of faults, as data: `assets/faults.ron`, compiled in.

use serde::{Deserialize, Serialize};

use crate::scene::{EditKind, Law};

/// How strong a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// A person may miss it.
    Mild,
    /// A person sees it.
    Middle,
    /// Nobody misses it.
    Strong,
}

impl Strength {
    /// From the least to the greatest.
    pub const ALL: [Strength; 3] = [Strength::Mild, Strength::Middle, Strength::Strong];

    /// As in the catalogue and in results.
    pub const fn id(self) -> &'static str {
        match self {
            Strength::Mild => "mild",
            Strength::Middle => "middle",
            Strength::Strong => "strong",
        }
    }
}

/// One fault.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Its name in results.
    pub id: String,
    /// What is done.
    pub does: Does,
    /// Unit of its strengths.
    #[serde(default)]
    pub unit: String,
    /// From mild to strong: three, or one that counts as strong.
    pub strengths: Vec<f32>,
    /// The laws that should catch it, wherever they are on.
    pub laws: Vec<Law>,
    /// What has to be the case where it is injected.
    pub needs: Vec<Need>,
    /// Whether it is nothing at first and becomes more: its first frame then says little.
    #[serde(default)]
    pub develops: bool,
    /// What the body (or the film) does.
    pub says: String,
}

impl Fault {
    /// The number of a strength; `None` where the fault has strong ones only.
    pub fn amount(&self, strength: Strength) -> Option<f32> {
        match (self.strengths.len(), strength) {
            (3, Strength::Mild) => Some(self.strengths[0]),
            (3, Strength::Middle) => Some(self.strengths[1]),
            (1 | 3, Strength::Strong) => self.strengths.last().copied(),
            _ => None,
        }
    }

    /// A number of its own, for draws (FNV-1a of its name).
    pub(super) fn key(&self) -> u64 {
        let step = |h: u64, b: u8| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3);
        self.id.bytes().fold(0xCBF2_9CE4_8422_2325, step)
    }

    /// Whether it begins where two bodies are about to touch: it then shows once they do.
    pub(super) fn meets(&self) -> bool {
        self.needs.iter().any(|n| matches!(n, Need::Meets { .. }))
    }

    /// Whether it is one of the edits that a scene's file can ask for.
    pub fn is_edit(&self) -> bool {
        matches!(self.does, Does::Edit(_) | Does::Jump | Does::Recolours)
    }

    /// The speed that the body needs just before, 64ths of the picture a frame.
    pub(super) fn least_speed(&self, amount: f32) -> f32 {
        match self.does {
            Does::StopDead | Does::PassBody | Does::PassWall => amount,
            Does::Edit(EditKind::Freeze | EditKind::StopDead) => amount,
            Does::Edit(EditKind::Speed { .. } | EditKind::PassThrough | EditKind::PassWall) => {
                amount
            }
            _ if self.needs.contains(&Need::Moving) => 1.0,
            _ => 0.0,
        }
    }
}

/// What is done to a body or a film.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Does {
    /// Drawn elsewhere from one frame on.
    Shift,
    /// Drawn to and fro.
    Shake,
    /// Drawn twice.
    Twin,
    /// Drawn in another size.
    Resize {
        /// Larger, or smaller.
        up: bool,
    },
    /// Drawn larger or smaller from frame to frame.
    Swell {
        /// Larger, or smaller.
        up: bool,
    },
    /// Drawn turned about the vertical, or from the side about the line of sight.
    Turn,
    /// Painted partly in another colour.
    Recolour {
        /// The next on the circle of hues, or the one that is furthest.
        next: bool,
    },
    /// Two bodies painted partly in each other's colour.
    Swap,
    /// Drawn inside another body.
    Sink,
    /// Blurred.
    Blur,
    /// Partly transparent.
    Fade,
    /// Longer one way and narrower the other.
    Squash,
    /// Transparent from frame to frame.
    Vanish,
    /// A patch of the background in another colour.
    Dissolve,
    /// The film repeats a frame.
    FreezeFilm,
    /// Its velocity is multiplied.
    Speed,
    /// Its velocity is gone.
    StopDead,
    /// Its velocity changes by so much in some direction.
    Kick,
    /// It stops in mid-air for a while.
    Hover,
    /// Its weight is another.
    Weight {
        /// Down (1) or up (-1).
        sign: i8,
    },
    /// It touches no other body.
    PassBody,
    /// It touches no fixed body.
    PassWall,
    /// The simulator itself puts it elsewhere.
    Jump,
    /// The simulator itself gives it a colour that no body has.
    Recolours,
    /// An edit of a scene's file.
    Edit(EditKind),
}

/// What has to be the case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Need {
    /// The body is seen whole.
    Whole,
    /// No other moving body is near it in the picture.
    Alone,
    /// No other body is near it in space, a step before and two after.
    Free,
    /// It is free and touches neither floor nor joint.
    Flying,
    /// It moves.
    Moving,
    /// It is rigid.
    Rigid,
    /// Turning it can be seen.
    Cornered,
    /// There is another body that is seen whole.
    Pair,
    /// It is about to touch another body.
    Meets {
        /// One that is fixed, or one that moves.
        fixed: bool,
    },
    /// Something in the film moves and goes on moving.
    FilmMoves,
}

/// All faults.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// In the order of the file.
    pub faults: Vec<Fault>,
}

impl Catalogue {
    /// The catalogue that ships with the program.
    ///
    /// # Errors
    /// What is wrong in the file.
    pub fn shipped() -> Result<Catalogue, ron::error::SpannedError> {
        ron::from_str(include_str!("../../../assets/faults.ron"))
    }
}
