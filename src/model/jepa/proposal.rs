//! What experience did in such a place with such an outcome: a prior over actions from which a search may take some of its first
//! candidates, so that it need not find by chance what takes several right moves in a row (a grasp, a way round a body).
//!
//! Behaviour cloning in hindsight (Ghosh et al. 2021, arXiv 1912.06088; as a planner's proposals: Wang and Ba 2020, POPLIN, arXiv 1906.08649),
//! on frozen latents: any later moment of an episode was a goal that its actions reached. The world model still judges every candidate.

use crate::model::nn::{LayerNorm, Linear, Params, ops};
use candle_core::{D, Result, Tensor};

const WIDTH: usize = 256;
const BLOCKS: usize = 2;

/// From the last latents and a goal's latent to the mean action of the next token.
pub struct Proposal {
    enter: Linear,
    blocks: Vec<(LayerNorm, Linear, Linear)>,
    out: Linear,
}

impl Proposal {
    /// For `history` latents `dim` wide and `actions` components; `p` is the model's root.
    pub fn new(dim: usize, history: usize, actions: usize, p: &Params) -> Result<Self> {
        let p = p.pp("proposal");
        let block = |b: usize| -> Result<_> {
            let q = p.pp(format!("blocks.{b}"));
            Ok((
                LayerNorm::new(WIDTH, 1e-5, q.pp("norm"))?,
                Linear::new(WIDTH, WIDTH, q.pp("0"))?,
                Linear::new(WIDTH, WIDTH, q.pp("1"))?,
            ))
        };
        Ok(Self {
            enter: Linear::new((history + 1) * dim, WIDTH, p.pp("in"))?,
            blocks: (0..BLOCKS).map(block).collect::<Result<_>>()?,
            out: Linear::new(WIDTH, actions, p.pp("out"))?,
        })
    }

    /// Whether `p`, a model's root, holds one.
    pub fn is_in(p: &Params) -> bool {
        p.contains("proposal.out.weight")
    }

    /// Mean actions `[N, A]` from latents `z: [N, H·D]`, oldest first, and goals `[N, D]`.
    pub fn forward(&self, z: &Tensor, goal: &Tensor) -> Result<Tensor> {
        let x = Tensor::cat(&[z, goal], D::Minus1)?;
        let mut h = ops::gelu(&self.enter.forward(&x)?)?;
        for (norm, first, second) in &self.blocks {
            let inner = ops::gelu(&first.forward(&norm.forward(&h)?)?)?;
            h = (h + second.forward(&inner)?)?;
        }
        self.out.forward(&h)
    }
}
