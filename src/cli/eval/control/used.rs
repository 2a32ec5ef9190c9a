//! What is asked for is done or refused: options that the controller would not look at are wrong use.

use anyhow::Result;

use super::super::subject::no_effect;
use super::ActorArgs;

/// Who is going to act.
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

/// Refuses what a controller does not look at.
pub fn check(args: &ActorArgs, name: &str, actor: Actor) -> Result<()> {
    const BUDGET: [&str; 6] = [
        "candidates",
        "iterations",
        "ms",
        "horizon",
        "hold",
        "replan",
    ];
    for option in args.asked().into_iter().filter(|o| *o != "goals") {
        let looked_at = match (actor, option) {
            (Actor::Reflex, _) => false,
            (Actor::Oracle, option) => BUDGET.contains(&option),
            (Actor::Model { pixels }, "distance") => pixels || args.is_temporal(),
            (_, "beta") => args.has_coloured_noise(),
            (_, "proposals" | "gate") => args.takes_proposals(),
            (_, "tried" | "near") => args.has_stations(),
            _ => true,
        };
        if !looked_at {
            return Err(no_effect(option, &format!("`{name}` does not look at it")));
        }
    }
    if args.sampling.nfe.is_some() && actor != (Actor::Model { pixels: true }) {
        return Err(no_effect("nfe", &format!("`{name}` is no diffusion model")));
    }
    Ok(())
}
