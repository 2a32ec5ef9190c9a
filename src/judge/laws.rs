//! Five laws over tracked bodies. Each law gives every body in every frame a score; above the calibrated
//! threshold it is a violation.
//!
//! | law | score |
//! | --- | --- |
//! | permanence | missing share of the area that other bodies and the border leave to be seen |
//! | duplication | area of the second component over the body's own |
//! | continuity | the lesser of step and departure from constant velocity, 64ths of the picture |
//! | size | abs ln(area over expected visible area), for bodies that did not vanish |
//! | interpenetration | how much shorter the pair is than both inscribed diameters side by side, metres |

use std::sync::Arc;

use super::thresholds::{SceneThresholds, Thresholds};
use super::tracker::{Blob, Tracker};
use crate::camera::{Eye, SIZE};
use crate::model::ProbedStates;
use crate::scene::{Law, Scene, Shape};

/// A law that an imagined clip breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Which law.
    pub law: Law,
    /// Index of the body in the scene.
    pub body: usize,
    /// First frame, counted from the first imagined one.
    pub first_frame: usize,
    /// Last frame (inclusive).
    pub last_frame: usize,
    /// In (0, 1]: how far above the threshold.
    pub severity: f32,
    /// The pixels that show it, x0, y0, x1, y1 (exclusive), one box a frame; empty for clips without pixels.
    pub boxes: Vec<[u16; 4]>,
}

/// Share of the reference area under which a body counts as gone rather than small.
const GONE: f32 = 0.25;
/// Bodies nearer than this to the border may be cut by it, 64ths of the picture.
const BORDER: f32 = 2.0;
/// A body covered by others over this share is not expected to be seen.
const HIDDEN: f32 = 0.6;
/// Bodies nearer to each other than this may hide one another in part, 64ths of the picture.
const APART: f32 = 2.0;
/// A body is known once it shows so much of itself, in pixels of a picture of 64.
const KNOWN: f32 = 4.0;

/// How many pixels a 64th of the picture is.
fn fine(size: usize) -> f32 {
    size as f32 / SIZE as f32
}

/// Judges clips of one scene.
pub struct Judge {
    scene: Arc<Scene>,
    eye: Option<Eye>,
    tracker: Tracker,
    thresholds: SceneThresholds,
    misfit: Option<String>,
}

/// One law's score of one body in one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// Which law.
    pub law: Law,
    /// Index of the body in the scene.
    pub body: usize,
    /// Frame, counted from the first imagined one.
    pub frame: usize,
    /// See the module's table.
    pub score: f32,
    /// Where.
    pub bounds: [u16; 4],
}

#[derive(Clone)]
struct Track {
    area: f32,
    last: [f32; 2],
    velocity: [f32; 2],
    mask: Vec<f32>,
    bounds: [u16; 4],
    /// Frames since it was last seen; 0 when seen.
    unseen: usize,
    excused: bool,
}

impl Judge {
    /// A judge with the thresholds that ship with the program.
    pub fn new(scene: &Arc<Scene>) -> Self {
        let shipped = Thresholds::shipped();
        Self {
            misfit: shipped.misfit(scene),
            ..Self::with_thresholds(scene, shipped.of(scene))
        }
    }

    /// A judge with given thresholds.
    pub fn with_thresholds(scene: &Arc<Scene>, thresholds: SceneThresholds) -> Self {
        let eye = Eye::standard(scene).ok();
        Self {
            scene: scene.clone(),
            eye,
            tracker: Tracker::new(scene),
            thresholds,
            misfit: None,
        }
    }

    /// Why the thresholds say nothing of this scene's pictures, if they do not: what it finds then is not to
    /// be counted.
    pub fn misfit(&self) -> Option<&str> {
        self.misfit.as_deref()
    }

    /// Why a law of the scene cannot be judged, if it cannot.
    pub fn cannot_judge(&self, law: Law) -> Option<String> {
        let (least, bodies) = match law {
            Law::Interpenetration => (2, "two bodies"),
            _ => (1, "a body"),
        };
        if self.tracker.bodies.len() >= least {
            return None;
        }
        Some(match self.tracker.left_out.first() {
            Some((_, reason)) => format!("{reason}, so that the judge cannot tell them apart"),
            None => format!("it takes {bodies} that can move"),
        })
    }

    /// The tracker.
    pub fn tracker(&self) -> &Tracker {
        &self.tracker
    }

