//! Dreaming: one step at a time of a world that exists in a model's imagination only, and that a person drives.

use std::sync::Arc;

use crate::model::{Actions, Cancel, Context, ModelError, WorldModel};

/// An order to dream one step further.
pub struct DreamStep {
    /// Who dreams.
    pub model: Arc<dyn WorldModel>,
    /// What it remembers: real observations at first, its own from then on.
    pub context: Context,
    /// What the person does, `[A]`.
    pub action: Vec<f32>,
    /// Function evaluations a frame (diffusion only).
    pub nfe: usize,
}

/// The dream one step further.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dreamt {
    /// What the model remembers now; the last frame is the new one.
    pub context: Context,
}

/// The dreaming worker's function: one imagined step, whose frames become the memory for the next. Any model with pixels can dream.
///
/// # Errors
/// The model's error in words, or that it has no pixels.
pub fn dreaming(order: DreamStep, cancel: &Cancel) -> Result<Dreamt, String> {
    let (model, mut context) = (order.model, order.context);
    let frameskip = model.frameskip().max(1);
    let step = || {
        model.set_nfe(order.nfe);
        let actions = Actions::one(&vec![order.action.clone(); frameskip], order.action.len());
        let latent = model.observe(&context)?;
        let rollouts = model.imagine(&latent, &actions, cancel)?;
        cancel.check()?;
        let frames = model.frames(&rollouts)?;
        frames
            .filter(|f| f.n > 0 && f.steps > 0)
            .ok_or_else(|| ModelError::Input {
                model: model.card().name.clone(),
                message: "has no pixels, so nobody can dream in it".into(),
            })
    };
    let frames = step().map_err(|e| e.to_string())?;
    // A model that imagines several control steps at once shows the same picture for all of them.
    for _ in 0..frameskip {
        context.frames.push(frames.at(0, frames.steps - 1).to_vec());
        context.actions.push(order.action.clone());
    }
    let kept = model.context_frames().max(1);
    context
        .frames
        .drain(..context.frames.len().saturating_sub(kept));
    context
        .actions
        .drain(..(context.actions.len() + 1).saturating_sub(kept));
    Ok(Dreamt { context })
}
