//! Where each hue of the palette is in a picture, and how far apart the hues of two pictures are.
//!
//! Mean squared error of pixels says next to nothing before an object overlaps its place in the goal, and
//! it counts the agent's own hand like everything else. The object-colour distance looks for each saturated
//! hue of the palette in both pictures and compares where they are. It sees pixels only: no scene, no
//! state, no instance ids.

use crate::scene::{Colour, hue_of};

/// Number of hues that can carry an identity.
pub const HUES: usize = 7;

/// For every hue, root mean square displacement of its centre over five steps of ordinary experience, in
/// frame sides.
pub type HueMotion = [f32; HUES];

/// Fewer pixels than this are not an object.
const LEAST_PIXELS: f32 = 5.0;
/// Displacement below which differences are noise, in frame sides.
const FLOOR: f32 = 0.02;
/// Colours further from grey than this (of 255) are fully saturated...
const SATURATED: f32 = 55.0;
/// ...and nearer than this not at all.
const GREYISH: f32 = 20.0;
/// Sharpness of the choice between neighbouring hues.
const SHARPNESS: f32 = 80.0;

/// Where each hue is in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objects {
    /// Soft number of pixels of each hue.
    pub mass: [f32; HUES],
    /// Centre of each hue (x, y) in frame sides; meaningless where there is no mass.
    pub centre: [[f32; 2]; HUES],
}

impl Objects {
    /// Finds the hues in a frame `[H, W, 3]`.
    pub fn find(frame: &[u8], size: usize) -> Self {
        let hues = Colour::PALETTE.map(|c| hue_of(c.rgb()).0);
        let mut found = Self::default();
        for (pixel, rgb) in frame.chunks_exact(3).enumerate() {
            let (hue, saturation) = hue_of([rgb[0], rgb[1], rgb[2]]);
            if saturation <= GREYISH {
                continue;
            }
            let presence = ((saturation - GREYISH) / (SATURATED - GREYISH)).min(1.0);
            let likeness = hues.map(|h| h[0] * hue[0] + h[1] * hue[1] + h[2] * hue[2]);
            let best = likeness.iter().fold(f32::MIN, |m, v| m.max(*v));
            if best < 0.8 {
                continue;
            }
            let chance = likeness.map(|l| ((l - best) * SHARPNESS).exp());
            let total: f32 = chance.iter().sum();
            let (x, y) = ((pixel % size) as f32 + 0.5, (pixel / size) as f32 + 0.5);
            for (i, p) in chance.iter().enumerate() {
                let mass = presence * p / total;
                found.mass[i] += mass;
                found.centre[i][0] += mass * x;
                found.centre[i][1] += mass * y;
            }
        }
        for (centre, mass) in found.centre.iter_mut().zip(&found.mass) {
            if *mass > 0.0 {
                *centre = centre.map(|v| v / (mass * size as f32));
            }
        }
        found
    }

    /// Whether the hue covers enough pixels to be an object.
    pub fn shows(&self, hue: usize) -> bool {
        self.mass[hue] >= LEAST_PIXELS
    }

    /// Sum over the goal's hues of (displacement / usual displacement)². A hue that is missing counts as
    /// displaced across half the frame, one that has mostly faded in proportion: a vanished object must
    /// never look like success.
    pub fn distance(&self, goal: &Objects, usual: &HueMotion) -> f32 {
        (0..HUES)
            .filter(|&i| goal.shows(i))
            .map(|i| {
                let scale = 1.0 / (usual[i] * usual[i] + FLOOR * FLOOR);
                let [dx, dy] = [
                    self.centre[i][0] - goal.centre[i][0],
                    self.centre[i][1] - goal.centre[i][1],
                ];
                let present = (2.0 * self.mass[i] / goal.mass[i]).min(1.0);
                (present * (dx * dx + dy * dy) + (1.0 - present) * 0.25) * scale
            })
            .sum()
    }
}
