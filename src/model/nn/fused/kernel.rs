//! What every kernel needs: the values of tensors, and pieces of a fixed size.

use rayon::prelude::*;

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Storage, Tensor, bail};

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

/// What `by_row` makes of rows of `a` (`row` numbers) with rows of `b` (`other` numbers), one by one.
pub(super) fn by_row(
    [a, b]: [&[f32]; 2],
    [row, other]: [usize; 2],
    by_row: impl Fn(&[f32], &[f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    let mut y = vec![0f32; a.len()];
    y.par_chunks_mut(row)
        .zip(a.par_chunks(row).zip(b.par_chunks(other)))
        .for_each(|(y, (a, b))| by_row(a, b, y));
    y
}

/// Gradients by `a` and `b` from those by the result, of a kernel that takes rows of `a` and of the
/// gradient (`row` numbers) with rows of `b` (`other` numbers) one by one; `by_row` adds to the gradients
/// of its two rows.
pub(super) fn gradients_by_row(
    [a, b, grad]: [&Tensor; 3],
    [row, other]: [usize; 2],
    by_row: impl Fn([&[f32]; 3], [&mut [f32]; 2]) + Sync,
) -> Result<[Option<Tensor>; 2]> {
    let (mut da, mut db) = (vec![0f32; a.elem_count()], vec![0f32; b.elem_count()]);
    with_values3(a, b, grad, |a, b, g| {
        let inputs = a
            .par_chunks(row)
            .zip(b.par_chunks(other))
            .zip(g.par_chunks(row));
        da.par_chunks_mut(row)
            .zip(db.par_chunks_mut(other))
            .zip(inputs)
            .for_each(|((da, db), ((a, b), g))| by_row([a, b, g], [da, db]));
    })?;
    Ok([Some(tensor_like(da, a)?), Some(tensor_like(db, b)?)])
}

/// A kernel of N tensors with a backward pass of its own; [`Fused`] makes it an operation of candle's.
pub(super) trait Kernel<const N: usize>: Send + Sync + 'static {
    /// What profiles call it.
    const NAME: &'static str;

    /// The result and its shape, from the values of the tensors; `shape` is that of the first.
    fn run(&self, values: [&[f32]; N], shape: &Shape) -> (Vec<f32>, Shape);

    /// The gradients by the tensors, from those by the result; `None` where nobody asks.
    fn gradients(&self, of: [&Tensor; N], grad: &Tensor) -> Result<[Option<Tensor>; N]>;
}

/// A kernel as an operation of candle's.
pub(super) struct Fused<K>(pub K);

impl<K: Kernel<2>> CustomOp2 for Fused<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (y, shape) = self.0.run([values(s1, l1)?, values(s2, l2)?], l1.shape());
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok(self.0.gradients([a, b], grad)?.into())
    }
}

impl<K: Kernel<3>> CustomOp3 for Fused<K> {
    fn name(&self) -> &'static str {
        K::NAME
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let all = [values(s1, l1)?, values(s2, l2)?, values(s3, l3)?];
        let (y, shape) = self.0.run(all, l1.shape());
        Ok((CpuStorage::F32(y), shape))
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Ok(self.0.gradients([a, b, c], grad)?.into())
    }
}
