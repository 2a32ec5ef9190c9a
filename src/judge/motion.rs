//! What is known of a body's motion from frame to frame: what it stands on, whether anything can touch it,
//! and how far its velocity is from what physics allows.
//!
//! Velocities are means over the time between two frames. A body is *alone* over two such times if the gaps
//! to everything that could touch it are wider than what both could have gone.

mod ground;

use super::track::{Sighting, Source, Tracks};
use super::world::World;
use crate::camera::SIZE;
use crate::scene::{Kind, Shape};

/// What holds a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Footing {
    /// Not seen whole in all three frames.
    #[default]
    Unknown,
    /// It flies and nothing is near.
    Air,
    /// It flies, may meet the floor, and nothing else is near.
    Hop,
    /// It lies, slides or rolls on the floor and nothing else is near.
    Floor,
    /// It swings about a hinge and nothing else is near.
    Hinge,
    /// It slides or rolls straight along something fixed, high above the floor, and nothing that moves is
    /// near.
    Slope,
    /// Something is near enough to touch it.
    Touching,
}

/// A body between two frames, with the two before.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step {
    /// What holds it.
    pub footing: Footing,
    /// Mean velocity before and now along the plane's axes, m/s.
    pub before: [f32; 2],
    /// See `before`.
    pub now: [f32; 2],
    /// How far `now` is from what physics allows after `before`, m/s; `None` where anything may happen.
    pub off: Option<f32>,
    /// How far the body is from where it could be at all, metres.
    pub jump: Option<f32>,
    /// How fast anything near it moves, m/s.
    pub neighbours: f32,
    /// Whether anything is near enough to touch it.
    pub near: bool,
    /// Frames since anything was near.
    pub alone_for: usize,
}

/// All bodies' motion, `[track][frame]`.
pub type Motion = Vec<Vec<Step>>;

/// What can touch must be nearer than this beside what it moves, 64ths of the picture.
const MARGIN: f32 = 1.5;
/// Speeds may be underestimated by so much where something bounced within the time of a frame.
const HASTE: f32 = 1.2;

/// Slower bodies rest, m/s.
pub const REST: f32 = 0.06;
/// Points of a way that are looked at.
const WAYPOINTS: usize = 4;
/// Departures from a steady change of velocity count so much: they are differences of three velocities.
const STEADY: f32 = 0.5;
/// What moves straight leaves its line by no more than this share of its way.
const STRAIGHT: f32 = 0.12;
/// What falls goes on as before within this share of its speed.
const FALLS: f32 = 0.1;
/// What lies on something is no further from it than so much of its inscribed radius.
const LIES: f32 = 1.1;
/// What lies stays within so many 64ths of the picture.
const LEVEL: f32 = 0.6;

/// Whether the centroid of a sighting is the body's own: seen whole, and in one piece.
pub fn is_whole(tracks: &Tracks, s: &Sighting) -> bool {
    match tracks.source {
        Source::Readouts => s.is_seen(),
        Source::Frames { .. } => {
            let first = s.components.first().copied().unwrap_or(0.0);
            s.is_seen() && !s.at_border && !s.beside && first > 0.85 * s.area
        }
    }
}

/// Length of a vector.
pub fn length(v: [f32; 2]) -> f32 {
    v[0].hypot(v[1])
}

