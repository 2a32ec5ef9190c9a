//! The only source of chance in training and sampling: candle's CPU generator cannot be seeded.

use candle_core::{Device, Result, Shape, Tensor};
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

/// A seeded generator (ChaCha8): the same seed draws the same bits on every machine.
#[derive(Clone, Debug)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// A generator for `seed`.
    pub fn seed(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A generator for one stream of `seed`: streams do not overlap.
    pub fn stream(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self(rng)
    }

    /// A generator from a full 32-byte key.
    pub(crate) fn from_key(key: [u8; 32]) -> Self {
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Independent child generator; advances this one.
    pub fn fork(&mut self) -> Self {
        Self(ChaCha8Rng::seed_from_u64(self.0.next_u64()))
    }

    /// Where the stream stands, to resume a training; see [`Rng::set_position`].
    pub fn position(&self) -> u128 {
        self.0.get_word_pos()
    }

    /// Continues from a position that [`Rng::position`] gave.
    pub fn set_position(&mut self, position: u128) {
        self.0.set_word_pos(position);
    }

    /// Standard normal numbers.
    pub fn normal_vec(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| StandardNormal.sample(&mut self.0)).collect()
    }

    /// Standard normal tensor.
    pub fn normal(&mut self, shape: impl Into<Shape>, device: &Device) -> Result<Tensor> {
        let shape = shape.into();
        Tensor::from_vec(self.normal_vec(shape.elem_count()), shape, device)
    }

    /// Standard normal tensor `[B, H, W, C]`; `shared` gives every row of the batch the same.
    pub fn normal_maps(
        &mut self,
        (b, h, w, c): (usize, usize, usize, usize),
        shared: bool,
        device: &Device,
    ) -> Result<Tensor> {
        if !shared || b <= 1 {
            return self.normal((b, h, w, c), device);
        }
        let one = self.normal((1, h, w, c), device)?;
        one.broadcast_as((b, h, w, c))?.contiguous()
    }

    /// Tensor of numbers uniform in `[low, high)`.
    pub fn uniform(
        &mut self,
        low: f32,
        high: f32,
        shape: impl Into<Shape>,
        device: &Device,
    ) -> Result<Tensor> {
        let shape = shape.into();
        let values: Vec<f32> = (0..shape.elem_count())
            .map(|_| low + (high - low) * self.f32())
            .collect();
        Tensor::from_vec(values, shape, device)
    }

    /// A number uniform in `[0, 1)`.
    pub fn f32(&mut self) -> f32 {
        self.0.random::<f32>()
    }

    /// One standard normal number.
    pub fn normal_f32(&mut self) -> f32 {
        StandardNormal.sample(&mut self.0)
    }

    /// A number uniform in `0..n`; 0 when `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n == 0 { 0 } else { self.0.random_range(0..n) }
    }

    /// Shuffles in place (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
