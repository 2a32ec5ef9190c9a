//! A trained V-JEPA 2-AC as a world model.

use super::config::VjepaConfig;
use super::masked::{ClipBatch, MaskedJepa};
use super::masks::{LONG, Mask, SHORT};
use super::predictor::ActionJepa;
use super::summary::Summary;
use crate::model::jepa::imagine::{action_blocks, invalid, probed_states, read_outs_of};
use crate::model::jepa::{GoalCost, HISTORY, ProbeSpec, Probes};
use crate::model::nn::{Init, Params, Rng, WeightsError};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Frames, Goal, Latent, MaskedClip, ModelError,
    ProbedStates, Rollouts, WorldModel,
};
use candle_core::{D, Device, Tensor};
use std::path::Path;

/// Candidates imagined together: their tokens stay in the cache.
const CANDIDATES: usize = 64;

/// V-JEPA 2-AC behind the trait: plans in maps of patch tokens, has no pixels.
pub struct VjepaModel {
    card: Card,
    masked: MaskedJepa,
    model: ActionJepa,
    summary: Summary,
    /// `[K, K]`, transposed for a product from the right.
    whitening: Option<Tensor>,
    probes: Option<(ProbeSpec, Probes)>,
    parameters: u64,
}

/// Imagined maps `[N, T, map]`.
struct Imagined {
    z: Tensor,
}

impl VjepaModel {
    /// Reads a model folder: `card.ron` was read by the caller, `config` comes from `train.ron`, `model.safetensors` and (if there)
    /// `readouts.json` are read here.
    ///
    /// # Errors
    /// [`ModelError`] naming the file and the tensor or field at fault.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &VjepaConfig,
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

    /// A model on weights in memory as they are now.
    ///
    /// # Errors
    /// Names the field that makes no sense, or the tensor that is missing or has another shape.
    pub fn from_params(
        card: Card,
        config: &VjepaConfig,
        params: &Params,
        spec: Option<ProbeSpec>,
    ) -> candle_core::Result<Self> {
        if let Err((field, message)) = config.check() {
            candle_core::bail!("{field}: {message}");
        }
        let frozen = params.detached();
        let (masked, model) = (
            MaskedJepa::new(config, &frozen)?,
            ActionJepa::new(config, &frozen)?,
        );
        let k = config.summary;
        let whitening = match config.cost {
            GoalCost::Plain => None,
            GoalCost::Whitened => {
                let w = frozen.buffer((k, k), "whitening", Init::Zeros)?;
                Some(w.as_detached_tensor().t()?.contiguous()?)
            }
        };
        let probes = match spec {
            Some(spec) if frozen.contains("probe.mean") => {
                let probes = Probes::new(k, spec.bodies.len(), &frozen)?;
                Some((spec, probes))
            }
            _ => None,
        };
        let parameters = ["target", "predictor"]
            .iter()
            .map(|part| params.pp(part).count() as u64)
            .sum();
        Ok(Self {
            summary: Summary::new(config, &frozen)?,
            card,
            masked,
            model,
            whitening,
            probes,
            parameters,
        })
    }

    /// The networks that plan.
    pub fn networks(&self) -> &ActionJepa {
        &self.model
    }

    fn input(&self, message: String) -> ModelError {
        ModelError::Input {
            model: self.card.name.clone(),
            message,
        }
    }

    fn check_frame(&self, size: usize, frame: &[u8]) -> Result<(), ModelError> {
        let expected = self.model.config().image_size;
        if size != expected || frame.len() != size * size * 3 {
            return Err(self.input(format!(
                "found a frame of side {size} and {} bytes, expected side {expected} and {} bytes",
                frame.len(),
                expected * expected * 3
            )));
        }
        Ok(())
    }

    /// The map `[1, map]` of a frame.
    fn encode(&self, size: usize, frame: &[u8]) -> Result<Tensor, ModelError> {
        self.check_frame(size, frame)?;
        Ok(self.model.encode_frames(frame)?)
    }

    fn blocks(&self, actions: &Actions) -> Result<Tensor, ModelError> {
        let c = self.model.config();
        action_blocks(
            &self.card.name,
            actions,
            (c.frameskip, c.action_dim),
            self.model.device(),
        )
    }

    /// The last maps `[1, H·map]` of a context, oldest first, an imagined step apart; the first frame stands in for what came before it.
    fn encode_context(&self, context: &Context) -> Result<Tensor, ModelError> {
        let c = self.model.config();
        let newest = context
            .frames
            .len()
            .checked_sub(1)
            .ok_or_else(|| self.input("found no frame, expected at least 1".into()))?;
        let maps = (0..c.history)
            .rev()
            .map(|steps| newest.saturating_sub(steps * c.frameskip))
            .map(|i| self.encode(context.size, &context.frames[i]))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::cat(&maps, 1)?)
    }

    /// Distance of maps `[.., map]` to `goal: [1, map]`, `[..]` flattened: the paper's energy mean |ẑ − z_goal|, or the mean square of the
    /// whitened difference.
    fn energy(&self, z: &Tensor, goal: &Tensor) -> candle_core::Result<Tensor> {
        let map = self.model.config().map_len();
        let delta = z.reshape(((), map))?.broadcast_sub(goal)?;
        match &self.whitening {
            Some(w) => self
                .summary
                .read_difference(&delta)?
                .matmul(w)?
                .sqr()?
                .mean(1),
            None => delta.abs()?.mean(D::Minus1),
        }
    }
}