/// Difference of two vectors.
pub fn minus(a: [f32; 2], b: [f32; 2]) -> [f32; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

/// Distance of a point from a segment.
fn from_segment(p: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    let (d, e) = (minus(b, a), minus(p, a));
    let long = d[0] * d[0] + d[1] * d[1];
    let t = if long > 0.0 {
        ((e[0] * d[0] + e[1] * d[1]) / long).clamp(0.0, 1.0)
    } else {
        0.0
    };
    length([e[0] - t * d[0], e[1] - t * d[1]])
}

/// Looks at all steps of all bodies.
pub fn motion(world: &World, tracks: &Tracks) -> Motion {
    let scout = Scout::new(world, tracks);
    (0..tracks.tracks.len()).map(|n| scout.body(n)).collect()
}

/// Whether a fixed body is seen within so many pixels of the outline; without pictures it may be anywhere.
pub fn wall_within(tracks: &Tracks, s: &Sighting, pixels: f32) -> bool {
    let Some(film) = &tracks.film else {
        return true;
    };
    let reach = pixels.ceil().clamp(1.0, film.size as f32) as usize;
    let [x0, y0, x1, y1] = s.bounds.map(usize::from);
    let columns = x0.saturating_sub(reach)..(x1 + reach).min(film.size);
    let mut rows = y0.saturating_sub(reach)..(y1 + reach).min(film.size);
    rows.any(|y| {
        let row = &film.fixed[y * film.size..][columns.clone()];
        row.iter().any(|d| d.is_finite())
    })
}

/// What is near enough to a body to have touched it.
#[derive(Clone, Copy, Debug, Default)]
struct Near {
    /// Something that moves.
    mover: bool,
    /// Something fixed.
    wall: bool,
    /// How fast what is near moves, m/s.
    fastest: f32,
}

struct Scout<'a> {
    world: &'a World,
    tracks: &'a Tracks<'a>,
    /// Metres a 64th of the picture spans where each body is.
    fine_m: Vec<f32>,
}

impl<'a> Scout<'a> {
    fn new(world: &'a World, tracks: &'a Tracks<'a>) -> Self {
        let scale = world.eye.size() as f32 / SIZE as f32;
        let fine_m = tracks.tracks.iter().map(|t| {
            let mut seen = t.sightings.iter().filter_map(|s| s.place);
            let at = seen.next().unwrap_or(world.scene.bodies[t.body].position);
            world.metres_per_pixel(at) * scale
        });
        Self {
            world,
            tracks,
            fine_m: fine_m.collect(),
        }
    }

    fn at(&self, n: usize, t: usize) -> &Sighting {
        &self.tracks.tracks[n].sightings[t]
    }

    fn whole(&self, n: usize, t: usize) -> bool {
        is_whole(self.tracks, self.at(n, t))
    }

    /// The last sighting up to frame `t`, and how old it is.
    fn last_seen(&self, n: usize, t: usize) -> Option<(usize, &Sighting)> {
        let back = (0..=t).rev().map(|k| (t - k, self.at(n, k)));
        back.into_iter().find(|(_, s)| s.is_seen())
    }

    fn speed(&self, n: usize, t: usize) -> f32 {
        if t == 0 {
            return 0.0;
        }
        let (a, b) = (self.at(n, t - 1), self.at(n, t));
        match a.is_seen() && b.is_seen() {
            true => length(minus(b.at, a.at)) / self.tracks.dt,
            false => 0.0,
        }
    }

    /// Distance of two bodies' outlines, metres; less than nothing where they overlap.
    fn gap(&self, n: usize, m: usize, t: usize) -> f32 {
        let own = self.at(n, t);
        let Some((age, other)) = self.last_seen(m, t) else {
            return f32::MAX;
        };
        if let Source::Readouts = self.tracks.source {
            let [a, b] = [n, m].map(|k| self.world.bodies[self.tracks.tracks[k].body].bounding);
            return length(minus(own.at, other.at)) - a - b;
        }
        let apart = |axis: usize| {
            let (a, b) = (own.bounds, other.bounds);
            let (right, left) = (f32::from(b[axis]), f32::from(a[axis + 2]));
            let (right2, left2) = (f32::from(a[axis]), f32::from(b[axis + 2]));
            (right - left).max(right2 - left2)
        };
        let scale = self.world.eye.size() as f32 / SIZE as f32;
        let pixels = apart(0).max(apart(1)) / scale - 3.0 * age as f32;
        pixels * self.fine_m[n]
    }

    /// Distance from the floor, metres, of what is seen from the side.
    fn height(&self, n: usize, t: usize) -> f32 {
        let s = self.at(n, t);
        let body = self.tracks.tracks[n].body;
        let foot = [s.centroid[0], f32::from(s.bounds[3])];
        self.world.place(body, foot).map_or(0.0, |(_, at)| at[1])
    }

    /// Whether a fixed body is within so many metres of the outline.
    fn wall_within(&self, n: usize, t: usize, metres: f32) -> bool {
        let scale = self.world.eye.size() as f32 / SIZE as f32;
        wall_within(self.tracks, self.at(n, t), metres / self.fine_m[n] * scale)
    }

