//! The constants that a film believes in, measured as a physicist would who had only the film: gravity from
//! flights, restitution from bounces, friction from slides, a pendulum's period from its swing. Each comes
//! with a 95 % interval, and with what reality's own film gives by the same measurement.
//!
//! Flights are parabolas fitted by least squares; a swing obeys θ'' = -ω² sin θ - c θ', whose second difference
//! over a frame is -2 (1 - cos ω dt) sin θ. Estimates are pooled by their variances; where they scatter by more
//! than these say, the interval is widened by that much (Birge 1932).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::motion::{Footing, Motion};
use super::track::{Sighting, Track, Tracks};
use super::world::World;
use crate::scene::{Kind, Shape};

/// A body flies while its lowest point is so far above the floor, metres.
const ABOVE_M: f32 = 0.015;
/// Frames of a flight that are needed to see that it bends.
const FLIGHT: usize = 4;
/// Frames of a flight whose gravity is known.
const ARC: usize = 2;
/// Slower slides may be rests, m/s.
const SLIDES: f64 = 0.06;
/// Slower bounces say little, m/s.
const BOUNCES: f64 = 0.6;
/// Frames of a swing that are needed.
const SWING: usize = 8;
/// A body that turns faster rubs otherwise than one that slides, radians a frame.
const TURNS: f32 = 0.15;

/// A constant of nature, or of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// How fast falling bodies get faster, m/s².
    Gravity,
    /// Speed after a bounce over that before.
    Restitution,
    /// Friction of a body that slides on the floor, over its weight.
    Friction,
    /// A pendulum's period in small swings, s.
    Period,
}

impl Quantity {
    /// Its unit; empty for shares.
    pub const fn unit(self) -> &'static str {
        match self {
            Quantity::Gravity => "m/s²",
            Quantity::Restitution | Quantity::Friction => "",
            Quantity::Period => "s",
        }
    }

    fn says(self, value: f64) -> String {
        match self {
            Quantity::Gravity => format!("falls at {value:.1} m/s²"),
            Quantity::Restitution => format!("bounces with restitution {value:.2}"),
            Quantity::Friction => format!("slides with friction {value:.2}"),
            Quantity::Period => format!("swings with a period of {value:.2} s"),
        }
    }
}

/// One measurement with its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What was measured.
    pub quantity: Quantity,
    /// Whose; none where it is the world's.
    pub body: Option<usize>,
    /// The value.
    pub value: f64,
    /// Its standard error.
    pub error: f64,
}

/// What films believe of one constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    /// Which.
    pub quantity: Quantity,
    /// The body's name; none where it is the world's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The pooled value.
    pub value: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Its unit; empty for shares.
    pub unit: String,
    /// Flights, bounces, slides or swings that it comes from.
    pub measured: usize,
    /// The same in reality; null where nothing in reality's films gives it.
    pub reality: Option<f64>,
    /// `value` over `reality`, with the interval's ends.
    pub ratio: Option<[f64; 3]>,
    /// In words, such as "falls at 6.9 m/s², reality 9.81".
    pub sentence: String,
}

/// What one clip's imagined frames say. `motion` is that of the same tracks.
pub fn estimates(world: &World, tracks: &Tracks, motion: &Motion) -> Vec<Estimate> {
    let mut found = Vec::new();
    for (n, track) in tracks.tracks.iter().enumerate() {
        let known = &world.bodies[track.body];
        if known.kind == Kind::Hand {
            continue;
        }
        if let Some((pivot, _)) = world.pivots[track.body] {
            found.extend(period(track, tracks, pivot));
        } else if world.down {
            found.extend(friction(world, track, tracks, &motion[n]));
        } else if !known.jointed {
            flights(world, track, tracks, &mut found);
        }
    }
    found
}

/// Pools estimates by constant and body; `reality` are those of the real films.
pub fn pool(world: &World, found: &[Estimate], reality: &[Estimate]) -> Vec<Belief> {
    let (found, reality) = (pooled(found), pooled(reality));
    let belief = |(&(quantity, body), &(value, half, measured)): (&Key, &(f64, f64, usize))| {
        let real = match quantity {
            // The world's gravity is known exactly, where it is one number.
            Quantity::Gravity if world.gravity.spread() == 0.0 => {
                Some(f64::from(world.weight()) * -f64::from(world.gravity.low.signum()))
            }
            _ => reality.get(&(quantity, body)).map(|r| r.0),
        };
        let digits = if quantity == Quantity::Gravity { 2 } else { 3 };
        let beside = real
            .map(|r| format!(", reality {r:.digits$}"))
            .unwrap_or_default();
        let by = real.filter(|r| r.abs() > 1e-6);
        let ends = |r: f64| {
            let (a, b) = ((value - half) / r, (value + half) / r);
            [value / r, a.min(b), a.max(b)]
        };
        Belief {
            quantity,
            body: body.map(|b| world.scene.bodies[b].name.clone()),
            value,
            low: value - half,
            high: value + half,
            unit: quantity.unit().into(),
            measured,
            reality: real,
            ratio: by.map(ends),
            sentence: quantity.says(value) + &beside,
        }
    };
    found.iter().map(belief).collect()
}

