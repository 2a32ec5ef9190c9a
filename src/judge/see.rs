//! From frames to tracks: pixels are given to bodies by hue (see `tracker.rs`), and each body's pixels are
//! summed up as a [`Sighting`].

use super::track::{Film, Look, Moments, Sighting, Source, Track, Tracks};
use super::tracker::{CHROMA_FLOOR, CHROMA_RISE, HUE_COSINE, Tracker};
use super::world::{Known, World};
use crate::camera::SIZE;
use crate::scene::{Shape, hue_of};

/// Label of a pixel whose colour no body has.
pub const STRANGER: u8 = 255;
/// Label of a pixel of a body that is not tracked.
const LEFT_OUT: u8 = 254;
/// A pixel is part of the outline's blur while its colour is so pure, over its paint's.
const BLURRED: [f32; 2] = [0.2, 0.8];
/// Under this brightness a pixel of a marked body, over its lit paint, is its mark's.
const MARK: f32 = 0.57;
/// A ball that shows so much of its disc is hidden by nothing.
const WHOLE_DISC: f32 = 0.96;
/// Two masks are beside each other within so many 64ths of the picture.
const BESIDE: f32 = 1.5;
/// Brightness that a body commonly has, over its fully lit paint's.
const LIT: f32 = 0.85;
/// An outline so much longer than broad has a direction.
const LONG: f32 = 1.35;
/// A fixed body that is drawn elsewhere for each seed is darker than any shadow on the floor.
const DARK: f32 = 0.44;

/// One paint that a body can show.
struct Paint {
    /// Index of the track; none for bodies that are left out.
    track: Option<usize>,
    hue: [f32; 3],
    rgb: [f32; 3],
    /// Distance from grey over brightness.
    purity: f32,
    /// Whether it is another paint than the body's own: a direction can be seen by it.
    second: bool,
}

/// Reads frames of one scene.
pub struct Seer {
    paints: Vec<Paint>,
    bodies: Vec<usize>,
    marked: Vec<bool>,
    /// Which bodies turn about the line of sight only, so that a long outline has a direction.
    long: Vec<bool>,
}

/// A frame's pixels by body.
struct Labels {
    label: Vec<u8>,
    /// How pure the colour is, over the paint's.
    purity: Vec<f32>,
    /// Brightness over the lit paint's.
    light: Vec<f32>,
    /// Soft mask.
    amount: Vec<f32>,
    second: Vec<bool>,
}

impl Seer {
    /// For the scene's tracked bodies.
    pub fn new(world: &World, tracker: &Tracker) -> Self {
        let scene = &world.scene;
        let mut paints = Vec::new();
        let left_out = tracker.left_out.iter().map(|(b, _)| (*b, None));
        let tracked = tracker
            .bodies
            .iter()
            .enumerate()
            .map(|(n, &b)| (b, Some(n)));
        for (body, track) in tracked.chain(left_out) {
            let b = &scene.bodies[body];
            let own = std::iter::once(b.colour);
            let others = b.shape.parts();
            let others = others.iter().filter_map(|p| p.colour);
            for (n, colour) in own.chain(others).enumerate() {
                if !colour.is_saturated() {
                    continue;
                }
                let (hue, chroma) = hue_of(colour.rgb());
                let rgb = colour.rgb().map(f32::from);
                paints.push(Paint {
                    track,
                    hue,
                    rgb,
                    purity: chroma / ((rgb[0] + rgb[1] + rgb[2]) / 3.0),
                    second: n > 0,
                });
            }
        }
        let long = |&b: &usize| world.down && !matches!(scene.bodies[b].shape, Shape::Ball { .. });
        Self {
            paints,
            marked: tracker
                .bodies
                .iter()
                .map(|&b| scene.bodies[b].marked)
                .collect(),
            long: tracker.bodies.iter().map(long).collect(),
            bodies: tracker.bodies.clone(),
        }
    }

