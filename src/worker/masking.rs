//! Hiding parts of a clip of reality from a model that was trained to predict them.

use std::sync::Arc;

use crate::model::{Cancel, MaskedClip, WorldModel};

/// An order to mask a clip.
pub struct MaskClip {
    /// Who predicts.
    pub model: Arc<dyn WorldModel>,
    /// Side of a frame in pixels.
    pub size: usize,
    /// The clip, oldest first, `[H, W, 3]` bytes; where it is too short the first frame stands in for what came before.
    pub frames: Vec<Vec<u8>>,
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
    let length = order.model.clip_frames().ok_or_else(none)?;
    let mut frames = order.frames;
    let first = frames.first().cloned().ok_or("there is no frame to mask")?;
    let missing = length.saturating_sub(frames.len());
    frames.splice(0..0, std::iter::repeat_n(first, missing));
    let clip = order.model.masked(order.size, &frames, order.seed);
    clip.map_err(|e| e.to_string())?.ok_or_else(none)
}