type Key = (Quantity, Option<usize>);

/// By constant and body: value, half of its 95 % interval, how many estimates.
fn pooled(found: &[Estimate]) -> BTreeMap<Key, (f64, f64, usize)> {
    let mut groups: BTreeMap<Key, Vec<&Estimate>> = BTreeMap::new();
    for e in found
        .iter()
        .filter(|e| e.value.is_finite() && e.error.is_finite())
    {
        groups.entry((e.quantity, e.body)).or_default().push(e);
    }
    let pool = |(key, group): (Key, Vec<&Estimate>)| {
        let weight = |e: &Estimate| 1.0 / (e.error * e.error).max(1e-12);
        let sum: f64 = group.iter().map(|e| weight(e)).sum();
        let value = group.iter().map(|e| weight(e) * e.value).sum::<f64>() / sum;
        let chi2: f64 = group
            .iter()
            .map(|e| weight(e) * (e.value - value).powi(2))
            .sum();
        let birge = (chi2 / (group.len().max(2) - 1) as f64).sqrt().max(1.0);
        (key, (value, 1.96 * birge / sum.sqrt(), group.len()))
    };
    groups.into_iter().map(pool).collect()
}

/// Whether the centroid is the body's own.
fn is_whole(s: &Sighting) -> bool {
    let first = s.components.first().copied().unwrap_or(0.0);
    s.is_seen() && !s.at_border && !s.beside && first > 0.85 * s.area
}

/// Runs of imagined frames in which `holds`.
fn runs(track: &Track, reference: usize, holds: impl Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let (mut all, mut run) = (Vec::new(), Vec::new());
    for t in reference..=track.sightings.len() {
        if t < track.sightings.len() && holds(t) {
            run.push(t);
        } else if !run.is_empty() {
            all.push(std::mem::take(&mut run));
        }
    }
    all
}

/// Gravity from each flight, restitution from each bounce of a ball between two.
fn flights(world: &World, track: &Track, tracks: &Tracks, found: &mut Vec<Estimate>) {
    let (dt, known) = (f64::from(tracks.dt), &world.bodies[track.body]);
    let half = known.shape.half_height();
    let height = |t: usize| track.sightings[t].at[1];
    let flies = |t: usize| {
        let s = &track.sightings[t];
        let reach = if matches!(known.shape, Shape::Ball { .. }) {
            half
        } else {
            known.bounding
        };
        is_whole(s) && height(t) - reach > ABOVE_M
    };
    let mut arcs: Vec<Vec<usize>> = Vec::new();
    for run in runs(track, tracks.reference, flies) {
        let mut arc: Vec<usize> = Vec::new();
        for t in run {
            // What goes down and then up has bounced in between.
            let turned = arc.len() >= 2 && {
                let (a, b) = (arc[arc.len() - 2], arc[arc.len() - 1]);
                height(b) < height(a) && height(t) > height(b)
            };
            if turned {
                arcs.push(std::mem::take(&mut arc));
            }
            arc.push(t);
        }
        arcs.push(arc);
    }
    let points = |arc: &[usize]| -> Vec<[f64; 2]> {
        arc.iter()
            .map(|&t| [t as f64 * dt, f64::from(height(t))])
            .collect()
    };
    let sigma = |arc: &[usize]| f64::from(track.sightings[arc[0]].sigma_m).max(1e-4);
    let mut own = Vec::new();
    for arc in arcs.iter().filter(|a| a.len() >= FLIGHT) {
        if let Some((c, cov)) = fit::<3>(&points(arc), sigma(arc)) {
            own.push(Estimate {
                quantity: Quantity::Gravity,
                body: None,
                value: -2.0 * c[2],
                error: 2.0 * cov[2][2].sqrt(),
            });
        }
    }
    if let Shape::Ball { .. } = known.shape {
        let fallen = pooled(&own).get(&(Quantity::Gravity, None)).map(|p| p.0);
        let g = fallen
            .filter(|g| *g > 0.5)
            .unwrap_or(f64::from(world.weight()));
        // Speed at the height of contact, and its variance, from an arc whose gravity is known.
        let speed = |arc: &[usize]| {
            let flat: Vec<[f64; 2]> = points(arc)
                .iter()
                .map(|[t, y]| [*t, y + 0.5 * g * t * t])
                .collect();
            let (c, cov) = fit::<2>(&flat, sigma(arc))?;
            let t = arc[0] as f64 * dt;
            let (y, v) = (c[0] + c[1] * t - 0.5 * g * t * t, c[1] - g * t);
            let square = v * v + 2.0 * g * (y - f64::from(half));
            (square > BOUNCES * BOUNCES).then(|| {
                // dE/dy = g, dE/dv = v, at the arc's first point.
                let (dy, dv) = (g / square.sqrt(), v / square.sqrt());
                let vy = cov[0][0] + 2.0 * t * cov[0][1] + t * t * cov[1][1];
                let both = cov[0][1] + t * cov[1][1];
                (
                    square.sqrt(),
                    dy * dy * vy + dv * dv * cov[1][1] + 2.0 * dy * dv * both,
                )
            })
        };
        for pair in arcs.windows(2).filter(|p| p.iter().all(|a| a.len() >= ARC)) {
            let (down, up) = (&pair[0], &pair[1]);
            let gap = up[0] - down[down.len() - 1];
            let falls = height(down[down.len() - 1]) < height(down[down.len() - 2]);
            let rises = height(up[1]) > height(up[0]) || up.len() > 2;
            if gap > 3 || !falls || !rises {
                continue;
            }
            if let (Some((a, va)), Some((b, vb))) = (speed(down), speed(up)) {
                let value = b / a;
                found.push(Estimate {
                    quantity: Quantity::Restitution,
                    body: Some(track.body),
                    value,
                    error: value * (va / (a * a) + vb / (b * b)).sqrt(),
                });
            }
        }
    }
    found.extend(own);
}

