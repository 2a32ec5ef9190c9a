//! Read-outs: body states from frozen latents. Trained afterwards, seen by no planner and no training loss.

use super::DecoderSizes;
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
