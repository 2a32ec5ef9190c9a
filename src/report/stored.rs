//! Results of evaluations as they lie on disk.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ReportError;
use crate::model::{Card, registry};
use crate::system::files;

/// The result of one evaluation: a JSON object.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Where it lies.
    pub path: PathBuf,
    /// What it says.
    pub json: Value,
}

impl Stored {
    /// Reads a result; `None` where there is none.
    ///
    /// # Errors
    /// [`ReportError`] if the file cannot be read or is no JSON object.
    pub fn load(path: &Path) -> Result<Option<Self>, ReportError> {
        if !path.exists() {
            return Ok(None);
        }
        let text = files::text(path).map_err(|source| ReportError::Io {
            path: path.into(),
            source,
        })?;
        let json: Value = serde_json::from_str(&text).map_err(|e| {
            let at = format!("line {}, column {}", e.line(), e.column());
            ReportError::invalid(path, at, e.to_string())
        })?;
        if !json.is_object() {
            return Err(ReportError::invalid(
                path,
                "result",
                "expected a JSON object",
            ));
        }
        let path = path.into();
        Ok(Some(Self { path, json }))
    }

    /// The value at a dotted path, such as `numbers.model.2.survival`; `None` where it is null or not there.
    pub fn at(&self, path: &str) -> Option<&Value> {
        let mut value = &self.json;
        for key in path.split('.') {
            value = match value {
                Value::Object(map) => map.get(key)?,
                Value::Array(list) => list.get(key.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        (!value.is_null()).then_some(value)
    }

    /// The text at a dotted path.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.at(path).and_then(Value::as_str)
    }
}

/// A result that was measured on weights which are not those that ship.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outdated {
    /// The result.
    pub path: PathBuf,
    /// The model that it names.
    pub model: String,
}

/// Every result in the `eval/` folders of the models in `models` and of the baselines among them, sorted.
pub fn all(models: &Path) -> Vec<PathBuf> {
    let places = [models.to_path_buf(), registry::baselines(models)];
    let folders = places.iter().flat_map(|p| registry::scan(p));
    let mut found: Vec<PathBuf> = folders
        .flat_map(|entry| {
            std::fs::read_dir(entry.dir.join("eval"))
                .into_iter()
                .flatten()
                .flatten()
        })
        .map(|file| file.path())
        .filter(|path| {
            path.extension().is_some_and(|e| e == "json") && !crate::scene::is_stray(path)
        })
        .collect();
    found.sort();
    found
}

/// Results in a model's folder that name this model but other weights than those that lie there.
///
/// # Errors
/// [`ReportError`] if a result cannot be read.
pub fn outdated(models: &Path) -> Result<Vec<Outdated>, ReportError> {
    let mut found = Vec::new();
    for path in all(models) {
        let Some(result) = Stored::load(&path)? else {
            continue;
        };
        let folder = path.ancestors().nth(2).unwrap_or(models);
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let Ok(card) = Card::load(folder) else {
            continue;
        };
        let weights = result.text("model_sha256");
        if result.text("model") == Some(&name) && weights.is_some_and(|w| w != card.sha256) {
            let model = name.into_owned();
            found.push(Outdated { path, model });
        }
    }
    Ok(found)
}
