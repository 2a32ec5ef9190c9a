//! `parallax episodes`: what a folder of recorded experience holds, and whether it is sound.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::output::{self, Form};
use crate::episode::{Episode, EpisodeError, SHARD, Sheet, Store, Survey};
use crate::scene::Scene;
use crate::sim::{CALIBRATION_SEED, HELD_OUT_SEED, TUNING_SEED};

/// Inspect a folder of episodes: counts, the state of every shard, pictures, one episode's numbers.
#[derive(clap::Args, Debug)]
pub struct EpisodesArgs {
    /// A folder that `parallax collect` filled
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// Write a contact sheet: some episodes, one a row (.png)
    #[arg(long, value_name = "FILE.png")]
    sheet: Option<PathBuf>,
    /// Print the actions and states of the folder's N-th episode, counted from 0
    #[arg(long, value_name = "N", conflicts_with_all = ["sheet", "skip_damaged"])]
    episode: Option<u64>,
    /// Name damaged shards and leave them out, rather than fail
    #[arg(long)]
    skip_damaged: bool,
}

/// Rows of a contact sheet.
const ROWS: usize = 12;

/// Head of the table of folders.
pub const HEAD: &str = "SCENE        EPISODES    STEPS  CONTACT  SUCCESS  COVERAGE         MB";

/// One line of the table; `-` where the scene has no task.
pub fn row(scene: &Scene, survey: &Survey, bytes: u64) -> String {
    let share = |s: Option<f64>| s.map_or("-".into(), |s| format!("{:.1} %", 100.0 * s));
    format!(
        "{:<11} {:>9} {:>8} {:>8} {:>8} {:>9} {:>10.1}",
        scene.name,
        survey.episodes,
        survey.frames,
        share(Some(survey.contact_share())),
        share(survey.success_share(scene)),
        share(survey.goal_coverage()),
        bytes as f64 / 1e6
    )
}

/// Bytes of a folder's files.
///
/// # Errors
/// If the folder cannot be listed.
pub fn bytes_in(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        // What is being written at this moment may have another name by now.
        bytes += entry?.metadata().map_or(0, |m| m.len());
    }
    Ok(bytes)
}

pub fn run(args: &EpisodesArgs) -> Result<()> {
    if let Some(path) = &args.sheet {
        output::test("--sheet", path, Form::Png)?;
    }
    let store = Store::open(&args.dir)?;
    if let Some(n) = args.episode {
        return print_episode(&store, n);
    }
    let scene = &store.index.scene;
    let (mut survey, mut sheet, mut damaged) = (Survey::default(), Sheet::new(), 0);
    let present = store.present()?;
    let each = ROWS.div_ceil(present.len().max(1));
    for &i in &present {
        let seeds = store.shard_seeds(i);
        let file = store.shard_path(i);
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match store.read_whole(i) {
            Ok(episodes) => {
                println!(
                    "{name}: ok, {} episodes, seeds {} to {}",
                    episodes.len(),
                    seeds.start,
                    seeds.end.saturating_sub(1)
                );
                for episode in &episodes {
                    survey.add(scene, episode);
                }
                for episode in episodes.iter().take(each.min(ROWS - sheet.len().min(ROWS))) {
                    sheet.add(store.index.size, &episode.frames);
                }
            }
            // A recording that was broken off while it was extended: what is there is sound.
            Err(cut @ EpisodeError::Cut { .. }) => println!("{cut}"),
            Err(error) => {
                damaged += 1;
                eprintln!("{error}");
            }
        }
    }
    for gap in store.gaps(&present) {
        println!("{}", store.missing(gap));
    }
    println!("{HEAD}");
    println!("{}", row(scene, &survey, bytes_in(&args.dir)?));
    println!(
        "{}x{} pixels, {} samples a side, seeds {} to {} ({})",
        store.index.size,
        store.index.size,
        scene.camera.samples,
        store.index.seed,
        (store.index.seed + store.index.episodes).saturating_sub(1),
        used_for(store.index.seed + store.index.episodes)
    );
    for edit in &scene.edits {
        println!(
            "edited at step {}: {:?} {}",
            edit.step, edit.what, edit.body
        );
    }
    if let Some(path) = &args.sheet {
        sheet.save(path)?;
        println!("{}: {} episodes, one a row", path.display(), sheet.len());
    }
    if damaged > 0 && !args.skip_damaged {
        bail!(
            "{damaged} of {} shards are damaged; --skip-damaged leaves them out",
            present.len()
        );
    }
    Ok(())
}

/// What seeds below `end` are for.
fn used_for(end: u64) -> &'static str {
    match end.saturating_sub(1) {
        ..CALIBRATION_SEED => "for training",
        CALIBRATION_SEED..TUNING_SEED => "for calibrating the judge: training refuses them",
        TUNING_SEED..HELD_OUT_SEED => "for tuning: training refuses them",
        _ => "held out: training refuses them",
    }
}

fn print_episode(store: &Store, n: u64) -> Result<()> {
    let (count, scene) = (store.index.episodes, &store.index.scene);
    if n >= count {
        return Err(super::wrong_use(format!(
            "--episode {n}: expected 0 to {}",
            count.saturating_sub(1)
        )));
    }
    let shard = n / SHARD;
    if !store.shard_path(shard).exists() {
        bail!("episode {n}: {}", store.missing(shard..shard + 1));
    }
    let episodes = store.read(shard)?;
    let Some(episode) = episodes.iter().find(|e| e.seed == store.index.seed + n) else {
        bail!(
            "{}: episode {n} is missing",
            store.shard_path(shard).display()
        );
    };
    println!(
        "episode {n}, seed {}, {} steps, {} with contact",
        episode.seed,
        steps(scene, episode),
        episode.contact_frames
    );
    let dim = scene.actions.dim();
    for (t, states) in episode.states.chunks(scene.bodies.len()).enumerate() {
        for edit in episode.edits.iter().filter(|e| e.step as usize == t) {
            println!("step {t:>4}  edit {:?} {}", edit.what, edit.body);
        }
        let action = &episode.actions[t * dim..(t + 1) * dim];
        println!("step {t:>4}  action {action:+.3?}");
        for (body, s) in scene.bodies.iter().zip(states) {
            println!(
                "           {:<12} at {:+.3?} m, yaw {:+.1}°, moving {:+.3?} m/s",
                body.name,
                s.position,
                s.yaw().to_degrees(),
                s.velocity
            );
        }
    }
    Ok(())
}

fn steps(scene: &Scene, episode: &Episode) -> usize {
    episode.states.len() / scene.bodies.len().max(1)
}
