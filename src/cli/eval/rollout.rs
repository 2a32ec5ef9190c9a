//! `parallax eval rollout`.

use std::path::PathBuf;

use anyhow::Result;

use super::subject::{ClipArgs, Writes, bar, no_effect};
use super::{Measured, pictures};
use crate::eval::result::Evaluation;
use crate::eval::rollout::{self, RolloutResult};
use crate::stats::{Rate, Spread};

/// Accuracy and lawfulness of imagined clips.
#[derive(clap::Args, Debug)]
pub struct RolloutArgs {
    #[command(flatten)]
    pub clips: ClipArgs,
    /// Draw two clips, reality above what was imagined, to this PNG
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Imagine by jumps: 8 steps at once first, then what lies between (models that learned them)
    #[arg(long, conflicts_with = "out")]
    pub jumps: bool,
}

pub fn evaluate(args: &RolloutArgs, writes: &Writes) -> Result<Measured> {
    let (subject, episodes) = (&args.clips.subject, args.clips.episodes);
    let (scene, model) = args.clips.load()?;
    if args.jumps && model.facets().jumps.is_none() {
        let why = format!("`{}` learned no jumps", subject.model);
        return Err(no_effect("jumps", &why));
    }
    if args.out.is_some() {
        pictures::test(&scene, model.as_ref(), subject.seed)?;
    }
    let bar = bar(episodes, &subject.model);
    let (model_of, progress) = (model.as_ref(), |_| bar.inc(1));
    let result = rollout::run(
        &scene,
        model_of,
        subject.seed,
        episodes,
        args.jumps,
        progress,
    )?;
    bar.finish_and_clear();
    println!(
        "{} in {}: {} clips, {} steps from {} real frames",
        subject.model,
        scene.name,
        episodes,
        rollout::STEPS,
        rollout::CONTEXT
    );
    print(&result);
    let head = subject
        .head("rollout", &scene, episodes, writes)
        .of(model.as_ref());
    let seed = subject.seed;
    Ok(Measured::result(&Evaluation { head, result })?
        .with_picture(move |path| pictures::draw_clips(&scene, model.as_ref(), seed, path)))
}

fn print(result: &RolloutResult) {
    println!(
        "{:<18} {:>6} {:>12} {:>12} {:>12} {:>9}",
        "", "step", "PSNR dB", "error px", "error m", "survival"
    );
    let spread =
        |s: Option<Spread>, d: usize| s.map_or("-".into(), |s| format!("{:.d$}", s.median));
    for (contestant, numbers) in &result.numbers {
        for (n, horizon) in numbers.iter().zip(&result.horizons) {
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
    if let (Some(jumps), Some(steps)) = (result.film, result.film_by_steps) {
        println!(
            "a film by jumps: {} network calls, {:.1} MFLOP; step by step: {} calls, {:.1} MFLOP",
            jumps.calls,
            jumps.flops / 1e6,
            steps.calls,
            steps.flops / 1e6
        );
    }
}
