//! What the frozen encoder makes of single frames.

use super::config::{TUBELET, VjepaConfig};
use super::encoder::{TubeletEncoder, tubelets};
use crate::model::nn::{Params, PreNormBlock, ops};
use candle_core::{DType, Device, Result, Tensor, bail};

/// Frames encoded at a time.
const CHUNK: usize = 64;

/// The target encoder, and the order that the tokens of a frame lie in.
pub struct FrameMaps {
    config: VjepaConfig,
    encoder: TubeletEncoder,
    /// Cells of the grid in the map's order.
    order: Tensor,
}

impl FrameMaps {
    /// The encoder under `target` of `p`, which stays as it is. Squares of `merge × merge` tokens lie side by
    /// side: with 1 tokens are in the order of the grid's rows.
    ///
    /// # Errors
    /// Names the tensor that is missing or has another shape.
    pub fn new(config: &VjepaConfig, merge: usize, p: &Params) -> Result<Self> {
        let (grid, side) = (config.grid(), config.grid() / merge);
        let order: Vec<u32> = (0..config.cells())
            .map(|i| {
                let (square, within) = (i / (merge * merge), i % (merge * merge));
                let row = square / side * merge + within / merge;
                let column = square % side * merge + within % merge;
                (row * grid + column) as u32
            })
            .collect();
        Ok(Self {
            encoder: TubeletEncoder::new(config, &p.pp("target").detached())?,
            order: Tensor::from_vec(order, config.cells(), p.device())?,
            config: config.clone(),
        })
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        self.encoder.device()
    }

    /// Maps `[N, map]` of frames `[N, H, W, 3]` as bytes: layer-normalised embeddings of their tokens. As in
    /// the paper, a frame is encoded as the tubelet of itself twice.
    ///
    /// # Errors
    /// If bytes are not whole frames; those of the tensor library.
    pub fn encode_frames(&self, frames: &[u8]) -> Result<Tensor> {
        let (c, size) = (&self.config, self.config.image_size.pow(2) * 3);
        if !frames.len().is_multiple_of(size) {
            bail!("frames: {} bytes are not whole frames", frames.len());
        }
        let mut maps = Vec::new();
        for chunk in frames.chunks(CHUNK * size) {
            let n = chunk.len() / size;
            let mut rows = Vec::new();
            for frame in chunk.chunks_exact(size) {
                tubelets(c, &[frame; TUBELET], &mut rows);
            }
            let rows = Tensor::from_vec(rows, (n * c.cells(), ()), self.device())?;
            let places: Vec<u32> = (0..n).flat_map(|_| 0..c.cells() as u32).collect();
            let places = Tensor::from_vec(places, n * c.cells(), self.device())?;
            let x = self.encoder.forward(&rows, &places, n)?;
            let x = x.index_select(&self.order, 1)?;
            maps.push(ops::layer_norm(&x, None, None, 1e-5)?.reshape((n, c.map_len()))?);
        }
        match maps.is_empty() {
            true => Tensor::zeros((0, c.map_len()), DType::F32, self.device()),
            false => Tensor::cat(&maps, 0),
        }
    }

    /// Floating-point operations (two a multiply-add) of encoding one frame.
    pub fn flops(config: &VjepaConfig) -> f64 {
        let (c, cells) = (config, config.cells());
        let embed = 2. * (cells * TUBELET * c.patch * c.patch * 3 * c.width) as f64;
        embed + c.layers as f64 * PreNormBlock::flops(cells, c.width, c.mlp_width)
    }
}
