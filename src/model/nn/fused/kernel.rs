//! What every kernel needs: the values of tensors, and pieces of a fixed size.

use candle_core::{CpuStorage, Layout, Result, Storage, Tensor, bail};

/// Elements a parallel piece should have at least: below this, starting a task costs more than it saves.
pub(super) const PIECE: usize = 16 * 1024;

/// Length of a parallel piece of whole rows.
pub(super) fn piece_of_rows(row: usize) -> usize {
    row.max(1) * (PIECE / row.max(1)).max(1)
}

/// Runs a loop compiled for the widest vectors that this processor has. Nothing is contracted or reordered:
/// the bits are the same on all.
#[inline(always)]
pub(super) fn wide<T>(run: impl FnOnce() -> T) -> T {
    pulp::Arch::new().dispatch(run)
}

/// The values a layout describes, which must be contiguous.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("fused kernel: expected contiguous values"),
    }
}

/// Runs `f` on the values of a contiguous CPU tensor.
pub(super) fn with_values<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let tensor = tensor.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(f(values(storage, layout)?)),
        _ => bail!("fused kernel: expected a CPU tensor"),
    }
}

/// As [`with_values`], for two tensors.
pub(super) fn with_values2<T>(
    a: &Tensor,
    b: &Tensor,
    f: impl FnOnce(&[f32], &[f32]) -> T,
) -> Result<T> {
    with_values(a, |a| with_values(b, |b| f(a, b)))?
}

/// As [`with_values`], for three tensors.
pub(super) fn with_values3<T>(
    a: &Tensor,
    b: &Tensor,
    c: &Tensor,
    f: impl FnOnce(&[f32], &[f32], &[f32]) -> T,
) -> Result<T> {
    with_values(a, |a| with_values2(b, c, |b, c| f(a, b, c)))?
}

/// A tensor like `like` out of plain values.
pub(super) fn tensor_like(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}
