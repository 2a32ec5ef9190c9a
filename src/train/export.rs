//! The finished model folder: f16 weights, what the network is, and the card.

use super::checkpoint::Progress;
use super::error::{TrainError, io};
use super::run::Given;
use crate::episode::Dataset;
use crate::model::folder;
use crate::model::nn::Params;
use crate::model::{Camp, Card};
use candle_core::DType;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::path::Path;

/// What came out of a training.
pub(super) struct Made {
    /// Weights of the finished model.
    pub params: Params,
    /// The network as it came out, as `model.ron` says it.
    pub network: String,
    /// Camp.
    pub camp: Camp,
    /// Learned numbers that running the model needs.
    pub parameters: u64,
    /// Where it differs from the paper, and how it validated.
    pub notes: String,
    /// What it learned from.
    pub experience: Experience,
}

impl Made {
    /// What came out of a training on the session's own experience.
    ///
    /// # Errors
    /// [`TrainError::Model`] if the network cannot be written as text.
    pub fn new(
        given: &Given,
        params: &Params,
        network: &impl Serialize,
        camp: Camp,
        notes: String,
    ) -> Result<Self, TrainError> {
        Ok(Self {
            params: params.clone(),
            network: folder::network_text(network)?,
            camp,
            parameters: params.count() as u64,
            notes,
            experience: Experience::of(given.data),
        })
    }

    /// The same, where running the model needs the variables of only some parts.
    pub fn of_parts(mut self, parts: &[&str]) -> Self {
        let counts = parts.iter().map(|part| self.params.pp(part).count() as u64);
        self.parameters = counts.sum();
        self
    }
}

/// Experience in the words of a card.
pub(super) struct Experience {
    scenes: Vec<String>,
    text: String,
}

impl Experience {
    /// That of a dataset.
    pub fn of(data: &Dataset) -> Self {
        let seeds = data.episodes.iter().map(|e| e.seed);
        let (first, last) = (seeds.clone().min().unwrap_or(0), seeds.max().unwrap_or(0));
        let mut scenes: Vec<String> = data.scenes.iter().map(|s| s.name.clone()).collect();
        scenes.sort();
        scenes.dedup();
        Self {
            scenes,
            text: format!(
                "{} episodes, {} frames, seeds {first}-{last}",
                data.episodes.len(),
                data.len()
            ),
        }
    }
}

/// The card of a model that is still being trained: enough for measuring it.
pub(super) fn unfinished(given: &Given, steps: u64) -> Card {
    let device = match given.options.device.is_cpu() {
        true => "CPU",
        false => "GPU",
    };
    Card {
        summary: given.summary.into(),
        steps,
        seed: given.seed,
        hardware: format!(
            "{device}, {} threads, {}",
            rayon::current_num_threads(),
            std::env::consts::ARCH
        ),
        ..Card::untrained(given.name, Camp::Generative, given.architecture)
    }
}

/// Writes what came out into the folder where the training works.
///
/// # Errors
/// [`TrainError`] naming the file.
pub(super) fn export(given: &Given, progress: &Progress, made: &Made) -> Result<(), TrainError> {
    let out = &given.options.out;
    let (sha256, readouts) = weights_to(out, &made.params)?;
    folder::save_network(out, &made.network)?;
    let card = Card {
        camp: made.camp,
        scenes: made.experience.scenes.clone(),
        parameters: made.parameters,
        data: made.experience.text.clone(),
        minutes: progress.seconds / 60.,
        frames: progress.frames,
        stages: given.stages.to_vec(),
        sha256,
        readouts,
        notes: made.notes.clone(),
        ..unfinished(given, progress.total_steps)
    };
    Ok(card.save(out)?)
}

/// Writes weights and read-outs as f16 and returns their SHA-256, as a card names them.
pub(super) fn weights_to(
    out: &Path,
    params: &Params,
) -> Result<(String, Option<String>), TrainError> {
    let digest = |path: &Path| -> Result<String, TrainError> {
        let digest = Sha256::digest(std::fs::read(path).map_err(io(path))?);
        Ok(digest.iter().map(|b| format!("{b:02x}")).collect())
    };
    let (weights, readouts) = (out.join(folder::WEIGHTS), out.join(folder::READOUTS));
    params.save_those(&weights, DType::F16, |name| !folder::is_readout(name))?;
    let has_readouts = params.save_those(&readouts, DType::F16, folder::is_readout)?;
    let named = has_readouts.then(|| digest(&readouts)).transpose()?;
    Ok((digest(&weights)?, named))
}