impl WorldModel for VjepaModel {
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

    fn search(&self) -> Option<(usize, usize)> {
        Some(self.model.config().search)
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
        let (n, steps, _) = blocks.dims3()?;
        let map = self.model.config().map_len();
        let mut rollouts = Vec::new();
        for first in (0..n).step_by(CANDIDATES) {
            let count = CANDIDATES.min(n - first);
            let mut z = start.broadcast_as((count, start.dim(1)?))?.contiguous()?;
            let mut maps = Vec::with_capacity(steps);
            for t in 0..steps {
                cancel.check()?;
                let block = blocks.narrow(0, first, count)?.narrow(1, t, 1)?;
                let next = self.model.predict(&z, &block.squeeze(1)?.contiguous()?)?;
                z = self.model.shift(&z, &next)?;
                maps.push(next);
            }
            if steps > 0 {
                rollouts.push(Tensor::stack(&maps, 1)?);
            }
        }
        let z = match rollouts.is_empty() {
            true => Tensor::zeros((n, steps, map), start.dtype(), start.device())?,
            false => Tensor::cat(&rollouts, 0)?,
        };
        Ok(Rollouts::new(Imagined { z }))
    }

    fn distance(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Vec<f32>, ModelError> {
        let imagined: &Imagined = rollouts.get(&self.card.name)?;
        let goal = self.encode(goal.size, &goal.frame)?;
        Ok(self.energy(&imagined.z, &goal)?.to_vec1()?)
    }

    fn frames(&self, _: &Rollouts) -> Result<Option<Frames>, ModelError> {
        Ok(None)
    }

    fn states(&self, rollouts: &Rollouts) -> Result<Option<ProbedStates>, ModelError> {
        let imagined: &Imagined = rollouts.get(&self.card.name)?;
        let Some((spec, probes)) = &self.probes else {
            return Ok(None);
        };
        let (_, steps, map) = imagined.z.dims3()?;
        let z = self.summary.read(&imagined.z.reshape(((), map))?)?;
        Ok(Some(probed_states(spec, probes, &z, steps)?))
    }

    fn read_out(&self, context: &Context) -> Result<Option<ProbedStates>, ModelError> {
        let (Some((spec, probes)), Some(oldest)) = (&self.probes, context.frames.first()) else {
            return Ok(None);
        };
        let missing = HISTORY.saturating_sub(context.frames.len());
        let known = context.frames.len().saturating_sub(HISTORY);
        let frames = std::iter::repeat_n(oldest, missing).chain(context.frames.iter().skip(known));
        let maps = frames
            .map(|f| Ok(self.summary.read(&self.encode(context.size, f)?)?))
            .collect::<Result<Vec<_>, ModelError>>()?;
        let poses = probes.poses_of_history(&Tensor::cat(&maps, 1)?)?;
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
        let z = self.summary.read(&self.encode(context.size, frame)?)?;
        Ok(Some(z.flatten_all()?.to_vec1()?))
    }

    fn clip_frames(&self) -> Option<usize> {
        Some(self.model.config().clip_frames)
    }

    fn masked(
        &self,
        size: usize,
        frames: &[Vec<u8>],
        seed: u64,
    ) -> Result<Option<MaskedClip>, ModelError> {
        let c = self.model.config();
        if frames.len() != c.clip_frames {
            return Err(self.input(format!(
                "found a clip of {} frames, expected {}",
                frames.len(),
                c.clip_frames
            )));
        }
        for frame in frames {
            self.check_frame(size, frame)?;
        }
        let blocks = if seed.is_multiple_of(2) { SHORT } else { LONG };
        let mask = Mask::draw(blocks, c.grid(), &mut Rng::seed(seed));
        let clip: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        let batch = ClipBatch::new(c, &[clip], std::slice::from_ref(&mask), self.model.device())?;
        let errors = self.masked.errors(&batch)?.mean(D::Minus1)?;
        let errors: Vec<f32> = errors.flatten_all()?.to_vec1()?;
        let (slots, cells) = (c.slots(), c.cells());
        let mut visible = vec![false; slots * cells];
        let mut error = vec![f32::NAN; slots * cells];
        for slot in 0..slots {
            for &cell in &mask.visible {
                visible[slot * cells + cell as usize] = true;
            }
            for (i, &cell) in mask.hidden.iter().enumerate() {
                error[slot * cells + cell as usize] = errors[slot * mask.hidden.len() + i];
            }
        }
        Ok(Some(MaskedClip {
            size,
            frames: frames.to_vec(),
            grid: c.grid(),
            visible,
            error,
        }))
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
        let expected = self.model.predict(&z, &blocks.squeeze(1)?)?;
        let error: Vec<f32> = self.energy(&expected, &seen)?.to_vec1()?;
        Ok(error.first().copied().unwrap_or(f32::NAN))
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
