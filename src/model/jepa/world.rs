//! The world model around a predictor of latents: it plans in its latents and has no pixels.

use super::shared::{Inputs, ReadOuts};
use super::{GoalCost, ProbeSpec, Temporal};
use crate::model::facets::{Effort, Facets};
use crate::model::input;
use crate::model::nn::{Init, Params};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Frame, Goal, Latent, ModelError, Rollouts, Sampling,
    Shape, WorldModel,
};
use candle_core::{Device, Tensor};
use std::path::Path;

/// What a predictor takes.
pub struct Sizes {
    /// Side of a frame in pixels.
    pub image: usize,
    /// Numbers of a latent, D.
    pub latent: usize,
    /// Numbers of what probes read of a latent, K.
    pub summary: usize,
    /// Components of an action.
    pub action_dim: usize,
    /// Control steps of one imagined step.
    pub frameskip: usize,
    /// Imagined steps that it looks back.
    pub history: usize,
    /// Observations that it can use, the newest included.
    pub context: usize,
}

/// Encodes frames, and predicts the latents that follow.
pub trait Predictor: Send + Sync + Sized + 'static {
    /// The settings it is built from: part of `train.ron`.
    type Config;
    /// The parts of the weights that planning needs.
    const PARTS: &'static [&'static str];

    /// Networks on the weights in `params`, and what `spec` says was fitted to them afterwards.
    ///
    /// # Errors
    /// Names the field that makes no sense, or the tensor that is missing or has another shape.
    fn new(
        config: &Self::Config,
        params: &Params,
        spec: Option<&ProbeSpec>,
    ) -> candle_core::Result<Self>;

    /// What it takes.
    fn sizes(&self) -> Sizes;

    /// Where it runs.
    fn device(&self) -> &Device;

    /// The latent `[1, D]` of a frame.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn encode(&self, frame: &Frame) -> candle_core::Result<Tensor>;

    /// Whether a latent depends on what was observed before it.
    fn carries(&self) -> bool {
        false
    }

    /// The latent `[1, D]` of an observation that alone is `seen: [1, D]`, where the action block `[1,
    /// frameskip·A]` led to it from `before: [1, D]`; without one the episode begins.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn carry(
        &self,
        _before: Option<&Tensor>,
        seen: &Tensor,
        _block: &Tensor,
    ) -> candle_core::Result<Tensor> {
        Ok(seen.clone())
    }

    /// The next latents `[N, D]` from the last `[N, H·D]`, oldest first, and action blocks `[N,
    /// frameskip·A]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn predict(&self, last: &Tensor, block: &Tensor) -> candle_core::Result<Tensor>;

    /// The last latents `[N, H·D]` once `next: [N, D]` has followed `last: [N, H·D]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn shift(&self, last: &Tensor, next: &Tensor) -> candle_core::Result<Tensor> {
        let (h, d) = (self.sizes().history, self.sizes().latent);
        match h {
            1 => Ok(next.clone()),
            _ => Tensor::cat(&[&last.narrow(1, d, (h - 1) * d)?, next], 1),
        }
    }

    /// Latents `[N, T, D]` that follow `start: [1, H·D]` under action blocks `[N, T, frameskip·A]`, the
    /// fastest way.
    ///
    /// # Errors
    /// [`ModelError::Cancelled`] between two steps once `cancel` is raised.
    fn roll_out(
        &self,
        start: &Tensor,
        blocks: &Tensor,
        cancel: &Cancel,
    ) -> Result<Tensor, ModelError> {
        step_by_step(self, start, blocks, cancel)
    }

    /// Distance of latents `[M, D]` to `goal: [1, D]`, `[M]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn distance(&self, latents: &Tensor, goal: &Tensor) -> candle_core::Result<Tensor>;

    /// The distance in steps to a goal, where it learned one.
    fn temporal(&self) -> Option<&Temporal> {
        None
    }

    /// The distance that counts as a surprise of 1.
    fn unit_of_surprise(&self) -> f32 {
        1.0
    }

    /// What probes read of latents `[M, D]`: `[M, K]`.
    ///
    /// # Errors
    /// Those of the tensor library.
    fn summary(&self, latents: &Tensor) -> candle_core::Result<Tensor>;

    /// Floating-point operations of encoding one frame and of predicting one latent.
    fn flops(&self) -> (f64, f64);

    /// What a search that a person waits for may imagine.
    fn effort(&self) -> Effort {
        Effort::CHEAP
    }

    /// Whether its steps are cheap enough to be differentiated, and its latents small enough to be drawn.
    fn is_small(&self) -> bool {
        false
    }

    /// Adds what a model with this predictor can do besides planning in latents.
    fn add_facets<'a>(world: &'a JepaWorld<Self>, facets: Facets<'a>) -> Facets<'a>;
}