    /// What could have touched the body between frames `t - 1` and `t`. Until something touches it, it moves
    /// at no more than `reach`, as before; seen to move at `speed`, its way to what it touched and on from
    /// there is no longer than that (`None`: where it came to is not to be trusted). `ways` are what it may
    /// go in that time until then, pixels.
    fn touched(
        &self,
        n: usize,
        t: usize,
        reach: f32,
        speed: Option<f32>,
        ways: &[[f32; 2]],
    ) -> Near {
        let (body, dt) = (self.tracks.tracks[n].body, self.tracks.dt);
        let margin = 2.0 * MARGIN * self.fine_m[n];
        let mut found = Near::default();
        for (m, other) in self.tracks.tracks.iter().enumerate() {
            if m == n || !self.world.may_touch(body, other.body) {
                continue;
            }
            let is_hand = self.world.bodies[other.body].kind == Kind::Hand;
            let theirs = |k: usize| match is_hand {
                true => self.world.hand_speed * std::f32::consts::SQRT_2,
                false => {
                    // The tip of what topples is faster than its middle.
                    let ball = matches!(self.world.bodies[other.body].shape, Shape::Ball { .. });
                    let tip = if ball { 1.0 } else { 2.0 };
                    tip * HASTE * self.speed(m, k).max(self.speed(m, k.saturating_sub(1)))
                }
            };
            let before = self.gap(n, m, t - 1);
            // In the picture's first frame nothing is known of how it came there.
            let came = theirs(t - 1).max(if t < 3 { theirs(t) } else { 0.0 });
            let comes = before < (reach + came) * dt + 0.5 * margin;
            let meets = speed
                .is_none_or(|speed| before + self.gap(n, m, t) < (speed + theirs(t)) * dt + margin);
            if comes && meets && self.on_way(n, m, t, ways) {
                found.mover = true;
                found.fastest = found.fastest.max(theirs(t));
            }
        }
        if self.world.walls[body] {
            let within = |t: usize, metres: f32| self.wall_within(n, t, metres);
            let meets = speed.is_none_or(|speed| {
                let reach = 0.5 * (speed * dt + margin);
                within(t - 1, reach) || within(t, reach)
            });
            let near = || within(t - 1, reach * dt + 0.5 * margin);
            found.wall = meets && near() && self.wall_on_way(n, t, ways);
        }
        // What is not tracked may be anywhere.
        found.mover |= self.unseen_movers();
        found
    }

    /// Whether a body comes near another on one of its straight ways from frame `t - 1` on, pixels, while the
    /// other one goes to where it is seen in frame `t`.
    fn on_way(&self, n: usize, m: usize, t: usize, ways: &[[f32; 2]]) -> bool {
        let (a, from, to) = (self.at(n, t - 1), self.at(m, t - 1), self.at(m, t));
        let film = matches!(self.tracks.source, Source::Frames { .. });
        if !film || !a.is_seen() || !from.is_seen() || !to.is_seen() {
            return true;
        }
        let ball = |k: usize| {
            let known = &self.world.bodies[self.tracks.tracks[k].body];
            matches!(known.shape, Shape::Ball { .. })
        };
        let scale = self.world.eye.size() as f32 / SIZE as f32;
        let both = ball(n) && ball(m) && self.whole(n, t - 1) && self.whole(m, t - 1);
        let wide = |s: &Sighting| 0.5 * (f32::from(s.bounds[2]) - f32::from(s.bounds[0]));
        // What has corners may turn them to the other.
        let room = scale * if both { MARGIN } else { 2.0 * MARGIN };
        ways.iter().any(|way| {
            (0..=WAYPOINTS).any(|k| {
                let u = k as f32 / WAYPOINTS as f32;
                let own = way.map(|d| u * d);
                let gap = if both {
                    let other: [f32; 2] = std::array::from_fn(|i| {
                        from.centroid[i] + u * (to.centroid[i] - from.centroid[i])
                    });
                    let d = [0, 1].map(|i| a.centroid[i] + own[i] - other[i]);
                    length(d) - wide(a) - wide(from)
                } else {
                    let apart = |axis: usize| {
                        let side = |k: usize| {
                            let (p, q) = (f32::from(from.bounds[k]), f32::from(to.bounds[k]));
                            p + u * (q - p)
                        };
                        let low = f32::from(a.bounds[axis]) + own[axis];
                        let high = f32::from(a.bounds[axis + 2]) + own[axis];
                        (side(axis) - high).max(low - side(axis + 2))
                    };
                    apart(0).max(apart(1))
                };
                gap < room
            })
        })
    }

