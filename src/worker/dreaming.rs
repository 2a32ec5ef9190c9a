//! Dreaming: one step at a time of a world that exists in a model's imagination only, and that a person
//! drives.

use std::sync::Arc;

use crate::model::{Actions, Cancel, Context, Frame, Sampling, WorldModel, require};

/// An order to dream one step further.
pub struct DreamStep {
    /// Who dreams.
    pub model: Arc<dyn WorldModel>,
    /// What it remembers: real observations at first, its own from then on.
    pub context: Context,
    /// What the person does, `[A]`.
    pub action: Vec<f32>,
    /// How it draws its futures, if it draws them by chance.
    pub sampling: Sampling,
}

/// The dream one step further.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dreamt {
    /// What the model remembers now; the last frame is the new one.
    pub context: Context,
}

/// The dreaming worker's function: one imagined step, whose frames become the memory for the next. Any
/// model with pixels can dream.
///
/// # Errors
/// The model's error in words, or that it has no pixels.
pub fn dreaming(order: DreamStep, cancel: &Cancel) -> Result<Dreamt, String> {
    let (model, mut context) = (order.model, order.context);
    let shape = model.shape();
    let frameskip = shape.frameskip.max(1);
    let step = || {
        let actions = Actions::one(&vec![order.action.clone(); frameskip], order.action.len());
        let latent = model.observe(&context)?;
        let rollouts = model.imagine(&latent, &actions, order.sampling, cancel)?;
        cancel.check()?;
        let frames = model.facets().frames(&rollouts)?;
        let frames = frames.filter(|f| f.n > 0 && f.steps > 0);
        let lack = "has no pixels, so nobody can dream in it";
        require(model.as_ref(), frames, lack)
    };
    let frames = step().map_err(|e| e.to_string())?;
    // A model that imagines several control steps at once shows the same picture for all of them.
    for _ in 0..frameskip {
        let newest = frames.at(0, frames.steps - 1).to_vec();
        context.frames.push(Frame::new(frames.size, newest));
        context.actions.push(order.action.clone());
    }
    context.keep(shape.context_frames);
    Ok(Dreamt { context })
}
