//! Scaled dot-product attention on packed projections: products read queries, keys and values where they lie, so nothing is
//! turned round or copied, and the backward pass recomputes the weights head by head instead of keeping them.

use super::{math, tensor_like, values, wide, with_values2};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

/// A matrix within packed values: pointer, and the stride between rows; columns lie side by side.
#[derive(Clone, Copy)]
struct View(*const f32, usize);

#[derive(Clone, Copy)]
struct AttentionOp {
    tokens: usize,
    heads: usize,
    head: usize,
    causal: bool,
}

/// `out[m, n] (+)= a b` through strided views; `a_t`/`b_t` read the transposes.
///
/// # Safety
/// The views cover their matrices, and `out` overlaps neither.
unsafe fn multiply(
    (m, k, n): (usize, usize, usize),
    a: View,
    a_t: bool,
    b: View,
    b_t: bool,
    out: *mut f32,
    out_stride: usize,
) {
    let strides = |view: View, turned: bool| match turned {
        false => (1, view.1 as isize),
        true => (view.1 as isize, 1),
    };
    let ((a_cs, a_rs), (b_cs, b_rs)) = (strides(a, a_t), strides(b, b_t));
    // SAFETY: promised by the caller.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            out_stride as isize,
            false,
            a.0,
            a_cs,
            a_rs,
            b.0,
            b_cs,
            b_rs,
            1f32,
            1f32,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

impl AttentionOp {
    fn width(&self) -> usize {
        self.heads * self.head
    }

    /// Queries, keys and values of head `h` in one sequence `[T, 3·D]`.
    fn parts(&self, qkv: &[f32], h: usize) -> [View; 3] {
        let (d, stride) = (self.width(), 3 * self.width());
        [0, 1, 2].map(|i| View(qkv[i * d + h * self.head..].as_ptr(), stride))
    }

    /// Attention weights `[T, T]` of a head.
    fn weights(&self, q: View, k: View, weights: &mut [f32]) {
        let t = self.tokens;
        // SAFETY: q and k are views of [T, head] in a sequence of [T, 3·D]; `weights` holds T·T values of its own.
        unsafe {
            multiply(
                (t, self.head, t),
                q,
                false,
                k,
                true,
                weights.as_mut_ptr(),
                t,
            )
        };
        let scale = 1. / (self.head as f32).sqrt();
        wide(|| {
            for (i, row) in weights.chunks_exact_mut(t).enumerate() {
                let seen = if self.causal { i + 1 } else { t };
                let (row, hidden) = row.split_at_mut(seen);
                hidden.fill(0.);
                let peak = row.iter().fold(f32::NEG_INFINITY, |m, x| m.max(x * scale));
                row.iter_mut()
                    .for_each(|x| *x = math::exp(*x * scale - peak));
                let inverse = 1. / math::sum(seen, |i| row[i]);
                row.iter_mut().for_each(|x| *x *= inverse);
            }
        });
    }

    fn forward(&self, qkv: &[f32], out: &mut [f32], weights: &mut [f32]) {
        let (t, d) = (self.tokens, self.width());
        for h in 0..self.heads {
            let [q, k, v] = self.parts(qkv, h);
            self.weights(q, k, weights);
            let weights = View(weights.as_ptr(), t);
            // SAFETY: columns of head h in `out: [T, D]`, which nothing else borrows.
            unsafe {
                let to = out[h * self.head..].as_mut_ptr();
                multiply((t, t, self.head), weights, false, v, false, to, d);
            }
        }
    }

    /// Gradient of one sequence's `qkv` into `dqkv`; `scratch` holds 2·T·T values.
    fn backward(&self, qkv: &[f32], grad: &[f32], dqkv: &mut [f32], scratch: &mut [f32]) {
        let (t, d, n) = (self.tokens, self.width(), self.head);
        let scale = 1. / (n as f32).sqrt();
        let (weights, slopes) = scratch.split_at_mut(t * t);
        for h in 0..self.heads {
            let [q, k, v] = self.parts(qkv, h);
            let g = View(grad[h * n..].as_ptr(), d);
            self.weights(q, k, weights);
            let [dq, dk, dv] = [0, 1, 2].map(|i| dqkv[i * d + h * n..].as_mut_ptr());
            // SAFETY: reads of [T, head] views; writes to the columns of head h of one part of `dqkv: [T, 3·D]`, borrowed mutably.
            unsafe {
                let p = View(weights.as_ptr(), t);
                multiply((t, t, n), p, true, g, false, dv, 3 * d);
                multiply((t, n, t), g, false, v, true, slopes.as_mut_ptr(), t);
            }
            wide(|| {
                for (s, p) in slopes.chunks_exact_mut(t).zip(weights.chunks_exact(t)) {
                    let dot = math::sum(t, |i| s[i] * p[i]);
                    s.iter_mut()
                        .zip(p)
                        .for_each(|(s, p)| *s = scale * p * (*s - dot));
                }
            });
            // SAFETY: as above.
            unsafe {
                let s = View(slopes.as_ptr(), t);
                multiply((t, t, n), s, false, k, false, dq, 3 * d);
                multiply((t, t, n), s, true, q, false, dk, 3 * d);
            }
        }
    }
}

impl CustomOp1 for AttentionOp {
    fn name(&self) -> &'static str {
        "fused-attention"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (qkv, t, d) = (values(storage, layout)?, self.tokens, self.width());
        let mut out = vec![0f32; qkv.len() / 3];
        out.par_chunks_mut(t * d)
            .zip(qkv.par_chunks(t * 3 * d))
            .for_each_init(
                || vec![0f32; t * t],
                |weights, (out, qkv)| self.forward(qkv, out, weights),
            );
        let b = out.len() / (t * d).max(1);
        Ok((CpuStorage::F32(out), (b, t, d).into()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (t, d) = (self.tokens, self.width());
        let dx = with_values2(arg, grad, |qkv, g| {
            let mut dx = vec![0f32; qkv.len()];
            dx.par_chunks_mut(t * 3 * d)
                .zip(qkv.par_chunks(t * 3 * d).zip(g.par_chunks(t * d)))
                .for_each_init(
                    || vec![0f32; 2 * t * t],
                    |scratch, (dx, (qkv, g))| self.backward(qkv, g, dx, scratch),
                );
            dx
        })?;
        tensor_like(dx, arg).map(Some)
    }
}

/// `softmax(q kᵀ / √head) v` of packed `qkv: [B, T, 3·D]` (queries, keys, values; heads side by side in each), `[B, T, D]`.
pub fn attention(qkv: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    let (_, tokens, packed) = qkv.dims3()?;
    if heads == 0 || !packed.is_multiple_of(3 * heads) {
        bail!("attention: {packed} packed columns do not divide into {heads} heads");
    }
    qkv.contiguous()?.apply_op1(AttentionOp {
        tokens,
        heads,
        head: packed / (3 * heads),
        causal,
    })
}
