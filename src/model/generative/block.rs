//! The residual block that both generative networks use.

use candle_core::{Result, Tensor};

use crate::model::nn::{Conv, Linear, Params, ops};

/// Residual block with adaptive group norm (DIAMOND, appendix D): the second convolution starts at zero.
#[derive(Clone, Debug)]
pub(super) struct Block {
    first: Conv,
    second: Conv,
    first_condition: Linear,
    second_condition: Linear,
    groups: usize,
}

impl Block {
    /// For maps `width` channels wide, of which `groups` are normalised together, and a condition of
    /// `embed` numbers.
    pub fn new(width: usize, embed: usize, groups: usize, p: Params) -> Result<Self> {
        Ok(Self {
            first: Conv::new(width, width, 3, 1, p.pp("first"))?,
            second: Conv::zeros(width, width, 3, 1, p.pp("second"))?,
            first_condition: Linear::zeros(embed, 2 * width, p.pp("first_condition"))?,
            second_condition: Linear::zeros(embed, 2 * width, p.pp("second_condition"))?,
            groups,
        })
    }

    /// `x: [B, H, W, C]`, `condition: [B, E]`.
    pub fn forward(&self, x: &Tensor, condition: &Tensor) -> Result<Tensor> {
        let h = ops::film(
            x,
            &self.first_condition.forward(condition)?,
            Some(self.groups),
        )?;
        let h = self.first.forward(&h)?;
        let h = ops::film(
            &h,
            &self.second_condition.forward(condition)?,
            Some(self.groups),
        )?;
        x + self.second.forward(&h)?
    }
}
