//! From one frame to one vector: the convolutional encoder of LeWM and of behaviour cloning.

use super::{BatchNorm, Conv, Init, Linear, Params, ops};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

const FOLD: usize = 4;

/// How a map of features becomes a vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Head {
    /// All of it, one place after the other, at an eighth of the frame's side: holds anything, orientation
    /// hardly.
    #[default]
    Flatten,
    /// The mean place of each of its channels under a softmax over places (spatial softmax: Finn et al.
    /// 2016, arXiv 1509.06113, section V), at a quarter of the frame's side: parts of a body have places,
    /// so its orientation is linear. The vector is a linear map of these places: behind a hidden layer
    /// training gives orientation up again.
    Keypoints,
}

impl Head {
    fn stride(self) -> usize {
        match self {
            Self::Flatten => 2,
            Self::Keypoints => 1,
        }
    }
}

/// Sizes of a [`FrameEncoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameEncoderSizes {
    /// Side of a frame in pixels; a multiple of 8.
    pub image: usize,
    /// Channels after the 1×1 convolution, in the residual blocks, and before the head.
    pub channels: [usize; 3],
    /// How the last map becomes a vector.
    pub head: Head,
    /// Residual blocks of two 3×3 convolutions.
    pub residual_blocks: usize,
    /// Width of the layer between a flattened map and the vector.
    pub hidden: usize,
    /// Width of the vector, D.
    pub out: usize,
}

/// Subtracts the mean image, folds 4×4 pixels into channels, convolves, flattens or finds keypoints (no
/// pooling: places matter), and ends in a batch norm, so that every component has unit variance over the
/// experience.
pub struct FrameEncoder {
    sizes: FrameEncoderSizes,
    device: Device,
    mean_image: Vec<f32>,
    stem: Conv,
    down: Conv,
    residual: Vec<(Conv, Conv)>,
    narrow: Conv,
    /// Between a flattened map and the vector.
    hidden: Option<(Linear, BatchNorm)>,
    project: Linear,
    out_norm: BatchNorm,
}

impl FrameEncoder {
    /// Builds the encoder on `p`: fresh, or from a file (whose shapes must fit).
    pub fn new(sizes: FrameEncoderSizes, p: &Params) -> Result<Self> {
        let [narrow, wide, last] = sizes.channels;
        let pixels = sizes.image * sizes.image * 3;
        let mean_image = p.buffer(pixels, "mean_image", Init::Const(0.5))?;
        let mut residual = Vec::new();
        for b in 0..sizes.residual_blocks {
            let r = p.pp(format!("residual.{b}"));
            residual.push((
                Conv::new(wide, wide, 3, 1, r.pp("0"))?,
                Conv::new(wide, wide, 3, 1, r.pp("1"))?,
            ));
        }
        let side = sizes.image / FOLD / sizes.head.stride();
        let (features, hidden) = match sizes.head {
            Head::Flatten => {
                let hidden = Linear::new_no_bias(side * side * last, sizes.hidden, p.pp("hidden"))?;
                let norm = BatchNorm::new(sizes.hidden, true, p.pp("hidden_norm"))?;
                (sizes.hidden, Some((hidden, norm)))
            }
            Head::Keypoints => (2 * last, None),
        };
        Ok(Self {
            device: p.device().clone(),
            mean_image: mean_image.flatten_all()?.to_vec1()?,
            stem: Conv::new(FOLD * FOLD * 3, narrow, 1, 1, p.pp("stem"))?,
            down: Conv::new(narrow, wide, 3, sizes.head.stride(), p.pp("down"))?,
            residual,
            narrow: Conv::new(wide, last, 1, 1, p.pp("narrow"))?,
            hidden,
            project: Linear::new_no_bias(features, sizes.out, p.pp("project"))?,
            out_norm: BatchNorm::new(sizes.out, false, p.pp("latent_norm"))?,
            sizes,
        })
    }

    /// Sets the image that is subtracted from every frame, `[H·W·3]` in [0, 1], in the encoder and in its
    /// buffer in `p`, the tree it was built on.
    pub fn set_mean_image(&mut self, mean: Vec<f32>, p: &Params) -> Result<()> {
        let buffer = p.buffer(self.mean_image.len(), "mean_image", Init::Const(0.5))?;
        buffer.set(&Tensor::from_slice(&mean, mean.len(), &self.device)?)?;
        self.mean_image = mean;
        Ok(())
    }

    /// The image that is subtracted from every frame.
    pub fn mean_image(&self) -> &[f32] {
        &self.mean_image
    }

