//! Updates of variables in place: an optimiser step that allocates nothing.

use super::kernel::{PIECE, values, with_values};
use super::math;
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;
use std::sync::Mutex;

/// Numbers of one AdamW step.
#[derive(Clone, Copy)]
pub struct AdamRule {
    /// Decay of the first moment.
    pub b1: f64,
    /// Decay of the second moment.
    pub b2: f64,
    /// Bias correction of the first moment.
    pub c1: f64,
    /// Bias correction of the second moment.
    pub c2: f64,
    /// Learning rate.
    pub lr: f64,
    /// Added to the root.
    pub eps: f64,
    /// Learning rate times weight decay.
    pub decay: f64,
    /// Factor on the gradient (clipping).
    pub scale: f64,
}

struct AdamStep<'a> {
    rule: AdamRule,
    moments: Mutex<(&'a mut [f32], &'a mut [f32])>,
}

fn writable<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("in-place update: expected contiguous f32 values"),
    }
}

impl InplaceOp2 for AdamStep<'_> {
    fn name(&self) -> &'static str {
        "adamw"
    }

    fn cpu_fwd(
        &self,
        s1: &mut CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<()> {
        let (w, g) = (writable(s1, l1)?, values(s2, l2)?);
        let mut moments = self
            .moments
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let (m, v) = &mut *moments;
        let AdamRule {
            b1,
            b2,
            c1,
            c2,
            lr,
            eps,
            decay,
            scale,
        } = self.rule;
        let (b1, b2, eps, keep, scale) = (
            b1 as f32,
            b2 as f32,
            eps as f32,
            (1. - decay) as f32,
            scale as f32,
        );
        let (rate, root) = ((lr / c1) as f32, (1. / c2.sqrt()) as f32);
        let state = m.par_chunks_mut(PIECE).zip(v.par_chunks_mut(PIECE));
        w.par_chunks_mut(PIECE)
            .zip(g.par_chunks(PIECE))
            .zip(state)
            .for_each(|((w, g), (m, v))| {
                for (((w, g), m), v) in w.iter_mut().zip(g).zip(m.iter_mut()).zip(v.iter_mut()) {
                    let g = g * scale;
                    *m = b1 * *m + (1. - b1) * g;
                    *v = b2 * *v + (1. - b2) * g * g;
                    *w = keep * *w - rate * *m / (v.sqrt() * root + eps);
                }
            });
        Ok(())
    }
}

/// One AdamW step of `var` with its moments `m` and `v`, all in place.
pub fn adam_in_place(
    var: &Var,
    grad: &Tensor,
    m: &mut [f32],
    v: &mut [f32],
    rule: AdamRule,
) -> Result<()> {
    var.inplace_op2(
        grad,
        &AdamStep {
            rule,
            moments: Mutex::new((m, v)),
        },
    )
}

struct Lerp(f32);

impl InplaceOp2 for Lerp {
    fn name(&self) -> &'static str {
        "lerp"
    }

    fn cpu_fwd(
        &self,
        s1: &mut CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<()> {
        let (a, b) = (writable(s1, l1)?, values(s2, l2)?);
        a.par_chunks_mut(PIECE)
            .zip(b.par_chunks(PIECE))
            .for_each(|(a, b)| {
                a.iter_mut()
                    .zip(b)
                    .for_each(|(a, b)| *a += self.0 * (b - *a));
            });
        Ok(())
    }
}

/// Moves `average` towards `value` by `share` of the way, in place.
pub fn lerp_in_place(average: &Var, value: &Var, share: f64) -> Result<()> {
    average.inplace_op2(value.as_tensor(), &Lerp(share as f32))
}

/// Sum of the squares, pieces added in order in f64.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    with_values(x, |x| {
        let pieces: Vec<f64> = x
            .par_chunks(PIECE)
            .map(|x| f64::from(math::sum(x.len(), |i| x[i] * x[i])))
            .collect();
        pieces.into_iter().sum()
    })
}
