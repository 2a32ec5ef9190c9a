//! Between bytes and what the network sees: centred, scaled pixels, folded four by four into channels.

use super::PixelDiffusionConfig;

/// Folds frames `[H, W, 3]` of bytes into `[H/p, W/p, 3·p²]` of numbers (row, column, colour within a
/// patch) and back.
#[derive(Clone, Debug)]
pub struct Patches {
    size: usize,
    patch: usize,
    mean: [f32; 3],
    sigma_data: f32,
}

impl Patches {
    /// The folding of a model.
    pub fn new(config: &PixelDiffusionConfig) -> Self {
        // A model whose data was not measured yet takes the pixels as they are.
        let sigma_data = if config.sigma_data > 0.0 {
            config.sigma_data
        } else {
            1.0
        };
        Self {
            size: config.size,
            patch: config.patch,
            mean: config.mean,
            sigma_data,
        }
    }

    /// The folding of frames whose pixels are taken as they are, in [-1, 1].
    pub fn plain(size: usize, patch: usize) -> Self {
        Self {
            size,
            patch,
            mean: [0.0; 3],
            sigma_data: 1.0,
        }
    }

    /// Appends a frame in units of the data's standard deviation: zero mean, unit variance over the data.
    pub fn fold(&self, frame: &[u8], out: &mut Vec<f32>) {
        let scale = 1.0 / (127.5 * self.sigma_data);
        let shift = self.mean.map(|m| -(1.0 + m) / self.sigma_data);
        self.visit(|pixel| {
            for c in 0..3 {
                out.push(f32::from(frame[3 * pixel + c]) * scale + shift[c]);
            }
        });
    }

    /// Appends one number for every folded value: `weights` has one a pixel.
    pub fn fold_weights(&self, weights: impl Fn(usize) -> f32, out: &mut Vec<f32>) {
        self.visit(|pixel| out.extend([weights(pixel); 3]));
    }

    /// The bytes of a folded frame, rounded and clipped.
    pub fn unfold(&self, values: &[f32], frame: &mut [u8]) {
        let mut values = values.chunks_exact(3);
        self.visit(|pixel| {
            if let Some(rgb) = values.next() {
                for c in 0..3 {
                    frame[3 * pixel + c] = self.byte(rgb[c], c);
                }
            }
        });
    }

    /// What a folded frame becomes when it is stored in bytes and read again.
    pub fn quantise(&self, values: &mut [f32]) {
        for rgb in values.chunks_exact_mut(3) {
            for (c, v) in rgb.iter_mut().enumerate() {
                *v = (f32::from(self.byte(*v, c)) / 127.5 - 1.0 - self.mean[c]) / self.sigma_data;
            }
        }
    }

    fn byte(&self, value: f32, c: usize) -> u8 {
        // `as` saturates and turns NaN into 0.
        ((value * self.sigma_data + self.mean[c] + 1.0) * 127.5).round() as u8
    }

    /// Pixels in the order of the folded values.
    fn visit(&self, mut f: impl FnMut(usize)) {
        let side = self.size / self.patch;
        for by in 0..side {
            for bx in 0..side {
                for y in 0..self.patch {
                    for x in 0..self.patch {
                        f((by * self.patch + y) * self.size + bx * self.patch + x);
                    }
                }
            }
        }
    }
}
