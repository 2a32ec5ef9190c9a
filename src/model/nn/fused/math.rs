//! Scalar functions written so that the compiler turns loops over them into vector code: the C library's
//! `expf` and `erff` would be called one element at a time.

/// eˣ to a relative error of about 2e-7 (Cephes' polynomial), for any finite x; saturates outside ±87.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to an integer that then stands in the low bits of the float.
    const ROUND: f32 = 12_582_912.;
    let x = x.clamp(-87., 88.);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * 0.693_359_4 + n * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * r + 1.398_199_9e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_5e-1;
    let p = p * r + 0.5;
    let value = p * r * r + r + 1.;
    let exponent = (shifted.to_bits() as i32)
        .wrapping_sub(ROUND.to_bits() as i32)
        .wrapping_add(127);
    value * f32::from_bits((exponent << 23) as u32)
}

/// Φ(x), the normal distribution function, from Abramowitz & Stegun 7.1.26 (absolute error 1e-7).
#[inline(always)]
pub fn normal_cdf(x: f32) -> f32 {
    let z = x.abs() * std::f32::consts::FRAC_1_SQRT_2;
    let t = 1. / (1. + 0.327_591_1 * z);
    let p = 1.061_405_4;
    let p = p * t - 1.453_152;
    let p = p * t + 1.421_413_7;
    let p = p * t - 0.284_496_74;
    let p = p * t + 0.254_829_6;
    let tail = 0.5 * p * t * exp(-z * z);
    if x < 0. { tail } else { 1. - tail }
}

/// The logistic function.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    1. / (1. + exp(-x))
}

/// x Φ(x), the exact GELU.
#[inline(always)]
pub fn gelu(x: f32) -> f32 {
    x * normal_cdf(x)
}

/// Σ f(i) over `0..n` in sixteen lanes, so that it vectorises.
#[inline(always)]
pub fn sum(n: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; 16];
    let whole = n / 16 * 16;
    for start in (0..whole).step_by(16) {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += f(start + lane);
        }
    }
    let rest: f32 = (whole..n).map(f).sum();
    lanes.iter().sum::<f32>() + rest
}
