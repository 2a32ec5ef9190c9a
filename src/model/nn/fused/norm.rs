//! Layer norm, group norm and softmax.

use super::kernel::{piece_of_rows, tensor_like, values, wide, with_values2, with_values3};
use super::math;
use candle_core::{CpuStorage, CustomOp1, D, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

#[inline(always)]
fn mean_and_inverse_std(x: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = math::sum(x.len(), |i| x[i]) / n;
    let variance = math::sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / n;
    (mean, 1. / (variance + eps).sqrt())
}

#[inline(always)]
fn normalise(y: &mut [f32], x: &[f32], width: usize, eps: f32) {
    for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
        let (mean, inverse) = mean_and_inverse_std(x, eps);
        y.iter_mut()
            .zip(x)
            .for_each(|(y, x)| *y = (x - mean) * inverse);
    }
}

/// Layer norm of every row of `x` into `y`, with scale and shift: for kernels that keep their own buffers.
pub fn layer_norm_rows(y: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], eps: f32) {
    let width = weight.len();
    wide(|| {
        for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            let (mean, inverse) = mean_and_inverse_std(x, eps);
            for (((y, x), w), b) in y.iter_mut().zip(x).zip(weight).zip(bias) {
                *y = (x - mean) * inverse * w + b;
            }
        }
    });
}

struct LayerNormOp {
    width: usize,
    eps: f32,
}

impl CustomOp1 for LayerNormOp {
    fn name(&self) -> &'static str {
        "fused-layer-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        let piece = piece_of_rows(self.width);
        let mut y = vec![0.; x.len()];
        y.par_chunks_mut(piece)
            .zip(x.par_chunks(piece))
            .for_each(|(y, x)| wide(|| normalise(y, x, self.width, self.eps)));
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (width, piece) = (self.width, piece_of_rows(self.width));
        let dx = with_values3(arg, res, grad, |x, y, g| {
            let mut dx = vec![0f32; x.len()];
            let inputs = x
                .par_chunks(piece)
                .zip(y.par_chunks(piece))
                .zip(g.par_chunks(piece));
            dx.par_chunks_mut(piece)
                .zip(inputs)
                .for_each(|(dx, ((x, y), g))| {
                    let rows = x
                        .chunks_exact(width)
                        .zip(y.chunks_exact(width))
                        .zip(g.chunks_exact(width));
                    wide(|| {
                        for (dx, ((x, y), g)) in dx.chunks_exact_mut(width).zip(rows) {
                            let (_, inverse) = mean_and_inverse_std(x, self.eps);
                            let mean_g = math::sum(width, |i| g[i]) / width as f32;
                            let mean_gy = math::sum(width, |i| g[i] * y[i]) / width as f32;
                            for ((dx, y), g) in dx.iter_mut().zip(y).zip(g) {
                                *dx = inverse * (g - mean_g - y * mean_gy);
                            }
                        }
                    });
                });
            dx
        })?;
        tensor_like(dx, arg).map(Some)
    }
}

/// Layer norm over the last dimension, without scale and shift.
pub fn layer_norm(x: &Tensor, eps: f64) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    x.contiguous()?.apply_op1(LayerNormOp {
        width,
        eps: eps as f32,
    })
}

struct GroupNormOp {
    channels: usize,
    groups: usize,
    pixels: usize,
    eps: f32,
}

impl GroupNormOp {
    /// Per channel, the mean over its group of `f(pixel offset, channel)` in one image.
    fn group_means(&self, f: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let c = self.channels;
        let mut sums = vec![0f32; c];
        for pixel in 0..self.pixels {
            for (channel, sum) in sums.iter_mut().enumerate() {
                *sum += f(pixel * c, channel);
            }
        }
        let size = c / self.groups;
        for group in sums.chunks_exact_mut(size) {
            let mean = group.iter().sum::<f32>() / (size * self.pixels) as f32;
            group.fill(mean);
        }
        sums
    }

    fn statistics(&self, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let mean = self.group_means(|o, c| x[o + c]);
        let mut inverse = self.group_means(|o, c| (x[o + c] - mean[c]) * (x[o + c] - mean[c]));
        inverse
            .iter_mut()
            .for_each(|v| *v = 1. / (*v + self.eps).sqrt());
        (mean, inverse)
    }
}

