//! How many control steps it still takes from a latent to a goal: a distance that is learned from time
//! (temporal distance; hindsight over whole episodes, as TRM), on the frozen latents of a finished LeWM.
//!
//! Half of what it is trained on is imagined by the predictor, so that it bears what a planner hands it. What
//! a goal's picture says of the hand is taken out: there the hand may stand anywhere. It is trained by
//! `training/parallax_training/distance.py`; encoder and predictor stay as they are.

use crate::model::nn::{Init, LayerNorm, Linear, Params, ops};
use candle_core::{D, Result, Tensor, bail};

/// Of a head that is made anew: width, residual blocks, networks.
const FRESH: (usize, usize, usize) = (256, 1, 2);
/// Logarithms of steps are no larger: some three thousand.
const MOST: f32 = 8.0;

/// One network of the ensemble.
struct Member {
    width: usize,
    enter: Linear,
    blocks: Vec<(LayerNorm, Linear, Linear)>,
    out: Linear,
}

/// From latents and a goal's latent to the steps that are still needed.
pub struct Temporal {
    dim: usize,
    members: Vec<Member>,
    /// `[O, 1]`: how much each of the quantities that a member says counts.
    weights: Tensor,
    /// How much the model's own distance counts beside the steps.
    own: f64,
    /// `[D, D]`, transposed for a product from the right: takes out of a latent what it says of the hand.
    without_hand: Tensor,
}

impl Temporal {
    /// For latents `dim` wide; `p` is the model's root. A file says how wide and deep the networks are, how
    /// many of them and how many quantities there are.
    ///
    /// # Errors
    /// Names the tensor that is missing or was made for latents of another size.
    pub fn new(dim: usize, p: &Params) -> Result<Self> {
        let p = p.pp("temporal");
        if let Some(found) = p.shape_of("without_hand").filter(|s| s[..] != [dim, dim]) {
            bail!(
                "temporal.without_hand: found shape {found:?}, expected [{dim}, {dim}]: the distance was \
                 learned on latents of another model; train it again on this one"
            );
        }
        let quantities = p.shape_of("weights").map_or(1, |s| s.iter().product());
        let (width, blocks, count) = match p.shape_of("weights").is_some() {
            false => FRESH,
            true => {
                let out = p.shape_of("members.0.out.weight");
                let width = out.as_ref().and_then(|s| s.get(1)).copied().unwrap_or(0);
                let have = |name: String| p.contains(&name);
                let blocks = (0..).take_while(|b| have(format!("members.0.blocks.{b}.0.weight")));
                let members = (0..).take_while(|m| have(format!("members.{m}.out.weight")));
                (width, blocks.count(), members.count())
            }
        };
        if count == 0 || quantities == 0 || width == 0 {
            bail!(
                "temporal: found no network, expected `temporal.members.0` with weights of its output"
            );
        }
        let member = |m: usize| -> Result<Member> {
            let p = p.pp(format!("members.{m}"));
            let block = |b: usize| -> Result<_> {
                let q = p.pp(format!("blocks.{b}"));
                Ok((
                    LayerNorm::new(width, 1e-5, q.pp("norm"))?,
                    Linear::new(width, width, q.pp("0"))?,
                    Linear::new(width, width, q.pp("1"))?,
                ))
            };
            Ok(Member {
                width,
                enter: Linear::new(4 * dim, width, p.pp("in"))?,
                blocks: (0..blocks).map(block).collect::<Result<_>>()?,
                out: Linear::new(width, quantities, p.pp("out"))?,
            })
        };
        let members = (0..count).map(member).collect::<Result<_>>()?;
        let weights = p.buffer(quantities, "weights", Init::Const(1.0))?;
        let own = p.buffer(1, "own", Init::Zeros)?;
        let without_hand = p.buffer((dim, dim), "without_hand", Init::Zeros)?;
        Ok(Self {
            dim,
            members,
            weights: weights.as_detached_tensor().reshape((quantities, 1))?,
            own: own
                .as_detached_tensor()
                .to_vec1::<f32>()?
                .iter()
                .copied()
                .map(f64::from)
                .sum(),
            without_hand: without_hand.as_detached_tensor().t()?.contiguous()?,
        })
    }

    /// Whether `p`, a model's root, holds one.
    pub fn is_in(p: &Params) -> bool {
        p.contains("temporal.weights")
    }

    /// What each member says of latents `[N, D]` and a goal `[1, D]`: logarithms of one more than the steps,
    /// `[N, O]` a member.
    ///
    /// # Errors
    /// Says which of the two has another size than the latents it was trained on.
    pub fn forward(&self, z: &Tensor, goal: &Tensor) -> Result<Vec<Tensor>> {
        for (what, given) in [("latents", z), ("goal", goal)] {
            let (found, expected) = (given.dim(1)?, self.dim);
            if found != expected {
                bail!("{what}: found latents of {found} numbers, expected {expected}");
            }
        }
        let way = goal
            .matmul(&self.without_hand)?
            .broadcast_sub(&z.matmul(&self.without_hand)?)?;
        let goal = goal.broadcast_as(z.shape())?.contiguous()?;
        let x = Tensor::cat(
            &[z, &goal.matmul(&self.without_hand)?, &way, &way.abs()?],
            D::Minus1,
        )?;
        let said = |member: &Member| -> Result<Tensor> {
            let mut h = ops::gelu(&member.enter.forward(&x)?)?;
            for (norm, first, second) in &member.blocks {
                let inner = ops::gelu(&first.forward(&norm.forward(&h)?)?)?;
                h = (h + second.forward(&inner)?)?;
            }
            member.out.forward(&h)
        };
        self.members.iter().map(said).collect()
    }

    /// Steps from latents `[N, D]` to a goal `[1, D]`, `[N]`: the mean of the members, each quantity as much
    /// as it counts.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn distance(&self, z: &Tensor, goal: &Tensor) -> Result<Tensor> {
        let mut total: Option<Tensor> = None;
        let said = self.forward(z, goal)?;
        let share = 1.0 / said.len() as f64;
        for said in said {
            let steps = said.clamp(-MOST, MOST)?.exp()?.matmul(&self.weights)?;
            total = Some(match total {
                Some(total) => (total + steps)?,
                None => steps,
            });
        }
        match total {
            Some(total) => (total * share)?.squeeze(1),
            None => bail!("temporal: has no members"),
        }
    }

    /// How much the model's own distance counts beside the steps, in steps a unit of it.
    pub fn own(&self) -> f64 {
        self.own
    }

    /// Floating-point operations for one latent.
    pub fn flops(&self) -> f64 {
        let d = self.dim as f64;
        let net = |m: &Member| {
            let w = m.width as f64;
            4.0 * d * w + 2.0 * m.blocks.len() as f64 * w * w
        };
        2.0 * (d * d + self.members.iter().map(net).sum::<f64>())
    }
}
