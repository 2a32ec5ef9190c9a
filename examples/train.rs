//! Trains, collects and measures without the app: `train run train.ron OUT [--data DIR].. [--minutes M] [--resume]`,
//! `train collect SCENE EPISODES OUT [FIRST_SEED]`, `train bench [STEPS]`.

use anyhow::{Context as _, bail};
use parallax::train::{LewmRecipe, TrainOptions, bench_lewm_step, run};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_target(false).init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| args.get(i).with_context(|| format!("argument {i} is missing"));
    match argument(0)?.as_str() {
        "run" => {
            let mut options = TrainOptions {
                device: device()?,
                minutes: None,
                resume: false,
                out: PathBuf::from(argument(2)?),
                data: Vec::new(),
            };
            let mut rest = args[3..].iter();
            while let Some(flag) = rest.next() {
                match flag.as_str() {
                    "--resume" => options.resume = true,
                    "--minutes" => options.minutes = Some(rest.next().context("--minutes M")?.parse()?),
                    "--data" => options.data.push(rest.next().context("--data DIR")?.into()),
                    other => bail!("unknown flag {other}"),
                }
            }
            println!("{:?}", run(Path::new(argument(1)?), &options)?);
        }
        "collect" => {
            let scene = Arc::new(parallax::scene::load(argument(1)?)?);
            let options = parallax::episode::CollectOptions {
                out: argument(3)?.into(),
                episodes: argument(2)?.parse()?,
                seed: args.get(4).map_or(Ok(0), |s| s.parse())?,
                progress: false,
            };
            println!("{:?}", parallax::episode::collect(&scene, &options)?);
        }
        "bench" => {
            let steps = args.get(1).map_or(Ok(30), |s| s.parse())?;
            let rate = bench_lewm_step(&LewmRecipe::default(), steps, &device()?)?;
            println!("{rate:.1}");
        }
        other => bail!("unknown command {other}"),
    }
    Ok(())
}

#[cfg(feature = "cuda")]
fn device() -> anyhow::Result<candle_core::Device> {
    // The driver may be missing on the machine that runs this build, and asking candle would then panic.
    // SAFETY: only looks for the library.
    if unsafe { candle_core::cuda::cudarc::driver::sys::is_culib_present() } {
        return Ok(candle_core::Device::new_cuda(0)?);
    }
    Ok(candle_core::Device::Cpu)
}

#[cfg(not(feature = "cuda"))]
fn device() -> anyhow::Result<candle_core::Device> {
    Ok(candle_core::Device::Cpu)
}
