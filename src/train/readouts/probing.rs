//! Fits a linear and an MLP probe from features to quantities, for evaluations that ask what a
//! representation holds.

use super::fit::predict_linear;
use super::mlp::MlpFit;
use crate::model::nn::{Mlp, Params, Rng};
use crate::stats::{linalg, ridge};
use crate::system::Stop;
use crate::train::clock::Clock;
use crate::train::error::TrainError;
use crate::train::run;
use candle_core::{Device, Tensor};

/// Rows of features and of what is to be read from them.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    /// `[N, D]`.
    pub x: Vec<f32>,
    /// `[N, K]`.
    pub y: Vec<f32>,
}

/// What both probes read from the test rows, `[N, K]` each, in the units of the targets.
pub struct Readings {
    /// Ridge regression.
    pub linear: Vec<f32>,
    /// One hidden layer beside the linear probe.
    pub mlp: Vec<f32>,
}

const RIDGE: f64 = 1e-4;
const HIDDEN: usize = 128;
const STEPS: usize = 2000;
/// One in so many rows checks the MLP.
const CHECK_SHARE: usize = 10;

/// Fits both probes on `fit` and reads `test`; `d` features and `k` quantities a row. The same seed reads the
/// same bits.
///
/// The MLP is fitted to what the linear probe leaves, and is added, quantity by quantity, as far as it helps
/// on the last tenth of `fit`, which it does not learn from: it can hardly read worse than the linear probe.
///
/// # Errors
/// [`TrainError::TooLittle`] for fewer than two rows; [`TrainError::Tensor`].
pub fn fit_and_read(
    fit: &Rows,
    test: &Rows,
    d: usize,
    k: usize,
    seed: u64,
) -> Result<Readings, TrainError> {
    let n = fit.x.len() / d.max(1);
    let (mean_x, std_x) = spread(&fit.x, d);
    let (mean_y, std_y) = spread(&fit.y, k);
    let (x, y) = (
        scaled(&fit.x, &mean_x, &std_x),
        scaled(&fit.y, &mean_y, &std_y),
    );
    let test_x = scaled(&test.x, &mean_x, &std_x);
    let (weight, bias) = ridge(&x, &y, d, k, RIDGE).ok_or(TrainError::TooLittle {
        field: "rows to fit a probe on",
        found: n,
        expected: 2,
    })?;
    let linear = predict_linear(&test_x, &weight, &bias, d);
    let read = predict_linear(&x, &weight, &bias, d);
    let left: Vec<f32> = read.iter().zip(&y).map(|(read, y)| y - read).collect();
    let learned = n - n / CHECK_SHARE;
    let params = Params::fresh(seed, &Device::Cpu);
    let mlp = Mlp::new(d, HIDDEN, k, params.clone())?;
    let phase = MlpFit {
        mlp: &mlp,
        params,
        x: &x,
        y: &left,
        mask: None,
        rows: learned,
        widths: (d, k),
        steps: STEPS,
        rng: Rng::stream(seed, 0x0B5E).into(),
    };
    run::fit(&phase, &Clock::start(None, &Stop::new()), &Device::Cpu)?;
    let say = |x: &[f32]| -> Result<Vec<f32>, TrainError> {
        let x = Tensor::from_slice(x, (x.len() / d, d), &Device::Cpu)?;
        Ok(mlp.forward(&x)?.detach().flatten_all()?.to_vec1()?)
    };
    let share = helpful(&say(&x[learned * d..])?, &left[learned * k..], k);
    let found = say(&test_x)?
        .into_iter()
        .zip(&linear)
        .enumerate()
        .map(|(i, (more, read))| read + share[i % k] * more)
        .collect();
    let in_units = |v: Vec<f32>| -> Vec<f32> {
        v.into_iter()
            .enumerate()
            .map(|(i, v)| v * std_y[i % k] + mean_y[i % k])
            .collect()
    };
    Ok(Readings {
        linear: in_units(linear),
        mlp: in_units(found),
    })
}

/// For each column the share, 0 to 1, of `found` that comes nearest to `wanted`.
fn helpful(found: &[f32], wanted: &[f32], k: usize) -> Vec<f32> {
    let share = |q: usize| {
        let (mut both, mut own) = (0f64, 0f64);
        for (f, w) in found.iter().zip(wanted).skip(q).step_by(k) {
            both += f64::from(*f) * f64::from(*w);
            own += f64::from(*f) * f64::from(*f);
        }
        (both / own.max(1e-12)).clamp(0., 1.) as f32
    };
    (0..k).map(share).collect()
}

/// Mean and standard deviation of every column.
fn spread(rows: &[f32], width: usize) -> (Vec<f32>, Vec<f32>) {
    let mean: Vec<f32> = linalg::mean(rows, width)
        .iter()
        .map(|v| *v as f32)
        .collect();
    let n = (rows.len() / width.max(1)).max(1) as f32;
    let mut variance = vec![0f32; width];
    for row in rows.chunks_exact(width.max(1)) {
        for ((v, x), m) in variance.iter_mut().zip(row).zip(&mean) {
            *v += (x - m) * (x - m) / n;
        }
    }
    (
        mean,
        variance.into_iter().map(|v| v.sqrt().max(1e-6)).collect(),
    )
}

fn scaled(rows: &[f32], mean: &[f32], std: &[f32]) -> Vec<f32> {
    rows.chunks_exact(mean.len().max(1))
        .flat_map(|row| row.iter().zip(mean).zip(std).map(|((x, m), s)| (x - m) / s))
        .collect()
}
