//! `parallax eval`: control, rollout, dream, following, attributes, judge, probe, surprise, masked. JSON as README
//! describes it; its keys only grow.

mod control;
mod imagining;
mod judging;
mod masked;
mod used;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};

use super::output::{self, Form};
use crate::eval::stats::{Mean, Rate};
use crate::eval::{probe, rollout, surprise};
use crate::model::{Sampled, Sampling, WorldModel, registry};
use crate::scene::{Scene, models_dir};
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
    /// Model: a folder of models/ (control also takes `oracle`, `constant-velocity` and `random`)
    #[arg(long, value_name = "M")]
    model: Option<String>,
    /// Episodes, clips, pairs or dreams [default: control and surprise 100, dream 10, others 50]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    episodes: Option<u64>,
    /// First seed; from 1000000 up seeds are held out
    #[arg(long, value_name = "K", default_value_t = HELD_OUT_SEED, value_parser = super::seed())]
    seed: u64,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Masked, rollout, dream: write a picture to this PNG (rollout, dream: two clips, reality above what was imagined)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Function evaluations an imagined frame (diffusion models) [default: control 1, others what the model's configuration says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=10))]
    nfe: Option<u8>,
    #[command(flatten)]
    control: control::ControlArgs,
    /// Judge: make assets/judge.ron anew from so many clips a scene
    #[arg(long, value_name = "CLIPS", value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    calibrate: Option<u64>,
    /// Where to compute: auto, cpu, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Suite {
    /// Success, latency and cost of a controller
    Control,
    /// Accuracy and lawfulness of imagined clips
    Rollout,
    /// Whether a world is still there after 500 imagined steps under random actions
    Dream,
    /// Whether a model does what the actions say
    Following,
    /// What a model keeps of a body of a colour, size, velocity or shape that it has never seen
    Attributes,
    /// False positives and detection rate of the judge itself
    Judge,
    /// What a representation holds: place, orientation, velocity, contact
    Probe,
    /// Whether a model is more surprised where physics is broken: teleport, vanish, recolour, pass through, freeze
    Surprise,
    /// A picture of hidden tubelets and how well their embeddings are predicted (V-JEPA)
    Masked,
}

impl EvalArgs {
    fn episodes(&self) -> u64 {
        let preset = match self.suite {
            Suite::Control | Suite::Surprise => 100,
            Suite::Rollout | Suite::Following | Suite::Attributes | Suite::Judge | Suite::Probe => {
                50
            }
            Suite::Dream => 10,
            Suite::Masked => 1,
        };
        self.episodes.unwrap_or(preset)
    }
}

/// What was measured, and the picture that goes with it.
struct Measured {
    json: Value,
    /// Drawn and written once the numbers stand.
    picture: Option<Picture>,
}

type Picture = Box<dyn FnOnce(&Path) -> Result<()>>;

impl From<Value> for Measured {
    fn from(json: Value) -> Self {
        Self {
            json,
            picture: None,
        }
    }
}

/// Where the results go is tested before the first episode.
fn test_outputs(args: &EvalArgs) -> Result<()> {
    if let Some(path) = &args.json {
        output::test("--json", path, Form::Json)?;
    }
    if let Some(path) = &args.out {
        output::test("--out", path, Form::Png)?;
    }
    Ok(())
}

pub fn run(args: &EvalArgs) -> Result<()> {
    used::check(args)?;
    test_outputs(args)?;
    used::warn_of_seeds(args);
    let measured: Measured = match args.suite {
        Suite::Control => control::evaluate(args)?.into(),
        Suite::Rollout => eval_rollout(args)?,
        Suite::Dream => imagining::eval_dream(args)?,
        Suite::Following => imagining::eval_following(args)?.into(),
        Suite::Attributes => imagining::eval_attributes(args)?.into(),
        Suite::Judge => judging::evaluate(args)?.into(),
        Suite::Probe => eval_probe(args)?.into(),
        Suite::Surprise => eval_surprise(args)?.into(),
        Suite::Masked => masked::evaluate(args)?,
    };
    // Numbers first: a picture can be drawn again, an evaluation takes hours.
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&measured.json)? + "\n";
        output::write(path, text.as_bytes())?;
    }
    if let (Some(path), Some(picture)) = (&args.out, measured.picture) {
        picture(path)?;
        println!("wrote {}", path.display());
    }
    Ok(())
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

/// The model that was asked for, at the function evaluations that were asked for.
fn world_model(args: &EvalArgs) -> Result<Arc<dyn WorldModel>> {
    let device = super::device::pick(&args.device)?;
    let model = registry::load_named(&models_dir(), model_name(args)?, &device)?;
    let Some(nfe) = args.nfe.map(usize::from) else {
        return Ok(model);
    };
    used::refuse_other_nfe(model.as_ref(), nfe)?;
    Ok(Arc::new(Sampled::new(model, Sampling::nfe(nfe))))
}

