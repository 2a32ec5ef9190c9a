//! Experience is read, and what of it is missing or left out is said.

use crate::episode::{Dataset, EpisodeError};
use crate::train::error::TrainError;
use crate::train::options::TrainOptions;
use std::path::PathBuf;

/// Reads folders of experience.
///
/// # Errors
/// [`TrainError::Data`] naming what is missing, damaged or held out.
pub fn load(
    dirs: &[PathBuf],
    action_dim: usize,
    episodes: Option<usize>,
    options: &TrainOptions,
) -> Result<Dataset, TrainError> {
    let (data, damaged) = match options.skip_damaged {
        true => Dataset::load_sound(dirs, action_dim, episodes)?,
        false => (Dataset::load(dirs, action_dim, episodes)?, Vec::new()),
    };
    for missing in &data.missing {
        tracing::warn!("{missing}; training goes on with the others");
    }
    for error in damaged {
        if !matches!(error, EpisodeError::Missing(_)) {
            tracing::warn!("skipped: {error}");
        }
    }
    Ok(data)
}
