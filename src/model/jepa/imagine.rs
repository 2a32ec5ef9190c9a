//! A trained LeWM as a world model.

use super::shared::{Inputs, ReadOuts, whitening_of};
use super::{ActionBlock, Decoder, Lewm, LewmConfig, ProbeSpec, Proposal};
use crate::model::input;
use crate::model::nn::{Params, ResidualRollout};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Frames, Goal, Latent, LatentRows, ModelError,
    ProbedStates, Rollouts, Slope, WorldModel,
};
use candle_core::{Device, Tensor, Var};
use std::path::Path;

/// LeWM behind the trait: plans in its latents, has no pixels.
pub struct LewmModel {
    card: Card,
    model: Lewm,
    /// Its predictor as planning runs it, on a processor.
    rollout: Option<ResidualRollout>,
    /// `[D, D]`, transposed for a product from the right.
    whitening: Option<Tensor>,
    read_outs: Option<ReadOuts>,
    decoder: Option<Decoder>,
    proposal: Option<Proposal>,
    parameters: u64,
}

/// Imagined latents `[N, T, D]`.
struct Imagined {
    z: Tensor,
}

impl LewmModel {
    /// Reads a model folder: `card.ron` was read by the caller, `config` comes from `train.ron`,
    /// `model.safetensors` and (if there) `readouts.json` are read here.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and the tensor or field at fault.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &LewmConfig,
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
    /// Names the tensor that is missing or has another shape.
    pub fn from_params(
        card: Card,
        config: &LewmConfig,
        params: &Params,
        spec: Option<ProbeSpec>,
    ) -> candle_core::Result<Self> {
        let frozen = params.detached();
        let model = Lewm::new(config, &frozen)?;
        let d = config.latent_dim;
        let by_rows = frozen.device().is_cpu() && config.action_block == ActionBlock::Concat;
        let rollout = by_rows.then(|| model.rollout()).transpose()?;
        let whitening = whitening_of(config.cost, d, &frozen)?;
        let proposal = Proposal::is_in(&frozen)
            .then(|| Proposal::new(d, config.history, config.action_dim, &frozen))
            .transpose()?;
        let decoder = match &spec {
            Some(spec) => spec
                .decoder
                .map(|sizes| Decoder::new(sizes, d, config.image_size, &frozen))
                .transpose()?,
            None => None,
        };
        let read_outs = ReadOuts::of(spec, d, &frozen)?;
        let parts = ["encoder", "predictor"];
        let parameters = parts
            .iter()
            .map(|part| params.pp(part).count() as u64)
            .sum();
        Ok(Self {
            card,
            model,
            rollout,
            whitening,
            read_outs,
            decoder,
            proposal,
            parameters,
        })
    }

    /// The networks.
    pub fn lewm(&self) -> &Lewm {
        &self.model
    }

