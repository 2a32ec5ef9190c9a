//! The finished model folder: f16 weights and the card.

use super::{TrainConfig, TrainError};
use crate::episode::Dataset;
use crate::model::card::FORMAT;
use crate::model::nn::Params;
use crate::model::{Camp, Card};
use candle_core::{DType, Device};
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// What the card says beyond the configuration.
pub struct Export<'a> {
    /// Camp.
    pub camp: Camp,
    /// Learned numbers that running the model needs.
    pub parameters: u64,
    /// Optimisation steps of all phases.
    pub steps: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Where it differs from the paper, and how it validated.
    pub notes: String,
    /// Where it was trained.
    pub device: &'a Device,
}

/// Writes `model.safetensors` (f16) and `card.ron` into `out`.
///
/// # Errors
/// [`TrainError`] naming the file.
pub fn export(
    config: &TrainConfig,
    data: &Dataset,
    params: &Params,
    out: &Path,
    what: &Export,
) -> Result<Card, TrainError> {
    let sha256 = weights_to(&out.join("model.safetensors"), params)?;
    let seeds = data.episodes.iter().map(|e| e.seed);
    let (first, last) = (seeds.clone().min().unwrap_or(0), seeds.max().unwrap_or(0));
    let place = if what.device.is_cpu() { "CPU" } else { "GPU" };
    let mut scenes: Vec<String> = data.scenes.iter().map(|s| s.name.clone()).collect();
    scenes.sort();
    scenes.dedup();
    let card = Card {
        format: FORMAT,
        name: config.name.clone(),
        camp: what.camp,
        summary: config.summary.clone(),
        architecture: config.architecture.id().into(),
        scenes,
        parameters: what.parameters,
        steps: what.steps,
        seed: config.seed,
        data: format!(
            "{} episodes, {} frames, seeds {first}-{last}",
            data.episodes.len(),
            data.len()
        ),
        hardware: format!(
            "{place}, {} threads, {}",
            rayon::current_num_threads(),
            std::env::consts::ARCH
        ),
        minutes: what.seconds / 60.,
        sha256,
        notes: what.notes.clone(),
        licence: "MIT OR Apache-2.0".into(),
        behaviour: Vec::new(),
    };
    card.save(out)?;
    Ok(card)
}

/// Writes the weights as f16 and returns their SHA-256, as a card names it.
pub(super) fn weights_to(path: &Path, params: &Params) -> Result<String, TrainError> {
    params.save(path, DType::F16)?;
    let bytes = std::fs::read(path).map_err(|source| TrainError::Io {
        path: path.into(),
        source,
    })?;
    Ok(Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect())
}
