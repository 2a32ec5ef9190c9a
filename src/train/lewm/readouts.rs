//! Probes of the frozen latents: linear and MLP, from three consecutive latents and from one.

use super::Session;
use super::predictor::Latents;
use crate::episode::Dataset;
use crate::model::jepa::{
    DecoderSizes, FittedProbe, HISTORY, Lewm, POSE, ProbeSpec, Probes, QUANTITIES,
};
use crate::model::nn::{AdamW, AdamWConfig, Mlp, Params, Rng, cosine_lr};
use crate::scene::Kind;
use crate::stats::{linalg, pearson, r_squared, ridge};
use crate::system::files;
use crate::train::bounds::{self, Fault, within};
use crate::train::curve::short;
use crate::train::{Clock, Curve, TrainError};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;

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

/// Names of all bodies that move in any scene, in order of first appearance.
pub fn moving_bodies(data: &Dataset) -> Vec<String> {
    let mut names = Vec::new();
    for body in data
        .scenes
        .iter()
        .flat_map(|s| &s.bodies)
        .filter(|b| b.kind != Kind::Fixed)
    {
        if !names.contains(&body.name) {
            names.push(body.name.clone());
        }
    }
    names
}

/// True values of what probes read, for every frame of a dataset.
pub struct Targets {
    /// Names, B.
    pub bodies: Vec<String>,
    /// `[F, B·6]`.
    values: Vec<f32>,
    /// `[F, B]`: whether the frame's scene has the body.
    present: Vec<bool>,
}

impl Targets {
    /// Reads the states of all frames.
    pub fn new(data: &Dataset, bodies: Vec<String>) -> Self {
        let b = bodies.len();
        let mut targets = Self {
            values: vec![0.; data.len() * b * 6],
            present: vec![false; data.len() * b],
            bodies,
        };
        for span in &data.episodes {
            let scene = &data.scenes[span.scene];
            for t in 0..span.len {
                let (frame, state) = (span.start + t, data.state(span, t));
                for (i, name) in targets.bodies.iter().enumerate() {
                    let Some(body) = scene.bodies.iter().position(|b| &b.name == name) else {
                        continue;
                    };
                    let (s, at) = (state[body], (frame * b + i) * 6);
                    let (sin, cos) = libm::sincosf(s.yaw());
                    let row = [
                        s.position[0],
                        s.position[2],
                        cos,
                        sin,
                        s.velocity[0],
                        s.velocity[2],
                    ];
                    targets.values[at..at + 6].copy_from_slice(&row);
                    targets.present[frame * b + i] = true;
                }
            }
        }
        targets
    }

    fn of(&self, frame: usize) -> &[f32] {
        let k = self.bodies.len() * 6;
        &self.values[frame * k..(frame + 1) * k]
    }

    fn has(&self, frame: usize, body: usize) -> bool {
        self.present[frame * self.bodies.len() + body]
    }

    /// Rows of `x: [frames, d]` in which body `b` exists, and its pose there `[rows, 4]`.
    fn rows_of_body(
        &self,
        x: &[f32],
        d: usize,
        frames: &[usize],
        b: usize,
    ) -> (Vec<f32>, Vec<f32>) {
        let (mut rows, mut poses) = (Vec::new(), Vec::new());
        for (x, &frame) in x
            .chunks_exact(d)
            .zip(frames)
            .filter(|(_, f)| self.has(**f, b))
        {
            rows.extend_from_slice(x);
            poses.extend_from_slice(&self.of(frame)[b * 6..b * 6 + 4]);
        }
        (rows, poses)
    }

    /// r of a linear probe of every body's place and heading, fitted on `d` numbers a frame of the first frames and tested on the second.
    pub fn linear_r(
        &self,
        d: usize,
        (fit, fit_frames): (&[f32], &[usize]),
        (test, test_frames): (&[f32], &[usize]),
    ) -> Map<String, Value> {
        let mut r = Map::new();
        for (b, body) in self.bodies.iter().enumerate() {
            let (fit_x, fit_y) = self.rows_of_body(fit, d, fit_frames, b);
            let (test_x, test_y) = self.rows_of_body(test, d, test_frames, b);
            let Some((weight, bias)) = ridge(&fit_x, &fit_y, d, 4, 1e-4) else {
                continue;
            };
            for (q, quantity) in ["x", "z", "cos_yaw", "sin_yaw"].iter().enumerate() {
                let w = &weight[q * d..(q + 1) * d];
                let found: Vec<f32> = test_x
                    .chunks_exact(d)
                    .map(|x| bias[q] + linalg::dot32(x, w))
                    .collect();
                let truth: Vec<f32> = test_y.chunks_exact(4).map(|y| y[q]).collect();
                r.insert(format!("{body}.{quantity}"), short(pearson(&found, &truth)));
            }
        }
        r
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

fn rows(data: &Dataset, latents: &Latents, targets: &Targets) -> Rows {
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
                .for_each(|back| out.history.extend_from_slice(latents.get(frame - back)));
            out.y.extend_from_slice(targets.of(frame));
            for b in 0..targets.bodies.len() {
                out.mask.extend([f32::from(targets.has(frame, b)); 6]);
            }
            out.n += 1;
        }
    }
    out
}

