//! Why episodes could not be written, read or used.

use std::path::PathBuf;

use crate::sim::{HELD_OUT_SEED, TUNING_SEED};
use crate::system::LockError;

/// Shards that are promised by the index and not there: a recording was broken off, or goes on at this
/// moment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{dir}: {episodes} of {of} episodes were never recorded ({shards}); \
    `parallax collect` goes on where it stopped",
    dir = dir.display(), shards = shards(*first, *last))]
pub struct Missing {
    /// The folder.
    pub dir: PathBuf,
    /// First shard that is missing.
    pub first: u64,
    /// Last shard that is missing.
    pub last: u64,
    /// Episodes that were to be in them.
    pub episodes: u64,
    /// Episodes that were asked for in all.
    pub of: u64,
}

fn shards(first: u64, last: u64) -> String {
    match first == last {
        true => format!("shard-{first:05}.plx"),
        false => format!("shard-{first:05}.plx to shard-{last:05}.plx"),
    }
}

/// Why episodes could not be written, read or used.
#[derive(Debug, thiserror::Error)]
pub enum EpisodeError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {message}; delete it and run `parallax collect` again to make it anew",
        path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Found and expected.
        message: String,
    },
    /// Reality came to numbers that cannot be.
    #[error(
        "scene `{scene}`: {fault}; the scene does not hold, and nothing was written of this episode"
    )]
    Unsound {
        /// The scene.
        scene: String,
        /// Episode, step, field, found and expected.
        fault: String,
    },
    /// A folder belongs to something else.
    #[error("{path}: field `{field}`: found {found}, expected {expected}", path = path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The field.
        field: String,
        /// The value found.
        found: String,
        /// The value expected.
        expected: String,
    },
    /// A shard that holds fewer episodes than were asked for: a recording was broken off while it was
    /// extended.
    #[error("{path}: holds {found} of {expected} episodes; `parallax collect` records the others",
        path = path.display())]
    Cut {
        /// The file.
        path: PathBuf,
        /// Episodes that it holds.
        found: u64,
        /// Episodes that were asked for.
        expected: u64,
    },
    /// Shards that are not there.
    #[error(transparent)]
    Missing(#[from] Missing),
    /// Seeds in training data that are kept for something else.
    #[error("{path}: seed {seed} is {kept_for} and cannot be used for training, \
        which takes seeds below {limit}", path = path.display(), kept_for = kept_for(*seed))]
    HeldOut {
        /// The file, or the folder.
        path: PathBuf,
        /// The seed.
        seed: u64,
        /// The first seed that training must not see.
        limit: u64,
    },
    /// The same episode in two places: it could lie on both sides of the split into training and validation.
    #[error("{path}: the episode of seed {seed} of scene `{scene}` is in {other} as well, and would be \
        learned from and validated on; \
        give each folder seeds of its own", path = path.display(), other = other.display())]
    Twice {
        /// The second folder.
        path: PathBuf,
        /// The first folder.
        other: PathBuf,
        /// The scene.
        scene: String,
        /// The seed.
        seed: u64,
    },
    /// Somebody else works in the folder, or nobody can.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Reality could not be built.
    #[error(transparent)]
    Sim(#[from] crate::sim::SimError),
    /// The scene could not be loaded.
    #[error(transparent)]
    Scene(#[from] crate::scene::SceneError),
    /// The eye could not be made.
    #[error(transparent)]
    Eye(#[from] crate::camera::EyeError),
}

/// What a seed is for that training must not see.
fn kept_for(seed: u64) -> &'static str {
    match seed {
        HELD_OUT_SEED.. => "held out (seeds from 1000000 up are for evaluation only)",
        TUNING_SEED.. => "for tuning (seeds from 900000 to 999999)",
        _ => "for calibrating the judge (seeds from 500000 to 899999)",
    }
}
