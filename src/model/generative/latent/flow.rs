//! The mathematics of flow matching (Lipman et al. 2023, arXiv 2210.02747) in the form where the network
//! says the clean latent: x_τ = (1 − τ)·z + τ·ε for a noise level τ in [0, 1], so that the
//! velocity ε − z is (x_τ − ẑ) / τ.

/// Noise levels of `nfe` evaluations and the 0 after them, evenly spaced from 1 down.
pub fn levels(nfe: usize) -> Vec<f32> {
    let n = nfe.max(1);
    (0..=n).map(|i| (n - i) as f32 / n as f32).collect()
}

/// What of x_τ remains in one Euler step from `from` to `to`; the rest is the estimate of the clean latent:
/// x + (to − from)·(x − ẑ)/from = x·(to/from) + ẑ·(1 − to/from).
pub fn keep(from: f32, to: f32) -> f32 {
    to / from
}
