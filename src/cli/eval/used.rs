//! What is asked for is done or refused: options that would have no effect on what runs are wrong use. And what the seeds
//! that were chosen are for.

use anyhow::Result;

use super::{EvalArgs, Suite};
use crate::model::{Sampling, WorldModel};
use crate::sim::{CALIBRATION_SEED, HELD_OUT_SEED, TUNING_SEED};

/// Who is going to act in `eval control`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Something that only acts.
    Reflex,
    /// A search on forks of reality.
    Oracle,
    /// A search in what a model imagines; whether it imagines pixels.
    Model {
        /// Whether what it imagines is pixels.
        pixels: bool,
    },
}

fn refuse(option: &str, why: &str) -> anyhow::Error {
    super::super::wrong_use(format!("--{option} would have no effect: {why}"))
}

/// Refuses what the suite does not look at.
pub fn check(args: &EvalArgs) -> Result<()> {
    let suite = args.suite;
    let name = format!("{suite:?}").to_lowercase();
    let only = |suites: &str| format!("it is for {suites}, not for {name}");
    if suite == Suite::Judge && args.model.is_some() {
        return Err(refuse("model", "the judge is measured on reality"));
    }
    if suite == Suite::Judge && args.device != "auto" {
        return Err(refuse("device", "the judge takes no model"));
    }
    if args.out.is_some() && !matches!(suite, Suite::Masked | Suite::Rollout | Suite::Dream) {
        return Err(refuse("out", &only("masked, rollout and dream")));
    }
    if args.nfe.is_some() && matches!(suite, Suite::Judge | Suite::Masked) {
        return Err(refuse("nfe", &only("suites that run a diffusion model")));
    }
    if args.episodes.is_some() && suite == Suite::Masked {
        return Err(refuse(
            "episodes",
            "the picture is of one episode; --seed chooses it",
        ));
    }
    if suite != Suite::Control
        && let Some(option) = args.control.asked().first()
    {
        return Err(refuse(option, &only("control")));
    }
    if let Some(clips) = args.calibrate {
        if suite != Suite::Judge {
            return Err(refuse("calibrate", &only("judge")));
        }
        if args.episodes.is_some() || args.seed != HELD_OUT_SEED {
            let option = if args.episodes.is_some() {
                "episodes"
            } else {
                "seed"
            };
            let why = format!("--calibrate {clips} takes {clips} clips from its own seeds");
            return Err(refuse(option, &why));
        }
        if args.world.changes_the_world() {
            let why =
                "thresholds are those of the scene as its file has it (only --size may differ)";
            return Err(refuse("set or --edit", why));
        }
    }
    Ok(())
}

/// Refuses what a controller does not look at.
pub fn by(args: &EvalArgs, name: &str, actor: Actor) -> Result<()> {
    const ALWAYS: [&str; 3] = ["goals", "sweep", "no-references"];
    const BUDGET: [&str; 6] = [
        "candidates",
        "iterations",
        "ms",
        "horizon",
        "hold",
        "replan",
    ];
    let control = &args.control;
    for option in control.asked().into_iter().filter(|o| !ALWAYS.contains(o)) {
        let looked_at = match (actor, option) {
            (Actor::Reflex, _) => false,
            (Actor::Oracle, option) => BUDGET.contains(&option),
            (Actor::Model { pixels }, "distance") => pixels,
            (_, "beta") => control.has_coloured_noise(),
            (_, "proposals") => control.takes_proposals(),
            _ => true,
        };
        if !looked_at {
            return Err(refuse(option, &format!("`{name}` does not look at it")));
        }
    }
    if args.nfe.is_some() && actor != (Actor::Model { pixels: true }) {
        return Err(refuse("nfe", &format!("`{name}` is no diffusion model")));
    }
    Ok(())
}

/// Refuses function evaluations that a model cannot take.
///
/// # Errors
/// Wrong use where the model has none, or always the same.
pub fn refuse_other_nfe(model: &dyn WorldModel, nfe: usize) -> Result<()> {
    let message = match model.nfe(Sampling::nfe(nfe)) {
        Some(set) if set == nfe => return Ok(()),
        Some(set) => format!("always takes {set}"),
        None => "imagines without function evaluations".into(),
    };
    Err(refuse("nfe", &format!("`{}` {message}", model.card().name)))
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