    /// Whether a fixed body is seen where a body comes on one of its ways from frame `t - 1` on, or lower, as
    /// it falls meanwhile.
    fn wall_on_way(&self, n: usize, t: usize, ways: &[[f32; 2]]) -> bool {
        let (Some(film), s) = (&self.tracks.film, self.at(n, t - 1)) else {
            return true;
        };
        let scale = self.world.eye.size() as f32 / SIZE as f32;
        let room = 2.0 * MARGIN * scale;
        let falls = match self.world.down {
            true => 0.0,
            false => self.world.weight() * self.tracks.dt.powi(2) / self.fine_m[n] * scale,
        };
        let end = film.size as f32;
        let any = |[x0, y0, x1, y1]: [f32; 4]| {
            let pixels =
                |low: f32, high: f32| low.clamp(0.0, end) as usize..high.clamp(0.0, end) as usize;
            pixels(y0, y1).any(|y| {
                let row = &film.fixed[y * film.size..][pixels(x0, x1)];
                row.iter().any(|d| d.is_finite())
            })
        };
        let b = s.bounds.map(f32::from);
        ways.iter().any(|way| {
            (0..=WAYPOINTS).any(|k| {
                let u = k as f32 / WAYPOINTS as f32;
                any([
                    b[0] + u * way[0] - room,
                    b[1] + u * way[1] - room,
                    b[2] + u * way[0] + room,
                    b[3] + u * (way[1] + falls) + room,
                ])
            })
        })
    }

    fn unseen_movers(&self) -> bool {
        let tracked = |b: usize| self.tracks.tracks.iter().any(|t| t.body == b);
        let bodies = &self.world.bodies;
        (0..bodies.len()).any(|b| bodies[b].kind != Kind::Fixed && !tracked(b))
    }

    fn body(&self, n: usize) -> Vec<Step> {
        let mut steps = vec![Step::default(); self.tracks.len()];
        let mut alone_for = 0;
        for (t, slot) in steps.iter_mut().enumerate().skip(2) {
            let mut step = self.step(n, t, alone_for);
            alone_for = match step.footing {
                Footing::Air | Footing::Floor | Footing::Hinge | Footing::Slope => alone_for + 1,
                Footing::Hop | Footing::Touching | Footing::Unknown => 0,
            };
            step.alone_for = alone_for;
            *slot = step;
        }
        steps
    }

