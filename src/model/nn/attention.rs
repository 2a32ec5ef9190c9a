//! Transformer blocks: multi-head attention, the DiT block with adaptive layer norm, scalar embeddings.

use super::{Init, LayerNorm, Linear, Params, ops};
use candle_core::{D, Result, Tensor, bail};

/// Multi-head self-attention over `[B, T, D]` with packed projections, the mathematics of
/// `torch.nn.MultiheadAttention` (Vaswani et al. 2017, §3.2).
#[derive(Clone, Debug)]
pub struct Attention {
    qkv: Linear,
    out: Linear,
    heads: usize,
    causal: bool,
}

impl Attention {
    /// `dim` must divide by `heads`; `causal` hides later tokens.
    pub fn new(dim: usize, heads: usize, causal: bool, p: Params) -> Result<Self> {
        if heads == 0 || !dim.is_multiple_of(heads) {
            bail!("attention: width {dim} does not divide into {heads} heads");
        }
        let (qkv, out) = (
            Linear::new(dim, 3 * dim, p.pp("qkv"))?,
            Linear::new(dim, dim, p.pp("out"))?,
        );
        Ok(Self {
            qkv,
            out,
            heads,
            causal,
        })
    }

    /// `[B, T, D]` to `[B, T, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let packed = self.qkv.forward(x)?;
        self.out
            .forward(&ops::attention(&packed, self.heads, self.causal)?)
    }
}

/// Linear, GELU (erf), Linear.
#[derive(Clone, Debug)]
pub struct Mlp {
    first: Linear,
    second: Linear,
}

impl Mlp {
    /// `input` to `output` by way of `hidden` units.
    pub fn new(input: usize, hidden: usize, output: usize, p: Params) -> Result<Self> {
        Ok(Self {
            first: Linear::new(input, hidden, p.pp("first"))?,
            second: Linear::new(hidden, output, p.pp("second"))?,
        })
    }

    /// `[.., in]` to `[.., out]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.second.forward(&ops::gelu(&self.first.forward(x)?)?)
    }
}

/// The block of a vision transformer (Dosovitskiy et al. 2021): what attention and then an MLP make of the
/// normed tokens is added to them, as `torch.nn.TransformerEncoderLayer(norm_first=True,
/// activation="gelu")`.
#[derive(Clone, Debug)]
pub struct PreNormBlock {
    norms: [LayerNorm; 2],
    attention: Attention,
    mlp: Mlp,
}

impl PreNormBlock {
    /// Tokens `dim` wide that all see each other, MLP `hidden` wide.
    pub fn new(dim: usize, heads: usize, hidden: usize, p: Params) -> Result<Self> {
        Ok(Self {
            norms: [
                LayerNorm::new(dim, 1e-5, p.pp("norm1"))?,
                LayerNorm::new(dim, 1e-5, p.pp("norm2"))?,
            ],
            attention: Attention::new(dim, heads, false, p.pp("attention"))?,
            mlp: Mlp::new(dim, hidden, dim, p.pp("mlp"))?,
        })
    }

    /// `[B, T, D]` to `[B, T, D]`.
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = (x + self.attention.forward(&self.norms[0].forward(x)?)?)?;
        &x + self.mlp.forward(&self.norms[1].forward(&x)?)?
    }

    /// Floating-point operations (two a multiply-add) for sequences of `tokens` tokens, a sequence.
    pub fn flops(tokens: usize, dim: usize, hidden: usize) -> f64 {
        let (t, d, h) = (tokens as f64, dim as f64, hidden as f64);
        2. * t * (4. * d * d + 2. * d * h) + 4. * t * t * d
    }
}

/// The DiT block (Peebles & Xie 2023, §3.2): a condition gives shift, scale and gate of attention and MLP;
/// the gates start at zero, so a fresh block is the identity.
#[derive(Clone, Debug)]
pub struct AdaLnZeroBlock {
    modulation: Linear,
    attention: Attention,
    mlp: Mlp,
}

