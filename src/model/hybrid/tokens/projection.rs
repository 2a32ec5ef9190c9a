//! From a JEPA's tokens, which are wide, to as many channels as a diffusion in latents has.

use candle_core::{Result, Tensor, Var};

use super::TokenDiffusionConfig;
use crate::model::jepa::vjepa::principal;
use crate::model::nn::{Init, Params};

/// Principal components of tokens, each with deviation 1.
///
/// They are fitted, not learned: the projection is part of what is frozen, and no gradient of dynamics or
/// decoder can make the space more convenient than the JEPA left it. The mean is taken at each place of the
/// grid, since a token says where it is, and that never changes.
#[derive(Clone)]
pub struct Projection {
    /// `[cells, width]`.
    mean: Var,
    /// `[width, C]`, orthonormal columns.
    basis: Var,
    /// `[C]`.
    deviation: Var,
}

impl Projection {
    /// Of the variables in `p`.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    pub fn new(config: &TokenDiffusionConfig, p: &Params) -> Result<Self> {
        let (cells, width) = (config.jepa.cells(), config.jepa.width);
        let channels = config.diffusion.channels();
        Ok(Self {
            mean: p.buffer((cells, width), "mean", Init::Zeros)?,
            basis: p.buffer((width, channels), "basis", Init::Zeros)?,
            deviation: p.buffer(channels, "deviation", Init::Ones)?,
        })
    }

    /// Fits it to tokens `[N, cells, width]` of ordinary experience, and says what share of their variance at
    /// a place it keeps.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn fit(&self, tokens: &Tensor) -> Result<f64> {
        let (_, _, width) = tokens.dims3()?;
        let mean = tokens.mean(0)?;
        let rows = tokens.broadcast_sub(&mean)?.reshape(((), width))?;
        let (basis, share) = principal(&rows, self.basis.dim(1)?)?;
        let deviation = rows.matmul(&basis)?.sqr()?.mean(0)?.sqrt()?;
        self.mean.set(&mean)?;
        self.basis.set(&basis)?;
        self.deviation.set(&deviation.maximum(1e-3)?)?;
        Ok(share)
    }

    /// Standardised latents `[N, cells, C]` of tokens `[N, cells, width]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn project(&self, tokens: &Tensor) -> Result<Tensor> {
        let (n, cells, width) = tokens.dims3()?;
        let rows = tokens.broadcast_sub(&self.mean.as_detached_tensor())?;
        let rows = rows.reshape((n * cells, width))?;
        let said = rows.matmul(&self.basis.as_detached_tensor())?;
        said.broadcast_div(&self.deviation.as_detached_tensor())?
            .reshape((n, cells, ()))
    }
}
