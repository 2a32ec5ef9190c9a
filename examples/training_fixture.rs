//! What the networks of a model folder say, and the losses and gradients they are trained by, for the
//! parity tests of `training/`: `training_fixture MODEL_FOLDER OUT.safetensors`. Names that begin with
//! `grad.` are gradients of `loss`.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context as _;
use candle_core::{Device, Tensor, backprop::GradStore};
use parallax::model::cloning::Cloning;
use parallax::model::generative::{Autoencoder, Conditions, Denoiser, Dit, Window};
use parallax::model::jepa::vjepa::{ActionJepa, ClipBatch, LONG, Mask, MaskedJepa};
use parallax::model::jepa::{Lewm, Proposal, joint_loss};
use parallax::model::nn::{Params, Rng};
use parallax::train::latent::{FrameBatch, reconstruction_loss};
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

fn gradients(out: &mut Tensors, params: &Params, loss: &Tensor) -> anyhow::Result<()> {
    let store: GradStore = loss.backward()?;
    for (name, var) in params.vars() {
        if let Some(gradient) = store.get(&var) {
            keep(out, &format!("grad.{name}"), gradient);
        }
    }
    keep(out, "loss", loss);
    Ok(())
}

fn main() -> anyhow::Result<()> {
    parallax::model::nn::quiet_candle_threads();
    let mut args = std::env::args().skip(1);
    let usage = "training_fixture MODEL_FOLDER OUT.safetensors";
    let (dir, to) = (args.next().context(usage)?, args.next().context(usage)?);
    let (dir, device, mut out, mut rng) =
        (Path::new(&dir), Device::Cpu, Tensors::new(), Rng::seed(5));
    let params = Params::load(&dir.join("model.safetensors"), &device)?;
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
            if Proposal::is_in(&params) {
                let prior = Proposal::new(c.latent_dim, c.history, c.action_dim, &params)?;
                let goal = rng.normal((n, c.latent_dim), &device)?;
                keep(&mut out, "goal", &goal);
                keep(&mut out, "proposed", &prior.forward(&z, &goal)?);
            }
            // Two sequences; without SIGReg, whose directions are drawn within.
            let actions = rng.uniform(-1., 1., (2, n / 2 - 1, width), &device)?;
            keep(&mut out, "actions", &actions);
            let mut weights = recipe.joint.weights;
            weights.sigreg = 0.;
            let loss = joint_loss(&model, &model.pixels(&bytes)?, &actions, &weights, &mut rng)?;
            gradients(&mut out, &params, &loss.total)?;
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
            let (teacher, rollout) = maps.losses(&z, &actions, 0.1)?;
            gradients(&mut out, &params, &(teacher + rollout)?)?;
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
            gradients(&mut out, &params, &model.loss(&pixels, &actions, true)?)?;
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
            gradients(&mut out, &params, &clean.sqr()?.mean_all()?)?;
        }
        Architecture::LatentDiffusion(recipe) => {
            let c = &recipe.model;
            let coder = Autoencoder::new(c, params.pp("autoencoder"))?;
            let latents = coder.encode(&bytes)?;
            let pictures = coder.decode(&latents)?;
            let len = latents.len() / n;
            keep(
                &mut out,
                "latents",
                &Tensor::from_vec(latents, (n, len), &device)?,
            );
            keep(
                &mut out,
                "decoded",
                &Tensor::from_vec(pictures, shape, &device)?,
            );
            let folded = coder.fold(&bytes)?;
            let (side, channels) = (c.side(), c.channels());
            let batch = FrameBatch {
                weight: folded.ones_like()?,
                noise: Tensor::zeros((n, side, side, channels), folded.dtype(), &device)?,
                folded,
            };
            let loss = reconstruction_loss(&coder, &batch, recipe.autoencoder.squared_weight)?;
            gradients(&mut out, &params, &loss)?;
            let net = Dit::new(c, params.pp("dynamics"))?;
            let window = Window {
                context: rng.normal((2, side, side, channels * c.context), &device)?,
                context_levels: rng.uniform(0., 0.4, (2, c.context), &device)?,
                actions: rng.uniform(-1., 1., (2, c.actions * c.action_dim), &device)?,
            };
            let (noisy, level) = (
                rng.normal((2, side, side, channels), &device)?,
                Tensor::new(&[0.3f32, 1.], &device)?,
            );
            keep(&mut out, "noisy", &noisy);
            keep(&mut out, "level", &level);
            keep(&mut out, "context", &window.context);
            keep(&mut out, "levels", &window.context_levels);
            keep(&mut out, "actions", &window.actions);
            keep(&mut out, "said", &net.forward(&noisy, &level, &window)?);
        }
    }
    candle_core::safetensors::save(&out, &to)?;
    Ok(())
}
