//! The library of scenes, and where the program finds its files.

use std::path::{Path, PathBuf};

use super::{Scene, SceneError};

/// The folder that holds `scenes/`, `models/` and `assets/`: `$PARALLAX_HOME`, else the working
/// directory or the executable's nearest ancestor with a `scenes` folder, else the source tree.
pub fn home() -> PathBuf {
    if let Some(home) = std::env::var_os("PARALLAX_HOME") {
        return PathBuf::from(home);
    }
    let has_scenes = |dir: &Path| dir.join("scenes").is_dir();
    if let Ok(here) = std::env::current_dir()
        && has_scenes(&here)
    {
        return here;
    }
    if let Ok(exe) = std::env::current_exe()
        && let Some(dir) = exe.ancestors().skip(1).find(|d| has_scenes(d))
    {
        return dir.to_path_buf();
    }
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// `scenes/` under [`home`].
pub fn library_dir() -> PathBuf {
    home().join("scenes")
}

/// `models/` under [`home`].
pub fn models_dir() -> PathBuf {
    home().join("models")
}

/// Names of the scenes in a folder, sorted.
pub fn list(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|x| x == "ron"))
        .filter_map(|e| {
            e.path()
                .file_stem()
                .map(|s| s.to_string_lossy().into_owned())
        })
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
