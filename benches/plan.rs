//! Milliseconds of one LeWM plan: 300 candidates, 10 iterations, 5 tokens.

use std::time::Instant;

use candle_core::Device;
use parallax::camera::Eye;
use parallax::model::{Cancel, Context, Frame, Metric, Sampling, registry};
use parallax::planner::{Budget, Cem, Planner, Problem};
use parallax::scene;
use parallax::sim::HELD_OUT_SEED;
use parallax::task::TaskInstance;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    parallax::model::nn::quiet_candle_threads();
    let dir = scene::models_dir().join("lewm-push");
    if !dir.join("card.ron").is_file() {
        println!(
            "{} holds no trained model: nothing to measure",
            dir.display()
        );
        return Ok(());
    }
    let model = registry::load(&dir, &Device::Cpu)?;
    let push = std::sync::Arc::new(scene::load("push")?);
    let eye = Eye::standard(&push)?;
    let task = TaskInstance::new(&push, &eye, HELD_OUT_SEED)?;
    let context = Context::one(Frame::new(eye.size(), eye.look(&task.reality).rgb));
    let budget = Budget::PAPER;
    let mut ms = Vec::new();
    for seed in 0..20 {
        let start = Instant::now();
        let latent = model.observe(&context)?;
        Cem::default().plan(&Problem {
            model: model.as_ref(),
            latent: &latent,
            goal: &task.goal,
            metric: &Metric::Own,
            sampling: Sampling::default(),
            dim: 2,
            budget: &budget,
            warm: None,
            seed,
            cancel: &Cancel::new(),
        })?;
        ms.push(start.elapsed().as_secs_f64() * 1e3);
    }
    ms.sort_by(f64::total_cmp);
    println!(
        "lewm-push, {} candidates x {} iterations x {} tokens: median {:.0} ms, best {:.0} ms, worst \
         {:.0} ms on {} threads; wanted on 2 cores: at most 500 ms",
        budget.candidates,
        budget.iterations,
        budget.horizon,
        ms[ms.len() / 2],
        ms[0],
        ms[ms.len() - 1],
        rayon::current_num_threads()
    );
    Ok(())
}
