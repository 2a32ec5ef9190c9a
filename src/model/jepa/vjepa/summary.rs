//! A map in a few numbers: its principal components over ordinary experience. Probes read them, and the
//! whitened cost is taken in them.

use super::config::VjepaConfig;
use crate::model::nn::{Init, Params, Rng};
use crate::stats::linalg;
use candle_core::{Device, Result, Tensor, Var};

/// Rounds of subspace iteration.
const ROUNDS: usize = 12;

/// Mean and principal directions of maps, under `summary` of the weights.
#[derive(Clone)]
pub struct Summary {
    mean: Tensor,
    /// `[map, K]`.
    basis: Tensor,
}

impl Summary {
    fn vars(config: &VjepaConfig, p: &Params) -> Result<(Var, Var)> {
        let (p, map) = (p.pp("summary"), config.map_len());
        Ok((
            p.buffer((1, map), "mean", Init::Zeros)?,
            p.buffer((map, config.summary), "basis", Init::Zeros)?,
        ))
    }

    /// What the weights hold.
    pub fn new(config: &VjepaConfig, p: &Params) -> Result<Self> {
        let (mean, basis) = Self::vars(config, p)?;
        Ok(Self {
            mean: mean.as_detached_tensor(),
            basis: basis.as_detached_tensor(),
        })
    }

    /// Mean and leading directions of maps `[M, map]`; also the share of variance they hold.
    pub fn of(maps: &Tensor, components: usize) -> Result<(Self, f64)> {
        let mean = maps.mean_keepdim(0)?;
        let (basis, held) = principal(&maps.broadcast_sub(&mean)?, components)?;
        Ok((Self { mean, basis }, held))
    }

    /// Writes it into the weights.
    pub fn store(&self, config: &VjepaConfig, p: &Params) -> Result<()> {
        let (mean, basis) = Self::vars(config, p)?;
        mean.set(&self.mean.to_device(p.device())?)?;
        basis.set(&self.basis.to_device(p.device())?)
    }

    /// The principal directions, `[map, K]`.
    pub fn basis(&self) -> &Tensor {
        &self.basis
    }

    /// Components `[N, K]` of maps `[N, map]`.
    pub fn read(&self, maps: &Tensor) -> Result<Tensor> {
        maps.broadcast_sub(&self.mean)?.matmul(&self.basis)
    }

    /// What of maps `[N, map]` lies outside the components, as the mean square of a map's values: `[N]`. It
    /// is the squared prediction error (Q statistic) of process monitoring by principal components (Jackson
    /// and Mudholkar 1979), over the number of values.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn outside(&self, maps: &Tensor) -> Result<Tensor> {
        let centred = maps.broadcast_sub(&self.mean)?;
        let inside = centred.matmul(&self.basis)?.sqr()?.sum(1)?;
        let rest = (centred.sqr()?.sum(1)? - inside)?;
        rest.maximum(0.)? / maps.dim(1)?.max(1) as f64
    }

    /// Components `[N, K]` of differences of maps `[N, map]`.
    pub fn read_difference(&self, deltas: &Tensor) -> Result<Tensor> {
        deltas.matmul(&self.basis)
    }
}

/// Leading directions `[n, components]` of centred rows `[M, n]`, by subspace iteration from a fixed start,
/// and the share of their variance that these hold. Columns for which there are too few rows are zero.
///
/// # Errors
/// Those of the tensor library.
pub fn principal(centred: &Tensor, components: usize) -> Result<(Tensor, f64)> {
    let (rows, map) = centred.dims2()?;
    let k = components.min(rows.saturating_sub(1)).max(1);
    let turned = centred.t()?.contiguous()?;
    let mut rng = Rng::seed(0x5E_17);
    let mut basis = rng.normal((map, k), &Device::Cpu)?;
    basis = orthonormal(&basis)?;
    for _ in 0..ROUNDS {
        basis = orthonormal(&turned.matmul(&centred.matmul(&basis)?)?)?;
    }
    let held = f64::from(
        centred
            .matmul(&basis)?
            .sqr()?
            .sum_all()?
            .to_scalar::<f32>()?,
    );
    let all = f64::from(centred.sqr()?.sum_all()?.to_scalar::<f32>()?);
    if k < components {
        let rest = Tensor::zeros((map, components - k), basis.dtype(), basis.device())?;
        basis = Tensor::cat(&[basis, rest], 1)?;
    }
    Ok((basis, held / all.max(1e-12)))
}

/// Gram-Schmidt over the columns of `[n, k]`, twice for accuracy; a column that depends on earlier ones
/// becomes zero.
fn orthonormal(columns: &Tensor) -> Result<Tensor> {
    let (n, k) = columns.dims2()?;
    let turned: Vec<f32> = columns.t()?.contiguous()?.flatten_all()?.to_vec1()?;
    let mut rows: Vec<f64> = turned.into_iter().map(f64::from).collect();
    for i in 0..k {
        let (before, own) = rows.split_at_mut(i * n);
        let own = &mut own[..n];
        let start = linalg::dot(own, own).sqrt();
        for _ in 0..2 {
            for earlier in before.chunks_exact(n) {
                let along = linalg::dot(own, earlier);
                own.iter_mut()
                    .zip(earlier)
                    .for_each(|(o, e)| *o -= along * e);
            }
        }
        let length = linalg::dot(own, own).sqrt();
        let scale = if length > 1e-9 * start.max(1e-30) {
            1. / length
        } else {
            0.
        };
        own.iter_mut().for_each(|o| *o *= scale);
    }
    let rows: Vec<f32> = rows.into_iter().map(|v| v as f32).collect();
    Tensor::from_vec(rows, (k, n), columns.device())?
        .t()?
        .contiguous()
}
