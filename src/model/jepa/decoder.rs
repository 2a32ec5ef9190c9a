//! The diagnostic decoder: what a frozen latent still knows of the picture. Trained afterwards; no planner
//! and no other loss sees it, and whatever it draws is marked as a diagnostic.

use crate::model::nn::{Init, LayerNorm, Linear, Params, ops};
use candle_core::{Result, Tensor};
use serde::{Deserialize, Serialize};

/// Sizes of a [`Decoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DecoderSizes {
    /// Side of the square of pixels that one query draws; divides the frame.
    pub patch: usize,
    /// Width of a query.
    pub width: usize,
    /// Layers, each a look at the latent and an MLP.
    pub layers: usize,
}

impl Default for DecoderSizes {
    fn default() -> Self {
        Self {
            patch: 8,
            width: 128,
            layers: 3,
        }
    }
}

/// A query learned for each patch looks at the latent and draws its pixels (LeWM, arXiv 2603.19312,
/// appendix: learned queries and cross-attention). Attention to a single token gives that token's value
/// whatever the query, so the layers are written as what they are: the latent's value added to every query,
/// then an MLP.
pub struct Decoder {
    sizes: DecoderSizes,
    image: usize,
    queries: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
    pixels: Linear,
}

struct Layer {
    value: Linear,
    norm: LayerNorm,
    first: Linear,
    second: Linear,
}

impl Decoder {
    /// Of latents `dim` wide, for frames of `image` pixels a side; `p` is the model's root.
    pub fn new(sizes: DecoderSizes, dim: usize, image: usize, p: &Params) -> Result<Self> {
        let (p, w) = (p.pp("decoder"), sizes.width);
        let side = image / sizes.patch.max(1);
        let layer = |i: usize| -> Result<Layer> {
            let q = p.pp(format!("layers.{i}"));
            Ok(Layer {
                value: Linear::new(dim, w, q.pp("value"))?,
                norm: LayerNorm::new(w, 1e-5, q.pp("norm"))?,
                first: Linear::new(w, 2 * w, q.pp("0"))?,
                second: Linear::new(2 * w, w, q.pp("1"))?,
            })
        };
        Ok(Self {
            queries: p.get((side * side, w), "queries", Init::Normal(1.))?,
            layers: (0..sizes.layers).map(layer).collect::<Result<_>>()?,
            norm: LayerNorm::new(w, 1e-5, p.pp("norm"))?,
            pixels: Linear::zeros(w, 3 * sizes.patch * sizes.patch, p.pp("pixels"))?,
            sizes,
            image,
        })
    }

    /// Difference from the mean image, `[N, P, p·p·3]` in units of [0, 1] for P patches of p×p pixels,
    /// from latents `[N, D]`.
    pub fn forward(&self, z: &Tensor) -> Result<Tensor> {
        let (n, _) = z.dims2()?;
        let (patches, w) = self.queries.dims2()?;
        let mut h = self
            .queries
            .unsqueeze(0)?
            .broadcast_as((n, patches, w))?
            .contiguous()?;
        for layer in &self.layers {
            h = h.broadcast_add(&layer.value.forward(z)?.unsqueeze(1)?)?;
            let inner = ops::gelu(&layer.first.forward(&layer.norm.forward(&h)?)?)?;
            h = (h + layer.second.forward(&inner)?)?;
        }
        self.pixels.forward(&self.norm.forward(&h)?)
    }

    /// Where in a frame `[H, W, 3]` the values of one row of [`Decoder::forward`] belong, in their order.
    pub fn places(&self) -> Vec<usize> {
        let (p, side) = (self.sizes.patch, self.image / self.sizes.patch.max(1));
        let mut places = Vec::with_capacity(3 * self.image * self.image);
        for cell in 0..side * side {
            let (top, left) = (cell / side * p, cell % side * p);
            for i in 0..p * p {
                let (y, x) = (top + i / p, left + i % p);
                places.extend((0..3).map(|c| 3 * (y * self.image + x) + c));
            }
        }
        places
    }

    /// Frames `[N, H, W, 3]` as bytes, from latents `[N, D]` and the image `[H·W·3]` in [0, 1] that they
    /// differ from.
    pub fn draw(&self, z: &Tensor, mean_image: &[f32]) -> Result<Vec<u8>> {
        let drawn: Vec<f32> = self.forward(z)?.flatten_all()?.to_vec1()?;
        let places = self.places();
        let mut frames = vec![0u8; drawn.len()];
        for (values, frame) in drawn
            .chunks_exact(places.len())
            .zip(frames.chunks_exact_mut(places.len()))
        {
            for (value, &at) in values.iter().zip(&places) {
                let level = value + mean_image.get(at).copied().unwrap_or(0.5);
                frame[at] = (255. * level).round().clamp(0., 255.) as u8;
            }
        }
        Ok(frames)
    }

    /// Floating-point operations of drawing one frame.
    pub fn flops(&self) -> f64 {
        let w = self.sizes.width as f64;
        let patches = (self.image / self.sizes.patch.max(1)).pow(2) as f64;
        let pixels = 3. * (self.sizes.patch * self.sizes.patch) as f64;
        2. * patches * (self.sizes.layers as f64 * 4. * w * w + w * pixels)
    }
}
