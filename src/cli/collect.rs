//! `parallax collect`.

use std::path::PathBuf;

use anyhow::Result;

use crate::episode::{CollectOptions, collect};

/// Record episodes of a scene's behaviour from rapier, on all cores; what is already there is kept.
#[derive(clap::Args, Debug)]
pub struct CollectArgs {
    #[command(flatten)]
    world: super::world::WorldArgs,
    /// Scene: a name from `parallax scenes`, or a .ron file
    #[arg(long, value_name = "S")]
    scene: String,
    /// Episodes to have in the folder
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    episodes: u64,
    /// Seed of the first episode; seeds from 1000000 up are held out and refused by training
    #[arg(long, value_name = "K", default_value_t = 0)]
    seed: u64,
    /// Folder to fill (created; resumed if it holds the same scene and seed)
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub fn run(args: &CollectArgs) -> Result<()> {
    let scene = args.world.scene(&args.scene)?;
    let options = CollectOptions {
        out: args.out.clone(),
        episodes: args.episodes,
        seed: args.seed,
        progress: true,
    };
    let r = collect(&scene, &options)?;
    println!("{:<22} {}", "scene", scene.name);
    println!(
        "{:<22} {} ({} were there)",
        "episodes", r.episodes, r.resumed
    );
    println!("{:<22} {}", "frames recorded", r.frames);
    println!("{:<22} {:.1} %", "with contact", 100.0 * r.contact_share);
    println!("{:<22} {:.1} %", "task body moved", 100.0 * r.moved_share);
    println!(
        "{:<22} {:.1} s, {:.0} frames/s",
        "time",
        r.seconds,
        r.frames as f64 / r.seconds.max(1e-9)
    );
    println!("{:<22} {:.1} MB", "written", r.bytes as f64 / 1e6);
    Ok(())
}
