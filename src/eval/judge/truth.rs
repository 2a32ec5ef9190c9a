//! A window of reality with everything that a fault can be made of: its pictures, states and worlds, and
//! where in it a body gives occasion for a fault.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::catalogue::{Fault, Need};
use super::{CLIP, REFERENCE};
use crate::camera::{Eye, SIZE, View};
use crate::episode::{EpisodeError, Policy};
use crate::scene::{EditKind, Kind, Scene, Shape};
use crate::sim::{Reality, State};

/// Bodies nearer than this to each other may touch before the next frame, metres.
const NEAR_M: f32 = 0.03;
/// A body in flight is so far above the floor, metres.
const ABOVE_M: f32 = 0.03;
/// A body on the floor is no higher above it, metres.
pub(super) const ON_FLOOR_M: f32 = 0.02;
/// Pixels of a picture of 64 that a body shows at least.
const SEEN: f32 = 12.0;
/// Share of a body that is seen where it is seen whole.
const WHOLE: f32 = 0.97;
/// Frames at the end of a clip in which no fault begins.
const LEFT: usize = 6;

/// One clip of reality.
pub struct Truth {
    /// Its scene.
    pub scene: Arc<Scene>,
    /// The seed of reality and behaviour.
    pub seed: u64,
    /// `[T][A]`, T = [`REFERENCE`] + [`CLIP`]: `actions[t]` leads from frame t to t + 1.
    pub actions: Vec<Vec<f32>>,
    /// `[T]`.
    pub states: Vec<State>,
    /// `[T]`: what the eye saw.
    pub views: Vec<View>,
    /// `[T]`: reality as it stood.
    pub(super) worlds: Vec<Reality>,
}

/// Where a fault can be injected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Occasion {
    /// Frame of the clip from which on something is done.
    pub at: usize,
    /// The body.
    pub body: usize,
    /// Another one that takes part.
    pub other: Option<usize>,
    /// Frame in which they begin to touch, where they do.
    pub touch: Option<usize>,
}

impl Truth {
    /// The clip of a seed: a window of its episode, drawn from the seed, as `eval rollout` draws it.
    ///
    /// # Errors
    /// [`EpisodeError`] if reality cannot be built.
    pub fn new(scene: &Arc<Scene>, eye: &Eye, seed: u64) -> Result<Truth, EpisodeError> {
        let spare = (scene.episode_steps as usize).saturating_sub(REFERENCE + CLIP);
        let start = ChaCha8Rng::seed_from_u64(seed ^ 0xC11B).random_range(0..=spare);
        let mut reality = Reality::new(scene, seed)?;
        let mut policy = Policy::for_seed(scene, seed);
        let mut truth = Truth {
            scene: scene.clone(),
            seed,
            actions: Vec::new(),
            states: Vec::new(),
            views: Vec::new(),
            worlds: Vec::new(),
        };
        for t in 0..start + REFERENCE + CLIP {
            let state = reality.measure();
            let action = policy.act(scene, &state);
            reality.act(&action);
            if t >= start {
                truth.views.push(eye.look(&reality));
                truth.worlds.push(reality.fork());
                truth.states.push(state);
                truth.actions.push(action);
            }
            reality.step();
        }
        Ok(truth)
    }

    /// The frames, `[H, W, 3]` bytes each.
    pub fn frames(&self) -> Vec<Vec<u8>> {
        self.views.iter().map(|v| v.rgb.clone()).collect()
    }

    /// The lower and upper corner of the box around a body, metres.
    fn extent(&self, t: usize, body: usize) -> [[f32; 3]; 2] {
        let around = self.worlds[t].collider(body).compute_aabb();
        [around.mins, around.maxs].map(|v| [v.x, v.y, v.z])
    }

    /// How high a body's lowest point is above the floor, metres.
    pub(super) fn low(&self, t: usize, body: usize) -> f32 {
        self.extent(t, body)[0][1]
    }

    /// Whether two bodies are further from each other than they come before the next frame.
    fn are_apart(&self, t: usize, a: usize, b: usize) -> bool {
        let ([low, high], [other_low, other_high]) = (self.extent(t, a), self.extent(t, b));
        (0..3).any(|i| low[i] > other_high[i] + NEAR_M || other_low[i] > high[i] + NEAR_M)
    }