    /// Violations in `frames` (`[H, W, 3]` bytes each), of which the first `reference` ones are real.
    pub fn frames(&self, size: usize, reference: usize, frames: &[&[u8]]) -> Vec<Violation> {
        self.violations(self.scores(size, reference, frames))
    }

    /// Violations in states read out by probes (no pixels: continuity and interpenetration apply);
    /// `control_steps` is the time between imagined steps.
    pub fn states(
        &self,
        probed: &ProbedStates,
        candidate: usize,
        control_steps: usize,
    ) -> Vec<Violation> {
        let mut scores = Vec::new();
        let Some(eye) = &self.eye else {
            return Vec::new();
        };
        let indices: Vec<Option<usize>> = probed
            .bodies
            .iter()
            .map(|b| self.scene.body_index(b))
            .collect();
        let step_scale = 1.0 / control_steps.max(1) as f32;
        for t in 0..probed.steps {
            let now = probed.at(candidate, t);
            for (b, index) in indices.iter().enumerate() {
                let Some(body) = *index else { continue };
                if t >= 2 {
                    let (last, before) = (
                        probed.at(candidate, t - 1)[b],
                        probed.at(candidate, t - 2)[b],
                    );
                    let metres = unexplained(
                        [now[b][0], now[b][1]],
                        [last[0], last[1]],
                        [before[0], before[1]],
                    );
                    let at = [now[b][0], self.scene.bodies[body].position[1], now[b][1]];
                    let score = metres / eye.metres_per_pixel(at) / fine(eye.size()) * step_scale;
                    scores.push(Score {
                        law: Law::Continuity,
                        body,
                        frame: t,
                        score,
                        bounds: [0; 4],
                    });
                }
                for (c, other) in indices.iter().enumerate().take(b) {
                    let Some(other) = *other else { continue };
                    let d =
                        ((now[b][0] - now[c][0]).powi(2) + (now[b][1] - now[c][1]).powi(2)).sqrt();
                    let score = self.inscribed(body) + self.inscribed(other) - d;
                    scores.push(Score {
                        law: Law::Interpenetration,
                        body,
                        frame: t,
                        score,
                        bounds: [0; 4],
                    });
                }
            }
        }
        let mut violations = self.violations(scores);
        violations.iter_mut().for_each(|v| v.boxes.clear());
        violations
    }

    /// Scores of every law, body and imagined frame: what calibration looks at.
    pub fn scores(&self, size: usize, reference: usize, frames: &[&[u8]]) -> Vec<Score> {
        let reference = reference.clamp(1, frames.len().max(1));
        let mut scores = Vec::new();
        let mut tracks: Vec<Option<Track>> = vec![None; self.tracker.bodies.len()];
        for (f, frame) in frames.iter().enumerate() {
            let blobs = self.tracker.blobs(size, frame);
            if f >= reference {
                self.score_frame(size, f - reference, &blobs, &tracks, &mut scores);
            }
            for (b, track) in tracks.iter_mut().enumerate() {
                let seen_as_reference = f < reference;
                *track = advance(size, track.take(), &blobs, b, seen_as_reference);
            }
        }
        scores
    }

    fn score_frame(
        &self,
        size: usize,
        frame: usize,
        blobs: &[Blob],
        tracks: &[Option<Track>],
        out: &mut Vec<Score>,
    ) {
        for (b, blob) in blobs.iter().enumerate() {
            let (Some(track), body) = (&tracks[b], self.tracker.bodies[b]) else {
                continue;
            };
            let mut push = |law, score, bounds| {
                out.push(Score {
                    law,
                    body,
                    frame,
                    score,
                    bounds,
                })
            };
            let seen = blob.area > GONE * track.area;
            let here = if seen { blob.bounds } else { track.bounds };
            let at = predicted(track);
            let cut = near_border(size, track, at) || (seen && touches_border(size, blob));
            let visible = 1.0 - coverage(size, track, blobs, b);
            if !cut && visible > 1.0 - HIDDEN && !track.excused {
                let expected = track.area * visible;
                push(Law::Permanence, 1.0 - blob.area / expected.max(1.0), here);
            }
            let alone = (0..blobs.len())
                .all(|o| o == b || blobs[o].area == 0.0 || !near(size, here, blobs[o].bounds));
            // A neighbour may hide part of a body but cannot make it grow.
            let growth = (blob.area / track.area.max(1.0)).ln();
            if seen && !cut && (alone || growth > 0.0) {
                push(Law::Size, growth.abs(), here);
            }
            if blob.components.len() > 1 {
                push(
                    Law::Duplication,
                    blob.components[1] / track.area.max(1.0),
                    here,
                );
            }
            let whole_before = track.unseen == 0 && !bounds_touch_border(size, track.bounds);
            if seen && whole_before && !touches_border(size, blob) {
                let before = [
                    track.last[0] - track.velocity[0],
                    track.last[1] - track.velocity[1],
                ];
                push(
                    Law::Continuity,
                    unexplained(blob.centroid, track.last, before) / fine(size),
                    here,
                );
            }
            for c in 0..b {
                let (Some(other_track), other) = (&tracks[c], &blobs[c]) else {
                    continue;
                };
                let whole = |blob: &Blob, track: &Track| {
                    blob.area > GONE * track.area && !touches_border(size, blob)
                };
                if !whole(blob, track) || !whole(other, other_track) {
                    continue;
                }
                if let Some(overlap) =
                    self.overlap(size, (body, blob), (self.tracker.bodies[c], other))
                {
                    push(
                        Law::Interpenetration,
                        overlap,
                        union(blob.bounds, other.bounds),
                    );
                }
            }
        }
    }

