//! Probes of the frozen latents: linear and MLP, from three consecutive latents and from one.

use super::mlp::MlpFit;
use crate::episode::Dataset;
use crate::model::jepa::{DecoderSizes, FittedProbe, HISTORY, POSE, ProbeSpec, Probes, QUANTITIES};
use crate::model::nn::{Mlp, Params, Rng};
use crate::stats::{linalg, pearson, r_squared, ridge};
use crate::system::files;
use crate::train::bounds::{self, Fault, within};
use crate::train::curve::short;
use crate::train::data::stored::Stored;
use crate::train::data::targets::{Targets, moving_bodies};
use crate::train::error::{TrainError, io};
use crate::train::run::Session;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

/// Settings of the read-outs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReadoutPhase {
    /// Frames to fit on; a quarter as many test.
    pub max_frames: usize,
    /// Steps of each MLP.
    pub steps: usize,
    /// Ridge of the linear probe, relative to the mean variance.
    pub ridge: f64,
    /// The diagnostic decoder; none where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decoder: Option<DecoderSizes>,
    /// Steps of the decoder.
    pub decoder_steps: usize,
}

impl Default for ReadoutPhase {
    fn default() -> Self {
        Self {
            max_frames: 30_000,
            steps: 1500,
            ridge: 1e-4,
            decoder: None,
            decoder_steps: 2000,
        }
    }
}

impl ReadoutPhase {
    /// The first field that makes no sense, with why.
    pub(in crate::train) fn check(&self, image_size: usize) -> Result<(), Fault> {
        within("readouts.max_frames", self.max_frames, 1..=usize::MAX)?;
        within("readouts.steps", self.steps, 1..=100_000_000)?;
        bounds::positive("readouts.ridge", self.ridge, 1e6)?;
        let Some(sizes) = self.decoder else {
            return Ok(());
        };
        let steps = "readouts.decoder_steps";
        within(steps, self.decoder_steps, 1..=100_000_000)?;
        within("readouts.decoder.width", sizes.width, 1..=2048)?;
        within("readouts.decoder.layers", sizes.layers, 1..=16)?;
        within("readouts.decoder.patch", sizes.patch, 1..=image_size)?;
        match image_size.is_multiple_of(sizes.patch) {
            true => Ok(()),
            false => Err((
                "readouts.decoder.patch".into(),
                format!("found {}, expected a part of {image_size}", sizes.patch),
            )),
        }
    }
}

/// Rows for fitting or testing: features, standardised targets, and which targets exist.
struct Rows {
    /// `[N, 3·D]`, oldest latent first.
    history: Vec<f32>,
    /// `[N, B·6]`.
    y: Vec<f32>,
    /// `[N, B·6]`: 1 or 0.
    mask: Vec<f32>,
    n: usize,
}

fn rows(data: &Dataset, latents: &Stored<f32>, targets: &Targets) -> Rows {
    let mut out = Rows {
        history: Vec::new(),
        y: Vec::new(),
        mask: Vec::new(),
        n: 0,
    };
    for &e in &latents.episodes {
        let span = data.episodes[e];
        for t in HISTORY - 1..span.len {
            let frame = span.start + t;
            (0..HISTORY)
                .rev()
                .for_each(|back| latents.read(frame - back, &mut out.history));
            out.y.extend_from_slice(targets.of(frame));
            for b in 0..targets.bodies.len() {
                out.mask.extend([f32::from(targets.has(frame, b)); 6]);
            }
            out.n += 1;
        }
    }
    out
}

