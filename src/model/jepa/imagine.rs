//! A trained LeWM as a world model.

use super::{
    ActionBlock, Decoder, GoalCost, HISTORY, Lewm, LewmConfig, ProbeSpec, Probes, Proposal,
};
use crate::model::nn::{Init, Params, ResidualRollout, WeightsError};
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
    probes: Option<(ProbeSpec, Probes)>,
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
        let path = dir.join("model.safetensors");
        let params = Params::load(&path, device).map_err(|e| match e {
            WeightsError::Io { path, source } => ModelError::Io { path, source },
            other => invalid(&path, "weights", other),
        })?;
        let spec = read_outs_of(dir)?;
        Self::from_params(card, config, &params, spec).map_err(|e| invalid(&path, "model", e))
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
        let whitening = match config.cost {
            GoalCost::Plain => None,
            GoalCost::Whitened => {
                let w = frozen.buffer((d, d), "whitening", Init::Zeros)?;
                Some(w.as_detached_tensor().t()?.contiguous()?)
            }
        };
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
        let probes = match spec {
            Some(spec) if frozen.contains("probe.mean") => {
                let probes = Probes::new(d, spec.bodies.len(), &frozen)?;
                Some((spec, probes))
            }
            _ => None,
        };
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
            probes,
            decoder,
            proposal,
            parameters,
        })
    }

    /// The networks.
    pub fn lewm(&self) -> &Lewm {
        &self.model
    }

    fn input(&self, message: String) -> ModelError {
        ModelError::Input {
            model: self.card.name.clone(),
            message,
        }
    }

    fn encode(&self, size: usize, frame: &[u8]) -> Result<Tensor, ModelError> {
        let expected = self.model.config().image_size;
        if size != expected || frame.len() != size * size * 3 {
            return Err(self.input(format!(
                "found a frame of side {size} and {} bytes, expected side {expected} and {} bytes",
                frame.len(),
                expected * expected * 3
            )));
        }
        Ok(self.model.encode_frames(frame)?)
    }

    /// Action blocks `[N, T, frameskip·A]`.
    fn blocks(&self, actions: &Actions) -> Result<Tensor, ModelError> {
        let c = self.model.config();
        action_blocks(
            &self.card.name,
            actions,
            (c.frameskip, c.action_dim),
            self.model.device(),
        )
    }

    /// The last latents `[1, H·D]` of a context, oldest first, a token apart; the first frame stands in for what came before it.
    fn encode_context(&self, context: &Context) -> Result<Tensor, ModelError> {
        let c = self.model.config();
        let newest = context
            .frames
            .len()
            .checked_sub(1)
            .ok_or_else(|| self.input("found no frame, expected at least 1".into()))?;
        let latents = (0..c.history)
            .rev()
            .map(|tokens| newest.saturating_sub(tokens * c.frameskip))
            .map(|i| self.encode(context.size, &context.frames[i]))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::cat(&latents, 1)?)
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

/// `readouts.json` of a model folder, if it has one.
pub(super) fn read_outs_of(dir: &Path) -> Result<Option<ProbeSpec>, ModelError> {
    let path = dir.join("readouts.json");
    match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| invalid(&path, "read-outs", e)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ModelError::Io { path, source }),
    }
}

/// Action blocks `[N, T, frameskip·A]` for a model that takes A components; scenes with fewer are padded with zeros.
pub(super) fn action_blocks(
    model: &str,
    actions: &Actions,
    (frameskip, action_dim): (usize, usize),
    device: &Device,
) -> Result<Tensor, ModelError> {
    let input = |message: String| ModelError::Input {
        model: model.into(),
        message,
    };
    if actions.dim > action_dim || !actions.steps.is_multiple_of(frameskip) {
        return Err(input(format!(
            "found {} steps of {} action components, expected a multiple of {frameskip} steps and at most {action_dim} components",
            actions.steps, actions.dim
        )));
    }
    if actions.data.len() != actions.n * actions.steps * actions.dim {
        return Err(input(format!(
            "found {} action values for their shape",
            actions.data.len()
        )));
    }
    let shape = (actions.n, actions.steps / frameskip, frameskip * action_dim);
    let data = if actions.dim == action_dim {
        actions.data.clone()
    } else {
        let mut padded = vec![0f32; actions.n * actions.steps * action_dim];
        if actions.dim > 0 {
            let rows = padded
                .chunks_exact_mut(action_dim)
                .zip(actions.data.chunks_exact(actions.dim));
            rows.for_each(|(to, from)| to[..actions.dim].copy_from_slice(from));
        }
        padded
    };
    Ok(Tensor::from_vec(data, shape, device)?)
}

/// Poses that probes read from single latents `z: [N·steps, D]`; yaw is NaN where the probe does not know it.
pub(super) fn probed_states(
    spec: &ProbeSpec,
    probes: &Probes,
    z: &Tensor,
    steps: usize,
) -> Result<ProbedStates, ModelError> {
    let mut poses = probes.poses(z)?;
    let bodies = spec.bodies.len().max(1);
    for (i, pose) in poses.iter_mut().enumerate() {
        if !spec.yaw.get(i % bodies).copied().unwrap_or(false) {
            pose[2] = f32::NAN;
        }
    }
    Ok(ProbedStates {
        bodies: spec.bodies.clone(),
        n: z.dim(0)? / steps.max(1),
        steps,
        poses,
    })
}

pub(super) fn invalid(path: &Path, what: &str, message: impl std::fmt::Display) -> ModelError {
    ModelError::Invalid {
        path: path.into(),
        what: what.into(),
        message: message.to_string(),
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
            return Err(self.input(format!(
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
        let by_block = gradients
            .get(&blocks)
            .ok_or_else(|| self.input("its distances do not depend on the actions".into()))?;
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
        let Some((spec, probes)) = &self.probes else {
            return Ok(None);
        };
        let (n, steps, d) = imagined.z.dims3()?;
        let z = imagined.z.reshape((n * steps, d))?;
        Ok(Some(probed_states(spec, probes, &z, steps)?))
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
        let (Some((spec, probes)), Some(oldest)) = (&self.probes, context.frames.first()) else {
            return Ok(None);
        };
        let missing = HISTORY.saturating_sub(context.frames.len());
        let frames = std::iter::repeat_n(oldest, missing).chain(
            context
                .frames
                .iter()
                .skip(context.frames.len().saturating_sub(HISTORY)),
        );
        let latents = frames
            .map(|f| self.encode(context.size, f))
            .collect::<Result<Vec<_>, _>>()?;
        let poses = probes.poses_of_history(&Tensor::cat(&latents, 1)?)?;
        Ok(Some(ProbedStates {
            bodies: spec.bodies.clone(),
            n: 1,
            steps: 1,
            poses,
        }))
    }

    fn features(&self, context: &Context) -> Result<Option<Vec<f32>>, ModelError> {
        let frame = context
            .frames
            .last()
            .ok_or_else(|| self.input("found no frame, expected at least 1".into()))?;
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
        let blocks = self.blocks(actions)?;
        if blocks.dims()[..2] != [1, 1] {
            return Err(self.input(format!(
                "found {} sequences of {} actions, expected one of {}",
                actions.n,
                actions.steps,
                self.frameskip()
            )));
        }
        let expected = self.model.predict(&z, &blocks.squeeze(1)?, None)?;
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
