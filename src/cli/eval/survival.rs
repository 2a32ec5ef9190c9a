//! `parallax eval survival`.

use anyhow::Result;

use super::Measured;
use super::subject::{ClipArgs, Writes, bar};
use crate::eval::result::Evaluation;
use crate::eval::survival::{self, Point};
use crate::stats::Rate;

/// Whether bodies behind a screen are still where they come out again.
#[derive(clap::Args, Debug)]
pub struct SurvivalArgs {
    #[command(flatten)]
    pub clips: ClipArgs,
    /// Velocities at which bodies start, as shares of the scene's own; episodes take turns, and slower ones
    /// are as much longer
    #[arg(long, value_name = "SHARE", value_delimiter = ',', default_values_t = [1.0], value_parser = share)]
    paces: Vec<f32>,
}

fn share(text: &str) -> Result<f32, String> {
    let expected = || format!("found {text}, expected a number from 0.1 to 1");
    let share: f32 = text.parse().map_err(|_| expected())?;
    (0.1..=1.0)
        .contains(&share)
        .then_some(share)
        .ok_or_else(expected)
}

pub fn evaluate(args: &SurvivalArgs, writes: &Writes) -> Result<Measured> {
    let (subject, episodes) = (&args.clips.subject, args.clips.episodes);
    let (scene, model) = args.clips.load()?;
    let bar = bar(episodes, &subject.model);
    let seeds = (subject.seed, episodes);
    let result = survival::run(&scene, model.as_ref(), seeds, &args.paces, || bar.inc(1))?;
    bar.finish_and_clear();
    println!(
        "{} in {}: bodies that are within their radius where they come out again, of {} clips",
        subject.model, scene.name, result.clips
    );
    let row = |p: &Point| {
        println!(
            "hidden {:>2} to {:>2}   {:>4} bodies   {:<20} off {:>6} cm   stays {:<20} coasts {}",
            p.hidden[0],
            p.hidden[1],
            p.bodies,
            Rate::percent(p.survival),
            p.off_cm.map_or("-".into(), |s| format!("{:.1}", s.median)),
            Rate::percent(p.stays),
            Rate::percent(p.coasts)
        );
    };
    result.curve.iter().for_each(row);
    row(&result.all);
    let head = subject
        .head("survival", &scene, episodes, writes)
        .of(model.as_ref());
    Measured::result(&Evaluation { head, result })
}
