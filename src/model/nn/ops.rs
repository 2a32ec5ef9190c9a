//! Differentiable operations of every network. On CPU they are fused (`super::fused`); elsewhere, and
//! wherever the values are not f32, they are composed from candle operations that have a backward.
//!
//! candle's own fused `layer_norm`, `softmax_last_dim` and `rms_norm` have none: gradients end there in
//! silence.

use super::fused;
use candle_core::{D, DType, Result, Tensor, bail};

/// Whether the fused CPU kernels take these tensors.
fn fusable(tensors: &[&Tensor]) -> bool {
    tensors
        .iter()
        .all(|t| t.device().is_cpu() && t.dtype() == DType::F32)
}

/// Layer norm over the last dimension with a biased variance, as `torch.nn.functional.layer_norm`.
/// `weight` and `bias` are `[last]`.
pub fn layer_norm(
    x: &Tensor,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let normed = if fusable(&[x]) {
        fused::layer_norm(x, eps)?
    } else {
        composed::layer_norm(x, eps)?
    };
    affine(normed, weight, bias)
}

/// Group norm of `x: [B, H, W, C]` over H, W and the channels of each of `groups` consecutive groups, as
/// `torch.nn.GroupNorm` on the NCHW transpose. `weight` and `bias` are `[C]`.
pub fn group_norm(
    x: &Tensor,
    groups: usize,
    weight: Option<&Tensor>,
    bias: Option<&Tensor>,
    eps: f64,
) -> Result<Tensor> {
    let channels = x.dim(D::Minus1)?;
    if groups == 0 || channels % groups != 0 {
        bail!("group_norm: {channels} channels do not divide into {groups} groups");
    }
    let normed = if fusable(&[x]) {
        fused::group_norm(x, groups, eps)?
    } else {
        composed::group_norm(x, groups, eps)?
    };
    affine(normed, weight, bias)
}

fn affine(x: Tensor, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Result<Tensor> {
    let x = match weight {
        Some(weight) => scale_channels(&x, weight)?,
        None => x,
    };
    match bias {
        Some(bias) => add_bias(&x, bias),
        None => Ok(x),
    }
}

/// Multiplies the last dimension by `weight: [last]`; its backward is a column sum.
pub fn scale_channels(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    if fusable(&[x, weight]) {
        fused::scale_channels(x, weight)
    } else {
        x.broadcast_mul(weight)
    }
}

/// Softmax of `x * scale` over the last dimension; a mask is added to `x` (divided by `scale`) beforehand.
pub fn softmax(x: &Tensor, scale: f64) -> Result<Tensor> {
    if fusable(&[x]) {
        fused::softmax(x, scale)
    } else {
        composed::softmax(x, scale)
    }
}

/// Layer norm of `x: [B, T, D]` without a learned scale, then `· (1 + scale) + shift` with `condition: [B,
/// 2·D]` = shift, scale, the same for all T tokens (DiT's adaptive layer norm).
pub fn modulated_norm(x: &Tensor, condition: &Tensor, eps: f64) -> Result<Tensor> {
    if fusable(&[x, condition]) {
        fused::modulated_norm(x, condition, eps)
    } else {
        composed::modulated_norm(x, condition, eps)
    }
}

/// `act(norm(x) · (1 + scale) + shift)` for `x: [B, H, W, C]` and `condition: [B, 2·C]` = scale, shift
/// (Dhariwal & Nichol 2021, arXiv 2105.05233, §3). With `groups`, `norm` is the group norm over H, W and
/// the channels of a group, and `act` is SiLU; without, both are the identity and the 1 is left out: `x ·
/// scale + shift`.
pub fn film(x: &Tensor, condition: &Tensor, groups: Option<usize>) -> Result<Tensor> {
    let (b, _, _, channels) = x.dims4()?;
    if condition.dims() != [b, 2 * channels] || groups.is_some_and(|g| g == 0 || channels % g != 0)
    {
        bail!(
            "film: {:?} groups, condition {:?} do not fit {:?}",
            groups,
            condition.dims(),
            x.dims()
        );
    }
    if fusable(&[x]) {
        return fused::film(x, condition, groups);
    }
    let part = |i: usize| {
        condition
            .narrow(D::Minus1, i * channels, channels)?
            .reshape((b, 1, 1, channels))
    };
    let (scale, shift) = (part(0)?, part(1)?);
    match groups {
        None => x.broadcast_mul(&scale)?.broadcast_add(&shift),
        Some(groups) => {
            let x = group_norm(x, groups, None, None, fused::FILM_EPS)?;
            silu(&x.broadcast_mul(&(scale + 1.0)?)?.broadcast_add(&shift)?)
        }
    }
}

/// `x + branch · gate` for `x, branch: [B, T, D]` and `gate: [B, D]`.
pub fn gated_add(x: &Tensor, branch: &Tensor, gate: &Tensor) -> Result<Tensor> {
    if fusable(&[x, branch, gate]) {
        fused::gated_add(x, branch, gate)
    } else {
        composed::gated_add(x, branch, gate)
    }
}

/// Multi-head attention of packed queries, keys and values `[B, T, 3·D]` (Vaswani et al. 2017, §3.2):
/// `[B, T, D]`.
pub fn attention(packed: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
    if fusable(&[packed]) {
        fused::attention(packed, heads, causal)
    } else {
        composed::attention(packed, heads, causal)
    }
}

/// GELU in its exact form `x·Φ(x)`, PyTorch's default (candle's `gelu` is the tanh form).
pub fn gelu(x: &Tensor) -> Result<Tensor> {
    if fusable(&[x]) {
        fused::gelu(x)
    } else {
        x.gelu_erf()
    }
}

/// SiLU, `x·σ(x)`.
pub fn silu(x: &Tensor) -> Result<Tensor> {
    if fusable(&[x]) {
        fused::silu(x)
    } else {
        x.silu()
    }
}

/// Adds `bias: [last]` to the last dimension; its backward is a column sum.
pub fn add_bias(x: &Tensor, bias: &Tensor) -> Result<Tensor> {
    if fusable(&[x, bias]) {
        fused::add_bias(x, bias)
    } else {
        x.broadcast_add(bias)
    }
}

/// `x: [N, in]` times the transpose of `weight: [out, in]`, plus `bias: [out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if fusable(&[x, weight]) {
        return fused::linear(x, weight, bias);
    }
    let y = x.matmul(&weight.t()?)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

