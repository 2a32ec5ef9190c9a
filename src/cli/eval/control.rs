//! `parallax eval control`: a controller, its floors and its ceiling in one table and one result.

mod args;
mod sweep;
mod used;

use std::sync::Arc;

use anyhow::Result;
use indicatif::ProgressBar;

pub use args::{ActorArgs, ControlArgs};
use used::Actor;

use super::Measured;
use super::subject::{Writes, bar, refuse_other_nfe};
use crate::cli::{device, wrong_use};
use crate::eval::contest::{Contest, ContestResult, Contestant, Planning, Watch, trained_floors};
use crate::eval::control::{ControlResult, EpisodeResult};
use crate::eval::result::Evaluation;
use crate::eval::why::Suspect;
use crate::model::architecture::Trained;
use crate::model::oracle::CONSTANT_VELOCITY;
use crate::model::{Camp, Metric, Sampling, WorldModel, folder, registry};
use crate::planner::Budget;
use crate::scene::{Scene, models_dir};
use crate::stats::Rate;

/// Runs the controller and, unless told otherwise, its references on the same seeds.
pub fn evaluate(args: &ControlArgs, writes: &Writes) -> Result<Measured> {
    let actor = &args.actor;
    let subject = &actor.subject;
    let contest = actor.contest(args.episodes)?;
    let mut head = subject.head("control", &contest.scene, None, writes);
    if !args.sweep.is_empty() {
        head.model_sha256 = contestant(actor, &contest.scene, &subject.model)?.sha256;
        head.episodes = Some(args.episodes);
        let result = sweep::run(args, &contest)?;
        return Measured::result(&Evaluation { head, result });
    }
    let controller = contestant(actor, &contest.scene, &subject.model)?;
    head.model_sha256 = controller.sha256.clone();
    // The references, too, are loaded before anything is measured.
    let floors = match args.no_references {
        true => None,
        false => Some(floors(actor, &contest.scene)?),
    };
    let result = contest.compare(controller, floors, &mut Watcher::default())?;
    print(&subject.model, &result);
    Measured::result(&Evaluation { head, result })
}

impl ActorArgs {
    /// What a controller is measured on.
    pub(super) fn contest(&self, episodes: u64) -> Result<Contest> {
        Ok(Contest {
            scene: self.subject.scene()?,
            seeds: self.subject.seed..self.subject.seed + episodes,
            goals: self.goals(),
        })
    }
}

fn print(name: &str, result: &ContestResult) {
    if let Some(flops) = result.decision_flops {
        println!("{:<18} {flops:.2e} FLOPs a decision", "");
    }
    let regret = result.regret.as_ref();
    if let Some((steps, metres)) = regret.and_then(|r| Some((r.steps?, r.final_distance_m?))) {
        println!(
            "{name} takes {:.1} steps more than the oracle [{:.1}, {:.1}] and ends {:.3} m farther away \
             [{:.3}, {:.3}]",
            steps.mean, steps.low, steps.high, metres.mean, metres.low, metres.high
        );
    }
}

/// Shows how far a controller is, and what came out.
#[derive(Default)]
struct Watcher {
    bar: Option<ProgressBar>,
    successes: usize,
}

impl Watch for Watcher {
    fn begin(&mut self, name: &str, episodes: u64) {
        self.successes = 0;
        self.bar = Some(bar(episodes, name));
    }

    fn episode(&mut self, episode: &EpisodeResult) {
        self.successes += usize::from(episode.success);
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} reached", self.successes));
            bar.inc(1);
        }
    }

    fn end(&mut self, name: &str, result: &ControlResult) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let number =
            |v: Option<f64>, digits: usize| v.map_or("-".into(), |v| format!("{v:.digits$}"));
        println!(
            "{name:<18} success {}  of {}  ({} solved at start)  {} steps to success  {} ms a decision",
            Rate::percent(result.success),
            result.episodes,
            result.excluded_solved_at_start,
            number(result.steps_to_success.map(|s| s.median), 0),
            number(result.decision_ms.map(|l| l.median), 1)
        );
        if let Some(why) = &result.not_measured {
            eprintln!("{name}: success is not measured: {why}");
        }
    }
}

/// The floors of a scene that were trained, but for the controller that is measured.
fn floors(args: &ActorArgs, scene: &Arc<Scene>) -> Result<Vec<(&'static str, Contestant)>> {
    let others = trained_floors(&models_dir(), &scene.name);
    let others = others
        .into_iter()
        .filter(|(_, folder)| *folder != args.subject.model);
    others
        .map(|(key, folder)| Ok((key, contestant(args, scene, &folder)?)))
        .collect()
}