    /// How far a body's centre moves in the picture up to frame `t`, 64ths of the picture; 0 in the first
    /// frame.
    pub(super) fn pixels_moved(&self, eye: &Eye, t: usize, body: usize) -> f32 {
        let place = |t: usize| eye.project(self.states[t].bodies[body].position);
        let before = t.checked_sub(1).and_then(place);
        let moved = before
            .zip(place(t))
            .map(|(p, q)| (p[0] - q[0]).hypot(p[1] - q[1]));
        moved.unwrap_or(0.0) / fine(eye)
    }

    /// How far a body moves in the picture through some frames, 64ths of the picture; 0 where it is not seen.
    pub(super) fn seen_to_move(
        &self,
        eye: &Eye,
        body: usize,
        frames: std::ops::RangeInclusive<usize>,
    ) -> f32 {
        let shows = |t: usize| {
            let ids = self.views[t].ids.iter();
            let count = ids.filter(|&&id| usize::from(id) == body + 1).count();
            count as f32 >= SEEN * fine(eye) * fine(eye)
        };
        let seen = frames.clone().all(|t| shows(t) && (t == 0 || shows(t - 1)));
        let moved = || {
            frames
                .clone()
                .map(|t| self.pixels_moved(eye, t, body))
                .sum()
        };
        if seen { moved() } else { 0.0 }
    }

    /// Frames from one before `t` to two after it.
    fn around(&self, t: usize) -> std::ops::RangeInclusive<usize> {
        t.saturating_sub(1)..=(t + 2).min(self.states.len() - 1)
    }

    /// Whether no other body is near in space around frame `t` but what is fixed and touched all the time,
    /// and the body stays on the floor or off it.
    fn is_free(&self, t: usize, body: usize) -> bool {
        let bodies = &self.scene.bodies;
        let held = |o: usize| {
            bodies[o].kind == Kind::Fixed && self.around(t).all(|t| self.touch(t, body, o))
        };
        let others = |o: &usize| *o != body && !held(*o);
        let lies = |t: usize| self.low(t, body) < ON_FLOOR_M;
        let floor = |t: usize| self.scene.is_seen_from_above() || lies(t);
        let steady = self.around(t).all(floor) || !self.around(t).any(lies);
        steady
            && self.around(t).all(|t| {
                self.states[t].held != Some(body)
                    && (0..self.scene.bodies.len())
                        .filter(others)
                        .all(|o| self.are_apart(t, body, o))
            })
    }

    fn is_jointed(&self, body: usize) -> bool {
        let name = &self.scene.bodies[body].name;
        self.scene
            .joints
            .iter()
            .any(|j| j.a == *name || j.b == *name)
    }

    /// Whether nothing at all is near around frame `t`.
    fn is_flying(&self, t: usize, body: usize) -> bool {
        let bodies = &self.scene.bodies;
        let fixed = |o: &usize| bodies[*o].kind == Kind::Fixed;
        let lofty = self.around(t).all(|t| {
            self.low(t, body) > ABOVE_M
                && (0..bodies.len())
                    .filter(fixed)
                    .all(|o| self.are_apart(t, body, o))
        });
        lofty
            && bodies[body].kind == Kind::Dynamic
            && !self.is_jointed(body)
            && self.is_free(t, body)
    }

    fn touch(&self, t: usize, a: usize, b: usize) -> bool {
        self.states[t].contacts.contains(&(a.min(b), a.max(b)))
    }

    /// A body that this one begins to touch two frames on, or one or three, and their speed towards each
    /// other now, 64ths of the picture a frame.
    fn meets(&self, eye: &Eye, t: usize, body: usize, fixed: bool) -> Option<(usize, f32)> {
        let bodies = &self.scene.bodies;
        let touch = |t: usize, o: usize| self.touch(t, body, o);
        let last = self.states.len() - 1;
        let meets = |&o: &usize| {
            let kind = bodies[o].kind == Kind::Fixed;
            o != body
                && kind == fixed
                && (t.saturating_sub(1)..=t).all(|t| !touch(t, o))
                && (t + 1..=(t + 3).min(last)).any(|t| touch(t, o))
        };
        let other = (0..bodies.len()).find(meets)?;
        let (a, b) = (&self.states[t].bodies[body], &self.states[t].bodies[other]);
        let towards = unit(sub(b.position, a.position));
        let speed = match fixed {
            true => norm(a.velocity),
            false => dot(sub(a.velocity, b.velocity), towards),
        };
        Some((
            other,
            0.1 * speed / eye.metres_per_pixel(a.position) / fine(eye),
        ))
    }

