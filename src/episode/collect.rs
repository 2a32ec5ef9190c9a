//! Fills a folder with episodes on all cores, resumably.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use rayon::prelude::*;

use super::{Episode, EpisodeError, Index, Store, record};
use crate::camera::{Eye, SIZE};
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
    /// Share of recorded frames with contact.
    pub contact_share: f64,
    /// Share of recorded episodes whose task body moved by at least its size.
    pub moved_share: f64,
    /// Seconds.
    pub seconds: f64,
    /// Bytes written now.
    pub bytes: u64,
}

/// Records the scene's behaviour for `episodes` seeds; shards that are already there and sound are kept.
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
        size: SIZE,
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
    let [resumed, frames, contacts, moved, recorded, bytes] =
        std::array::from_fn(|_| AtomicU64::new(0));
    let task_body = scene.task.as_ref().and_then(|t| scene.body_index(&t.body));
    (0..store.shards())
        .into_par_iter()
        .try_for_each(|i| -> Result<(), EpisodeError> {
            let seeds = store.shard_seeds(i);
            let count = seeds.end - seeds.start;
            let sound = store.shard_path(i).exists()
                && store.read(i).is_ok_and(|e| e.len() as u64 == count);
            if sound {
                resumed.fetch_add(count, Ordering::Relaxed);
                bar.inc(count);
                return Ok(());
            }
            let mut episodes: Vec<Episode> = Vec::with_capacity(count as usize);
            for seed in seeds {
                let episode = record(scene, &eye, seed)?;
                let t = scene.episode_steps as u64;
                frames.fetch_add(t, Ordering::Relaxed);
                contacts.fetch_add(u64::from(episode.contact_frames), Ordering::Relaxed);
                recorded.fetch_add(1, Ordering::Relaxed);
                if let Some(b) = task_body
                    && let (Some(first), Some(last)) = (
                        episode.states.get(b),
                        episode
                            .states
                            .iter()
                            .skip(b)
                            .step_by(scene.bodies.len())
                            .next_back(),
                    )
                    && last.planar_distance([first.position[0], first.position[2]])
                        >= scene.bodies[b].shape.size()
                {
                    moved.fetch_add(1, Ordering::Relaxed);
                }
                episodes.push(episode);
                bar.inc(1);
            }
            bytes.fetch_add(store.write(i, &episodes)?, Ordering::Relaxed);
            Ok(())
        })?;
    bar.finish_and_clear();
    let get = |a: &AtomicU64| a.load(Ordering::Relaxed);
    Ok(CollectReport {
        episodes: store.index.episodes,
        resumed: get(&resumed),
        frames: get(&frames),
        contact_share: get(&contacts) as f64 / get(&frames).max(1) as f64,
        moved_share: get(&moved) as f64 / get(&recorded).max(1) as f64,
        seconds: start.elapsed().as_secs_f64(),
        bytes: get(&bytes),
    })
}

/// Episodes that the folder already promises: collecting fewer later must not orphan shards.
fn existing(dir: &Path) -> u64 {
    Store::open(dir).map_or(0, |s| s.index.episodes)
}
