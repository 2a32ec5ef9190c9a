//! `parallax collect`.

use std::path::PathBuf;

use anyhow::Result;

use super::episodes::{HEAD, row};
use super::{Stopped, output};
use crate::episode::{CollectOptions, check_collect, collect_until};
use crate::scene;
use crate::system::Stop;

/// Record episodes of a scene's behaviour from rapier, on all cores; what is already there is kept.
#[derive(clap::Args, Debug)]
pub struct CollectArgs {
    #[command(flatten)]
    world: super::world::WorldArgs,
    /// Scenes: names from `parallax scenes`, or .ron files
    #[arg(long, value_name = "S", num_args = 1.., required_unless_present = "all")]
    scene: Vec<String>,
    /// Every scene there is
    #[arg(long, conflicts_with = "scene")]
    all: bool,
    /// Episodes to have in the folder
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    episodes: u64,
    /// Seed of the first episode; training takes seeds below 500000 and refuses all others (from 1000000 up
    /// they are held out)
    #[arg(long, value_name = "K", default_value_t = 0, value_parser = super::seed())]
    seed: u64,
    /// Folder to fill (created; resumed if it holds the same scene and seed); several scenes each get a
    /// folder in it
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub fn run(args: &CollectArgs) -> Result<()> {
    let names = match args.all {
        true => scene::list(&scene::library_dir()),
        false => args.scene.clone(),
    };
    // Every scene and every folder, before the first episode.
    let mut orders = Vec::new();
    for name in &names {
        let scene = args.world.scene(name)?;
        let out = match names.len() {
            1 => args.out.clone(),
            _ => args.out.join(&scene.name),
        };
        let options = CollectOptions {
            out,
            episodes: args.episodes,
            seed: args.seed,
            progress: true,
        };
        check_collect(&scene, &options)?;
        output::test_folder("--out", &options.out)?;
        orders.push((scene, options));
    }
    let stop = Stop::on_signals()?;
    println!("{HEAD} {:>9} {:>11}", "SECONDS", "FRAMES/S");
    for (scene, options) in orders {
        let r = collect_until(&scene, &options, &stop)?;
        let speed = match r.frames {
            0 => "-".into(),
            frames => format!("{:.0}", frames as f64 / r.seconds.max(1e-9)),
        };
        let bytes = super::episodes::bytes_in(&options.out)?;
        println!(
            "{} {:>9.1} {speed:>11}",
            row(&scene, &r.survey, bytes),
            r.seconds
        );
        if r.resumed > 0 {
            println!("  {} of {} episodes were there", r.resumed, r.episodes);
        }
        if r.stopped {
            let (there, dir) = (r.survey.episodes, options.out.display());
            return Err(Stopped::new(format!(
                "{dir} holds {there} of {} episodes, all of them whole; the same command goes on from here",
                r.episodes
            )));
        }
    }
    Ok(())
}
