//! GELU, SiLU, and per-channel shift and scale.

use super::kernel::{
    Fused, Kernel, PIECE, piece_of_rows, tensor_like, values, wide, with_values, with_values2,
};
use super::math;
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

#[derive(Clone, Copy)]
enum Activation {
    Gelu,
    Silu,
}

impl Activation {
    #[inline(always)]
    fn value(self, x: f32) -> f32 {
        match self {
            Self::Gelu => math::gelu(x),
            Self::Silu => x * math::sigmoid(x),
        }
    }

    #[inline(always)]
    fn slope(self, x: f32) -> f32 {
        match self {
            Self::Gelu => math::normal_cdf(x) + x * 0.398_942_3 * math::exp(-0.5 * x * x),
            Self::Silu => {
                let s = math::sigmoid(x);
                s * (1. + x * (1. - s))
            }
        }
    }
}

fn map(x: &[f32], f: impl Fn(f32) -> f32 + Sync) -> Vec<f32> {
    let mut y = vec![0.; x.len()];
    y.par_chunks_mut(PIECE)
        .zip(x.par_chunks(PIECE))
        .for_each(|(y, x)| {
            wide(|| y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x)));
        });
    y
}

fn map2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) -> Vec<f32> {
    let mut y = vec![0.; a.len()];
    y.par_chunks_mut(PIECE)
        .zip(a.par_chunks(PIECE))
        .zip(b.par_chunks(PIECE))
        .for_each(|((y, a), b)| {
            let pairs = a.iter().zip(b);
            wide(|| {
                y.iter_mut()
                    .zip(pairs)
                    .for_each(|(y, (a, b))| *y = f(*a, *b))
            });
        });
    y
}

impl CustomOp1 for Activation {
    fn name(&self) -> &'static str {
        "fused-activation"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        // The match stands outside the loop, so that each loop vectorises.
        let y = match self {
            Self::Gelu => map(x, |x| Self::Gelu.value(x)),
            Self::Silu => map(x, |x| Self::Silu.value(x)),
        };
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let dx = with_values2(arg, grad, |x, g| match self {
            Self::Gelu => map2(x, g, |x, g| g * Self::Gelu.slope(x)),
            Self::Silu => map2(x, g, |x, g| g * Self::Silu.slope(x)),
        })?;
        tensor_like(dx, arg).map(Some)
    }
}

/// Exact GELU of values, in place: for kernels that keep their own buffers.
pub fn gelu_in_place(x: &mut [f32]) {
    wide(|| x.iter_mut().for_each(|x| *x = math::gelu(*x)));
}

/// Exact GELU.
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Activation::Gelu)
}

/// SiLU.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Activation::Silu)
}

/// Sums of the columns of rows `width` wide.
pub fn column_sums(x: &[f32], width: usize) -> Vec<f32> {
    column_products(x, None, width)
}

/// Column sums of `a`, or of the product `a * b`.
fn column_products(a: &[f32], b: Option<&[f32]>, width: usize) -> Vec<f32> {
    let piece = piece_of_rows(width);
    let partial: Vec<Vec<f32>> = a
        .par_chunks(piece)
        .enumerate()
        .map(|(index, rows)| {
            let mut sums = vec![0f32; width];
            for (r, row) in rows.chunks_exact(width).enumerate() {
                match b {
                    None => sums.iter_mut().zip(row).for_each(|(s, a)| *s += a),
                    Some(b) => {
                        let start = index * piece + r * width;
                        let other = &b[start..start + width];
                        sums.iter_mut()
                            .zip(row)
                            .zip(other)
                            .for_each(|((s, a), b)| *s += a * b);
                    }
                }
            }
            sums
        })
        .collect();
    let mut total = vec![0f32; width];
    for sums in partial {
        total.iter_mut().zip(sums).for_each(|(t, s)| *t += s);
    }
    total
}

#[derive(Clone, Copy)]
enum PerChannel {
    Add,
    Scale,
}

impl PerChannel {
    fn apply(self, x: &[f32], c: &[f32]) -> Vec<f32> {
        let width = c.len();
        let piece = piece_of_rows(width);
        let mut y = vec![0.; x.len()];
        y.par_chunks_mut(piece)
            .zip(x.par_chunks(piece))
            .for_each(|(y, x)| {
                for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                    match self {
                        Self::Add => y
                            .iter_mut()
                            .zip(x)
                            .zip(c)
                            .for_each(|((y, x), c)| *y = x + c),
                        Self::Scale => y
                            .iter_mut()
                            .zip(x)
                            .zip(c)
                            .for_each(|((y, x), c)| *y = x * c),
                    }
                }
            });
        y
    }
}

impl Kernel<2> for PerChannel {
    const NAME: &'static str = "fused-per-channel";

    fn run(&self, [x, c]: [&[f32]; 2], shape: &Shape) -> (Vec<f32>, Shape) {
        (self.apply(x, c), shape.clone())
    }

    fn gradients(&self, [x, c]: [&Tensor; 2], grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        let width = c.elem_count();
        match self {
            Self::Add => {
                let dc = with_values(grad, |g| column_sums(g, width))?;
                Ok([Some(grad.clone()), Some(tensor_like(dc, c)?)])
            }
            Self::Scale => {
                let dx = with_values2(grad, c, |g, c| self.apply(g, c))?;
                let dc = with_values2(grad, x, |g, x| column_products(g, Some(x), width))?;
                Ok([Some(tensor_like(dx, x)?), Some(tensor_like(dc, c)?)])
            }
        }
    }
}

fn per_channel(x: &Tensor, c: &Tensor, op: PerChannel) -> Result<Tensor> {
    if c.rank() != 1 || x.dims().last() != c.dims().first() || c.elem_count() == 0 {
        bail!(
            "per-channel values {:?} do not fit the last dimension of {:?}",
            c.dims(),
            x.dims()
        );
    }
    x.contiguous()?.apply_op2(&c.contiguous()?, Fused(op))
}

/// `x + bias` over the last dimension.
pub fn add_bias(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    per_channel(x, bias, PerChannel::Add)
}

/// `x * weight` over the last dimension.
pub fn scale_channels(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    per_channel(x, weight, PerChannel::Scale)
}
