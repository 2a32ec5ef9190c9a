//! **What does not move stays as it is.**
//!
//! Score: how far a patch of 4 x 4 pixels (of 64) that shows neither a body nor its shadow is from what it
//! was before, mean over its pixels and beyond a few bytes of noise, bytes. Fixed bodies, floor and sky
//! belong to the background. A shadow makes a pixel darker by at most what the sun gives, without changing
//! its hue, and only where a body throws one. What the real frames do not show is taken from the scene
//! itself.

use super::{Case, Rule, Score, nowhere_absent};
use crate::camera::SIZE;
use crate::judge::see::STRANGER;
use crate::judge::world::{Range, World};
use crate::scene::Law;

pub(super) const RULE: Rule = Rule {
    law: Law::Background,
    unit: "bytes",
    least: 8.0,
    strong: 45.0,
    readouts: false,
    absent: nowhere_absent,
    scores,
    says: |_, score| format!("what stands still has changed, by {score:.0} of 255"),
};

/// Noise that does not count, bytes.
const NOISE: f32 = 8.0;
/// The deepest shadow, over full light.
const SHADOW: f32 = 0.5;
/// Pixels around a body that its edge and the contact's shadow may change, 64ths of the picture.
const AROUND: f32 = 2.0;
/// A body may be so far from its plane, or from where its visible part has it, metres.
const ASIDE: f32 = 0.1;
/// Side of a patch, 64ths of the picture.
const PATCH: usize = 4;

fn scores(case: &Case, out: &mut Vec<Score>) {
    let Some(film) = &case.tracks.film else {
        return;
    };
    let size = film.size;
    let (base, dim) = base(case);
    let patch = (PATCH * size / SIZE).max(2);
    let step = (patch / 2).max(1);
    let mut error = vec![0.0f32; size * size];
    for t in case.imagined() {
        let covered = covered(case, t);
        let shade = Shade::new(case, t);
        for (i, p) in film.frames[t].chunks_exact(3).enumerate().take(size * size) {
            error[i] = match &base[i] {
                Some(b) if !covered[i] => {
                    let away = film.fixed[i];
                    let drawn = away.is_finite() && case.world.drawn_elsewhere;
                    let most = if drawn || dim[i] { 1.0 / SHADOW } else { 1.0 };
                    let plain = departure(p, b, false, most);
                    let changes = drawn || dim[i] || shade.reaches(case, i, size, away);
                    let off = match plain > NOISE && changes {
                        true => departure(p, b, true, most),
                        false => plain,
                    };
                    (off - NOISE).max(0.0)
                }
                _ => 0.0,
            };
        }
        let (mut worst, mut at) = (0.0f32, [0usize; 2]);
        for y in (0..=size - patch).step_by(step) {
            for x in (0..=size - patch).step_by(step) {
                let rows = (y..y + patch).map(|r| &error[r * size + x..r * size + x + patch]);
                let mean = rows.flatten().sum::<f32>() / (patch * patch) as f32;
                if mean > worst {
                    (worst, at) = (mean, [x, y]);
                }
            }
        }
        let bounds = [at[0], at[1], at[0] + patch, at[1] + patch].map(|v| v as u16);
        out.push(case.whole_film(Law::Background, t, worst, bounds));
    }
}

/// Root mean square distance of a pixel from its background, in shadow or not.
fn departure(p: &[u8], base: &[f32; 3], shaded: bool, most: f32) -> f32 {
    let p: [f32; 3] = std::array::from_fn(|c| f32::from(p[c]));
    let along: f32 = (0..3).map(|c| p[c] * base[c]).sum();
    let long: f32 = base.iter().map(|b| b * b).sum();
    let light = match shaded {
        true => (along / long.max(1.0)).clamp(SHADOW, most),
        false => 1.0,
    };
    let d = (0..3)
        .map(|c| (p[c] - light * base[c]).powi(2))
        .sum::<f32>();
    (d / 3.0).sqrt()
}