    /// Tracks through frames, of which the first `reference` are real.
    pub fn tracks<'a>(
        &self,
        world: &World,
        size: usize,
        reference: usize,
        frames: &'a [&'a [u8]],
        actions: Option<&'a [Vec<f32>]>,
    ) -> Tracks<'a> {
        let reference = reference.clamp(1, frames.len().max(1));
        let (fixed, shifted) = fixed_bodies(world, size, &frames[..reference.min(frames.len())]);
        let mut tracks: Vec<Track> = self
            .bodies
            .iter()
            .map(|&body| Track {
                body,
                sightings: Vec::with_capacity(frames.len()),
            })
            .collect();
        let mut labels = Vec::with_capacity(frames.len());
        let backgrounds = (world.bright.len() == size * size).then_some(&world.bright[..]);
        for frame in frames {
            let read = self.read(size, frame, backgrounds);
            for (n, sighting) in self
                .sightings(world, size, &read, &fixed)
                .into_iter()
                .enumerate()
            {
                tracks[n].sightings.push(sighting);
            }
            labels.push(read.label);
        }
        Tracks {
            source: Source::Frames { size },
            dt: 0.1,
            reference,
            tracks,
            film: Some(Film {
                size,
                frames,
                labels,
                fixed,
                shifted,
            }),
            actions,
        }
    }

    fn read(&self, size: usize, frame: &[u8], backgrounds: Option<&[f32]>) -> Labels {
        let n = size * size;
        let mut out = Labels {
            label: vec![0; n],
            purity: vec![0.0; n],
            light: vec![0.0; n],
            amount: vec![0.0; n],
            second: vec![false; n],
        };
        let floor2 = CHROMA_FLOOR * CHROMA_FLOOR;
        for (i, p) in frame.chunks_exact(3).enumerate().take(n) {
            let (r, g, b) = (f32::from(p[0]), f32::from(p[1]), f32::from(p[2]));
            let grey = (r + g + b) / 3.0;
            let away = [r - grey, g - grey, b - grey];
            let length2 = away[0] * away[0] + away[1] * away[1] + away[2] * away[2];
            if length2 <= floor2 {
                continue;
            }
            let length = length2.sqrt();
            let amount = ((length - CHROMA_FLOOR) / CHROMA_RISE).min(1.0);
            let mut best = (0usize, -1.0f32);
            for (k, paint) in self.paints.iter().enumerate() {
                let h = &paint.hue;
                let cosine = (h[0] * away[0] + h[1] * away[1] + h[2] * away[2]) / length;
                if cosine > best.1 {
                    best = (k, cosine);
                }
            }
            if best.1 <= HUE_COSINE {
                out.label[i] = if amount >= 1.0 { STRANGER } else { 0 };
                continue;
            }
            let paint = &self.paints[best.0];
            let Some(track) = paint.track else {
                out.label[i] = LEFT_OUT;
                continue;
            };
            out.label[i] = track as u8 + 1;
            let purity = length / grey.max(1.0) / paint.purity;
            out.purity[i] = purity;
            out.amount[i] = share(purity, paint, backgrounds.map_or(190.0, |b| b[i]));
            let c = &paint.rgb;
            out.light[i] =
                (r * c[0] + g * c[1] + b * c[2]) / (c[0] * c[0] + c[1] * c[1] + c[2] * c[2]);
            out.second[i] = paint.second;
        }
        out
    }

    fn sightings(&self, world: &World, size: usize, read: &Labels, fixed: &[f32]) -> Vec<Sighting> {
        let mut found: Vec<Sighting> = vec![Sighting::default(); self.bodies.len()];
        let mut around = vec![[u16::MAX, u16::MAX, 0u16, 0u16]; self.bodies.len()];
        for (i, &label) in read.label.iter().enumerate() {
            if label == 0 || label >= LEFT_OUT {
                continue;
            }
            let s = &mut found[usize::from(label) - 1];
            let (x, y) = ((i % size) as f32 + 0.5, (i / size) as f32 + 0.5);
            let m = read.amount[i];
            s.area += m;
            s.centroid[0] += m * x;
            s.centroid[1] += m * y;
            let (column, row) = ((i % size) as u16, (i / size) as u16);
            let grow = |b: &mut [u16; 4]| {
                b[0] = b[0].min(column);
                b[1] = b[1].min(row);
                b[2] = b[2].max(column + 1);
                b[3] = b[3].max(row + 1);
            };
            grow(&mut around[usize::from(label) - 1]);
            if m > 0.5 {
                if s.pixels.is_empty() {
                    s.bounds = [u16::MAX, u16::MAX, 0, 0];
                }
                grow(&mut s.bounds);
                s.pixels.push(i as u32);
            }
        }
        for (n, s) in found.iter_mut().enumerate() {
            if s.area <= 0.0 {
                continue;
            }
            s.centroid = [s.centroid[0] / s.area, s.centroid[1] / s.area];
            if s.pixels.is_empty() {
                continue;
            }
            let [x0, y0, x1, y1] = s.bounds.map(usize::from);
            s.at_border = x0 == 0 || y0 == 0 || x1 >= size || y1 >= size;
            if let Some((place, at)) = world.place(self.bodies[n], s.centroid) {
                s.place = Some(place);
                s.at = at;
                s.sigma_m = 0.2 * world.metres_per_pixel(place);
            }
            // What is clearly nearer than the body may hide a part of it.
            let far = s.place.map_or(f32::INFINITY, |p| world.distance(p));
            let known = &world.bodies[self.bodies[n]];
            let far = match known.wanders {
                _ if shows_all(world, known, s) => f32::MIN,
                true => f32::MAX,
                false => far - 0.5 * known.bounding,
            };
            self.outline(n, size, read, (fixed, far), around[n], s);
            s.components = components(size, s, n as u8 + 1, read);
        }
        found
    }

    /// What takes a second look at the body's pixels: moments, look, direction, neighbours.
    fn outline(
        &self,
        n: usize,
        size: usize,
        read: &Labels,
        (fixed, far): (&[f32], f32),
        around: [u16; 4],
        s: &mut Sighting,
    ) {
        let own = n as u8 + 1;
        let fine = size as f32 / SIZE as f32;
        let (mut xx, mut xy, mut yy, mut r4) = (0.0f32, 0.0f32, 0.0f32, 0.0f32);
        let (mut partial, mut edge) = (0usize, 0usize);
        let mut core = 0.0f32;
        let (mut inside, mut purity, mut light) = (0.0f32, 0.0f32, 0.0f32);
        let (mut marks, mut mark_x, mut mark_y) = (0.0f32, 0.0f32, 0.0f32);
        let [x0, y0, x1, y1] = around.map(usize::from);
        let hard = |i: usize| read.label[i] == own && read.amount[i] > 0.5;
        for y in y0..y1 {
            for x in x0..x1 {
                let i = y * size + x;
                if read.label[i] != own {
                    continue;
                }
                let m = read.amount[i];
                let dx = x as f32 + 0.5 - s.centroid[0];
                let dy = y as f32 + 0.5 - s.centroid[1];
                xx += m * dx * dx;
                xy += m * dx * dy;
                yy += m * dy * dy;
                r4 += m * (dx * dx + dy * dy) * (dx * dx + dy * dy);
                if (BLURRED[0]..BLURRED[1]).contains(&read.purity[i]) {
                    partial += 1;
                }
                if m <= 0.5 {
                    continue;
                }
                core += m;
                let inner = x > 0
                    && y > 0
                    && x + 1 < size
                    && y + 1 < size
                    && [i - 1, i + 1, i - size, i + size].iter().all(|&j| hard(j));
                if !inner {
                    edge += 1;
                    continue;
                }
                inside += 1.0;
                purity += read.purity[i];
                light += read.light[i];
                if read.second[i] || (self.marked[n] && read.light[i] < MARK) {
                    marks += 1.0;
                    mark_x += dx;
                    mark_y += dy;
                }
            }
        }
        let (xx, xy, yy) = (xx / s.area, xy / s.area, yy / s.area);
        let r2 = xx + yy;
        s.moments = Moments {
            xx,
            xy,
            yy,
            r4: r4 / s.area / (r2 * r2).max(1e-6),
        };
        s.look = Look {
            opacity: if inside > 0.0 { purity / inside } else { 1.0 },
            softness: partial as f32 / edge.max(1) as f32,
            core: core / s.area,
            light: if inside > 0.0 { light / inside } else { 1.0 },
            inside,
        };
        let tau = std::f32::consts::TAU;
        s.angle = if marks >= 2.0 * fine && marks < 0.7 * inside {
            Some([libm::atan2f(-mark_y, mark_x), tau])
        } else {
            let spread = ((xx - yy) * (xx - yy) + 4.0 * xy * xy).sqrt();
            let (great, small) = (0.5 * (r2 + spread), 0.5 * (r2 - spread));
            let long = self.long[n] && !self.marked[n] && great > LONG * LONG * small;
            long.then(|| [-0.5 * libm::atan2f(2.0 * xy, xx - yy), tau / 2.0])
        };
        let reach = (BESIDE * fine).round().max(1.0) as usize;
        let b = s.bounds.map(usize::from);
        let columns = b[0].saturating_sub(reach)..(b[2] + reach).min(size);
        let rows = b[1].saturating_sub(reach)..(b[3] + reach).min(size);
        // Any pixel of another body within reach of the mask may hide a part of it.
        s.beside = rows.clone().any(|y| {
            columns.clone().any(|x| {
                let i = y * size + x;
                let other = match read.label[i] {
                    0 | STRANGER => fixed[i] < far,
                    label => label != own && read.amount[i] > 0.5,
                };
                other && touches(size, read, own, x, y, reach)
            })
        });
    }
}

