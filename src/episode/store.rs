//! The file format: a folder with `index.json` and shards of 64 episodes.
//!
//! A shard is `PLXEP001`, the header's length (u32, little endian), a JSON header, and one LZ4 frame (with
//! content checksum) that holds, for all its episodes in turn, frames, ids, actions and states. Shards are
//! written to a temporary name and renamed, so a folder never holds half a shard; what is there is not
//! collected again. The index says how many episodes were asked for; shards that are not there (yet) are
//! missing, which is no damage.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::sound::fault_in;
use super::{Episode, EpisodeError, Missing};
use crate::sim::BodyState;
use crate::system::{difference, files};

/// Episodes in a shard.
pub const SHARD: u64 = 64;
/// Most episodes of a folder.
const MOST_EPISODES: u64 = 10_000_000;
const MAGIC: &[u8; 8] = b"PLXEP001";
/// Longest side of a picture that is believed.
const LARGEST_SIDE: usize = 1024;

/// `index.json`: what the folder holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// 1.
    pub format: u32,
    /// The scene as it was when collecting, so that a changed scene is not mixed in.
    pub scene: crate::scene::Scene,
    /// Side of the frames in pixels.
    pub size: usize,
    /// First seed.
    pub seed: u64,
    /// Episodes asked for.
    pub episodes: u64,
}