/// What each pixel shows where nothing covers it, as far as that is known, and whether it may have lain in
/// shadow then, so that it can become brighter.
fn base(case: &Case) -> (Vec<Option<[f32; 3]>>, Vec<bool>) {
    let Some(film) = &case.tracks.film else {
        return (Vec::new(), Vec::new());
    };
    let (n, plate) = (film.size * film.size, &case.world.plate);
    if plate.len() != 3 * n {
        return (vec![None; n], vec![true; n]);
    }
    let known = !case.world.drawn_elsewhere;
    let drawn = |i: usize| -> [f32; 3] { std::array::from_fn(|c| f32::from(plate[3 * i + c])) };
    let mut base: Vec<Option<[f32; 3]>> = vec![None; n];
    let mut dim = vec![false; n];
    for t in 0..case.tracks.reference.min(film.frames.len()) {
        let covered = covered(case, t);
        for (i, p) in film.frames[t].chunks_exact(3).enumerate().take(n) {
            let p: [f32; 3] = std::array::from_fn(|c| f32::from(p[c]));
            let brighter = base[i].is_none_or(|b| p.iter().sum::<f32>() > b.iter().sum::<f32>());
            if !covered[i] && brighter {
                base[i] = Some(p);
            }
        }
    }
    for (i, b) in base.iter_mut().enumerate() {
        let empty = film.fixed[i].is_infinite() && case.world.fixed[i].is_infinite();
        // At the edge of a fixed body that is drawn elsewhere the scene's picture does not hold.
        if !known && (!empty || b.is_none()) {
            continue;
        }
        let scene = drawn(i);
        let bytes = |v: &[f32; 3]| v.map(|c| c as u8);
        let like = |shaded: bool| {
            b.is_none_or(|b| departure(&bytes(&b), &scene, shaded, 1.0) < 2.0 * NOISE)
        };
        match (known, like(false)) {
            // It may lie in the shadow of a fixed body, which stays, or of another, which goes.
            (false, false) => dim[i] = like(true),
            // A pixel that lay in shadow all the time is as bright as the scene has it.
            _ if like(true) => *b = Some(scene),
            _ => {}
        }
    }
    (base, dim)
}

/// Pixels that a body covers, with what is around it.
fn covered(case: &Case, t: usize) -> Vec<bool> {
    let Some(film) = &case.tracks.film else {
        return Vec::new();
    };
    let size = film.size;
    let reach = (AROUND * case.fine()).round() as usize;
    let mut out = vec![false; size * size];
    for (i, &label) in film.labels[t].iter().enumerate() {
        if label == 0 || label == STRANGER {
            continue;
        }
        let (x, y) = (i % size, i / size);
        for r in y.saturating_sub(reach)..(y + reach + 1).min(size) {
            out[r * size + x.saturating_sub(reach)..r * size + (x + reach + 1).min(size)]
                .fill(true);
        }
    }
    // A rod without a colour of its own is not in the labels.
    for n in 0..case.count() {
        let s = case.at(n, t);
        let world = case.world;
        let Some((pivot, arm)) = world.pivots[case.body(n)] else {
            continue;
        };
        let hung = world
            .eye
            .project([pivot[0], pivot[1], world.bodies[case.body(n)].plane]);
        let (Some(hung), true) = (hung, s.is_seen()) else {
            out.fill(true);
            continue;
        };
        // A rod may reach beyond what it hangs from.
        let (from, long) = (s.centroid, world.bodies[case.body(n)].bounding);
        let beyond = (long / arm).max(1.0);
        let to: [f32; 2] = std::array::from_fn(|i| from[i] + beyond * (hung[i] - from[i]));
        for (i, c) in out.iter_mut().enumerate() {
            let p = [(i % size) as f32 + 0.5, (i / size) as f32 + 0.5];
            *c |= from_line(p, from, to) < 1.5 * AROUND * case.fine();
        }
    }
    out
}

/// Distance of a pixel from the line between two.
fn from_line(p: [f32; 2], a: [f32; 2], b: [f32; 2]) -> f32 {
    let d = [b[0] - a[0], b[1] - a[1]];
    let e = [p[0] - a[0], p[1] - a[1]];
    let long = (d[0] * d[0] + d[1] * d[1]).max(1e-6);
    let t = ((d[0] * e[0] + d[1] * e[1]) / long).clamp(0.0, 1.0);
    (e[0] - t * d[0]).hypot(e[1] - t * d[1])
}

