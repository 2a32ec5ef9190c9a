//! `parallax eval --plan`: measures what is missing or stale.

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;

use super::{EvalArgs, Suite};
use crate::cli::{Cli, Command, in_words};
use crate::report::evaluations::{Evaluations, Run, State};
use crate::scene::home;

/// Runs (or lists) every evaluation whose result is missing or stale. A result is written as soon as it is
/// there, so whoever stops this and starts it again loses one evaluation at most. One that fails does not
/// keep the others.
pub fn run(groups: &[String], list: bool) -> Result<()> {
    let home = home();
    let runs = Evaluations::load(&home)?.runs(&home, groups)?;
    // All are parsed before the first is measured.
    let mut due = Vec::new();
    for run in &runs {
        let suite = parsed(run)?;
        match run.state(&home)? {
            State::Current => {}
            State::Missing => due.push((run, suite, "missing".to_string())),
            State::Stale(why) => due.push((run, suite, why)),
            State::Impossible(why) => println!("{}: cannot be measured: {why}", shown(run)),
        }
    }
    println!(
        "{} of {} evaluations are missing or stale",
        due.len(),
        runs.len()
    );
    let mut failed = 0;
    for (i, (run, suite, why)) in due.iter().enumerate() {
        println!("[{} of {}] {}: {why}", i + 1, due.len(), shown(run));
        if list {
            continue;
        }
        if let Err(error) = super::measure(suite, &command(run)) {
            eprintln!("{}: {}", shown(run), in_words(&error));
            failed += 1;
        }
    }
    match failed {
        0 => Ok(()),
        n => bail!("{n} evaluations failed"),
    }
}

fn shown(run: &Run) -> String {
    run.result
        .strip_prefix(home())
        .unwrap_or(&run.result)
        .display()
        .to_string()
}

/// What the result says of how to measure it again.
fn command(run: &Run) -> String {
    format!(
        "parallax eval {} --json {}",
        run.arguments.join(" "),
        shown(run)
    )
}

fn parsed(run: &Run) -> Result<Suite> {
    let mut words: Vec<String> = ["parallax", "eval"].map(String::from).to_vec();
    words.extend(run.arguments.iter().cloned());
    words.extend(["--json".into(), run.result.to_string_lossy().into_owned()]);
    if let Some(picture) = &run.picture {
        words.extend(["--out".into(), picture.to_string_lossy().into_owned()]);
    }
    let cli = Cli::try_parse_from(words)
        .with_context(|| format!("models/evaluations.ron: {}", shown(run)))?;
    match cli.command {
        Some(Command::Eval(args)) => match *args {
            EvalArgs {
                suite: Some(suite), ..
            } => Ok(suite),
            _ => bail!("models/evaluations.ron: {}: expected a suite", shown(run)),
        },
        _ => bail!(
            "models/evaluations.ron: {}: expected an evaluation",
            shown(run)
        ),
    }
}
