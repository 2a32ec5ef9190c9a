//! `parallax app`: the window.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};

use super::wrong_use;
use crate::app::display::LEAST;
use crate::app::session::Start;
use crate::app::shot::Errand;
use crate::app::state::Search;
use crate::app::{Options, run as run_app};
use crate::model::Camp;
use crate::scene::{self, ActionSpace, Scene, SceneError};
use crate::worker::offered_models;

/// Open the window (also without a command).
#[derive(clap::Args, Clone, Debug, Default)]
pub struct AppArgs {
    /// Scene to open: a name from `parallax scenes`, or a file.
    #[arg(long, value_name = "S")]
    pub scene: Option<String>,
    /// Who drives: jepa, generative, oracle, random, keyboard, or a model's name.
    #[arg(long, value_name = "C")]
    pub controller: Option<String>,
    /// Seed of the first episode.
    #[arg(long, value_name = "N", value_parser = super::seed())]
    pub seed: Option<u64>,
    /// Set a field of the scene, such as gravity=-3.7, cube.friction=0.9 or action.delay=2; may be repeated.
    #[arg(long, value_name = "FIELD=NUMBER", value_parser = parse_set)]
    pub set: Vec<(String, f32)>,
    /// Tokens that planners plan ahead, of five control steps each [default: what the model chooses]
    #[arg(long, value_name = "TOKENS", value_parser = count(Search::MOST.horizon))]
    pub horizon: Option<usize>,
    /// Action sequences that planners imagine in one iteration [default: what the model chooses]
    #[arg(long, value_name = "N", value_parser = count(Search::MOST.candidates))]
    pub candidates: Option<usize>,
    /// Iterations of a planner's search [default: what the model chooses]
    #[arg(long, value_name = "N", value_parser = count(Search::MOST.iterations))]
    pub iterations: Option<usize>,
    /// Control steps that a plan is followed before the next one [default: what the model chooses]
    #[arg(long, value_name = "STEPS", value_parser = count(Search::MOST.replan))]
    pub replan: Option<usize>,
    /// Plan from one structured moment to the next, where the model learned them.
    #[arg(long)]
    pub stations: bool,
    /// Walk through every scene and controller by itself, then exit: 0 if all of it worked.
    #[arg(long, conflicts_with_all = ["scene", "controller", "seed", "set", "press", "horizon", "candidates", "iterations", "replan", "stations"])]
    pub play_all: bool,
    /// How the window opens.
    #[command(flatten)]
    pub window: WindowArgs,
}

/// How the window opens, and what it does by itself.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct WindowArgs {
    /// Size of the window in pixels, from 800x600 to 7680x4320 [default: 1600x900, or what the screen has
    /// room for]
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub size: Option<(u32, u32)>,
    /// Save a picture of the window to this file (png), then exit.
    #[arg(long, value_name = "FILE")]
    pub shot: Option<PathBuf>,
    /// Seconds after the scene has begun at which the picture is taken.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, requires = "shot", value_parser = parse_after)]
    pub after: f32,
    /// Start in the light theme.
    #[arg(long)]
    pub light: bool,
    /// Press this key SECONDS after the scene has begun, such as `3:space` or `5:scrub=12`, or give a command
    /// by the beginning of its name in the palette, such as `8:spot the fake`; may be repeated.
    #[arg(long, value_name = "SECONDS:KEY")]
    pub press: Vec<String>,
    /// Print the timers of window and workers when the window closes.
    #[arg(long)]
    pub timings: bool,
}

/// A number from 1 to the most that the window offers.
fn count(most: usize) -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser as _;
    clap::value_parser!(u64)
        .range(1..=most as u64)
        .map(|n| n as usize)
}

fn parse_set(text: &str) -> Result<(String, f32), String> {
    let pair = text.split_once('=').and_then(|(field, value)| {
        let value: f32 = value.trim().parse().ok().filter(|v: &f32| v.is_finite())?;
        Some((field.trim().to_string(), value))
    });
    pair.ok_or_else(|| format!("found `{text}`, expected FIELD=NUMBER such as gravity=-3.7"))
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let size = text
        .split_once('x')
        .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    let (least_w, least_h) = LEAST;
    match size {
        Some((w, h)) if (least_w..=7680).contains(&w) && (least_h..=4320).contains(&h) => {
            Ok((w, h))
        }
        Some(_) => Err(format!(
            "found `{text}`, expected at least {least_w}x{least_h} and at most 7680x4320 pixels"
        )),
        None => Err(format!(
            "found `{text}`, expected WIDTHxHEIGHT such as 1600x900"
        )),
    }
}

fn parse_after(text: &str) -> Result<f32, String> {
    let seconds = text.parse().ok();
    seconds
        .filter(|s: &f32| (0.0..=86_400.0).contains(s))
        .ok_or_else(|| format!("found `{text}`, expected seconds from 0 to 86400"))
}

