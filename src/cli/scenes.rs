//! `parallax scenes`.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::camera::Eye;
use crate::episode::{Sheet, record};
use crate::scene::{self, Scene};
use crate::sim::{HELD_OUT_SEED, soak};

/// List scenes, or check scene files.
#[derive(clap::Args, Debug)]
pub struct ScenesArgs {
    /// Check these files and name file, line, field and expected value of the first fault in each
    #[arg(long, value_name = "FILE", num_args = 1..)]
    check: Vec<PathBuf>,
    /// Run every scene for this many control steps from 20 seeds and report what is not finite, leaves the world or
    /// rests in another body
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    soak: Option<u64>,
    /// Write what the eye sees of every scene: an episode of each, one a row (.png)
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    #[command(flatten)]
    world: super::world::WorldArgs,
}

const SOAK_RUNS: u64 = 20;
/// Deepest overlap at rest that counts as touching, metres.
const TOUCHING: f32 = 0.002;

fn run_soak(names: &[String], steps: u64) -> Result<()> {
    println!(
        "{:<12} {:>5} {:>7} {:>12} {:>6} {:>7} {:>16}",
        "SCENE", "RUNS", "STEPS", "NOT FINITE", "LEFT", "RESTED", "OVERLAP AT REST"
    );
    let mut faults = 0;
    for name in names {
        let scene = Arc::new(scene::load(name)?);
        let s = soak(&scene, HELD_OUT_SEED, SOAK_RUNS, steps)?;
        println!(
            "{name:<12} {:>5} {:>7} {:>12} {:>6} {:>7} {:>13.2} mm",
            s.runs,
            s.steps,
            s.broken,
            s.left,
            s.rested,
            1e3 * s.resting_penetration_m
        );
        faults += u64::from(s.broken > 0 || s.resting_penetration_m > TOUCHING);
    }
    if faults > 0 {
        bail!("{faults} of {} scenes do not hold", names.len());
    }
    Ok(())
}

pub fn run(args: &ScenesArgs) -> Result<()> {
    if !args.check.is_empty() {
        let mut faults = 0;
        for path in &args.check {
            match Scene::load(path) {
                Ok(scene) => println!(
                    "{}: ok (scene `{}`, {} bodies)",
                    path.display(),
                    scene.name,
                    scene.bodies.len()
                ),
                Err(error) => {
                    faults += 1;
                    eprintln!("{error}");
                }
            }
        }
        if faults > 0 {
            bail!("{faults} of {} scene files are faulty", args.check.len());
        }
        return Ok(());
    }
    let dir = scene::library_dir();
    let names = scene::list(&dir);
    if names.is_empty() {
        bail!(
            "no scenes in {}; set PARALLAX_HOME to the folder that holds scenes/",
            dir.display()
        );
    }
    if let Some(path) = &args.sheet {
        let mut sheet = Sheet::new();
        for name in &names {
            let scene = args.world.scene(name)?;
            let eye = Eye::standard(&scene)?;
            sheet.add(eye.size(), &record(&scene, &eye, HELD_OUT_SEED)?.frames);
        }
        sheet.save(path)?;
        println!("{}: {}", path.display(), names.join(", "));
        return Ok(());
    }
    if let Some(steps) = args.soak {
        return run_soak(&names, steps);
    }
    println!(
        "{:<11} {:>6} {:>7}  {:<6} SUMMARY",
        "SCENE", "BODIES", "ACTIONS", "TASK"
    );
    for name in names {
        match scene::load_named(&dir, &name) {
            Ok(s) => {
                let task = s.task.as_ref().map_or("-", |t| t.body.as_str());
                println!(
                    "{:<11} {:>6} {:>7}  {:<6} {}",
                    s.name,
                    s.bodies.len(),
                    s.actions.dim(),
                    task,
                    s.summary
                );
            }
            Err(error) => println!("{name:<11} {error}"),
        }
    }
    Ok(())
}
