//! A trained V-JEPA 2-AC as a world model.

use super::config::VjepaConfig;
use super::masked::{ClipBatch, MaskedJepa};
use super::masks::{LONG, Mask, SHORT};
use super::predictor::ActionJepa;
use super::summary::Summary;
use crate::model::input;
use crate::model::jepa::ProbeSpec;
use crate::model::jepa::shared::{Inputs, ReadOuts, whitening_of};
use crate::model::nn::{Params, Rng};
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
    read_outs: Option<ReadOuts>,
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
        let spec = ReadOuts::spec(dir)?;
        input::load(dir, device, |params| {
            Self::from_params(card, config, params, spec)
        })
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
        let whitening = whitening_of(config.cost, k, &frozen)?;
        let read_outs = ReadOuts::of(spec, k, &frozen)?;
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
            read_outs,
            parameters,
        })
    }

    /// The networks that plan.
    pub fn networks(&self) -> &ActionJepa {
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

    fn check_frame(&self, size: usize, frame: &[u8]) -> Result<(), ModelError> {
        let side = self.model.config().image_size;
        input::check_frame(&self.card.name, "frame", (size, frame), side)
    }

    /// The map `[1, map]` of a frame.
    fn encode(&self, size: usize, frame: &[u8]) -> Result<Tensor, ModelError> {
        self.check_frame(size, frame)?;
        Ok(self.model.encode_frames(frame)?)
    }

    /// Action blocks `[N, T, frameskip·A]`.
    fn blocks(&self, actions: &Actions) -> Result<Tensor, ModelError> {
        self.inputs().blocks(actions, self.model.device())
    }

    /// The last maps `[1, H·map]` of a context, oldest first, an imagined step apart; the first frame stands in for what came before it.
    fn encode_context(&self, context: &Context) -> Result<Tensor, ModelError> {
        let frames = self.inputs().last(context)?;
        let encoded = frames.into_iter().map(|f| self.encode(context.size, f));
        let encoded = encoded.collect::<Result<Vec<_>, _>>()?;
        Ok(Tensor::cat(&encoded, 1)?)
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
        let Some(read_outs) = &self.read_outs else {
            return Ok(None);
        };
        let (_, steps, map) = imagined.z.dims3()?;
        let z = self.summary.read(&imagined.z.reshape(((), map))?)?;
        Ok(Some(read_outs.states(&z, steps)?))
    }

    fn read_out(&self, context: &Context) -> Result<Option<ProbedStates>, ModelError> {
        let Some(read_outs) = &self.read_outs else {
            return Ok(None);
        };
        read_outs.now(context, |f| {
            Ok(self.summary.read(&self.encode(context.size, f)?)?)
        })
    }

    fn features(&self, context: &Context) -> Result<Option<Vec<f32>>, ModelError> {
        let frame = self.inputs().newest(context)?;
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
            return Err(self.inputs().fault(format!(
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
        let block = self.inputs().only_block(actions, self.model.device())?;
        let expected = self.model.predict(&z, &block)?;
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
