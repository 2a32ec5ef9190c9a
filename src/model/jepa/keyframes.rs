//! The next structured moment: contact made or lost, a body come to rest, a turning point. From the last
//! latents and the goal's, a mixture proposes such moments as latents, each with its time and its
//! probability, so that a planner can go from one to the next (sparse keyframes, as StructVLA names them).
//!
//! A mixture and not a flow: its probabilities are there in closed form, one pass gives all proposals at
//! once, and the same inputs give the same proposals. What it is trained on is labelled from the recorded
//! physics by `training/parallax_training/keyframes.py`; encoder and predictor stay as they are.

use crate::model::facets::Station;
use crate::model::nn::{Init, LayerNorm, Linear, Params, ops};
use candle_core::{D, Result, Tensor, bail};

const WIDTH: usize = 256;
const BLOCKS: usize = 3;
/// Proposals, M.
pub const MODES: usize = 8;
/// Of every mode before its latent: weight, mean and deviation of the logarithm of its time, deviation of
/// its latent.
const SCALARS: usize = 4;
/// Control steps that a proposal may lie ahead.
const TIMES: (f32, f32) = (1.0, 200.0);

/// From the last latents and a goal's latent to a mixture over the next structured moment.
pub struct Keyframes {
    dim: usize,
    history: usize,
    enter: Linear,
    blocks: Vec<(LayerNorm, Linear, Linear)>,
    out: Linear,
    /// `[D, D]`, transposed for a product from the right: takes out of a latent what it says of the hand,
    /// which in a goal's picture may stand anywhere.
    without_hand: Tensor,
}

impl Keyframes {
    /// For `history` latents `dim` wide; `p` is the model's root.
    ///
    /// # Errors
    /// Names the tensor that is missing or was made for latents of another size.
    pub fn new(dim: usize, history: usize, p: &Params) -> Result<Self> {
        let p = p.pp("keyframes");
        if let Some(found) = p.shape_of("without_hand").filter(|s| s[..] != [dim, dim]) {
            bail!(
                "keyframes.without_hand: found shape {found:?}, expected [{dim}, {dim}]: the head was \
                 trained on latents of another model; train it again on this one"
            );
        }
        let block = |b: usize| -> Result<_> {
            let q = p.pp(format!("blocks.{b}"));
            Ok((
                LayerNorm::new(WIDTH, 1e-5, q.pp("norm"))?,
                Linear::new(WIDTH, WIDTH, q.pp("0"))?,
                Linear::new(WIDTH, WIDTH, q.pp("1"))?,
            ))
        };
        let without_hand = p.buffer((dim, dim), "without_hand", Init::Zeros)?;
        Ok(Self {
            dim,
            history,
            enter: Linear::new((history + 2) * dim, WIDTH, p.pp("in"))?,
            blocks: (0..BLOCKS).map(block).collect::<Result<_>>()?,
            out: Linear::new(WIDTH, MODES * (dim + SCALARS), p.pp("out"))?,
            without_hand: without_hand.as_detached_tensor().t()?.contiguous()?,
        })
    }

    /// Whether `p`, a model's root, holds one.
    pub fn is_in(p: &Params) -> bool {
        p.contains("keyframes.out.weight")
    }

    /// Latents `[N, D]` without what they say of the hand.
    ///
    /// # Errors
    /// Those of the tensor library.
    pub fn without_hand(&self, z: &Tensor) -> Result<Tensor> {
        z.matmul(&self.without_hand)
    }

    /// The mixture `[N, M, 4 + D]` from latents `z: [N, H·D]`, oldest first, and goals `[N, D]`: logit,
    /// mean and log deviation of the logarithm of the time, log deviation of the latent, and the latent's
    /// mean less the newest latent.
    ///
    /// # Errors
    /// Says which of the two has another size than the latents it was trained on.
    pub fn forward(&self, z: &Tensor, goal: &Tensor) -> Result<Tensor> {
        let sizes = [("latents", z, self.history), ("goal", goal, 1)];
        for (what, given, count) in sizes {
            let (found, expected) = (given.dim(1)?, count * self.dim);
            if found != expected {
                bail!(
                    "{what}: found {found} numbers, expected {expected}: {count} latents of {}",
                    self.dim
                );
            }
        }
        let now = z.narrow(1, (self.history - 1) * self.dim, self.dim)?;
        let goal = self.without_hand(goal)?;
        let way = (&goal - self.without_hand(&now.contiguous()?)?)?;
        let x = Tensor::cat(&[z, &goal, &way], D::Minus1)?;
        let mut h = ops::gelu(&self.enter.forward(&x)?)?;
        for (norm, first, second) in &self.blocks {
            let inner = ops::gelu(&first.forward(&norm.forward(&h)?)?)?;
            h = (h + second.forward(&inner)?)?;
        }
        let n = z.dim(0)?;
        self.out
            .forward(&h)?
            .reshape((n, MODES, self.dim + SCALARS))
    }

    /// The proposals after `z: [1, H·D]` on the way to `goal: [1, D]`, the most probable first.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn propose(&self, z: &Tensor, goal: &Tensor) -> Result<Vec<Station>> {
        let row = self.dim + SCALARS;
        let said: Vec<f32> = self.forward(z, goal)?.flatten_all()?.to_vec1()?;
        let z: Vec<f32> = z.flatten_all()?.to_vec1()?;
        let now = &z[(self.history - 1) * self.dim..];
        let most = said.iter().step_by(row).copied().fold(f32::MIN, f32::max);
        let weights: Vec<f32> = said
            .iter()
            .step_by(row)
            .map(|l| libm::expf(l - most))
            .collect();
        let total: f32 = weights.iter().sum();
        let station = |(mode, weight): (&[f32], &f32)| Station {
            latent: mode[SCALARS..]
                .iter()
                .zip(now)
                .map(|(d, z)| d + z)
                .collect(),
            steps: libm::expf(mode[1]).clamp(TIMES.0, TIMES.1),
            probability: weight / total,
            ..Station::default()
        };
        let mut found: Vec<Station> = said.chunks_exact(row).zip(&weights).map(station).collect();
        found.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        Ok(found)
    }
}
