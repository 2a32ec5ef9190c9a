//! A recurrent cell.

use candle_core::{D, Result, Tensor};

use super::{Linear, Params};

/// A gated recurrent unit (Cho et al. 2014, arXiv 1406.1078): B numbers that are carried on and changed by
/// what comes in. As PyTorch's, the reset gate acts after the state's product.
#[derive(Clone)]
pub struct Gru {
    width: usize,
    input: Linear,
    state: Linear,
}

impl Gru {
    /// A cell of `width` numbers that `inputs` numbers come into, on the variables in `p`.
    pub fn new(inputs: usize, width: usize, p: &Params) -> Result<Self> {
        Ok(Self {
            width,
            input: Linear::new(inputs, 3 * width, p.pp("input"))?,
            state: Linear::new(width, 3 * width, p.pp("state"))?,
        })
    }

    /// The state `[N, B]` that follows `before: [N, B]` once all of `inputs`, `[N, ..]` each, came in side by
    /// side.
    pub fn carry(&self, before: &Tensor, inputs: &[&Tensor]) -> Result<Tensor> {
        let w = self.width;
        let seen = self.input.forward(&Tensor::cat(inputs, D::Minus1)?)?;
        let held = self.state.forward(before)?;
        let part = |x: &Tensor, i: usize| x.narrow(1, i * w, w);
        let gate = |i| sigmoid(&(part(&seen, i)? + part(&held, i)?)?);
        let (reset, keep) = (gate(0)?, gate(1)?);
        let fresh = (part(&seen, 2)? + (reset * part(&held, 2)?)?)?.tanh()?;
        // (1 - keep) fresh + keep before
        &fresh + (keep * (before - &fresh)?)?
    }

    /// Multiply-adds of one step.
    pub fn multiply_adds(inputs: usize, width: usize) -> f64 {
        (3 * width * (inputs + width)) as f64
    }
}

/// 1 / (1 + e⁻ˣ), by way of the hyperbolic tangent, which does not overflow.
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    ((x * 0.5)?.tanh()? * 0.5)? + 0.5
}
