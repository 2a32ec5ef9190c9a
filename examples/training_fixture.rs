//! What the networks of a model folder say, and the losses and gradients they are trained by, for the
//! parity tests of `training/`: `training_fixture MODEL_FOLDER OUT.safetensors`. Names that begin with
//! `grad.` are gradients of `loss`; a network with two losses has the second under a name of its own.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use candle_core::{Device, Tensor, backprop::GradStore};
use parallax::model::cloning::Cloning;
use parallax::model::folder;
use parallax::model::generative::{
    Autoencoder, Conditions, Denoiser, Dit, Eye, Imagination, LatentDiffusionConfig, Memory,
    Objective, Patches, Window,
};
use parallax::model::hybrid::{DrawnConfig, Painter, TokenDiffusionConfig, TokenEye, conditions};
use parallax::model::jepa::vjepa::{ActionJepa, ClipBatch, LONG, MapError, Mask, MaskedJepa};
use parallax::model::jepa::{
    BeliefConfig, BeliefPredictor, Jumps, Keyframes, Lewm, Predictor, Proposal, STRETCH, Temporal,
    joint_loss, open_loop_loss,
};
use parallax::model::nn::{Params, Rng};
use parallax::model::{Cancel, Frame};
use parallax::train::drawn;
use parallax::train::latent::{Examples, FrameBatch, Step, dynamics_loss, reconstruction_loss};
use parallax::train::pixel::{Batch, DiffusionRecipe, Stage, loss as denoising_loss};
use parallax::train::{Architecture, TrainConfig};

type Tensors = HashMap<String, Tensor>;

const SIDE: usize = 64;

fn frames(n: usize, rng: &mut Rng) -> Vec<u8> {
    // Squares of 8 pixels, so that there is something to see.
    let mut bytes = vec![0u8; n * SIDE * SIDE * 3];
    for frame in bytes.chunks_exact_mut(SIDE * SIDE * 3) {
        let colours: Vec<u8> = (0..64 * 3).map(|_| rng.below(256) as u8).collect();
        for (i, byte) in frame.iter_mut().enumerate() {
            let (y, x, c) = (i / 3 / SIDE, i / 3 % SIDE, i % 3);
            *byte = colours[(y / 8 * 8 + x / 8) * 3 + c];
        }
    }
    bytes
}

fn keep(out: &mut Tensors, name: &str, tensor: &Tensor) {
    out.insert(name.into(), tensor.detach());
}

fn gradients(out: &mut Tensors, params: &Params, name: &str, loss: &Tensor) -> anyhow::Result<()> {
    let store: GradStore = loss.backward()?;
    for (name, var) in params.vars() {
        if let Some(gradient) = store.get(&var) {
            keep(out, &format!("grad.{name}"), gradient);
        }
    }
    keep(out, name, loss);
    Ok(())
}

