//! The floor's colour at a point, averaged over what one sample spans of it.

use rapier3d::prelude::Vector;

use crate::scene::Floor;

const PLAIN: [f32; 3] = [206.0, 203.0, 196.0];
/// The squares of the checker are this much lighter and darker than the plain floor.
const CONTRAST: f32 = 0.06;

/// Colour of the floor around `at`, of which a sample spans `width` metres along x and z.
///
/// The mean of a checker over a rectangle has a closed form: along an axis, the square wave of period 2
/// that is 1 on even and -1 on odd tiles integrates to a triangle wave, and the mean over a rectangle is
/// the product of the means along its sides.
pub(super) fn colour(floor: Floor, at: Vector, width: [f32; 2]) -> [f32; 3] {
    match floor {
        Floor::Plain => PLAIN,
        Floor::Checker { tile_m } => {
            let sign = mean_wave(at.x / tile_m, width[0] / tile_m)
                * mean_wave(at.z / tile_m, width[1] / tile_m);
            PLAIN.map(|c| c * (1.0 + CONTRAST * sign))
        }
    }
}

/// Mean of the square wave (+1 on [0, 1), -1 on [1, 2), period 2) over `width` around `x`.
fn mean_wave(x: f32, width: f32) -> f32 {
    let width = width.max(1e-3);
    let (from, to) = (x - 0.5 * width, x + 0.5 * width);
    ((integral(to) - integral(from)) / width).clamp(-1.0, 1.0)
}

/// Integral of the square wave from 0: a triangle wave between 0 and 1.
fn integral(x: f32) -> f32 {
    let phase = x - 2.0 * (x * 0.5).floor();
    1.0 - (phase - 1.0).abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_the_checker_is_what_many_samples_say() {
        let floor = Floor::Checker { tile_m: 0.1 };
        for (x, z, wx, wz) in [
            (0.03, -0.02, 0.01, 0.01),
            (0.1, 0.25, 0.07, 0.02),
            (-3.33, 0.512, 0.31, 0.18),
            (7.77, -9.1, 2.6, 1.3),
        ] {
            let n = 400;
            let mut sum = 0.0f64;
            for i in 0..n * n {
                let px: f32 = x + wx * ((i % n) as f32 + 0.5 - n as f32 / 2.0) / n as f32;
                let pz: f32 = z + wz * ((i / n) as f32 + 0.5 - n as f32 / 2.0) / n as f32;
                let tiles = (px / 0.1).floor() as i32 + (pz / 0.1).floor() as i32;
                let sign = if tiles.rem_euclid(2) == 0 { 1.0 } else { -1.0 };
                sum += f64::from(PLAIN[0] * (1.0 + CONTRAST * sign));
            }
            let mean = (sum / f64::from(n * n)) as f32;
            let found = colour(floor, Vector::new(x, 0.0, z), [wx, wz])[0];
            assert!((found - mean).abs() < 0.2, "{x} {z}: {found}, not {mean}");
        }
    }
}
