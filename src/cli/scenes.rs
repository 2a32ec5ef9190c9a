//! `parallax scenes`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};

use super::output::{self, Form};
use crate::camera::Eye;
use crate::episode::{Sheet, record};
use crate::judge::Tracker;
use crate::scene::{self, Scene};
use crate::sim::{HELD_OUT_SEED, overlap_at_start, soak};

/// List scenes, or check scene files.
#[derive(clap::Args, Debug)]
pub struct ScenesArgs {
    /// Check these files and name file, line, field and expected value of the first fault in each
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["soak", "sheet", "scene"])]
    check: Vec<PathBuf>,
    /// Run scenes for this many control steps from 20 seeds and report what is not finite, leaves the world
    /// or rests in another body
    #[arg(long, value_name = "STEPS", conflicts_with = "sheet")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    soak: Option<u64>,
    /// Write what the eye sees of scenes: an episode of each, one a row (.png)
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Only these scenes, by name or file [default: all]
    #[arg(long, value_name = "S", num_args = 1..)]
    scene: Vec<String>,
    #[command(flatten)]
    world: super::world::WorldArgs,
}

const SOAK_RUNS: u64 = 20;
/// Deepest overlap at rest that counts as touching, metres: the lowest of five blocks piled up askew is
/// pressed in by 4.
const TOUCHING: f32 = 0.005;
/// Starts that a check looks at.
const STARTS: u64 = 50;

fn run_soak(args: &ScenesArgs, names: &[String], steps: u64) -> Result<()> {
    // Whatever cannot be applied is refused before the first run.
    let scenes = names
        .iter()
        .map(|name| Ok((name, args.world.scene(name)?)))
        .collect::<Result<Vec<_>>>()?;
    println!(
        "{:<12} {:>5} {:>7} {:>12} {:>6} {:>7} {:>16}",
        "SCENE", "RUNS", "STEPS", "NOT FINITE", "LEFT", "RESTED", "OVERLAP AT REST"
    );
    let mut faults = 0;
    for (name, scene) in &scenes {
        let s = soak(scene, HELD_OUT_SEED, SOAK_RUNS, steps)?;
        let overlap = match s.rested {
            0 => "-".into(),
            _ => format!("{:.2} mm", 1e3 * s.resting_penetration_m),
        };
        println!(
            "{name:<12} {:>5} {:>7} {:>12} {:>6} {:>7} {overlap:>16}",
            s.runs, s.steps, s.broken, s.left, s.rested
        );
        faults += u64::from(s.broken > 0 || s.resting_penetration_m > TOUCHING);
    }
    if faults > 0 {
        bail!("{faults} of {} scenes do not hold", names.len());
    }
    Ok(())
}

/// What no single field is to blame for: starts that make no sense are faults, colours that the judge cannot
/// use are warnings.
fn check(path: &Path) -> Result<Scene> {
    let scene = Arc::new(Scene::load(path)?);
    let mut inside: Option<(u64, u64, crate::sim::Overlap)> = None;
    for seed in HELD_OUT_SEED..HELD_OUT_SEED + STARTS {
        crate::sim::Reality::new(&scene, seed)?;
        if let Some(found) = overlap_at_start(&scene, seed)? {
            inside = Some(match inside {
                Some((n, first, worst)) if worst.depth >= found.depth => (n + 1, first, worst),
                Some((n, ..)) => (n + 1, seed, found),
                None => (1, seed, found),
            });
        }
    }
    if let Some((starts, seed, worst)) = inside {
        let [a, b] = worst.bodies;
        let found = format!(
            "{}: `{a}` and `{b}` begin inside each other in {starts} of {STARTS} starts, by {:.0} mm from \
             seed {seed}; \
             expected bodies that at most touch (widen `randomise`, or name the pair in `apart`)",
            path.display(),
            1e3 * worst.depth
        );
        if starts == STARTS {
            bail!(found);
        }
        eprintln!("warning: {found}");
    }
    Ok(Scene::clone(&scene))
}

fn check_files(files: &[PathBuf]) -> Result<()> {
    let mut faults = 0;
    for path in files {
        match check(path) {
            Ok(scene) => {
                println!(
                    "{}: ok (scene `{}`, {} bodies)",
                    path.display(),
                    scene.name,
                    scene.bodies.len()
                );
                for (_, reason) in Tracker::new(&scene).left_out {
                    eprintln!(
                        "{}: warning: {reason}: the judge leaves it out",
                        path.display()
                    );
                }
            }
            Err(error) => {
                faults += 1;
                let named = error.to_string();
                match named.contains(&path.display().to_string()) {
                    true => eprintln!("{named}"),
                    false => eprintln!("{}: {named}", path.display()),
                }
            }
        }
    }
    if faults > 0 {
        bail!("{faults} of {} scene files are faulty", files.len());
    }
    Ok(())
}

fn write_sheet(args: &ScenesArgs, names: &[String], path: &Path) -> Result<()> {
    let mut sheet = Sheet::new();
    for name in names {
        let scene = args.world.scene(name)?;
        let eye = Eye::standard(&scene)?;
        sheet.add(eye.size(), &record(&scene, &eye, HELD_OUT_SEED)?.frames);
    }
    sheet.save(path)?;
    println!("{}: {}", path.display(), names.join(", "));
    Ok(())
}

pub fn run(args: &ScenesArgs) -> Result<()> {
    if args.soak.is_none() && args.sheet.is_none() && args.world.is_given() {
        return Err(super::wrong_use(
            "--set, --edit, --size and --samples change scenes that run: they need --soak or --sheet",
        ));
    }
    if !args.check.is_empty() {
        return check_files(&args.check);
    }
    let dir = scene::library_dir();
    let mut names = scene::list(&dir);
    if names.is_empty() {
        bail!(
            "no scenes in {}; set PARALLAX_HOME to the folder that holds scenes/ and models/",
            dir.display()
        );
    }
    if !args.scene.is_empty() {
        names.clone_from(&args.scene);
    }
    if let Some(path) = &args.sheet {
        output::test("--sheet", path, Form::Png)?;
        return write_sheet(args, &names, path);
    }
    if let Some(steps) = args.soak {
        return run_soak(args, &names, steps);
    }
    println!(
        "{:<11} {:>6} {:>7}  {:<6} SUMMARY",
        "SCENE", "BODIES", "ACTIONS", "TASK"
    );
    let mut faults = 0;
    for name in &names {
        match scene::load(name) {
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
            Err(error) if args.scene.is_empty() => println!("{name:<11} {error}"),
            Err(error) => {
                faults += 1;
                eprintln!("{error}");
            }
        }
    }
    if faults > 0 {
        bail!("{faults} of {} scenes cannot be read", names.len());
    }
    Ok(())
}
