//! Small pictures: uploaded when they change; films are shown smooth, all else pixel by pixel.

use std::collections::HashMap;

use bevy_egui::egui::{ColorImage, Context, TextureHandle, TextureId, TextureOptions};

use super::super::theme;

/// Pictures that are on the screen, by place.
#[derive(Default)]
pub struct Pictures {
    shown: HashMap<String, (u64, TextureHandle)>,
}

impl Pictures {
    /// The texture of a place, pixel by pixel; `make` is called only when `stamp` differs from that of the
    /// picture there.
    pub fn show(
        &mut self,
        ctx: &Context,
        place: &str,
        stamp: u64,
        make: impl FnOnce() -> Option<ColorImage>,
    ) -> Option<TextureId> {
        self.texture(ctx, place, stamp, TextureOptions::NEAREST, make)
    }

    /// The same, smooth.
    pub fn soft(
        &mut self,
        ctx: &Context,
        place: &str,
        stamp: u64,
        make: impl FnOnce() -> Option<ColorImage>,
    ) -> Option<TextureId> {
        self.texture(ctx, place, stamp, TextureOptions::LINEAR, make)
    }

    fn texture(
        &mut self,
        ctx: &Context,
        place: &str,
        stamp: u64,
        options: TextureOptions,
        make: impl FnOnce() -> Option<ColorImage>,
    ) -> Option<TextureId> {
        if let Some((old, texture)) = self.shown.get_mut(place) {
            if *old != stamp {
                let image = make()?;
                // Bytes are rewritten in place: a new texture would be blank until the renderer has taken
                // it over.
                if texture.size() == image.size {
                    texture.set_partial([0, 0], image, options);
                } else {
                    texture.set(image, options);
                }
                *old = stamp;
            }
            return Some(texture.id());
        }
        let texture = ctx.load_texture(place, make()?, options);
        let id = texture.id();
        self.shown.insert(place.into(), (stamp, texture));
        Some(id)
    }
}

/// A picture of `[size, size, 3]` bytes; `None` where the length does not fit.
pub fn frame_image(size: usize, rgb: &[u8]) -> Option<ColorImage> {
    (rgb.len() == size * size * 3 && size > 0).then(|| ColorImage::from_rgb([size, size], rgb))
}

/// A picture of square bytes `[side, side, 3]`, whatever the side.
pub fn square_image(rgb: &[u8]) -> Option<ColorImage> {
    frame_image((rgb.len() / 3).isqrt(), rgb)
}

/// How far several frames of one moment spread: the standard deviation over them, mean over channels, black
/// (none) to yellow (64 or more).
pub fn spread_image(size: usize, frames: &[&[u8]]) -> Option<ColorImage> {
    let len = size * size * 3;
    if frames.len() < 2 || frames.iter().any(|f| f.len() != len) {
        return None;
    }
    let n = frames.len() as f32;
    let deviation = |i: usize| {
        let values = frames.iter().map(|f| f32::from(f[i]));
        let mean = values.clone().sum::<f32>() / n;
        (values.map(|v| (v - mean) * (v - mean)).sum::<f32>() / n).sqrt()
    };
    let rgb: Vec<u8> = (0..size * size)
        .flat_map(|p| {
            let spread = (0..3).map(|c| deviation(3 * p + c)).sum::<f32>() / 3.0;
            let c = theme::viridis(spread / 64.0);
            let dim = (spread / 6.0).min(1.0);
            [c.r(), c.g(), c.b()].map(|v| (f32::from(v) * dim) as u8)
        })
        .collect();
    Some(ColorImage::from_rgb([size, size], &rgb))
}

/// Half imagination, half truth.
pub fn onion_image(size: usize, imagined: &[u8], truth: &[u8]) -> Option<ColorImage> {
    if imagined.len() != truth.len() {
        return None;
    }
    let each = imagined.iter().zip(truth);
    let rgb: Vec<u8> = each
        .map(|(&a, &b)| ((u16::from(a) + u16::from(b)) / 2) as u8)
        .collect();
    frame_image(size, &rgb)
}

/// Where two frames differ: mean absolute difference over channels, black (none) to yellow (128 or more).
pub fn difference_image(size: usize, a: &[u8], b: &[u8]) -> Option<ColorImage> {
    if a.len() != b.len() || a.len() != size * size * 3 {
        return None;
    }
    let rgb: Vec<u8> = a
        .chunks_exact(3)
        .zip(b.chunks_exact(3))
        .flat_map(|(p, q)| {
            let sum: u32 = p
                .iter()
                .zip(q)
                .map(|(&x, &y)| u32::from(x.abs_diff(y)))
                .sum();
            let c = theme::viridis(sum as f32 / 3.0 / 128.0);
            let dim = (sum as f32 / 24.0).min(1.0);
            [c.r(), c.g(), c.b()].map(|v| (f32::from(v) * dim) as u8)
        })
        .collect();
    Some(ColorImage::from_rgb([size, size], &rgb))
}
