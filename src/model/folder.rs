//! The files of a model folder.
//!
//! `train.ron` is what somebody asked for and is never rewritten; `model.ron` is the network that came out of
//! it, with everything that was measured on the way; `card.ron` says what kind of network that is.
//! `model.safetensors` holds what imagining and planning need. What is read out for display lies in
//! `readouts.safetensors`, so that fitting it anew leaves the weights and their checksum alone.

use std::path::Path;

use candle_core::Device;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::ModelError;
use super::nn::{Params, WeightsError};
use crate::system::files;

/// The network as it came out of the training.
pub const NETWORK: &str = "model.ron";
/// The weights that imagining and planning need.
pub const WEIGHTS: &str = "model.safetensors";

/// The weights of probes and diagnostic decoder, where there are any.
pub const READOUTS: &str = "readouts.safetensors";
/// What the read-outs read, and how well.
pub const READOUTS_TABLE: &str = "readouts.json";

/// The weights of a head that proposes structured moments, where there is one: trained afterwards, it leaves
/// the weights and their checksum alone.
pub const KEYFRAMES: &str = "keyframes.safetensors";
/// What that head was trained with.
pub const KEYFRAMES_RECIPE: &str = "keyframes.ron";

/// The weights of jumps of several steps, where they were learned: trained afterwards, too.
pub const JUMPS: &str = "jumps.safetensors";
/// What they were trained with.
pub const JUMPS_RECIPE: &str = "jumps.ron";

/// The weights of a distance in steps, where one was learned: trained afterwards, like keyframes.
pub const DISTANCE: &str = "distance.safetensors";
/// What that distance was trained with.
pub const DISTANCE_RECIPE: &str = "distance.ron";

/// Whether a tensor belongs to a read-out.
pub fn is_readout(name: &str) -> bool {
    ["probe.", "decoder."].iter().any(|p| name.starts_with(p))
}

/// The weights of a folder, those of read-outs, keyframes, jumps and distance included.
///
/// # Errors
/// [`WeightsError`] naming the file and the tensor at fault.
pub fn weights(dir: &Path, device: &Device) -> Result<Params, WeightsError> {
    let params = Params::load(&dir.join(WEIGHTS), device)?;
    let mut params = params;
    for beside in [READOUTS, KEYFRAMES, JUMPS, DISTANCE].map(|name| dir.join(name)) {
        if beside.is_file() {
            params = params.and(&beside)?;
        }
    }
    Ok(params)
}

/// A network's settings as `model.ron` says them.
///
/// # Errors
/// [`ModelError::Invalid`] if they cannot be written as text.
pub fn network_text(network: &impl Serialize) -> Result<String, ModelError> {
    ron::ser::to_string_pretty(network, ron::ser::PrettyConfig::default())
        .map(|text| text + "\n")
        .map_err(|e| ModelError::Invalid {
            path: NETWORK.into(),
            what: "network".into(),
            message: e.to_string(),
        })
}

/// Writes `model.ron`.
///
/// # Errors
/// [`ModelError::Io`] naming the file.
pub fn save_network(dir: &Path, text: &str) -> Result<(), ModelError> {
    let path = dir.join(NETWORK);
    files::replace(&path, text.as_bytes()).map_err(|source| ModelError::Io { path, source })
}

/// Reads `model.ron` as the settings of one kind of network.
///
/// # Errors
/// [`ModelError`] naming the file, and the line of a field that does not parse.
pub fn network<T: DeserializeOwned>(dir: &Path) -> Result<T, ModelError> {
    let path = dir.join(NETWORK);
    let text = files::text(&path).map_err(|source| ModelError::Io {
        path: path.clone(),
        source,
    })?;
    ron::from_str(&text).map_err(|e| ModelError::Invalid {
        path: path.clone(),
        what: format!("line {}, column {}", e.span.start.line, e.span.start.col),
        message: e.code.to_string(),
    })
}
