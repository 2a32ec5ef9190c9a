//! Episodes in memory, for training.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::{EpisodeError, Missing, Store};
use crate::scene::Scene;
use crate::sim::{BodyState, CALIBRATION_SEED};

/// One episode's place in a [`Dataset`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpisodeSpan {
    /// Index of its first frame.
    pub start: usize,
    /// Frames.
    pub len: usize,
    /// Its seed.
    pub seed: u64,
    /// Index into [`Dataset::scenes`].
    pub scene: usize,
    /// Index of its first entry in [`Dataset::states`].
    pub state_start: usize,
}

/// Episodes of one or more scenes, concatenated over F frames.
#[derive(Clone, Debug, Default)]
pub struct Dataset {
    /// Side of a frame in pixels.
    pub size: usize,
    /// Components of an action (scenes with fewer are padded with zeros).
    pub action_dim: usize,
    /// `[F, H, W, 3]` bytes.
    pub frames: Vec<u8>,
    /// `[F, H, W]`: 0 for floor and background, else body index + 1.
    pub ids: Vec<u8>,
    /// `[F, A]`: row i leads from frame i to i + 1; an episode's last row is zero.
    pub actions: Vec<f32>,
    /// For each episode `[len, bodies of its scene]`, see [`EpisodeSpan::state_start`].
    pub states: Vec<BodyState>,
    /// Where the episodes lie.
    pub episodes: Vec<EpisodeSpan>,
    /// The scenes.
    pub scenes: Vec<Arc<Scene>>,
    /// What the folders promise and do not hold, because a recording was broken off.
    pub missing: Vec<Missing>,
}

impl Dataset {
    /// Reads folders of episodes; `limit` bounds the episodes of each folder. What was never recorded is
    /// noted in
    /// [`missing`](Self::missing) and is no error, unless a folder holds nothing at all.
    ///
    /// # Errors
    /// [`EpisodeError::HeldOut`] if a seed is not for training; [`EpisodeError::Damaged`] naming a bad shard;
    /// [`EpisodeError::Mismatch`] if sizes differ or a scene has more action components than `action_dim`;
    /// [`EpisodeError::Twice`] if an episode is in two of the folders.
    pub fn load(
        dirs: &[PathBuf],
        action_dim: usize,
        limit: Option<usize>,
    ) -> Result<Dataset, EpisodeError> {
        Self::load_with(dirs, action_dim, limit, Err)
    }

    /// As [`Dataset::load`], but without the shards that cannot be read, which are returned as errors, and so
    /// is what is missing.
    ///
    /// # Errors
    /// All but [`EpisodeError::Damaged`] as before: only damage is passed over.
    pub fn load_sound(
        dirs: &[PathBuf],
        action_dim: usize,
        limit: Option<usize>,
    ) -> Result<(Dataset, Vec<EpisodeError>), EpisodeError> {
        let mut skipped = Vec::new();
        let data = Self::load_with(dirs, action_dim, limit, |error| {
            skipped.push(error);
            Ok(())
        })?;
        skipped.extend(data.missing.iter().cloned().map(EpisodeError::Missing));
        Ok((data, skipped))
    }

    fn load_with(
        dirs: &[PathBuf],
        action_dim: usize,
        limit: Option<usize>,
        mut on_damage: impl FnMut(EpisodeError) -> Result<(), EpisodeError>,
    ) -> Result<Dataset, EpisodeError> {
        let mut data = Dataset {
            action_dim,
            ..Default::default()
        };
        let mut owners: HashMap<(String, u64), PathBuf> = HashMap::new();
        for dir in dirs {
            let store = Store::open(dir)?;
            let (scene, size) = (Arc::new(store.index.scene.clone()), store.index.size);
            let mismatch = |field: &str, found: usize, expected: String| EpisodeError::Mismatch {
                path: dir.join("index.json"),
                field: field.into(),
                found: found.to_string(),
                expected,
            };
            if data.size != 0 && data.size != size {
                return Err(mismatch("size", size, data.size.to_string()));
            }
            if scene.actions.dim() > action_dim {
                return Err(mismatch(
                    "scene.actions",
                    scene.actions.dim(),
                    format!("at most {action_dim} components"),
                ));
            }
            data.size = size;
            data.scenes.push(scene.clone());
            let (course, before) = (course(&scene), data.episodes.len());
            let mut left = limit.unwrap_or(usize::MAX);
            let (present, mut is_damaged) = (store.present()?, false);
            for &i in &present {
                if left == 0 {
                    break;
                }
                let episodes = match store.read(i) {
                    Ok(episodes) => episodes,
                    Err(error) => {
                        is_damaged = true;
                        on_damage(error)?;
                        continue;
                    }
                };
                for episode in episodes.into_iter().take(left) {
                    let seed = episode.seed;
                    if seed >= CALIBRATION_SEED {
                        return Err(EpisodeError::HeldOut {
                            path: store.shard_path(i),
                            seed,
                            limit: CALIBRATION_SEED,
                        });
                    }
                    if let Some(other) = owners.insert((course.clone(), seed), dir.clone()) {
                        return Err(EpisodeError::Twice {
                            path: dir.clone(),
                            other,
                            scene: scene.name.clone(),
                            seed,
                        });
                    }
                    data.push(episode, data.scenes.len() - 1);
                    left -= 1;
                }
            }
            let missing = store.gaps(&present).into_iter();
            let missing: Vec<Missing> = missing.map(|gap| store.missing(gap)).collect();
            match missing.first() {
                Some(all) if data.episodes.len() == before && !is_damaged => {
                    return Err(EpisodeError::Missing(all.clone()));
                }
                // Whoever asked for fewer has all of them.
                _ if left > 0 => data.missing.extend(missing),
                _ => {}
            }
        }
        Ok(data)
    }

