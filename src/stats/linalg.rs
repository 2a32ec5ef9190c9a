//! Small dense symmetric matrices in f64, row-major `[n, n]`: enough for whitening, ridge regression and
//! rank.

/// Lower Cholesky factor of a positive definite matrix; `None` if it is not.
pub fn cholesky(a: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut l = vec![0.; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = a[i * n + j] - dot;
            if i == j {
                if rest.is_nan() || rest <= 0. {
                    return None;
                }
                l[i * n + i] = rest.sqrt();
            } else {
                l[i * n + j] = rest / l[j * n + j];
            }
        }
    }
    Some(l)
}

/// Inverse of a lower triangular matrix.
pub fn lower_inverse(l: &[f64], n: usize) -> Vec<f64> {
    let mut inverse = vec![0.; n * n];
    for column in 0..n {
        inverse[column * n + column] = 1. / l[column * n + column];
        for i in column + 1..n {
            let dot: f64 = (column..i)
                .map(|k| l[i * n + k] * inverse[k * n + column])
                .sum();
            inverse[i * n + column] = -dot / l[i * n + i];
        }
    }
    inverse
}

/// Solves `a x = b` for positive definite `a` and `b: [n, m]`; `None` if `a` is not.
pub fn solve(a: &[f64], b: &[f64], n: usize, m: usize) -> Option<Vec<f64>> {
    let l = cholesky(a, n)?;
    let mut x = b.to_vec();
    for c in 0..m {
        for i in 0..n {
            let dot: f64 = (0..i).map(|k| l[i * n + k] * x[k * m + c]).sum();
            x[i * m + c] = (x[i * m + c] - dot) / l[i * n + i];
        }
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k * m + c]).sum();
            x[i * m + c] = (x[i * m + c] - dot) / l[i * n + i];
        }
    }
    Some(x)
}

/// Eigenvalues of a symmetric matrix by Jacobi rotations, unsorted.
pub fn eigenvalues(a: &[f64], n: usize) -> Vec<f64> {
    let mut a = a.to_vec();
    for _sweep in 0..30 {
        let off: f64 = (0..n * n)
            .filter(|i| i / n != i % n)
            .map(|i| a[i] * a[i])
            .sum();
        let all: f64 = a.iter().map(|v| v * v).sum();
        if off <= 1e-18 * all {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                if a[p * n + q].abs() < 1e-300 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2. * a[p * n + q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.).sqrt());
                let t = if theta == 0. { 1. } else { t };
                let c = 1. / (t * t + 1.).sqrt();
                let s = t * c;
                for k in 0..n {
                    let (x, y) = (a[k * n + p], a[k * n + q]);
                    (a[k * n + p], a[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                for k in 0..n {
                    let (x, y) = (a[p * n + k], a[q * n + k]);
                    (a[p * n + k], a[q * n + k]) = (c * x - s * y, s * x + c * y);
                }
            }
        }
    }
    (0..n).map(|i| a[i * n + i]).collect()
}

/// Mean of `row` over rows `[count, n]`.
pub fn mean(rows: &[f32], n: usize) -> Vec<f64> {
    let count = (rows.len() / n.max(1)).max(1) as f64;
    let mut mean = vec![0f64; n];
    for row in rows.chunks_exact(n) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(m, v)| *m += f64::from(*v));
    }
    mean.iter_mut().for_each(|m| *m /= count);
    mean
}

/// Covariance `[n, n]` of rows `[count, n]` about `centre`.
pub fn covariance(rows: &[f32], centre: &[f64]) -> Vec<f64> {
    let n = centre.len();
    let count = (rows.len() / n.max(1)).max(1) as f64;
    let mut sum = vec![0f64; n * n];
    let mut centred = vec![0f64; n];
    for row in rows.chunks_exact(n) {
        centred
            .iter_mut()
            .zip(row)
            .zip(centre)
            .for_each(|((c, v), m)| *c = f64::from(*v) - m);
        for (i, a) in centred.iter().enumerate() {
            sum[i * n..(i + 1) * n]
                .iter_mut()
                .zip(&centred)
                .for_each(|(s, b)| *s += a * b);
        }
    }
    sum.iter_mut().for_each(|s| *s /= count);
    sum
}

/// Effective rank of latents `[count, n]`: the exponential of the entropy of the covariance's eigenvalues
/// (Roy & Vetterli 2007), and the mean standard deviation of the components.
pub fn effective_rank(rows: &[f32], n: usize) -> (f64, f64) {
    let c = covariance(rows, &mean(rows, n));
    let std = (0..n).map(|i| c[i * n + i].max(0.).sqrt()).sum::<f64>() / n.max(1) as f64;
    let values: Vec<f64> = eigenvalues(&c, n).into_iter().map(|v| v.max(0.)).collect();
    let total: f64 = values.iter().sum();
    if total <= 0. {
        return (0., std);
    }
    let entropy: f64 = values
        .iter()
        .filter(|v| **v > 0.)
        .map(|v| -(v / total) * (v / total).ln())
        .sum();
    (entropy.exp(), std)
}

/// Σ aᵢ bᵢ in eight lanes, so that it vectorises.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0f64; 8];
    let (whole_a, whole_b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = whole_a
        .remainder()
        .iter()
        .zip(whole_b.remainder())
        .map(|(a, b)| a * b)
        .sum();
    for (a, b) in whole_a.zip(whole_b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum::<f64>() + rest
}

/// Σ aᵢ bᵢ.
pub fn dot32(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