/// Latents `[N, T, D]` that follow `start: [1, H·D]` under action blocks `[N, T, frameskip·A]`, through
/// which gradients flow.
///
/// # Errors
/// [`ModelError::Cancelled`] between two steps once `cancel` is raised.
pub(super) fn step_by_step<P: Predictor>(
    predictor: &P,
    start: &Tensor,
    blocks: &Tensor,
    cancel: &Cancel,
) -> Result<Tensor, ModelError> {
    let (n, steps, _) = blocks.dims3()?;
    let mut last = start.broadcast_as((n, start.dim(1)?))?.contiguous()?;
    let mut latents = Vec::with_capacity(steps);
    for t in 0..steps {
        cancel.check()?;
        let block = blocks.narrow(1, t, 1)?.squeeze(1)?.contiguous()?;
        let next = predictor.predict(&last, &block)?;
        last = predictor.shift(&last, &next)?;
        latents.push(next);
    }
    Ok(match latents.is_empty() {
        true => {
            let shape = (n, 0, predictor.sizes().latent);
            Tensor::zeros(shape, last.dtype(), last.device())?
        }
        false => Tensor::stack(&latents, 1)?,
    })
}

/// The whitening `[D, D]` of a goal cost, transposed for a product from the right.
pub(super) fn whitening_of(
    cost: GoalCost,
    d: usize,
    params: &Params,
) -> candle_core::Result<Option<Tensor>> {
    Ok(match cost {
        GoalCost::Plain => None,
        GoalCost::Whitened => {
            let w = params.buffer((d, d), "whitening", Init::Zeros)?;
            Some(w.as_detached_tensor().t()?.contiguous()?)
        }
    })
}

/// A joint-embedding world model.
pub struct JepaWorld<P> {
    pub(super) card: Card,
    pub(super) predictor: P,
    pub(super) read_outs: Option<ReadOuts>,
    parameters: u64,
}

/// Imagined latents `[N, T, D]`.
pub(super) struct ImaginedLatents {
    pub(super) z: Tensor,
}

