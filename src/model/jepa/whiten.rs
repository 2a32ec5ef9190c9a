//! The whitened distance: how far in units of how far latents usually move.

use crate::stats::linalg;

/// C = mean of δ δᵀ over differences δ of latents one token apart, `deltas: [count, d]` → `[d, d]`.
pub fn difference_covariance(deltas: &[f32], d: usize) -> Vec<f64> {
    linalg::covariance(deltas, &vec![0.; d])
}

/// W `[d, d]` such that |W δ|² = δᵀ (C + λ λ̄ I)⁻¹ δ, where λ̄ is the mean eigenvalue of C:
/// with C + λ λ̄ I = L Lᵀ, W = L⁻¹. `None` where C is zero, as of a collapsed model.
pub fn whitening(covariance: &[f64], d: usize, lambda: f64) -> Option<Vec<f32>> {
    let mean_eigenvalue = (0..d).map(|i| covariance[i * d + i]).sum::<f64>() / d.max(1) as f64;
    let mut regular = covariance.to_vec();
    for i in 0..d {
        regular[i * d + i] += lambda * mean_eigenvalue;
    }
    let l = linalg::cholesky(&regular, d)?;
    Some(
        linalg::lower_inverse(&l, d)
            .into_iter()
            .map(|v| v as f32)
            .collect(),
    )
}