/// Which weights were measured, and how they sampled.
fn note_model(out: &mut Map<String, Value>, model: &dyn WorldModel) {
    out.insert("model_sha256".into(), json!(model.card().sha256));
    if let Some(nfe) = model.nfe(Sampling::default()) {
        out.insert("nfe".into(), json!(nfe));
    }
}

fn command_line() -> String {
    // Names of files need not be UTF-8: they are shown as far as they can be.
    std::env::args_os()
        .skip(1)
        .fold("parallax".into(), |line, a| {
            line + " " + &a.to_string_lossy()
        })
}

fn head(suite: &str, args: &EvalArgs, scene: &str, model: &str) -> Map<String, Value> {
    let head = json!({
        "schema": 1, "suite": suite, "scene": scene, "model": model, "seed": args.seed, "seeds": used::seeds_are(args.seed), "episodes": args.episodes(),
        "command": command_line(), "version": env!("CARGO_PKG_VERSION"), "device": super::device::name(&args.device).unwrap_or("unknown"),
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

fn eval_rollout(args: &EvalArgs) -> Result<Measured> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let model = world_model(args)?;
    if args.out.is_some() {
        imagining::test_drawing(&scene, model.as_ref(), args.seed)?;
    }
    let bar = bar(args.episodes(), name);
    let result = rollout::run(&scene, model.as_ref(), args.seed, args.episodes(), |_| {
        bar.inc(1)
    })?;
    bar.finish_and_clear();
    println!(
        "{name} in {}: {} clips, {} steps from {} real frames",
        scene.name,
        args.episodes(),
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
        "clips without a violation of the {} laws that were checked: {}; violations a 100 object-frames {:?}",
        result.violations.checked.len(),
        Rate::percent(result.violations.clean_clips),
        result.violations.per_100_object_frames
    );
    println!("{:.0} imagined frames/s", result.frames_per_s);
    let mut out = head("rollout", args, &scene.name, name);
    note_world(&mut out, &scene);
    note_model(&mut out, model.as_ref());
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    let seed = args.seed;
    Ok(Measured {
        json: Value::Object(out),
        picture: Some(Box::new(move |path| {
            imagining::draw_clips(&scene, model.as_ref(), seed, path)
        })),
    })
}

fn eval_probe(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let model = world_model(args)?;
    let result = probe::run(&scene, model.as_ref(), args.seed, args.episodes())?;
    println!(
        "{name} in {}: r of linear and MLP probes on {} held-out rows, and on an 8x8 picture",
        scene.name, result.rows_test
    );
    for (quantity, own) in &result.model.r {
        let floor = result.pixels.r.get(quantity).copied().unwrap_or_default();
        println!(
            "{quantity:<18} {:6.3} {:6.3}    {:6.3} {:6.3}",
            own.linear, own.mlp, floor.linear, floor.mlp
        );
    }
    for (group, lowest) in &result.lowest_r {
        println!(
            "lowest {group:<11} {:6.3} {:6.3}",
            lowest.linear, lowest.mlp
        );
    }
    let mut out = head("probe", args, &scene.name, name);
    note_world(&mut out, &scene);
    note_model(&mut out, model.as_ref());
    let cost = model.cost(Sampling::default());
    out.insert("parameters".into(), json!(cost.parameters));
    out.insert("encode_flops".into(), json!(cost.encode_flops));
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    Ok(Value::Object(out))
}

fn eval_surprise(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let model = world_model(args)?;
    let result = surprise::run(&scene, model.as_ref(), args.seed, args.episodes())?;
    if result.is_empty() {
        bail!("{}: nothing in it can be broken", scene.name);
    }
    println!(
        "{name} in {}: AUROC of its surprise at broken physics, of copy-last's, and pairs in the right order",
        scene.name
    );
    let mut breaks = Map::new();
    for (kind, found) in &result {
        let json_name = json!(kind);
        let label = json_name.as_str().unwrap_or_default();
        let area = |s: &surprise::Separation| {
            let shown = |a: Mean| format!("{:.3} [{:.3}, {:.3}]", a.mean, a.low, a.high);
            s.auroc.map_or("not measured".into(), shown)
        };
        println!(
            "{label:<14} {:>4} pairs   {}   copy-last {}   {} in order",
            found.pairs,
            area(&found.model),
            area(&found.copy_last),
            Rate::percent(found.model.paired)
        );
        breaks.insert(label.to_string(), json!(found));
    }
    let mut out = head("surprise", args, &scene.name, name);
    note_world(&mut out, &scene);
    out.insert("model_sha256".into(), json!(model.card().sha256));
    out.insert("breaks".into(), Value::Object(breaks));
    Ok(Value::Object(out))
}