    fn inputs(&self) -> Inputs<'_> {
        let c = self.model.config();
        Inputs {
            model: &self.card.name,
            action_dim: c.action_dim,
            frameskip: c.frameskip,
            history: c.history,
        }
    }

    fn encode(&self, size: usize, frame: &[u8]) -> Result<Tensor, ModelError> {
        let side = self.model.config().image_size;
        input::check_frame(&self.card.name, "frame", (size, frame), side)?;
        Ok(self.model.encode_frames(frame)?)
    }

    /// Action blocks `[N, T, frameskip·A]`.
    fn blocks(&self, actions: &Actions) -> Result<Tensor, ModelError> {
        self.inputs().blocks(actions, self.model.device())
    }

    /// The last latents `[1, H·D]` of a context, oldest first, a token apart; the first frame stands in for what came before it.
    fn encode_context(&self, context: &Context) -> Result<Tensor, ModelError> {
        let frames = self.inputs().last(context)?;
        let encoded = frames.into_iter().map(|f| self.encode(context.size, f));
        let encoded = encoded.collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::cat(&encoded, 1)?)
    }

    /// Latents `[N, T, D]` that follow `start: [1, H·D]` under action blocks `[N, T, frameskip·A]`.
    fn roll_out(
        &self,
        start: &Tensor,
        blocks: &Tensor,
        cancel: &Cancel,
    ) -> Result<Tensor, ModelError> {
        let (n, steps, _) = blocks.dims3()?;
        let d = self.model.config().latent_dim;
        let mut z = start.broadcast_as((n, start.dim(1)?))?.contiguous()?;
        let mut latents = Vec::with_capacity(steps);
        for t in 0..steps {
            cancel.check()?;
            let block = blocks.narrow(1, t, 1)?.squeeze(1)?.contiguous()?;
            let next = self.model.predict(&z, &block, None)?;
            z = self.model.shift(&z, &next)?;
            latents.push(next);
        }
        Ok(match latents.is_empty() {
            true => Tensor::zeros((n, 0, d), z.dtype(), z.device())?,
            false => Tensor::stack(&latents, 1)?,
        })
    }

    /// Distance of latents `[.., D]` to `goal: [1, D]`, `[..]` flattened.
    fn latent_distance(&self, z: &Tensor, goal: &Tensor) -> candle_core::Result<Tensor> {
        let d = self.model.config().latent_dim;
        let delta = z.reshape(((), d))?.broadcast_sub(goal)?;
        let delta = match &self.whitening {
            Some(w) => delta.matmul(w)?,
            None => delta,
        };
        delta.sqr()?.sum(1)
    }
}

impl WorldModel for LewmModel {
    fn card(&self) -> &Card {
        &self.card
    }

    fn context_frames(&self) -> usize {
        let c = self.model.config();
        (c.history - 1) * c.frameskip + 1
    }

