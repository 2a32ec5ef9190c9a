//! Linear maps, convolutions and normalisations.

use super::{Init, Params, Rng, ops};
use candle_core::{Result, Tensor, Var, bail};

/// `y = x Wᵀ + b` over the last dimension; weight `[out, in]` as in PyTorch.
#[derive(Clone, Debug)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// PyTorch's initialisation.
    pub fn new(input: usize, output: usize, p: Params) -> Result<Self> {
        let weight = p.get((output, input), "weight", Init::FanIn(input))?;
        Ok(Self {
            weight,
            bias: Some(p.get(output, "bias", Init::FanIn(input))?),
        })
    }

    /// Without a bias.
    pub fn new_no_bias(input: usize, output: usize, p: Params) -> Result<Self> {
        Ok(Self {
            weight: p.get((output, input), "weight", Init::FanIn(input))?,
            bias: None,
        })
    }

    /// Starts as the zero map: what a residual branch ends with.
    pub fn zeros(input: usize, output: usize, p: Params) -> Result<Self> {
        let weight = p.get((output, input), "weight", Init::Zeros)?;
        Ok(Self {
            weight,
            bias: Some(p.get(output, "bias", Init::Zeros)?),
        })
    }

    /// Copies of weight `[out, in]` and bias `[out]` (zeros where there is none).
    pub fn values(&self) -> Result<(Vec<f32>, Vec<f32>)> {
        let bias = match &self.bias {
            Some(bias) => bias.to_vec1()?,
            None => vec![0.; self.weight.dim(0)?],
        };
        Ok((self.weight.flatten_all()?.to_vec1()?, bias))
    }

    /// `[.., in]` to `[.., out]`; leading dimensions are flattened into one matrix product.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (output, input) = self.weight.dims2()?;
        let mut dims = x.dims().to_vec();
        match dims.last_mut() {
            Some(last) if *last == input => *last = output,
            _ => bail!("linear: expected [.., {input}], found {:?}", x.dims()),
        }
        let flat = x.reshape(((), input))?;
        ops::linear(&flat, &self.weight, self.bias.as_ref())?.reshape(dims)
    }
}

/// k×k convolution with padding k/2 over `[B, H, W, C]`; weight `[k·k·in, out]`.
#[derive(Clone, Debug)]
pub struct Conv {
    weight: Tensor,
    bias: Tensor,
    k: usize,
    stride: usize,
}

impl Conv {
    /// PyTorch's initialisation.
    pub fn new(cin: usize, cout: usize, k: usize, stride: usize, p: Params) -> Result<Self> {
        let init = Init::FanIn(k * k * cin);
        Ok(Self {
            weight: p.get((k * k * cin, cout), "weight", init)?,
            bias: p.get(cout, "bias", init)?,
            k,
            stride,
        })
    }

    /// Starts as the zero map.
    pub fn zeros(cin: usize, cout: usize, k: usize, stride: usize, p: Params) -> Result<Self> {
        Ok(Self {
            weight: p.get((k * k * cin, cout), "weight", Init::Zeros)?,
            bias: p.get(cout, "bias", Init::Zeros)?,
            k,
            stride,
        })
    }

    /// `[B, H, W, Cin]` to `[B, Ho, Wo, Cout]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::conv2d(
            x,
            &self.weight,
            Some(&self.bias),
            self.k,
            self.stride,
            self.k / 2,
        )
    }
}

/// Batch norm of `[B, D]`, as `torch.nn.BatchNorm1d`: eps 1e-5, momentum 0.1, biased variance to normalise
/// with, unbiased variance in the running statistics.
#[derive(Clone, Debug)]
pub struct BatchNorm {
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    mean: Var,
    variance: Var,
}

impl BatchNorm {
    const EPS: f64 = 1e-5;
    const MOMENTUM: f64 = 0.1;

    /// `affine` adds a learned scale and shift.
    pub fn new(dim: usize, affine: bool, p: Params) -> Result<Self> {
        let (weight, bias) = match affine {
            true => (
                Some(p.get(dim, "weight", Init::Ones)?),
                Some(p.get(dim, "bias", Init::Zeros)?),
            ),
            false => (None, None),
        };
        let mean = p.buffer(dim, "running_mean", Init::Zeros)?;
        Ok(Self {
            weight,
            bias,
            mean,
            variance: p.buffer(dim, "running_var", Init::Ones)?,
        })
    }

    /// `x: [B, D]`. With `train`, normalises by the batch and moves the running statistics.
    pub fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let (batch, _) = x.dims2()?;
        let normed = if train {
            if batch < 2 {
                bail!("batch norm needs at least 2 rows to train on, found {batch}");
            }
            let mean = x.mean_keepdim(0)?;
            let centred = x.broadcast_sub(&mean)?;
            let variance = centred.sqr()?.mean_keepdim(0)?;
            let unbiased = (variance.detach() * (batch as f64 / (batch - 1) as f64))?.squeeze(0)?;
            self.track(&self.mean, &mean.detach().squeeze(0)?)?;
            self.track(&self.variance, &unbiased)?;
            centred.broadcast_div(&(variance + Self::EPS)?.sqrt()?)?
        } else {
            let scale = (self.variance.as_detached_tensor() + Self::EPS)?.sqrt()?;
            x.broadcast_sub(&self.mean.as_detached_tensor())?
                .broadcast_div(&scale)?
        };
        match (&self.weight, &self.bias) {
            (Some(weight), Some(bias)) => {
                ops::add_bias(&ops::scale_channels(&normed, weight)?, bias)
            }
            _ => Ok(normed),
        }
    }

    fn track(&self, running: &Var, value: &Tensor) -> Result<()> {
        let old = (running.as_detached_tensor() * (1. - Self::MOMENTUM))?;
        running.set(&(old + (value * Self::MOMENTUM)?)?)
    }
}

/// Layer norm over the last dimension with learned scale and shift.
#[derive(Clone, Debug)]
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// PyTorch's eps is 1e-5; vision transformers often use 1e-6.
    pub fn new(dim: usize, eps: f64, p: Params) -> Result<Self> {
        Ok(Self {
            weight: p.get(dim, "weight", Init::Ones)?,
            bias: p.get(dim, "bias", Init::Zeros)?,
            eps,
        })
    }

    /// Copies of scale and shift, and epsilon.
    pub fn values(&self) -> Result<(Vec<f32>, Vec<f32>, f32)> {
        Ok((
            self.weight.to_vec1()?,
            self.bias.to_vec1()?,
            self.eps as f32,
        ))
    }

    /// Shape unchanged.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, Some(&self.weight), Some(&self.bias), self.eps)
    }
}

/// Zeroes a share of the values and scales the rest; drawn from the caller's generator.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    share: f32,
}

impl Dropout {
    /// `share` of values to drop, in `[0, 1)`.
    pub fn new(share: f32) -> Self {
        Self { share }
    }

    /// Applies only where there is a generator: none at inference.
    pub fn forward(&self, x: &Tensor, rng: Option<&mut Rng>) -> Result<Tensor> {
        match rng {
            Some(rng) if self.share > 0. => {
                let keep = 1. - self.share;
                let mask =
                    (0..x.elem_count()).map(|_| if rng.f32() < keep { 1. / keep } else { 0. });
                let mask = Tensor::from_vec(mask.collect::<Vec<f32>>(), x.shape(), x.device())?;
                x * mask
            }
            _ => Ok(x.clone()),
        }
    }
}
