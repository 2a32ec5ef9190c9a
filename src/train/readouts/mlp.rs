//! An MLP is fitted to rows of features and targets.

use crate::model::nn::{Mlp, Params, Rng};
use crate::train::error::TrainError;
use crate::train::phase::{At, Loss, Phase, Plan};
use candle_core::{Device, Tensor, Var};
use std::sync::Mutex;

/// Rows a step.
const BATCH: usize = 512;
const RATE: f64 = 2e-3;

/// Features `[N, D]` and targets `[N, K]`, and what is fitted to them.
pub struct MlpFit<'a> {
    /// The networks.
    pub mlp: &'a Mlp,
    /// Where their variables are.
    pub params: Params,
    /// `[N, D]`.
    pub x: &'a [f32],
    /// `[N, K]`.
    pub y: &'a [f32],
    /// `[N, K]`: 1 where a target exists, 0 where it does not; all do where this is none.
    pub mask: Option<&'a [f32]>,
    /// Rows to learn from, N or fewer.
    pub rows: usize,
    /// D and K.
    pub widths: (usize, usize),
    /// How long.
    pub steps: usize,
    /// Draws rows.
    pub rng: Mutex<Rng>,
}

impl Phase for MlpFit<'_> {
    type Batch = [Tensor; 3];

    fn plan(&self) -> Plan {
        Plan::fit("probe", self.steps, 20, RATE)
    }

    fn variables(&self) -> Vec<(String, Var)> {
        self.params.vars()
    }

    fn draw(&self, _: At) -> Result<Self::Batch, TrainError> {
        let mut rng = lock(&self.rng);
        let chosen: Vec<usize> = (0..BATCH).map(|_| rng.below(self.rows)).collect();
        let (d, k) = self.widths;
        let device = self.params.device();
        let mask = match self.mask {
            Some(mask) => rows_of(mask, k, &chosen, device)?,
            None => Tensor::ones((BATCH, k), candle_core::DType::F32, device)?,
        };
        Ok([
            rows_of(self.x, d, &chosen, device)?,
            rows_of(self.y, k, &chosen, device)?,
            mask,
        ])
    }

    fn loss(&self, [x, y, mask]: Self::Batch, _: At) -> Result<Loss, TrainError> {
        let loss = ((self.mlp.forward(&x)? - y)?.sqr()? * mask)?.mean_all()?;
        Ok(Loss::new(loss, BATCH))
    }
}

/// Chosen rows of `[N, width]`.
fn rows_of(
    all: &[f32],
    width: usize,
    chosen: &[usize],
    device: &Device,
) -> candle_core::Result<Tensor> {
    let of = |&r: &usize| &all[r * width..(r + 1) * width];
    let values: Vec<f32> = chosen.iter().flat_map(of).copied().collect();
    Tensor::from_vec(values, (chosen.len(), width), device)
}

/// The generator of a fit whose batches are drawn one after the other.
pub fn lock(rng: &Mutex<Rng>) -> std::sync::MutexGuard<'_, Rng> {
    rng.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
