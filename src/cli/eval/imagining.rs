//! `parallax eval dream` and `parallax eval following`: what a model imagines for long, and whether it does what actions say.

use anyhow::Result;
use serde_json::{Value, json};

use super::{EvalArgs, head, model_name, note_world, scene_of};
use crate::eval::{dream, following};
use crate::model::registry;
use crate::scene::models_dir;

pub fn eval_dream(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let device = super::super::device::pick(&args.device)?;
    let model = registry::load_named(&models_dir(), name, &device)?;
    let result = dream::run(
        &scene,
        model.as_ref(),
        args.seed,
        args.episodes(),
        dream::STEPS,
    )?;
    println!(
        "{name} in {}: {} dreams of {} steps under random actions",
        scene.name,
        args.episodes(),
        result.steps
    );
    for (who, c) in [("model", &result.model), ("reality", &result.reality)] {
        println!(
            "{who:<8} count right in {:.1} % [{:.1}, {:.1}] of frames, background {:.1} dB [{:.1}, {:.1}]",
            100.0 * c.count_right.mean,
            100.0 * c.count_right.low,
            100.0 * c.count_right.high,
            c.background_psnr_db.mean,
            c.background_psnr_db.low,
            c.background_psnr_db.high
        );
        println!(
            "         by {} steps: {:.2?}, {:.1?} dB",
            dream::PART,
            c.count_right_by_part,
            c.background_psnr_db_by_part
        );
    }
    println!("{:.0} imagined frames/s", result.frames_per_s);
    let mut out = head("dream", args, &scene.name, name);
    note_world(&mut out, &scene);
    out.insert("model_sha256".into(), json!(model.card().sha256));
    if let Value::Object(numbers) = json!(result) {
        // `model` already names the model.
        out.extend(
            numbers
                .into_iter()
                .map(|(k, v)| (if k == "model" { "dream".into() } else { k }, v)),
        );
    }
    Ok(Value::Object(out))
}

pub fn eval_following(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let device = super::super::device::pick(&args.device)?;
    let model = registry::load_named(&models_dir(), name, &device)?;
    let result = following::run(&scene, model.as_ref(), args.seed, args.episodes())?;
    println!(
        "{name} in {}: {} clips of {} steps",
        scene.name,
        args.episodes(),
        result.steps
    );
    println!(
        "loss under another clip's actions over loss under its own: {:.2} [{:.2}, {:.2}]",
        result.shuffled_ratio.mean, result.shuffled_ratio.low, result.shuffled_ratio.high
    );
    for (who, h) in [("imagined", &result.hand), ("real", &result.reality)] {
        println!(
            "{who} hand: r of motion with action {:.3} across, {:.3} down; lost in {:.1} % of steps",
            h.r[0],
            h.r[1],
            100.0 * h.lost
        );
    }
    let mut out = head("following", args, &scene.name, name);
    note_world(&mut out, &scene);
    out.insert("model_sha256".into(), json!(model.card().sha256));
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    Ok(Value::Object(out))
}