    /// How much shorter than both bodies side by side the pair is along the line of its centres, metres.
    /// The pair's outer ends are seen even where one body hides the inner part of the other.
    fn overlap(&self, size: usize, a: (usize, &Blob), b: (usize, &Blob)) -> Option<f32> {
        let eye = self.eye.as_ref()?;
        let d = [
            a.1.centroid[0] - b.1.centroid[0],
            a.1.centroid[1] - b.1.centroid[1],
        ];
        let length = (d[0] * d[0] + d[1] * d[1]).sqrt();
        if length < 1e-3 {
            return Some(self.inscribed(a.0) + self.inscribed(b.0));
        }
        let axis = [d[0] / length, d[1] / length];
        let along =
            |i: usize| ((i % size) as f32 + 0.5) * axis[0] + ((i / size) as f32 + 0.5) * axis[1];
        let ends = |blob: &Blob| {
            let inside = blob
                .mask
                .iter()
                .enumerate()
                .filter(|(_, m)| **m > 0.5)
                .map(|(i, _)| along(i));
            inside.fold((f32::MAX, f32::MIN), |(low, high), p| {
                (low.min(p), high.max(p))
            })
        };
        let ((_, far), (near, _)) = (ends(a.1), ends(b.1));
        let scale = eye.metres_per_pixel(self.scene.bodies[a.0].position);
        // Pixel centres lie half a pixel inside each end.
        Some(2.0 * (self.inscribed(a.0) + self.inscribed(b.0)) - (far - near + 1.0) * scale)
    }

    fn inscribed(&self, body: usize) -> f32 {
        match &self.scene.bodies[body].shape {
            Shape::Ball { radius } => *radius,
            Shape::Cuboid { half } => half[0].min(half[1]).min(half[2]),
            Shape::Cylinder {
                half_height,
                radius,
            } => half_height.min(*radius),
            Shape::Capsule { radius, .. } => *radius,
            // Of an outline with corners and notches only the part nearest to the origin is sure to be
            // inside.
            Shape::Convex { .. } | Shape::Compound { .. } => 0.0,
        }
    }

    fn violations(&self, mut scores: Vec<Score>) -> Vec<Violation> {
        scores.sort_by_key(|s| (s.law, s.body, s.frame));
        let mut violations: Vec<Violation> = Vec::new();
        for s in scores {
            let threshold = self.thresholds.of(s.law);
            if !self.scene.laws.contains(&s.law) || s.score.is_nan() || s.score <= threshold {
                continue;
            }
            let severity = (1.0 - threshold / s.score.max(1e-6)).clamp(0.02, 1.0);
            match violations.last_mut() {
                Some(v) if v.law == s.law && v.body == s.body && s.frame <= v.last_frame + 1 => {
                    v.severity = v.severity.max(severity);
                    if s.frame > v.last_frame {
                        v.last_frame = s.frame;
                        v.boxes.push(s.bounds);
                    }
                }
                _ => violations.push(Violation {
                    law: s.law,
                    body: s.body,
                    first_frame: s.frame,
                    last_frame: s.frame,
                    severity,
                    boxes: vec![s.bounds],
                }),
            }
        }
        violations.sort_by_key(|v| (v.first_frame, v.law));
        violations
    }
}