impl AdaLnZeroBlock {
    /// Tokens `dim` wide, condition `cond` wide, MLP `hidden` wide.
    pub fn new(
        dim: usize,
        cond: usize,
        heads: usize,
        hidden: usize,
        causal: bool,
        p: Params,
    ) -> Result<Self> {
        Ok(Self {
            modulation: Linear::zeros(cond, 6 * dim, p.pp("modulation"))?,
            attention: Attention::new(dim, heads, causal, p.pp("attention"))?,
            mlp: Mlp::new(dim, hidden, dim, p.pp("mlp"))?,
        })
    }

    /// `x: [B, T, D]`, `cond: [B, C]` for the whole sequence or `[B, T, C]` for each token; returns `[B, T,
    /// D]`.
    pub fn forward(&self, x: &Tensor, cond: &Tensor) -> Result<Tensor> {
        let modulation = self.modulation.forward(&ops::silu(cond)?)?;
        if modulation.rank() == 2 {
            let d = x.dim(D::Minus1)?;
            let part = |start: usize, n: usize| modulation.narrow(D::Minus1, start * d, n * d);
            let normed = ops::modulated_norm(x, &part(0, 2)?, 1e-6)?;
            let x = ops::gated_add(x, &self.attention.forward(&normed)?, &part(2, 1)?)?;
            let normed = ops::modulated_norm(&x, &part(3, 2)?, 1e-6)?;
            return ops::gated_add(&x, &self.mlp.forward(&normed)?, &part(5, 1)?);
        }
        let m = modulation.chunk(6, D::Minus1)?;
        let normed = modulate(&ops::layer_norm(x, None, None, 1e-6)?, &m[0], &m[1])?;
        let x = (x + self.attention.forward(&normed)?.broadcast_mul(&m[2])?)?;
        let normed = modulate(&ops::layer_norm(&x, None, None, 1e-6)?, &m[3], &m[4])?;
        &x + self.mlp.forward(&normed)?.broadcast_mul(&m[5])?
    }
}

fn modulate(x: &Tensor, shift: &Tensor, scale: &Tensor) -> Result<Tensor> {
    x.broadcast_mul(&(scale + 1.)?)?.broadcast_add(shift)
}

/// Embedding of positions or steps `t: [B]` as cosines and sines of geometrically spaced frequencies
/// (Vaswani et al. 2017, §3.5), `[B, dim]`; `dim` even.
pub fn sinusoidal(t: &Tensor, dim: usize, max_period: f64) -> Result<Tensor> {
    let half = dim / 2;
    let frequencies: Vec<f32> = (0..half)
        .map(|i| (-max_period.ln() * i as f64 / half as f64).exp() as f32)
        .collect();
    waves(t, frequencies)
}

/// Random Fourier features of a scalar `t: [B]`, `[B, dim]`: cosines and sines of `2π f t` with
/// frequencies drawn once from a standard normal and kept as the buffer `frequencies` (Tancik et al. 2020;
/// DIAMOND's noise embedding).
pub fn fourier_features(t: &Tensor, dim: usize, p: &Params) -> Result<Tensor> {
    let frequencies = p.buffer(dim / 2, "frequencies", Init::Normal(1.))?;
    let frequencies = (frequencies.as_detached_tensor() * std::f64::consts::TAU)?;
    let angles = t.unsqueeze(1)?.broadcast_mul(&frequencies.unsqueeze(0)?)?;
    Tensor::cat(&[angles.cos()?, angles.sin()?], 1)
}

fn waves(t: &Tensor, frequencies: Vec<f32>) -> Result<Tensor> {
    let n = frequencies.len();
    let frequencies = Tensor::from_vec(frequencies, (1, n), t.device())?;
    let angles = t.unsqueeze(1)?.broadcast_mul(&frequencies)?;
    Tensor::cat(&[angles.cos()?, angles.sin()?], 1)
}
