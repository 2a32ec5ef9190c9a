//! The first stage: from the tubelets that are seen, predict the embeddings of those that are hidden.

use super::config::{TUBELET, VjepaConfig};
use super::encoder::{TubeletEncoder, positions, tubelets};
use super::masks::Mask;
use crate::model::nn::{Init, LayerNorm, Linear, Params, PreNormBlock, ops};
use candle_core::{Device, Result, Tensor};

/// Predicts embeddings of hidden tubelets from those of visible ones and from their places alone.
struct HiddenPredictor {
    embed: Linear,
    positions: Tensor,
    mask_token: Tensor,
    blocks: Vec<PreNormBlock>,
    norm: LayerNorm,
    out: Linear,
}

impl HiddenPredictor {
    fn new(config: &VjepaConfig, p: &Params) -> Result<Self> {
        let (c, w) = (config, config.masked_width);
        let shape = (c.slots() * c.cells(), w);
        let block = |i| PreNormBlock::new(w, c.masked_heads, 4 * w, p.pp(format!("blocks.{i}")));
        Ok(Self {
            embed: Linear::new(c.width, w, p.pp("embed"))?,
            positions: Tensor::from_vec(positions(c.slots(), c.grid(), w), shape, p.device())?,
            mask_token: p.get(w, "mask_token", Init::Normal(0.02))?,
            blocks: (0..c.masked_layers).map(block).collect::<Result<_>>()?,
            norm: LayerNorm::new(w, 1e-5, p.pp("norm"))?,
            out: Linear::new(w, c.width, p.pp("out"))?,
        })
    }

    /// Embeddings `[B, H, width]` at the places `hidden: [B·H]` from `seen: [B, V, width]` at the places
    /// `visible: [B·V]`.
    fn forward(&self, seen: &Tensor, visible: &Tensor, hidden: &Tensor) -> Result<Tensor> {
        let (b, v, _) = seen.dims3()?;
        let at = |places: &Tensor| self.positions.index_select(places, 0);
        let w = self.positions.dim(1)?;
        let known = (self.embed.forward(seen)? + at(visible)?.reshape((b, v, w))?)?;
        let asked = ops::add_bias(&at(hidden)?, &self.mask_token)?.reshape((b, (), w))?;
        let h = asked.dim(1)?;
        let mut x = Tensor::cat(&[known, asked], 1)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        let x = x.narrow(1, v, h)?.contiguous()?;
        self.out.forward(&self.norm.forward(&x)?)
    }
}

/// Clips of one length with masks of one size, on their way into the networks.
pub struct ClipBatch {
    /// Clips, B.
    pub clips: usize,
    /// All tubelets, `[B·T, values]`.
    rows: Tensor,
    /// Places in the clip of the visible tubelets, `[B·V]`, and their rows in `rows`.
    visible: (Tensor, Tensor),
    /// The same of those to be predicted, `[B·H]`.
    hidden: (Tensor, Tensor),
    /// Places of all, `[B·T]`.
    all: Tensor,
}

impl ClipBatch {
    /// Clips of `slots · 2` frames each, as bytes, with a mask each; all masks have the same numbers of
    /// cells.
    pub fn new(
        config: &VjepaConfig,
        clips: &[Vec<&[u8]>],
        masks: &[Mask],
        device: &Device,
    ) -> Result<Self> {
        let slots = clips.first().map_or(0, |c| c.len() / TUBELET);
        let (cells, b) = (config.cells(), clips.len());
        let tokens = slots * cells;
        let mut rows = Vec::new();
        clips.iter().for_each(|c| tubelets(config, c, &mut rows));
        let places = |of: fn(&Mask) -> &Vec<u32>| -> Result<(Tensor, Tensor)> {
            let (mut places, mut at) = (Vec::new(), Vec::new());
            for (clip, mask) in masks.iter().enumerate() {
                for slot in 0..slots {
                    for cell in of(mask) {
                        let place = (slot * cells) as u32 + cell;
                        places.push(place);
                        at.push((clip * tokens) as u32 + place);
                    }
                }
            }
            let n = places.len();
            Ok((
                Tensor::from_vec(places, n, device)?,
                Tensor::from_vec(at, n, device)?,
            ))
        };
        let all = (0..b).flat_map(|_| 0..tokens as u32).collect::<Vec<_>>();
        let values = TUBELET * config.patch * config.patch * 3;
        Ok(Self {
            clips: b,
            rows: Tensor::from_vec(rows, (b * tokens, values), device)?,
            visible: places(|m| &m.visible)?,
            hidden: places(|m| &m.hidden)?,
            all: Tensor::from_vec(all, b * tokens, device)?,
        })
    }
}

/// Context encoder, its slow average the target encoder, and the predictor between them.
pub struct MaskedJepa {
    config: VjepaConfig,
    context: TubeletEncoder,
    target: TubeletEncoder,
    predictor: HiddenPredictor,
}

impl MaskedJepa {
    /// Networks under `context`, `target` and `masked` of `p`. No gradient reaches the target encoder: it
    /// follows by [`follow`](Self::follow).
    pub fn new(config: &VjepaConfig, p: &Params) -> Result<Self> {
        Ok(Self {
            config: config.clone(),
            context: TubeletEncoder::new(config, &p.pp("context"))?,
            target: TubeletEncoder::new(config, &p.pp("target").detached())?,
            predictor: HiddenPredictor::new(config, &p.pp("masked"))?,
        })
    }

    /// Moves the target encoder towards the context encoder: `target = decay · target + (1 − decay) ·
    /// context`.
    pub fn follow(p: &Params, decay: f64) -> Result<()> {
        crate::model::nn::follow(&p.pp("target"), &p.pp("context"), decay)
    }

    /// What the context encoder makes of the visible tubelets, `[B, V, width]`.
    pub fn see(&self, batch: &ClipBatch) -> Result<Tensor> {
        let (places, at) = &batch.visible;
        let rows = batch.rows.index_select(at, 0)?;
        self.context.forward(&rows, places, batch.clips)
    }

    /// Absolute errors `[B, H, width]` of the predicted embeddings against the target encoder's,
    /// layer-normalised.
    pub fn errors(&self, batch: &ClipBatch) -> Result<Tensor> {
        let seen = self.see(batch)?;
        let found = self
            .predictor
            .forward(&seen, &batch.visible.0, &batch.hidden.0)?;
        let targets = self
            .target
            .forward(&batch.rows, &batch.all, batch.clips)?
            .detach();
        let (b, t, d) = targets.dims3()?;
        let targets = targets
            .reshape((b * t, d))?
            .index_select(&batch.hidden.1, 0)?;
        let targets = ops::layer_norm(&targets, None, None, 1e-5)?;
        (found - targets.reshape((b, (), d))?)?.abs()
    }

    /// The loss: mean absolute error, a scalar.
    pub fn loss(&self, batch: &ClipBatch) -> Result<Tensor> {
        self.errors(batch)?.mean_all()
    }

    /// Its configuration.
    pub fn config(&self) -> &VjepaConfig {
        &self.config
    }

    /// Where it runs.
    pub fn device(&self) -> &Device {
        self.context.device()
    }
}