/// EDM's loss of two sequences: the frames before the fifth and the sixth. Every other pixel weighs more.
fn denoising(
    out: &mut Tensors,
    net: &Denoiser,
    recipe: &DiffusionRecipe,
    bytes: &[u8],
    rng: &mut Rng,
) -> anyhow::Result<Tensor> {
    const HEAVY: f32 = 7.0;
    let (c, device, frame) = (&recipe.model, Device::Cpu, SIDE * SIDE * 3);
    let (side, channels, k) = (c.side(), c.channels(), c.context);
    let is_sampled = c.objective == Objective::Denoise;
    let folded = |i: usize| -> candle_core::Result<Tensor> {
        let mut values = Vec::new();
        net.patches()
            .fold(&bytes[i * frame..(i + 1) * frame], &mut values);
        Tensor::from_vec(values, (1, side, side, channels), &device)
    };
    let context = |first: usize| -> candle_core::Result<Tensor> {
        let frames: Vec<_> = (first..first + k)
            .map(folded)
            .collect::<candle_core::Result<_>>()?;
        Tensor::cat(&frames, 3)
    };
    let z = rng.normal((2, side, side, channels), &device)?;
    let zc = rng.normal((2, side, side, channels * k), &device)?;
    let offset = (rng.normal((2, 3), &device)? * f64::from(c.offset_noise))?;
    let unit = f64::from(Denoiser::unit(c));
    let (sigmas, levels) = match is_sampled {
        true => ([0.3f32, 2.5], [0.1f32, 0.]),
        false => ([c.sigma_max; 2], [0.; 2]),
    };
    let (mut noisy, mut target, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (i, sigma) in sigmas.iter().enumerate() {
        let factors = Denoiser::preconditioning(c, *sigma);
        let y = folded(i + k)?;
        let shared = offset
            .narrow(0, i, 1)?
            .repeat((side * side, channels / 3))?;
        let noise = (z.narrow(0, i, 1)? * f64::from(*sigma))?;
        let noise = ((noise + shared.reshape((1, side, side, channels))?)? / unit)?;
        let x = match is_sampled {
            true => (&y + noise)?,
            false => y.zeros_like()?,
        };
        noisy.push((&x * f64::from(factors.input))?);
        target.push(((y - (x * f64::from(factors.skip))?)? / f64::from(factors.out))?);
        told.push(factors.noise);
    }
    let mut weight = Vec::new();
    for _ in 0..2 {
        let weigh = |pixel: usize| if pixel.is_multiple_of(2) { HEAVY } else { 1. };
        net.patches().fold_weights(weigh, &mut weight);
    }
    let levels = Tensor::new(&levels, &device)?;
    let stage = Stage {
        noisy: Tensor::cat(&noisy, 0)?,
        noise: Tensor::from_vec(told, 2, &device)?,
        target: Tensor::cat(&target, 0)?,
        weight: Tensor::from_vec(weight, (2, side, side, channels), &device)?,
        context_noise: (zc.broadcast_mul(&levels.reshape((2, 1, 1, 1))?)? / unit)?,
        context_level: levels,
        actions: rng.uniform(-1., 1., (2, c.actions * c.action_dim), &device)?,
    };
    keep(out, "z", &z);
    keep(out, "zc", &zc);
    keep(out, "offset", &offset);
    keep(out, "sigma", &Tensor::new(&sigmas, &device)?);
    keep(out, "loss_levels", &stage.context_level);
    keep(out, "loss_actions", &stage.actions);
    let context = Tensor::cat(&[context(0)?, context(1)?], 0)?;
    let batch = Batch {
        context,
        stages: vec![stage],
    };
    Ok(denoising_loss(net, &batch, |_, _| {
        unreachable!("there is one prediction")
    })?)
}

/// The loss of two predictions in a row in latents, the second on a given latent as the model's own.
fn imagining(out: &mut Tensors, net: &Imagination, rng: &mut Rng) -> anyhow::Result<Tensor> {
    let (c, device) = (net.config(), Device::Cpu);
    let (side, channels, k) = (c.side(), c.channels(), c.context);
    let wide = (2, side, side, channels * k);
    let narrow = (2, side, side, channels);
    let (context, own) = (rng.normal(wide, &device)?, rng.normal(narrow, &device)?);
    keep(out, "dynamics_context", &context);
    keep(out, "dynamics_own", &own);
    let mut steps = Vec::new();
    for i in 0..2 {
        let levels = rng.uniform(0., 0.4, (2, k), &device)?;
        // Every channel of a frame has the frame's level.
        let by_channel = levels.unsqueeze(2)?.repeat((1, 1, channels))?;
        let by_channel = by_channel.reshape((2, 1, 1, channels * k))?;
        let step = Step {
            target: rng.normal(narrow, &device)?,
            noisy: rng.normal(narrow, &device)?,
            level: Tensor::new(&[0.6f32, 1.], &device)?,
            context_keep: by_channel.affine(-1., 1.)?,
            context_noise: rng.normal(wide, &device)?.broadcast_mul(&by_channel)?,
            context_levels: levels,
            actions: rng.uniform(-1., 1., (2, c.actions * c.action_dim), &device)?,
            weight: rng.uniform(1., 5., (2, side, side, 1), &device)?,
        };
        for (name, value) in [
            ("target", &step.target),
            ("noisy", &step.noisy),
            ("level", &step.level),
            ("levels", &step.context_levels),
            ("remains", &step.context_keep),
            ("noise", &step.context_noise),
            ("actions", &step.actions),
            ("weight", &step.weight),
        ] {
            keep(out, &format!("dynamics_{i}.{name}"), value);
        }
        steps.push(step);
    }
    Ok(dynamics_loss(net, &Examples { context, steps }, |_, _| {
        Ok(own.clone())
    })?)
}

/// What an eye makes of frames and back, and what the dynamics says in its latents, with both losses. The
/// loss of what the eye draws has no noise, and `squared_weight` beside the absolute error.
fn latents<E: Eye>(
    out: &mut Tensors,
    config: &E::Config,
    squared_weight: f32,
    (params, bytes): (&Params, &[u8]),
    rng: &mut Rng,
) -> anyhow::Result<()> {
    let (c, device) = (E::latents(config), Device::Cpu);
    let eye = E::of(config, params)?;
    let latents = eye.encode(bytes)?;
    let pictures = eye.decode(&latents)?;
    let (side, channels) = (c.side(), c.channels());
    let n = latents.len() / c.latent_len();
    let shape = (n, c.latent_len());
    keep(out, "latents", &Tensor::from_vec(latents, shape, &device)?);
    let pictures = Tensor::from_vec(pictures, (n, c.frame_len()), &device)?;
    keep(out, "decoded", &pictures);
    let folded = eye.decoder().fold(bytes)?;
    let batch = FrameBatch {
        weight: folded.ones_like()?,
        noise: Tensor::zeros((n, side, side, channels), folded.dtype(), &device)?,
        seen: eye.look(bytes)?,
        folded,
    };
    let loss = reconstruction_loss(&eye, &batch, squared_weight)?;
    gradients(out, params, "loss", &loss)?;
    let net = Dit::new(c, params.pp("dynamics"))?;
    let window = Window {
        context: rng.normal((2, side, side, channels * c.context), &device)?,
        context_levels: rng.uniform(0., 0.4, (2, c.context), &device)?,
        actions: rng.uniform(-1., 1., (2, c.actions * c.action_dim), &device)?,
        belief: None,
    };
    let (noisy, level) = (
        rng.normal((2, side, side, channels), &device)?,
        Tensor::new(&[0.3f32, 1.], &device)?,
    );
    keep(out, "noisy", &noisy);
    keep(out, "level", &level);
    keep(out, "context", &window.context);
    keep(out, "levels", &window.context_levels);
    keep(out, "actions", &window.actions);
    keep(out, "said", &net.forward(&noisy, &level, &window)?);
    let net = Imagination::new(c, params.pp("dynamics"))?;
    let loss = imagining(out, &net, rng)?;
    gradients(out, params, "dynamics_loss", &loss)
}

fn main() -> anyhow::Result<()> {
    parallax::model::nn::quiet_candle_threads();
    let mut args = std::env::args().skip(1);
    let usage = "training_fixture MODEL_FOLDER OUT.safetensors";
    let (dir, to) = (args.next().context(usage)?, args.next().context(usage)?);
    let (dir, device, mut out, mut rng) =
        (Path::new(&dir), Device::Cpu, Tensors::new(), Rng::seed(5));
    let mut params = Params::load(&dir.join(folder::WEIGHTS), &device)?;
    for beside in [folder::KEYFRAMES, folder::JUMPS, folder::DISTANCE].map(|name| dir.join(name)) {
        if beside.is_file() {
            params = params.and(&beside)?;
        }
    }
    let n = 6;
    let bytes = frames(n, &mut rng);
    let shape = (n, SIDE * SIDE * 3);
    keep(
        &mut out,
        "frames",
        &Tensor::from_vec(bytes.clone(), shape, &device)?,
    );
    match TrainConfig::load(&dir.join("train.ron"))?.architecture {
        Architecture::Lewm(recipe) => {
            let c = &recipe.model;
            let model = Lewm::new(c, &params)?;
            keep(&mut out, "latents", &model.encode_frames(&bytes)?);
            let width = c.frameskip * c.action_dim;
            let z = rng.normal((n, c.history * c.latent_dim), &device)?;
            let a = rng.uniform(-1., 1., (n, width), &device)?;
            keep(&mut out, "z", &z);
            keep(&mut out, "a", &a);
            keep(&mut out, "next", &model.predict(&z, &a, None)?);
            let (steps, d) = (c.history + 2, c.latent_dim);
            let true_ones = rng.normal((2, steps + 1, d), &device)?;
            let taken = rng.uniform(-1., 1., (2, steps, width), &device)?;
            let measure = rng.normal((d, d), &device)?;
            let planned = Some((0.3, &measure));
            let off = open_loop_loss(&model, &true_ones, &taken, planned, None)?;
            keep(&mut out, "planned.z", &true_ones);
            keep(&mut out, "planned.a", &taken);
            keep(&mut out, "planned.w", &measure);
            keep(&mut out, "planned", &off);
            if Proposal::is_in(&params) {
                let prior = Proposal::new(c.latent_dim, c.history, c.action_dim, &params)?;
                let goal = rng.normal((n, c.latent_dim), &device)?;
                keep(&mut out, "goal", &goal);
                keep(&mut out, "proposed", &prior.forward(&z, &goal)?);
            }
            if Keyframes::is_in(&params) {
                let head = Keyframes::new(c.latent_dim, c.history, &params)?;
                let goal = rng.normal((n, c.latent_dim), &device)?;
                keep(&mut out, "keyframes.goal", &goal);
                keep(&mut out, "keyframes.said", &head.forward(&z, &goal)?);
            }
            if Jumps::is_in(&params) {
                // Longer than a stretch, so that it looks back a second time.
                let start = z.narrow(0, 0, 1)?;
                let ahead = rng.uniform(-1., 1., (2, STRETCH + 3, c.action_dim), &device)?;
                let film = Jumps::new(c, &params)?.film(&start, &ahead, &Cancel::new())?;
                keep(&mut out, "jumps.ahead", &ahead);
                keep(&mut out, "jumps.film", &film);
            }
            if Temporal::is_in(&params) {
                let head = Temporal::new(c.latent_dim, &params)?;
                let goal = rng.normal((1, c.latent_dim), &device)?;
                let known = z.narrow(1, (c.history - 1) * c.latent_dim, c.latent_dim)?;
                keep(&mut out, "temporal.goal", &goal);
                keep(
                    &mut out,
                    "temporal.said",
                    &Tensor::stack(&head.forward(&known, &goal)?, 0)?,
                );
                keep(
                    &mut out,
                    "temporal.distance",
                    &head.distance(&known, &goal)?,
                );
            }
            if c.history < n / 2 {
                // Two sequences; without SIGReg, whose directions are drawn within.
                let actions = rng.uniform(-1., 1., (2, n / 2 - 1, width), &device)?;
                keep(&mut out, "actions", &actions);
                let mut weights = recipe.joint.weights;
                weights.sigreg = 0.;
                let pixels = model.pixels(&bytes)?;
                let loss = joint_loss(&model, &pixels, &actions, &weights, &mut rng)?;
                gradients(&mut out, &params, "loss", &loss.total)?;
            }
        }
        Architecture::Belief(_) => {
            // It watches six frames and imagines five steps; nothing of it is trained here.
            let c: BeliefConfig = folder::network(dir)?;
            let model = BeliefPredictor::new(&c, &params, None)?;
            let led = rng.uniform(-1., 1., (n, c.lewm.action_dim), &device)?;
            let mut steps: Vec<Tensor> = Vec::new();
            for (t, frame) in bytes.chunks_exact(shape.1).enumerate() {
                let seen = model.encode(&Frame::new(SIDE, frame.to_vec()))?;
                steps.push(model.carry(steps.last(), &seen, &led.narrow(0, t, 1)?)?);
            }
            let ahead = rng.uniform(-1., 1., (1, 5, c.lewm.action_dim), &device)?;
            let start = Tensor::cat(&steps[n - c.lewm.history..], 1)?;
            let imagined = model.roll_out(&start, &ahead, &Cancel::new())?;
            keep(&mut out, "led", &led);
            keep(&mut out, "watched", &Tensor::cat(&steps, 0)?);
            keep(&mut out, "ahead", &ahead);
            keep(&mut out, "imagined", &imagined);
        }
        Architecture::Remembering(_) => {
            // It watches six frames; then two candidates are denoised with what it believes of them.
            let c: LatentDiffusionConfig = folder::network(dir)?;
            let (eye, net) = (
                Autoencoder::of(&c, &params)?,
                Dit::new(&c, params.pp("dynamics"))?,
            );
            let memory = Memory::new(&c, &params.pp("belief"))?.context("no belief")?;
            let latents = Tensor::from_vec(eye.encode(&bytes)?, (n, c.latent_len()), &device)?;
            let led = rng.uniform(-1., 1., (n, c.action_dim), &device)?;
            let mut beliefs: Vec<Tensor> = Vec::new();
            for t in 0..n {
                let (z, a) = (latents.narrow(0, t, 1)?, led.narrow(0, t, 1)?);
                beliefs.push(memory.carry(beliefs.last(), &z, &a)?);
            }
            let shape = (2, c.side(), c.side(), c.channels());
            let (context, noisy) = (
                rng.normal((2, c.side(), c.side(), c.channels() * c.context), &device)?,
                rng.normal(shape, &device)?,
            );
            let level = Tensor::new(&[0.3f32, 1.], &device)?;
            let window = Window {
                context,
                context_levels: rng.uniform(0., 0.4, (2, c.context), &device)?,
                actions: rng.uniform(-1., 1., (2, c.actions * c.action_dim), &device)?,
                belief: Some(Tensor::cat(&beliefs[n - 2..], 0)?),
            };
            keep(&mut out, "led", &led);
            keep(&mut out, "watched", &Tensor::cat(&beliefs, 0)?);
            keep(&mut out, "noisy", &noisy);
            keep(&mut out, "level", &level);
            keep(&mut out, "context", &window.context);
            keep(&mut out, "levels", &window.context_levels);
            keep(&mut out, "acted", &window.actions);
            keep(&mut out, "said", &net.forward(&noisy, &level, &window)?);
        }
        Architecture::VjepaAc(recipe) => {
            let c = &recipe.model;
            let maps = ActionJepa::new(c, &params)?;
            let width = c.frameskip * c.action_dim;
            let z = maps.encode_frames(&bytes)?;
            keep(&mut out, "maps", &z);
            let z = z.reshape((2, n / 2, c.map_len()))?;
            let actions = rng.uniform(-1., 1., (2, n / 2 - 1, width), &device)?;
            keep(&mut out, "actions", &actions);
            let by_values = MapError {
                smooth: 0.1,
                by_change: 0.9,
                planned: None,
            };
            let metric = rng.uniform(-1., 1., (c.map_len(), 5), &device)?;
            let planned = MapError {
                planned: Some((0.3, metric.clone())),
                ..by_values.clone()
            };
            let (forced, opened) = maps.losses(&z, &actions, &planned, Some(1))?;
            keep(&mut out, "metric", &metric);
            keep(&mut out, "planned", &Tensor::stack(&[forced, opened], 0)?);
            let (teacher, rollout) = maps.losses(&z, &actions, &by_values, None)?;
            gradients(&mut out, &params, "loss", &(teacher + rollout)?)?;
            let masked = MaskedJepa::new(c, &params)?;
            let clip: Vec<&[u8]> = (0..c.clip_frames)
                .map(|t| &bytes[(t % n) * shape.1..(t % n + 1) * shape.1])
                .collect();
            let mask = Mask::draw_sized(LONG, c.grid(), recipe.masked.long, &mut rng);
            let batch = ClipBatch::new(c, &[clip], std::slice::from_ref(&mask), &device)?;
            let places = |of: &Vec<u32>| Tensor::from_vec(of.clone(), of.len(), &device);
            keep(&mut out, "visible", &places(&mask.visible)?);
            keep(&mut out, "hidden", &places(&mask.hidden)?);
            keep(&mut out, "masked_loss", &masked.loss(&batch)?);
        }
        Architecture::Cloning(recipe) | Architecture::StepsToGo(recipe) => {
            let model = Cloning::new(&recipe.model, &params)?;
            let features = model.encoder().encode_frames(&bytes)?;
            keep(&mut out, "features", &features);
            let half = |i: usize| features.narrow(0, i * n / 2, n / 2)?.contiguous();
            keep(&mut out, "decided", &model.decide(&half(0)?, &half(1)?)?);
            let actions = rng.uniform(-1., 1., (n / 2, recipe.model.action_dim), &device)?;
            keep(&mut out, "actions", &actions);
            let pixels = model.encoder().pixels(&bytes)?;
            gradients(
                &mut out,
                &params,
                "loss",
                &model.loss(&pixels, &actions, true)?,
            )?;
        }
        Architecture::PixelDiffusion(recipe) => {
            let c = &recipe.model;
            let net = Denoiser::new(c, params.clone())?;
            let (side, channels) = (c.side(), c.channels());
            let x = rng.normal((2, side, side, channels), &device)?;
            let conditions = Conditions {
                context: rng.normal((2, side, side, channels * c.context), &device)?,
                context_level: Tensor::new(&[0.02f32, 0.15], &device)?,
                actions: rng.uniform(-1., 1., (2, c.actions * c.action_dim), &device)?,
            };
            keep(&mut out, "x", &x);
            keep(&mut out, "context", &conditions.context);
            keep(&mut out, "levels", &conditions.context_level);
            keep(&mut out, "actions", &conditions.actions);
            let clean = net.denoise(&x, 0.7, &conditions)?;
            keep(&mut out, "clean", &clean);
            let loss = denoising(&mut out, &net, &recipe, &bytes, &mut rng)?;
            gradients(&mut out, &params, "loss", &loss)?;
        }
        Architecture::DrawnLewm(_) => {
            let c: DrawnConfig = folder::network(dir)?;
            let lewm = Lewm::new(&c.lewm, &params.detached())?;
            let painter = Painter::new(&c, params.pp("painter"))?;
            let net = Denoiser::new(&c.denoiser, params.pp("denoiser"))?;
            let (side, channels, m) = (c.denoiser.side(), c.denoiser.channels(), n / 2);
            let start = rng.normal((m, c.lewm.history * c.lewm.latent_dim), &device)?;
            let actions = rng.uniform(-1., 1., (m, 3, c.lewm.action_dim), &device)?;
            let imagined = lewm.roll_out(&start, &actions, None)?;
            keep(&mut out, "start", &start);
            keep(&mut out, "actions", &actions);
            keep(&mut out, "imagined", &imagined);
            let z = imagined.narrow(1, 2, 1)?.squeeze(1)?.contiguous()?;
            let patches = Patches::new(&c.denoiser);
            let fold = |frames: std::ops::Range<usize>| -> anyhow::Result<(Vec<f32>, Tensor)> {
                let mut folded = Vec::new();
                for i in frames {
                    patches.fold(&bytes[i * shape.1..(i + 1) * shape.1], &mut folded);
                }
                let maps = Tensor::from_vec(folded.clone(), (m, side, side, channels), &device)?;
                Ok((folded, maps))
            };
            let (last, (clean, _)) = (fold(0..m)?.1, fold(m..n)?);
            let x = rng.normal((m, side, side, channels), &device)?;
            keep(&mut out, "x", &x);
            let told = conditions(&painter, &z, &last)?;
            keep(&mut out, "clean", &net.denoise(&x, 0.7, &told)?);
            // One noise level each, every other pixel weighs 7.
            let sigma: Vec<f32> = (0..m).map(|i| 0.3 + 0.4 * i as f32).collect();
            let noise = rng.normal_vec(clean.len());
            let (mut noisy, mut target, mut weight) = (Vec::new(), Vec::new(), Vec::new());
            let len = c.denoiser.frame_len();
            for (i, (y, z)) in clean.iter().zip(&noise).enumerate() {
                let (sigma, unit) = (sigma[i / len], Denoiser::unit(&c.denoiser));
                let factor = Denoiser::preconditioning(&c.denoiser, sigma);
                let x = y + sigma * z / unit;
                noisy.push(factor.input * x);
                target.push((y - factor.skip * x) / factor.out);
            }
            for _ in 0..m {
                patches.fold_weights(|p| if p % 2 == 0 { 7. } else { 1. }, &mut weight);
            }
            let maps = |v| Tensor::from_vec(v, (m, side, side, channels), &device);
            let level = |s: &f32| Denoiser::preconditioning(&c.denoiser, *s).noise;
            keep(&mut out, "sigma", &Tensor::from_slice(&sigma, m, &device)?);
            keep(&mut out, "noise", &maps(noise)?);
            let batch = drawn::Batch {
                picks: Tensor::arange(0u32, m as u32, &device)?,
                noise: Tensor::from_vec(sigma.iter().map(level).collect::<Vec<_>>(), m, &device)?,
                noisy: maps(noisy)?,
                target: maps(target)?,
                weight: maps(weight)?,
                start,
                actions,
                last,
            };
            let value = drawn::loss((&painter, &net), &z, &batch)?;
            gradients(&mut out, &params, "loss", &value)?;
        }
        Architecture::LatentDiffusion(recipe) => {
            let squared = recipe.autoencoder.squared_weight;
            let given = (&params, bytes.as_slice());
            latents::<Autoencoder>(&mut out, &recipe.model, squared, given, &mut rng)?;
        }
        Architecture::Keyframes(_) | Architecture::Jumps(_) | Architecture::Distance(_) => {
            anyhow::bail!(
                "{}: a model's folder holds the recipe of the model",
                dir.display()
            )
        }
        Architecture::TokenDiffusion(recipe) => {
            let config: TokenDiffusionConfig = folder::network(dir)?;
            let squared = recipe.decoder.squared_weight;
            let given = (&params, bytes.as_slice());
            latents::<TokenEye>(&mut out, &config, squared, given, &mut rng)?;
        }
    }
    candle_core::safetensors::save(&out, &to)?;
    Ok(())
}
