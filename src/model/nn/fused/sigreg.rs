//! The Epps-Pulley statistic of SIGReg: knots are equally spaced, so cosines and sines of all of them
//! follow from those of the first by rotation, and nothing of size batch × projections × knots is ever
//! stored.

use super::kernel::{tensor_like, values, with_values};
use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

struct EppsPulley {
    rows: usize,
    projections: usize,
    /// Distance of the knots.
    spacing: f32,
    /// Weight and target `exp(-t²/2)` of every knot.
    knots: Vec<(f32, f32)>,
    factor: f32,
}

/// Cosines and sines of one row of projections at the current knot, and the rotation to the next.
struct Rotor {
    step: Vec<(f32, f32)>,
    now: Vec<(f32, f32)>,
}

impl Rotor {
    fn new(row: &[f32], spacing: f32) -> Self {
        let step: Vec<_> = row
            .iter()
            .map(|x| {
                let (s, c) = (x * spacing).sin_cos();
                (c, s)
            })
            .collect();
        Self {
            now: vec![(1., 0.); step.len()],
            step,
        }
    }

    fn advance(&mut self) {
        for (now, step) in self.now.iter_mut().zip(&self.step) {
            *now = (
                now.0 * step.0 - now.1 * step.1,
                now.0 * step.1 + now.1 * step.0,
            );
        }
    }
}

impl EppsPulley {
    /// Mean cosine minus target, and mean sine, over the rows of one group: `[knots][projections]`.
    fn errors(&self, group: &[f32]) -> Vec<Vec<(f32, f32)>> {
        let mut sums = vec![vec![(0f32, 0f32); self.projections]; self.knots.len()];
        for row in group.chunks_exact(self.projections) {
            let mut rotor = Rotor::new(row, self.spacing);
            for sums in &mut sums {
                for (sum, now) in sums.iter_mut().zip(&rotor.now) {
                    *sum = (sum.0 + now.0, sum.1 + now.1);
                }
                rotor.advance();
            }
        }
        let n = self.rows as f32;
        for (sums, (_, target)) in sums.iter_mut().zip(&self.knots) {
            sums.iter_mut()
                .for_each(|s| *s = (s.0 / n - target, s.1 / n));
        }
        sums
    }
}

impl CustomOp1 for EppsPulley {
    fn name(&self) -> &'static str {
        "fused-sigreg"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = values(storage, layout)?;
        let group = self.rows * self.projections;
        let statistics: Vec<f32> = x
            .par_chunks(group)
            .map(|group| {
                let errors = self.errors(group);
                let weighted = errors.iter().zip(&self.knots).map(|(errors, (weight, _))| {
                    weight * errors.iter().map(|(c, s)| c * c + s * s).sum::<f32>()
                });
                weighted.sum::<f32>() * self.factor / self.projections as f32
            })
            .collect();
        let mean = statistics.iter().sum::<f32>() / statistics.len().max(1) as f32;
        Ok((CpuStorage::F32(vec![mean]), Shape::from(())))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let given = grad.to_scalar::<f32>()?;
        let dx = with_values(arg, |x| {
            let group = self.rows * self.projections;
            let groups = x.len() / group.max(1);
            let scale =
                2. * given * self.factor / (self.projections * self.rows * groups.max(1)) as f32;
            let mut dx = vec![0f32; x.len()];
            dx.par_chunks_mut(group)
                .zip(x.par_chunks(group))
                .for_each(|(dx, x)| {
                    let errors = self.errors(x);
                    for (dx, x) in dx
                        .chunks_exact_mut(self.projections)
                        .zip(x.chunks_exact(self.projections))
                    {
                        let mut rotor = Rotor::new(x, self.spacing);
                        for (k, (errors, (weight, _))) in errors.iter().zip(&self.knots).enumerate()
                        {
                            let a = scale * weight * k as f32 * self.spacing;
                            for ((dx, now), error) in dx.iter_mut().zip(&rotor.now).zip(errors) {
                                *dx += a * (error.1 * now.0 - error.0 * now.1);
                            }
                            rotor.advance();
                        }
                    }
                });
            dx
        })?;
        tensor_like(dx, arg).map(Some)
    }
}

/// Mean over groups and projections of the weighted statistic of `x: [groups, rows, projections]`, times
/// `factor`; `knots` are (weight, target) at `0, spacing, 2·spacing, ..`.
pub fn epps_pulley(
    x: &Tensor,
    knots: Vec<(f32, f32)>,
    spacing: f32,
    factor: f64,
) -> Result<Tensor> {
    let (_, rows, projections) = x.dims3()?;
    x.contiguous()?.apply_op1(EppsPulley {
        rows,
        projections,
        spacing,
        knots,
        factor: factor as f32,
    })
}
