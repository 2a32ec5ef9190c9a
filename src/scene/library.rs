//! The library of scenes, and where the program finds its files.

use std::path::{Path, PathBuf};

use super::{Scene, SceneError};

/// The folder that holds `scenes/`, `models/` and `assets/`: `$PARALLAX_HOME`, else the working
/// directory or the executable's nearest ancestor that [is one](is_home), else the source tree.
pub fn home() -> PathBuf {
    if let Some(home) = std::env::var_os("PARALLAX_HOME") {
        return PathBuf::from(home);
    }
    if let Ok(here) = std::env::current_dir()
        && is_home(&here)
    {
        return here;
    }
    if let Ok(exe) = std::env::current_exe()
        && let Some(dir) = exe.ancestors().skip(1).find(|d| is_home(d))
    {
        return dir.to_path_buf();
    }
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Whether a folder holds both `scenes/` with scene files and `models/`. Many projects have a folder
/// `scenes`, so that this alone says nothing.
pub fn is_home(dir: &Path) -> bool {
    dir.join("models").is_dir() && !list(&dir.join("scenes")).is_empty()
}

/// Whether a file or folder is none of ours, by its name: hidden ones (an editor's lock `.#push.ron`, a Mac's
/// `._push.ron`) and an editor's copies (`push.ron~`).
pub fn is_stray(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(['.', '#']) || name.ends_with('~')
}

/// `scenes/` under [`home`].
pub fn library_dir() -> PathBuf {
    home().join("scenes")
}

/// `models/` under [`home`].
pub fn models_dir() -> PathBuf {
    home().join("models")
}

/// Names of the scenes in a folder, sorted; [strays](is_stray) are left out.
pub fn list(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|x| x == "ron") && !is_stray(p) && !p.is_dir())
        .filter_map(|p| p.file_stem().and_then(|s| s.to_str()).map(String::from))
        .collect();
    names.sort();
    names
}

/// Loads a scene by name from the library, or by path when `name` ends in `.ron`.
///
/// # Errors
/// [`SceneError`]; an unknown name lists the known ones.
pub fn load(name: &str) -> Result<Scene, SceneError> {
    if name.ends_with(".ron") {
        Scene::load(Path::new(name))
    } else {
        load_named(&library_dir(), name)
    }
}

/// Loads `dir/name.ron`.
///
/// # Errors
/// [`SceneError`]; an unknown name lists the known ones.
pub fn load_named(dir: &Path, name: &str) -> Result<Scene, SceneError> {
    let known = list(dir);
    if !known.iter().any(|k| k == name) {
        return Err(SceneError::Unknown {
            name: name.into(),
            dir: dir.into(),
            known: known.join(", "),
        });
    }
    Scene::load(&dir.join(format!("{name}.ron")))
}