/// Patches of `x: [B, H, W, C]`, zero-padded: `[B, Ho, Wo, k·k·C]`, ordered row, column, channel.
pub fn im2col(x: &Tensor, k: usize, stride: usize, pad: usize) -> Result<Tensor> {
    if k == 1 && stride == 1 && pad == 0 {
        return Ok(x.clone());
    }
    if fusable(&[x]) {
        fused::im2col(x, k, stride, pad)
    } else {
        composed::im2col(x, k, stride, pad)
    }
}

/// Convolution of `x: [B, H, W, Cin]` with `weight: [k·k·Cin, Cout]` and `bias: [Cout]`, zero-padded:
/// `[B, Ho, Wo, Cout]`. On CPU patches are made and multiplied a few images at a time, so they never leave
/// the cache.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    k: usize,
    stride: usize,
    pad: usize,
) -> Result<Tensor> {
    if fusable(&[x, weight]) {
        return fused::conv2d(x, weight, bias, [k, stride, pad]);
    }
    let patches = im2col(x, k, stride, pad)?;
    let (b, h, w, c) = patches.dims4()?;
    let y = patches.reshape((b * h * w, c))?.matmul(weight)?;
    let y = match bias {
        Some(bias) => y.broadcast_add(bias)?,
        None => y,
    };
    y.reshape((b, h, w, weight.dim(1)?))
}

/// SIGReg's statistic (arXiv 2603.19312; Epps & Pulley 1983): how far projections `x: [groups, rows,
/// projections]` are from a standard normal within each group, by characteristic functions at 17 knots on
/// [0, 3] with trapezoid weights times `exp(-t²/2)`, averaged over groups and projections, times `factor`
/// (the number of rows in the paper). Scalar.
pub fn epps_pulley(x: &Tensor, factor: f64) -> Result<Tensor> {
    const KNOTS: usize = 17;
    let spacing = 3. / (KNOTS - 1) as f32;
    let knots: Vec<(f32, f32)> = (0..KNOTS)
        .map(|k| {
            let t = k as f32 * spacing;
            let (target, ends) = ((-t * t / 2.).exp(), k == 0 || k == KNOTS - 1);
            (if ends { spacing } else { 2. * spacing } * target, target)
        })
        .collect();
    if fusable(&[x]) {
        return fused::epps_pulley(x, knots, spacing, factor);
    }
    let mut total: Option<Tensor> = None;
    for (k, (weight, target)) in knots.into_iter().enumerate() {
        let angle = (x * (k as f64 * f64::from(spacing)))?;
        let real = (angle.cos()?.mean(1)? - f64::from(target))?.sqr()?;
        let term =
            ((real + angle.sin()?.mean(1)?.sqr()?)?.mean_all()? * (f64::from(weight) * factor))?;
        total = Some(match total {
            Some(total) => (total + term)?,
            None => term,
        });
    }
    total.ok_or_else(|| candle_core::Error::Msg("no knots".into()))
}

/// Nearest-neighbour upsampling by two: `[B, H, W, C]` to `[B, 2H, 2W, C]`.
pub fn upsample2(x: &Tensor) -> Result<Tensor> {
    let (b, h, w, c) = x.dims4()?;
    x.reshape((b, h, 1, w, 1, c))?
        .broadcast_as((b, h, 2, w, 2, c))?
        .contiguous()?
        .reshape((b, 2 * h, 2 * w, c))
}

/// Folds r×r pixels into channels: `[B, H, W, C]` to `[B, H/r, W/r, r·r·C]`, ordered row, column, channel.
pub fn space_to_depth(x: &Tensor, r: usize) -> Result<Tensor> {
    let (b, h, w, c) = x.dims4()?;
    if r == 0 || h % r != 0 || w % r != 0 {
        bail!("space_to_depth: {h}x{w} pixels do not divide by {r}");
    }
    let x = x
        .reshape((b, h / r, r, w / r, r, c))?
        .permute((0, 1, 3, 2, 4, 5))?;
    x.contiguous()?.reshape((b, h / r, w / r, r * r * c))
}