/// Opens the window and runs until it is closed.
///
/// # Errors
/// If the arguments make no sense, there is no display, or an errand failed.
pub fn run(args: AppArgs) -> Result<()> {
    let start = Start {
        scene: args.scene,
        controller: args.controller,
        seed: args.seed,
        set: args.set,
        search: [args.horizon, args.candidates, args.iterations, args.replan],
        stations: args.stations,
        replay: None,
        opening: false,
    };
    check(&start)?;
    // Whoever names nothing sees the opening, or goes on where they were.
    let names_nothing = start.scene.is_none() && start.controller.is_none() && start.seed.is_none();
    let plain = names_nothing && start.set.is_empty() && !args.play_all;
    let start = Start {
        opening: plain && args.window.press.is_empty(),
        ..start
    };
    open(args.window, start, args.play_all)
}

/// What was asked for is there: said before a window opens, with the names that there are.
fn check(start: &Start) -> Result<()> {
    let library = scene::library_dir();
    let scene = match &start.scene {
        Some(name) => scene::load(name).map_err(|e| match e {
            SceneError::Unknown { .. } => wrong_use(e),
            e => anyhow!(e),
        })?,
        None => {
            let names = scene::list(&library);
            let first = std::iter::once("push").chain(names.iter().map(String::as_str));
            let sound = first.filter_map(|name| scene::load(name).ok()).next();
            sound.with_context(|| {
                format!(
                    "no scene that can be used in {}; set PARALLAX_HOME to the folder that holds \
                     scenes/ and models/",
                    library.display()
                )
            })?
        }
    };
    for (field, value) in &start.set {
        scene.check_field(field, *value).map_err(wrong_use)?;
    }
    match &start.controller {
        Some(controller) => check_controller(controller, &scene),
        None => Ok(()),
    }
}

/// Controllers that are no models.
const CONTROLLERS: [&str; 5] = ["jepa", "generative", "oracle", "random", "keyboard"];

fn check_controller(wish: &str, scene: &Scene) -> Result<()> {
    let models = offered_models(&scene::models_dir());
    let knows = |scenes: &[String]| scenes.contains(&scene.name);
    let of_scene = || {
        let known = models.iter().filter_map(|(entry, _)| {
            let card = entry.card.as_ref().ok()?;
            knows(&card.scenes).then_some(entry.name.as_str())
        });
        let known: Vec<&str> = known.collect();
        match known.is_empty() {
            true => "none".to_string(),
            false => known.join(", "),
        }
    };
    let camp = match wish {
        "jepa" => Some(Camp::Jepa),
        "generative" => Some(Camp::Generative),
        _ => None,
    };
    let named = models.iter().find(|(entry, _)| entry.name == wish);
    if !CONTROLLERS.contains(&wish) && named.is_none() {
        return Err(wrong_use(format!(
            "there is no controller `{wish}`; there are {}, and the models of {}: {}",
            CONTROLLERS.join(", "),
            scene.name,
            of_scene()
        )));
    }
    if scene.actions == ActionSpace::None {
        return Err(wrong_use(format!(
            "--controller {wish}: nobody acts in the scene {}; leave the option out",
            scene.name
        )));
    }
    if let Some(camp) = camp {
        let mut cards = models
            .iter()
            .filter_map(|(entry, _)| entry.card.as_ref().ok());
        if !cards.any(|card| card.camp == camp && knows(&card.scenes)) {
            return Err(wrong_use(format!(
                "--controller {wish}: no {wish} model was trained on {}; its models: {}",
                scene.name,
                of_scene()
            )));
        }
    }
    if let Some((entry, _)) = named {
        match &entry.card {
            Err(e) => bail!("--controller {wish}: {e}"),
            Ok(card) if !knows(&card.scenes) => {
                return Err(wrong_use(format!(
                    "--controller {wish}: it was trained on {}, not on {}; models of that scene: {}",
                    card.scenes.join(", "),
                    scene.name,
                    of_scene()
                )));
            }
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Opens the window on something, and runs until it is closed.
///
/// # Errors
/// As [`run`].
pub fn open_window(window: WindowArgs, start: Start) -> Result<()> {
    open(window, start, false)
}

fn open(args: WindowArgs, start: Start, walks: bool) -> Result<()> {
    crate::system::memory::one_arena_a_core();
    let mut script = Vec::new();
    for press in &args.press {
        script.push(crate::app::command::scripted(press).ok_or_else(|| {
            wrong_use(format!(
                "--press {press}: expected SECONDS:KEY, such as 3:space or 5:scrub=12, or SECONDS:COMMAND, such as 8:spot the fake"
            ))
        })?);
    }
    if let Some(shot) = &args.shot {
        super::output::test("--shot", shot, super::output::Form::Png)?;
    }
    script.sort_by(|a, b| f32::total_cmp(&a.0, &b.0));
    // What runs by itself neither depends on what a person left behind nor changes it.
    let remembers = args.shot.is_none() && !walks && args.press.is_empty();
    // Without a display nothing of this can be meant: said like any other wrong use, before anything begins.
    let display = crate::app::display::find().map_err(wrong_use)?;
    run_app(
        &display,
        Options {
            start,
            errand: Errand::new(args.shot, args.after, script, walks),
            size: args.size,
            timings: args.timings,
            light: args.light,
            remembers,
        },
    )
    .map_err(|e| anyhow!(e))
}
