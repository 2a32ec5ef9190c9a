//! What every diffusion model asks of its folder and its inputs.

use std::path::Path;

use candle_core::Device;

use crate::model::goal::HueMotion;
use crate::model::input;
use crate::model::nn::Params;
use crate::model::{Actions, Context, Frame, ModelError};

/// Builds a model of `dir/model.safetensors`; `checked` is what the check of its configuration in
/// `dir/model.ron` found.
///
/// # Errors
/// [`ModelError::Invalid`] naming the file, and the field or tensor that does not fit.
pub(super) fn load<M>(
    dir: &Path,
    checked: Result<(), (&'static str, String)>,
    device: &Device,
    build: impl FnOnce(&Params) -> Result<M, ModelError>,
) -> Result<M, ModelError> {
    checked.map_err(|(field, message)| ModelError::Invalid {
        path: dir.join(crate::model::folder::NETWORK),
        what: field.into(),
        message,
    })?;
    input::load(dir, device, |params| {
        let model = build(params)?;
        match params.unused().first() {
            None => Ok(model),
            Some(name) => Err(ModelError::Tensor(candle_core::Error::Msg(format!(
                "model.ron describes a network without the tensor {name}"
            )))),
        }
    })
}

/// The first field that is at fault, with what was found and expected.
pub(super) fn first_fault(
    faults: impl IntoIterator<Item = (&'static str, bool, String)>,
) -> Result<(), (&'static str, String)> {
    match faults.into_iter().find(|f| f.1) {
        None => Ok(()),
        Some((field, _, message)) => Err((field, message)),
    }
}

/// Whether fields that all diffusion models have are at fault: how far hues move, and function evaluations.
pub(super) fn common_faults(hues: &HueMotion, nfe: usize) -> [(&'static str, bool, String); 2] {
    [
        (
            "hue_motion",
            !hues.iter().all(|m| *m > 0.0 && m.is_finite()),
            format!("{hues:?}, expected numbers above 0"),
        ),
        (
            "nfe",
            !(1..=64).contains(&nfe),
            format!("{nfe}, expected 1 to 64"),
        ),
    ]
}

/// What a diffusion model takes.
pub(super) struct Inputs<'a> {
    /// Its name, for errors.
    pub model: &'a str,
    /// Side of a frame in pixels.
    pub size: usize,
    /// Frames of context, at most.
    pub context: usize,
    /// Latest actions that are embedded.
    pub actions: usize,
    /// Components of an action.
    pub action_dim: usize,
}

impl Inputs<'_> {
    pub fn fault(&self, message: String) -> ModelError {
        ModelError::Input {
            model: self.model.into(),
            message,
        }
    }

    /// That a frame given as `what` is of the side that the model takes.
    pub fn check(&self, what: &str, frame: &Frame) -> Result<(), ModelError> {
        input::check_frame(self.model, what, (frame.size, &frame.data), self.size)
    }

    /// The newest frames of a context, at most as many as the model uses, oldest first.
    pub fn frames<'c>(&self, context: &'c Context) -> Result<&'c [Frame], ModelError> {
        let n = context.frames.len();
        if n == 0 || context.actions.len() + 1 != n {
            return Err(self.fault(format!(
                "context of {n} frames and {} actions, expected at least one frame and one action fewer",
                context.actions.len()
            )));
        }
        let newest = &context.frames[n.saturating_sub(self.context)..];
        for frame in newest {
            self.check("context", frame)?;
        }
        Ok(newest)
    }

    /// All but the newest of the embedded actions, each padded; zeros where a context is too short.
    pub fn past(&self, context: &Context) -> Result<Vec<Vec<f32>>, ModelError> {
        let past = self.actions - 1;
        let n = context.actions.len();
        let mut actions = vec![vec![0.0; self.action_dim]; past.saturating_sub(n)];
        for action in &context.actions[n.saturating_sub(past)..] {
            actions.push(self.padded(action)?);
        }
        Ok(actions)
    }

    /// For each of the newest `frames` of a context the action that led to it, padded; zeros for the oldest.
    pub fn led(&self, context: &Context, frames: usize) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut led = vec![vec![0.0; self.action_dim]];
        let older = (context.actions.len() + 1).saturating_sub(frames);
        for action in &context.actions[older..] {
            led.push(self.padded(action)?);
        }
        Ok(led)
    }

    /// An action with zeros for the components that its scene lacks, `[dim]`.
    fn padded(&self, action: &[f32]) -> Result<Vec<f32>, ModelError> {
        let dim = self.action_dim;
        if action.len() > dim || action.iter().any(|a| !a.is_finite()) {
            return Err(self.fault(format!(
                "action {action:?}, expected at most {dim} finite components"
            )));
        }
        let mut padded = action.to_vec();
        padded.resize(dim, 0.0);
        Ok(padded)
    }

    /// The actions of every candidate, `[N][T][dim]`, padded.
    pub fn sequences(&self, actions: &Actions) -> Result<Vec<Vec<Vec<f32>>>, ModelError> {
        let (n, steps, dim) = (actions.n, actions.steps, actions.dim);
        if actions.data.len() != n * steps * dim {
            let found = actions.data.len();
            return Err(self.fault(format!(
                "{found} action values, expected {n} x {steps} x {dim}"
            )));
        }
        let sequence = |n| (0..steps).map(|t| self.padded(actions.at(n, t))).collect();
        (0..n).map(sequence).collect()
    }

    /// That a surprise is asked for at one step to the frame `next`.
    pub fn check_next(&self, next: &Frame, actions: &Actions) -> Result<(), ModelError> {
        self.check("next", next)?;
        if actions.n == 1 && actions.steps == 1 {
            return Ok(());
        }
        let (n, steps) = (actions.n, actions.steps);
        Err(self.fault(format!(
            "surprise at {n} sequences of {steps} steps, expected one of one"
        )))
    }
}

/// The actions that lead to step `t`, `[N, actions·dim]`: those before the rollout, then those of each
/// candidate.
pub(super) fn latest(past: &[Vec<f32>], candidates: &[Vec<Vec<f32>>], t: usize) -> Vec<f32> {
    let of = |actions: &Vec<Vec<f32>>| {
        let known = past.iter().chain(&actions[..=t]);
        known.skip(t).flatten().copied().collect::<Vec<f32>>()
    };
    candidates.iter().flat_map(of).collect()
}

/// Candidates that go through together, at most `most`: at least one chunk a thread, so that cores work on
/// different candidates rather than on one product.
pub(super) fn chunk(candidates: usize, most: usize) -> usize {
    candidates
        .div_ceil(rayon::current_num_threads())
        .clamp(1, most)
}

/// Appends `[cells, K·channels]` from K folded frames `[cells, channels]`.
pub(crate) fn interleave<F: AsRef<[f32]>>(frames: &[F], channels: usize, out: &mut Vec<f32>) {
    let cells = frames.first().map_or(0, |f| f.as_ref().len() / channels);
    for cell in 0..cells {
        for frame in frames {
            out.extend_from_slice(&frame.as_ref()[cell * channels..(cell + 1) * channels]);
        }
    }
}
