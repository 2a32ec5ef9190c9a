//! `parallax eval why`.

use anyhow::Result;
use serde::Serialize;

use super::Measured;
use super::control::{ActorArgs, planning, suspect};
use super::subject::{Writes, bar, episodes, interval};
use crate::eval::contest::Planning;
use crate::eval::result::Evaluation;
use crate::eval::why::{self, WhyResult};
use crate::stats::Rate;

/// Why a planner fails: coverage, ranking, exploitation or reach, by forks of reality.
#[derive(clap::Args, Debug)]
pub struct WhyArgs {
    #[command(flatten)]
    pub actor: ActorArgs,
    /// Episodes
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = episodes())]
    episodes: u64,
}

#[derive(Serialize)]
struct Found {
    goals: &'static str,
    #[serde(flatten)]
    planning: Planning,
    #[serde(flatten)]
    why: WhyResult,
}

pub fn evaluate(args: &WhyArgs, writes: &Writes) -> Result<Measured> {
    let subject = &args.actor.subject;
    let contest = args.actor.contest(args.episodes)?;
    let model = subject.model()?;
    let mut head = subject.head("why", &contest.scene, None, writes);
    head.model_sha256 = Some(model.card().sha256.clone());
    let suspect = suspect(&args.actor, &subject.model, model)?;
    let planning = planning(&args.actor, &suspect);
    let bar = bar(args.episodes, &subject.model);
    let mut failed = 0;
    let why = why::run(&contest, suspect, |episode| {
        failed += usize::from(!episode.success);
        bar.set_message(format!("{failed} failed"));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    print(&subject.model, &contest.scene.name, &why);
    let result = Found {
        goals: contest.goals_are(),
        planning,
        why,
    };
    Measured::result(&Evaluation { head, result })
}

fn print(model: &str, scene: &str, why: &WhyResult) {
    println!(
        "{model} in {scene}: success {} of {}; {} failed",
        Rate::percent(why.success),
        why.episodes,
        why.failures
    );
    if let Some(reason) = &why.not_measured {
        println!("{reason}");
        return;
    }
    let bar = |what: &str, rate: Option<Rate>| {
        let full = rate.map_or(0, |r| (20.0 * r.rate).round() as usize);
        let (full, rest) = ("█".repeat(full), "·".repeat(20 - full.min(20)));
        println!("{what:<46} {full}{rest} {}", Rate::percent(rate));
    };
    bar(
        "coverage: decisions with a better candidate",
        why.coverage.covered,
    );
    bar(
        "ranking: decisions with the top four inverted",
        why.ranking.top4_inverted,
    );
    bar(
        "reach: solved by ranking by the true cost",
        why.reach.perfect_ranking,
    );
    bar(
        "dreamed: success that is only imagined",
        why.dreamed.success,
    );
    if let Some(reason) = &why.dreamed.not_measured {
        println!("{reason}");
    }
    for (cause, share) in &why.causes {
        println!("cause {cause:<14} {}", Rate::percent(*share));
    }
    let ranking = &why.ranking;
    println!(
        "a candidate meets the goal in {}; Spearman {}, of the first iteration {}, from what reality shows {}",
        Rate::percent(why.coverage.reaches),
        interval(ranking.spearman, 1.0, 2),
        interval(ranking.spearman_first, 1.0, 2),
        interval(ranking.spearman_corrected, 1.0, 2)
    );
    println!(
        "regret of the model's favourite {} m, of the plan {} m",
        interval(ranking.regret_m, 1.0, 3),
        interval(ranking.plan_regret_m, 1.0, 3)
    );
    println!("the best candidate by iteration, in the model's units; true cost in metres");
    for round in &why.exploitation {
        println!(
            "{:>4}  predicted {}  less corrected {}  true {}",
            round.iteration,
            interval(round.predicted, 1.0, 3),
            interval(round.gap, 1.0, 3),
            interval(round.true_m, 1.0, 3)
        );
    }
}
