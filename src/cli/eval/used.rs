//! What is asked for is done or refused: options of `eval` that the chosen suite or contestant would not use, and what
//! the seeds that were chosen are for.

use anyhow::Result;

use super::{EvalArgs, Suite};
use crate::model::{Camp, WorldModel};
use crate::sim::HELD_OUT_SEED;

/// First seed that training does not use: from here the judge is calibrated.
const CALIBRATION_SEED: u64 = 500_000;
/// First seed that settings are tuned on.
const TUNING_SEED: u64 = 900_000;

/// Who controls.
pub enum Contest<'a> {
    /// Uniform actions.
    Random,
    /// A search on forks of reality, or on its forecast without contacts.
    Oracle,
    /// A cloned policy.
    Policy,
    /// A search in a world model.
    World(&'a dyn WorldModel),
}

fn refuse(options: &[&str], who: &str) -> Result<()> {
    match options {
        [] => Ok(()),
        some => Err(super::super::wrong_use(format!(
            "{}: not used by {who}; leave it out",
            some.join(", ")
        ))),
    }
}

/// Refuses options that the chosen suite would not use.
///
/// # Errors
/// Wrong use, naming the options.
pub fn refuse_unused(args: &EvalArgs) -> Result<()> {
    let suite = clap::ValueEnum::to_possible_value(&args.suite);
    let suite = suite.map_or_else(String::new, |v| v.get_name().to_string());
    let mut unused = match args.suite {
        Suite::Control => Vec::new(),
        _ => args.control.given(),
    };
    let draws = matches!(args.suite, Suite::Masked | Suite::Rollout | Suite::Dream);
    let optional = [
        ("--out", args.out.is_some() && !draws),
        (
            "--calibrate",
            args.calibrate.is_some() && args.suite != Suite::Judge,
        ),
        (
            "--model",
            args.model.is_some() && args.suite == Suite::Judge,
        ),
        (
            "--episodes",
            args.episodes.is_some() && (args.calibrate.is_some() || args.suite == Suite::Masked),
        ),
        (
            "--nfe",
            args.nfe.is_some() && matches!(args.suite, Suite::Judge | Suite::Masked),
        ),
    ];
    unused.extend(optional.iter().filter(|o| o.1).map(|o| o.0));
    refuse(&unused, &format!("the suite `{suite}` as it was asked for"))
}

/// Refuses options that the contestant would not use.
///
/// # Errors
/// Wrong use, naming the options.
pub fn refuse_unused_by(args: &EvalArgs, contest: Contest) -> Result<()> {
    const WORLD: [&str; 3] = ["--goals", "--sweep", "--no-references"];
    const BUDGET: [&str; 6] = [
        "--candidates",
        "--iterations",
        "--ms",
        "--horizon",
        "--hold",
        "--replan",
    ];
    let given = args.control.given();
    let nfe = args.nfe.map(|_| "--nfe");
    let outside = |known: &[&str]| -> Vec<&str> {
        let unknown = given.iter().filter(|o| !known.contains(o)).copied();
        unknown.chain(nfe).collect()
    };
    let name = args.model.as_deref().unwrap_or_default();
    match contest {
        Contest::Random => refuse(&outside(&WORLD), "`random`, which does not plan"),
        Contest::Policy => refuse(
            &outside(&WORLD),
            &format!("`{name}`, a policy that does not plan"),
        ),
        Contest::Oracle => refuse(
            &outside(&[WORLD.as_slice(), BUDGET.as_slice()].concat()),
            &format!("`{name}`, which searches in its own way"),
        ),
        Contest::World(model) => {
            if let Some(nfe) = args.nfe {
                refuse_other_nfe(model, usize::from(nfe))?;
            }
            let icem = args.control.searches_with_coloured_noise();
            let beta = (given.contains(&"--beta") && !icem).then_some("--beta");
            refuse(
                &beta.into_iter().collect::<Vec<_>>(),
                "this search: only icem colours its noise",
            )?;
            let samples = args.control.searches_from_proposals();
            let proposals = (given.contains(&"--proposals") && !samples).then_some("--proposals");
            refuse(
                &proposals.into_iter().collect::<Vec<_>>(),
                "this search: only cem and icem start from proposals",
            )?;
            let distance = given.contains(&"--distance") && model.card().camp != Camp::Generative;
            let distance = distance.then_some("--distance");
            refuse(
                &distance.into_iter().collect::<Vec<_>>(),
                &format!("`{name}`, which measures distances in its own latents"),
            )
        }
    }
}

/// Sets the function evaluations that were asked for.
///
/// # Errors
/// Wrong use where the model has none, or always the same.
pub fn refuse_other_nfe(model: &dyn WorldModel, nfe: usize) -> Result<()> {
    model.set_nfe(nfe);
    let message = match model.nfe() {
        Some(set) if set == nfe => return Ok(()),
        Some(set) => format!("always takes {set}"),
        None => "imagines without function evaluations".into(),
    };
    let name = &model.card().name;
    Err(super::super::wrong_use(format!(
        "--nfe {nfe}: not used by `{name}`, which {message}; leave it out"
    )))
}

/// What the seeds from `first` on are for: `training`, `calibration`, `tuning` or `held out`.
pub fn seeds_are(first: u64) -> &'static str {
    match first {
        HELD_OUT_SEED.. => "held out",
        TUNING_SEED.. => "tuning",
        CALIBRATION_SEED.. => "calibration",
        _ => "training",
    }
}

/// Says so where a figure would not be one on held-out seeds.
pub fn warn_of_seeds(args: &EvalArgs) {
    let kind = seeds_are(args.seed);
    if kind != "held out" && args.calibrate.is_none() {
        eprintln!(
            "note: seeds from {} are for {kind}; figures that count are measured from {HELD_OUT_SEED} up",
            args.seed
        );
    }
}
