//! What a DiT block does around its attention and MLP, one pass in memory each: normalise, scale and shift
//! as a condition says; and add a branch times the condition's gate. Conditions hold for a whole row of
//! tokens.

use super::kernel::{tensor_like, values, wide, with_values, with_values2};
use super::math;
use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
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

impl CustomOp2 for ModulateOp {
    fn name(&self) -> &'static str {
        "fused-modulate"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, condition) = (values(s1, l1)?, values(s2, l2)?);
        let row = self.tokens * self.width;
        let mut y = vec![0f32; x.len()];
        y.par_chunks_mut(row)
            .zip(x.par_chunks(row))
            .zip(condition.par_chunks(2 * self.width))
            .for_each(|((y, x), condition)| self.forward(x, condition, y));
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        condition: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let row = self.tokens * self.width;
        let mut dx = vec![0f32; x.elem_count()];
        let mut dc = vec![0f32; condition.elem_count()];
        with_values2(x, condition, |xs, conditions| {
            with_values(grad, |g| {
                let inputs = xs
                    .par_chunks(row)
                    .zip(conditions.par_chunks(2 * self.width))
                    .zip(g.par_chunks(row));
                dx.par_chunks_mut(row)
                    .zip(dc.par_chunks_mut(2 * self.width))
                    .zip(inputs)
                    .for_each(|((dx, dc), ((x, condition), g))| {
                        self.backward(x, condition, g, dx, dc);
                    });
            })
        })??;
        Ok((Some(tensor_like(dx, x)?), Some(tensor_like(dc, condition)?)))
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
    x.contiguous()?.apply_op2(&condition.contiguous()?, op)
}

struct GateOp {
    tokens: usize,
    width: usize,
}

impl CustomOp3 for GateOp {
    fn name(&self) -> &'static str {
        "fused-gated-add"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (x, branch, gate) = (values(s1, l1)?, values(s2, l2)?, values(s3, l3)?);
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
        Ok((CpuStorage::F32(y), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _: &Tensor,
        branch: &Tensor,
        gate: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let row = self.tokens * self.width;
        let mut d_branch = vec![0f32; branch.elem_count()];
        let mut d_gate = vec![0f32; gate.elem_count()];
        with_values2(branch, gate, |branches, gates| {
            with_values(grad, |g| {
                let inputs = branches
                    .par_chunks(row)
                    .zip(gates.par_chunks(self.width))
                    .zip(g.par_chunks(row));
                d_branch
                    .par_chunks_mut(row)
                    .zip(d_gate.par_chunks_mut(self.width))
                    .zip(inputs)
                    .for_each(|((d_branch, d_gate), ((branch, gate), g))| {
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
                    });
            })
        })??;
        Ok((
            Some(grad.clone()),
            Some(tensor_like(d_branch, branch)?),
            Some(tensor_like(d_gate, gate)?),
        ))
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
        .apply_op3(&branch.contiguous()?, &gate.contiguous()?, op)
}
