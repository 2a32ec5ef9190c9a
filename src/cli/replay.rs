//! `parallax replay`: a recorded episode, played again.

use std::path::PathBuf;

use anyhow::{Result, anyhow, bail};

use crate::model::Cancel;
use crate::worker::{Replay, Replayer};

/// Play a recorded episode again: reality is rebuilt from its scene, seed and actions.
#[derive(clap::Args, Debug)]
pub struct ReplayArgs {
    /// A file shard-NNNNN.plx that `parallax collect` wrote, its folder, or a session that the window saved
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Which episode of the file, counted from 0; with --check and without this, all of them
    #[arg(long, value_name = "N")]
    episode: Option<u64>,
    /// Open no window; say whether the replay is the recording, bit for bit (exit code 1 if not)
    #[cfg_attr(not(feature = "app"), arg(long))]
    #[cfg_attr(
        feature = "app",
        arg(long, conflicts_with_all = ["size", "shot", "after", "light", "press", "timings"])
    )]
    check: bool,
    /// How the window opens.
    #[cfg(feature = "app")]
    #[command(flatten)]
    window: super::app::WindowArgs,
}

pub fn run(args: ReplayArgs) -> Result<()> {
    if args.check {
        return check(&args);
    }
    let replay = Replay {
        file: args.file.clone(),
        episode: args.episode.unwrap_or(0),
    };
    // What cannot be replayed is said here, before a window opens.
    Replayer::default()
        .replay(&replay, &Cancel::new())
        .map_err(|e| anyhow!(e))?;
    show(args, replay)
}

#[cfg(feature = "app")]
fn show(args: ReplayArgs, replay: Replay) -> Result<()> {
    let start = crate::app::session::Start {
        replay: Some(replay),
        ..Default::default()
    };
    super::app::open_window(args.window, start)
}

#[cfg(not(feature = "app"))]
fn show(_args: ReplayArgs, _replay: Replay) -> Result<()> {
    bail!(
        "this build has no window (feature `app`); `--check` compares the replay with the recording"
    )
}

fn check(args: &ReplayArgs) -> Result<()> {
    let mut replayer = Replayer::default();
    let mut play = |episode: u64| {
        let file = args.file.clone();
        replayer
            .replay(&Replay { file, episode }, &Cancel::new())
            .map_err(|e| anyhow!(e))
    };
    let first = args.episode.unwrap_or(0);
    let mut replayed = play(first)?;
    let last = args.episode.unwrap_or(replayed.episodes.saturating_sub(1));
    let (mut differing, mut steps) = (0, 0);
    loop {
        let episode = replayed.replay.episode;
        let name = format!(
            "episode {episode} ({}, seed {})",
            replayed.scene.name, replayed.seed
        );
        steps += replayed.moments.len();
        match &replayed.difference {
            None if args.episode.is_some() => {
                let count = replayed.moments.len();
                println!("{name}: bit-identical over {count} moments, states and pictures");
            }
            None => {}
            Some(difference) => {
                differing += 1;
                println!("{name}: differs {difference}");
            }
        }
        if episode >= last {
            break;
        }
        replayed = play(episode + 1)?;
    }
    if args.episode.is_none() {
        let all = last - first + 1;
        let same = all - differing;
        println!("{same} of {all} episodes bit-identical, {steps} moments, states and pictures");
    }
    if differing > 0 {
        bail!(
            "the replay is not the recording: the scene, the physics or the eye has changed since"
        );
    }
    Ok(())
}
