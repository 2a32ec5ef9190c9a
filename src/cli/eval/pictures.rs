//! Pictures of what was imagined, reality above it.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, bail};

use crate::camera::Eye;
use crate::episode::Sheet;
use crate::eval::dream;
use crate::eval::rollout::{CONTEXT, Clip, STEPS};
use crate::model::{Cancel, Frames, Sampling, WorldModel};
use crate::scene::Scene;

/// Clips or dreams that are drawn.
const DRAWN: u64 = 2;
/// Steps of a dream between frames that are drawn.
const DRAWN_EVERY: usize = 50;

/// Whether there will be something to draw, before hours of measuring.
pub fn test(scene: &Arc<Scene>, model: &dyn WorldModel, seed: u64) -> Result<()> {
    let clip = Clip::new(scene, &Eye::standard(scene)?, seed)?;
    match imagined(model, &clip)? {
        Some(_) => Ok(()),
        None => Err(crate::cli::wrong_use(format!(
            "--out: {} imagines no frames to draw",
            model.card().name
        ))),
    }
}

/// Frames of what a model imagines after a clip's context.
fn imagined(model: &dyn WorldModel, clip: &Clip) -> Result<Option<Frames>> {
    let latent = model.observe(&clip.context(model.shape().context_frames))?;
    let rollouts = model.imagine(
        &latent,
        &clip.actions(),
        Sampling::default(),
        &Cancel::new(),
    )?;
    Ok(model.facets().frames(&rollouts)?)
}

/// Draws the first clips of a rollout evaluation: the last frame of the context and what followed in
/// reality, and under it what the model imagined.
pub fn draw_clips(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    path: &Path,
) -> Result<()> {
    let eye = Eye::standard(scene)?;
    let mut sheet = Sheet::new();
    for seed in seed..seed + DRAWN {
        let clip = Clip::new(scene, &eye, seed)?;
        let Some(frames) = imagined(model, &clip)? else {
            bail!("{}: imagines no frames to draw", model.card().name);
        };
        let last = clip.frame(CONTEXT - 1);
        let real: Vec<&[u8]> = (0..STEPS).map(|t| clip.frame(CONTEXT + t)).collect();
        let imagined: Vec<&[u8]> = (0..frames.steps).map(|t| frames.at(0, t)).collect();
        for row in [real, imagined] {
            sheet.add(eye.size(), &[&[last], row.as_slice()].concat().concat());
        }
    }
    sheet.save(path)?;
    Ok(())
}

/// Draws the first dreams, a frame in fifty: reality under the same actions, and under it what the model
/// dreamt.
pub fn draw_dreams(
    scene: &Arc<Scene>,
    model: &dyn WorldModel,
    seed: u64,
    path: &Path,
) -> Result<()> {
    let eye = Eye::standard(scene)?;
    let mut sheet = Sheet::new();
    for seed in seed..seed + DRAWN {
        let dream = dream::Dream::new(scene, &eye, model, seed, dream::STEPS)?;
        let last = dream.clip.frame(CONTEXT - 1);
        let real: Vec<&[u8]> = dream.real.iter().map(Vec::as_slice).collect();
        let imagined: Vec<&[u8]> = (0..dream.imagined.steps)
            .map(|t| dream.imagined.at(0, t))
            .collect();
        for row in [real, imagined] {
            let every = row.iter().skip(DRAWN_EVERY - 1).step_by(DRAWN_EVERY);
            let frames: Vec<&[u8]> = std::iter::once(last).chain(every.copied()).collect();
            sheet.add(eye.size(), &frames.concat());
        }
    }
    sheet.save(path)?;
    Ok(())
}
