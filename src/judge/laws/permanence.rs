//! **A body that was seen does not vanish.**
//!
//! Score: the missing share of the area that other bodies, fixed ones in front and the border leave to be
//! seen. A body that was hidden or left the picture is excused until it is seen again. Object permanence as
//! in Spelke (1990) and IntPhys (Riochet et al. 2018).

use super::{Case, Rule, Score, nowhere_absent};
use crate::judge::track::Sighting;
use crate::scene::Law;

pub(super) const RULE: Rule = Rule {
    law: Law::Permanence,
    unit: "missing share of the visible area",
    least: 0.3,
    strong: 0.97,
    readouts: false,
    absent: nowhere_absent,
    scores,
    says: |name, score| match score {
        s if s > 0.9 => format!("`{name}` vanished; a real body does not"),
        s => format!(
            "{:.0} % of `{name}` is missing; a real body does not vanish",
            100.0 * s
        ),
    },
};

/// Share of the reference area under which a body counts as gone rather than small.
pub(super) const GONE: f32 = 0.25;
/// Bodies nearer than this to the border may be cut by it, 64ths of the picture.
const BORDER: f32 = 2.0;
/// A hidden body may be so far from where its last motion takes it, 64ths of the picture.
const ROOM: f32 = 1.0;
/// The same for one that was cut already, so that its middle was not seen.
const CUT_ROOM: f32 = 5.0;
/// An outline is the same within so many 64ths of the picture, and this share of its area.
const STILL: f32 = 0.5;
const SAME: f32 = 0.1;
/// What hides a body is nearer by so much of its reach: what it lies on is not.
const IN_FRONT: f32 = 1.5;
/// Who shows so much is seen whole.
const SHOWN: f32 = 0.9;
/// A body covered by others over this share is not expected to be seen.
const HIDDEN: f32 = 0.6;

struct Memory<'a> {
    last: &'a Sighting,
    velocity: [f32; 2],
    whole: bool,
    /// Whether its outline stayed where it was.
    still: bool,
    unseen: usize,
    excused: bool,
}

fn scores(case: &Case, out: &mut Vec<Score>) {
    for n in 0..case.count() {
        let Some(area) = case.known_area[n] else {
            continue;
        };
        let mut memory: Option<Memory> = None;
        for t in 0..case.tracks.len() {
            let now = case.at(n, t);
            let seen = now.area > GONE * area && now.is_seen();
            if let Some(m) = &memory
                && t >= case.tracks.reference
            {
                let cut = near_border(case, m) || now.at_border;
                let visible = 1.0 - covered(case, n, t, m);
                if !cut && visible > 1.0 - HIDDEN && !m.excused {
                    // What was cut before may stay so.
                    let own = if m.whole { area } else { area.min(m.last.area) };
                    let expected = (own * visible).max(1.0);
                    let mut s = case.score(Law::Permanence, n, t, 1.0 - now.area / expected);
                    if !seen {
                        s.bounds = m.last.bounds;
                    }
                    out.push(s);
                }
            }
            memory = Some(match memory.take() {
                Some(m) if !seen => {
                    let hidden = near_border(case, &m) || covered(case, n, t, &m) > HIDDEN;
                    Memory {
                        excused: m.excused || hidden,
                        unseen: m.unseen + 1,
                        ..m
                    }
                }
                before => {
                    let whole = case.whole(n, t) || shows_all(case, n, now);
                    // The middle of what is left to be seen is slower than the body.
                    let velocity = match &before {
                        Some(m) if m.unseen == 0 && !whole => m.velocity,
                        Some(m) if m.unseen == 0 => [
                            now.centroid[0] - m.last.centroid[0],
                            now.centroid[1] - m.last.centroid[1],
                        ],
                        _ => [0.0; 2],
                    };
                    let still =
                        matches!(&before, Some(m) if m.unseen == 0 && is_still(case, m.last, now));
                    Memory {
                        last: now,
                        whole,
                        still,
                        velocity,
                        unseen: 0,
                        excused: false,
                    }
                }
            });
        }
    }
}

