//! Convolution as patches times a matrix, a few images at a time so that the patches stay in the cache.

use super::elementwise::column_sums;
use super::kernel::{Fused, Kernel, tensor_like, values, with_values, with_values3};
use super::matmul::{Mat, all_threads, product, rows_of};

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use gemm::Parallelism;
use rayon::prelude::*;

/// Floats of patches that are worked on at once: about a core's second-level cache.
const PATCH_FLOATS: usize = 64 * 1024;
/// Pieces the weight gradient is summed in.
const PIECES: usize = 16;

#[derive(Clone, Copy)]
struct Window {
    h: usize,
    w: usize,
    c: usize,
    ho: usize,
    wo: usize,
    k: usize,
    stride: usize,
    pad: usize,
}

impl Window {
    fn new(x: &Tensor, k: usize, stride: usize, pad: usize) -> Result<Self> {
        let (_, h, w, c) = x.dims4()?;
        let size = |n| conv_size(n, k, stride, pad);
        Ok(Self {
            h,
            w,
            c,
            ho: size(h)?,
            wo: size(w)?,
            k,
            stride,
            pad,
        })
    }

    fn image(&self) -> usize {
        self.h * self.w * self.c
    }

    fn outputs(&self) -> usize {
        self.ho * self.wo
    }

    fn patch(&self) -> usize {
        self.k * self.k * self.c
    }

    /// Whether patches are the pixels themselves.
    fn is_pointwise(&self) -> bool {
        self.k == 1 && self.stride == 1 && self.pad == 0
    }

    /// Calls `f(image range, patch range)` for every run of a patch row that lies inside the image.
    #[inline(always)]
    fn runs(&self, mut f: impl FnMut(std::ops::Range<usize>, std::ops::Range<usize>)) {
        let (k, c, pad) = (self.k, self.c, self.pad);
        for oy in 0..self.ho {
            for ox in 0..self.wo {
                let patch = (oy * self.wo + ox) * self.patch();
                let left = ox * self.stride;
                let (first, last) = (
                    pad.saturating_sub(left),
                    k.min((self.w + pad).saturating_sub(left)),
                );
                if first >= last {
                    continue;
                }
                for ky in 0..k {
                    let y = oy * self.stride + ky;
                    if y < pad || y - pad >= self.h {
                        continue;
                    }
                    let from = ((y - pad) * self.w + left + first - pad) * c;
                    let to = patch + (ky * k + first) * c;
                    let n = (last - first) * c;
                    f(from..from + n, to..to + n);
                }
            }
        }
    }

    fn gather(&self, image: &[f32], patches: &mut [f32]) {
        if self.pad > 0 {
            patches.fill(0.);
        }
        self.runs(|from, to| patches[to].copy_from_slice(&image[from]));
    }

    fn scatter_add(&self, patches: &[f32], image: &mut [f32]) {
        self.runs(|from, to| {
            for (pixel, value) in image[from].iter_mut().zip(&patches[to]) {
                *pixel += value;
            }
        });
    }

    /// Images whose patches fit the cache.
    fn batch(&self) -> usize {
        (PATCH_FLOATS / (self.outputs() * self.patch()).max(1)).max(1)
    }
}

struct Im2Col(Window);

impl CustomOp1 for Im2Col {
    fn name(&self) -> &'static str {
        "fused-im2col"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (x, win) = (values(storage, layout)?, self.0);
        let b = x.len() / win.image().max(1);
        let size = win.outputs() * win.patch();
        let mut patches = vec![0.; b * size];
        patches
            .par_chunks_mut(size)
            .zip(x.par_chunks(win.image()))
            .for_each(|(patches, image)| {
                win.runs(|from, to| patches[to].copy_from_slice(&image[from]))
            });
        Ok((
            CpuStorage::F32(patches),
            (b, win.ho, win.wo, win.patch()).into(),
        ))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let win = self.0;
        let dx = with_values(grad, |g| {
            let mut dx = vec![0f32; arg.elem_count()];
            dx.par_chunks_mut(win.image())
                .zip(g.par_chunks(win.outputs() * win.patch()))
                .for_each(|(image, patches)| win.scatter_add(patches, image));
            dx
        })?;
        tensor_like(dx, arg).map(Some)
    }
}

/// Patches of `[B, H, W, C]`: `[B, Ho, Wo, k·k·C]`.
pub fn im2col(x: &Tensor, k: usize, stride: usize, pad: usize) -> Result<Tensor> {
    let window = Window::new(x, k, stride, pad)?;
    x.contiguous()?.apply_op1(Im2Col(window))
}

struct ConvOp {
    win: Window,
    cout: usize,
}

impl ConvOp {
    fn forward(&self, x: &[f32], w: &[f32], bias: &[f32]) -> Vec<f32> {
        let (win, cout) = (self.win, self.cout);
        let b = x.len() / win.image().max(1);
        let rows = win.outputs();
        let mut y = rows_of(bias, b * rows);
        let batch = win.batch();
        // One task gets all threads for its product; many tasks get one each.
        let threads = || {
            if b <= batch {
                all_threads()
            } else {
                Parallelism::None
            }
        };
        y.par_chunks_mut(batch * rows * cout)
            .zip(x.par_chunks(batch * win.image()))
            .for_each_init(Vec::new, |patches: &mut Vec<f32>, (y, x)| {
                let n = x.len() / win.image();
                let cols = self.patches(x, n, patches);
                product(
                    Mat::new(cols, n * rows, win.patch()),
                    Mat::new(w, win.patch(), cout),
                    y,
                    true,
                    threads(),
                );
            });
        y
    }

