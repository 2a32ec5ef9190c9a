//! Open-loop prediction with a residual MLP, for planning: rows go through all layers and steps a few at a
//! time, so that nothing leaves the cache, and every thread has rows of its own.

use super::elementwise::gelu_in_place;
use super::matmul::{Mat, product};
use super::norm::layer_norm_rows;
use crate::model::nn::{LayerNorm, Linear};
use candle_core::Result;
use gemm::Parallelism;
use rayon::prelude::*;

/// Rows that go through together: enough for a matrix product, few enough for the second-level cache.
const ROWS: usize = 50;

/// Weight `[in, out]`, so that products need not turn it round, and bias of a layer.
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Layer {
    fn new(linear: &Linear) -> Result<Self> {
        let (turned, bias) = linear.values()?;
        let (input, out) = (turned.len() / bias.len(), bias.len());
        let weight = (0..input * out)
            .map(|i| turned[i % out * input + i / out])
            .collect();
        Ok(Self { weight, bias })
    }

    /// `y += x weight + bias`, or `y =` where nothing is to be kept, for rows of `x`.
    fn apply(&self, x: &[f32], y: &mut [f32], keep: bool) {
        let out = self.bias.len();
        let input = self.weight.len() / out;
        for y in y.chunks_exact_mut(out) {
            match keep {
                true => y.iter_mut().zip(&self.bias).for_each(|(y, b)| *y += b),
                false => y.copy_from_slice(&self.bias),
            }
        }
        let weight = Mat::new(&self.weight, input, out);
        let x = Mat::new(x, x.len() / input, input);
        product(x, weight, y, true, Parallelism::None);
    }
}

/// Scale, shift and epsilon of the norm; first; second.
type Block = (Vec<f32>, Vec<f32>, f32, Layer, Layer);

/// `z' = z + out(blocks(gelu(in([z₋ₕ₊₁ .. z, a]))))`, each block `h +
/// second(gelu(first(norm(h))))`, repeated: weights copied once.
pub struct ResidualRollout {
    input: Layer,
    blocks: Vec<Block>,
    output: Layer,
    history: usize,
}

impl ResidualRollout {
    /// Copies the weights of a network's layers, for a history of that many latents.
    ///
    /// # Errors
    /// Weights that are not f32.
    pub fn new(
        input: &Linear,
        blocks: &[(LayerNorm, Linear, Linear)],
        output: &Linear,
        history: usize,
    ) -> Result<Self> {
        let block = |(norm, first, second): &(LayerNorm, Linear, Linear)| {
            let (weight, bias, eps) = norm.values()?;
            Ok((weight, bias, eps, Layer::new(first)?, Layer::new(second)?))
        };
        Ok(Self {
            input: Layer::new(input)?,
            blocks: blocks.iter().map(block).collect::<Result<_>>()?,
            output: Layer::new(output)?,
            history,
        })
    }

    /// The latents `[N, T, D]` that follow `start: [H·D]`, the same for all, under actions `[N, T, A]`.
    /// The bits do not depend on the number of threads.
    pub fn run(&self, start: &[f32], actions: &[f32], steps: usize) -> Vec<f32> {
        let (d, width) = (self.output.bias.len(), self.input.bias.len());
        let known = self.history * d;
        let a = self.input.weight.len() / width - known;
        let n = actions.len() / (steps * a).max(1);
        let mut latents = vec![0f32; n * steps * d];
        if latents.is_empty() {
            return latents;
        }
        latents
            .par_chunks_mut(ROWS * steps * d)
            .zip(actions.par_chunks(ROWS * steps * a))
            .for_each(|(latents, actions)| {
                let rows = actions.len() / (steps * a);
                let mut seen = vec![0f32; rows * (known + a)];
                for row in seen.chunks_exact_mut(known + a) {
                    row[..known].copy_from_slice(start);
                }
                let [mut h, mut normed, mut inner] =
                    [const { Vec::new() }; 3].map(|mut v: Vec<f32>| {
                        v.resize(rows * width, 0.);
                        v
                    });
                let mut delta = vec![0f32; rows * d];
                for t in 0..steps {
                    for (row, taken) in seen
                        .chunks_exact_mut(known + a)
                        .zip(actions.chunks_exact(steps * a))
                    {
                        row[known..].copy_from_slice(&taken[t * a..(t + 1) * a]);
                    }
                    self.input.apply(&seen, &mut h, false);
                    gelu_in_place(&mut h);
                    for (weight, bias, eps, first, second) in &self.blocks {
                        layer_norm_rows(&mut normed, &h, weight, bias, *eps);
                        first.apply(&normed, &mut inner, false);
                        gelu_in_place(&mut inner);
                        second.apply(&inner, &mut h, true);
                    }
                    self.output.apply(&h, &mut delta, false);
                    let next = latents.chunks_exact_mut(steps * d);
                    let rows = seen.chunks_exact_mut(known + a).zip(delta.chunks_exact(d));
                    for (next, (row, delta)) in next.zip(rows) {
                        let next = &mut next[t * d..(t + 1) * d];
                        for ((to, z), delta) in
                            next.iter_mut().zip(&row[known - d..known]).zip(delta)
                        {
                            *to = z + delta;
                        }
                        row.copy_within(d..known, 0);
                        row[known - d..known].copy_from_slice(next);
                    }
                }
            });
        latents
    }
}