    /// Whether the film moves before frame `t` and visibly goes on.
    fn moves(&self, eye: &Eye, t: usize) -> bool {
        let moved = |range: std::ops::RangeInclusive<usize>| {
            (0..self.scene.bodies.len())
                .map(|b| self.seen_to_move(eye, b, range.clone()))
                .fold(0.0, f32::max)
        };
        let last = self.states.len() - 1;
        moved(t.saturating_sub(2).max(1)..=t - 1) >= 2.0 && moved(t..=(t + 3).min(last)) >= 3.0
    }

    /// Frames from which on a fault may begin: one imagined frame is honest, and some are left to see it.
    fn begins(fault: &Fault) -> std::ops::Range<usize> {
        let before = usize::from(fault.starts_a_frame_later());
        REFERENCE + 1 - before..REFERENCE + CLIP - LEFT - before
    }

    /// A frame and a body that give occasion, drawn from those that do; the same for all strengths of a fault
    /// that any of them can use.
    pub(super) fn occasion(
        &self,
        eye: &Eye,
        tracked: &[usize],
        fault: &Fault,
        amount: f32,
        rng: &mut ChaCha8Rng,
    ) -> Option<Occasion> {
        let film = fault.needs.contains(&Need::FilmMoves);
        if fault.needs.is_empty() || film {
            let frames: Vec<usize> = Self::begins(fault)
                .filter(|&t| !film || self.moves(eye, t))
                .collect();
            let at = *frames.get(rng.random_range(0..frames.len().max(1)))?;
            return Some(Occasion {
                at,
                body: usize::MAX,
                other: None,
                touch: None,
            });
        }
        let mut all: Vec<(usize, usize)> = Self::begins(fault)
            .flat_map(|t| tracked.iter().map(move |&b| (t, b)))
            .collect();
        while !all.is_empty() {
            let (at, body) = all.swap_remove(rng.random_range(0..all.len()));
            if let Some(other) = self.suits(eye, tracked, fault, amount, at, body) {
                let touch = (other.filter(|_| fault.meets()))
                    .and_then(|o| (at + 1..self.states.len()).find(|&t| self.touch(t, body, o)));
                return Some(Occasion {
                    at,
                    body,
                    other,
                    touch,
                });
            }
        }
        None
    }

    /// Whether all that a fault needs is the case; the other body, where it needs one.
    fn suits(
        &self,
        eye: &Eye,
        tracked: &[usize],
        fault: &Fault,
        amount: f32,
        at: usize,
        body: usize,
    ) -> Option<Option<usize>> {
        let b = &self.scene.bodies[body];
        let mut other = None;
        if self.needs_force(fault) && b.kind != Kind::Dynamic {
            return None;
        }
        let least = fault.least_speed(amount);
        for need in &fault.needs {
            let holds = match need {
                Need::Rigid => b.kind == Kind::Dynamic || b.kind == Kind::Hand,
                Need::Cornered => !matches!(b.shape, Shape::Ball { .. }) && !self.is_jointed(body),
                Need::Moving => true,
                Need::Free => self.is_free(at, body),
                Need::Flying => self.is_flying(at, body),
                Need::Pair => {
                    let seen = |&&o: &&usize| o != body && self.is_whole(eye, at, o);
                    other = tracked.iter().find(seen).copied();
                    other.is_some()
                }
                Need::Meets { fixed } => match self.meets(eye, at, body, *fixed) {
                    Some((found, speed)) if speed >= least => {
                        other = Some(found);
                        true
                    }
                    _ => false,
                },
                // The dearer ones last.
                Need::Whole | Need::Alone | Need::FilmMoves => true,
            };
            if !holds {
                return None;
            }
        }
        let meets = fault.meets();
        if !meets && self.pixels_moved(eye, at, body) < least {
            return None;
        }
        let alone = !fault.needs.contains(&Need::Alone) || self.is_alone(eye, at, body);
        // Whoever speaks of a velocity has seen the body before.
        let moved = fault.needs.contains(&Need::Free) || fault.needs.contains(&Need::Flying);
        let first = if moved { at.saturating_sub(2) } else { at };
        (alone && (first..=at).all(|t| self.is_whole(eye, t, body))).then_some(other)
    }