/// Fits the probes on stored latents, writes `readouts.json`, and returns a sentence for the card. `data` is
/// the experience that the latents are of.
pub fn fit(
    session: &mut Session,
    phase: &ReadoutPhase,
    data: &Dataset,
    latents: &Stored<f32>,
    held_out: &Stored<f32>,
) -> Result<String, TrainError> {
    let (bodies, params) = (moving_bodies(data), session.params.clone());
    let (k, d) = (bodies.len() * 6, latents.dim());
    let targets = Targets::new(data, bodies.clone());
    let (mut fit, mut test) = (
        rows(data, latents, &targets),
        rows(data, held_out, &targets),
    );
    if k == 0 || fit.n < 2 || test.n < 2 {
        tracing::warn!("no moving body, or too few episodes, to read out");
        return Ok("No read-outs.".into());
    }
    let (mean, std) = standardise(&mut fit, k);
    apply(&mut test, &mean, &std);
    let device = Device::Cpu;
    let probes = Probes::new(d, bodies.len(), &params)?;
    let set = |name: &str, values: Vec<f32>, shape: &[usize]| -> Result<(), TrainError> {
        let found = params
            .pp("probe")
            .vars()
            .into_iter()
            .chain(params.pp("probe").buffers());
        for (_, var) in found.filter(|(n, _)| n == &format!("probe.{name}")) {
            var.set(&Tensor::from_vec(values.clone(), shape, params.device())?)?;
        }
        Ok(())
    };
    set("mean", mean, &[k])?;
    set("std", std, &[k])?;
    let (weight, bias) = fit_linear(&fit, d * HISTORY, bodies.len(), phase.ridge);
    let linear = predict_linear(&test.history, &weight, &bias, d * HISTORY);
    set("linear.weight", weight, &[k, d * HISTORY])?;
    set("linear.bias", bias, &[k])?;
    let newest = |history: &[f32]| -> Vec<f32> {
        history
            .chunks_exact(d * HISTORY)
            .flat_map(|h| h[d * (HISTORY - 1)..].iter().copied())
            .collect()
    };
    let seed = session.given.seed;
    let mut fit_mlp = |mlp: &Mlp, x: &[f32], params: Params| {
        session.fit(&MlpFit {
            mlp,
            params,
            x,
            y: &fit.y,
            mask: Some(&fit.mask),
            rows: fit.n,
            widths: (x.len() / fit.n, k),
            steps: phase.steps,
            rng: Rng::stream(seed, 0x40BE).into(),
        })
    };
    fit_mlp(&probes.history, &fit.history, params.pp("probe.history"))?;
    let single = params.pp("probe.single");
    fit_mlp(&probes.single, &newest(&fit.history), single)?;
    let run_mlp = |mlp: &Mlp, x: Vec<f32>| -> Result<Vec<f32>, TrainError> {
        let x = Tensor::from_vec(x, (test.n, ()), &device)?.to_device(params.device())?;
        Ok(mlp.forward(&x)?.detach().flatten_all()?.to_vec1()?)
    };
    let (deep, single) = (
        run_mlp(&probes.history, test.history.clone())?,
        run_mlp(&probes.single, newest(&test.history))?,
    );
    let mut spec = ProbeSpec {
        yaw: vec![false; bodies.len()],
        bodies,
        quality: Vec::new(),
        decoder: phase.decoder,
    };
    let mut summary = BTreeMap::new();
    for (b, body) in spec.bodies.iter().enumerate() {
        for (q, quantity) in QUANTITIES.iter().enumerate() {
            let column = |values: &[f32]| -> Vec<f32> {
                let rows = (0..test.n).filter(|r| test.mask[r * k + b * 6] > 0.);
                rows.map(|r| values[r * k + b * 6 + q]).collect()
            };
            let (truth, l, m, s) = (
                column(&test.y),
                column(&linear),
                column(&deep),
                column(&single),
            );
            let fitted = FittedProbe {
                body: body.clone(),
                quantity: (*quantity).into(),
                linear_r: pearson(&l, &truth),
                linear_r2: r_squared(&l, &truth),
                mlp_r: pearson(&m, &truth),
                mlp_r2: r_squared(&m, &truth),
                single_r2: (q < POSE).then(|| r_squared(&s, &truth)),
            };
            summary.insert(
                format!("{body}.{quantity}"),
                [short(fitted.linear_r), short(fitted.mlp_r)],
            );
            spec.quality.push(fitted);
        }
        let own = &spec.quality[b * 6 + 2..b * 6 + 4];
        spec.yaw[b] = own.iter().all(|f| f.single_r2.is_some_and(|r2| r2 > 0.3));
    }
    session
        .curve
        .write(&json!({ "phase": "readouts", "linear_r_and_mlp_r": summary }))?;
    let path = session
        .given
        .options
        .out
        .join(crate::model::folder::READOUTS_TABLE);
    let text = serde_json::to_string_pretty(&spec).map_err(|e| io(&path)(e.into()))?;
    files::replace(&path, text.as_bytes()).map_err(io(&path))?;
    let places = spec
        .quality
        .iter()
        .filter(|f| f.quantity == "x" || f.quantity == "z");
    let worst = places.map(|f| f.linear_r).fold(1., f64::min);
    Ok(format!(
        "Linear probes read every moving body's place with r of at least {worst:.2}."
    ))
}

/// Standardises the targets in place; mean and deviation of those that exist.
fn standardise(rows: &mut Rows, k: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut mean, mut std) = (vec![0f32; k], vec![1f32; k]);
    for j in 0..k {
        let column: Vec<f32> = (0..rows.n)
            .filter(|r| rows.mask[r * k + j] > 0.)
            .map(|r| rows.y[r * k + j])
            .collect();
        let centre = linalg::mean(&column, 1)[0];
        let spread = linalg::covariance(&column, &[centre])[0].sqrt();
        (mean[j], std[j]) = (centre as f32, (spread as f32).max(1e-3));
    }
    apply(rows, &mean, &std);
    (mean, std)
}

fn apply(rows: &mut Rows, mean: &[f32], std: &[f32]) {
    for y in rows.y.chunks_exact_mut(mean.len()) {
        y.iter_mut()
            .zip(mean)
            .zip(std)
            .for_each(|((y, m), s)| *y = (*y - m) / s);
    }
}

/// Ridge regression body by body, on the rows that have it: weight `[B·6, d]`, bias `[B·6]`.
fn fit_linear(rows: &Rows, d: usize, bodies: usize, lambda: f64) -> (Vec<f32>, Vec<f32>) {
    let k = bodies * 6;
    let (mut weight, mut bias) = (Vec::with_capacity(k * d), Vec::with_capacity(k));
    for b in 0..bodies {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for r in (0..rows.n).filter(|r| rows.mask[r * k + b * 6] > 0.) {
            x.extend_from_slice(&rows.history[r * d..(r + 1) * d]);
            y.extend_from_slice(&rows.y[r * k + b * 6..r * k + b * 6 + 6]);
        }
        let (w, c) = ridge(&x, &y, d, 6, lambda).unwrap_or_else(|| (vec![0.; 6 * d], vec![0.; 6]));
        weight.extend(w);
        bias.extend(c);
    }
    (weight, bias)
}

/// What a linear probe reads from rows `x: [N, d]`.
pub(super) fn predict_linear(x: &[f32], weight: &[f32], bias: &[f32], d: usize) -> Vec<f32> {
    let row = |x: &[f32]| -> Vec<f32> {
        weight
            .chunks_exact(d)
            .zip(bias)
            .map(|(w, b)| b + x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>())
            .collect()
    };
    x.chunks_exact(d).flat_map(row).collect()
}
