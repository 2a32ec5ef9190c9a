//! Jumps of 1, 2, 4 or 8 steps in the latents of a finished LeWM: a film goes far first and is filled in
//! afterwards, so that step 20 is three network calls from the start instead of twenty, and all that lies
//! between comes with three more.
//!
//! Every step is reached from the nearest moment before it that a coarser jump has reached: from both sides
//! it could be guessed better, but then it would depend on actions that come after it. What is known of a
//! moment is its latent and its motion (the latent less the one a step before), and a jump says both of where
//! it lands. Encoder and predictor stay as they are; `training/parallax_training/jumps.py` trains the rest.

use super::LewmConfig;
use crate::model::facets::FilmCost;
use crate::model::nn::{Init, LayerNorm, Linear, Params, ops};
use crate::model::{Cancel, ModelError};
use candle_core::{D, DType, Result, Tensor, bail};

const WIDTH: usize = 256;
const BLOCKS: usize = 3;
/// Steps of a jump.
pub const JUMPS: [usize; 4] = [1, 2, 4, 8];
const LONGEST: usize = JUMPS[JUMPS.len() - 1];
/// Steps that are imagined from one look back.
pub const STRETCH: usize = 24;

/// Steps of the jump that lands at step `t` of a stretch, counted from 1.
pub fn jump_to(t: usize) -> usize {
    LONGEST.min(1 << t.trailing_zeros().min(31))
}

/// The steps at which the jumps of a stretch land, a list a network call: first from eight to eight, one
/// after the other, then all jumps of four, all of two and all of one.
pub fn calls(steps: usize) -> Vec<Vec<usize>> {
    let far = (LONGEST..=steps).step_by(LONGEST).map(|t| vec![t]);
    let of =
        |jump: &usize| -> Vec<usize> { (1..=steps).filter(|&t| jump_to(t) == *jump).collect() };
    let between = JUMPS[..JUMPS.len() - 1].iter().rev().map(of);
    far.chain(between.filter(|landings| !landings.is_empty()))
        .collect()
}

struct Block {
    norm: LayerNorm,
    film: Linear,
    first: Linear,
    second: Linear,
}

/// A moment: its latents and its motions, both `[N, D]`.
type Moment = (Tensor, Tensor);

/// From latents and actions to the latents some steps on.
pub struct Jumps {
    dim: usize,
    history: usize,
    actions: usize,
    context: Linear,
    enter: Linear,
    blocks: Vec<Block>,
    out: Linear,
    /// Root mean square of a step's motion.
    motion: f64,
}

impl Jumps {
    /// On `p`, the root of a model of that kind.
    ///
    /// # Errors
    /// Names the tensor that is missing or was made for a model of other sizes, and the field with which
    /// steps are no control steps.
    pub fn new(config: &LewmConfig, p: &Params) -> Result<Self> {
        let (dim, history, actions) = (config.latent_dim, config.history, config.action_dim);
        if config.frameskip != 1 {
            let found = config.frameskip;
            bail!("frameskip: found {found}, expected 1: jumps are counted in control steps");
        }
        let p = p.pp("jumps");
        let block = |b: usize| -> Result<_> {
            let q = p.pp(format!("blocks.{b}"));
            Ok(Block {
                norm: LayerNorm::new(WIDTH, 1e-5, q.pp("norm"))?,
                film: Linear::zeros(JUMPS.len(), 2 * WIDTH, q.pp("film"))?,
                first: Linear::new(WIDTH, WIDTH, q.pp("0"))?,
                second: Linear::new(WIDTH, WIDTH, q.pp("1"))?,
            })
        };
        let motion = p.buffer(1, "motion", Init::Ones)?;
        let motion: Vec<f32> = motion.as_detached_tensor().to_vec1()?;
        Ok(Self {
            dim,
            history,
            actions,
            context: Linear::new(history * dim, WIDTH, p.pp("context"))?,
            enter: Linear::new(
                2 * dim + LONGEST * actions + JUMPS.len() + 1,
                WIDTH,
                p.pp("in"),
            )?,
            blocks: (0..BLOCKS).map(block).collect::<Result<_>>()?,
            out: Linear::zeros(WIDTH, 2 * dim, p.pp("out"))?,
            motion: f64::from(motion[0]),
        })
    }

    /// Whether `p`, a model's root, holds them.
    pub fn is_in(p: &Params) -> bool {
        p.contains("jumps.out.weight")
    }

    /// The latents `[N, T, D]` that follow `start: [1, H·D]`, oldest first, under actions `[N, T, A]`.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`] between two calls of the network once `cancel` is raised, and what has
    /// another size than the latents that it was trained on.
    pub fn film(
        &self,
        start: &Tensor,
        actions: &Tensor,
        cancel: &Cancel,
    ) -> std::result::Result<Tensor, ModelError> {
        let (n, steps, _) = actions.dims3()?;
        let mut last = start.broadcast_as((n, start.dim(1)?))?.contiguous()?;
        let mut found: Vec<Tensor> = Vec::with_capacity(steps);
        while found.len() < steps {
            let some = STRETCH.min(steps - found.len());
            let actions = actions.narrow(1, found.len(), some)?;
            let stretch = self.stretch(&last, &actions, cancel)?;
            let known = [&[last][..], &stretch[..]].concat();
            last = Tensor::cat(&known, 1)?;
            let (all, kept) = (last.dim(1)?, self.history * self.dim);
            last = last.narrow(1, all - kept, kept)?.contiguous()?;
            found.extend(stretch);
        }
        Ok(match found.is_empty() {
            true => Tensor::zeros((n, 0, self.dim), DType::F32, start.device())?,
            false => Tensor::stack(&found, 1)?,
        })
    }

