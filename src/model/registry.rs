//! The models that ship in `models/`: listed without loading, loaded through the trait. Nobody else names a
//! concrete model.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Device;
use sha2::{Digest as _, Sha256};

use super::architecture;
pub use super::architecture::Trained;
use super::{Card, ModelError, WorldModel, folder};

/// A folder of `models/`.
#[derive(Debug)]
pub struct Entry {
    /// The folder's name.
    pub name: String,
    /// The folder.
    pub dir: PathBuf,
    /// Its card, or why that cannot be read.
    pub card: Result<Card, ModelError>,
}

/// Largest weights file that is read, bytes.
pub const MAX_BYTES: u64 = 16 << 20;
/// Where a training puts a finished model that is about to take the place of another: complete until it has.
pub const FINISHED: &str = "finished";

/// Where a folder's model lies: in the folder, unless a training was cut off while it put a new one in place
/// of an old one.
fn standing(dir: &Path) -> PathBuf {
    let whole = dir.join(FINISHED);
    match whole.join("card.ron").is_file() {
        true => whole,
        false => dir.to_path_buf(),
    }
}

/// Every folder of `dir` that holds a card, sorted by name.
pub fn scan(dir: &Path) -> Vec<Entry> {
    let mut entries: Vec<Entry> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| !crate::scene::is_stray(p) && p.join("card.ron").is_file())
        .map(|dir| entry(&dir))
        .collect();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

/// The model of one folder.
pub fn entry(dir: &Path) -> Entry {
    let name = dir.file_name().map(|n| n.to_string_lossy().into_owned());
    Entry {
        name: name.unwrap_or_default(),
        card: Card::load(&standing(dir)),
        dir: dir.into(),
    }
}

/// Loads a model folder: card, configuration and weights are checked against each other.
///
/// # Errors
/// [`ModelError`] naming the file and the field or tensor at fault.
pub fn load_any(dir: &Path, device: &Device) -> Result<Trained, ModelError> {
    let dir = &standing(dir);
    let card = Card::load(dir)?;
    check_weights(dir, &card)?;
    architecture::load(dir, card, device)
}

/// As [`load_any`], of a folder that holds a world model.
///
/// # Errors
/// [`ModelError`] naming what is at fault.
pub fn load(dir: &Path, device: &Device) -> Result<Arc<dyn WorldModel>, ModelError> {
    let (card, what) = match load_any(dir, device)? {
        Trained::World(model) => return Ok(model),
        Trained::Policy(policy) => (policy.card().clone(), "a policy: it acts"),
        Trained::Distance(distance) => (
            distance.card().clone(),
            "a distance: it says how far it is to a goal",
        ),
    };
    Err(ModelError::Input {
        model: card.name,
        message: format!("is {what} but imagines nothing"),
    })
}

/// Where baselines lie: folders like those of models, for comparison only; the window offers the regression
/// twins among them.
pub fn baselines(models: &Path) -> PathBuf {
    models.join("baselines")
}

/// Loads `models/NAME` (or `models/baselines/NAME`) by its folder's name.
///
/// # Errors
/// [`ModelError::Input`] listing the names there are, or any error of [`load`].
pub fn load_named(
    models: &Path,
    name: &str,
    device: &Device,
) -> Result<Arc<dyn WorldModel>, ModelError> {
    load(&find(models, name)?, device)
}

/// The folder of a model or baseline.
///
/// # Errors
/// [`ModelError::Input`] listing the names there are.
pub fn find(models: &Path, name: &str) -> Result<PathBuf, ModelError> {
    let places = [models.to_path_buf(), baselines(models)];
    let found = places.iter().map(|p| p.join(name));
    if let Some(dir) = found.into_iter().find(|d| d.join("card.ron").is_file()) {
        return Ok(dir);
    }
    let known: Vec<String> = places
        .iter()
        .flat_map(|p| scan(p))
        .map(|e| e.name)
        .collect();
    let known = match known.is_empty() {
        true => "none; set PARALLAX_HOME to the folder that holds scenes/ and models/".into(),
        false => known.join(", "),
    };
    let message = format!(
        "there is no such folder in {}; the models there are: {known}",
        models.display()
    );
    Err(ModelError::Input {
        model: name.into(),
        message,
    })
}

/// The weights are of a sane size and those that the card names.
fn check_weights(dir: &Path, card: &Card) -> Result<(), ModelError> {
    check_file(&dir.join(folder::WEIGHTS), Some(&card.sha256))?;
    let beside = [
        (folder::READOUTS, &card.readouts),
        (folder::KEYFRAMES, &card.keyframes),
        (folder::JUMPS, &card.jumps),
        (folder::DISTANCE, &card.distance),
    ];
    for (name, sha256) in beside {
        let path = dir.join(name);
        if sha256.is_some() || path.is_file() {
            check_file(&path, sha256.as_ref())?;
        }
    }
    Ok(())
}

fn check_file(path: &Path, sha256: Option<&String>) -> Result<(), ModelError> {
    let io = |source| ModelError::Io {
        path: path.into(),
        source,
    };
    let fault = |what: &str, message: String| {
        Err(ModelError::Invalid {
            path: path.into(),
            what: what.into(),
            message,
        })
    };
    let size = std::fs::metadata(path).map_err(io)?.len();
    if size > MAX_BYTES {
        let message = format!("found {size} bytes, expected at most {MAX_BYTES}");
        return fault("size", message);
    }
    let found: String = Sha256::digest(std::fs::read(path).map_err(io)?)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    match sha256 {
        Some(named) if *named == found => Ok(()),
        named => {
            let named = named.map_or("nothing of the file", String::as_str);
            let why = "the file is damaged or belongs to another card";
            fault(
                "sha256",
                format!("found {found}, the card says {named}; {why}"),
            )
        }
    }
}