    /// What [`FrameEncoder::forward`] takes, from frames `[N, H, W, 3]` as bytes: minus the mean, 4×4
    /// pixels folded into channels, `[N, H/4, W/4, 48]`.
    pub fn pixels(&self, frames: &[u8]) -> Result<Tensor> {
        let size = self.sizes.image;
        let n = frames.len() / (size * size * 3);
        Tensor::from_vec(
            fold_pixels(frames, &self.mean_image, size),
            (n, size / FOLD, size / FOLD, FOLD * FOLD * 3),
            &self.device,
        )
    }

    /// Vectors `[N, D]` of [`FrameEncoder::pixels`]. In training batch norm uses the batch and moves its
    /// statistics.
    pub fn forward(&self, pixels: &Tensor, train: bool) -> Result<Tensor> {
        let x = ops::gelu(&self.stem.forward(pixels)?)?;
        let mut x = ops::gelu(&self.down.forward(&x)?)?;
        for (first, second) in &self.residual {
            let inner = second.forward(&ops::gelu(&first.forward(&x)?)?)?;
            x = ops::gelu(&(x + inner)?)?;
        }
        let x = self.narrow.forward(&x)?;
        let x = match self.sizes.head {
            Head::Flatten => ops::gelu(&x)?.flatten_from(1)?,
            Head::Keypoints => keypoints(&x)?,
        };
        let x = match &self.hidden {
            Some((hidden, norm)) => ops::gelu(&norm.forward_t(&hidden.forward(&x)?, train)?)?,
            None => x,
        };
        let x = self.project.forward(&x)?;
        self.out_norm.forward_t(&x, train)
    }

    /// Vectors `[N, D]` of frames `[N, H, W, 3]` as bytes, in evaluation, some hundred frames at a time.
    pub fn encode_frames(&self, frames: &[u8]) -> Result<Tensor> {
        const CHUNK: usize = 256;
        let frame = self.sizes.image * self.sizes.image * 3;
        let mut vectors = Vec::new();
        for chunk in frames.chunks(CHUNK * frame) {
            vectors.push(self.forward(&self.pixels(chunk)?, false)?.detach());
        }
        match vectors.len() {
            1 => Ok(vectors.remove(0)),
            _ => Tensor::cat(&vectors, 0),
        }
    }

    /// Floating-point operations (two a multiply-add) of one frame.
    pub fn flops(&self) -> f64 {
        let s = &self.sizes;
        let [narrow, wide, last] = s.channels.map(|n| n as f64);
        let (first, second) = (
            (s.image / FOLD).pow(2) as f64,
            (s.image / FOLD / s.head.stride()).pow(2) as f64,
        );
        let head = match s.head {
            Head::Flatten => (second * last + s.out as f64) * s.hidden as f64,
            Head::Keypoints => 2. * last * s.out as f64,
        };
        let maps = first * 48. * narrow
            + second
                * (9. * narrow * wide + s.residual_blocks as f64 * 18. * wide * wide + wide * last);
        2. * (maps + head)
    }
}

/// Mean place (x, y in [-1, 1]) of every channel of `[N, H, W, C]` under a softmax over places, `[N, C·2]`.
fn keypoints(x: &Tensor) -> Result<Tensor> {
    let (n, h, w, c) = x.dims4()?;
    let by_channel = x.reshape((n, h * w, c))?.transpose(1, 2)?.contiguous()?;
    let weights = ops::softmax(&by_channel.reshape((n * c, h * w))?, 1.)?;
    let place = |i: usize, side: usize| 2. * (i as f32 + 0.5) / side as f32 - 1.;
    let places: Vec<f32> = (0..h * w)
        .flat_map(|i| [place(i % w, w), place(i / w, h)])
        .collect();
    let places = Tensor::from_vec(places, (h * w, 2), x.device())?;
    weights.matmul(&places)?.reshape((n, c * 2))
}

/// Bytes `[N, H, W, 3]` to floats minus `mean`, with 4×4 pixels folded into channels.
fn fold_pixels(frames: &[u8], mean: &[f32], size: usize) -> Vec<f32> {
    let (frame, row) = (size * size * 3, FOLD * 3);
    let (side, channels) = (size / FOLD, FOLD * FOLD * 3);
    let mut folded = vec![0f32; frames.len()];
    folded
        .par_chunks_mut(frame)
        .zip(frames.par_chunks(frame))
        .for_each(|(out, bytes)| {
            for y in 0..size {
                for x in 0..side {
                    let from = (y * side + x) * row;
                    let to = ((y / FOLD) * side + x) * channels + (y % FOLD) * row;
                    let values = bytes[from..from + row].iter().zip(&mean[from..from + row]);
                    for (o, (b, m)) in out[to..to + row].iter_mut().zip(values) {
                        *o = f32::from(*b) / 255. - m;
                    }
                }
            }
        });
    folded
}
