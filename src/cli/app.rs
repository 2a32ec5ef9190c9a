//! `parallax app`: the window.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use crate::app::session::Start;
use crate::app::shot::Errand;
use crate::app::{Options, run as run_app};

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
    /// Walk through every scene and controller by itself, then exit: 0 if all of it worked.
    #[arg(long)]
    pub play_all: bool,
    /// How the window opens.
    #[command(flatten)]
    pub window: WindowArgs,
}

/// How the window opens, and what it does by itself.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct WindowArgs {
    /// Size of the window in pixels.
    #[arg(long, value_name = "WxH", value_parser = parse_size)]
    pub size: Option<(u32, u32)>,
    /// Save a picture of the window to this file (png), then exit.
    #[arg(long, value_name = "FILE")]
    pub shot: Option<PathBuf>,
    /// Seconds after the start at which the picture is taken.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0, requires = "shot")]
    pub after: f32,
    /// Start in the light theme.
    #[arg(long)]
    pub light: bool,
    /// Press this key SECONDS after the start, such as `3:space` or `5:scrub=12`; may be repeated.
    #[arg(long, value_name = "SECONDS:KEY")]
    pub press: Vec<String>,
    /// Print the timers of window and workers when the window closes.
    #[arg(long)]
    pub timings: bool,
}

fn parse_set(text: &str) -> Result<(String, f32), String> {
    let pair = text.split_once('=').and_then(|(field, value)| {
        let value: f32 = value.trim().parse().ok()?;
        Some((field.trim().to_string(), value))
    });
    pair.ok_or_else(|| format!("found `{text}`, expected FIELD=NUMBER such as gravity=-3.7"))
}

fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let size = text
        .split_once('x')
        .and_then(|(w, h)| Some((w.parse().ok()?, h.parse().ok()?)));
    match size {
        Some((w, h)) if (320..=7680).contains(&w) && (240..=4320).contains(&h) => Ok((w, h)),
        _ => Err(format!(
            "found `{text}`, expected WIDTHxHEIGHT such as 1600x900"
        )),
    }
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
        replay: None,
    };
    open(args.window, start, args.play_all)
}

/// Opens the window on something, and runs until it is closed.
///
/// # Errors
/// As [`run`].
pub fn open_window(window: WindowArgs, start: Start) -> Result<()> {
    open(window, start, false)
}

fn open(args: WindowArgs, start: Start, walks: bool) -> Result<()> {
    if cfg!(target_os = "linux")
        && std::env::var_os("DISPLAY").is_none()
        && std::env::var_os("WAYLAND_DISPLAY").is_none()
    {
        bail!(
            "there is no display (DISPLAY and WAYLAND_DISPLAY are unset); start the app in a desktop session or under Xvfb, or use `./run`, which records pictures instead"
        );
    }
    let mut script = Vec::new();
    for press in &args.press {
        script.push(
            crate::app::command::scripted(press).ok_or_else(|| {
                anyhow!("`--press {press}`: expected SECONDS:KEY, such as 3:space")
            })?,
        );
    }
    script.sort_by(|a, b| f32::total_cmp(&a.0, &b.0));
    run_app(Options {
        start,
        errand: Errand::new(args.shot, args.after, script, walks),
        size: args.size,
        timings: args.timings,
        light: args.light,
    })
    .map_err(|e| anyhow!(e))
}