    fn frameskip(&self) -> usize {
        self.model.config().frameskip
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(self.encode_context(context)?))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let start: &Tensor = latent.get(&self.card.name)?;
        let blocks = self.blocks(actions)?;
        let z = match &self.rollout {
            Some(rollout) => {
                cancel.check()?;
                let (n, steps, _) = blocks.dims3()?;
                let (start, blocks): (Vec<f32>, Vec<f32>) = (
                    start.flatten_all()?.to_vec1()?,
                    blocks.flatten_all()?.to_vec1()?,
                );
                let z = rollout.run(&start, &blocks, steps);
                Tensor::from_vec(
                    z,
                    (n, steps, self.model.config().latent_dim),
                    self.model.device(),
                )?
            }
            None => self.roll_out(start, &blocks, cancel)?,
        };
        Ok(Rollouts::new(Imagined { z }))
    }

    fn distance(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Vec<f32>, ModelError> {
        let imagined: &Imagined = rollouts.get(&self.card.name)?;
        let goal = self.encode(goal.size, &goal.frame)?;
        Ok(self.latent_distance(&imagined.z, &goal)?.to_vec1()?)
    }

    fn gradient(
        &self,
        latent: &Latent,
        actions: &Actions,
        goal: &Goal,
        weights: &[f32],
        cancel: &Cancel,
    ) -> Result<Option<Slope>, ModelError> {
        let start: &Tensor = latent.get(&self.card.name)?;
        let blocks = Var::from_tensor(&self.blocks(actions)?)?;
        let (n, steps, _) = blocks.dims3()?;
        if weights.len() != steps {
            return Err(self.inputs().fault(format!(
                "found {} weights, expected one for each of {steps} imagined steps",
                weights.len()
            )));
        }
        let z = self.roll_out(start, blocks.as_tensor(), cancel)?;
        let goal = self.encode(goal.size, &goal.frame)?;
        let distances = self.latent_distance(&z, &goal)?;
        let weights = Tensor::from_slice(weights, (1, steps), self.model.device())?;
        let total = distances
            .reshape((n, steps))?
            .broadcast_mul(&weights)?
            .sum_all()?;
        cancel.check()?;
        let gradients = total.backward()?;
        let by_block = gradients.get(&blocks).ok_or_else(|| {
            self.inputs()
                .fault("its distances do not depend on the actions".into())
        })?;
        let by_action: Vec<f32> = by_block.flatten_all()?.to_vec1()?;
        let padded = self.model.config().action_dim.max(1);
        let own = |a: &[f32]| a[..actions.dim].to_vec();
        Ok(Some(Slope {
            distances: distances.to_vec1()?,
            by_action: by_action.chunks_exact(padded).flat_map(own).collect(),
        }))
    }

    fn propose(
        &self,
        latent: &Latent,
        goal: &Goal,
        n: usize,
        steps: usize,
        dim: usize,
        seed: u64,
    ) -> Result<Option<Actions>, ModelError> {
        let start: &Tensor = latent.get(&self.card.name)?;
        let Some(proposal) = self.proposal.as_ref().filter(|_| n > 0) else {
            return Ok(None);
        };
        let goal = self.encode(goal.size, &goal.frame)?;
        Ok(Some(proposal.draw(
            &self.model,
            start,
            &goal,
            (n, steps, dim),
            seed,
        )?))
    }

    fn frames(&self, _: &Rollouts) -> Result<Option<Frames>, ModelError> {
        Ok(None)
    }

    fn latents(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Option<LatentRows>, ModelError> {
        let imagined: &Imagined = rollouts.get(&self.card.name)?;
        let (n, steps, dim) = imagined.z.dims3()?;
        Ok(Some(LatentRows {
            n,
            steps,
            dim,
            data: imagined.z.flatten_all()?.to_vec1()?,
            goal: self
                .encode(goal.size, &goal.frame)?
                .flatten_all()?
                .to_vec1()?,
        }))
    }

    fn states(&self, rollouts: &Rollouts) -> Result<Option<ProbedStates>, ModelError> {
        let imagined: &Imagined = rollouts.get(&self.card.name)?;
        let Some(read_outs) = &self.read_outs else {
            return Ok(None);
        };
        let (n, steps, d) = imagined.z.dims3()?;
        let z = imagined.z.reshape((n * steps, d))?;
        Ok(Some(read_outs.states(&z, steps)?))
    }

    fn decoded(&self, rollouts: &Rollouts) -> Result<Option<Frames>, ModelError> {
        let imagined: &Imagined = rollouts.get(&self.card.name)?;
        let Some(decoder) = &self.decoder else {
            return Ok(None);
        };
        let (n, steps, d) = imagined.z.dims3()?;
        let z = imagined.z.reshape((n * steps, d))?;
        Ok(Some(Frames {
            n,
            steps,
            size: self.model.config().image_size,
            data: decoder.draw(&z, self.model.mean_image())?,
        }))
    }

    fn read_out(&self, context: &Context) -> Result<Option<ProbedStates>, ModelError> {
        match &self.read_outs {
            Some(read_outs) => read_outs.now(context, |f| self.encode(context.size, f)),
            None => Ok(None),
        }
    }

    fn features(&self, context: &Context) -> Result<Option<Vec<f32>>, ModelError> {
        let frame = self.inputs().newest(context)?;
        let z = self.encode(context.size, frame)?;
        Ok(Some(z.flatten_all()?.to_vec1()?))
    }

    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &[u8],
    ) -> Result<f32, ModelError> {
        let (z, seen) = (
            self.encode_context(context)?,
            self.encode(context.size, next)?,
        );
        let block = self.inputs().only_block(actions, self.model.device())?;
        let expected = self.model.predict(&z, &block, None)?;
        let error: Vec<f32> = self.latent_distance(&expected, &seen)?.to_vec1()?;
        Ok(error.first().copied().unwrap_or(f32::NAN) / self.model.config().latent_dim as f32)
    }

    fn cost(&self) -> Cost {
        let (encode_flops, dynamics_flops) = self.model.flops();
        Cost {
            parameters: self.parameters,
            encode_flops,
            dynamics_flops,
            rendering_flops: 0.,
        }
    }
}
