//! Milliseconds of one training step of the latent transformer, by how many latent cells make a token:
//! `dit_step [BATCH]`.
//!
//! Sizes that cost about as many multiply-adds each: what decides is how well the processor takes them.

use std::time::Instant;

use candle_core::{Device, Tensor};
use parallax::model::generative::{Dit, LatentDiffusionConfig, Window};
use parallax::model::nn::{AdamW, AdamWConfig, Params, Rng};

const STEPS: usize = 5;

fn main() -> anyhow::Result<()> {
    parallax::model::nn::quiet_candle_threads();
    let batch: usize = std::env::args().nth(1).map_or(Ok(32), |b| b.parse())?;
    let sizes = [
        (1, 128, 4, 384, 6),
        (1, 96, 4, 288, 6),
        (2, 192, 4, 576, 6),
        (2, 256, 4, 768, 6),
    ];
    for (merge, width, heads, hidden, layers) in sizes {
        let config = LatentDiffusionConfig {
            merge,
            width,
            heads,
            hidden,
            layers,
            ..Default::default()
        };
        let (device, mut rng) = (Device::Cpu, Rng::seed(1));
        let params = Params::fresh(1, &device);
        let net = Dit::new(&config, params.clone())?;
        let mut adam = AdamW::new(params.vars(), AdamWConfig::default())?;
        let (side, c, k) = (config.side(), config.channels(), config.context);
        let noisy = rng.normal((batch, side, side, c), &device)?;
        let target = rng.normal((batch, side, side, c), &device)?;
        let level = Tensor::full(0.5f32, batch, &device)?;
        let window = Window {
            context: rng.normal((batch, side, side, k * c), &device)?,
            context_levels: Tensor::full(0.05f32, (batch, k), &device)?,
            actions: rng.normal((batch, config.actions * config.action_dim), &device)?,
            belief: None,
        };
        let (mut least, mut forward) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..STEPS {
            let started = Instant::now();
            let said = net.forward(&noisy, &level, &window)?;
            forward = forward.min(started.elapsed().as_secs_f64());
            let loss = (said - &target)?.sqr()?.mean_all()?;
            adam.step(&loss.backward()?, 1e-3, Some(1.0))?;
            least = least.min(started.elapsed().as_secs_f64());
        }
        let flops = 6.0 * Dit::multiply_adds(&config) * batch as f64;
        println!(
            "{} tokens {width} wide, {layers} blocks, {hidden} hidden, {:.2} M parameters: {:.0} ms a \
             step of {batch} ({:.0} forward), \
             {:.0} frames/s, {:.1} GFLOP/s",
            config.tokens(),
            params.count() as f64 / 1e6,
            1e3 * least,
            1e3 * forward,
            batch as f64 / least,
            flops / least / 1e9
        );
    }
    Ok(())
}