    fn needs_force(&self, fault: &Fault) -> bool {
        use super::catalogue::Does;
        match fault.does {
            Does::Speed | Does::StopDead | Does::Kick | Does::Hover | Does::Weight { .. } => true,
            Does::PassBody | Does::PassWall => true,
            Does::Edit(what) => {
                what.needs_forces() || matches!(what, EditKind::Freeze | EditKind::PassThrough)
            }
            _ => false,
        }
    }

    /// Whether no other moving body is next to this one in the picture, nor a fixed one in front of it.
    fn is_alone(&self, eye: &Eye, t: usize, body: usize) -> bool {
        let (view, room) = (&self.views[t], (3.0 * fine(eye)) as usize);
        let Some([x0, y0, x1, y1]) = bounds(view, body) else {
            return false;
        };
        let size = view.size;
        let (columns, rows) = (
            usize::from(x0).saturating_sub(room)..(usize::from(x1) + room).min(size),
            usize::from(y0).saturating_sub(room)..(usize::from(y1) + room).min(size),
        );
        rows.into_iter().all(|y| {
            columns.clone().all(|x| {
                let id = usize::from(view.ids[y * size + x]);
                id == 0 || id == body + 1 || self.scene.bodies[id - 1].kind == Kind::Fixed
            })
        })
    }

    /// Whether a body is seen whole: large enough, off the border, covered by nothing.
    pub(super) fn is_whole(&self, eye: &Eye, t: usize, body: usize) -> bool {
        let view = &self.views[t];
        let (size, border) = (view.size as u16, (2.0 * fine(eye)) as u16);
        let Some([x0, y0, x1, y1]) = bounds(view, body) else {
            return false;
        };
        let inside = x0 >= border && y0 >= border && x1 + border <= size && y1 + border <= size;
        let count = |v: &View| {
            v.ids
                .iter()
                .filter(|&&id| usize::from(id) == body + 1)
                .count() as f32
        };
        let seen = count(view);
        if !inside || seen < SEEN * fine(eye) * fine(eye) {
            return false;
        }
        let mut fork = self.worlds[t].fork();
        for other in (0..self.scene.bodies.len()).filter(|&o| o != body) {
            fork.edit(other, EditKind::Vanish);
        }
        seen >= WHOLE * count(&eye.look(&fork))
    }
}

/// How many pixels a 64th of the picture is.
pub(super) fn fine(eye: &Eye) -> f32 {
    eye.size() as f32 / SIZE as f32
}

/// The box of a body's pixels, x0, y0, x1, y1 (exclusive).
pub(super) fn bounds(view: &View, body: usize) -> Option<[u16; 4]> {
    let mut found: Option<[u16; 4]> = None;
    for (i, _) in view
        .ids
        .iter()
        .enumerate()
        .filter(|(_, id)| usize::from(**id) == body + 1)
    {
        let (x, y) = ((i % view.size) as u16, (i / view.size) as u16);
        let [x0, y0, x1, y1] = found.unwrap_or([x, y, x + 1, y + 1]);
        found = Some([x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)]);
    }
    found
}

pub(super) fn sub(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|i| a[i] - b[i])
}

pub(super) fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn norm(a: [f32; 3]) -> f32 {
    dot(a, a).sqrt()
}

fn unit(a: [f32; 3]) -> [f32; 3] {
    let length = norm(a).max(1e-6);
    a.map(|v| v / length)
}

/// Unit vector along `d`; with a yaw, the nearest of the four face normals of a box turned so.
pub(super) fn direction(d: [f32; 2], yaw: Option<f32>) -> [f32; 2] {
    let length = norm([d[0], d[1], 0.0]).max(1e-3);
    let unit = [d[0] / length, d[1] / length];
    let Some(yaw) = yaw else { return unit };
    let (sin, cos) = (libm::sinf(yaw), libm::cosf(yaw));
    let flat = |v: [f32; 2]| dot([v[0], v[1], 0.0], [unit[0], unit[1], 0.0]);
    [[cos, -sin], [sin, cos], [-cos, sin], [-sin, -cos]]
        .into_iter()
        .max_by(|a, b| flat(*a).total_cmp(&flat(*b)))
        .unwrap_or(unit)
}
