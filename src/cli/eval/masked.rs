//! `parallax eval masked`: what a masked pretraining sees, hides and misses, as a picture.

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{EvalArgs, Measured, head, model_name, scene_of};
use crate::camera::Eye;
use crate::episode::{Sheet, record};
use crate::model::{Frame, MaskedClip, registry};
use crate::scene::models_dir;

/// Pixels of the picture to a pixel of the eye.
const ZOOM: usize = 2;

/// Two clips of an episode under small and under large blocks: the clip, what the context encoder sees, the error of every hidden tubelet.
pub fn evaluate(args: &EvalArgs) -> Result<Measured> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    if args.out.is_none() {
        return Err(super::super::wrong_use(
            "--out FILE.png is needed for this suite",
        ));
    }
    let device = crate::cli::device::pick(&args.device)?;
    let model = registry::load_named(&models_dir(), name, &device)?;
    let Some(masking) = model.facets().masking else {
        bail!("{name}: it was not trained by masking, so there is nothing to show");
    };
    let length = masking.clip_frames();
    let eye = Eye::standard(&scene)?;
    let episode = record(&scene, &eye, args.seed)?;
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
        let shown = masking.masked(&clip, args.seed.wrapping_mul(2) + i as u64)?;
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
        errors.push(json!({
            "blocks": blocks, "first_frame": start, "hidden": hidden, "tubelets": shown.error.len(), "mean_error": mean,
        }));
    }
    let mut out = head("masked", args, &scene.name, name);
    out.insert("model_sha256".into(), json!(model.card().sha256));
    out.insert("clips".into(), Value::Array(errors));
    Ok(Measured {
        json: Value::Object(out),
        picture: Some(Box::new(move |path| Ok(sheet.save(path)?))),
    })
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