/// The controller of a name.
fn contestant(args: &ActorArgs, scene: &Arc<Scene>, name: &str) -> Result<Contestant> {
    // Floors and ceilings have their own settings; what was asked for is for the controller that was asked
    // for.
    let look = |actor: Actor| match args.subject.model == name {
        true => used::check(args, name, actor),
        false => Ok(()),
    };
    match name {
        "random" => {
            look(Actor::Reflex)?;
            return Ok(Contestant::random(name, args.subject.seed));
        }
        "oracle" | CONSTANT_VELOCITY => {
            look(Actor::Oracle)?;
            let budget = args.within(Budget::oracle(scene));
            let replan = args.replan.unwrap_or(Budget::ORACLE.hold);
            return Ok(Contestant::oracle(name, scene, budget, replan));
        }
        _ => {}
    }
    let dir = registry::find(&models_dir(), name)?;
    let model = match registry::load_any(&dir, &device::pick(&args.subject.device)?)? {
        Trained::Policy(policy) => {
            look(Actor::Reflex)?;
            return Ok(Contestant::policy(name, policy));
        }
        Trained::Distance(_) => {
            let message = format!("--model {name}: is a distance, and neither acts nor imagines");
            return Err(wrong_use(message));
        }
        Trained::World(model) => model,
    };
    let plans = suspect(args, name, model)?;
    let planning = planning(args, &plans);
    Ok(Contestant::planning(name, plans, planning))
}

/// A model, and how it was asked to plan.
pub(super) fn suspect(args: &ActorArgs, name: &str, model: Arc<dyn WorldModel>) -> Result<Suspect> {
    let pixels = model.facets().pixels.is_some();
    if args.subject.model == name {
        used::check(args, name, Actor::Model { pixels })?;
    }
    if let Some(nfe) = args.sampling.nfe {
        refuse_other_nfe(model.as_ref(), usize::from(nfe))?;
    }
    Ok(Suspect {
        search: args.planner(),
        shape: args.shape(),
        budget: args.budget(model.as_ref()),
        replan: args.replan.unwrap_or(Budget::REPLAN),
        metric: match pixels {
            true => metric(args, model.card().camp)?,
            false if args.is_temporal() => temporal(name, model.as_ref())?,
            false => Metric::Own,
        },
        sampling: Sampling::nfe(usize::from(args.sampling.nfe.unwrap_or(1))),
        warm: !args.cold,
        model,
    })
}

/// The same in the words of a result.
pub(super) fn planning(args: &ActorArgs, plans: &Suspect) -> Planning {
    let pixels = plans.model.facets().pixels.is_some();
    Planning {
        planner: plans.search.id(),
        budget: Some(plans.budget),
        replan_steps: Some(plans.replan),
        warm_start: Some(plans.warm),
        proposals: args.proposals,
        nfe: plans.model.nfe(plans.sampling),
        distance: (pixels || args.is_temporal()).then(|| plans.metric.id().to_string()),
        distance_sha256: args
            .is_temporal()
            .then(|| plans.model.card().distance.clone())
            .flatten(),
        keyframes_sha256: args
            .has_stations()
            .then(|| plans.model.card().keyframes.clone())
            .flatten(),
    }
}

/// The distance in steps of a model that learned one.
fn temporal(name: &str, model: &dyn WorldModel) -> Result<Metric> {
    match model.card().distance {
        Some(_) => Ok(Metric::Temporal),
        None => Err(wrong_use(format!(
            "--distance temporal: `{name}` learned no distance in steps ({} in its folder); leave the option \
             out, or train one as training/recipes/distance-gather.ron does",
            folder::DISTANCE
        ))),
    }
}

/// What is compared: pictures, unless a hybrid is to plan as it was made to, in its latents.
fn metric(args: &ActorArgs, camp: Camp) -> Result<Metric> {
    let usual = Metric::of_pictures(camp);
    let name = args.distance.as_deref().unwrap_or(usual.id());
    match name {
        "colours" => return Ok(Metric::Colours),
        "pixels" => return Ok(Metric::Pixels),
        "latents" => return Ok(Metric::Latents),
        "temporal" => {
            return Err(wrong_use(format!(
                "--distance temporal: is a distance of latents, and `{}` imagines pixels; expected colours, \
                 pixels, latents or the folder of a learned distance",
                args.subject.model
            )));
        }
        _ => {}
    }
    let dir = registry::find(&models_dir(), name)?;
    match registry::load_any(&dir, &device::pick(&args.subject.device)?)? {
        Trained::Distance(learned) => Ok(Metric::Learned(learned)),
        _ => Err(wrong_use(format!(
            "--distance {name}: is no learned distance; expected colours, pixels, latents or the folder \
             of one"
        ))),
    }
}
