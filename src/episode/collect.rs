//! Fills a folder with episodes on all cores, resumably.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::sound::fault_in;
use super::store::SHARD;
use super::{Episode, EpisodeError, Index, Sheet, Store, Survey, record};
use crate::camera::Eye;
use crate::scene::Scene;
use crate::system::{FolderLock, Stop, files};

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
    /// Episodes that were asked for (whole shards of them, where the folder holds more).
    pub episodes: u64,
    /// Whether it was stopped before they were all there.
    pub stopped: bool,
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

/// Records the scene's behaviour for `episodes` seeds; shards that are already there and sound are kept.
/// Writes `sheet.png`, which shows the first episodes.
///
/// # Errors
/// [`EpisodeError`] naming the file or scene.
pub fn collect(
    scene: &Arc<Scene>,
    options: &CollectOptions,
) -> Result<CollectReport, EpisodeError> {
    collect_until(scene, options, &Stop::new())
}

/// As [`collect`], but ends early once `stop` is raised; [`CollectReport::stopped`] says whether it did.
/// Shards are begun in order, so that what is there then is the first part of what was asked for, but for a
/// shard or two at its end.
///
/// # Errors
/// [`EpisodeError`] naming the file or scene.
pub fn collect_until(
    scene: &Arc<Scene>,
    options: &CollectOptions,
    stop: &Stop,
) -> Result<CollectReport, EpisodeError> {
    let start = Instant::now();
    let eye = Eye::standard(scene)?;
    std::fs::create_dir_all(&options.out).map_err(|source| EpisodeError::Io {
        path: options.out.clone(),
        source,
    })?;
    let _held = FolderLock::take(&options.out)?;
    files::tidy(&options.out);
    let index = Index {
        episodes: options.episodes.max(kept(&options.out)?),
        ..index_of(scene, options)
    };
    let store = Store::create(&options.out, index)?;
    let wanted = options.episodes.div_ceil(SHARD);
    let asked = store.index.episodes.min(wanted.saturating_mul(SHARD));
    let bar = if options.progress {
        ProgressBar::new(asked)
    } else {
        ProgressBar::hidden()
    };
    if let Ok(style) = ProgressStyle::with_template(
        "{prefix} {wide_bar} {pos}/{len} episodes, {per_sec}, {eta} left",
    ) {
        bar.set_style(style);
    }
    bar.set_prefix(scene.name.clone());
    let (sheet, faults) = (Mutex::new(Sheet::new()), Mutex::new(Vec::new()));
    let (next, parts) = (AtomicU64::new(0), Mutex::new(Part::default()));
    let one = |i: u64| -> Result<Option<Part>, EpisodeError> {
        let mut part = Part::default();
        let seeds = store.shard_seeds(i);
        let count = seeds.end - seeds.start;
        let there = store.shard_path(i).exists();
        let episodes = if there && let Ok(episodes) = store.read_whole(i) {
            part.resumed = count;
            bar.inc(count);
            episodes
        } else {
            let mut episodes: Vec<Episode> = Vec::with_capacity(count as usize);
            for seed in seeds {
                if stop.is_raised() || !lock(&faults).is_empty() {
                    return Ok(None);
                }
                let episode = record(scene, &eye, seed)?;
                if let Some(fault) = fault_in(&episode, scene) {
                    let scene = scene.name.clone();
                    return Err(EpisodeError::Unsound { scene, fault });
                }
                episodes.push(episode);
                part.frames += u64::from(scene.episode_steps);
                bar.inc(1);
            }
            part.bytes = store.write(i, &episodes)?;
            episodes
        };
        for episode in &episodes {
            part.survey.add(scene, episode);
        }
        if i == 0 {
            let mut sheet = lock(&sheet);
            for episode in episodes.iter().take(SHEET_ROWS) {
                sheet.add(eye.size(), &episode.frames);
            }
        }
        Ok(Some(part))
    };
    let work = || {
        // In order: whatever is broken off, the shards that are there are the first ones.
        while lock(&faults).is_empty() && !stop.is_raised() {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= wanted {
                break;
            }
            match one(i) {
                Ok(Some(part)) => lock(&parts).merge(&part),
                Ok(None) => break,
                Err(fault) => lock(&faults).push(fault),
            }
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| work());
        }
    });
    bar.finish_and_clear();
    if let Some(fault) = lock(&faults).pop() {
        return Err(fault);
    }
    let sheet = lock(&sheet);
    if !sheet.is_empty() {
        sheet.save(&options.out.join("sheet.png"))?;
    }
    let all = lock(&parts);
    Ok(CollectReport {
        episodes: asked,
        stopped: all.survey.episodes < asked,
        resumed: all.resumed,
        frames: all.frames,
        survey: all.survey.clone(),
        seconds: start.elapsed().as_secs_f64(),
        bytes: all.bytes,
    })
}

/// Whether a recording can begin: the eye can be made, and the folder is free or holds the same.
///
/// # Errors
/// [`EpisodeError`] naming the file and the field at fault.
pub fn check_collect(scene: &Arc<Scene>, options: &CollectOptions) -> Result<(), EpisodeError> {
    Eye::standard(scene)?;
    Store::check(&options.out, &index_of(scene, options))
}

fn index_of(scene: &Scene, options: &CollectOptions) -> Index {
    Index {
        format: 1,
        scene: scene.clone(),
        size: scene.camera.size,
        seed: options.seed,
        episodes: options.episodes,
    }
}

/// What came of some shards.
#[derive(Default)]
struct Part {
    resumed: u64,
    frames: u64,
    bytes: u64,
    survey: Survey,
}

impl Part {
    fn merge(&mut self, other: &Part) {
        self.resumed += other.resumed;
        self.frames += other.frames;
        self.bytes += other.bytes;
        self.survey.merge(&other.survey);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Episodes that the folder holds already: asking for fewer later must not orphan shards.
fn kept(dir: &Path) -> Result<u64, EpisodeError> {
    match dir.join("index.json").exists() {
        true => Store::open(dir)?.kept(),
        false => Ok(0),
    }
}
