//! Documents with figures between markers.
//!
//! A table: `<!-- table NAME -->`, the table, `<!-- end -->`. Figures within a sentence: `<!-- FILE.json
//! {FORMAT PATH} -->`, the text, `<!-- end -->`. [`template`](super::template) has the formats.

use std::path::{Path, PathBuf};

use super::ReportError;
use super::evaluations::Evaluations;
use super::stored::Stored;
use super::table::Tables;
use super::template::with_figures;
use crate::system::files;

const BEGIN: &str = "<!-- ";
const CLOSE: &str = " -->";
const END: &str = "<!-- end -->";

/// What documents may show besides figures of results: a text for a name, such as the list of commands.
pub type Extra<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where figures of the documents come from.
pub struct Sources<'a> {
    /// The folder that holds `models/`, `docs/` and the documents.
    pub home: PathBuf,
    tables: Tables,
    evaluations: Evaluations,
    extra: Extra<'a>,
}

impl<'a> Sources<'a> {
    /// Reads the tables and evaluations under `home`.
    ///
    /// # Errors
    /// [`ReportError`] with the line at fault.
    pub fn load(home: &Path, extra: Extra<'a>) -> Result<Self, ReportError> {
        Ok(Self {
            home: home.into(),
            tables: Tables::load(home)?,
            evaluations: Evaluations::load(home)?,
            extra,
        })
    }

    /// The documents that hold figures: README, ARCHITECTURE, everything in `docs/`, and the README of
    /// every model.
    pub fn documents(&self) -> Vec<PathBuf> {
        let models = self.home.join("models");
        let baselines = crate::model::registry::baselines(&models);
        let mut found: Vec<PathBuf> = ["docs", "training"]
            .map(|d| self.home.join(d))
            .iter()
            .chain([&self.home])
            .flat_map(|dir| files_in(dir))
            .filter(|path| path.extension().is_some_and(|e| e == "md"))
            .collect();
        for dir in [models, baselines] {
            found.extend(
                files_in(&dir)
                    .map(|d| d.join("README.md"))
                    .filter(|p| p.is_file()),
            );
        }
        found.sort();
        found
    }

    /// The document as its markers want it.
    ///
    /// # Errors
    /// [`ReportError`] naming the document and the marker at fault.
    pub fn rewritten(&self, path: &Path) -> Result<(String, String), ReportError> {
        let text = files::text(path).map_err(|source| ReportError::Io {
            path: path.into(),
            source,
        })?;
        let mut out = String::new();
        let mut rest = text.as_str();
        while let Some((before, after)) = rest.split_once(BEGIN) {
            out += before;
            let Some((marker, after)) = after.split_once(CLOSE) else {
                return Err(ReportError::invalid(
                    path,
                    BEGIN,
                    "a comment without its end",
                ));
            };
            out += &format!("{BEGIN}{marker}{CLOSE}");
            rest = after;
            if let Some(content) = self.content(marker, path)? {
                let Some((_, after)) = after.split_once(END) else {
                    return Err(ReportError::invalid(
                        path,
                        marker,
                        format!("expected {END} after it"),
                    ));
                };
                out += &content;
                out += END;
                rest = after;
            }
        }
        out += rest;
        Ok((text, out))
    }

    /// What stands after a marker; `None` of comments that are no markers.
    fn content(&self, marker: &str, path: &Path) -> Result<Option<String>, ReportError> {
        if let Some(name) = marker.strip_prefix("table ") {
            let own = (self.extra)(name.trim());
            let table = match own {
                Some(text) => Some(text),
                None => self
                    .tables
                    .markdown(name.trim(), &self.home, &self.evaluations)?,
            };
            let known = || self.tables.names().collect::<Vec<_>>().join(", ");
            return match table {
                Some(table) => Ok(Some(format!("\n{table}"))),
                None => {
                    let message =
                        format!("there is no such table; docs/tables.ron has {}", known());
                    Err(ReportError::invalid(path, marker, message))
                }
            };
        }
        let Some((file, template)) = marker
            .split_once(' ')
            .filter(|(file, _)| file.ends_with(".json"))
        else {
            return Ok(None);
        };
        match Stored::load(&self.home.join(file))? {
            Some(result) => with_figures(template, &result, path).map(Some),
            None => {
                let message =
                    "there is no such result; `parallax eval --plan` measures what is missing";
                Err(ReportError::invalid(path, file, message))
            }
        }
    }
}

fn files_in(dir: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
}
