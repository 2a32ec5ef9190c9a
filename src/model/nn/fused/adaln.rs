//! What a DiT block does around its attention and MLP, one pass in memory each: normalise, scale and shift
//! as a condition says; and add a branch times the condition's gate. Conditions hold for a whole row of
//! tokens.

use super::kernel::{Fused, Kernel, by_row, gradients_by_row, wide};
use super::math;
use candle_core::{Result, Shape, Tensor, bail};
use rayon::prelude::*;

struct ModulateOp {
    tokens: usize,
    width: usize,
    eps: f32,
}

impl ModulateOp {
    #[inline(always)]
    fn statistics(&self, x: &[f32]) -> (f32, f32) {
        let n = self.width as f32;
        let mean = math::sum(self.width, |i| x[i]) / n;
        let variance = math::sum(self.width, |i| (x[i] - mean) * (x[i] - mean)) / n;
        (mean, 1. / (variance + self.eps).sqrt())
    }

    fn forward(&self, x: &[f32], condition: &[f32], y: &mut [f32]) {
        let (shift, scale) = condition.split_at(self.width);
        wide(|| {
            let rows = y
                .chunks_exact_mut(self.width)
                .zip(x.chunks_exact(self.width));
            for (y, x) in rows {
                let (mean, inverse) = self.statistics(x);
                for (((y, x), scale), shift) in y.iter_mut().zip(x).zip(scale).zip(shift) {
                    *y = (x - mean) * inverse * (1. + scale) + shift;
                }
            }
        });
    }

    /// Fills `dx`, and adds to `dc` (shift, scale), of one row of tokens.
    fn backward(&self, x: &[f32], condition: &[f32], g: &[f32], dx: &mut [f32], dc: &mut [f32]) {
        let (_, scale) = condition.split_at(self.width);
        let (d_shift, d_scale) = dc.split_at_mut(self.width);
        let n = self.width as f32;
        wide(|| {
            let rows = dx
                .chunks_exact_mut(self.width)
                .zip(x.chunks_exact(self.width))
                .zip(g.chunks_exact(self.width));
            for ((dx, x), g) in rows {
                let (mean, inverse) = self.statistics(x);
                for i in 0..self.width {
                    let normed = (x[i] - mean) * inverse;
                    d_shift[i] += g[i];
                    d_scale[i] += g[i] * normed;
                }
                let by = |i: usize| g[i] * (1. + scale[i]);
                let mean_d = math::sum(self.width, by) / n;
                let mean_dn = math::sum(self.width, |i| by(i) * (x[i] - mean) * inverse) / n;
                for i in 0..self.width {
                    let normed = (x[i] - mean) * inverse;
                    dx[i] = inverse * (by(i) - mean_d - normed * mean_dn);
                }
            }
        });
    }
}

impl Kernel<2> for ModulateOp {
    const NAME: &'static str = "fused-modulate";

    fn run(&self, [x, condition]: [&[f32]; 2], shape: &Shape) -> (Vec<f32>, Shape) {
        let rows = [self.tokens * self.width, 2 * self.width];
        let y = by_row([x, condition], rows, |x, c, y| self.forward(x, c, y));
        (y, shape.clone())
    }

    fn gradients(
        &self,
        [x, condition]: [&Tensor; 2],
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let rows = [self.tokens * self.width, 2 * self.width];
        gradients_by_row([x, condition, grad], rows, |[x, condition, g], [dx, dc]| {
            self.backward(x, condition, g, dx, dc);
        })
    }
}

fn row_of(x: &Tensor, condition: &Tensor, parts: usize) -> Result<(usize, usize)> {
    let (b, tokens, width) = x.dims3()?;
    if condition.dims() != [b, parts * width] {
        bail!(
            "condition {:?} does not fit tokens {:?}",
            condition.dims(),
            x.dims()
        );
    }
    Ok((tokens, width))
}

/// Layer norm of `x: [B, T, D]`, times 1 + scale, plus shift, of `condition: [B, 2·D]` = shift, scale.
pub fn modulated_norm(x: &Tensor, condition: &Tensor, eps: f64) -> Result<Tensor> {
    let (tokens, width) = row_of(x, condition, 2)?;
    let op = ModulateOp {
        tokens,
        width,
        eps: eps as f32,
    };
    x.contiguous()?
        .apply_op2(&condition.contiguous()?, Fused(op))
}

struct GateOp {
    tokens: usize,
    width: usize,
}

impl Kernel<3> for GateOp {
    const NAME: &'static str = "fused-gated-add";

    fn run(&self, [x, branch, gate]: [&[f32]; 3], shape: &Shape) -> (Vec<f32>, Shape) {
        let row = self.tokens * self.width;
        let mut y = x.to_vec();
        y.par_chunks_mut(row)
            .zip(branch.par_chunks(row))
            .zip(gate.par_chunks(self.width))
            .for_each(|((y, branch), gate)| {
                wide(|| {
                    let rows = y
                        .chunks_exact_mut(self.width)
                        .zip(branch.chunks_exact(self.width));
                    for (y, branch) in rows {
                        for ((y, b), g) in y.iter_mut().zip(branch).zip(gate) {
                            *y += b * g;
                        }
                    }
                });
            });
        (y, shape.clone())
    }

    fn gradients(
        &self,
        [_, branch, gate]: [&Tensor; 3],
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; 3]> {
        let rows = [self.tokens * self.width, self.width];
        let one = |[branch, gate, g]: [&[f32]; 3], [d_branch, d_gate]: [&mut [f32]; 2]| {
            wide(|| {
                let rows = d_branch
                    .chunks_exact_mut(self.width)
                    .zip(branch.chunks_exact(self.width))
                    .zip(g.chunks_exact(self.width));
                for ((d_branch, branch), g) in rows {
                    for i in 0..self.width {
                        d_branch[i] = g[i] * gate[i];
                        d_gate[i] += g[i] * branch[i];
                    }
                }
            });
        };
        let [d_branch, d_gate] = gradients_by_row([branch, gate, grad], rows, one)?;
        Ok([Some(grad.clone()), d_branch, d_gate])
    }
}

/// `x + branch · gate` for `x, branch: [B, T, D]` and `gate: [B, D]`.
pub fn gated_add(x: &Tensor, branch: &Tensor, gate: &Tensor) -> Result<Tensor> {
    let (tokens, width) = row_of(x, gate, 1)?;
    if branch.dims() != x.dims() {
        bail!(
            "branch {:?} does not fit tokens {:?}",
            branch.dims(),
            x.dims()
        );
    }
    let op = GateOp { tokens, width };
    x.contiguous()?
        .apply_op3(&branch.contiguous()?, &gate.contiguous()?, Fused(op))
}
