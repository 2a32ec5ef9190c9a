//! What is measured, with which parameters: `models/evaluations.ron`; and whether a result still holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::stored::Stored;
use super::template::{Variables, with_variables};
use super::{ReportError, read_ron};
use crate::judge::Calibration;
use crate::model::{Camp, Card, registry};

/// All evaluations that count.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluations {
    /// Lists of values that several evaluations share.
    lists: BTreeMap<String, Vec<String>>,
    runs: Vec<Pattern>,
}

/// One evaluation, or one for each combination of values.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pattern {
    /// `parallax eval --plan GROUP` runs this group alone.
    group: String,
    /// What follows `parallax eval`.
    run: String,
    /// Name of the result, without `.json`.
    file: String,
    /// Where it lies; without it in `eval/` of the model's folder.
    #[serde(default)]
    folder: Option<String>,
    /// A picture that is drawn besides.
    #[serde(default)]
    picture: Option<String>,
    /// Values of the variables.
    #[serde(default)]
    each: BTreeMap<String, OneOrMany>,
}

/// The name of a list, or the values themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    /// The name of a list in `models/evaluations.ron`.
    List(String),
    /// Values.
    Values(Vec<String>),
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Its group.
    pub group: String,
    /// What follows `parallax eval`, without `--json` and `--out`.
    pub arguments: Vec<String>,
    /// Where its result lies.
    pub result: PathBuf,
    /// Where its picture lies.
    pub picture: Option<PathBuf>,
}

/// Whether a result still holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It was measured of these weights, in this scene, with these parameters.
    Current,
    /// There is none.
    Missing,
    /// It was measured of something else.
    Stale(String),
    /// It cannot be measured: the model is not there.
    Impossible(String),
}

impl Evaluations {
    /// Reads `models/evaluations.ron` under `home`.
    ///
    /// # Errors
    /// [`ReportError`] with the line at fault.
    pub fn load(home: &Path) -> Result<Self, ReportError> {
        read_ron(&path(home))
    }

    /// A list of values.
    pub fn list(&self, name: &str) -> Option<&[String]> {
        self.lists.get(name).map(Vec::as_slice)
    }

    /// Every combination of the variables' values; one without any where there are no variables.
    pub(super) fn combinations(
        &self,
        each: &BTreeMap<String, OneOrMany>,
        place: &Path,
    ) -> Result<Vec<Variables>, ReportError> {
        let mut all = vec![Variables::new()];
        for (name, values) in each {
            let values = match values {
                OneOrMany::Values(values) => values,
                OneOrMany::List(list) => self.lists.get(list).ok_or_else(|| {
                    let known = self.lists.keys().cloned().collect::<Vec<_>>().join(", ");
                    let message =
                        format!("there is no list `{list}`; models/evaluations.ron has {known}");
                    ReportError::invalid(place, name, message)
                })?,
            };
            let with = |variables: &Variables, value: &String| {
                let mut more = variables.clone();
                more.insert(name.clone(), value.clone());
                more
            };
            all = all
                .iter()
                .flat_map(|variables| values.iter().map(move |value| with(variables, value)))
                .collect();
        }
        Ok(all)
    }

    /// Every evaluation of the groups named (of all groups where none is named), in the file's order.
    ///
    /// # Errors
    /// [`ReportError`] if a group or a list is unknown, or a run names no model and no folder for its result.
    pub fn runs(&self, home: &Path, groups: &[String]) -> Result<Vec<Run>, ReportError> {
        let path = path(home);
        for group in groups {
            if !self.runs.iter().any(|p| &p.group == group) {
                let mut known: Vec<&str> = self.runs.iter().map(|p| p.group.as_str()).collect();
                known.dedup();
                let message = format!("there is no such group; expected {}", known.join(", "));
                return Err(ReportError::invalid(&path, group, message));
            }
        }
        let mut all = Vec::new();
        for pattern in &self.runs {
            if !groups.is_empty() && !groups.contains(&pattern.group) {
                continue;
            }
            for variables in self.combinations(&pattern.each, &path)? {
                all.push(pattern.run(home, &variables)?);
            }
        }
        Ok(all)
    }
}

impl Pattern {
    fn run(&self, home: &Path, variables: &Variables) -> Result<Run, ReportError> {
        let fill = |text: &str| with_variables(text, variables);
        let arguments: Vec<String> = fill(&self.run)
            .split_whitespace()
            .map(String::from)
            .collect();
        let folder = match (&self.folder, model_of(&arguments)) {
            (Some(folder), _) => home.join(fill(folder)),
            (None, Some(model)) => folder_of(home, model).join("eval"),
            (None, None) => {
                let message = "it has no --model, so a `folder` for its result is needed";
                return Err(ReportError::invalid(path(home), &self.run, message));
            }
        };
        Ok(Run {
            group: self.group.clone(),
            arguments,
            result: folder.join(fill(&self.file) + ".json"),
            picture: self.picture.as_deref().map(|p| home.join(fill(p))),
        })
    }
}