/// Friction from each slide of what does not roll, over its weight.
fn friction(
    world: &World,
    track: &Track,
    tracks: &Tracks,
    motion: &[super::motion::Step],
) -> Vec<Estimate> {
    let known = &world.bodies[track.body];
    let rolls = matches!(known.shape, Shape::Ball { .. } | Shape::Capsule { .. });
    if rolls || world.weight() < 1e-3 || known.damping.high > 0.0 {
        return Vec::new();
    }
    let dt = f64::from(tracks.dt);
    let place = |t: usize| track.sightings[t].at.map(f64::from);
    let slides = |t: usize| {
        let moved = |a: usize, b: usize| {
            let (p, q) = (place(a), place(b));
            (p[0] - q[0]).hypot(p[1] - q[1]) / dt
        };
        let angles = t
            .checked_sub(1)
            .and_then(|b| track.sightings[b].angle.zip(track.sightings[t].angle));
        let turns = angles.is_some_and(|([a, period], [b, _])| {
            let d = (a - b).rem_euclid(period);
            d.min(period - d) > TURNS
        });
        let step = motion
            .get(t)
            .is_some_and(|m| m.footing == Footing::Floor && !m.near);
        step && !turns && is_whole(&track.sightings[t]) && t > 0 && moved(t - 1, t) > SLIDES
    };
    let along = |run: &Vec<usize>| {
        if run.len() < FLIGHT {
            return None;
        }
        let (from, to) = (place(run[0]), place(run[run.len() - 1]));
        let way = [to[0] - from[0], to[1] - from[1]];
        let length = way[0].hypot(way[1]).max(1e-9);
        let on = |t: &usize| {
            let p = place(*t);
            let s = ((p[0] - from[0]) * way[0] + (p[1] - from[1]) * way[1]) / length;
            [*t as f64 * dt, s]
        };
        let points: Vec<[f64; 2]> = run.iter().map(on).collect();
        let sigma = f64::from(track.sightings[run[0]].sigma_m).max(1e-4);
        let (c, cov) = fit::<3>(&points, sigma)?;
        let g = f64::from(world.weight());
        Some(Estimate {
            quantity: Quantity::Friction,
            body: Some(track.body),
            value: -2.0 * c[2] / g,
            error: 2.0 * cov[2][2].sqrt() / g,
        })
    };
    runs(track, tracks.reference, slides)
        .iter()
        .filter_map(along)
        .collect()
}

