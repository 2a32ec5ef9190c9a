//! The way from frames to latents and back on held-back episodes: whole pictures, moving bodies, and where
//! the judge's tracker sees them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::episode::Dataset;
use crate::judge::{Tracker, object_error, psnr_db};
use crate::model::ModelError;
use crate::model::generative::Eye;
use crate::train::data::sampling::{bytes_of, frames_of};
use crate::train::data::targets::moving_ids;

/// Frames of each scene that are looked at.
const FRAMES: usize = 40;

/// What a reconstruction keeps of one scene.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reconstruction {
    /// Peak signal-to-noise ratio over all pixels, dB, mean over frames.
    pub psnr_db: f64,
    /// The same over pixels of moving bodies.
    pub foreground_psnr_db: f64,
    /// Distance of tracked centroids from the original's, pixels, mean over bodies.
    pub object_error_px: f64,
    /// Share of the original's bodies that the tracker finds.
    pub survival: f64,
}

/// Measures an eye on frames of `episodes`, by name of scene.
///
/// # Errors
/// [`ModelError::Tensor`].
pub fn check_autoencoder(
    eye: &impl Eye,
    data: &Dataset,
    episodes: &[usize],
) -> Result<BTreeMap<String, Reconstruction>, ModelError> {
    let moving = moving_ids(data);
    let mut found = BTreeMap::new();
    for (scene, described) in data.scenes.iter().enumerate() {
        let own = |e: &usize| data.episodes[*e].scene == scene;
        let own: Vec<usize> = episodes.iter().copied().filter(own).collect();
        let frames = frames_of(data, &own);
        let stride = (frames.len() / FRAMES).max(1);
        let picked: Vec<usize> = frames.into_iter().step_by(stride).collect();
        if picked.is_empty() {
            continue;
        }
        let bytes = bytes_of(data, &picked);
        let again = eye.decode(&eye.encode(&bytes)?)?;
        let tracker = Tracker::new(described);
        let (mut all, mut foreground, mut errors, mut lost) = (vec![], vec![], vec![], 0usize);
        for (&i, again) in picked
            .iter()
            .zip(again.chunks_exact(bytes.len() / picked.len()))
        {
            let truth = data.frame(i);
            let mask: Vec<bool> = data
                .frame_ids(i)
                .iter()
                .map(|id| moving[scene][*id as usize])
                .collect();
            all.extend(psnr_db(again, truth, None));
            foreground.extend(psnr_db(again, truth, Some(&mask)));
            for error in object_error(&tracker, data.size, again, truth) {
                match error {
                    Some(error) => errors.push(error),
                    None => lost += 1,
                }
            }
        }
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len().max(1) as f64;
        let bodies = (errors.len() + lost).max(1) as f64;
        let one = Reconstruction {
            psnr_db: mean(&all),
            foreground_psnr_db: mean(&foreground),
            object_error_px: mean(&errors),
            survival: errors.len() as f64 / bodies,
        };
        found.insert(described.name.clone(), one);
    }
    Ok(found)
}
