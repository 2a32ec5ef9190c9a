//! Rollouts of held-back episodes, measured where things move, beside copying the last frame.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::sheet::{Clip, contact_sheet, inputs};
use super::targets::moving_ids;
use crate::episode::Dataset;
use crate::model::{ModelError, WorldModel, imagined_frames};

/// Steps at which rollouts are measured.
pub const STEPS: [usize; 3] = [1, 5, 10];

/// Peak signal-to-noise ratios in dB over the pixels of moving bodies (where they are, and where they were
/// in the last real frame), pooled over clips, at `STEPS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The model's.
    pub model: [f32; 3],
    /// Of repeating the last real frame.
    pub copy_last: [f32; 3],
}

/// `count` clips a scene out of `episodes`, with `steps` true frames after each; spread over episodes and
/// moments.
pub fn clips(data: &Dataset, episodes: &[usize], count: usize, steps: usize) -> Vec<Clip> {
    let mut clips = Vec::new();
    for scene in 0..data.scenes.len() {
        let long: Vec<usize> = episodes
            .iter()
            .copied()
            .filter(|&e| data.episodes[e].scene == scene && data.episodes[e].len > steps)
            .collect();
        for i in 0..count.min(long.len()) {
            let episode = long[i * long.len() / count.min(long.len())];
            // Scenes without actions are over soon: stay near their start.
            let latest = match data.scenes[scene].actions.dim() {
                0 => (data.episodes[episode].len - steps).min(8),
                _ => data.episodes[episode].len - steps,
            };
            clips.push(Clip {
                episode,
                last: (3 + 7 * i) % latest,
            });
        }
    }
    clips
}

/// Measures rollouts of `clips`, by name of scene.
///
/// # Errors
/// Those of the model.
pub fn validate(
    model: &dyn WorldModel,
    data: &Dataset,
    clips: &[Clip],
) -> Result<BTreeMap<String, Validation>, ModelError> {
    let moving = moving_ids(data);
    let horizon = STEPS[STEPS.len() - 1];
    let errors: Result<Vec<_>, ModelError> = clips
        .par_iter()
        .map(|&clip| {
            let (context, actions) = inputs(data, clip, model.shape().context_frames, horizon);
            let lack = "imagines no frames to validate";
            let frames = imagined_frames(model, &context, &actions, lack)?;
            let span = &data.episodes[clip.episode];
            let (start, last) = (span.start + clip.last, data.frame(span.start + clip.last));
            let ids = data.frame_ids(start);
            let mut sums = [[0f64; 3]; STEPS.len()];
            for (sum, step) in sums.iter_mut().zip(STEPS) {
                let (truth, now) = (data.frame(start + step), data.frame_ids(start + step));
                let imagined = frames.at(0, step - 1);
                let is_moving = |p: usize| {
                    moving[span.scene][now[p] as usize] || moving[span.scene][ids[p] as usize]
                };
                for p in (0..now.len()).filter(|&p| is_moving(p)) {
                    for i in 3 * p..3 * p + 3 {
                        sum[0] += f64::from(truth[i].abs_diff(imagined[i])).powi(2);
                        sum[1] += f64::from(truth[i].abs_diff(last[i])).powi(2);
                        sum[2] += 1.0;
                    }
                }
            }
            Ok((span.scene, sums))
        })
        .collect();
    let mut pooled = vec![[[0f64; 3]; STEPS.len()]; data.scenes.len()];
    for (scene, sums) in errors? {
        for (total, sum) in pooled[scene]
            .iter_mut()
            .flatten()
            .zip(sums.iter().flatten())
        {
            *total += sum;
        }
    }
    let decibels =
        |squares: f64, n: f64| (10.0 * (255.0 * 255.0 * n / squares.max(1e-9)).log10()) as f32;
    let of = |sums: &[[f64; 3]; STEPS.len()]| Validation {
        model: sums.map(|s| decibels(s[0], s[2])),
        copy_last: sums.map(|s| decibels(s[1], s[2])),
    };
    let measured = pooled
        .iter()
        .enumerate()
        .filter(|(_, sums)| sums[0][2] > 0.0);
    Ok(measured
        .map(|(scene, sums)| (data.scenes[scene].name.clone(), of(sums)))
        .collect())
}

/// As [`validate`], and draws `shown` rollouts of each scene into `out/rollouts.png`.
///
/// # Errors
/// Those of the model; [`ModelError::Io`] if the picture cannot be written.
pub fn measured(
    model: &dyn WorldModel,
    data: &Dataset,
    clips: &[Clip],
    shown: usize,
    out: &Path,
) -> Result<BTreeMap<String, Validation>, ModelError> {
    let of = |scene: usize| {
        let own = move |c: &&Clip| data.episodes[c.episode].scene == scene;
        clips.iter().filter(own).take(shown).copied()
    };
    let drawn: Vec<Clip> = (0..data.scenes.len()).flat_map(of).collect();
    contact_sheet(model, data, &drawn, 20, &out.join("rollouts.png"))?;
    validate(model, data, clips)
}