/// How much of a pixel is body: its colour is less pure the more grey background shines beside it.
fn share(purity: f32, paint: &Paint, background: f32) -> f32 {
    let q = purity.clamp(0.0, 1.0);
    let own = LIT * (paint.rgb[0] + paint.rgb[1] + paint.rgb[2]) / 3.0;
    q * background / (q * background + (1.0 - q) * own).max(1e-3)
}

/// Whether a ball of known size shows its whole disc, so that nothing fixed hides a part of it.
fn shows_all(world: &World, known: &Known, s: &Sighting) -> bool {
    let (Shape::Ball { radius }, Some(place)) = (&known.shape, s.place) else {
        return false;
    };
    let pixels = radius / world.metres_per_pixel(place);
    let disc = std::f32::consts::PI * pixels * pixels;
    known.size.spread() == 0.0 && !known.wanders && s.area > WHOLE_DISC * disc
}

/// Whether a pixel within `reach` of this one is the body's.
fn touches(size: usize, read: &Labels, own: u8, x: usize, y: usize, reach: usize) -> bool {
    let columns = x.saturating_sub(reach)..(x + reach + 1).min(size);
    let mut rows = y.saturating_sub(reach)..(y + reach + 1).min(size);
    rows.any(|r| {
        columns.clone().any(|c| {
            let i = r * size + c;
            read.label[i] == own && read.amount[i] > 0.5
        })
    })
}