/// Whether a body shows the same outline as before: what is seen of it moves with it.
fn is_still(case: &Case, before: &Sighting, now: &Sighting) -> bool {
    let near = |a: f32, b: f32| (a - b).abs() <= STILL * case.fine();
    let sides = (0..4).all(|k| near(f32::from(before.bounds[k]), f32::from(now.bounds[k])));
    let centre = (0..2).all(|k| near(before.centroid[k], now.centroid[k]));
    sides && centre && (now.area - before.area).abs() < SAME * before.area
}

/// Whether nothing is cut off from a body that something is beside: it shows what its shape shows at least.
fn shows_all(case: &Case, n: usize, s: &Sighting) -> bool {
    let least = case.silhouettes.area(case.world, case.body(n), s);
    !s.at_border && least.is_some_and(|[low, _]| s.area > SHOWN * low)
}

fn near_border(case: &Case, m: &Memory) -> bool {
    let size = case.tracks.film.as_ref().map_or(0, |f| f.size) as f32;
    let border = BORDER * case.fine();
    let b = m.last.bounds;
    let half = [
        f32::from(b[2] - b[0]) * 0.5 + border,
        f32::from(b[3] - b[1]) * 0.5 + border,
    ];
    let out = |p: [f32; 2]| (0..2).any(|i| p[i] < half[i] || p[i] > size - half[i]);
    let c = m.last.centroid;
    out(c) || out([c[0] + m.velocity[0], c[1] + m.velocity[1]])
}

/// Share of the body's last mask, moved on by its velocity, that other bodies or fixed ones in front cover:
/// the greater of with and without gravity's pull.
fn covered(case: &Case, n: usize, t: usize, m: &Memory) -> f32 {
    let (world, dt) = (case.world, case.tracks.dt);
    // What rests is held.
    let fallen = match (world.down || m.still, m.last.place) {
        (false, Some(p)) => world.weight() * dt * dt / world.metres_per_pixel(p),
        _ => 0.0,
    };
    let still = covered_at(case, n, t, m, 0.0);
    match fallen > 0.5 {
        true => still.max(covered_at(case, n, t, m, fallen)),
        false => still,
    }
}

fn covered_at(case: &Case, n: usize, t: usize, m: &Memory, fallen: f32) -> f32 {
    let Some(film) = &case.tracks.film else {
        return 0.0;
    };
    if m.last.pixels.is_empty() {
        return 1.0;
    }
    let side = film.size as isize;
    let mut own = vec![false; film.size * film.size];
    m.last.pixels.iter().for_each(|&i| own[i as usize] = true);
    let v = [m.velocity[0], m.velocity[1] + fallen];
    let (dx, dy) = (v[0].round() as isize, v[1].round() as isize);
    let known = &case.world.bodies[case.body(n)];
    let far = match (known.wanders, m.last.place) {
        (true, _) => f32::MAX,
        (false, place) => place.map_or(0.0, |p| case.world.distance(p)) - IN_FRONT * known.bounding,
    };
    // Where exactly it would be is known to a pixel or two.
    let room = if (m.whole && !known.wanders) || m.still {
        ROOM
    } else {
        CUT_ROOM
    };
    let room = (room * case.fine()).round() as isize;
    let inside = |x: isize, y: isize| (0..side).contains(&x) && (0..side).contains(&y);
    let hides = |x: isize, y: isize| {
        let at = (y * side + x) as usize;
        let label = film.labels[t][at];
        let other = label != 0 && label != n as u8 + 1 && label != crate::judge::see::STRANGER;
        // What it was just seen before is behind it.
        let behind = m.unseen == 0 && own[at];
        other || (film.fixed[at] < far && !behind)
    };
    let share = |ax: isize, ay: isize| {
        let (mut all, mut hidden) = (0usize, 0usize);
        for &i in &m.last.pixels {
            let (x, y) = (i as isize % side + dx + ax, i as isize / side + dy + ay);
            if inside(x, y) {
                all += 1;
                hidden += usize::from(hides(x, y));
            }
        }
        hidden as f32 / all.max(1) as f32
    };
    let shifts = (-room..=room).flat_map(|y| (-room..=room).map(move |x| (x, y)));
    shifts.map(|(x, y)| share(x, y)).fold(0.0, f32::max)
}
