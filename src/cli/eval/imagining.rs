//! `parallax eval dream`, `following` and `attributes`: what a model imagines for long, whether it does what actions say,
//! and what it keeps of a body that it has never seen so.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{EvalArgs, Measured, head, model_name, note_model, note_world, scene_of, world_model};
use crate::camera::Eye;
use crate::episode::Sheet;
use crate::eval::rollout::{CONTEXT, Clip, STEPS};
use crate::eval::stats::Mean;
use crate::eval::{attributes, dream, following};
use crate::model::{Cancel, Sampling, WorldModel};
use crate::scene::Scene;

/// Clips or dreams that are drawn.
const DRAWN: u64 = 2;
/// Steps of a dream between frames that are drawn.
const DRAWN_EVERY: usize = 50;

/// Whether there will be something to draw, before hours of measuring.
pub fn test_drawing(scene: &Arc<Scene>, model: &dyn WorldModel, seed: u64) -> Result<()> {
    let clip = Clip::new(scene, &Eye::standard(scene)?, seed)?;
    let latent = model.observe(&clip.context())?;
    let (sampling, cancel) = (Sampling::default(), Cancel::new());
    let rollouts = model.imagine(&latent, &clip.actions(), sampling, &cancel)?;
    if model.facets().frames(&rollouts)?.is_none() {
        return Err(super::super::wrong_use(format!(
            "--out: {} imagines no frames to draw",
            model.card().name
        )));
    }
    Ok(())
}

/// Draws the first clips of a rollout evaluation: the last frame of the context and what followed in reality, and under it what the model
/// imagined.
pub fn draw_clips(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    path: &Path,
) -> Result<()> {
    let eye = Eye::standard(scene)?;
    let mut sheet = Sheet::new();
    for seed in seed..seed + DRAWN {
        let clip = Clip::new(scene, &eye, seed)?;
        let latent = model.observe(&clip.context())?;
        let (sampling, cancel) = (Sampling::default(), Cancel::new());
        let rollouts = model.imagine(&latent, &clip.actions(), sampling, &cancel)?;
        let Some(frames) = model.facets().frames(&rollouts)? else {
            bail!("{}: imagines no frames to draw", model.card().name);
        };
        let last = clip.frame(CONTEXT - 1);
        let real: Vec<&[u8]> = (0..STEPS).map(|t| clip.frame(CONTEXT + t)).collect();
        let imagined: Vec<&[u8]> = (0..frames.steps).map(|t| frames.at(0, t)).collect();
        for row in [real, imagined] {
            sheet.add(eye.size(), &[&[last], row.as_slice()].concat().concat());
        }
    }
    sheet.save(path)?;
    Ok(())
}

/// Draws the first dreams, a frame in fifty: reality under the same actions, and under it what the model dreamt.
fn draw_dreams(scene: &Arc<Scene>, model: &dyn WorldModel, seed: u64, path: &Path) -> Result<()> {
    let eye = Eye::standard(scene)?;
    let mut sheet = Sheet::new();
    for seed in seed..seed + DRAWN {
        let dream = dream::Dream::new(scene, &eye, model, seed, dream::STEPS)?;
        let last = dream.clip.frame(CONTEXT - 1);
        let real: Vec<&[u8]> = dream.real.iter().map(Vec::as_slice).collect();
        let imagined: Vec<&[u8]> = (0..dream.imagined.steps)
            .map(|t| dream.imagined.at(0, t))
            .collect();
        for row in [real, imagined] {
            let every = row.iter().skip(DRAWN_EVERY - 1).step_by(DRAWN_EVERY);
            let frames: Vec<&[u8]> = std::iter::once(last).chain(every.copied()).collect();
            sheet.add(eye.size(), &frames.concat());
        }
    }
    sheet.save(path)?;
    Ok(())
}

/// A mean with its interval, times `scale`.
fn interval(mean: Option<Mean>, scale: f64, digits: usize) -> String {
    mean.map_or_else(
        || "not measured".into(),
        |m| {
            let [mean, low, high] = [m.mean, m.low, m.high].map(|v| v * scale);
            format!("{mean:.digits$} [{low:.digits$}, {high:.digits$}]")
        },
    )
}

pub fn eval_dream(args: &EvalArgs) -> Result<Measured> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let model = world_model(args)?;
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
            "{who:<8} count right in {} % of frames, background {} dB",
            interval(c.count_right, 100.0, 1),
            interval(c.background_psnr_db, 1.0, 1)
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
    note_model(&mut out, model.as_ref());
    if let Value::Object(numbers) = json!(result) {
        // `model` already names the model.
        out.extend(
            numbers
                .into_iter()
                .map(|(k, v)| (if k == "model" { "dream".into() } else { k }, v)),
        );
    }
    let seed = args.seed;
    Ok(Measured {
        json: Value::Object(out),
        picture: Some(Box::new(move |path| {
            draw_dreams(&scene, model.as_ref(), seed, path)
        })),
    })
}

pub fn eval_following(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let model = world_model(args)?;
    let result = following::run(&scene, model.as_ref(), args.seed, args.episodes())?;
    println!(
        "{name} in {}: {} clips of {} steps",
        scene.name,
        args.episodes(),
        result.steps
    );
    println!(
        "loss under another clip's actions over loss under its own: {}",
        interval(result.shuffled_ratio, 1.0, 2)
    );
    for (who, h) in [("imagined", &result.hand), ("real", &result.reality)] {
        println!(
            "{who} hand: r of motion with action {} across, {} down; lost in {:.1} % of steps",
            h.r.map_or("-".into(), |r| format!("{:.3}", r[0])),
            h.r.map_or("-".into(), |r| format!("{:.3}", r[1])),
            100.0 * h.lost
        );
    }
    let mut out = head("following", args, &scene.name, name);
    note_world(&mut out, &scene);
    note_model(&mut out, model.as_ref());
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    Ok(Value::Object(out))
}

pub fn eval_attributes(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let model = world_model(args)?;
    let result = attributes::run(&scene, model.as_ref(), args.seed, args.episodes())?;
    println!(
        "{name} in {}: how much is kept of what training never showed (1 as given, 0 as in training)",
        scene.name
    );
    for (attribute, k) in &result.attributes {
        println!(
            "{:<9} {}  median {}  of {} bodies after {} steps, {:.0} % lost",
            format!("{attribute:?}").to_lowercase(),
            interval(k.kept, 1.0, 2),
            k.median.map_or("-".into(), |m| format!("{m:.2}")),
            k.clips,
            attribute.steps(),
            100.0 * k.lost
        );
    }
    let words = |order: &[attributes::Attribute]| {
        let words: Vec<String> = order
            .iter()
            .map(|a| format!("{a:?}").to_lowercase())
            .collect();
        words.join(" > ")
    };
    println!(
        "here {}; published {}",
        words(&result.order),
        words(&result.published_order)
    );
    let mut out = head("attributes", args, &scene.name, name);
    note_world(&mut out, &scene);
    note_model(&mut out, model.as_ref());
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    Ok(Value::Object(out))
}
