//! What was measured, as data: which evaluations there are and whether their results still hold
//! ([`evaluations`]), and the tables and figures of the documents, written from those results ([`document`]).
//!
//! No figure in a document is typed by hand: it stands between two markers, and `parallax report --write`
//! writes it from the result that it names.

pub mod document;
pub mod evaluations;
pub mod stored;
pub mod table;
pub mod template;

use std::path::PathBuf;

use ron::extensions::Extensions;

/// Why results or documents could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read but is not what it should be.
    #[error("{path}: {what}: {message}", path = path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// The field, marker or placeholder at fault.
        what: String,
        /// What was found, and what was expected.
        message: String,
    },
}

impl ReportError {
    fn invalid(
        path: impl Into<PathBuf>,
        what: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            path: path.into(),
            what: what.into(),
            message: message.into(),
        }
    }
}

/// Reads a RON file whole.
fn read_ron<T: serde::de::DeserializeOwned>(path: &std::path::Path) -> Result<T, ReportError> {
    let text = crate::system::files::text(path).map_err(|source| ReportError::Io {
        path: path.into(),
        source,
    })?;
    let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
    options.from_str(&text).map_err(|e| {
        let at = format!("line {}, column {}", e.span.start.line, e.span.start.col);
        ReportError::invalid(path, at, e.code.to_string())
    })
}
