//! Updates of variables in place: an optimiser step that allocates nothing.

use super::kernel::{PIECE, values, with_values};
use super::math;
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, Var, bail};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

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

/// What is done to the values of a variable with those of another tensor.
struct InPlace<F> {
    name: &'static str,
    update: F,
}

impl<F: Fn(&mut [f32], &[f32])> InplaceOp2 for InPlace<F> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn cpu_fwd(
        &self,
        s1: &mut CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<()> {
        let own = match (s1, l1.contiguous_offsets()) {
            (CpuStorage::F32(values), Some((start, end))) => &mut values[start..end],
            _ => bail!("in-place update: expected contiguous f32 values"),
        };
        (self.update)(own, values(s2, l2)?);
        Ok(())
    }
}

/// One step of AdamW: `w` and its moments `m` and `v` change, `g` is the gradient.
fn adam_step(w: &mut [f32], g: &[f32], (m, v): (&mut [f32], &mut [f32]), rule: AdamRule) {
    let AdamRule {
        b1,
        b2,
        c1,
        c2,
        lr,
        eps,
        decay,
        scale,
    } = rule;
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
}

/// One AdamW step of `var` with its moments `m` and `v`, all in place.
pub fn adam_in_place(
    var: &Var,
    grad: &Tensor,
    m: &mut [f32],
    v: &mut [f32],
    rule: AdamRule,
) -> Result<()> {
    let moments = Mutex::new((m, v));
    let update = |w: &mut [f32], g: &[f32]| {
        let mut moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
        let (m, v) = &mut *moments;
        adam_step(w, g, (m, v), rule);
    };
    let name = "adamw";
    var.inplace_op2(grad, &InPlace { name, update })
}

/// Moves `average` towards `value` by `share` of the way, in place.
pub fn lerp_in_place(average: &Var, value: &Var, share: f64) -> Result<()> {
    let share = share as f32;
    let update = |a: &mut [f32], b: &[f32]| {
        let pieces = a.par_chunks_mut(PIECE).zip(b.par_chunks(PIECE));
        pieces.for_each(|(a, b)| {
            a.iter_mut()
                .zip(b)
                .for_each(|(a, b)| *a += share * (b - *a))
        });
    };
    let name = "lerp";
    average.inplace_op2(value.as_tensor(), &InPlace { name, update })
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
