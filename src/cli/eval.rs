//! `parallax eval`: control, rollout, judge. JSON as README describes it; its keys only grow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use crate::camera::Eye;
use crate::eval::control::{self, ControlResult};
use crate::eval::{judge, rollout};
use crate::judge::Thresholds;
use crate::model::oracle::Oracle;
use crate::model::{Camp, Cost, WorldModel, registry};
use crate::planner::{Budget, Cem, Controller, CostShape, Mpc, OracleMpc, Random};
use crate::scene::{self, Scene, home, models_dir};
use crate::sim::HELD_OUT_SEED;

/// Measure models, controllers and the judge on held-out seeds.
#[derive(clap::Args, Debug)]
pub struct EvalArgs {
    #[command(flatten)]
    world: super::world::WorldArgs,
    /// What to measure
    #[arg(value_enum)]
    suite: Suite,
    /// Scene: a name from `parallax scenes` (judge: all scenes without it)
    #[arg(long, value_name = "S")]
    scene: Option<String>,
    /// Model: a folder of models/ (control also takes `oracle` and `random`)
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Episodes or clips
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    episodes: u64,
    /// First seed; from 1000000 up seeds are held out
    #[arg(long, value_name = "K", default_value_t = HELD_OUT_SEED)]
    seed: u64,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Control: candidates an iteration
    #[arg(long)]
    candidates: Option<usize>,
    /// Control: iterations a decision
    #[arg(long)]
    iterations: Option<usize>,
    /// Control: tokens planned ahead
    #[arg(long)]
    horizon: Option<usize>,
    /// Control: control steps that a plan is followed before the next
    #[arg(long)]
    replan: Option<usize>,
    /// Control: function evaluations an imagined frame (diffusion models)
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=10))]
    nfe: u8,
    /// Control: cost of a plan, over all imagined steps or the last
    #[arg(long, value_enum, default_value_t = Shape::Sum)]
    cost: Shape,
    /// Control: leave out the floor (random) and the ceiling (oracle)
    #[arg(long)]
    no_references: bool,
    /// Judge: make assets/judge.ron anew from so many clips a scene
    #[arg(long, value_name = "CLIPS")]
    calibrate: Option<u64>,
    /// Where to compute: auto, cpu, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Sum over all imagined steps
    Sum,
    /// The last imagined step alone
    Last,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Suite {
    /// Success, latency and cost of a controller
    Control,
    /// Accuracy and lawfulness of imagined clips
    Rollout,
    /// False positives and detection rate of the judge itself
    Judge,
}

pub fn run(args: &EvalArgs) -> Result<()> {
    let result = match args.suite {
        Suite::Control => eval_control(args)?,
        Suite::Rollout => eval_rollout(args)?,
        Suite::Judge => eval_judge(args)?,
    };
    if let Some(path) = &args.json {
        write_json(path, &result)?;
    }
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir)
            .with_context(|| format!("{}: cannot be created", dir.display()))?;
    }
    let text = serde_json::to_string_pretty(value)? + "\n";
    std::fs::write(path, text).with_context(|| format!("{}: cannot be written", path.display()))
}

fn scene_of(args: &EvalArgs) -> Result<Arc<Scene>> {
    let name = args
        .scene
        .as_deref()
        .ok_or_else(|| super::wrong_use("--scene S is needed for this suite"))?;
    args.world.scene(name)
}

fn model_name(args: &EvalArgs) -> Result<&str> {
    args.model.as_deref().ok_or_else(|| {
        super::wrong_use("--model M is needed for this suite; `parallax models` lists them")
    })
}

fn command_line() -> String {
    std::env::args()
        .skip(1)
        .fold("parallax".into(), |line, a| line + " " + &a)
}

fn head(suite: &str, args: &EvalArgs, scene: &str, model: &str) -> Map<String, Value> {
    let head = json!({
        "schema": 1, "suite": suite, "scene": scene, "model": model, "seed": args.seed, "episodes": args.episodes,
        "command": command_line(), "version": env!("CARGO_PKG_VERSION"), "device": args.device.replace("auto", "cpu"),
    });
    match head {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) =
        ProgressStyle::with_template("{prefix:<12} {wide_bar} {pos}/{len} {msg} {eta} left")
    {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_string());
    bar
}

