//! The first phase's examples and loss: single frames, where moving bodies weigh more.

use candle_core::{Device, Tensor};

use super::recipe::AutoencoderPhase;
use crate::episode::Dataset;
use crate::model::ModelError;
use crate::model::generative::Eye;
use crate::model::nn::Rng;
use crate::train::data::targets::moving_ids;

/// One step's frames.
pub struct FrameBatch {
    /// `[B, 2S, 2S, 3p²]`, folded, in [-1, 1].
    pub folded: Tensor,
    /// What the eye [looked](Eye::look) at.
    pub seen: Tensor,
    /// The same shape: weight of each value.
    pub weight: Tensor,
    /// `[B, S, S, C]`: noise to add to the latents.
    pub noise: Tensor,
}

/// Draws frames of the training episodes.
pub struct Frames<'a> {
    data: &'a Dataset,
    /// Frame and scene.
    frames: Vec<(usize, usize)>,
    moving: Vec<[bool; 256]>,
    seed: u64,
}

impl<'a> Frames<'a> {
    /// The frames of `episodes`.
    pub fn new(data: &'a Dataset, episodes: &[usize], seed: u64) -> Self {
        let of = |&e: &usize| {
            let span = data.episodes[e];
            (span.start..span.start + span.len).map(move |i| (i, span.scene))
        };
        Self {
            data,
            frames: episodes.iter().flat_map(of).collect(),
            moving: moving_ids(data),
            seed,
        }
    }

    /// The examples of a step: the same number draws the same.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if the tensor library fails.
    pub fn draw(
        &self,
        eye: &impl Eye,
        phase: &AutoencoderPhase,
        latent: (usize, usize),
        step: u64,
        device: &Device,
    ) -> Result<FrameBatch, ModelError> {
        let mut rng = Rng::stream(self.seed, step);
        let (b, decoder) = (phase.pace.batch, eye.decoder());
        let (mut bytes, mut weight) = (Vec::new(), Vec::new());
        for _ in 0..b {
            let (frame, scene) = self.frames[rng.below(self.frames.len())];
            bytes.extend_from_slice(self.data.frame(frame));
            let ids = self.data.frame_ids(frame);
            let weigh = |p: usize| match self.moving[scene][ids[p] as usize] {
                true => phase.foreground_weight,
                false => 1.0,
            };
            decoder.patches().fold_weights(weigh, &mut weight);
        }
        let folded = decoder.fold(&bytes)?;
        let (side, channels) = latent;
        let noise = rng.normal((b, side, side, channels), device)?;
        Ok(FrameBatch {
            weight: Tensor::from_vec(weight, folded.shape(), device)?,
            folded,
            seen: eye.look(&bytes)?,
            noise: (noise * f64::from(phase.latent_noise))?,
        })
    }
}

/// Weighted mean of `|e| + s e²` over reconstructed pixels in [-1, 1], where e is their error and s
/// `squared_weight`.
///
/// # Errors
/// [`ModelError::Tensor`].
pub fn reconstruction_loss(
    eye: &impl Eye,
    batch: &FrameBatch,
    squared_weight: f32,
) -> Result<Tensor, ModelError> {
    let error = (eye.redraw(&batch.seen, &batch.noise)? - &batch.folded)?;
    let error = match squared_weight {
        0.0 => error.abs()?,
        s => (error.abs()? + (error.sqr()? * f64::from(s))?)?,
    };
    Ok((error * &batch.weight)?.mean_all()?)
}
