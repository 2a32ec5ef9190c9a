//! The scale of the data: mean colour, deviation, and how far each hue moves.

use crate::episode::Dataset;
use crate::model::generative::PixelDiffusionConfig;
use crate::model::goal::{HUES, HueMotion, Objects};

/// Frames looked at.
const SAMPLES: usize = 2000;
/// Steps over which motion is measured, as in the whitened cost of the JEPA camp.
const STEPS: usize = 5;

/// Fills `mean`, `sigma_data` and `hue_motion` from a dataset. Motion is taken from episodes with actions
/// where there are any: only they are planned in, and what falls by itself says nothing about how hard a
/// thing is to move.
pub fn measure(data: &Dataset, config: &mut PixelDiffusionConfig) {
    let stride = (data.len() / SAMPLES).max(1);
    let (mut sum, mut squares, mut n) = ([0f64; 3], 0f64, 0f64);
    for i in (0..data.len()).step_by(stride) {
        for rgb in data.frame(i).chunks_exact(3) {
            for (c, byte) in rgb.iter().enumerate() {
                let value = f64::from(*byte) / 127.5 - 1.0;
                sum[c] += value;
                squares += value * value;
            }
            n += 1.0;
        }
    }
    if n > 0.0 {
        let mean = sum.map(|s| s / n);
        let variance = squares / n / 3.0 - mean.iter().map(|m| m * m).sum::<f64>() / 3.0;
        config.mean = mean.map(|m| m as f32);
        config.sigma_data = variance.max(1e-4).sqrt() as f32;
    }
    config.hue_motion = hue_motion(data);
}

/// How far each hue moves in [`STEPS`] steps of ordinary experience.
pub fn hue_motion(data: &Dataset) -> HueMotion {
    let acts = |e: &&crate::episode::EpisodeSpan| {
        (0..e.len).any(|t| data.action(e.start + t).iter().any(|a| *a != 0.0))
    };
    let mut episodes: Vec<_> = data.episodes.iter().filter(acts).collect();
    if episodes.is_empty() {
        episodes = data.episodes.iter().collect();
    }
    let (mut squares, mut counts) = ([0f32; HUES], [0f32; HUES]);
    let each = episodes.len().div_ceil(SAMPLES / 4).max(1);
    for episode in episodes.iter().step_by(each) {
        for t in (0..episode.len.saturating_sub(STEPS)).step_by(2 * STEPS) {
            let at = |t: usize| Objects::find(data.frame(episode.start + t), data.size);
            let (before, after) = (at(t), at(t + STEPS));
            for hue in (0..HUES).filter(|&h| before.shows(h) && after.shows(h)) {
                let [dx, dy] = [0, 1].map(|i| after.centre[hue][i] - before.centre[hue][i]);
                squares[hue] += dx * dx + dy * dy;
                counts[hue] += 1.0;
            }
        }
    }
    let mut motion = PixelDiffusionConfig::default().hue_motion;
    for hue in (0..HUES).filter(|&h| counts[h] > 0.0) {
        motion[hue] = (squares[hue] / counts[hue]).sqrt();
    }
    motion
}