impl<P: Predictor> JepaWorld<P> {
    /// Reads a model folder: `card.ron` was read by the caller, `config` comes from `train.ron`,
    /// `model.safetensors` and (if there) `readouts.json` are read here.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and the tensor or field at fault.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &P::Config,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let spec = ReadOuts::spec(dir)?;
        input::load(dir, device, |params| {
            Self::from_params(card, config, params, spec)
        })
    }

    /// A model on weights in memory as they are now, such as those of a training that goes on.
    ///
    /// # Errors
    /// Names the field that makes no sense, or the tensor that is missing or has another shape.
    pub fn from_params(
        card: Card,
        config: &P::Config,
        params: &Params,
        spec: Option<ProbeSpec>,
    ) -> candle_core::Result<Self> {
        let frozen = params.detached();
        let predictor = P::new(config, &frozen, spec.as_ref())?;
        let read_outs = ReadOuts::of(spec, predictor.sizes().summary, &frozen)?;
        let count = |part: &&str| params.pp(*part).count() as u64;
        Ok(Self {
            card,
            predictor,
            read_outs,
            parameters: P::PARTS.iter().map(count).sum(),
        })
    }

    /// The networks.
    pub fn predictor(&self) -> &P {
        &self.predictor
    }

    pub(super) fn inputs(&self) -> Inputs<'_> {
        let sizes = self.predictor.sizes();
        Inputs {
            model: &self.card.name,
            action_dim: sizes.action_dim,
            frameskip: sizes.frameskip,
            history: sizes.history,
        }
    }

    pub(super) fn check(&self, frame: &Frame) -> Result<(), ModelError> {
        let side = self.predictor.sizes().image;
        input::check_frame(&self.card.name, "frame", (frame.size, &frame.data), side)
    }

    /// The latent `[1, D]` of a frame.
    pub(in crate::model) fn encode(&self, frame: &Frame) -> Result<Tensor, ModelError> {
        self.check(frame)?;
        Ok(self.predictor.encode(frame)?)
    }

    /// The latent `[1, D]` of a goal: of its frame, unless it is given as a latent.
    pub(super) fn encode_goal(&self, goal: &Goal) -> Result<Tensor, ModelError> {
        match &goal.latent {
            Some(latent) => self.row(latent, "goal"),
            None => self.encode(&goal.frame),
        }
    }

    /// Numbers of a latent as `[1, D]`; `what` names them in an error.
    pub(super) fn row(&self, latent: &[f32], what: &str) -> Result<Tensor, ModelError> {
        let (found, expected) = (latent.len(), self.predictor.sizes().latent);
        if found != expected {
            let message = format!("{what}: found a latent of {found} numbers, expected {expected}");
            return Err(self.inputs().fault(message));
        }
        Ok(Tensor::from_slice(
            latent,
            (1, expected),
            self.predictor.device(),
        )?)
    }

    /// Action blocks `[N, T, frameskip·A]`.
    pub(super) fn blocks(&self, actions: &Actions) -> Result<Tensor, ModelError> {
        self.inputs().blocks(actions, self.predictor.device())
    }

    /// The last latents `[1, H·D]` of a context, oldest first, an imagined step apart; the first frame
    /// stands in for what came before it.
    pub(super) fn encode_context(&self, context: &Context) -> Result<Tensor, ModelError> {
        if self.predictor.carries() {
            return self.carry_through(context);
        }
        let frames = self.inputs().last(context)?;
        let encoded = frames.into_iter().map(|f| self.encode(f));
        let encoded = encoded.collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::cat(&encoded, 1)?)
    }

    /// As [`encode_context`](Self::encode_context), where every observation counts for all after it.
    pub(super) fn carry_through(&self, context: &Context) -> Result<Tensor, ModelError> {
        let sizes = self.predictor.sizes();
        self.inputs().newest(context)?;
        let first = context.frames.len().saturating_sub(sizes.context.max(1));
        let mut steps: Vec<Tensor> = Vec::new();
        for (t, frame) in context.frames.iter().enumerate().skip(first) {
            let taken = match t.checked_sub(1).filter(|_| t > first) {
                Some(before) => context.actions.get(before).cloned().unwrap_or_default(),
                None => Vec::new(),
            };
            let block = self.blocks(&Actions::one(std::slice::from_ref(&taken), taken.len()))?;
            let seen = self.encode(frame)?;
            let step = self
                .predictor
                .carry(steps.last(), &seen, &block.squeeze(1)?)?;
            steps.push(step);
        }
        let newest = steps.len() - 1;
        let back = (0..sizes.history).rev();
        let last: Vec<&Tensor> = back.map(|h| &steps[newest.saturating_sub(h)]).collect();
        Ok(Tensor::cat(&last, 1)?)
    }

    /// The latent `[1, D]` of a context's newest observation.
    pub(super) fn newest(&self, context: &Context) -> Result<Tensor, ModelError> {
        if !self.predictor.carries() {
            return self.encode(self.inputs().newest(context)?);
        }
        let (last, sizes) = (self.carry_through(context)?, self.predictor.sizes());
        Ok(last.narrow(1, (sizes.history - 1) * sizes.latent, sizes.latent)?)
    }

    /// Imagined latents as `[N, T, D]`, and as rows `[N·T, D]`.
    pub(in crate::model) fn imagined<'r>(
        &self,
        rollouts: &'r Rollouts,
    ) -> Result<(&'r Tensor, Tensor), ModelError> {
        let imagined: &ImaginedLatents = rollouts.get(&self.card.name)?;
        let rows = imagined.z.reshape(((), self.predictor.sizes().latent))?;
        Ok((&imagined.z, rows))
    }
}

impl<P: Predictor> WorldModel for JepaWorld<P> {
    fn card(&self) -> &Card {
        &self.card
    }

    fn shape(&self) -> Shape {
        let sizes = self.predictor.sizes();
        Shape {
            context_frames: sizes.context,
            frameskip: sizes.frameskip,
            action_dim: sizes.action_dim,
        }
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(self.encode_context(context)?))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        _sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let start: &Tensor = latent.get(&self.card.name)?;
        let blocks = self.blocks(actions)?;
        let z = self.predictor.roll_out(start, &blocks, cancel)?;
        Ok(Rollouts::new(ImaginedLatents { z }))
    }

    fn cost(&self, _sampling: Sampling) -> Cost {
        let (encode_flops, dynamics_flops) = self.predictor.flops();
        Cost {
            parameters: self.parameters,
            encode_flops,
            dynamics_flops,
            rendering_flops: 0.0,
        }
    }

    fn facets(&self) -> Facets<'_> {
        let common = Facets {
            plans: Some(self),
            latents: Some(self),
            readouts: self.read_outs.is_some().then_some(self),
            surprise: Some(self),
            ..Facets::default()
        };
        P::add_facets(self, common)
    }
}
