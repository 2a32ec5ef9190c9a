//! Trains, collects and measures without the app: `train run train.ron OUT [--data DIR].. [--minutes M] [--resume]`,
//! `train collect SCENE EPISODES OUT [FIRST_SEED]`, `train bench [STEPS]`,
//! `train control FOLDER SCENE [EPISODES]` (on seeds that are neither trained on nor held out).

use anyhow::{Context as _, bail};
use parallax::camera::Eye;
use parallax::eval::control::run as run_control;
use parallax::model::Card;
use parallax::model::jepa::{GoalCost, LewmConfig, LewmModel};
use parallax::planner::{Budget, Cem, Mpc, Random};
use parallax::train::{Architecture, LewmRecipe, TrainConfig, TrainOptions, bench_lewm_step, run};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() -> anyhow::Result<()> {
    parallax::model::nn::quiet_candle_threads();
    tracing_subscriber::fmt().with_target(false).init();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let argument = |i: usize| {
        args.get(i)
            .with_context(|| format!("argument {i} is missing"))
    };
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
                    "--minutes" => {
                        options.minutes = Some(rest.next().context("--minutes M")?.parse()?)
                    }
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
        "control" => {
            let dir = Path::new(argument(1)?);
            let episodes = args.get(3).map_or(Ok(30), |s| s.parse())?;
            control(dir, argument(2)?, episodes)?;
        }
        other => bail!("unknown command {other}"),
    }
    Ok(())
}

fn control(dir: &Path, scene: &str, episodes: u64) -> anyhow::Result<()> {
    const SEED: u64 = 900_000;
    let scene = Arc::new(parallax::scene::load(scene)?);
    let eye = Eye::standard(&scene)?;
    let Architecture::Lewm(recipe) = TrainConfig::load(&dir.join("train.ron"))?.architecture;
    for cost in [GoalCost::Whitened, GoalCost::Plain] {
        let config = LewmConfig {
            cost,
            ..recipe.model.clone()
        };
        for (candidates, iterations) in [(100, 4), (300, 10)] {
            let budget = Budget {
                candidates,
                iterations,
                ..Budget::PAPER
            };
            let again = LewmModel::load(dir, Card::load(dir)?, &config, &device()?)?;
            let mut mpc = Mpc::new(Arc::new(again), Cem::default(), budget, config.frameskip);
            let result = run_control(&scene, &eye, &mut mpc, SEED, episodes, |_| ())?;
            println!(
                "{cost:?} {candidates}x{iterations}: {:?} {:?}",
                result.success, result.decision_ms
            );
        }
    }
    let random = run_control(&scene, &eye, &mut Random::new(0), SEED, episodes, |_| ())?;
    println!("random: {:?}", random.success);
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
