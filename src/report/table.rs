//! The tables of the documents: `docs/tables.ron`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::evaluations::{Evaluations, OneOrMany};
use super::stored::Stored;
use super::template::{Variables, with_figures, with_variables};
use super::{ReportError, read_ron};

/// All tables, by name.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Tables(BTreeMap<String, Table>);

/// One table: a cell shows figures of one result. Where the result is missing the cell is empty.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// What stands over the first column.
    #[serde(default)]
    corner: String,
    columns: Vec<Line>,
    rows: Vec<Line>,
    /// Where the result of a cell lies, from the folder that holds `models/`.
    #[serde(default)]
    file: Option<String>,
    /// What a cell shows of it.
    #[serde(default)]
    cell: Option<String>,
}

/// A column or a row. A row's file and cell go before a column's, and a column's before the table's.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    title: String,
    /// Values of variables in this line.
    #[serde(default)]
    set: Variables,
    /// Makes a line of every value of a variable.
    #[serde(default)]
    each: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    cell: Option<String>,
}

impl Tables {
    /// Reads `docs/tables.ron` under `home`.
    ///
    /// # Errors
    /// [`ReportError`] with the line at fault.
    pub fn load(home: &Path) -> Result<Self, ReportError> {
        read_ron(&path(home))
    }

    /// Names of the tables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A table in Markdown; `None` if there is none of this name.
    ///
    /// # Errors
    /// [`ReportError`] if a result or a placeholder is at fault.
    pub fn markdown(
        &self,
        name: &str,
        home: &Path,
        evaluations: &Evaluations,
    ) -> Result<Option<String>, ReportError> {
        let Some(table) = self.0.get(name) else {
            return Ok(None);
        };
        let columns = expanded(&table.columns, home, evaluations)?;
        let mut out = row(&table.corner, columns.iter().map(|c| c.title.clone()));
        out += &row("---", columns.iter().map(|_| "---".into()));
        for line in expanded(&table.rows, home, evaluations)? {
            let cells = columns.iter().map(|column| table.cell(&line, column, home));
            out += &row(
                &line.title,
                cells.collect::<Result<Vec<_>, _>>()?.into_iter(),
            );
        }
        Ok(Some(out))
    }
}

impl Table {
    fn cell(&self, row: &Line, column: &Line, home: &Path) -> Result<String, ReportError> {
        let pick = |row: &Option<String>, column: &Option<String>, table: &Option<String>| {
            row.clone()
                .or_else(|| column.clone())
                .or_else(|| table.clone())
        };
        let (Some(file), Some(cell)) = (
            pick(&row.file, &column.file, &self.file),
            pick(&row.cell, &column.cell, &self.cell),
        ) else {
            return Ok(String::new());
        };
        let mut variables = column.set.clone();
        variables.extend(row.set.clone());
        let file = home.join(with_variables(&file, &variables));
        match Stored::load(&file)? {
            Some(result) => with_figures(&with_variables(&cell, &variables), &result, &path(home)),
            None => Ok(String::new()),
        }
    }
}

fn path(home: &Path) -> PathBuf {
    home.join("docs/tables.ron")
}

fn row(title: &str, cells: impl Iterator<Item = String>) -> String {
    let cells = std::iter::once(title.to_string()).chain(cells);
    format!("| {} |\n", cells.collect::<Vec<_>>().join(" | ")).replace("|  |", "| |")
}

fn expanded(
    lines: &[Line],
    home: &Path,
    evaluations: &Evaluations,
) -> Result<Vec<Line>, ReportError> {
    let mut all = Vec::new();
    for line in lines {
        for variables in evaluations.combinations(&line.each, &path(home))? {
            let mut one = line.clone();
            one.set.extend(variables);
            one.title = with_variables(&one.title, &one.set);
            all.push(one);
        }
    }
    Ok(all)
}
