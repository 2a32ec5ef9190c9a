//! The laws, one a file: what each says, where it has an occasion, its score with its unit, and the sentence
//! it is reported with. They look at tracks, wherever those come from.
//!
//! A law gives scores only where it has an *occasion*: a body that something could have touched says nothing
//! of inertia. Above the scene's threshold, which calibration found on reality, a score is a violation.

mod action;
mod background;
mod contact;
mod continuity;
mod duplication;
mod energy;
mod free_flight;
mod identity;
mod inertia;
mod interpenetration;
mod look;
mod momentum;
mod permanence;
mod shape;
mod size;
mod stillness;
mod support;
mod turning;

use super::motion::{self, Motion};
use super::silhouette::Silhouettes;
use super::track::{Sighting, Source, Tracks};
use super::world::World;
use crate::camera::SIZE;
use crate::scene::{Kind, Law};

/// One law's score of one body in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Which law.
    pub law: Law,
    /// Index of the body in the scene; `None` for the film as a whole.
    pub body: Option<usize>,
    /// Frame, counted from the first imagined one.
    pub frame: usize,
    /// See the law's file.
    pub score: f32,
    /// Where.
    pub bounds: [u16; 4],
}

/// What a law looks at.
pub(super) struct Case<'a> {
    pub world: &'a World,
    pub tracks: &'a Tracks<'a>,
    pub motion: Motion,
    pub silhouettes: &'a Silhouettes,
    /// By track: its area in the real frames, pixels, if one of them shows it whole; else in the first frame
    /// that does.
    pub known_area: Vec<Option<f32>>,
}

impl<'a> Case<'a> {
    pub fn new(world: &'a World, silhouettes: &'a Silhouettes, tracks: &'a Tracks<'a>) -> Self {
        let real = |t: &super::track::Track| {
            let (first, others) = t
                .sightings
                .split_at(tracks.reference.min(t.sightings.len()));
            let whole = first
                .iter()
                .filter(|s| s.is_seen() && !s.at_border && s.area > 4.0);
            let later = || others.iter().find(|s| motion::is_whole(tracks, s));
            whole
                .map(|s| s.area)
                .reduce(f32::max)
                .or_else(|| later().map(|s| s.area))
        };
        Self {
            motion: motion::motion(world, tracks),
            known_area: tracks.tracks.iter().map(real).collect(),
            world,
            tracks,
            silhouettes,
        }
    }

    /// Indices of the imagined frames.
    pub fn imagined(&self) -> std::ops::Range<usize> {
        self.tracks.reference..self.tracks.len().max(self.tracks.reference)
    }

    pub fn at(&self, n: usize, t: usize) -> &Sighting {
        &self.tracks.tracks[n].sightings[t]
    }

    pub fn body(&self, n: usize) -> usize {
        self.tracks.tracks[n].body
    }

    pub fn count(&self) -> usize {
        self.tracks.tracks.len()
    }

    pub fn whole(&self, n: usize, t: usize) -> bool {
        motion::is_whole(self.tracks, self.at(n, t))
    }

    /// Whether a fixed body is within so many metres of the outline.
    pub fn wall_within(&self, n: usize, t: usize, metres: f32) -> bool {
        let s = self.at(n, t);
        let scale = s.place.map_or(1.0, |p| self.world.metres_per_pixel(p));
        self.world.walls[self.body(n)] && motion::wall_within(self.tracks, s, metres / scale)
    }

    /// Pixels that a 64th of the picture has.
    pub fn fine(&self) -> f32 {
        match self.tracks.source {
            Source::Frames { size } => size as f32 / SIZE as f32,
            Source::Readouts => 1.0,
        }
    }

    pub fn is_film(&self) -> bool {
        matches!(self.tracks.source, Source::Frames { .. })
    }

    /// A score of the n-th track in frame `t`.
    pub fn score(&self, law: Law, n: usize, t: usize, score: f32) -> Score {
        Score {
            law,
            body: Some(self.body(n)),
            frame: t - self.tracks.reference,
            score,
            bounds: self.at(n, t).bounds,
        }
    }

    /// A score of the film.
    pub fn whole_film(&self, law: Law, t: usize, score: f32, bounds: [u16; 4]) -> Score {
        Score {
            law,
            body: None,
            frame: t - self.tracks.reference,
            score,
            bounds,
        }
    }
}

/// A law as the judge uses it.
pub(super) struct Rule {
    pub law: Law,
    /// The score's unit.
    pub unit: &'static str,
    /// Thresholds are never lower: what a pixel of noise does in a perfect film.
    pub least: f32,
    /// What a strong fault scores: a threshold above it says nothing.
    pub strong: f32,
    /// Whether read-outs can carry it.
    pub readouts: bool,
    /// Why the law says nothing in a scene, if so.
    pub absent: fn(&World) -> Option<String>,
    pub scores: fn(&Case, &mut Vec<Score>),
    /// What is to be seen: of the named body, with its greatest score.
    pub says: fn(&str, f32) -> String,
}

/// All laws.
pub(super) const RULES: [Rule; 18] = [
    permanence::RULE,
    duplication::RULE,
    identity::RULE,
    continuity::RULE,
    size::RULE,
    shape::RULE,
    look::RULE,
    background::RULE,
    free_flight::RULE,
    inertia::RULE,
    energy::RULE,
    momentum::RULE,
    contact::RULE,
    support::RULE,
    interpenetration::RULE,
    turning::RULE,
    action::RULE,
    stillness::RULE,
];

/// What bounds a law's threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The score's unit.
    pub unit: &'static str,
    /// Thresholds are never lower: what a pixel of noise does in a perfect film.
    pub least: f32,
    /// What a strong fault scores: a threshold above it says nothing.
    pub strong: f32,
    /// Whether read-outs can carry the law.
    pub readouts: bool,
}

/// What bounds a law's threshold.
pub fn rules(law: Law) -> Limits {
    let r = rule(law);
    Limits {
        unit: r.unit,
        least: r.least,
        strong: r.strong,
        readouts: r.readouts,
    }
}

/// The rule of a law.
pub(super) fn rule(law: Law) -> &'static Rule {
    const ALL: &[Rule; 18] = &RULES;
    ALL.iter().find(|r| r.law == law).unwrap_or(&ALL[0])
}

/// Why laws of heights say nothing.
const WANDERS: &str =
    "bodies leave their plane, so that the camera tells neither height nor distance";

fn nowhere_absent(_: &World) -> Option<String> {
    None
}

/// Why laws of bodies that move by themselves say nothing.
fn no_free_body(world: &World) -> Option<String> {
    let mut bodies = world.bodies.iter();
    let none = !bodies.any(|b| b.kind == Kind::Dynamic && !b.jointed);
    none.then(|| "no body moves but by a hand or on a hinge".to_string())
}

/// The smallest box around two.
fn union(a: [u16; 4], b: [u16; 4]) -> [u16; 4] {
    if a == [0; 4] {
        return b;
    }
    if b == [0; 4] {
        return a;
    }
    [
        a[0].min(b[0]),
        a[1].min(b[1]),
        a[2].max(b[2]),
        a[3].max(b[3]),
    ]
}