/// The period of small swings about a pivot.
fn period(track: &Track, tracks: &Tracks, pivot: [f32; 2]) -> Option<Estimate> {
    let dt = f64::from(tracks.dt);
    let angle = |t: usize| {
        let [x, y] = track.sightings[t].at;
        libm::atan2(f64::from(x - pivot[0]), f64::from(pivot[1] - y))
    };
    let seen = |t: usize| track.sightings[t].is_seen() && !track.sightings[t].at_border;
    let run = runs(track, tracks.reference, seen)
        .into_iter()
        .max_by_key(Vec::len)?;
    if run.len() < SWING {
        return None;
    }
    // D = -k sin θ - c θ', by least squares.
    let rows: Vec<[f64; 3]> = run
        .windows(3)
        .map(|w| {
            let [a, b, c] = [angle(w[0]), angle(w[1]), angle(w[2])];
            [-libm::sin(b), -0.5 * (c - a), c - 2.0 * b + a]
        })
        .collect();
    let sum = |f: &dyn Fn(&[f64; 3]) -> f64| rows.iter().map(f).sum::<f64>();
    let (ss, sd, dd) = (
        sum(&|r| r[0] * r[0]),
        sum(&|r| r[0] * r[1]),
        sum(&|r| r[1] * r[1]),
    );
    let (sy, dy) = (sum(&|r| r[0] * r[2]), sum(&|r| r[1] * r[2]));
    let determinant = ss * dd - sd * sd;
    if determinant <= 1e-12 {
        return None;
    }
    let (k, c) = (
        (sy * dd - dy * sd) / determinant,
        (dy * ss - sy * sd) / determinant,
    );
    let rest = sum(&|r| (r[2] - k * r[0] - c * r[1]).powi(2)) / (rows.len() - 2) as f64;
    let error_k = (rest * dd / determinant).sqrt();
    if !(1e-6..3.9).contains(&k) {
        return None;
    }
    let omega = libm::acos(1.0 - 0.5 * k) / dt;
    let value = std::f64::consts::TAU / omega;
    // dω/dk = 1 / (dt √(k (4 - k))).
    let slope = value / omega / (dt * (k * (4.0 - k)).sqrt());
    Some(Estimate {
        quantity: Quantity::Period,
        body: Some(track.body),
        value,
        error: (slope * error_k).max(1e-4),
    })
}

/// Least squares of a polynomial of N coefficients through (t, y), about t = 0: coefficients and their
/// covariance. Points scatter by what is left over, and by no less than half of `sigma`; by `sigma` where too
/// little is left to tell.
fn fit<const N: usize>(points: &[[f64; 2]], sigma: f64) -> Option<([f64; N], [[f64; N]; N])> {
    if points.len() < N {
        return None;
    }
    let mut normal = [[0.0; N]; N];
    let mut right = [0.0; N];
    let power = |t: f64, i: usize| t.powi(i as i32);
    for [t, y] in points {
        for i in 0..N {
            right[i] += power(*t, i) * y;
            for (j, cell) in normal[i].iter_mut().enumerate() {
                *cell += power(*t, i + j);
            }
        }
    }
    let inverse = inverse(normal)?;
    let c: [f64; N] = std::array::from_fn(|i| (0..N).map(|j| inverse[i][j] * right[j]).sum());
    let left = points.iter().map(|[t, y]| {
        let fitted: f64 = (0..N).map(|i| c[i] * power(*t, i)).sum();
        (y - fitted).powi(2)
    });
    let freedom = points.len() - N;
    let variance = match freedom {
        0 | 1 => sigma * sigma,
        _ => (left.sum::<f64>() / freedom as f64).max(0.25 * sigma * sigma),
    };
    Some((c, inverse.map(|row| row.map(|v| v * variance))))
}

/// By Gauss and Jordan, with the largest pivot.
fn inverse<const N: usize>(mut m: [[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut out = [[0.0; N]; N];
    (0..N).for_each(|i| out[i][i] = 1.0);
    for i in 0..N {
        let best = (i..N).max_by(|&a, &b| m[a][i].abs().total_cmp(&m[b][i].abs()))?;
        m.swap(i, best);
        out.swap(i, best);
        let pivot = m[i][i];
        if pivot.abs() < 1e-14 {
            return None;
        }
        (m[i], out[i]) = (m[i].map(|v| v / pivot), out[i].map(|v| v / pivot));
        let (row, inverse_row) = (m[i], out[i]);
        for r in (0..N).filter(|&r| r != i) {
            let factor = m[r][i];
            for k in 0..N {
                m[r][k] -= factor * row[k];
                out[r][k] -= factor * inverse_row[k];
            }
        }
    }
    Some(out)
}
