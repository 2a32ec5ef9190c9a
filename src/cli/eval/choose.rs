//! `parallax eval choose`.

use anyhow::Result;
use serde::Serialize;

use super::Measured;
use super::subject::{ClipArgs, Writes, bar, interval};
use crate::eval::choose::{self, ChoiceResult};
use crate::eval::result::Evaluation;
use crate::model::registry;
use crate::scene::models_dir;
use crate::stats::Rate;

/// How near to reality the future is that surprises a JEPA least, among those that a generative model draws.
#[derive(clap::Args, Debug)]
pub struct ChooseArgs {
    #[command(flatten)]
    pub clips: ClipArgs,
    /// The model that chooses: one that says how surprised it is
    #[arg(long, value_name = "M")]
    critic: String,
    /// Futures of each moment to choose from
    #[arg(long, value_name = "K", default_value_t = 8, value_parser = clap::value_parser!(u8).range(2..=64))]
    futures: u8,
}

/// The critic, and what came of its choices.
#[derive(Serialize)]
struct Found {
    critic: String,
    critic_sha256: String,
    #[serde(flatten)]
    found: ChoiceResult,
}

pub fn evaluate(args: &ChooseArgs, writes: &Writes) -> Result<Measured> {
    let (scene, model) = args.clips.load()?;
    let (subject, clips) = (&args.clips.subject, args.clips.episodes);
    let device = crate::cli::device::pick(&subject.device)?;
    let critic = registry::load_named(&models_dir(), &args.critic, &device)?;
    let bar = bar(clips, "choosing");
    let seeds = (subject.seed, clips);
    let samples = usize::from(args.futures);
    let found = choose::run(
        &scene,
        model.as_ref(),
        critic.as_ref(),
        seeds,
        samples,
        || bar.inc(1),
    )?;
    bar.finish_and_clear();
    println!(
        "{} in {}, chosen by {}: distance of bodies from reality at steps 10 and 20, pixels",
        subject.model, scene.name, args.critic
    );
    for choice in &found.choices {
        let px = |films: &choose::Films| interval(films.object_error_px, 1.0, 2);
        println!(
            "{:>3} futures   chosen {}   first {}   nearest {}   without a violation {} (first {})",
            choice.samples,
            px(&choice.chosen),
            px(&choice.first),
            px(&choice.nearest),
            Rate::percent(choice.chosen.clean_clips),
            Rate::percent(choice.first.clean_clips),
        );
    }
    println!(
        "rank correlation of surprise and distance: {}",
        interval(found.agreement, 1.0, 3)
    );
    let head = subject
        .head("choose", &scene, clips, writes)
        .of(model.as_ref());
    let result = Found {
        critic: args.critic.clone(),
        critic_sha256: critic.card().sha256.clone(),
        found,
    };
    Measured::result(&Evaluation { head, result })
}