fn run_control(
    scene: &Arc<Scene>,
    args: &EvalArgs,
    name: &str,
    controller: &mut dyn Controller,
) -> Result<ControlResult> {
    let eye = Eye::standard(scene)?;
    let bar = bar(args.episodes, name);
    let mut successes = 0;
    let result = control::run(scene, &eye, controller, args.seed, args.episodes, |e| {
        successes += usize::from(e.success);
        bar.set_message(format!("{successes} reached"));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    let r = result.success;
    println!(
        "{name:<14} success {:5.1} %  [{:.1}, {:.1}]  of {}  ({} solved at start)  {:.1} ms a decision",
        100.0 * r.rate,
        100.0 * r.low,
        100.0 * r.high,
        result.episodes,
        result.excluded_solved_at_start,
        result.decision_ms.median
    );
    Ok(result)
}

/// What differs from a preset is what was asked for.
fn budget_of(args: &EvalArgs, preset: Budget) -> Budget {
    Budget {
        candidates: args.candidates.unwrap_or(preset.candidates),
        iterations: args.iterations.unwrap_or(preset.iterations),
        horizon: args.horizon.unwrap_or(preset.horizon),
        ..preset
    }
}

fn oracle(scene: &Arc<Scene>, budget: Budget, replan: usize) -> OracleMpc {
    OracleMpc::new(Arc::new(Oracle::new(scene)), budget, replan)
}

fn eval_control(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let mut out = head("control", args, &scene.name, name);
    note_world(&mut out, &scene);
    let mut planner = "cem";
    let result = match name {
        "random" => {
            planner = "none";
            run_control(&scene, args, name, &mut Random::new(args.seed))?
        }
        "oracle" => {
            let budget = budget_of(args, Budget::oracle(&scene));
            let replan = args.replan.unwrap_or(Budget::REPLAN);
            out.insert("budget".into(), json!(budget));
            out.insert("replan_steps".into(), json!(replan));
            run_control(&scene, args, name, &mut oracle(&scene, budget, replan))?
        }
        _ => {
            let model =
                registry::load_named(&models_dir(), name, &super::device::pick(&args.device)?)?;
            let budget = budget_of(args, Budget::for_camp(model.card().camp));
            let replan = args.replan.unwrap_or(Budget::REPLAN);
            out.insert("budget".into(), json!(budget));
            out.insert("replan_steps".into(), json!(replan));
            out.insert(
                "decision_flops".into(),
                json!(decision_flops(model.as_ref(), &budget)),
            );
            out.insert("model_sha256".into(), json!(model.card().sha256));
            model.set_nfe(usize::from(args.nfe));
            if model.card().camp == Camp::Generative {
                out.insert("nfe".into(), json!(args.nfe));
            }
            let shape = match args.cost {
                Shape::Sum => CostShape::Sum,
                Shape::Last => CostShape::Last,
            };
            let planner = Cem {
                shape,
                ..Cem::default()
            };
            let mut mpc = Mpc::new(model, planner, budget, replan);
            run_control(&scene, args, name, &mut mpc)?
        }
    };
    out.insert("planner".into(), json!(planner));
    if !args.no_references {
        let random = run_control(&scene, args, "random", &mut Random::new(args.seed))?;
        let ceiling = run_control(
            &scene,
            args,
            "oracle",
            &mut oracle(&scene, Budget::oracle(&scene), Budget::REPLAN),
        )?;
        out.insert("floors".into(), json!({ "random": random.success }));
        out.insert("ceilings".into(), json!({ "oracle": ceiling.success }));
    }
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    Ok(Value::Object(out))
}

/// Which interventions the scene bears, and which of them lie outside what training saw.
fn note_world(out: &mut Map<String, Value>, scene: &Scene) {
    if !scene.interventions.is_empty() {
        out.insert("interventions".into(), json!(scene.interventions));
        out.insert("out_of_distribution".into(), json!(scene.departures()));
    }
    if !scene.edits.is_empty() {
        out.insert("edits".into(), json!(scene.edits));
    }
}

/// Floating-point operations of one decision: encode once (and the goal), then imagine.
fn decision_flops(model: &dyn WorldModel, budget: &Budget) -> f64 {
    let Cost {
        encode_flops,
        dynamics_flops,
        rendering_flops,
        ..
    } = model.cost();
    let steps = budget.candidates * budget.iterations * budget.horizon * budget.hold
        / model.frameskip().max(1);
    2.0 * encode_flops + steps as f64 * (dynamics_flops + rendering_flops)
}

fn eval_rollout(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let model = registry::load_named(&models_dir(), name, &super::device::pick(&args.device)?)?;
    let bar = bar(args.episodes, name);
    let result = rollout::run(&scene, model.as_ref(), args.seed, args.episodes, |_| {
        bar.inc(1)
    })?;
    bar.finish_and_clear();
    println!(
        "{name} in {}: {} clips, {} steps from {} real frames",
        scene.name,
        args.episodes,
        rollout::STEPS,
        rollout::CONTEXT
    );
    println!(
        "{:<18} {:>6} {:>12} {:>12} {:>12} {:>9}",
        "", "step", "PSNR dB", "error px", "error m", "survival"
    );
    for (contestant, numbers) in &result.numbers {
        for (n, horizon) in numbers.iter().zip(&result.horizons) {
            let spread = |s: Option<crate::eval::stats::Spread>, d: usize| {
                s.map_or("-".into(), |s| format!("{:.d$}", s.median))
            };
            println!(
                "{contestant:<18} {horizon:>6} {:>12} {:>12} {:>12} {:>9}",
                spread(n.foreground_psnr_db, 1),
                spread(n.object_error_px, 2),
                spread(n.object_error_m, 3),
                n.survival
                    .map_or("-".into(), |s| format!("{:.1} %", 100.0 * s)),
            );
        }
    }
    for (body, [x, z]) in &result.probe_r {
        println!("linear probe of {body}: r = {x:.3} (x), {z:.3} (z)");
    }
    println!(
        "gain over copy-last (dB): {:.1?}",
        result.gain_over_copy_last_db
    );
    println!(
        "clean clips {:.0} %, violations a 100 object-frames {:?}",
        100.0 * result.violations.clean_clips.rate,
        result.violations.per_100_object_frames
    );
    println!("{:.0} imagined frames/s", result.frames_per_s);
    let mut out = head("rollout", args, &scene.name, name);
    note_world(&mut out, &scene);
    out.insert("model_sha256".into(), json!(model.card().sha256));
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    Ok(Value::Object(out))
}

fn eval_judge(args: &EvalArgs) -> Result<Value> {
    let names = match &args.scene {
        Some(name) => vec![name.clone()],
        None => scene::list(&scene::library_dir()),
    };
    let scenes = names
        .iter()
        .map(|n| args.world.scene(n))
        .collect::<Result<Vec<_>>>()?;
    if let Some(clips) = args.calibrate {
        return calibrate(&scenes, clips);
    }
    let mut out = head("judge", args, args.scene.as_deref().unwrap_or("all"), "-");
    let mut by_scene = Map::new();
    for scene in &scenes {
        let r = judge::evaluate(scene, args.seed, args.episodes)?;
        println!(
            "{}: {:.2} % of real clips flagged",
            scene.name,
            100.0 * r.false_positive_clips.rate
        );
        for (law, rate) in &r.detection_rate {
            println!(
                "  {law:<18} {:.1} % of faults caught [{:.1}, {:.1}]",
                100.0 * rate.rate,
                100.0 * rate.low,
                100.0 * rate.high
            );
        }
        by_scene.insert(scene.name.clone(), json!(r));
    }
    out.insert("scenes".into(), Value::Object(by_scene));
    Ok(Value::Object(out))
}

fn calibrate(scenes: &[Arc<Scene>], clips: u64) -> Result<Value> {
    if clips < 100 {
        bail!("--calibrate {clips}: expected at least 100 clips, or the percentile means nothing");
    }
    let path = home().join("assets/judge.ron");
    let mut thresholds = Thresholds {
        seed: judge::CALIBRATION_SEED,
        clips,
        ..Thresholds::shipped()
    };
    for scene in scenes {
        let found = judge::calibrate(scene, clips)?;
        println!("{}: {found:?}", scene.name);
        thresholds.scenes.insert(scene.name.clone(), found);
    }
    let text = ron::ser::to_string_pretty(&thresholds, ron::ser::PrettyConfig::default())?;
    std::fs::write(&path, text + "\n")
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    println!("wrote {}; build again to use it", path.display());
    Ok(json!(thresholds))
}