/// Inverse of [`space_to_depth`]: `[B, H, W, r·r·C]` to `[B, r·H, r·W, C]`.
pub fn depth_to_space(x: &Tensor, r: usize) -> Result<Tensor> {
    let (b, h, w, c) = x.dims4()?;
    if r == 0 || c % (r * r) != 0 {
        bail!("depth_to_space: {c} channels do not divide by {}", r * r);
    }
    let x = x
        .reshape((b, h, w, r, r, c / (r * r)))?
        .permute((0, 1, 3, 2, 4, 5))?;
    x.contiguous()?.reshape((b, h * r, w * r, c / (r * r)))
}

/// The same operations out of candle's own, for devices without fused kernels; public for tests that
/// compare them.
pub mod composed {
    use crate::model::nn::fused::conv_size;
    use candle_core::{D, Result, Tensor};

    /// See [`super::modulated_norm`].
    pub fn modulated_norm(x: &Tensor, condition: &Tensor, eps: f64) -> Result<Tensor> {
        let parts = condition.unsqueeze(1)?.chunk(2, D::Minus1)?;
        layer_norm(x, eps)?
            .broadcast_mul(&(&parts[1] + 1.)?)?
            .broadcast_add(&parts[0])
    }

    /// See [`super::gated_add`].
    pub fn gated_add(x: &Tensor, branch: &Tensor, gate: &Tensor) -> Result<Tensor> {
        x + branch.broadcast_mul(&gate.unsqueeze(1)?)?
    }

    /// See [`super::attention`].
    pub fn attention(packed: &Tensor, heads: usize, causal: bool) -> Result<Tensor> {
        let (b, t, width) = packed.dims3()?;
        let (d, head) = (width / 3, width / 3 / heads.max(1));
        let parts = packed
            .reshape((b, t, 3, heads, head))?
            .permute((2, 0, 3, 1, 4))?;
        let part = |i: usize| parts.get(i)?.contiguous()?.reshape((b * heads, t, head));
        let (q, k, v) = (part(0)?, part(1)?, part(2)?);
        let mut scores = q.matmul(&k.t()?)?;
        if causal {
            let mask: Vec<f32> = (0..t * t)
                .map(|i| if i % t > i / t { -1e9 } else { 0. })
                .collect();
            let mask = Tensor::from_vec(mask, (t, t), packed.device())?;
            scores = scores.broadcast_add(&mask)?;
        }
        let mixed = softmax(&scores, 1. / (head as f64).sqrt())?.matmul(&v)?;
        let mixed = mixed.reshape((b, heads, t, head))?.transpose(1, 2)?;
        mixed.contiguous()?.reshape((b, t, d))
    }

    /// See [`super::layer_norm`].
    pub fn layer_norm(x: &Tensor, eps: f64) -> Result<Tensor> {
        let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
        let variance = centred.sqr()?.mean_keepdim(D::Minus1)?;
        centred.broadcast_div(&(variance + eps)?.sqrt()?)
    }

    /// See [`super::group_norm`].
    pub fn group_norm(x: &Tensor, groups: usize, eps: f64) -> Result<Tensor> {
        let (b, h, w, c) = x.dims4()?;
        let x = x
            .reshape((b, h * w, groups, c / groups))?
            .transpose(1, 2)?
            .contiguous()?;
        let x = layer_norm(&x.reshape((b, groups, h * w * c / groups))?, eps)?;
        let x = x
            .reshape((b, groups, h * w, c / groups))?
            .transpose(1, 2)?
            .contiguous()?;
        x.reshape((b, h, w, c))
    }

    /// See [`super::softmax`].
    pub fn softmax(x: &Tensor, scale: f64) -> Result<Tensor> {
        candle_nn::ops::softmax(&(x * scale)?, D::Minus1)
    }

    /// See [`super::im2col`].
    pub fn im2col(x: &Tensor, k: usize, stride: usize, pad: usize) -> Result<Tensor> {
        let (_, h, w, _) = x.dims4()?;
        let (ho, wo) = (conv_size(h, k, stride, pad)?, conv_size(w, k, stride, pad)?);
        let padded = x.pad_with_zeros(1, pad, pad)?.pad_with_zeros(2, pad, pad)?;
        let starts = |n: usize, offset: usize| {
            let indices: Vec<u32> = (0..n).map(|i| (i * stride + offset) as u32).collect();
            Tensor::from_vec(indices, n, x.device())
        };
        let mut taps = Vec::with_capacity(k * k);
        for dy in 0..k {
            let rows = match stride {
                1 => padded.narrow(1, dy, ho)?,
                _ => padded.index_select(&starts(ho, dy)?, 1)?,
            };
            for dx in 0..k {
                taps.push(match stride {
                    1 => rows.narrow(2, dx, wo)?,
                    _ => rows.index_select(&starts(wo, dx)?, 2)?,
                });
            }
        }
        Tensor::cat(&taps, D::Minus1)
    }
}