fn advance(
    size: usize,
    track: Option<Track>,
    blobs: &[Blob],
    b: usize,
    reference: bool,
) -> Option<Track> {
    let blob = &blobs[b];
    let Some(mut t) = track else {
        // A body is known once a real frame shows it whole.
        let known = reference && blob.area >= KNOWN * fine(size) * fine(size);
        return (known && !touches_border(size, blob)).then(|| Track {
            area: blob.area,
            last: blob.centroid,
            velocity: [0.0; 2],
            mask: blob.mask.clone(),
            bounds: blob.bounds,
            unseen: 0,
            excused: false,
        });
    };
    if reference && blob.area > t.area {
        t.area = blob.area;
    }
    if blob.area > GONE * t.area {
        if t.unseen == 0 {
            t.velocity = [blob.centroid[0] - t.last[0], blob.centroid[1] - t.last[1]];
        }
        t.last = blob.centroid;
        t.mask.clone_from(&blob.mask);
        t.bounds = blob.bounds;
        t.unseen = 0;
        t.excused = false;
    } else {
        let at = predicted(&t);
        t.excused |= near_border(size, &t, at) || coverage(size, &t, blobs, b) > HIDDEN;
        t.unseen += 1;
    }
    Some(t)
}

fn predicted(track: &Track) -> [f32; 2] {
    [
        track.last[0] + track.velocity[0],
        track.last[1] + track.velocity[1],
    ]
}

/// Share of the body's last mask, moved on by its velocity, that other bodies cover now.
fn coverage(size: usize, track: &Track, blobs: &[Blob], own: usize) -> f32 {
    let (dx, dy) = (
        track.velocity[0].round() as isize,
        track.velocity[1].round() as isize,
    );
    let (mut all, mut covered) = (0.0f32, 0.0f32);
    for (i, &m) in track.mask.iter().enumerate().filter(|(_, m)| **m > 0.5) {
        let (x, y) = ((i % size) as isize + dx, (i / size) as isize + dy);
        if !(0..size as isize).contains(&x) || !(0..size as isize).contains(&y) {
            continue;
        }
        all += m;
        let at = (y * size as isize + x) as usize;
        if blobs
            .iter()
            .enumerate()
            .any(|(o, blob)| o != own && blob.mask[at] > 0.5)
        {
            covered += m;
        }
    }
    covered / all.max(1.0)
}

fn near_border(size: usize, track: &Track, at: [f32; 2]) -> bool {
    let border = BORDER * fine(size);
    let half = [
        f32::from(track.bounds[2] - track.bounds[0]) * 0.5 + border,
        f32::from(track.bounds[3] - track.bounds[1]) * 0.5 + border,
    ];
    let out = |p: [f32; 2]| (0..2).any(|i| p[i] < half[i] || p[i] > size as f32 - half[i]);
    out(at) || out(track.last)
}

fn touches_border(size: usize, blob: &Blob) -> bool {
    blob.area > 0.0 && bounds_touch_border(size, blob.bounds)
}

fn bounds_touch_border(size: usize, [x0, y0, x1, y1]: [u16; 4]) -> bool {
    x0 == 0 || y0 == 0 || usize::from(x1) >= size || usize::from(y1) >= size
}

/// Whether two boxes lie within [`APART`], so that one body may hide part of the other.
fn near(size: usize, a: [u16; 4], b: [u16; 4]) -> bool {
    let apart = (APART * fine(size)).round() as u16;
    a[0] < b[2] + apart && b[0] < a[2] + apart && a[1] < b[3] + apart && b[1] < a[3] + apart
}

/// The lesser of the step's length and its departure from constant velocity.
fn unexplained(now: [f32; 2], last: [f32; 2], before: [f32; 2]) -> f32 {
    let step = ((now[0] - last[0]).powi(2) + (now[1] - last[1]).powi(2)).sqrt();
    let expected = [2.0 * last[0] - before[0], 2.0 * last[1] - before[1]];
    let departure = ((now[0] - expected[0]).powi(2) + (now[1] - expected[1]).powi(2)).sqrt();
    step.min(departure)
}

fn union(a: [u16; 4], b: [u16; 4]) -> [u16; 4] {
    [
        a[0].min(b[0]),
        a[1].min(b[1]),
        a[2].max(b[2]),
        a[3].max(b[3]),
    ]
}