    /// The patches of `n` images: in `buffer`, or the images themselves.
    fn patches<'a>(&self, x: &'a [f32], n: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        let win = self.win;
        if win.is_pointwise() {
            return x;
        }
        let size = win.outputs() * win.patch();
        buffer.resize(n * size, 0.);
        for (image, patches) in x
            .chunks_exact(win.image())
            .zip(buffer.chunks_exact_mut(size))
        {
            win.gather(image, patches);
        }
        buffer
    }

    /// Gradients of a range of images: adds to `dw`, and fills `dx` where there is one.
    fn backward_piece(
        &self,
        x: &[f32],
        w: &[f32],
        g: &[f32],
        mut dx: Option<&mut [f32]>,
        dw: &mut [f32],
    ) {
        let (win, cout, rows) = (self.win, self.cout, self.win.outputs());
        let (mut buffer, mut back) = (Vec::new(), Vec::new());
        let batch = win.batch();
        for (i, (x, g)) in x
            .chunks(batch * win.image())
            .zip(g.chunks(batch * rows * cout))
            .enumerate()
        {
            let n = x.len() / win.image();
            let cols = Mat::new(self.patches(x, n, &mut buffer), n * rows, win.patch());
            let grad = Mat::new(g, n * rows, cout);
            product(cols.t(), grad, dw, true, Parallelism::None);
            let Some(dx) = dx.as_deref_mut() else {
                continue;
            };
            let start = i * batch * win.image();
            let dx = &mut dx[start..start + x.len()];
            let weights = Mat::new(w, win.patch(), cout).t();
            if win.is_pointwise() {
                product(grad, weights, dx, false, Parallelism::None);
                continue;
            }
            let size = rows * win.patch();
            back.resize(n * size, 0.);
            product(grad, weights, &mut back, false, Parallelism::None);
            for (image, patches) in dx
                .chunks_exact_mut(win.image())
                .zip(back.chunks_exact(size))
            {
                win.scatter_add(patches, image);
            }
        }
    }

    fn backward(
        &self,
        x: &[f32],
        w: &[f32],
        g: &[f32],
        want_dx: bool,
    ) -> (Option<Vec<f32>>, Vec<f32>) {
        let b = x.len() / self.win.image().max(1);
        let per_piece = b.div_ceil(PIECES).max(1);
        let (image, out) = (
            per_piece * self.win.image(),
            per_piece * self.win.outputs() * self.cout,
        );
        let inputs = x.par_chunks(image).zip(g.par_chunks(out));
        let piece = |x: &[f32], g: &[f32], dx: Option<&mut [f32]>| {
            let mut dw = vec![0f32; w.len()];
            self.backward_piece(x, w, g, dx, &mut dw);
            dw
        };
        let (dx, partial): (_, Vec<Vec<f32>>) = if want_dx {
            let mut dx = vec![0f32; x.len()];
            let partial = inputs
                .zip(dx.par_chunks_mut(image))
                .map(|((x, g), dx)| piece(x, g, Some(dx)))
                .collect();
            (Some(dx), partial)
        } else {
            (None, inputs.map(|(x, g)| piece(x, g, None)).collect())
        };
        let mut dw = vec![0f32; w.len()];
        for part in partial {
            dw.iter_mut().zip(part).for_each(|(t, p)| *t += p);
        }
        (dx, dw)
    }
}

impl Kernel<3> for ConvOp {
    const NAME: &'static str = "fused-conv";

    fn run(&self, [x, w, bias]: [&[f32]; 3], _: &Shape) -> (Vec<f32>, Shape) {
        let y = self.forward(x, w, bias);
        let b = y.len() / (self.win.outputs() * self.cout).max(1);
        (y, (b, self.win.ho, self.win.wo, self.cout).into())
    }

    fn gradients(&self, [x, w, bias]: [&Tensor; 3], grad: &Tensor) -> Result<[Option<Tensor>; 3]> {
        let want_dx = x.track_op();
        let (dx, dw) = with_values3(x, w, grad, |x, w, g| self.backward(x, w, g, want_dx))?;
        let dx = dx.map(|dx| tensor_like(dx, x)).transpose()?;
        let db = match bias.track_op() {
            true => Some(tensor_like(
                with_values(grad, |g| column_sums(g, self.cout))?,
                bias,
            )?),
            false => None,
        };
        Ok([dx, Some(tensor_like(dw, w)?), db])
    }
}

/// Convolution of `x: [B, H, W, Cin]` with `weight: [k·k·Cin, Cout]`, zero-padded; `at` is the side of the
/// window, its stride and the padding.
pub fn conv2d(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    at: [usize; 3],
) -> Result<Tensor> {
    let [k, stride, pad] = at;
    let win = Window::new(x, k, stride, pad)?;
    let (rows, cout) = weight.dims2()?;
    if rows != win.patch() || bias.is_some_and(|b| b.elem_count() != cout) {
        bail!(
            "convolution: weight {:?} does not fit {:?} with window {k}",
            weight.dims(),
            x.dims()
        );
    }
    let bias = match bias {
        Some(bias) => bias.contiguous()?,
        None => Tensor::zeros(cout, x.dtype(), x.device())?,
    };
    x.contiguous()?
        .apply_op3(&weight.contiguous()?, &bias, Fused(ConvOp { win, cout }))
}

/// Height or width after a convolution.
pub(in crate::model::nn) fn conv_size(
    size: usize,
    k: usize,
    stride: usize,
    pad: usize,
) -> Result<usize> {
    if k == 0 || stride == 0 || size + 2 * pad < k {
        bail!(
            "convolution: window {k}, stride {stride} do not fit into {size} pixels padded by {pad}"
        );
    }
    Ok((size + 2 * pad - k) / stride + 1)
}
