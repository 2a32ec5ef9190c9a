//! `parallax eval judge`: the judge judged, and calibrated.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;

use super::Measured;
use super::subject::{Writes, episodes, head, no_effect, warn_of_seeds};
use crate::cli::output;
use crate::cli::seed;
use crate::cli::world::WorldArgs;
use crate::eval::judge::{self, JudgeResult};
use crate::eval::result::Evaluation;
use crate::judge::{Calibration, Setting};
use crate::scene::{self, Scene, home};
use crate::sim::HELD_OUT_SEED;

/// False positives and detection rate of the judge itself.
#[derive(clap::Args, Debug)]
pub struct JudgeArgs {
    /// Scene: a name from `parallax scenes`, or a file [default: all scenes]
    #[arg(long, value_name = "S")]
    scene: Option<String>,
    /// Clips a scene [default: 50]
    #[arg(long, value_name = "N", value_parser = episodes(), conflicts_with = "calibrate")]
    episodes: Option<u64>,
    /// First seed; from 1000000 up seeds are held out [default: 1000000]
    #[arg(long, value_name = "K", value_parser = seed(), conflicts_with = "calibrate")]
    seed: Option<u64>,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Make assets/judge.ron anew from so many clips a scene, of their own seeds
    #[arg(long, value_name = "CLIPS", value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    calibrate: Option<u64>,
    #[command(flatten)]
    world: WorldArgs,
}

/// By scene.
#[derive(Serialize)]
struct Found {
    scenes: BTreeMap<String, JudgeResult>,
}

/// False positives and detection rates, of one scene or of all.
pub fn evaluate(args: &JudgeArgs, writes: &Writes) -> Result<Measured> {
    let names = match &args.scene {
        Some(name) => vec![name.clone()],
        None => scene::list(&scene::library_dir()),
    };
    if args.calibrate.is_some() && args.world.changes_the_world() {
        let why = "thresholds are those of the scene as its file has it (only --size may differ)";
        return Err(no_effect("set or --edit", why));
    }
    let scenes = names
        .iter()
        .map(|n| args.world.scene(n))
        .collect::<Result<Vec<_>>>()?;
    if let Some(clips) = args.calibrate {
        return calibrate(&scenes, clips);
    }
    let (seed, episodes) = (
        args.seed.unwrap_or(HELD_OUT_SEED),
        args.episodes.unwrap_or(50),
    );
    warn_of_seeds(seed);
    let mut head = head(
        "judge",
        args.scene.as_deref().unwrap_or("all"),
        seed,
        Some(episodes),
        writes,
    );
    if let ([scene], Some(name)) = (&scenes[..], &args.scene) {
        head.scene = scene.name.clone();
        head.scene_sha256 = scene::load(name).ok().map(|s| s.sha256());
        head.note_world(scene);
    }
    let mut found = BTreeMap::new();
    for scene in &scenes {
        let result = judge::evaluate(scene, seed, episodes)?;
        print(&scene.name, &result);
        found.insert(scene.name.clone(), result);
    }
    let result = Found { scenes: found };
    Measured::result(&Evaluation { head, result })
}

fn print(name: &str, result: &JudgeResult) {
    let reason = |of: &str| {
        let own = result.reasons.get(of).or_else(|| result.reasons.get("all"));
        own.map_or("not measured", String::as_str)
    };
    match &result.false_positive_clips {
        Some(r) => println!("{name}: {:.2} % of real clips flagged", 100.0 * r.rate),
        None => println!("{name}: not measured: {}", reason("all")),
    }
    if result.false_positive_clips.is_some() && !result.calibrated {
        println!("  not calibrated for this scene: the thresholds are cautious");
    }
    for (body, why) in &result.left_out {
        println!("  `{body}` is left out: {why}");
    }
    for (law, rate) in &result.detection_rate {
        match rate {
            Some(rate) => println!(
                "  {law:<18} {:.1} % of faults caught [{:.1}, {:.1}]",
                100.0 * rate.rate,
                100.0 * rate.low,
                100.0 * rate.high
            ),
            None => println!("  {law:<18} not judged: {}", reason(law)),
        }
    }
}

fn calibrate(scenes: &[Arc<Scene>], clips: u64) -> Result<Measured> {
    let path = home().join("assets/judge.ron");
    output::test_folder("--calibrate", crate::system::files::folder_of(&path))?;
    let mut found = Calibration::read(&path)?;
    found.seed = judge::CALIBRATION_SEED;
    for scene in scenes {
        let started = std::time::Instant::now();
        let own = judge::calibrate(scene, clips)?;
        println!(
            "{} at {} pixels ({:.0} s)",
            scene.name,
            scene.camera.size,
            started.elapsed().as_secs_f32()
        );
        for (law, setting) in &own {
            match setting {
                Setting::On {
                    threshold,
                    reality,
                    occasions,
                } => println!(
                    "  {:<16} {threshold:>8.3} (reality up to {reality:.3}, an occasion in {:.0} %)",
                    law.id(),
                    100.0 * occasions
                ),
                Setting::Off { reason } => println!("  {:<16} off: {reason}", law.id()),
            }
        }
        found.insert(scene, own);
        let text = ron::ser::to_string_pretty(&found, ron::ser::PrettyConfig::default())?;
        output::write(&path, (text + "\n").as_bytes())?;
    }
    println!("wrote {}; build again to use it", path.display());
    Measured::result(&found)
}
