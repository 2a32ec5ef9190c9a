//! Imagining one future from a branch.

use std::sync::Arc;

use crate::judge::Tracker;
use crate::model::{
    Actions, Cancel, Context, Frames, ModelError, ProbedStates, Sampling, WorldModel, futures,
};

/// An order to imagine.
pub struct Imagine {
    /// Who imagines.
    pub model: Arc<dyn WorldModel>,
    /// The observations up to the branch.
    pub context: Context,
    /// The actions from the branch on, `[T][A]` at the control rate.
    pub actions: Vec<Vec<f32>>,
    /// A.
    pub dim: usize,
    /// How it draws its futures, if it draws them by chance.
    pub sampling: Sampling,
    /// Different futures of the same actions, where the model draws them by chance.
    pub samples: usize,
    /// Finds the bodies in imagined frames, so that it can be said how far off they are.
    pub tracker: Option<Arc<Tracker>>,
}

/// An imagined future.
#[derive(Clone, Debug, Default)]
pub struct Imagined {
    /// Frames, where the model has pixels: one candidate a sample.
    pub frames: Option<Frames>,
    /// Probed states, where the model has probes (candidate 0).
    pub states: Option<ProbedStates>,
    /// What a diagnostic decoder draws of the latents, where a model without pixels has one (candidate 0).
    pub decoded: Option<Frames>,
    /// Control steps that one imagined step spans.
    pub frameskip: usize,
    /// Control steps imagined.
    pub steps: usize,
    /// Where the tracked bodies are in the imagined frames (candidate 0): `[steps][bodies]`, pixels; `None`
    /// where a body is not to be found. Empty without frames.
    pub tracks: Vec<Vec<Option<[f32; 2]>>>,
}

/// A body with less than this, in pixels, is not to be found.
const LEAST_AREA: f32 = 4.0;

/// Where the tracked bodies are in a frame `[size, size, 3]`, pixels; `None` where one is not to be found.
pub fn places(tracker: &Tracker, size: usize, frame: &[u8]) -> Vec<Option<[f32; 2]>> {
    let blobs = tracker.blobs(size, frame).into_iter();
    blobs
        .map(|b| (b.area >= LEAST_AREA).then_some(b.centroid))
        .collect()
}

/// The imagination worker's function.
///
/// # Errors
/// The model's error in words.
pub fn imagination(order: Imagine, cancel: &Cancel) -> Result<Imagined, String> {
    let model = &order.model;
    let frameskip = model.shape().frameskip.max(1);
    // Models imagine whole steps: what does not fill one is left out.
    let steps = order.actions.len() / frameskip * frameskip;
    if steps == 0 {
        return Err(format!(
            "{} actions are fewer than the {frameskip} of one imagined step",
            order.actions.len()
        ));
    }
    let run = || {
        let actions = Actions::one(&order.actions[..steps], order.dim);
        let latent = model.observe(&order.context)?;
        if order.samples > 1
            && let Some(frames) = futures(
                model.as_ref(),
                &latent,
                &actions,
                order.sampling,
                order.samples,
                cancel,
            )?
        {
            return Ok(Imagined {
                frames: Some(frames),
                states: None,
                decoded: None,
                frameskip,
                steps,
                tracks: Vec::new(),
            });
        }
        let rollouts = model.imagine(&latent, &actions, order.sampling, cancel)?;
        let can = model.facets();
        Ok::<_, ModelError>(Imagined {
            frames: can.frames(&rollouts)?,
            states: can.states(&rollouts)?,
            decoded: can.decoder.map(|d| d.decoded(&rollouts)).transpose()?,
            frameskip,
            steps,
            tracks: Vec::new(),
        })
    };
    let mut imagined = run().map_err(|e| e.to_string())?;
    if let (Some(tracker), Some(frames)) = (&order.tracker, &imagined.frames) {
        let frame = |t| frames.at(0, t);
        imagined.tracks = (0..frames.steps)
            .map(|t| places(tracker, frames.size, frame(t)))
            .collect();
    }
    Ok(imagined)
}