    /// Latents `[N, D]` of each step of a stretch.
    fn stretch(
        &self,
        last: &Tensor,
        actions: &Tensor,
        cancel: &Cancel,
    ) -> std::result::Result<Vec<Tensor>, ModelError> {
        let steps = actions.dim(1)?;
        let (context, now) = self.look_back(last)?;
        let mut known: Vec<Option<Moment>> = vec![None; steps + 1];
        known[0] = Some(now);
        for landings in calls(steps) {
            cancel.check()?;
            let begun = landings.iter().map(|t| known[t - jump_to(*t)].as_ref());
            // A coarser jump has been there, or the stretch begins there.
            let begun: Vec<&Moment> = begun.flatten().collect();
            for (t, moment) in landings
                .iter()
                .zip(self.land(&context, &begun, actions, &landings)?)
            {
                known[*t] = Some(moment);
            }
        }
        Ok(known.into_iter().skip(1).flatten().map(|m| m.0).collect())
    }

    /// What all jumps of a stretch are told of the latents before it, `last: [N, H·D]`; and the moment now.
    fn look_back(&self, last: &Tensor) -> Result<(Tensor, Moment)> {
        let (d, h) = (self.dim, self.history);
        let of = |i: usize| last.narrow(1, i * d, d);
        let steps = (1..h).map(|i| of(i)? - of(i - 1)?);
        let steps = steps.collect::<Result<Vec<_>>>()?;
        let now = of(h - 1)?.contiguous()?;
        let motion = match steps.last() {
            Some(step) => step.clone(),
            None => now.zeros_like()?,
        };
        let mut told = Vec::with_capacity(h);
        for step in &steps {
            told.push((step / self.motion)?);
        }
        told.push(now.clone());
        let context = self.context.forward(&Tensor::cat(&told, 1)?)?;
        Ok((context, (now, motion)))
    }

    /// The moments at the steps `landings` of a stretch, from those where the jumps begin, under the
    /// stretch's actions `[N, T, A]`.
    fn land(
        &self,
        context: &Tensor,
        begun: &[&Moment],
        actions: &Tensor,
        landings: &[usize],
    ) -> Result<Vec<Moment>> {
        let (n, _, dim) = actions.dims3()?;
        let device = actions.device();
        let (mut rows, mut kinds) = (Vec::new(), Vec::new());
        for ((z, motion), &t) in begun.iter().zip(landings) {
            let jump = jump_to(t);
            let taken = actions.narrow(1, t - jump, jump)?;
            let taken = taken.pad_with_zeros(1, 0, LONGEST - jump)?;
            let taken = taken.reshape((n, LONGEST * dim))?;
            let kind: Vec<f32> = JUMPS.iter().map(|&j| f32::from(j == jump)).collect();
            let at = [(t - jump) as f32 / LONGEST as f32];
            let kind = Tensor::from_vec(kind, (1, JUMPS.len()), device)?;
            let kind = kind.broadcast_as((n, JUMPS.len()))?;
            let at = Tensor::from_slice(&at, (1, 1), device)?.broadcast_as((n, 1))?;
            rows.push(Tensor::cat(
                &[z, &(motion / self.motion)?, &taken, &kind, &at],
                D::Minus1,
            )?);
            kinds.push(kind);
        }
        let (x, kind) = (Tensor::cat(&rows, 0)?, Tensor::cat(&kinds, 0)?);
        let count = landings.len();
        let entered = self.enter.forward(&x)?.reshape((count, n, WIDTH))?;
        let entered = entered.broadcast_add(context)?;
        let mut h = ops::gelu(&entered.reshape((count * n, WIDTH))?)?;
        for block in &self.blocks {
            let film = block.film.forward(&kind)?;
            let (scale, shift) = (film.narrow(1, 0, WIDTH)?, film.narrow(1, WIDTH, WIDTH)?);
            let inner = ((block.norm.forward(&h)? * (scale + 1.0)?)? + shift)?;
            let inner = ops::gelu(&block.first.forward(&inner)?)?;
            h = (h + block.second.forward(&inner)?)?;
        }
        let said = self.out.forward(&h)?.reshape((count, n, 2 * self.dim))?;
        let moment = |(i, (z, _)): (usize, &&Moment)| -> Result<Moment> {
            let said = said.get(i)?;
            let moved = said.narrow(1, 0, self.dim)?;
            let motion = (said.narrow(1, self.dim, self.dim)? * self.motion)?;
            Ok(((z + moved)?, motion))
        };
        begun.iter().enumerate().map(moment).collect()
    }

    /// Calls of the network for a film of so many steps, and floating-point operations (two a multiply-add).
    pub fn cost(&self, steps: usize) -> FilmCost {
        let stretches = (0..steps).step_by(STRETCH).map(|t| STRETCH.min(steps - t));
        let called: Vec<usize> = stretches.map(|some| calls(some).len()).collect();
        let look_back = self.history * self.dim * WIDTH;
        let enter = 2 * self.dim + LONGEST * self.actions + JUMPS.len() + 1;
        let blocks = BLOCKS * (2 * WIDTH * WIDTH + 2 * JUMPS.len() * WIDTH);
        let jump = enter * WIDTH + blocks + WIDTH * 2 * self.dim;
        FilmCost {
            calls: called.iter().sum(),
            flops: 2.0 * (called.len() * look_back + steps * jump) as f64,
        }
    }
}