    fn step(&self, n: usize, t: usize, alone_for: usize) -> Step {
        if !(t - 2..t).all(|k| self.whole(n, k)) || !self.at(n, t).is_seen() {
            return Step::default();
        }
        let (world, dt) = (self.world, self.tracks.dt);
        let body = self.tracks.tracks[n].body;
        let known = &world.bodies[body];
        let at: [[f32; 2]; 3] = std::array::from_fn(|k| self.at(n, t - 2 + k).at);
        let velocity = |a: [f32; 2], b: [f32; 2]| minus(b, a).map(|d| d / dt);
        let (before, now) = (velocity(at[0], at[1]), velocity(at[1], at[2]));
        let earlier = if t >= 3 { self.speed(n, t - 2) } else { 0.0 };
        let g = world.weight();
        let fall = if world.down { 0.0 } else { g * dt };
        let reach = HASTE * length(before).max(earlier) + fall;
        let own = HASTE * length(now).max(length(before)).max(earlier);
        let whole = self.whole(n, t);
        let way = |k: usize| minus(self.at(n, k).centroid, self.at(n, k - 1).centroid);
        let seen = t >= 3 && self.at(n, t - 3).is_seen();
        let earlier_way = if seen { way(t - 2) } else { way(t - 1) };
        let a = self.touched(n, t - 1, reach, Some(reach), &[way(t - 1), earlier_way]);
        let b = self.touched(n, t, reach, whole.then_some(own), &[way(t - 1), [0.0; 2]]);
        let mut step = Step {
            before,
            now,
            neighbours: a.fastest.max(b.fastest),
            ..Step::default()
        };
        let mover = a.mover || b.mover;
        let near = mover || a.wall || b.wall;
        step.near = near;
        let pull = match world.down {
            true => [0.0; 2],
            false => [0.0, 0.5 * (world.gravity.low + world.gravity.high) * dt],
        };
        let damped = |v: [f32; 2], c: f32| v.map(|x| x * (1.0 - c * dt).max(0.0));
        let slowed = |c: f32| {
            let v = damped(before, c);
            [v[0] + pull[0], v[1] + pull[1]]
        };
        let kind = known.kind;
        if !whole {
            step.near = true;
            step.jump = self.partly_seen(n, t, &step, pull, near);
            return step;
        }
        // It may have bounced since.
        let fell = self.earlier(n, t).map_or(earlier, |v| v[1].abs());
        let down = HASTE * before[1].abs().max(fell) + 2.0 * g * dt;
        let flies = !world.down && self.flies(n, t, down);
        let slope = (near && !mover).then(|| {
            let ledge = self.on_ledge(n, t);
            ledge.or_else(|| self.on_slope(n, t, down).map(|off| STEADY * off))
        });
        let slope = slope.flatten();
        let hop = (!near && !world.down).then(|| self.hops(n, t, before[1], now[1], down));
        let hop = hop.flatten();
        step.footing = match () {
            () if slope.is_some() => Footing::Slope,
            () if near => Footing::Touching,
            () if world.pivots[body].is_some() => Footing::Hinge,
            () if known.jointed || kind == Kind::Hand => Footing::Touching,
            // Where its height is not known, only rest can be told.
            () if known.wanders && length(before) < REST => Footing::Floor,
            () if known.wanders => Footing::Touching,
            () if flies => Footing::Air,
            () if world.down || self.lies(n, t) => Footing::Floor,
            () if hop.is_some() => Footing::Hop,
            () => Footing::Touching,
        };
        step.off = match step.footing {
            Footing::Air => {
                let (low, high) = (slowed(known.damping.high), slowed(known.damping.low));
                Some(from_segment(now, low, high))
            }
            Footing::Floor => {
                let off = self.slides(n, before, now, alone_for);
                // Two frames alone before tell what friction there is.
                let steady = (alone_for >= 1).then(|| self.unsteady(n, t)).flatten();
                Some(off.max(STEADY * steady.unwrap_or(0.0)))
            }
            Footing::Slope => slope,
            Footing::Hop => hop,
            Footing::Hinge => world.pivots[body].map(|p| self.swings(p, at, known.damping.high)),
            Footing::Unknown | Footing::Touching => None,
        };
        step.jump = Some(match (step.off, kind) {
            (_, Kind::Hand) => {
                let most = world.hand_speed * std::f32::consts::SQRT_2;
                (length(now) - most).max(0.0) * dt
            }
            (Some(off), _) if step.footing != Footing::Hop => off * dt,
            _ => self.contact_jump(n, t, &step, pull),
        });
        step
    }

    /// How far a body that something may touch is from where it could be, metres: gravity may or may not have
    /// pulled meanwhile, and contacts turn the velocities that meet, with restitution.
    fn contact_jump(&self, n: usize, t: usize, step: &Step, pull: [f32; 2]) -> f32 {
        let dt = self.tracks.dt;
        let known = &self.world.bodies[self.tracks.tracks[n].body];
        let e = known.restitution;
        let low = self.world.down || self.height(n, t - 1) < 2.0 * MARGIN * self.fine_m[n];
        let falls = if low { 0.0 } else { self.world.weight() * dt };
        let most = (1.0 + e) * (length(step.before) + step.neighbours) + e * falls;
        let pulled = [step.before[0] + pull[0], step.before[1] + pull[1]];
        (from_segment(step.now, step.before, pulled) - most).max(0.0) * dt
    }
}
