//! Adaptive group norm: normalise, scale and shift each channel as a condition says, activate; one pass in
//! memory.

use candle_core::{Result, Shape, Tensor};

use super::kernel::{Fused, Kernel, by_row, gradients_by_row};
use super::math;

const EPS: f32 = 1e-5;
/// What is added to variances.
pub(in crate::model::nn) const FILM_EPS: f64 = 1e-5;

/// The kernel of [`film`](crate::model::nn::ops::film), for inputs that fit.
pub(in crate::model::nn) fn film(
    x: &Tensor,
    condition: &Tensor,
    groups: Option<usize>,
) -> Result<Tensor> {
    let (_, h, w, channels) = x.dims4()?;
    let op = Film {
        channels,
        pixels: h * w,
        groups,
    };
    x.contiguous()?
        .apply_op2(&condition.contiguous()?, Fused(op))
}

struct Film {
    channels: usize,
    pixels: usize,
    groups: Option<usize>,
}

/// One image's map `x ↦ x · gain + offset` before the activation, and what its gradient needs.
struct Affine {
    gain: Vec<f32>,
    offset: Vec<f32>,
    mean: Vec<f32>,
    inverse_std: Vec<f32>,
}

impl Film {
    /// Numbers of one image, and of its condition.
    fn rows(&self) -> [usize; 2] {
        [self.channels * self.pixels, 2 * self.channels]
    }

    /// Sums over the pixels of each channel.
    fn channel_sums(&self, x: &[f32], f: impl Fn(usize, f32) -> f32) -> Vec<f32> {
        let mut sums = vec![0f32; self.channels];
        for row in x.chunks_exact(self.channels) {
            for (c, (sum, value)) in sums.iter_mut().zip(row).enumerate() {
                *sum += f(c, *value);
            }
        }
        sums
    }

    /// Every channel's value becomes its group's mean.
    fn group_means(&self, values: &mut [f32], groups: usize) {
        let size = self.channels / groups;
        for group in values.chunks_exact_mut(size) {
            let mean = group.iter().sum::<f32>() / (size * self.pixels) as f32;
            group.fill(mean);
        }
    }

    fn affine(&self, x: &[f32], condition: &[f32]) -> Affine {
        let (scale, shift) = condition.split_at(self.channels);
        let Some(groups) = self.groups else {
            return Affine {
                gain: scale.to_vec(),
                offset: shift.to_vec(),
                mean: Vec::new(),
                inverse_std: Vec::new(),
            };
        };
        let mut mean = self.channel_sums(x, |_, v| v);
        self.group_means(&mut mean, groups);
        let mut inverse_std = {
            let mean = &mean[..self.channels];
            self.channel_sums(x, |c, v| (v - mean[c]) * (v - mean[c]))
        };
        self.group_means(&mut inverse_std, groups);
        inverse_std
            .iter_mut()
            .for_each(|v| *v = 1.0 / (*v + EPS).sqrt());
        let gain: Vec<f32> = inverse_std
            .iter()
            .zip(scale)
            .map(|(i, s)| i * (1.0 + s))
            .collect();
        let offset = gain
            .iter()
            .zip(&mean)
            .zip(shift)
            .map(|((g, m), t)| t - m * g)
            .collect();
        Affine {
            gain,
            offset,
            mean,
            inverse_std,
        }
    }

    fn forward(&self, x: &[f32], condition: &[f32], y: &mut [f32]) {
        let Affine { gain, offset, .. } = self.affine(x, condition);
        let rows = y
            .chunks_exact_mut(self.channels)
            .zip(x.chunks_exact(self.channels));
        if self.groups.is_some() {
            for (y, x) in rows {
                for (((y, x), g), o) in y.iter_mut().zip(x).zip(&gain).zip(&offset) {
                    let z = x * g + o;
                    *y = z * math::sigmoid(z);
                }
            }
        } else {
            for (y, x) in rows {
                for (((y, x), g), o) in y.iter_mut().zip(x).zip(&gain).zip(&offset) {
                    *y = x * g + o;
                }
            }
        }
    }

    /// Fills `dx` and `dc` (scale, shift) from the gradient `g` of one image.
    fn backward(&self, x: &[f32], condition: &[f32], g: &[f32], dx: &mut [f32], dc: &mut [f32]) {
        let c = self.channels;
        let affine = self.affine(x, condition);
        let (gain, offset) = (&affine.gain[..c], &affine.offset[..c]);
        let (d_scale, d_shift) = dc.split_at_mut(c);
        // Gradient before the activation; kept in `dx` until the statistics are known.
        for ((dx, x), g) in dx
            .chunks_exact_mut(c)
            .zip(x.chunks_exact(c))
            .zip(g.chunks_exact(c))
        {
            if self.groups.is_some() {
                for i in 0..c {
                    let z = x[i] * gain[i] + offset[i];
                    let s = math::sigmoid(z);
                    dx[i] = g[i] * s * (1.0 + z * (1.0 - s));
                }
            } else {
                dx.copy_from_slice(g);
            }
            for i in 0..c {
                d_shift[i] += dx[i];
                d_scale[i] += dx[i] * x[i];
            }
        }
        let Some(groups) = self.groups else {
            for dx in dx.chunks_exact_mut(c) {
                dx.iter_mut().zip(gain).for_each(|(d, g)| *d *= g);
            }
            return;
        };
        // d_scale so far is Σ dz·x; with the normalised value it is (Σ dz·x − mean·Σ dz) / std.
        for i in 0..c {
            d_scale[i] = (d_scale[i] - affine.mean[i] * d_shift[i]) * affine.inverse_std[i];
        }
        let (scale, _) = condition.split_at(c);
        let mut mean_d: Vec<f32> = d_shift
            .iter()
            .zip(scale)
            .map(|(d, s)| d * (1.0 + s))
            .collect();
        let mut mean_dn: Vec<f32> = d_scale
            .iter()
            .zip(scale)
            .map(|(d, s)| d * (1.0 + s))
            .collect();
        self.group_means(&mut mean_d, groups);
        self.group_means(&mut mean_dn, groups);
        // dx = (dn − mean(dn) − n · mean(dn·n)) / std, gathered into factors of dz, x and 1.
        let by_x: Vec<f32> = (0..c)
            .map(|i| -affine.inverse_std[i] * affine.inverse_std[i] * mean_dn[i])
            .collect();
        let plain: Vec<f32> = (0..c)
            .map(|i| -affine.inverse_std[i] * mean_d[i] - by_x[i] * affine.mean[i])
            .collect();
        for (dx, x) in dx.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            for i in 0..c {
                dx[i] = dx[i] * gain[i] + x[i] * by_x[i] + plain[i];
            }
        }
    }
}

impl Kernel<2> for Film {
    const NAME: &'static str = "film";

    fn run(&self, [x, condition]: [&[f32]; 2], shape: &Shape) -> (Vec<f32>, Shape) {
        let y = by_row([x, condition], self.rows(), |x, c, y| self.forward(x, c, y));
        (y, shape.clone())
    }

    fn gradients(
        &self,
        [x, condition]: [&Tensor; 2],
        grad: &Tensor,
    ) -> Result<[Option<Tensor>; 2]> {
        let all = [x, condition, grad];
        gradients_by_row(all, self.rows(), |[x, c, g], [dx, dc]| {
            self.backward(x, c, g, dx, dc)
        })
    }
}
