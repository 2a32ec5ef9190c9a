//! Tubelets and the transformer over them.

use super::config::{TUBELET, VjepaConfig};
use crate::model::nn::{LayerNorm, Linear, Params, PreNormBlock};
use candle_core::{Device, Result, Tensor};

/// Tubelets `[slots, grid, grid]` of one clip as rows of `2·patch·patch·3` values around 0, from its
/// frames `[2·slots][H, W, 3]` bytes; ordered frame, row, column, channel.
pub fn tubelets(config: &VjepaConfig, frames: &[&[u8]], rows: &mut Vec<f32>) {
    let (side, patch, grid) = (config.image_size, config.patch, config.grid());
    for pair in frames.chunks_exact(TUBELET) {
        for cell in 0..grid * grid {
            let (top, left) = (cell / grid * patch, cell % grid * patch);
            for frame in pair {
                for y in top..top + patch {
                    let from = (y * side + left) * 3;
                    let line = &frame[from..from + patch * 3];
                    rows.extend(line.iter().map(|b| f32::from(*b) / 127.5 - 1.));
                }
            }
        }
    }
}

/// Fixed sinusoidal positions of `slots · grid · grid` tokens, `[tokens, width]`: a third of the width
/// each for row, column and time.
pub fn positions(slots: usize, grid: usize, width: usize) -> Vec<f32> {
    let space = width / 6 * 2;
    let mut rows = Vec::with_capacity(slots * grid * grid * width);
    let mut waves = |at: usize, width: usize| {
        let half = width / 2;
        for i in 0..half {
            let rate = libm::powf(100., -(i as f32) / half.max(1) as f32);
            let (sin, cos) = libm::sincosf(at as f32 * rate);
            rows.extend([sin, cos]);
        }
    };
    for slot in 0..slots {
        for cell in 0..grid * grid {
            waves(cell / grid, space);
            waves(cell % grid, space);
            waves(slot, width - 2 * space);
        }
    }
    rows
}

/// The vision transformer of V-JEPA: tubelets, positions, pre-norm blocks, a last norm.
pub struct TubeletEncoder {
    embed: Linear,
    positions: Tensor,
    blocks: Vec<PreNormBlock>,
    norm: LayerNorm,
}

impl TubeletEncoder {
    /// An encoder on the subtree `p`.
    pub fn new(config: &VjepaConfig, p: &Params) -> Result<Self> {
        let (c, d) = (config, config.width);
        let patch = TUBELET * c.patch * c.patch * 3;
        let shape = (c.slots() * c.cells(), d);
        let block = |i| PreNormBlock::new(d, c.heads, c.mlp_width, p.pp(format!("blocks.{i}")));
        Ok(Self {
            embed: Linear::new(patch, d, p.pp("embed"))?,
            positions: Tensor::from_vec(positions(c.slots(), c.grid(), d), shape, p.device())?,
            blocks: (0..c.layers).map(block).collect::<Result<_>>()?,
            norm: LayerNorm::new(d, 1e-5, p.pp("norm"))?,
        })
    }

    /// Embeddings `[B, T, width]` of tubelets `rows: [B·T, values]` that lie at `places: [B·T]` of the
    /// clip.
    pub fn forward(&self, rows: &Tensor, places: &Tensor, batch: usize) -> Result<Tensor> {
        let at = self.positions.index_select(places, 0)?;
        let x = (self.embed.forward(rows)? + at)?;
        let mut x = x.reshape((batch, x.dim(0)? / batch.max(1), x.dim(1)?))?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.norm.forward(&x)
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        self.positions.device()
    }
}
