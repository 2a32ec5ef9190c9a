//! Linear regression, and how well one series of numbers says another.

use super::linalg;

/// Ridge regression of `y: [N, k]` on `x: [N, d]` with an intercept: weight `[k, d]`, bias `[k]`. `lambda`
/// is relative to the mean variance of `x`. `None` for fewer than two rows or constant `x`.
pub fn ridge(
    x: &[f32],
    y: &[f32],
    d: usize,
    k: usize,
    lambda: f64,
) -> Option<(Vec<f32>, Vec<f32>)> {
    if x.len() / d.max(1) < 2 {
        return None;
    }
    let (mean_x, mean_y) = (linalg::mean(x, d), linalg::mean(y, k));
    let mut gram = linalg::covariance(x, &mean_x);
    let ridge = lambda * (0..d).map(|i| gram[i * d + i]).sum::<f64>() / d as f64;
    (0..d).for_each(|i| gram[i * d + i] += ridge);
    let mut cross = vec![0f64; d * k];
    for (x, y) in x.chunks_exact(d).zip(y.chunks_exact(k)) {
        for (i, x) in x.iter().enumerate() {
            let x = f64::from(*x) - mean_x[i];
            for (j, y) in y.iter().enumerate() {
                cross[i * k + j] += x * (f64::from(*y) - mean_y[j]);
            }
        }
    }
    let count = (x.len() / d) as f64;
    cross.iter_mut().for_each(|c| *c /= count);
    let solution = linalg::solve(&gram, &cross, d, k)?;
    let weight: Vec<f32> = (0..k * d)
        .map(|i| solution[(i % d) * k + i / d] as f32)
        .collect();
    let bias = (0..k)
        .map(|j| (mean_y[j] - (0..d).map(|i| solution[i * k + j] * mean_x[i]).sum::<f64>()) as f32);
    Some((weight, bias.collect()))
}

/// Pearson's correlation; 0 where either side is constant.
pub fn pearson(a: &[f32], b: &[f32]) -> f64 {
    let n = a.len().min(b.len()).max(1) as f64;
    let mean = |v: &[f32]| v.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let (ma, mb) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0., 0., 0.);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (f64::from(*a) - ma, f64::from(*b) - mb);
        (ab, aa, bb) = (ab + a * b, aa + a * a, bb + b * b);
    }
    if aa <= 1e-12 * n || bb <= 1e-12 * n {
        0.
    } else {
        ab / (aa * bb).sqrt()
    }
}

/// Spearman's rank correlation; equal numbers share the mean of their ranks; 0 where either side is constant.
pub fn spearman(a: &[f32], b: &[f32]) -> f64 {
    pearson(&ranks(a), &ranks(b))
}

fn ranks(values: &[f32]) -> Vec<f32> {
    let below = |v: f32| values.iter().filter(|o| **o < v).count();
    let equal = |v: f32| values.iter().filter(|o| **o == v).count();
    let rank = |v: &f32| below(*v) as f32 + 0.5 * (equal(*v) as f32 - 1.0);
    values.iter().map(rank).collect()
}

/// Coefficient of determination of `found` against `truth`; 0 where the truth is constant.
pub fn r_squared(found: &[f32], truth: &[f32]) -> f64 {
    let n = truth.len().max(1) as f64;
    let mean = truth.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
    let total: f64 = truth.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum();
    let rest: f64 = found
        .iter()
        .zip(truth)
        .map(|(f, t)| (f64::from(*f) - f64::from(*t)).powi(2))
        .sum();
    if total <= 1e-12 * n {
        0.
    } else {
        1. - rest / total
    }
}