/// Areas of the mask's connected parts, largest first.
fn components(size: usize, s: &Sighting, own: u8, read: &Labels) -> Vec<f32> {
    let [x0, y0, x1, y1] = s.bounds.map(usize::from);
    let (w, h) = (x1 - x0, y1 - y0);
    let mut open = vec![false; w * h];
    for &i in &s.pixels {
        let i = i as usize;
        open[(i / size - y0) * w + (i % size - x0)] = true;
    }
    let (mut areas, mut stack) = (Vec::new(), Vec::new());
    for start in 0..w * h {
        if !std::mem::take(&mut open[start]) {
            continue;
        }
        stack.push(start);
        let mut area = 0.0;
        while let Some(k) = stack.pop() {
            let (x, y) = (k % w, k / w);
            let i = (y + y0) * size + x + x0;
            debug_assert_eq!(read.label[i], own);
            area += read.amount[i];
            for ny in y.saturating_sub(1)..(y + 2).min(h) {
                for nx in x.saturating_sub(1)..(x + 2).min(w) {
                    if std::mem::take(&mut open[ny * w + nx]) {
                        stack.push(ny * w + nx);
                    }
                }
            }
        }
        areas.push(area);
    }
    areas.sort_by(|a, b| b.total_cmp(a));
    areas
}

/// Where fixed bodies are seen, and how far those that are drawn for each seed are from where the file has
/// them. Such bodies are found by being darker than any shadow on the floor.
fn fixed_bodies(world: &World, size: usize, reference: &[&[u8]]) -> (Vec<f32>, [f32; 2]) {
    if world.fixed.len() != size * size {
        return (vec![f32::INFINITY; size * size], [0.0; 2]);
    }
    let nowhere = (world.fixed.clone(), [0.0; 2]);
    let Some(frame) = reference.first() else {
        return nowhere;
    };
    if !world.drawn_elsewhere {
        return nowhere;
    }
    // The empty floor is seen beside the fixed bodies: its least bright lit pixel is their measure.
    let bright = |rgb: &[u8]| u32::from(rgb[0]) + u32::from(rgb[1]) + u32::from(rgb[2]);
    let lit = world.plate.chunks_exact(3).zip(&world.fixed);
    let lit = lit
        .filter(|(_, fixed)| fixed.is_infinite())
        .map(|(p, _)| bright(p));
    let limit = DARK * lit.max().unwrap_or(765) as f32;
    let dark = |rgb: &[u8]| {
        let spread = rgb.iter().max().zip(rgb.iter().min());
        (bright(rgb) as f32) < limit && spread.is_some_and(|(a, b)| a - b < 30)
    };
    let centre = |frame: &[u8]| {
        let (mut n, mut x, mut y) = (0.0f32, 0.0f32, 0.0f32);
        for (i, _) in frame.chunks_exact(3).enumerate().filter(|(_, p)| dark(p)) {
            n += 1.0;
            x += (i % size) as f32 + 0.5;
            y += (i / size) as f32 + 0.5;
        }
        (n > 0.0).then(|| [x / n, y / n])
    };
    let (Some(home), Some(here)) = (centre(&world.plate), centre(frame)) else {
        return nowhere;
    };
    let by = [here[0] - home[0], here[1] - home[1]];
    let (dx, dy) = (by[0].round() as isize, by[1].round() as isize);
    let side = size as isize;
    let fixed = (0..side * side).map(|i| {
        let (x, y) = (i % side - dx, i / side - dy);
        let within = (0..side).contains(&x) && (0..side).contains(&y);
        match within {
            true => world.fixed[(y * side + x) as usize],
            false => f32::INFINITY,
        }
    });
    let scale = world.metres_per_pixel([0.0; 3]);
    (fixed.collect(), [by[0] * scale, by[1] * scale])
}
