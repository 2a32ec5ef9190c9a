//! Noise whose neighbours in time resemble each other.

use rand::Rng;
use rand_distr::StandardNormal;

/// `n` numbers of unit variance whose power falls with frequency f as 1/f^`beta` (Timmer & König 1995, as
/// iCEM draws them, arXiv 2008.06389): 0 is white, 2 wanders. Frequencies are those of a sequence of `n`;
/// the constant one gets the power of the lowest.
pub fn coloured(n: usize, beta: f32, rng: &mut impl Rng) -> Vec<f32> {
    let half = n / 2;
    let scale = |k: usize| libm::powf(k.max(1) as f32 / n.max(1) as f32, -beta / 2.0);
    let mut noise = vec![0.0f32; n];
    let mut variance = 0.0;
    for k in 0..=half {
        let (a, b): (f32, f32) = (rng.sample(StandardNormal), rng.sample(StandardNormal));
        let size = scale(k);
        // The constant and the highest frequency of an even length have no sine.
        let single = k == 0 || 2 * k == n;
        variance += size * size;
        for (t, v) in noise.iter_mut().enumerate() {
            let angle = std::f32::consts::TAU * (k * t % n.max(1)) as f32 / n.max(1) as f32;
            let (sin, cos) = libm::sincosf(angle);
            *v += size * if single { a * cos } else { a * cos + b * sin };
        }
    }
    let unit = 1.0 / variance.sqrt().max(1e-12);
    noise.iter_mut().for_each(|v| *v *= unit);
    noise
}