impl CustomOp1 for GroupNormOp {
    fn name(&self) -> &'static str {
        "fused-group-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        let (c, image) = (self.channels, self.channels * self.pixels);
        let mut y = vec![0.; x.len()];
        y.par_chunks_mut(image)
            .zip(x.par_chunks(image))
            .for_each(|(y, x)| {
                let (mean, inverse) = self.statistics(x);
                for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                    for (((y, x), m), i) in y.iter_mut().zip(x).zip(&mean).zip(&inverse) {
                        *y = (x - m) * i;
                    }
                }
            });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (c, image) = (self.channels, self.channels * self.pixels);
        let dx = with_values3(arg, res, grad, |x, y, g| {
            let mut dx = vec![0f32; x.len()];
            let inputs = x
                .par_chunks(image)
                .zip(y.par_chunks(image))
                .zip(g.par_chunks(image));
            dx.par_chunks_mut(image)
                .zip(inputs)
                .for_each(|(dx, ((x, y), g))| {
                    let (_, inverse) = self.statistics(x);
                    let mean_g = self.group_means(|o, c| g[o + c]);
                    let mean_gy = self.group_means(|o, c| g[o + c] * y[o + c]);
                    let rows = y.chunks_exact(c).zip(g.chunks_exact(c));
                    for (dx, (y, g)) in dx.chunks_exact_mut(c).zip(rows) {
                        for (i, dx) in dx.iter_mut().enumerate() {
                            *dx = inverse[i] * (g[i] - mean_g[i] - y[i] * mean_gy[i]);
                        }
                    }
                });
            dx
        })?;
        tensor_like(dx, arg).map(Some)
    }
}

/// Group norm of `[B, H, W, C]`, without scale and shift; `groups` divides C.
pub fn group_norm(x: &Tensor, groups: usize, eps: f64) -> Result<Tensor> {
    let (_, h, w, channels) = x.dims4()?;
    x.contiguous()?.apply_op1(GroupNormOp {
        channels,
        groups,
        pixels: h * w,
        eps: eps as f32,
    })
}

struct SoftmaxOp {
    width: usize,
    scale: f32,
}

impl CustomOp1 for SoftmaxOp {
    fn name(&self) -> &'static str {
        "fused-softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        let (width, scale, piece) = (self.width, self.scale, piece_of_rows(self.width));
        let mut y = vec![0f32; x.len()];
        y.par_chunks_mut(piece)
            .zip(x.par_chunks(piece))
            .for_each(|(y, x)| {
                wide(|| {
                    for (y, x) in y.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
                        let peak = x.iter().fold(f32::NEG_INFINITY, |m, x| m.max(x * scale));
                        y.iter_mut()
                            .zip(x)
                            .for_each(|(y, x)| *y = math::exp(x * scale - peak));
                        let inverse = 1. / math::sum(width, |i| y[i]);
                        y.iter_mut().for_each(|y| *y *= inverse);
                    }
                });
            });
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (width, scale, piece) = (self.width, self.scale, piece_of_rows(self.width));
        let dx = with_values2(res, grad, |y, g| {
            let mut dx = vec![0f32; y.len()];
            dx.par_chunks_mut(piece)
                .zip(y.par_chunks(piece).zip(g.par_chunks(piece)))
                .for_each(|(dx, (y, g))| {
                    let rows = y.chunks_exact(width).zip(g.chunks_exact(width));
                    wide(|| {
                        for (dx, (y, g)) in dx.chunks_exact_mut(width).zip(rows) {
                            let dot = math::sum(width, |i| y[i] * g[i]);
                            for ((dx, y), g) in dx.iter_mut().zip(y).zip(g) {
                                *dx = scale * y * (g - dot);
                            }
                        }
                    });
                });
            dx
        })?;
        tensor_like(dx, arg).map(Some)
    }
}

/// Softmax of `x * scale` over the last dimension; `scale` positive.
pub fn softmax(x: &Tensor, scale: f64) -> Result<Tensor> {
    let width = x.dim(D::Minus1)?;
    x.contiguous()?.apply_op1(SoftmaxOp {
        width,
        scale: scale as f32,
    })
}
