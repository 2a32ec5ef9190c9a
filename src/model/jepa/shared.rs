//! What both JEPA models ask of their folders and inputs, and how read-outs answer.

use super::{HISTORY, ProbeSpec, Probes};
use crate::model::facets::ProbedStates;
use crate::model::input::invalid;
use crate::model::nn::Params;
use crate::model::{Actions, Context, Frame, ModelError};
use candle_core::{Device, Tensor};
use std::path::Path;

/// Probes of a model's representation, and which bodies they are of.
pub(super) struct ReadOuts {
    spec: ProbeSpec,
    probes: Probes,
}

impl ReadOuts {
    /// What `readouts.json` of a model folder says, if it has one.
    pub fn spec(dir: &Path) -> Result<Option<ProbeSpec>, ModelError> {
        let path = dir.join(crate::model::folder::READOUTS_TABLE);
        match crate::system::files::text(&path) {
            Ok(text) => serde_json::from_str(&text)
                .map(Some)
                .map_err(|e| invalid(&path, "read-outs", e)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ModelError::Io { path, source }),
        }
    }

    /// Probes of `d` numbers, where `spec` names bodies and `params` has the weights.
    pub fn of(
        spec: Option<ProbeSpec>,
        d: usize,
        params: &Params,
    ) -> candle_core::Result<Option<Self>> {
        let Some(spec) = spec.filter(|_| params.contains("probe.mean")) else {
            return Ok(None);
        };
        let probes = Probes::new(d, spec.bodies.len(), params)?;
        Ok(Some(Self { spec, probes }))
    }

    /// Poses read from single representations `z: [N·steps, D]`; yaw is NaN where the probe does not know
    /// it.
    pub fn states(&self, z: &Tensor, steps: usize) -> Result<ProbedStates, ModelError> {
        let mut poses = self.probes.poses(z)?;
        let bodies = self.spec.bodies.len().max(1);
        for (i, pose) in poses.iter_mut().enumerate() {
            if !self.spec.yaw.get(i % bodies).copied().unwrap_or(false) {
                pose[2] = f32::NAN;
            }
        }
        Ok(ProbedStates {
            bodies: self.spec.bodies.clone(),
            n: z.dim(0)? / steps.max(1),
            steps,
            poses,
        })
    }

    /// Poses now, of what `read` makes `[1, D]` of each of the last frames; the oldest stands in for what
    /// came before it.
    pub fn now(
        &self,
        context: &Context,
        read: impl Fn(&Frame) -> Result<Tensor, ModelError>,
    ) -> Result<ProbedStates, ModelError> {
        let known = &context.frames[context.frames.len().saturating_sub(HISTORY)..];
        let missing = HISTORY - known.len();
        let frames = known.iter().take(1).cycle().take(missing).chain(known);
        let read = frames.map(read).collect::<Result<Vec<_>, _>>()?;
        self.now_of(&Tensor::cat(&read, 1)?)
    }

    /// Poses now, of the last [`HISTORY`] representations side by side, oldest first: `[1, 3·D]`.
    pub fn now_of(&self, read: &Tensor) -> Result<ProbedStates, ModelError> {
        Ok(ProbedStates {
            bodies: self.spec.bodies.clone(),
            n: 1,
            steps: 1,
            poses: self.probes.poses_of_history(read)?,
        })
    }
}

/// What a model takes.
pub(super) struct Inputs<'a> {
    /// Its name, for errors.
    pub model: &'a str,
    /// Components of an action.
    pub action_dim: usize,
    /// Control steps of one imagined step.
    pub frameskip: usize,
    /// Imagined steps that it looks back.
    pub history: usize,
}

impl Inputs<'_> {
    pub fn fault(&self, message: String) -> ModelError {
        ModelError::Input {
            model: self.model.into(),
            message,
        }
    }

    /// The newest frame.
    pub fn newest<'c>(&self, context: &'c Context) -> Result<&'c Frame, ModelError> {
        let newest = context.frames.last();
        newest.ok_or_else(|| self.fault("found no frame, expected at least 1".into()))
    }

    /// The last frames, oldest first, an imagined step apart; the first frame stands in for what came
    /// before it.
    pub fn last<'c>(&self, context: &'c Context) -> Result<Vec<&'c Frame>, ModelError> {
        self.newest(context)?;
        let newest = context.frames.len() - 1;
        let back = (0..self.history).rev();
        let places = back.map(|steps| newest.saturating_sub(steps * self.frameskip));
        Ok(places.map(|i| &context.frames[i]).collect())
    }

    /// Action blocks `[N, T, frameskip·A]`; scenes with fewer than A components are padded with zeros.
    pub fn blocks(&self, actions: &Actions, device: &Device) -> Result<Tensor, ModelError> {
        let (frameskip, action_dim) = (self.frameskip, self.action_dim);
        if actions.dim > action_dim || !actions.steps.is_multiple_of(frameskip) {
            return Err(self.fault(format!(
                "found {} steps of {} action components, expected a multiple of {frameskip} steps and at \
                 most {action_dim} components",
                actions.steps, actions.dim
            )));
        }
        if actions.data.len() != actions.n * actions.steps * actions.dim {
            return Err(self.fault(format!(
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

    /// The block `[1, frameskip·A]` of the one imagined step at whose end a surprise is asked for.
    pub fn only_block(&self, actions: &Actions, device: &Device) -> Result<Tensor, ModelError> {
        let blocks = self.blocks(actions, device)?;
        if blocks.dims()[..2] == [1, 1] {
            return Ok(blocks.squeeze(1)?);
        }
        let (n, steps, frameskip) = (actions.n, actions.steps, self.frameskip);
        Err(self.fault(format!(
            "found {n} sequences of {steps} actions, expected one of {frameskip}"
        )))
    }
}