    /// Appends one episode of `scenes[scene]`.
    pub fn push(&mut self, episode: super::Episode, scene: usize) {
        let pixels = self.size * self.size;
        let len = episode.ids.len() / pixels.max(1);
        let own = self.scenes[scene].actions.dim();
        self.episodes.push(EpisodeSpan {
            start: self.len(),
            len,
            seed: episode.seed,
            scene,
            state_start: self.states.len(),
        });
        self.frames.extend_from_slice(&episode.frames);
        self.ids.extend_from_slice(&episode.ids);
        for t in 0..len {
            for a in 0..self.action_dim {
                self.actions.push(if a < own {
                    episode.actions[t * own + a]
                } else {
                    0.0
                });
            }
        }
        self.states.extend_from_slice(&episode.states);
    }

    /// Frames, F.
    pub fn len(&self) -> usize {
        self.ids.len() / (self.size * self.size).max(1)
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Frame i, `[H, W, 3]` bytes.
    pub fn frame(&self, i: usize) -> &[u8] {
        let n = self.size * self.size * 3;
        &self.frames[i * n..(i + 1) * n]
    }

    /// Ids of frame i, `[H, W]`.
    pub fn frame_ids(&self, i: usize) -> &[u8] {
        let n = self.size * self.size;
        &self.ids[i * n..(i + 1) * n]
    }

    /// Action that leads from frame i to i + 1, `[A]`.
    pub fn action(&self, i: usize) -> &[f32] {
        &self.actions[i * self.action_dim..(i + 1) * self.action_dim]
    }

    /// States of all bodies at frame `t` of an episode.
    pub fn state(&self, episode: &EpisodeSpan, t: usize) -> &[BodyState] {
        let n = self.scenes[episode.scene].bodies.len();
        let start = episode.state_start + t * n;
        &self.states[start..start + n]
    }

    /// First frames of all windows of `length` frames, `stride` frames apart, that stay in one episode.
    pub fn windows(&self, length: usize, stride: usize) -> Vec<usize> {
        let span = (length.max(1) - 1) * stride + 1;
        self.episodes
            .iter()
            .flat_map(|e| (0..(e.len + 1).saturating_sub(span)).map(move |t| e.start + t))
            .collect()
    }

    /// Splits off the last `share` of each scene's episodes (by position) for validation.
    pub fn split_episodes(&self, share: f64) -> (Vec<usize>, Vec<usize>) {
        let (mut train, mut validation) = (Vec::new(), Vec::new());
        for scene in 0..self.scenes.len() {
            let of: Vec<usize> = (0..self.episodes.len())
                .filter(|&i| self.episodes[i].scene == scene)
                .collect();
            let cut = of.len() - ((of.len() as f64 * share).ceil() as usize).min(of.len() / 2);
            train.extend_from_slice(&of[..cut]);
            validation.extend_from_slice(&of[cut..]);
        }
        (train, validation)
    }
}

/// What decides, beside the seed, how an episode goes: two scenes with the same course show the same
/// episodes.
fn course(scene: &Scene) -> String {
    let mut scene = scene.clone();
    (scene.summary, scene.episode_steps, scene.camera.samples) = (String::new(), 0, 0);
    (scene.laws, scene.sliders) = (Vec::new(), Vec::new());
    // A scene that cannot be written is told apart from all others.
    serde_json::to_string(&scene).unwrap_or_default()
}
