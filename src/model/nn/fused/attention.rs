//! Self-attention over few tokens: one task a row of tokens, so that scores never leave the cache and
//! nothing is permuted in memory. Backward computes the scores again, which costs less than keeping them.

use super::kernel::{tensor_like, values, wide, with_values2};
use super::math;
use super::matmul::{Mat, product_into};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use gemm::Parallelism;
use rayon::prelude::*;

struct AttentionOp {
    tokens: usize,
    width: usize,
    heads: usize,
    causal: bool,
}

impl AttentionOp {
    fn head(&self) -> usize {
        self.width / self.heads
    }

    /// Queries (0), keys (1) or values (2) of a head in packed `[T, 3·D]`.
    fn part<'a>(&self, packed: &'a [f32], part: usize, head: usize) -> Mat<'a> {
        let start = part * self.width + head * self.head();
        Mat::strided(&packed[start..], self.tokens, self.head(), 3 * self.width)
    }

    /// Softmax of the scaled scores of a head, `[T, T]`.
    fn shares(&self, packed: &[f32], head: usize, scores: &mut [f32]) {
        let (t, scale) = (self.tokens, 1. / (self.head() as f32).sqrt());
        let (q, k) = (self.part(packed, 0, head), self.part(packed, 1, head));
        product_into(q, k.t(), scores, t, false, Parallelism::None);
        wide(|| {
            for (row, scores) in scores.chunks_exact_mut(t).enumerate() {
                let seen = if self.causal { row + 1 } else { t };
                let (scores, hidden) = scores.split_at_mut(seen);
                hidden.fill(0.);
                let peak = scores.iter().fold(f32::NEG_INFINITY, |m, s| m.max(*s));
                scores
                    .iter_mut()
                    .for_each(|s| *s = math::exp((*s - peak) * scale));
                let inverse = 1. / math::sum(seen, |i| scores[i]);
                scores.iter_mut().for_each(|s| *s *= inverse);
            }
        });
    }

    fn forward(&self, packed: &[f32], y: &mut [f32], scores: &mut Vec<f32>) {
        scores.resize(self.tokens * self.tokens, 0.);
        for head in 0..self.heads {
            self.shares(packed, head, scores);
            let shares = Mat::new(scores, self.tokens, self.tokens);
            let out = &mut y[head * self.head()..];
            let values = self.part(packed, 2, head);
            product_into(shares, values, out, self.width, false, Parallelism::None);
        }
    }

    fn backward(&self, packed: &[f32], g: &[f32], d: &mut [f32], buffers: &mut [Vec<f32>; 2]) {
        let (t, head, scale) = (self.tokens, self.head(), 1. / (self.head() as f32).sqrt());
        let [scores, ds] = buffers;
        scores.resize(t * t, 0.);
        ds.resize(t * t, 0.);
        for h in 0..self.heads {
            self.shares(packed, h, scores);
            let grad = Mat::strided(&g[h * head..], t, head, self.width);
            product_into(
                grad,
                self.part(packed, 2, h).t(),
                ds,
                t,
                false,
                Parallelism::None,
            );
            wide(|| {
                for (ds, shares) in ds.chunks_exact_mut(t).zip(scores.chunks_exact(t)) {
                    let dot = math::sum(t, |i| ds[i] * shares[i]);
                    for (ds, share) in ds.iter_mut().zip(shares) {
                        *ds = scale * share * (*ds - dot);
                    }
                }
            });
            let (shares, ds) = (Mat::new(scores, t, t), Mat::new(ds, t, t));
            let (q, k) = (self.part(packed, 0, h), self.part(packed, 1, h));
            let mut into = |part: usize, a: Mat, b: Mat| {
                let out = &mut d[part * self.width + h * head..];
                product_into(a, b, out, 3 * self.width, false, Parallelism::None);
            };
            into(0, ds, k);
            into(1, ds.t(), q);
            into(2, shares.t(), grad);
        }
    }
}

impl CustomOp1 for AttentionOp {
    fn name(&self) -> &'static str {
        "fused-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let packed = values(storage, layout)?;
        let row = self.tokens * self.width;
        let rows = packed.len() / (3 * row).max(1);
        let mut y = vec![0f32; rows * row];
        y.par_chunks_mut(row)
            .zip(packed.par_chunks(3 * row))
            .for_each_init(Vec::new, |scores, (y, packed)| {
                self.forward(packed, y, scores);
            });
        Ok((CpuStorage::F32(y), (rows, self.tokens, self.width).into()))
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let row = self.tokens * self.width;
        let mut d = vec![0f32; arg.elem_count()];
        with_values2(arg, grad, |packed, g| {
            d.par_chunks_mut(3 * row)
                .zip(packed.par_chunks(3 * row).zip(g.par_chunks(row)))
                .for_each_init(
                    || [Vec::new(), Vec::new()],
                    |buffers, (d, (packed, g))| self.backward(packed, g, d, buffers),
                );
        })?;
        tensor_like(d, arg).map(Some)
    }
}

/// Attention of packed queries, keys and values `[B, T, 3·D]`: `[B, T, D]`, heads side by side.
pub fn attention(packed: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    let (_, tokens, packed_width) = packed.dims3()?;
    let width = packed_width / 3;
    if heads == 0 || packed_width != 3 * width || !width.is_multiple_of(heads) {
        bail!(
            "attention: {:?} does not divide into {heads} heads",
            packed.dims()
        );
    }
    packed.contiguous()?.apply_op1(AttentionOp {
        tokens,
        width,
        heads,
        causal,
    })
}