impl Index {
    fn check_seeds(&self, path: &Path) -> Result<(), EpisodeError> {
        match self.seed.checked_add(self.episodes) {
            Some(_) => Ok(()),
            None => Err(EpisodeError::Mismatch {
                path: path.into(),
                field: "seed".into(),
                found: format!("{} and {} episodes", self.seed, self.episodes),
                expected: format!("seeds that end below {}", u64::MAX),
            }),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    size: usize,
    action_dim: usize,
    bodies: usize,
    episodes: Vec<HeaderEpisode>,
}

#[derive(Serialize, Deserialize)]
struct HeaderEpisode {
    seed: u64,
    frames: usize,
    contact_frames: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    edits: Vec<crate::scene::Edit>,
}

/// A folder of episodes.
pub struct Store {
    dir: PathBuf,
    /// What it holds.
    pub index: Index,
}

impl Store {
    /// Whether a folder is free for these episodes, or holds the same scene, size and first seed already.
    ///
    /// # Errors
    /// [`EpisodeError::Mismatch`] naming the field in which it holds something else.
    pub fn check(dir: &Path, index: &Index) -> Result<(), EpisodeError> {
        let path = dir.join("index.json");
        index.check_seeds(&path)?;
        if !path.exists() {
            return Ok(());
        }
        let old = Store::open(dir)?.index;
        let differs = |field: &str, found: String, expected: String| EpisodeError::Mismatch {
            path: path.clone(),
            field: field.into(),
            found,
            expected: format!("{expected} (choose another --out, or delete the folder)"),
        };
        let (there, now) = (
            difference::fields(&old.scene),
            difference::fields(&index.scene),
        );
        if let Some(d) = difference::first(&there, &now) {
            return Err(differs(
                &format!("scene.{}", d.field),
                d.first,
                format!("{} as in scene `{}` now", d.second, index.scene.name),
            ));
        }
        if (old.size, old.seed) != (index.size, index.seed) {
            let say = |i: &Index| format!("size {}, seed {}", i.size, i.seed);
            return Err(differs("size, seed", say(&old), say(index)));
        }
        Ok(())
    }

    /// Creates the folder, or opens it if it already holds the same scene, size and first seed.
    ///
    /// # Errors
    /// [`EpisodeError::Mismatch`] if the folder holds something else.
    pub fn create(dir: &Path, index: Index) -> Result<Store, EpisodeError> {
        let path = dir.join("index.json");
        Store::check(dir, &index)?;
        std::fs::create_dir_all(dir).map_err(|source| EpisodeError::Io {
            path: dir.into(),
            source,
        })?;
        let text = serde_json::to_string_pretty(&index).map_err(|e| EpisodeError::Damaged {
            path: path.clone(),
            message: e.to_string(),
        })?;
        write_whole(&path, text.as_bytes())?;
        Ok(Store {
            dir: dir.into(),
            index,
        })
    }

    /// Opens a folder that `collect` wrote.
    ///
    /// # Errors
    /// [`EpisodeError`] naming the file.
    pub fn open(dir: &Path) -> Result<Store, EpisodeError> {
        let path = dir.join("index.json");
        let text = files::text(&path).map_err(|source| EpisodeError::Io {
            path: path.clone(),
            source,
        })?;
        let index: Index = serde_json::from_str(&text).map_err(|e| EpisodeError::Damaged {
            path: path.clone(),
            message: e.to_string(),
        })?;
        if index.format != 1 {
            let (found, expected) = (index.format.to_string(), "1".to_string());
            return Err(EpisodeError::Mismatch {
                path,
                field: "format".into(),
                found,
                expected,
            });
        }
        let wrong = |field: &str, found: String, expected: &str| EpisodeError::Mismatch {
            path: path.clone(),
            field: field.into(),
            found,
            expected: expected.into(),
        };
        if !(1..=LARGEST_SIDE).contains(&index.size) {
            let expected = format!("1 to {LARGEST_SIDE}");
            return Err(wrong("size", index.size.to_string(), &expected));
        }
        if index.episodes > MOST_EPISODES {
            let expected = format!("at most {MOST_EPISODES}");
            return Err(wrong("episodes", index.episodes.to_string(), &expected));
        }
        index.check_seeds(&path)?;
        // Whoever holds a scene may build it.
        index.scene.check(&path.display().to_string())?;
        Ok(Store {
            dir: dir.into(),
            index,
        })
    }

    /// Numbers of the shards that are there, in order.
    ///
    /// # Errors
    /// [`EpisodeError::Io`] if the folder cannot be listed.
    pub fn present(&self) -> Result<Vec<u64>, EpisodeError> {
        let io = |source| EpisodeError::Io {
            path: self.dir.clone(),
            source,
        };
        let (mut present, shards) = (Vec::new(), self.shards());
        for entry in std::fs::read_dir(&self.dir).map_err(io)? {
            let name = entry.map_err(io)?.file_name();
            let number = name
                .to_str()
                .and_then(|n| n.strip_prefix("shard-")?.strip_suffix(".plx"))
                .and_then(|n| n.parse().ok());
            present.extend(number.filter(|n| *n < shards && self.shard_path(*n).ends_with(&name)));
        }
        present.sort_unstable();
        Ok(present)
    }

    /// Episodes up to the end of the last shard that is there: so many have to be in the index, however few
    /// are asked for next.
    ///
    /// # Errors
    /// As [`Store::present`].
    pub fn kept(&self) -> Result<u64, EpisodeError> {
        let last = self.present()?.last().copied();
        Ok(last.map_or(0, |i| self.shard_seeds(i).end - self.index.seed))
    }

    /// Ranges of shards (the end is not included) that are not there, given those that are.
    pub fn gaps(&self, present: &[u64]) -> Vec<std::ops::Range<u64>> {
        let mut gaps = Vec::new();
        let mut next = 0;
        for i in present.iter().copied().chain([self.shards()]) {
            if next < i {
                gaps.push(next..i);
            }
            next = i + 1;
        }
        gaps
    }

    /// What is missing of a range of shards, in words that fit into one line.
    pub fn missing(&self, shards: std::ops::Range<u64>) -> Missing {
        let start = self.shard_seeds(shards.start).start;
        let end = self.shard_seeds(shards.end.saturating_sub(1)).end;
        Missing {
            dir: self.dir.clone(),
            first: shards.start,
            last: shards.end.saturating_sub(1),
            episodes: end.saturating_sub(start),
            of: self.index.episodes,
        }
    }

    /// Number of shards for the episodes asked for.
    pub fn shards(&self) -> u64 {
        self.index.episodes.div_ceil(SHARD)
    }

    /// File of shard `i`.
    pub fn shard_path(&self, i: u64) -> PathBuf {
        self.dir.join(format!("shard-{i:05}.plx"))
    }

    /// Seeds of shard `i`.
    pub fn shard_seeds(&self, i: u64) -> std::ops::Range<u64> {
        let end = self.index.seed + self.index.episodes;
        let start = self.index.seed.saturating_add(i.saturating_mul(SHARD));
        start.min(end)..start.saturating_add(SHARD).min(end)
    }

    /// Reads a shard that has to be complete: all episodes that the index promises.
    ///
    /// # Errors
    /// Those of [`Store::read`], and [`EpisodeError::Cut`] if episodes are missing.
    pub fn read_whole(&self, i: u64) -> Result<Vec<Episode>, EpisodeError> {
        let (episodes, seeds) = (self.read(i)?, self.shard_seeds(i));
        let expected = seeds.end - seeds.start;
        if episodes.len() as u64 == expected {
            Ok(episodes)
        } else {
            Err(EpisodeError::Cut {
                path: self.shard_path(i),
                found: episodes.len() as u64,
                expected,
            })
        }
    }

    /// Writes one shard.
    ///
    /// # Errors
    /// [`EpisodeError::Io`].
    pub fn write(&self, i: u64, episodes: &[Episode]) -> Result<u64, EpisodeError> {
        let path = self.shard_path(i);
        let damaged = |e: &dyn std::fmt::Display| EpisodeError::Damaged {
            path: path.clone(),
            message: e.to_string(),
        };
        let (pixels, bodies) = (
            self.index.size * self.index.size,
            self.index.scene.bodies.len(),
        );
        let header = Header {
            size: self.index.size,
            action_dim: self.index.scene.actions.dim(),
            bodies,
            episodes: episodes
                .iter()
                .map(|e| HeaderEpisode {
                    seed: e.seed,
                    frames: e.ids.len() / pixels,
                    contact_frames: e.contact_frames,
                    edits: e.edits.clone(),
                })
                .collect(),
        };
        let header = serde_json::to_vec(&header).map_err(|e| damaged(&e))?;
        let mut out = Vec::from(&MAGIC[..]);
        out.extend_from_slice(&(header.len() as u32).to_le_bytes());
        out.extend_from_slice(&header);
        let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, out);
        for e in episodes {
            let numbers: Vec<u8> = e
                .actions
                .iter()
                .copied()
                .chain(e.states.iter().flat_map(|s| s.to_array()))
                .flat_map(f32::to_le_bytes)
                .collect();
            for bytes in [&e.frames, &e.ids, &numbers] {
                encoder.write_all(bytes).map_err(|e| damaged(&e))?;
            }
        }
        let out = encoder.finish().map_err(|e| damaged(&e))?;
        write_whole(&path, &out)?;
        Ok(out.len() as u64)
    }

    /// Bytes of a full shard whose episodes are as long as the scene's.
    fn most_bytes(&self, a_frame: usize) -> usize {
        let frames = SHARD as usize * self.index.scene.episode_steps as usize;
        frames.saturating_mul(a_frame)
    }

    /// Reads one shard back, checking everything.
    ///
    /// # Errors
    /// [`EpisodeError::Damaged`] naming the shard if it is truncated, corrupted or of another shape.
    pub fn read(&self, i: u64) -> Result<Vec<Episode>, EpisodeError> {
        let path = self.shard_path(i);
        let bytes = std::fs::read(&path).map_err(|source| EpisodeError::Io {
            path: path.clone(),
            source,
        })?;
        let damaged = |message: String| EpisodeError::Damaged {
            path: path.clone(),
            message,
        };
        let header_len = match bytes.get(..12) {
            Some(start) if &start[..8] == MAGIC => {
                u32::from_le_bytes([start[8], start[9], start[10], start[11]]) as usize
            }
            _ => {
                return Err(damaged(
                    "does not start like an episode shard (PLXEP001)".into(),
                ));
            }
        };
        let header = bytes
            .get(12..12usize.saturating_add(header_len))
            .ok_or_else(|| damaged("is truncated in its header".into()))?;
        let header: Header =
            serde_json::from_slice(header).map_err(|e| damaged(format!("header: {e}")))?;
        let (dim, bodies) = (header.action_dim, header.bodies);
        let expected = (
            self.index.size,
            self.index.scene.actions.dim(),
            self.index.scene.bodies.len(),
        );
        if (header.size, dim, bodies) != expected {
            let message = format!(
                "(size, actions, bodies) = {:?}, expected {expected:?} as in index.json",
                (header.size, dim, bodies)
            );
            return Err(damaged(message));
        }
        let pixels = header.size * header.size;
        let seeds = self.shard_seeds(i).start..;
        if let Some((found, expected)) = header
            .episodes
            .iter()
            .map(|e| e.seed)
            .zip(seeds)
            .find(|(found, expected)| found != expected)
        {
            return Err(damaged(format!(
                "holds seed {found}, expected {expected} as in index.json"
            )));
        }
        let frames = header
            .episodes
            .iter()
            .try_fold(0usize, |sum, e| sum.checked_add(e.frames));
        let a_frame = pixels * 4 + 4 * (dim + 13 * bodies);
        let total = frames
            .and_then(|f| f.checked_mul(a_frame))
            .filter(|&t| t <= self.most_bytes(a_frame))
            .ok_or_else(|| damaged("claims more frames than a shard can hold".into()))?;
        if header.episodes.len() as u64 > SHARD {
            return Err(damaged(format!(
                "claims {} episodes, expected at most {SHARD}",
                header.episodes.len()
            )));
        }
        // The decoder takes the end of the file for the end of the data, and then never sees the checksum.
        if !is_whole_frame(&bytes[12 + header_len..]) {
            return Err(damaged(
                "is truncated or corrupted: its data do not end with a checksum".into(),
            ));
        }
        // No more is taken than is there, whatever the header claims.
        let mut payload = Vec::new();
        let decoder = lz4_flex::frame::FrameDecoder::new(&bytes[12 + header_len..]);
        decoder
            .take(total as u64 + 1)
            .read_to_end(&mut payload)
            .map_err(|e| damaged(format!("is truncated or corrupted: {e}")))?;
        if payload.len() != total {
            return Err(damaged(format!(
                "holds {} bytes of data, expected {total}",
                payload.len()
            )));
        }
        let mut rest = &payload[..];
        let mut take = |n: usize| {
            let (head, tail) = rest.split_at(n);
            rest = tail;
            head
        };
        let mut episodes = Vec::with_capacity(header.episodes.len());
        for e in &header.episodes {
            let frames = take(e.frames * pixels * 3).to_vec();
            let ids = take(e.frames * pixels).to_vec();
            let actions = floats(take(e.frames * dim * 4));
            let states: Vec<BodyState> = floats(take(e.frames * bodies * 52))
                .chunks_exact(13)
                .map(body_state)
                .collect();
            let episode = Episode {
                seed: e.seed,
                frames,
                ids,
                actions,
                states,
                contact_frames: e.contact_frames,
                edits: e.edits.clone(),
            };
            if let Some(fault) = fault_in(&episode, &self.index.scene) {
                return Err(damaged(fault));
            }
            episodes.push(episode);
        }
        Ok(episodes)
    }
}

/// Whether an LZ4 frame as [`Store::write`] makes them runs to its end mark and checksum, and no further.
fn is_whole_frame(frame: &[u8]) -> bool {
    const DESCRIPTOR: usize = 7;
    const STORED: u32 = 1 << 31;
    let mut rest = frame.get(DESCRIPTOR..).unwrap_or_default();
    while let Some((size, blocks)) = rest.split_first_chunk::<4>() {
        let size = u32::from_le_bytes(*size) & !STORED;
        if size == 0 {
            return blocks.len() == 4;
        }
        rest = blocks.get(size as usize..).unwrap_or_default();
    }
    false
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn body_state(n: &[f32]) -> BodyState {
    let three = |i: usize| [n[i], n[i + 1], n[i + 2]];
    BodyState {
        position: three(0),
        rotation: [n[3], n[4], n[5], n[6]],
        velocity: three(7),
        spin: three(10),
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), EpisodeError> {
    files::replace(path, bytes).map_err(|source| EpisodeError::Io {
        path: path.to_path_buf(),
        source,
    })
}