impl Run {
    /// Whether its result still holds. What counts are the weights, the scene and the parameters.
    ///
    /// # Errors
    /// [`ReportError`] if the result cannot be read.
    pub fn state(&self, home: &Path) -> Result<State, ReportError> {
        let card = match model_of(&self.arguments) {
            Some(model) if !is_reference(model) => match Card::load(&folder_of(home, model)) {
                Ok(card) => Some(card),
                Err(error) => return Ok(State::Impossible(error.to_string())),
            },
            _ => None,
        };
        let Some(result) = Stored::load(&self.result)? else {
            return Ok(State::Missing);
        };
        let asked = canonical(self.arguments.iter().map(String::as_str));
        let command = result.text("command").unwrap_or_default();
        let measured = canonical(command.split_whitespace().skip(2));
        if asked != measured {
            return Ok(State::Stale(format!("measured with `{measured}`")));
        }
        if let Some(card) = card
            && result.text("model_sha256") != Some(&card.sha256)
        {
            return Ok(State::Stale("measured of other weights".into()));
        }
        let card = model_of(&self.arguments)
            .and_then(|model| Card::load(&folder_of(home, model)).ok())
            .unwrap_or_else(|| Card::untrained("", Camp::Reference, ""));
        let beside = [
            ("keyframes_sha256", card.keyframes, "keyframes"),
            ("jumps_sha256", card.jumps, "jumps"),
        ];
        for (key, own, what) in beside {
            if result
                .text(key)
                .is_some_and(|measured| own.as_deref() != Some(measured))
            {
                return Ok(State::Stale(format!("measured with other {what}")));
            }
        }
        if let Some(judged) = result.at("violations") {
            if judged.get("checked").is_none() {
                return Ok(State::Stale("judged before laws were counted".into()));
            }
            let other = |sha256: &str| sha256 != Calibration::shipped().sha256();
            if result.text("violations.judge_sha256").is_some_and(other) {
                return Ok(State::Stale("judged with other thresholds".into()));
            }
        }
        if let Some(measured) = result.text("distance_sha256")
            && model_of(&self.arguments)
                .and_then(|model| Card::load(&folder_of(home, model)).ok())
                .is_none_or(|card| card.distance.as_deref() != Some(measured))
        {
            return Ok(State::Stale("measured with another distance".into()));
        }
        if let Some(scene) = value_of(&self.arguments, "--scene") {
            let here = match crate::scene::load(scene) {
                Ok(scene) => scene.sha256(),
                Err(error) => return Ok(State::Impossible(error.to_string())),
            };
            match result.text("scene_sha256") {
                Some(measured) if measured == here => {}
                Some(_) => {
                    return Ok(State::Stale(
                        "measured in another version of the scene".into(),
                    ));
                }
                None => {
                    return Ok(State::Stale(
                        "it does not say which version of the scene".into(),
                    ));
                }
            }
        }
        Ok(State::Current)
    }
}

fn path(home: &Path) -> PathBuf {
    home.join("models/evaluations.ron")
}

/// Whether a name is a controller that is not learned.
fn is_reference(name: &str) -> bool {
    ["oracle", "random", crate::model::oracle::CONSTANT_VELOCITY].contains(&name)
}

/// The folder of a model or baseline; that of a model where neither is there.
fn folder_of(home: &Path, model: &str) -> PathBuf {
    let models = home.join("models");
    let baseline = registry::baselines(&models).join(model);
    match baseline.join("card.ron").is_file() {
        true => baseline,
        false => models.join(model),
    }
}

fn value_of<'a>(arguments: &'a [String], option: &str) -> Option<&'a str> {
    let at = arguments.iter().position(|a| a == option)?;
    arguments.get(at + 1).map(String::as_str)
}

fn model_of(arguments: &[String]) -> Option<&str> {
    value_of(arguments, "--model")
}

/// Arguments in one order, without those that say where results go and where to compute: two commands that
/// measure the same are equal.
fn canonical<'a>(arguments: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<(String, Vec<&str>)> = Vec::new();
    for word in arguments {
        match (word.starts_with("--"), words.last_mut()) {
            (false, Some((_, values))) => values.push(word),
            _ => words.push((word.to_string(), Vec::new())),
        }
    }
    words.retain(|(option, _)| !["--json", "--out", "--device"].contains(&option.as_str()));
    words.sort();
    let words = words.iter().flat_map(|(option, values)| {
        std::iter::once(option.as_str()).chain(values.iter().copied())
    });
    words.collect::<Vec<_>>().join(" ")
}
