//! `parallax eval surprise`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Serialize;

use super::Measured;
use super::subject::{SubjectArgs, Writes, episodes, interval};
use crate::eval::result::Evaluation;
use crate::eval::surprise::{self, Break, BreakResult};
use crate::stats::Rate;

/// Whether a model is more surprised where physics is broken: teleport, vanish, recolour, pass through,
/// freeze.
#[derive(clap::Args, Debug)]
pub struct SurpriseArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// Pairs of episodes of each kind
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = episodes())]
    episodes: u64,
    /// Only these kinds: teleport, vanish, vanish_hidden, recolour, pass_through, freeze
    #[arg(long, value_name = "KIND", value_delimiter = ',', value_parser = Break::named)]
    breaks: Vec<Break>,
}

/// By kind of break.
#[derive(Serialize)]
struct Found {
    breaks: BTreeMap<Break, BreakResult>,
}

pub fn evaluate(args: &SurpriseArgs, writes: &Writes) -> Result<Measured> {
    let subject = &args.subject;
    let scene = subject.scene()?;
    let model = subject.model()?;
    let kinds: &[Break] = match args.breaks.is_empty() {
        true => &Break::ALL,
        false => &args.breaks,
    };
    let pairs = args.episodes;
    let breaks = surprise::run_kinds(kinds, &scene, model.as_ref(), subject.seed, pairs)?;
    if breaks.is_empty() {
        bail!("{}: nothing in it can be broken so", scene.name);
    }
    println!(
        "{} in {}: AUROC of its surprise at broken physics, of copy-last's, and pairs in the right order",
        subject.model, scene.name
    );
    for (kind, found) in &breaks {
        println!(
            "{:<14} {:>4} pairs   {}   copy-last {}   {} in order; by the mean {}, {} in order",
            serde_json::to_value(kind)?.as_str().unwrap_or_default(),
            found.pairs,
            interval(found.model.auroc, 1.0, 3),
            interval(found.copy_last.auroc, 1.0, 3),
            Rate::percent(found.model.paired),
            interval(found.model_by_mean.auroc, 1.0, 3),
            Rate::percent(found.model_by_mean.paired)
        );
    }
    let head = subject
        .head("surprise", &scene, args.episodes, writes)
        .of(model.as_ref());
    let result = Found { breaks };
    Measured::result(&Evaluation { head, result })
}
