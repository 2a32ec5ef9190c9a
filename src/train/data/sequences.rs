//! Batches of sequences, drawn by seed and step alone: a resumed training sees the same ones.

use super::sampling::{bytes_of, windows};
use super::stored::{Number, Stored};
use crate::episode::Dataset;
use crate::model::nn::Rng;
use crate::train::error::TrainError;
use candle_core::{Device, Tensor};

/// Tells draws of sequences from other draws of the same seed.
pub const SEQUENCES: u64 = 0x5A3D_11E5;

/// Sequences of `tokens` frames, `frameskip` apart, and the actions between them.
pub struct Sequences<'a> {
    data: &'a Dataset,
    /// First frames to draw from.
    pub starts: Vec<usize>,
    /// Sequences a batch.
    batch: usize,
    tokens: usize,
    frameskip: usize,
    seed: u64,
}

impl<'a> Sequences<'a> {
    /// Sequences of some episodes.
    pub fn new(
        data: &'a Dataset,
        episodes: &[usize],
        (tokens, frameskip): (usize, usize),
        batch: usize,
        seed: u64,
    ) -> Self {
        Self {
            data,
            starts: windows(data, episodes, tokens, frameskip),
            batch,
            tokens,
            frameskip,
            seed,
        }
    }

    /// The same, where there are any: `what` says what there are none of.
    ///
    /// # Errors
    /// [`TrainError::TooLittle`].
    pub fn or_too_little(self, what: &'static str) -> Result<Self, TrainError> {
        match self.starts.is_empty() {
            true => Err(TrainError::none_of(what)),
            false => Ok(self),
        }
    }

    fn draw(&self, step: usize) -> Vec<usize> {
        let mut rng = Rng::stream(self.seed, step as u64);
        (0..self.batch)
            .map(|_| self.starts[rng.below(self.starts.len())])
            .collect()
    }

    /// Frames of batch `step`, `[B·T, H, W, 3]` bytes, and the actions `[B, T-1, frameskip·A]`.
    pub fn frames(&self, step: usize, device: &Device) -> candle_core::Result<(Vec<u8>, Tensor)> {
        let starts = self.draw(step);
        let frames = bytes_of(self.data, &self.tokens_of(&starts));
        Ok((frames, self.actions(&starts, device)?))
    }

    /// What is stored of the frames of batch `step`, `[B, T, D]`, and the actions `[B, T-1, frameskip·A]`.
    pub fn stored<T: Number>(
        &self,
        stored: &Stored<T>,
        step: usize,
        device: &Device,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let starts = self.draw(step);
        let rows = stored.gather(&self.tokens_of(&starts));
        let z = Tensor::from_vec(rows, (self.batch, self.tokens, stored.dim()), device)?;
        Ok((z, self.actions(&starts, device)?))
    }

    fn tokens_of(&self, starts: &[usize]) -> Vec<usize> {
        let of = |&start: &usize| (0..self.tokens).map(move |t| start + t * self.frameskip);
        starts.iter().flat_map(of).collect()
    }

    fn actions(&self, starts: &[usize], device: &Device) -> candle_core::Result<Tensor> {
        let (dim, steps) = (self.data.action_dim, (self.tokens - 1) * self.frameskip);
        let of = |&start: &usize| &self.data.actions[start * dim..(start + steps) * dim];
        let actions: Vec<f32> = starts.iter().flat_map(of).copied().collect();
        let shape = (self.batch, self.tokens - 1, self.frameskip * dim);
        Tensor::from_vec(actions, shape, device)
    }
}
