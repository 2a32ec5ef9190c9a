//! What every diffusion model asks of its inputs.

use crate::model::ModelError;

fn fault(model: &str, message: String) -> ModelError {
    ModelError::Input {
        model: model.into(),
        message,
    }
}

/// That a frame `[H, W, 3]` given as `what`, of side `size`, is of the side that `model` takes.
pub(super) fn check_frame(
    model: &str,
    what: &str,
    (size, frame): (usize, &[u8]),
    side: usize,
) -> Result<(), ModelError> {
    let bytes = 3 * side * side;
    if size == side && frame.len() == bytes {
        return Ok(());
    }
    Err(fault(
        model,
        format!(
            "{what}: {} bytes at size {size}, expected {bytes} at size {side}",
            frame.len()
        ),
    ))
}

/// An action with zeros for the components that its scene lacks, `[dim]`.
pub(super) fn padded_action(
    model: &str,
    action: &[f32],
    dim: usize,
) -> Result<Vec<f32>, ModelError> {
    if action.len() > dim || action.iter().any(|a| !a.is_finite()) {
        return Err(fault(
            model,
            format!("action {action:?}, expected at most {dim} finite components"),
        ));
    }
    let mut padded = action.to_vec();
    padded.resize(dim, 0.0);
    Ok(padded)
}
