//! One process at a time in a folder.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process works in it.
    #[error("{dir}: {by} is at work in this folder; wait until it is done, or choose another folder",
        dir = dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
        /// Who, in words.
        by: String,
    },
    /// The file system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Holds a folder until it is dropped, or the process ends in whatever way.
#[derive(Debug)]
pub struct FolderLock {
    file: File,
    path: PathBuf,
}

impl FolderLock {
    /// Takes a folder that exists. Where the file system knows no locks, nothing is held and nobody is kept
    /// out.
    ///
    /// # Errors
    /// [`LockError::Busy`] if another process holds it; [`LockError::Io`] if nothing can be written there.
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(".lock");
        let io = |source| LockError::Io {
            path: path.clone(),
            source,
        };
        loop {
            let mut file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)
                .map_err(io)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    let mut by = String::new();
                    let _ = file.read_to_string(&mut by);
                    let by = match by.trim() {
                        "" => "another process".to_string(),
                        by => by.to_string(),
                    };
                    return Err(LockError::Busy {
                        dir: dir.into(),
                        by,
                    });
                }
                // The holder before may have removed the file between our opening and locking it.
                Ok(()) if !is_the_file_at(&file, &path) => continue,
                Ok(()) | Err(TryLockError::Error(_)) => {}
            }
            // Who we are is of use to others; on a full disk they learn it from the lock alone.
            let _ = file.set_len(0);
            let _ = write!(file, "process {} ({})", std::process::id(), command());
            return Ok(Self { file, path });
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        if is_the_file_at(&self.file, &self.path) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The command in two words, such as `parallax collect`.
fn command() -> String {
    let words = std::env::args_os().skip(1).take(1);
    words.fold("parallax".into(), |line, word| {
        line + " " + &word.to_string_lossy()
    })
}

#[cfg(unix)]
fn is_the_file_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(own), Ok(there)) => (own.dev(), own.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_the_file_at(_file: &File, _path: &Path) -> bool {
    true
}