/// Fits the probes of a LeWM, writes `readouts.json`, and returns a sentence for the card.
pub fn run(session: &mut Session, params: &Params) -> Result<String, TrainError> {
    let (phase, data) = (&session.recipe.readouts, session.data);
    let model = Lewm::new(&session.recipe.model, &params.detached())?;
    let encode = |episodes: &[usize], frames| {
        Latents::encode(&model, data, episodes, frames, &session.clock)
    };
    let latents = encode(&session.train_episodes, phase.max_frames)?;
    let held_out = encode(&session.validation_episodes, phase.max_frames / 4)?;
    let place = Place {
        out: &session.options.out,
        seed: session.config.seed,
        params,
        clock: &session.clock.clone(),
    };
    let found = fit(phase, data, &latents, &held_out, &place, &mut session.curve)?;
    if let Some(sizes) = phase.decoder {
        super::decoding::run(session, &model, params, &latents, &held_out, sizes)?;
    }
    Ok(found)
}

/// Where read-outs go, and what decides their draws.
pub struct Place<'a> {
    /// The model folder.
    pub out: &'a Path,
    /// Seed of the training.
    pub seed: u64,
    /// The model's root, under which `probe` is made.
    pub params: &'a Params,
    /// Says when to stop.
    pub clock: &'a Clock,
}

/// Fits the probes on stored latents, writes `readouts.json`, and returns a sentence for the card.
pub fn fit(
    phase: &ReadoutPhase,
    data: &Dataset,
    latents: &Latents,
    held_out: &Latents,
    place: &Place,
    curve: &mut Curve,
) -> Result<String, TrainError> {
    let (bodies, params) = (moving_bodies(data), place.params);
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
    let probes = Probes::new(d, bodies.len(), params)?;
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
    let seed = place.seed;
    fit_mlp(
        &probes.history,
        &fit.history,
        &fit,
        params.pp("probe.history"),
        phase.steps,
        (seed, place.clock),
    )?;
    fit_mlp(
        &probes.single,
        &newest(&fit.history),
        &fit,
        params.pp("probe.single"),
        phase.steps,
        (seed, place.clock),
    )?;
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
    curve.write(&json!({ "phase": "readouts", "linear_r_and_mlp_r": summary }))?;
    let path = place.out.join("readouts.json");
    let text = serde_json::to_string_pretty(&spec).map_err(|e| TrainError::Io {
        path: path.clone(),
        source: e.into(),
    })?;
    files::replace(&path, text.as_bytes()).map_err(|source| TrainError::Io { path, source })?;
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

fn predict_linear(x: &[f32], weight: &[f32], bias: &[f32], d: usize) -> Vec<f32> {
    let row = |x: &[f32]| -> Vec<f32> {
        weight
            .chunks_exact(d)
            .zip(bias)
            .map(|(w, b)| b + x.iter().zip(w).map(|(x, w)| x * w).sum::<f32>())
            .collect()
    };
    x.chunks_exact(d).flat_map(row).collect()
}

fn fit_mlp(
    mlp: &Mlp,
    x: &[f32],
    rows: &Rows,
    p: Params,
    steps: usize,
    (seed, clock): (u64, &Clock),
) -> Result<(), TrainError> {
    const BATCH: usize = 512;
    const RATE: f64 = 2e-3;
    let (d, k) = (x.len() / rows.n, rows.y.len() / rows.n);
    let mut optimiser = AdamW::new(
        p.vars(),
        AdamWConfig {
            lr: RATE,
            weight_decay: 1e-3,
            ..Default::default()
        },
    )?;
    let mut rng = Rng::stream(seed, 0x40BE);
    for step in 0..steps {
        clock.check()?;
        let (mut xs, mut ys, mut masks) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..BATCH {
            let r = rng.below(rows.n);
            xs.extend_from_slice(&x[r * d..(r + 1) * d]);
            ys.extend_from_slice(&rows.y[r * k..(r + 1) * k]);
            masks.extend_from_slice(&rows.mask[r * k..(r + 1) * k]);
        }
        let x = Tensor::from_vec(xs, (BATCH, d), p.device())?;
        let y = Tensor::from_vec(ys, (BATCH, k), p.device())?;
        let mask = Tensor::from_vec(masks, (BATCH, k), p.device())?;
        let loss = ((mlp.forward(&x)? - y)?.sqr()? * mask)?.mean_all()?;
        optimiser.step(
            &loss.backward()?,
            cosine_lr(step, steps, 20, RATE),
            Some(1.),
        )?;
    }
    Ok(())
}
