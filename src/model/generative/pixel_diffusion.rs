//! Diffusion of pixels: the denoiser as a sampler of a world model.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::input::interleave;
use super::sampler::{History, Layout, Moment, Sampler, Work};
use super::world::GenerativeWorld;
use super::{Conditions, Denoiser, PixelDiffusionConfig, UNet};
use crate::model::goal::pixel_mse;
use crate::model::nn::{Params, Rng};
use crate::model::{Cancel, Frame, ModelError};

/// Action-conditioned pixel diffusion (DIAMOND, arXiv 2405.12399).
pub type PixelDiffusion = GenerativeWorld<PixelSampler>;

/// Draws the next frame in folded pixels.
pub struct PixelSampler {
    denoiser: Denoiser,
    device: Device,
}

impl PixelSampler {
    /// The bytes of folded frames.
    fn unfold(&self, folded: &[f32]) -> Vec<u8> {
        let len = self.denoiser.config().frame_len();
        let mut bytes = vec![0u8; folded.len()];
        bytes
            .par_chunks_mut(len)
            .zip(folded.par_chunks(len))
            .for_each(|(frame, values)| self.denoiser.patches().unfold(values, frame));
        bytes
    }

    fn fold(&self, frame: &[u8]) -> Vec<f32> {
        let mut folded = Vec::with_capacity(frame.len());
        self.denoiser.patches().fold(frame, &mut folded);
        folded
    }
}

impl Sampler for PixelSampler {
    type Config = PixelDiffusionConfig;

    fn check(config: &PixelDiffusionConfig) -> Result<(), (&'static str, String)> {
        config.check()
    }

    fn new(config: &PixelDiffusionConfig, params: &Params) -> candle_core::Result<Self> {
        Ok(Self {
            denoiser: Denoiser::new(config, params.clone())?,
            device: params.device().clone(),
        })
    }

    fn config(&self) -> &PixelDiffusionConfig {
        self.denoiser.config()
    }

    fn layout(&self) -> Layout {
        let config = self.config();
        Layout {
            size: config.size,
            side: config.side(),
            channels: config.channels(),
            context: config.context,
            watched: config.context,
            actions: config.actions,
            action_dim: config.action_dim,
            nfe: config.nfe,
            objective: config.objective,
            hue_motion: config.hue_motion,
            chunk: 8,
        }
    }

    fn encode(&self, frames: &[Frame]) -> Result<Vec<Vec<f32>>, ModelError> {
        Ok(frames.iter().map(|f| self.fold(&f.data)).collect())
    }

    /// A short history repeats its oldest frame.
    fn before(&self, oldest: &[f32]) -> Vec<f32> {
        oldest.to_vec()
    }

    fn next(&self, moment: Moment, rng: &mut Rng, cancel: &Cancel) -> Result<Tensor, ModelError> {
        let (n, nfe) = (moment.context.dim(0)?, moment.nfe);
        let start = self.denoiser.start(n, true, rng, &self.device)?;
        let conditions = self
            .denoiser
            .conditions(moment.context, moment.actions, true, rng)?;
        self.denoiser.sample(&start, &conditions, nfe, cancel)
    }

    /// The network sees what it imagined as the bytes that everybody else sees.
    fn settle(&self, imagined: &mut [f32]) {
        let mut frame = vec![0u8; imagined.len()];
        self.denoiser.patches().unfold(imagined, &mut frame);
        imagined.copy_from_slice(&self.fold(&frame));
    }

    fn draw(&self, imagined: &[f32]) -> Result<Vec<u8>, ModelError> {
        Ok(self.unfold(imagined))
    }

    /// Of pixels in [0, 1].
    fn errors(&self, imagined: &[f32], real: &Frame) -> Result<Vec<f32>, ModelError> {
        let frames = self.unfold(imagined);
        let each = frames.par_chunks(self.config().frame_len());
        Ok(each.map(|f| pixel_mse(f, &real.data)).collect())
    }

    /// The U-Net's innermost activations before it draws what follows the frames seen under the actions
    /// between them, as if nobody acted next: means over quarters of its sides, each cell's channels in 32
    /// fixed random directions.
    fn features(
        &self,
        _last: &Frame,
        history: &dyn Fn() -> Result<History, ModelError>,
    ) -> Result<Vec<f32>, ModelError> {
        const SIDE: usize = 4;
        const DIRECTIONS: usize = 32;
        let (history, config) = (history()?, self.config());
        // The actions that led here; of the one to come nothing is known.
        let mut actions = history.actions.concat();
        actions.resize(config.actions * config.action_dim, 0.0);
        let (side, channels) = (config.side(), config.channels());
        let mut frames = Vec::new();
        interleave(&history.frames, channels, &mut frames);
        let shape = (1, side, side, channels * config.context);
        let width = actions.len();
        let inner = self.denoiser.inner(&Conditions {
            context: Tensor::from_vec(frames, shape, &self.device)?,
            context_level: Tensor::full(config.context_noise, 1, &self.device)?,
            actions: Tensor::from_vec(actions, (1, width), &self.device)?,
        })?;
        let (_, h, w, c) = inner.dims4()?;
        // Four to a side, or as many as divide it.
        let parts = |n: usize| (1..=SIDE).rev().find(|p| n.is_multiple_of(*p)).unwrap_or(1);
        let (rows, columns) = (parts(h), parts(w));
        let cells = inner
            .reshape(&[rows, h / rows, columns, w / columns, c])?
            .mean(3)?
            .mean(1)?;
        let mut rng = Rng::seed(0);
        let directions = rng.normal((c, DIRECTIONS), &self.device)?;
        let directions = (directions * (c as f64).powf(-0.5))?;
        let features = cells.reshape((rows * columns, c))?.matmul(&directions)?;
        Ok(features.flatten_all()?.to_vec1()?)
    }

    fn has_own_latents(&self) -> bool {
        false
    }

    /// All of the network counts as dynamics; the first and last layer, which only translate between pixels
    /// and features, are listed as rendering instead. Nothing is encoded beforehand.
    fn work(&self) -> Work {
        let (all, pixels) = UNet::multiply_adds(self.config());
        Work {
            encode: 0.0,
            dynamics: all - pixels,
            dynamics_of_picture: pixels,
            picture: 0.0,
            carry: 0.0,
        }
    }
}
