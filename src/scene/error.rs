//! Why a scene file is refused.

use std::path::PathBuf;

/// Why a scene file was refused.
#[derive(Debug, thiserror::Error)]
pub enum SceneError {
    /// The file could not be read.
    #[error(
        "{path}: cannot be read: {source}; expected a scene file such as scenes/push.ron",
        path = path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not RON, or not the fields of a scene.
    #[error("{path}:{line}:{column}: {message}", path = path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// 1-based line.
        line: usize,
        /// 1-based column.
        column: usize,
        /// What the parser expected.
        message: String,
    },
    /// A field is outside its bounds or contradicts another.
    #[error(
        "{path}{line}: field `{field}`: found {found}, expected {expected}",
        path = path.display(),
        line = Line(*line)
    )]
    Field {
        /// The file.
        path: PathBuf,
        /// 1-based line where the field (or its body) stands; 1 if it cannot be told, 0 where there is no
        /// text.
        line: usize,
        /// Path of the field, such as `bodies[2].shape.radius`.
        field: String,
        /// The value found.
        found: String,
        /// The values allowed.
        expected: String,
    },
    /// No scene of that name.
    #[error(
        "there is no scene `{name}` in {dir}; the scenes there are: {known}", dir = dir.display(),
        known = if known.is_empty() { "none; set PARALLAX_HOME to the folder that holds scenes/ and \
             models/" } else { known }
    )]
    Unknown {
        /// The name asked for.
        name: String,
        /// The library's folder.
        dir: PathBuf,
        /// Names that exist.
        known: String,
    },
}

struct Line(usize);

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            0 => Ok(()),
            line => write!(f, ":{line}"),
        }
    }
}
