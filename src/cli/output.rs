//! Where commands write: one rule for the endings of files, places that are tested before the work, files
//! that are put in place whole.

use std::path::Path;

use anyhow::{Context as _, Result};

use crate::system::files::{self, Part};

/// What a file holds. Its ending has to say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A picture: `.png`.
    Png,
    /// A moving picture: `.gif`.
    Gif,
    /// Numbers: `.json`, or no ending at all.
    Json,
}

impl Form {
    const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Json => "json",
        }
    }

    /// Capitals are as good as small letters.
    fn fits(self, path: &Path) -> bool {
        match path.extension() {
            Some(found) => found.eq_ignore_ascii_case(self.ending()),
            None => self == Self::Json,
        }
    }
}

/// Tests, before any work, that a file can be written: its ending says what it will hold, its folder is there
/// (or can be made), and something can be written in it. What is there already stays as it is. A device such
/// as `/dev/stdout` may have any name.
///
/// # Errors
/// Wrong use (exit code 2) if the ending is another or the path is a folder; else what the system says of it.
pub(crate) fn test(option: &str, path: &Path, form: Form) -> Result<()> {
    if files::is_device(path) {
        return Ok(());
    }
    let shown = path.display();
    if path.is_dir() {
        return Err(super::wrong_use(format!(
            "{option} {shown}: this is a folder, expected the name of a file"
        )));
    }
    if !form.fits(path) {
        return Err(super::wrong_use(format!(
            "{option} {shown}: expected a file name that ends in .{}",
            form.ending()
        )));
    }
    make_folder(option, path, files::folder_of(path))?;
    files::tidy_beside(path);
    Part::begin(path)
        .map(drop)
        .with_context(|| format!("{option} {shown}: cannot be written"))
}

/// Tests, before any work, that a folder is there (or can be made) and that something can be written in it.
///
/// # Errors
/// What the system says of it.
pub(crate) fn test_folder(option: &str, dir: &Path) -> Result<()> {
    make_folder(option, dir, dir)?;
    Part::begin(&dir.join("test"))
        .map(drop)
        .with_context(|| format!("{option} {}: cannot be written to", dir.display()))
}

fn make_folder(option: &str, given: &Path, dir: &Path) -> Result<()> {
    std::fs::create_dir_all(dir).with_context(|| {
        let (given, dir) = (given.display(), dir.display());
        format!("{option} {given}: the folder {dir} cannot be made")
    })
}

/// Writes a whole file; what was there stays until the new one stands.
///
/// # Errors
/// What the system says, with the file's name.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    files::replace(path, bytes).with_context(|| format!("{}: cannot be written", path.display()))
}
