//! Read-outs: body states from frozen latents. Trained afterwards, seen by no planner and no training loss.

use super::{DecoderSizes, linalg};
use crate::model::nn::{Init, Linear, Mlp, Params};
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// What is read out of every body, in this order: place, orientation about the vertical, velocity.
pub const QUANTITIES: [&str; 6] = ["x", "z", "cos_yaw", "sin_yaw", "vx", "vz"];
/// How many of [`QUANTITIES`] a single latent can hold.
pub const POSE: usize = 4;
/// Latents, a control step apart, that the history probes see: one alone holds no velocity.
pub const HISTORY: usize = 3;
const HIDDEN: usize = 128;

/// Which bodies the probes of a model read, as `readouts.json` beside the weights says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    /// Names of the bodies.
    pub bodies: Vec<String>,
    /// Whether the pose probe knows each body's orientation (R² above 0.3 on validation episodes).
    pub yaw: Vec<bool>,
    /// Quality of every probe on validation episodes.
    #[serde(default)]
    pub quality: Vec<FittedProbe>,
    /// Sizes of the diagnostic decoder, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderSizes>,
}

/// How well one quantity is read out on validation episodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedProbe {
    /// Body.
    pub body: String,
    /// One of [`QUANTITIES`].
    pub quantity: String,
    /// Pearson's r of the linear probe on three latents.
    pub linear_r: f64,
    /// Its coefficient of determination.
    pub linear_r2: f64,
    /// Pearson's r of the MLP probe on three latents.
    pub mlp_r: f64,
    /// Its coefficient of determination.
    pub mlp_r2: f64,
    /// R² of the MLP probe on a single latent (poses only).
    pub single_r2: Option<f64>,
}

/// The probes of a model, under `probe.*` of its weights. Targets are standardised by `mean` and `std`.
pub struct Probes {
    /// `[B·6]` in the units of the states.
    pub mean: Tensor,
    /// `[B·6]`.
    pub std: Tensor,
    /// Ridge regression from `[N, 3·D]` to `[N, B·6]`.
    pub linear: Linear,
    /// MLP from `[N, 3·D]` to `[N, B·6]`.
    pub history: Mlp,
    /// MLP from one latent `[N, D]` to `[N, B·6]`, of which only poses were trained.
    pub single: Mlp,
}

impl Probes {
    /// Probes of `bodies` bodies for latents `dim` wide; `p` is the model's root.
    pub fn new(dim: usize, bodies: usize, p: &Params) -> Result<Self> {
        let (p, outputs) = (p.pp("probe"), bodies * QUANTITIES.len());
        Ok(Self {
            mean: p.buffer(outputs, "mean", Init::Zeros)?.as_detached_tensor(),
            std: p.buffer(outputs, "std", Init::Ones)?.as_detached_tensor(),
            linear: Linear::new(HISTORY * dim, outputs, p.pp("linear"))?,
            history: Mlp::new(HISTORY * dim, HIDDEN, outputs, p.pp("history"))?,
            single: Mlp::new(dim, HIDDEN, outputs, p.pp("single"))?,
        })
    }

    /// Poses `(x, z, yaw)` of every body from latents `[N, D]`: `[N · bodies]`, yaw in radians.
    pub fn poses(&self, z: &Tensor) -> Result<Vec<[f32; 3]>> {
        self.in_units(&self.single.forward(z)?)
    }

    /// The same by the linear probe, from [`HISTORY`] latents side by side, oldest first: `[N, 3·D]`.
    pub fn poses_of_history(&self, z: &Tensor) -> Result<Vec<[f32; 3]>> {
        self.in_units(&self.linear.forward(z)?)
    }

    fn in_units(&self, standardised: &Tensor) -> Result<Vec<[f32; 3]>> {
        let read = standardised
            .broadcast_mul(&self.std)?
            .broadcast_add(&self.mean)?;
        let read: Vec<f32> = read.flatten_all()?.to_vec1()?;
        let pose = |q: &[f32]| [q[0], q[1], libm::atan2f(q[3], q[2])];
        Ok(read.chunks_exact(QUANTITIES.len()).map(pose).collect())
    }
}

/// Ridge regression of `y: [N, k]` on `x: [N, d]` with an intercept: weight `[k, d]`, bias `[k]`. `lambda` is relative
/// to the mean variance of `x`. `None` for fewer than two rows or constant `x`.
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
