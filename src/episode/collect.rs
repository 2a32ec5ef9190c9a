//! Fills a folder with episodes on all cores, resumably.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::{Episode, EpisodeError, Index, Sheet, Store, Survey, record};
use crate::camera::Eye;
use crate::scene::Scene;

/// What to collect.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    /// Where to.
    pub out: PathBuf,
    /// How many episodes.
    pub episodes: u64,
    /// First seed; episode i has seed + i.
    pub seed: u64,
    /// Whether to draw a progress bar.
    pub progress: bool,
}

/// What was collected.
#[derive(Clone, Debug, Default)]
pub struct CollectReport {
    /// Episodes in the folder.
    pub episodes: u64,
    /// Of these, found from an earlier run.
    pub resumed: u64,
    /// Frames recorded now.
    pub frames: u64,
    /// Counts over all episodes of the folder.
    pub survey: Survey,
    /// Seconds.
    pub seconds: f64,
    /// Bytes written now.
    pub bytes: u64,
}

/// Rows of the contact sheet that is written beside the shards.
const SHEET_ROWS: usize = 8;

/// Records the scene's behaviour for `episodes` seeds; shards that are already there and sound are kept. Writes
/// `sheet.png`, which shows the first episodes.
///
/// # Errors
/// [`EpisodeError`] naming the file or scene.
pub fn collect(
    scene: &Arc<Scene>,
    options: &CollectOptions,
) -> Result<CollectReport, EpisodeError> {
    let start = Instant::now();
    let index = Index {
        format: 1,
        scene: (**scene).clone(),
        size: scene.camera.size,
        seed: options.seed,
        episodes: options.episodes.max(existing(&options.out)),
    };
    let store = Store::create(&options.out, index)?;
    let eye = Eye::standard(scene)?;
    let bar = if options.progress {
        ProgressBar::new(store.index.episodes)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template(
        "{prefix} {wide_bar} {pos}/{len} episodes, {per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    bar.set_prefix(scene.name.clone());
    let [resumed, frames, bytes] = std::array::from_fn(|_| AtomicU64::new(0));
    let (survey, sheet) = (Mutex::new(Survey::default()), Mutex::new(Sheet::new()));
    (0..store.shards())
        .into_par_iter()
        .try_for_each(|i| -> Result<(), EpisodeError> {
            let seeds = store.shard_seeds(i);
            let count = seeds.end - seeds.start;
            let there = store.shard_path(i).exists();
            let episodes = if there && let Ok(episodes) = store.read_whole(i) {
                resumed.fetch_add(count, Ordering::Relaxed);
                bar.inc(count);
                episodes
            } else {
                let mut episodes: Vec<Episode> = Vec::with_capacity(count as usize);
                for seed in seeds {
                    episodes.push(record(scene, &eye, seed)?);
                    frames.fetch_add(u64::from(scene.episode_steps), Ordering::Relaxed);
                    bar.inc(1);
                }
                bytes.fetch_add(store.write(i, &episodes)?, Ordering::Relaxed);
                episodes
            };
            let mut part = Survey::default();
            for episode in &episodes {
                part.add(scene, episode);
            }
            lock(&survey).merge(&part);
            if i == 0 {
                let mut sheet = lock(&sheet);
                for episode in episodes.iter().take(SHEET_ROWS) {
                    sheet.add(eye.size(), &episode.frames);
                }
            }
            Ok(())
        })?;
    bar.finish_and_clear();
    lock(&sheet).save(&options.out.join("sheet.png"))?;
    let get = |a: &AtomicU64| a.load(Ordering::Relaxed);
    Ok(CollectReport {
        episodes: store.index.episodes,
        resumed: get(&resumed),
        frames: get(&frames),
        survey: lock(&survey).clone(),
        seconds: start.elapsed().as_secs_f64(),
        bytes: get(&bytes),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Episodes that the folder already promises: collecting fewer later must not orphan shards.
fn existing(dir: &Path) -> u64 {
    Store::open(dir).map_or(0, |s| s.index.episodes)
}
