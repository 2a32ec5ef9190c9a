//! Files that are whole or not there: written beside their place, then renamed into it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Error, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Largest text file that is read where nothing else is said, bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The ending of files that are being written.
const PART: &str = ".part";

/// A file in the making, beside its place. It is removed again unless it is put in place.
pub struct Part {
    place: PathBuf,
    path: PathBuf,
    file: File,
    is_in_place: bool,
}

impl Part {
    /// Begins a file whose place is `place`, under a name of its own in the same folder.
    ///
    /// # Errors
    /// What the system says if the folder cannot be written to.
    pub fn begin(place: &Path) -> io::Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // What a link points to is replaced, not the link.
        let place = match fs::symlink_metadata(place) {
            Ok(meta) if meta.is_symlink() => fs::canonicalize(place).unwrap_or(place.into()),
            _ => place.to_path_buf(),
        };
        let name = place.file_name().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "this is no name of a file")
        })?;
        let mut own = OsString::from(".");
        own.push(name);
        let n = COUNT.fetch_add(1, Ordering::Relaxed);
        own.push(format!(".{}-{n}{PART}", std::process::id()));
        let path = folder_of(&place).join(own);
        let file = File::create(&path)?;
        // Whoever tidies up sees by the lock that somebody is still writing.
        let _ = file.try_lock();
        Ok(Self {
            place,
            path,
            file,
            is_in_place: false,
        })
    }

    /// Writes on.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Puts the file in its place. What was there stays until this very moment.
    ///
    /// # Errors
    /// What the system says; then nothing has changed.
    pub fn put_in_place(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        if let Ok(before) = fs::metadata(&self.place) {
            let _ = fs::set_permissions(&self.path, before.permissions());
        }
        fs::rename(&self.path, &self.place)?;
        self.is_in_place = true;
        Ok(())
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_in_place {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The folder in which a file lies.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// Whether this is a device or a pipe, such as `/dev/stdout`: it is written to as it is.
pub fn is_device(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|m| !m.is_file() && !m.is_dir())
}

/// Writes a whole file. What was there before stays until the new one stands; after a failure (a full disk)
/// nothing is left of the new one.
///
/// # Errors
/// What the system says.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if is_device(path) {
        return File::options().write(true).open(path)?.write_all(bytes);
    }
    let mut part = Part::begin(path)?;
    part.write(bytes)?;
    part.put_in_place()
}

/// Removes what writers that died have left in a folder: files in the making that nobody holds. Best effort.
pub fn tidy(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        if is_leftover_name(&name)
            && let Ok(file) = File::options().write(true).open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Removes what earlier writers of this one file have left. Best effort.
pub fn tidy_beside(place: &Path) {
    let Some(name) = place.file_name() else {
        return;
    };
    let start = format!(".{}.", name.to_string_lossy());
    for entry in fs::read_dir(folder_of(place))
        .into_iter()
        .flatten()
        .flatten()
    {
        let found = entry.file_name();
        if found.to_string_lossy().starts_with(&start)
            && is_leftover_name(&found)
            && let Ok(file) = File::options().write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Names of files in the making, those of earlier versions of this program among them.
fn is_leftover_name(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    (name.starts_with('.') && name.ends_with(PART))
        || (name.starts_with("shard-") && name.ends_with(PART))
        || name == "index.part"
        || name.ends_with(".safetensors.partial")
        || name == "state.json.partial"
}

/// Puts the folder `new` in the place of the folder `old`. Whoever is cut off here finds one of the two again
/// with [`recover_folder`].
///
/// # Errors
/// What the system says.
pub fn replace_folder(new: &Path, old: &Path) -> io::Result<()> {
    let aside = aside(old);
    if old.exists() {
        if aside.exists() {
            fs::remove_dir_all(&aside)?;
        }
        fs::rename(old, &aside)?;
    }
    fs::rename(new, old)?;
    match fs::remove_dir_all(&aside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Finds a folder again that [`replace_folder`] was cut off at, and removes what it had in hand.
///
/// # Errors
/// What the system says.
pub fn recover_folder(old: &Path) -> io::Result<()> {
    let aside = aside(old);
    if !aside.exists() {
        return Ok(());
    }
    match old.exists() {
        true => fs::remove_dir_all(aside),
        false => fs::rename(aside, old),
    }
}

/// Where the folder before the newest stands while the newest is put in place.
fn aside(dir: &Path) -> PathBuf {
    dir.with_extension("before")
}

/// Reads a whole text file (`train.ron`, `card.ron`, `index.json`, a scene): UTF-8, with or without a byte
/// order mark, at most 16 MB.
///
/// # Errors
/// What the system said, or a sentence about what the file holds in place of text. Neither names the file.
pub fn text(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?
        .take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)?;
    let wrong = |message: &str| Err(Error::new(ErrorKind::InvalidData, message));
    if bytes.len() as u64 > MAX_BYTES {
        return wrong("holds more than 16 MB, which no text file of ours does");
    }
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return wrong("is UTF-16 text; save it as UTF-8");
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.starts_with('\u{feff}') => Ok(text[3..].to_string()),
        Ok(text) => Ok(text),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let line = 1 + error.as_bytes()[..at]
                .iter()
                .filter(|&&b| b == b'\n')
                .count();
            wrong(&format!("is not UTF-8 text (from line {line} on)"))
        }
    }
}
