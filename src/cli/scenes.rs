//! `parallax scenes`.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::scene::{self, Scene};

/// List scenes, or check scene files.
#[derive(clap::Args, Debug)]
pub struct ScenesArgs {
    /// Check these files and name file, line, field and expected value of the first fault in each
    #[arg(long, value_name = "FILE", num_args = 1..)]
    check: Vec<PathBuf>,
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
    println!(
        "{:<10} {:>6} {:>7}  {:<6} SUMMARY",
        "SCENE", "BODIES", "ACTIONS", "TASK"
    );
    for name in names {
        match scene::load_named(&dir, &name) {
            Ok(s) => {
                let task = s.task.as_ref().map_or("-", |t| t.body.as_str());
                println!(
                    "{:<10} {:>6} {:>7}  {:<6} {}",
                    s.name,
                    s.bodies.len(),
                    s.actions.dim(),
                    task,
                    s.summary
                );
            }
            Err(error) => println!("{name:<10} {error}"),
        }
    }
    Ok(())
}
