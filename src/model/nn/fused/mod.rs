//! CPU kernels with hand-written backward passes, parallel over rows or images.
//!
//! Work is cut into pieces of a fixed size, never by the number of threads, and partial sums are added in order:
//! results do not depend on how many cores there are.

mod attention;
mod conv;
mod elementwise;
mod inplace;
pub(in crate::model) mod math;
mod matmul;
mod norm;
mod residual;
mod sigreg;

pub(super) use attention::attention;
pub(super) use conv::{conv2d, im2col};
pub(super) use elementwise::{add_bias, gelu, scale_channels, silu};
pub(super) use inplace::{AdamRule, adam_in_place, lerp_in_place, sum_of_squares};
pub(super) use matmul::linear;
pub(super) use norm::{group_norm, layer_norm, softmax};
pub use residual::ResidualRollout;
pub(super) use sigreg::epps_pulley;

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Elements a parallel piece should have at least: below this, starting a task costs more than it saves.
const PIECE: usize = 16 * 1024;

/// Length of a parallel piece of whole rows.
fn piece_of_rows(row: usize) -> usize {
    row.max(1) * (PIECE / row.max(1)).max(1)
}

/// Runs a loop compiled for the widest vectors that this processor has. Nothing is contracted or reordered: the bits are the same on all.
#[inline(always)]
fn wide<T>(run: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(run)
}

/// The values a layout describes, which must be contiguous.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("fused kernel: expected contiguous values"),
    }
}

/// Runs `f` on the values of a contiguous CPU tensor.
fn with_values<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(f(values(storage, layout)?)),
        _ => bail!("fused kernel: expected a CPU tensor"),
    }
}

/// As [`with_values`], for two tensors.
fn with_values2<T>(a: &Tensor, b: &Tensor, f: impl FnOnce(&[f32], &[f32]) -> T) -> Result<T> {
    with_values(a, |a| with_values(b, |b| f(a, b)))?
}

/// As [`with_values`], for three tensors.
fn with_values3<T>(
    a: &Tensor,
    b: &Tensor,
    c: &Tensor,
    f: impl FnOnce(&[f32], &[f32], &[f32]) -> T,
) -> Result<T> {
    with_values(a, |a| with_values2(b, c, |b, c| f(a, b, c)))?
}

/// A tensor like `like` out of plain values.
fn tensor_like(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}
