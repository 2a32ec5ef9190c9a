//! Looking for violations in a rollout.

use std::sync::Arc;

use super::placeholder::{Judge, Violation};
use crate::model::{Cancel, Frames};
use crate::scene::Scene;

/// An order to judge imagined frames.
pub struct JudgeRollout {
    /// The laws and bodies.
    pub scene: Arc<Scene>,
    /// The last real frame before the branch.
    pub real: Vec<u8>,
    /// What was imagined after it.
    pub frames: Frames,
}

/// The judging worker's function: frame 0 of the violations is the last real one.
///
/// # Errors
/// [`Cancel`]led work only.
pub fn judging(order: JudgeRollout, cancel: &Cancel) -> Result<Vec<Violation>, String> {
    cancel.check().map_err(|e| e.to_string())?;
    let judge = Judge::new(&order.scene);
    let mut frames: Vec<&[u8]> = vec![&order.real];
    frames.extend((0..order.frames.steps).map(|t| order.frames.at(0, t)));
    Ok(judge.frames(order.frames.size, &frames))
}
