//! What experience did in such a place with such an outcome: a prior over actions from which a search may
//! take some of its first candidates, so that it need not find by chance what takes several right moves in
//! a row (a grasp, a way round a body).
//!
//! Behaviour cloning in hindsight (Ghosh et al. 2021, arXiv 1912.06088; as a planner's proposals: Wang and
//! Ba 2020, POPLIN, arXiv 1906.08649), on frozen latents: any later moment of an episode was a goal that
//! its actions reached. The world model still judges every candidate.

use super::Lewm;
use crate::model::Actions;
use crate::model::nn::{LayerNorm, Linear, Params, Rng, ops};
use candle_core::{D, Result, Tensor};

const WIDTH: usize = 256;
const BLOCKS: usize = 2;
/// Standard deviation of the noise on the widest proposal.
const SPREAD: f32 = 0.5;

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

    /// Action sequences `[n, steps, dim]` from the prior along what `model` imagines of them, from latents
    /// `z: [1, H·D]` towards a goal `[1, D]`: the first as the prior's mean says, each later one with more
    /// noise.
    pub fn draw(
        &self,
        model: &Lewm,
        z: &Tensor,
        goal: &Tensor,
        (n, steps, dim): (usize, usize, usize),
        seed: u64,
    ) -> Result<Actions> {
        let c = model.config();
        let goal = goal.broadcast_as((n, c.latent_dim))?.contiguous()?;
        let mut z = z.broadcast_as((n, z.dim(1)?))?.contiguous()?;
        let mut rng = Rng::stream(seed, 0x9209);
        let mut data = vec![0f32; n * steps * dim];
        for t in 0..steps.div_ceil(c.frameskip) {
            let mean: Vec<f32> = self.forward(&z, &goal)?.flatten_all()?.to_vec1()?;
            let mut blocks = Vec::with_capacity(n * c.frameskip * c.action_dim);
            for (i, mean) in mean.chunks_exact(c.action_dim).enumerate() {
                let spread = SPREAD * i as f32 / n as f32;
                let action: Vec<f32> = mean
                    .iter()
                    .map(|m| (m + spread * rng.normal_f32()).clamp(-1., 1.))
                    .collect();
                (0..c.frameskip).for_each(|_| blocks.extend_from_slice(&action));
                for step in t * c.frameskip..steps.min((t + 1) * c.frameskip) {
                    let at = (i * steps + step) * dim;
                    let own = dim.min(c.action_dim);
                    data[at..at + own].copy_from_slice(&action[..own]);
                }
            }
            let shape = (n, c.frameskip * c.action_dim);
            let blocks = Tensor::from_vec(blocks, shape, model.device())?;
            let next = model.predict(&z, &blocks, None)?;
            z = model.shift(&z, &next)?;
        }
        Ok(Actions {
            n,
            steps,
            dim,
            data,
        })
    }
}
