//! Pictures of rollouts: what a loss does not show.

use std::path::Path;

use image::{Rgb, RgbImage};

use crate::episode::Dataset;
use crate::model::{Actions, Cancel, Context, ModelError, Sampling, WorldModel};
use crate::system::files;

/// Pixels between rows of different clips.
const GAP: usize = 4;

/// A moment to imagine from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Index of the episode.
    pub episode: usize,
    /// Frame of the episode that is the last of the context.
    pub last: usize,
}

/// The context that ends at a clip's last frame, and the `steps` actions that follow it.
pub fn inputs(data: &Dataset, clip: Clip, frames: usize, steps: usize) -> (Context, Actions) {
    let start = data.episodes[clip.episode].start;
    let dim = data.action_dim;
    let first = (clip.last + 1).saturating_sub(frames);
    let context = Context::new(
        data.size,
        (first..=clip.last).map(|t| data.frame(start + t).to_vec()),
        (first..clip.last)
            .map(|t| data.action(start + t).to_vec())
            .collect(),
    );
    let following: Vec<Vec<f32>> = (clip.last..clip.last + steps)
        .map(|t| data.action(start + t).to_vec())
        .collect();
    (context, Actions::one(&following, dim))
}

/// Writes a PNG: for each clip a row of truth and below it a row of imagination, first the last real frame,
/// then `steps` frames (fewer at the end of an episode).
///
/// # Errors
/// Those of the model; [`ModelError::Io`] if the file cannot be written.
pub fn contact_sheet(
    model: &dyn WorldModel,
    data: &Dataset,
    clips: &[Clip],
    steps: usize,
    path: &Path,
) -> Result<(), ModelError> {
    let size = data.size;
    let height = clips.len() * (2 * size + GAP);
    let mut sheet = RgbImage::from_pixel(
        ((steps + 1) * size) as u32,
        height.max(1) as u32,
        Rgb([255; 3]),
    );
    for (row, &clip) in clips.iter().enumerate() {
        let span = &data.episodes[clip.episode];
        let steps = steps.min(span.len.saturating_sub(clip.last + 1));
        let (context, actions) = inputs(data, clip, model.shape().context_frames, steps);
        let (latent, sampling) = (model.observe(&context)?, Sampling::default());
        let rollouts = model.imagine(&latent, &actions, sampling, &Cancel::new())?;
        let Some(frames) = model.facets().frames(&rollouts)? else {
            continue;
        };
        let top = row * (2 * size + GAP);
        for t in 0..=steps {
            let truth = data.frame(span.start + clip.last + t);
            paste(&mut sheet, truth, size, t * size, top);
            paste(
                &mut sheet,
                if t == 0 { truth } else { frames.at(0, t - 1) },
                size,
                t * size,
                top + size,
            );
        }
    }
    let mut bytes = std::io::Cursor::new(Vec::new());
    sheet
        .write_to(&mut bytes, image::ImageFormat::Png)
        .map_err(std::io::Error::other)
        .and_then(|()| files::replace(path, bytes.get_ref()))
        .map_err(|source| ModelError::Io {
            path: path.into(),
            source,
        })
}

fn paste(sheet: &mut RgbImage, frame: &[u8], size: usize, left: usize, top: usize) {
    for (pixel, rgb) in frame.chunks_exact(3).enumerate() {
        let (x, y) = (left + pixel % size, top + pixel / size);
        sheet.put_pixel(x as u32, y as u32, Rgb([rgb[0], rgb[1], rgb[2]]));
    }
}
