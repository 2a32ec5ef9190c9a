//! `parallax eval masked`: what a masked pretraining sees, hides and misses, as a picture.

use anyhow::{Result, bail};
use std::path::PathBuf;

use serde::Serialize;

use super::Measured;
use super::subject::{SubjectArgs, Writes};
use crate::camera::Eye;
use crate::episode::{Sheet, record};
use crate::eval::result::Evaluation;
use crate::model::{Frame, MaskedClip};

/// Pixels of the picture to a pixel of the eye.
const ZOOM: usize = 2;

/// A picture of hidden tubelets and how well their embeddings are predicted (V-JEPA).
#[derive(clap::Args, Debug)]
pub struct MaskedArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    /// The picture, a PNG
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Of both clips.
#[derive(Serialize)]
struct Found {
    clips: Vec<ClipError>,
}

/// How well what was hidden of a clip was predicted.
#[derive(Serialize)]
struct ClipError {
    /// `small` or `large`.
    blocks: &'static str,
    first_frame: usize,
    hidden: usize,
    tubelets: usize,
    mean_error: f32,
}

/// Two clips of an episode under small and under large blocks: the clip, what the context encoder sees, the
/// error of every hidden tubelet.
pub fn evaluate(args: &MaskedArgs, writes: &Writes) -> Result<Measured> {
    let subject = &args.subject;
    let (scene, name) = (subject.scene()?, &subject.model);
    let model = subject.model()?;
    let Some(masking) = model.facets().masking else {
        bail!("{name}: it was not trained by masking, so there is nothing to show");
    };
    let length = masking.clip_frames();
    let eye = Eye::standard(&scene)?;
    let episode = record(&scene, &eye, subject.seed)?;
    let frame = eye.size() * eye.size() * 3;
    let frames: Vec<&[u8]> = episode.frames.chunks_exact(frame).collect();
    if frames.len() < length {
        bail!(
            "{}: an episode has {} frames, a clip {length}",
            scene.name,
            frames.len()
        );
    }
    let (mut sheet, mut errors) = (Sheet::new(), Vec::new());
    for (i, start) in [frames.len() / 4, frames.len() / 2].into_iter().enumerate() {
        let start = start.min(frames.len() - length);
        let clip: Vec<Frame> = frames[start..start + length]
            .iter()
            .map(|f| Frame::new(eye.size(), f.to_vec()))
            .collect();
        let shown = masking.masked(&clip, subject.seed.wrapping_mul(2) + i as u64)?;
        let plain = |clip: &MaskedClip, t: usize| clip.frames[t].clone();
        for picture in [plain, MaskedClip::seen, MaskedClip::heat] {
            let row: Vec<u8> = (0..length)
                .flat_map(|t| enlarged(&picture(&shown, t), shown.size))
                .collect();
            sheet.add(ZOOM * shown.size, &row);
        }
        let (hidden, mean) = shown.hidden();
        let blocks = if i == 0 { "small" } else { "large" };
        println!(
            "{blocks} blocks: {} of {} tubelets hidden, mean error {mean:.3} (an embedding has deviation 1)",
            hidden,
            shown.error.len()
        );
        errors.push(ClipError {
            blocks,
            first_frame: start,
            hidden,
            tubelets: shown.error.len(),
            mean_error: mean,
        });
    }
    let head = subject
        .head("masked", &scene, None, writes)
        .of(model.as_ref());
    let result = Found { clips: errors };
    Ok(Measured::result(&Evaluation { head, result })?
        .with_picture(move |path| Ok(sheet.save(path)?)))
}

fn enlarged(frame: &[u8], size: usize) -> Vec<u8> {
    let side = size * ZOOM;
    (0..side * side)
        .flat_map(|i| {
            let at = (i / side / ZOOM * size + i % side / ZOOM) * 3;
            [frame[at], frame[at + 1], frame[at + 2]]
        })
        .collect()
}