/// Whether a body that is not seen was last seen inside of the picture: it is behind something.
fn was_hidden(case: &Case, n: usize, t: usize) -> bool {
    let last = (0..=t).rev().map(|k| case.at(n, k)).find(|s| s.is_seen());
    last.is_some_and(|s| !s.at_border)
}

/// Where the line from the eye through a point meets the plane at `z`.
fn at_depth(world: &World, p: [f32; 3], z: f32) -> [f32; 3] {
    let eye = world.eye_position();
    let along = (z - eye[2]) / (p[2] - eye[2]);
    match along.is_finite() && along > 0.0 {
        true => std::array::from_fn(|i| eye[i] + along * (p[i] - eye[i])),
        false => p,
    }
}

/// Where bodies may throw their shadows in a frame.
#[derive(Default)]
struct Shade {
    /// Anywhere: some body is hidden, or cut, or not tracked.
    anywhere: bool,
    /// Within so many pixels of the border: a body outside of the picture throws its shadow in.
    band: usize,
    /// Centres and radii of balls that hold the bodies, metres.
    casters: Vec<([f32; 3], f32)>,
}

impl Shade {
    fn new(case: &Case, t: usize) -> Self {
        let world = case.world;
        let movers = world.scene.moving().len();
        let told = |n: usize| {
            let s = case.at(n, t);
            let known = &world.bodies[case.body(n)];
            match world.down {
                true => s.is_seen() || !was_hidden(case, n, t),
                // How far away it is must be known.
                false if known.wanders && known.depth.spread() == 0.0 => false,
                false => s.is_seen() && !s.at_border,
            }
        };
        let mut shade = Self {
            anywhere: case.count() != movers || !(0..movers).all(told),
            ..Self::default()
        };
        if shade.anywhere {
            return shade;
        }
        for n in 0..case.count() {
            let s = case.at(n, t);
            let known = &world.bodies[case.body(n)];
            let cut = s.at_border || !s.is_seen();
            let own = match world.down {
                true => 1.2 * known.bounding + 0.3 * ASIDE,
                false => 2.0 * known.bounding + ASIDE,
            };
            let reach = if cut { 2.0 * own } else { own };
            let seen = (0..=t).rev().find_map(|k| case.at(n, k).place);
            if !s.is_seen() {
                let sun = world.scene.sun;
                let height = known.plane + reach;
                let long = reach + height * sun[0].hypot(sun[2]) / -sun[1];
                let band = (long / world.metres_per_pixel([0.0; 3])).ceil() as usize;
                shade.band = shade.band.max(band);
            }
            let Some(p) = s.place.or(seen) else { continue };
            shade.casters.push((p, reach));
            if !world.down {
                let Range { low, high } = known.depth;
                let between = reach + 0.25 * known.depth.spread();
                let depths = [low, 0.5 * (low + high), high].map(|z| at_depth(world, p, z));
                shade.casters.extend(depths.map(|p| (p, between)));
            }
        }
        shade
    }

    /// Whether what a pixel shows may lie in shadow: the line from there to the sun passes a ball.
    fn reaches(&self, case: &Case, i: usize, size: usize, away: f32) -> bool {
        let (world, sun) = (case.world, case.world.scene.sun);
        let (x, y) = (i % size, i / size);
        if self.anywhere || x.min(y).min(size - 1 - x).min(size - 1 - y) < self.band {
            return true;
        }
        let Some(point) = world.shown([x as f32 + 0.5, y as f32 + 0.5], away) else {
            return false;
        };
        let long = (sun[0] * sun[0] + sun[1] * sun[1] + sun[2] * sun[2]).sqrt();
        self.casters.iter().any(|(p, reach)| {
            let d: [f32; 3] = std::array::from_fn(|k| p[k] - point[k]);
            let along = -(0..3).map(|k| d[k] * sun[k]).sum::<f32>() / long;
            let square = d.iter().map(|v| v * v).sum::<f32>();
            along >= -reach && square - along * along <= reach * reach
        })
    }
}
