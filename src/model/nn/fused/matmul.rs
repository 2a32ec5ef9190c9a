//! Matrix products through the `gemm` crate, with the bias added and its gradient summed on the way.

use super::elementwise::column_sums;
use super::kernel::{Fused, Kernel, tensor_like, with_values, with_values2};
use candle_core::{Result, Shape, Tensor, bail};
use gemm::Parallelism;

/// A matrix inside a slice: rows, columns and the strides between them.
#[derive(Clone, Copy)]
pub struct Mat<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> Mat<'a> {
    /// Row-major matrix over `data`.
    pub fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "matrix does not fit its values");
        Self {
            data,
            rows,
            cols,
            row_stride: cols,
            col_stride: 1,
        }
    }

    /// Row-major matrix whose rows begin `row_stride` values apart in `data`.
    pub fn strided(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        let last = rows.saturating_sub(1) * row_stride + cols;
        assert!(
            cols <= row_stride && (rows == 0 || data.len() >= last),
            "matrix does not fit its values"
        );
        Self {
            data,
            rows,
            cols,
            row_stride,
            col_stride: 1,
        }
    }

    /// Its transpose, without moving anything.
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// All threads for one product.
pub fn all_threads() -> Parallelism {
    match rayon::current_num_threads() {
        1 => Parallelism::None,
        n => Parallelism::Rayon(n),
    }
}

/// `out = a b`, or `out += a b`; `out` is row-major.
pub fn product(a: Mat, b: Mat, out: &mut [f32], accumulate: bool, parallelism: Parallelism) {
    assert_eq!(
        out.len(),
        a.rows * b.cols,
        "result size of a matrix product"
    );
    product_into(a, b, out, b.cols, accumulate, parallelism);
}

/// As [`product`], into rows that begin `row_stride` values apart in `out`; what lies between them stays.
pub fn product_into(
    a: Mat,
    b: Mat,
    out: &mut [f32],
    row_stride: usize,
    accumulate: bool,
    parallelism: Parallelism,
) {
    assert_eq!(a.cols, b.rows, "inner sizes of a matrix product");
    if a.rows * b.cols == 0 {
        return;
    }
    assert!(
        b.cols <= row_stride && out.len() >= (a.rows - 1) * row_stride + b.cols,
        "result size of a matrix product"
    );
    if a.cols == 0 {
        if !accumulate {
            for row in out.chunks_mut(row_stride).take(a.rows) {
                row[..b.cols].fill(0.);
            }
        }
        return;
    }
    // SAFETY: `Mat` covers rows × cols values of its slice with these strides (checked when made), the
    // result's a.rows × b.cols values lie within `out` at this stride (checked above), and `out` is
    // borrowed mutably, so nothing overlaps.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out.as_mut_ptr(),
            1,
            row_stride as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1f32,
            1f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// `rows` copies of `bias`, to accumulate a product on to.
pub fn rows_of(bias: &[f32], rows: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(rows * bias.len());
    for _ in 0..rows {
        out.extend_from_slice(bias);
    }
    out
}

struct LinearOp {
    rows: usize,
    input: usize,
    output: usize,
}

impl LinearOp {
    fn forward(&self, x: &[f32], w: &[f32], bias: Option<&[f32]>) -> (Vec<f32>, Shape) {
        let mut y = match bias {
            Some(bias) => rows_of(bias, self.rows),
            None => vec![0.; self.rows * self.output],
        };
        let (x, w) = (
            Mat::new(x, self.rows, self.input),
            Mat::new(w, self.output, self.input),
        );
        product(x, w.t(), &mut y, bias.is_some(), all_threads());
        (y, (self.rows, self.output).into())
    }

    fn backward(
        &self,
        x: &Tensor,
        w: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (n, i, o) = (self.rows, self.input, self.output);
        let mut dx = None;
        if x.track_op() {
            let mut out = vec![0.; n * i];
            with_values2(grad, w, |g, w| {
                let (g, w) = (Mat::new(g, n, o), Mat::new(w, o, i));
                product(g, w, &mut out, false, all_threads());
            })?;
            dx = Some(Tensor::from_vec(out, (n, i), x.device())?);
        }
        let mut dw = None;
        if w.track_op() {
            let mut out = vec![0.; o * i];
            with_values2(grad, x, |g, x| {
                let (g, x) = (Mat::new(g, n, o).t(), Mat::new(x, n, i));
                product(g, x, &mut out, false, all_threads());
            })?;
            dw = Some(Tensor::from_vec(out, (o, i), w.device())?);
        }
        Ok((dx, dw))
    }
}

impl Kernel<2> for LinearOp {
    const NAME: &'static str = "fused-linear";

    fn run(&self, [x, w]: [&[f32]; 2], _: &Shape) -> (Vec<f32>, Shape) {
        self.forward(x, w, None)
    }

    fn gradients(&self, [x, w]: [&Tensor; 2], grad: &Tensor) -> Result<[Option<Tensor>; 2]> {
        Ok(self.backward(x, w, grad)?.into())
    }
}

impl Kernel<3> for LinearOp {
    const NAME: &'static str = "fused-linear-bias";

    fn run(&self, [x, w, bias]: [&[f32]; 3], _: &Shape) -> (Vec<f32>, Shape) {
        self.forward(x, w, Some(bias))
    }

    fn gradients(&self, [x, w, bias]: [&Tensor; 3], grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let (dx, dw) = self.backward(x, w, grad)?;
        let db = with_values(grad, |g| column_sums(g, self.output))?;
        Ok([dx, dw, Some(tensor_like(db, bias)?)])
    }
}

/// `x: [N, in]` times the transpose of `weight: [out, in]`, plus `bias: [out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let ((rows, input), (output, expected)) = (x.dims2()?, weight.dims2()?);
    if input != expected {
        bail!(
            "linear: weight {:?} does not fit {:?}",
            weight.dims(),
            x.dims()
        );
    }
    let op = LinearOp {
        rows,
        input,
        output,
    };
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        Some(bias) if bias.elem_count() != output => {
            bail!("linear: bias {:?}, expected [{output}]", bias.dims())
        }
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, Fused(op)),
        None => x.apply_op2(&weight, Fused(op)),
    }
}
