//! `parallax eval`: a subcommand a suite, and `--plan`, which measures whatever of `models/evaluations.ron`
//! is missing or stale. docs/method.md says what results hold; their keys only grow.

mod attributes;
mod choose;
mod control;
mod dream;
mod following;
mod masked;
mod pictures;
mod plan;
mod probe;
mod rollout;
mod subject;
mod surprise;
mod survival;
mod why;

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use super::output::{self, Form};
use subject::{ClipArgs, Writes};

/// Measure models, controllers and the judge on held-out seeds.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct EvalArgs {
    /// Measure what is missing or stale of models/evaluations.ron, or of these groups of it; goes on where
    /// it was stopped
    #[arg(long, value_name = "GROUP", num_args = 0..)]
    plan: Option<Vec<String>>,
    /// With --plan: list what it would measure, and why
    #[arg(long, requires = "plan")]
    list: bool,
    #[command(subcommand)]
    suite: Option<Suite>,
}

#[derive(clap::Subcommand, Debug)]
enum Suite {
    /// Success, latency and cost of a controller
    Control(Box<control::ControlArgs>),
    /// Why a planner fails: coverage, ranking, exploitation or reach, by forks of reality
    Why(Box<why::WhyArgs>),
    /// Accuracy and lawfulness of imagined clips
    Rollout(rollout::RolloutArgs),
    /// Whether a world is still there after 500 imagined steps under random actions
    Dream(dream::DreamArgs),
    /// How near to reality the future is that surprises a JEPA least, among those that a model draws
    Choose(choose::ChooseArgs),
    /// Whether a model does what the actions say
    Following(ClipArgs),
    /// What a model keeps of a body of a colour, size, velocity or shape that it has never seen
    Attributes(ClipArgs),
    /// What a representation holds: place, orientation, velocity, contact
    Probe(probe::ProbeArgs),
    /// Whether a model is more surprised where physics is broken: teleport, vanish, recolour, pass through,
    /// freeze
    Surprise(surprise::SurpriseArgs),
    /// Whether bodies behind a screen are still where they come out again
    Survival(survival::SurvivalArgs),
    /// A picture of hidden tubelets and how well their embeddings are predicted (V-JEPA)
    Masked(masked::MaskedArgs),
}

/// What was measured, and the picture that goes with it.
struct Measured {
    json: Value,
    /// Drawn and written once the numbers stand.
    picture: Option<Picture>,
}

type Picture = Box<dyn FnOnce(&Path) -> Result<()>>;

impl Measured {
    /// A result without a picture.
    fn result(result: &impl serde::Serialize) -> Result<Self> {
        Ok(Self {
            json: serde_json::to_value(result)?,
            picture: None,
        })
    }

    /// With a picture that can be drawn of it.
    fn with_picture(mut self, draw: impl FnOnce(&Path) -> Result<()> + 'static) -> Self {
        self.picture = Some(Box::new(draw));
        self
    }
}

pub fn run(args: &EvalArgs) -> Result<()> {
    match (&args.plan, &args.suite) {
        (Some(groups), _) => plan::run(groups, args.list),
        (None, Some(suite)) => measure(suite, &command_line()),
        (None, None) => Err(super::wrong_use(
            "a suite or --plan is needed; see `parallax eval --help`",
        )),
    }
}

/// Runs a suite; `command` is what the result says of how to measure it again.
fn measure(suite: &Suite, command: &str) -> Result<()> {
    let (json, out) = match suite {
        Suite::Control(a) => (&a.actor.subject.json, None),
        Suite::Why(a) => (&a.actor.subject.json, None),
        Suite::Rollout(a) => (&a.clips.subject.json, a.out.as_ref()),
        Suite::Dream(a) => (&a.subject.json, a.out.as_ref()),
        Suite::Choose(a) => (&a.clips.subject.json, None),
        Suite::Following(a) => (&a.subject.json, None),
        Suite::Attributes(a) => (&a.subject.json, None),
        Suite::Probe(a) => (&a.subject.json, None),
        Suite::Surprise(a) => (&a.subject.json, None),
        Suite::Survival(a) => (&a.clips.subject.json, None),
        Suite::Masked(a) => (&a.subject.json, Some(&a.out)),
    };
    // Where the results go is tested before the first episode.
    if let Some(path) = json {
        output::test("--json", path, Form::Json)?;
    }
    if let Some(path) = out {
        output::test("--out", path, Form::Png)?;
    }
    let writes = Writes { command };
    let measured = match suite {
        Suite::Control(args) => control::evaluate(args, &writes)?,
        Suite::Why(args) => why::evaluate(args, &writes)?,
        Suite::Rollout(args) => rollout::evaluate(args, &writes)?,
        Suite::Dream(args) => dream::evaluate(args, &writes)?,
        Suite::Choose(args) => choose::evaluate(args, &writes)?,
        Suite::Following(args) => following::evaluate(args, &writes)?,
        Suite::Attributes(args) => attributes::evaluate(args, &writes)?,
        Suite::Probe(args) => probe::evaluate(args, &writes)?,
        Suite::Surprise(args) => surprise::evaluate(args, &writes)?,
        Suite::Survival(args) => survival::evaluate(args, &writes)?,
        Suite::Masked(args) => masked::evaluate(args, &writes)?,
    };
    // Numbers first: a picture can be drawn again, an evaluation takes hours.
    if let Some(path) = json {
        let text = serde_json::to_string_pretty(&measured.json)? + "\n";
        output::write(path, text.as_bytes())?;
    }
    if let (Some(path), Some(picture)) = (out, measured.picture) {
        picture(path)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// The command as it was typed. Names of files need not be UTF-8: they are shown as far as they can be.
fn command_line() -> String {
    let words = std::env::args_os().skip(1);
    words.fold("parallax".into(), |line, a| {
        line + " " + &a.to_string_lossy()
    })
}
