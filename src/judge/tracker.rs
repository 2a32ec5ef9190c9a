//! Reads bodies out of frames by hue.
//!
//! Shading multiplies a body's colour and edges mix it with a grey background, so the *direction* of a
//! pixel's colour, once its grey part is removed, names the body, and the length of that vector tells how
//! much of the pixel is body. A pixel belongs to the body whose hue lies nearest.

use crate::scene::{Colour, Kind, Scene, hue_of};

/// One body in one frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blob {
    /// Sum of the soft mask, pixels.
    pub area: f32,
    /// Centroid of the soft mask, pixels (centres at .5).
    pub centroid: [f32; 2],
    /// x0, y0, x1, y1 (exclusive) of the mask above one half; zeros when there is none.
    pub bounds: [u16; 4],
    /// Areas of connected components (8-neighbours) of the mask above one half, largest first.
    pub components: Vec<f32>,
    /// Soft mask, `[H, W]`.
    pub mask: Vec<f32>,
}

/// Finds the moving bodies of a scene in frames.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// Indices of the tracked bodies in the scene.
    pub bodies: Vec<usize>,
    /// Bodies that move but cannot be tracked, and why.
    pub left_out: Vec<(usize, String)>,
    /// Of the tracked bodies, then of those left out.
    hues: Vec<[f32; 3]>,
}

/// Colour differences below this are background (sky and shadows are nearly grey), bytes.
pub(super) const CHROMA_FLOOR: f32 = 22.0;
/// Over so many more bytes the mask rises to one.
pub(super) const CHROMA_RISE: f32 = 20.0;
/// Cosine between a pixel's hue and a body's below which it is nobody's.
pub(super) const HUE_COSINE: f32 = 0.8;

impl Tracker {
    /// A tracker for the scene's moving bodies that have a colour to themselves.
    pub fn new(scene: &Scene) -> Self {
        let moving: Vec<usize> = (0..scene.bodies.len())
            .filter(|&i| {
                scene.bodies[i].kind != Kind::Fixed && scene.bodies[i].colour.is_saturated()
            })
            .collect();
        let (mut bodies, mut left_out, mut shared) = (Vec::new(), Vec::new(), Vec::new());
        for &i in &moving {
            let own = colours(scene, i);
            let alike = |&&o: &&usize| o != i && colours(scene, o).iter().any(|c| own.contains(c));
            let reason = match moving.iter().find(alike) {
                Some(&o) => Some(format!(
                    "`{}` and `{}` can have one colour ({:?})",
                    scene.bodies[i].name, scene.bodies[o].name, scene.bodies[i].colour
                )),
                None if own.len() > 1 => Some(format!(
                    "the colour of `{}` is drawn afresh for every seed",
                    scene.bodies[i].name
                )),
                None => None,
            };
            match reason {
                None => bodies.push(i),
                Some(reason) => {
                    left_out.push((i, reason));
                    shared.extend(own);
                }
            }
        }
        let own = bodies.iter().map(|&i| scene.bodies[i].colour);
        let hues = own
            .chain(shared)
            .map(|c: Colour| hue_of(c.rgb()).0)
            .collect();
        Self {
            bodies,
            left_out,
            hues,
        }
    }

    /// Blobs of the tracked bodies, in the order of [`Tracker::bodies`]; `frame` is `[H, W, 3]` bytes.
    pub fn blobs(&self, size: usize, frame: &[u8]) -> Vec<Blob> {
        let mut blobs: Vec<Blob> = self
            .bodies
            .iter()
            .map(|_| Blob {
                mask: vec![0.0; size * size],
                ..Default::default()
            })
            .collect();
        for (i, p) in frame.chunks_exact(3).enumerate().take(size * size) {
            let (direction, length) = hue_of([p[0], p[1], p[2]]);
            let amount = ((length - CHROMA_FLOOR) / CHROMA_RISE).clamp(0.0, 1.0);
            if amount == 0.0 {
                continue;
            }
            let cosines = self
                .hues
                .iter()
                .map(|h| h[0] * direction[0] + h[1] * direction[1] + h[2] * direction[2]);
            let best = cosines.enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
            if let Some((body, cosine)) = best
                && cosine > HUE_COSINE
                && let Some(blob) = blobs.get_mut(body)
            {
                blob.mask[i] = amount;
            }
        }
        for blob in &mut blobs {
            summarise(blob, size);
        }
        blobs
    }
}

/// The colours that a body can have.
fn colours(scene: &Scene, body: usize) -> Vec<Colour> {
    let b = &scene.bodies[body];
    let target = format!("{}.colour", b.name);
    let drawn = scene.randomise.iter().find(|r| r.target == target);
    match drawn {
        Some(r) if !r.colours.is_empty() => {
            let mut colours: Vec<Colour> = Vec::new();
            for &c in &r.colours {
                if !colours.contains(&c) {
                    colours.push(c);
                }
            }
            colours
        }
        _ => vec![b.colour],
    }
}

fn summarise(blob: &mut Blob, size: usize) {
    let (mut x, mut y) = (0.0f32, 0.0f32);
    let mut bounds = [u16::MAX, u16::MAX, 0, 0];
    let mut label = vec![0u8; size * size];
    for (i, mark) in label.iter_mut().enumerate() {
        let m = blob.mask[i];
        if m <= 0.0 {
            continue;
        }
        let (column, row) = (i % size, i / size);
        blob.area += m;
        x += m * (column as f32 + 0.5);
        y += m * (row as f32 + 0.5);
        if m > 0.5 {
            *mark = 1;
            bounds[0] = bounds[0].min(column as u16);
            bounds[1] = bounds[1].min(row as u16);
            bounds[2] = bounds[2].max(column as u16 + 1);
            bounds[3] = bounds[3].max(row as u16 + 1);
        }
    }
    if blob.area > 0.0 {
        blob.centroid = [x / blob.area, y / blob.area];
    }
    blob.bounds = if bounds[0] == u16::MAX {
        [0; 4]
    } else {
        bounds
    };
    let mut stack = Vec::new();
    for start in 0..size * size {
        if label[start] != 1 {
            continue;
        }
        label[start] = 2;
        stack.push(start);
        let mut area = 0.0;
        while let Some(i) = stack.pop() {
            area += blob.mask[i];
            let (column, row) = ((i % size) as isize, (i / size) as isize);
            for (dx, dy) in [
                (-1, -1),
                (0, -1),
                (1, -1),
                (-1, 0),
                (1, 0),
                (-1, 1),
                (0, 1),
                (1, 1),
            ] {
                let (nx, ny) = (column + dx, row + dy);
                let inside = (0..size as isize).contains(&nx) && (0..size as isize).contains(&ny);
                let n = (ny * size as isize + nx) as usize;
                if inside && label[n] == 1 {
                    label[n] = 2;
                    stack.push(n);
                }
            }
        }
        blob.components.push(area);
    }
    blob.components.sort_by(|a, b| b.total_cmp(a));
}
