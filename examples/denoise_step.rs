//! One denoising step of a generative model, timed, with what went in and came out: `denoise_step
//! MODEL_FOLDER OUT.safetensors`. `benches/denoise_vs_torch.py` does the same with PyTorch on the same
//! weights.

use std::collections::HashMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;
use candle_core::{Device, Tensor};
use parallax::model::generative::{
    Conditions, Denoiser, Dit, LatentDiffusionConfig, PixelDiffusionConfig, Window,
};
use parallax::model::nn::Rng;
use parallax::model::{Card, folder};

const REPEATS: usize = 40;
/// Frames denoised at once.
const BATCHES: [usize; 2] = [1, 4];

/// The least milliseconds of some runs, and what the last returned.
fn best<T>(mut run: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<(f64, T)> {
    let (mut least, mut out) = (f64::INFINITY, run()?);
    for _ in 0..REPEATS {
        let start = Instant::now();
        out = run()?;
        least = least.min(start.elapsed().as_secs_f64() * 1e3);
    }
    Ok((least, out))
}

fn main() -> anyhow::Result<()> {
    parallax::model::nn::quiet_candle_threads();
    let mut args = std::env::args().skip(1);
    let usage = "denoise_step MODEL_FOLDER OUT.safetensors";
    let dir = args.next().context(usage)?;
    let out = args.next().context(usage)?;
    let (dir, device) = (Path::new(&dir), Device::Cpu);
    let params = folder::weights(dir, &device)?.detached();
    let mut tensors = HashMap::new();
    let mut report = serde_json::Map::new();
    let mut rng = Rng::seed(0);
    let architecture = Card::load(dir)?.architecture;
    for n in BATCHES {
        let mut keep = |name: &str, tensor: &Tensor| {
            tensors.insert(format!("{name}.{n}"), tensor.clone());
        };
        let ms = match architecture.as_str() {
            "pixel_diffusion" => {
                let config: &PixelDiffusionConfig = &folder::network(dir)?;
                let denoiser = Denoiser::new(config, params.clone())?;
                let (side, c) = (config.side(), config.channels());
                let noisy = rng.normal((n, side, side, c), &device)?;
                let noise = rng.normal(n, &device)?;
                let conditions = Conditions {
                    context: rng.normal((n, side, side, c * config.context), &device)?,
                    context_level: Tensor::full(config.context_noise, n, &device)?,
                    actions: rng.uniform(
                        -1.0,
                        1.0,
                        (n, config.actions * config.action_dim),
                        &device,
                    )?,
                };
                let (ms, said) = best(|| Ok(denoiser.network(&noisy, &noise, &conditions)?))?;
                keep("noisy", &noisy);
                keep("noise", &noise);
                keep("context", &conditions.context);
                keep("levels", &conditions.context_level);
                keep("actions", &conditions.actions);
                keep("said", &said);
                report.insert("groups".into(), config.groups.into());
                report.insert("heads".into(), config.heads.into());
                ms
            }
            "latent_diffusion" => {
                let config: &LatentDiffusionConfig = &folder::network(dir)?;
                let net = Dit::new(config, params.pp("dynamics"))?;
                let (side, c, k) = (config.side(), config.channels(), config.context);
                let noisy = rng.normal((n, side, side, c), &device)?;
                let level = rng.uniform(0.0, 1.0, n, &device)?;
                let window = Window {
                    context: rng.normal((n, side, side, k * c), &device)?,
                    context_levels: rng.uniform(0.0, 0.3, (n, k), &device)?,
                    actions: rng.uniform(
                        -1.0,
                        1.0,
                        (n, config.actions * config.action_dim),
                        &device,
                    )?,
                    belief: None,
                };
                let (ms, said) = best(|| Ok(net.forward(&noisy, &level, &window)?))?;
                keep("noisy", &noisy);
                keep("noise", &level);
                keep("context", &window.context);
                keep("levels", &window.context_levels);
                keep("actions", &window.actions);
                keep("said", &said);
                report.insert("merge".into(), config.merge.into());
                report.insert("heads".into(), config.heads.into());
                ms
            }
            _ => anyhow::bail!("{} holds no diffusion model", dir.display()),
        };
        report.insert(format!("ms {n}"), ms.into());
    }
    candle_core::safetensors::save(&tensors, &out)?;
    report.insert("threads".into(), rayon::current_num_threads().into());
    report.insert("architecture".into(), architecture.into());
    println!("{}", serde_json::Value::Object(report));
    Ok(())
}
