//! Weights to begin with: those of a finished model, so that hours of learning add up over several trainings.

use std::path::Path;

use candle_core::{Device, Tensor};

use crate::model::generative::{Denoiser, PixelDiffusionConfig};
use crate::model::nn::Params;
use crate::model::{Card, ModelError, folder};
use crate::train::error::TrainError;

/// The layer that reads the actions: the only one that grows with their components.
const ACTIONS: &str = "embed_first.weight";

/// Gives `model` the scale of the data that the model in `folder` was trained at.
pub fn scale_of(folder: &Path, model: &mut PixelDiffusionConfig) -> Result<(), TrainError> {
    let before = config_of(folder)?;
    model.sigma_data = before.sigma_data;
    model.mean = before.mean;
    Ok(())
}

/// The weights of the model in `folder`, for a model that may take more components of an action: what
/// belongs to the new ones starts at zero.
///
/// # Errors
/// [`TrainError`] naming the file, and the tensor whose shape is another.
pub fn start_from(
    folder: &Path,
    model: &PixelDiffusionConfig,
    device: &Device,
) -> Result<Params, TrainError> {
    let before = config_of(folder)?;
    let path = folder.join(folder::WEIGHTS);
    let source = Params::load(&path, device)?;
    Denoiser::new(&before, source.clone())?;
    let params = Params::fresh(0, device);
    Denoiser::new(model, params.clone())?;
    let known: std::collections::BTreeMap<_, _> =
        source.vars().into_iter().chain(source.buffers()).collect();
    for (name, var) in params.vars().into_iter().chain(params.buffers()) {
        let misfit = |found: &[usize]| ModelError::Invalid {
            path: path.clone(),
            what: format!("tensor {name}"),
            message: format!(
                "found shape {found:?}, expected {:?}: a training starts from a model of the same widths",
                var.dims()
            ),
        };
        let value = known
            .get(&name)
            .ok_or_else(|| misfit(&[]))?
            .as_tensor()
            .clone();
        let value = if name == ACTIONS && model.actions == before.actions {
            widened(&value, &before, model)?
        } else {
            value
        };
        if value.shape() != var.shape() {
            return Err(misfit(value.dims()).into());
        }
        var.set(&value.force_contiguous()?)?;
    }
    Ok(params)
}

/// `[embed, embed + A·before]` to `[embed, embed + A·now]`.
fn widened(
    weight: &Tensor,
    before: &PixelDiffusionConfig,
    now: &PixelDiffusionConfig,
) -> candle_core::Result<Tensor> {
    let (rows, _) = weight.dims2()?;
    let added = now.action_dim.saturating_sub(before.action_dim);
    if added == 0 {
        return Ok(weight.clone());
    }
    let mut parts = vec![weight.narrow(1, 0, before.embed)?];
    for a in 0..before.actions {
        let kept = before.action_dim;
        parts.push(weight.narrow(1, before.embed + a * before.action_dim, kept)?);
        parts.push(Tensor::zeros(
            (rows, added),
            weight.dtype(),
            weight.device(),
        )?);
    }
    Tensor::cat(&parts, 1)
}

/// The network of the model in `folder`.
fn config_of(folder: &Path) -> Result<PixelDiffusionConfig, TrainError> {
    match Card::load(folder)?.architecture.as_str() {
        "pixel_diffusion" => Ok(folder::network(folder)?),
        other => Err(TrainError::Config {
            path: folder.join("card.ron"),
            field: "architecture".into(),
            message: format!("found {other}, expected pixel_diffusion to start from"),
        }),
    }
}
