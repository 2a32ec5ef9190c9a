//! Hiding parts of a clip of reality from a model that was trained to predict them.

use std::sync::Arc;

use crate::model::{Cancel, Frame, MaskedClip, WorldModel};

/// An order to mask a clip.
pub struct MaskClip {
    /// Who predicts.
    pub model: Arc<dyn WorldModel>,
    /// The clip, oldest first; where it is too short the first frame stands in for what came before.
    pub frames: Vec<Frame>,
    /// Draws the blocks: even seeds small ones, odd seeds large ones.
    pub seed: u64,
}

/// The masking worker's function.
///
/// # Errors
/// The model's error in words, or that it was not trained by masking.
pub fn masking(order: MaskClip, _: &Cancel) -> Result<MaskedClip, String> {
    let name = &order.model.card().name;
    let none = || format!("{name} was not trained by masking");
    let model = order.model.facets().masking.ok_or_else(none)?;
    let mut frames = order.frames;
    let first = frames.first().cloned().ok_or("there is no frame to mask")?;
    let missing = model.clip_frames().saturating_sub(frames.len());
    frames.splice(0..0, std::iter::repeat_n(first, missing));
    let clip = model.masked(&frames, order.seed);
    clip.map_err(|e| e.to_string())
}
