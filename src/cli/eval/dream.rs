//! `parallax eval dream`.

use std::path::PathBuf;

use anyhow::Result;

use super::subject::{NfeArgs, SubjectArgs, Writes, episodes, interval};
use super::{Measured, pictures};
use crate::eval::dream;
use crate::eval::result::Evaluation;

/// Whether a world is still there after 500 imagined steps under random actions.
#[derive(clap::Args, Debug)]
pub struct DreamArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    #[command(flatten)]
    sampling: NfeArgs,
    /// Dreams
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = episodes())]
    episodes: u64,
    /// Draw two dreams, reality above what was dreamt, to this PNG
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub fn evaluate(args: &DreamArgs, writes: &Writes) -> Result<Measured> {
    let subject = &args.subject;
    let scene = subject.scene()?;
    let model = args.sampling.apply(subject.model()?)?;
    let result = dream::run(
        &scene,
        model.as_ref(),
        subject.seed,
        args.episodes,
        dream::STEPS,
    )?;
    println!(
        "{} in {}: {} dreams of {} steps under random actions",
        subject.model, scene.name, args.episodes, result.steps
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
    let head = subject
        .head("dream", &scene, args.episodes, writes)
        .of(model.as_ref());
    let seed = subject.seed;
    Ok(Measured::result(&Evaluation { head, result })?
        .with_picture(move |path| pictures::draw_dreams(&scene, model.as_ref(), seed, path)))
}
