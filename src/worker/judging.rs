//! Looking for violations in a rollout.

use std::sync::Arc;

use crate::judge::{Judge, Verdict};
use crate::model::{Cancel, Frame};
use crate::scene::Scene;
use crate::worker::Imagined;

/// An order to judge what was imagined.
pub struct JudgeRollout {
    /// The laws and bodies.
    pub scene: Arc<Scene>,
    /// The last real frames up to the branch, oldest first.
    pub real: Vec<Frame>,
    /// The model that imagined it: what its probes read is judged by what they make of reality.
    pub model: String,
    /// The actions, `[T][A]`: the first leads from the first of `real` to the next; none, if not all are
    /// known.
    pub actions: Option<Vec<Vec<f32>>>,
    /// What was imagined after them.
    pub imagined: Arc<Imagined>,
}

/// The judging worker's function; frames of the violations count from the first imagined one. Imagined
/// frames are judged where there are any, else probed states: one set of laws for both camps.
///
/// # Errors
/// When the order was cancelled.
pub fn judging(order: JudgeRollout, cancel: &Cancel) -> Result<Verdict, String> {
    cancel.check().map_err(|e| e.to_string())?;
    let judge = Judge::new(&order.scene);
    let imagined = &order.imagined;
    Ok(match (&imagined.frames, &imagined.states) {
        (Some(frames), _) => {
            let mut clip: Vec<&[u8]> = order.real.iter().map(|f| f.data.as_slice()).collect();
            clip.extend((0..frames.steps).map(|t| frames.at(0, t)));
            judge.frames(
                frames.size,
                order.real.len(),
                &clip,
                order.actions.as_deref(),
            )
        }
        (None, Some(states)) => judge.states(states, 0, imagined.frameskip, &order.model),
        (None, None) => Verdict::nothing("the model shows neither frames nor places"),
    })
}
