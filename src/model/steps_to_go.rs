//! A learned goal distance: how many control steps lie between two frames in ordinary experience (a
//! temporal distance, as dynamical distances, Hartikainen et al. 2020, arXiv 1907.08225). The networks are
//! those of the cloned policy; what they say is one number.

use super::cloning::{Cloning, CloningConfig};
use super::goal::FrameDistance;
use super::{Card, Frames, Goal, ModelError, input};
use candle_core::Device;
use std::path::Path;

/// Frames that are encoded together.
const CHUNK: usize = 64;

/// A temporal distance, trained: steps as a share of the longest that it was taught, from 0 (there) to 1
/// (that far, or out of reach).
pub struct StepsToGo {
    card: Card,
    model: Cloning,
    side: usize,
    flops: f64,
}

impl StepsToGo {
    /// Reads `model.safetensors` of a model folder.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and the tensor at fault.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &CloningConfig,
        device: &Device,
    ) -> Result<Self, ModelError> {
        input::load(dir, device, |params| {
            let model = Cloning::new(config, &params.detached())?;
            candle_core::Result::Ok(Self {
                card,
                side: config.image_size,
                flops: model.flops(),
                model,
            })
        })
    }

    fn check(&self, what: &str, size: usize, bytes: usize) -> Result<(), ModelError> {
        let frame = 3 * self.side * self.side;
        if size == self.side && bytes.is_multiple_of(frame) {
            return Ok(());
        }
        Err(ModelError::Input {
            model: self.card.name.clone(),
            message: format!(
                "{what}: found {bytes} bytes at side {size}, expected frames of {frame} bytes at side {}",
                self.side
            ),
        })
    }
}

impl FrameDistance for StepsToGo {
    fn card(&self) -> &Card {
        &self.card
    }

    fn distances(&self, frames: &Frames, goal: &Goal) -> Result<Vec<f32>, ModelError> {
        self.check("frames", frames.size, frames.data.len())?;
        self.check("goal", goal.frame.size, goal.frame.data.len())?;
        let encoder = self.model.encoder();
        let goal = encoder.encode_frames(&goal.frame.data)?;
        let mut distances = Vec::new();
        for chunk in frames.data.chunks(CHUNK * 3 * self.side * self.side) {
            let now = encoder.encode_frames(chunk)?;
            let goal = goal.broadcast_as(now.shape())?.contiguous()?;
            let found = self.model.decide(&now, &goal)?;
            distances.extend(found.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(distances)
    }

    fn flops(&self) -> f64 {
        self.flops
    }
}
