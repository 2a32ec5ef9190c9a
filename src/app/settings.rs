//! What the window remembers from one start to the next: theme, size of writing, and scene.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::state::{Look, State};
use crate::system::files;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Light theme.
    pub light: bool,
    /// Black on white and large, for a projector.
    pub projector: bool,
    /// Factor on all writing; `None` leaves it to the window.
    pub zoom: Option<f32>,
    /// The scene that was shown last.
    pub scene: Option<String>,
    /// Where the panes stand, if somebody has moved them ([`Docking`](super::docking::Docking)).
    pub layout: Option<String>,
}

/// Where they lie: `parallax/window.ron` in the folder for settings of the person at the machine; `None`
/// where the system names none.
pub fn place() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    let folder = set("XDG_CONFIG_HOME")
        .or_else(|| set("APPDATA"))
        .or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(folder.join("parallax").join("window.ron"))
}

impl Settings {
    /// Reads them; a file that is not there or not readable is as if nothing was remembered, and says so in
    /// the log.
    pub fn read(path: &Path) -> Self {
        let Ok(text) = files::text(path) else {
            return Self::default();
        };
        let read = ron::from_str::<Self>(&text);
        let mut settings = read.unwrap_or_else(|e| {
            tracing::warn!("{}: {e}; nothing is remembered", path.display());
            Self::default()
        });
        settings.zoom = settings.zoom.filter(|z| (0.6..=2.5).contains(z));
        settings
    }

    /// What of a window is to be remembered.
    pub fn of(state: &State, layout: Option<String>) -> Self {
        let scene = state.scenes.get(state.scene_index);
        Self {
            light: state.look == Look::Light,
            projector: state.look == Look::Projector,
            zoom: ((state.zoom - 1.0).abs() > 1e-3).then_some(state.zoom),
            scene: scene.map(|s| s.name.clone()),
            layout,
        }
    }

    /// The look that is remembered.
    pub fn look(&self) -> Look {
        match (self.projector, self.light) {
            (true, _) => Look::Projector,
            (_, true) => Look::Light,
            _ => Look::Dark,
        }
    }

    /// Writes them.
    ///
    /// # Errors
    /// In a sentence that names the file.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let at = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|e| at(&e))?;
        }
        let text = ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default());
        let text = text.map_err(|e| at(&e))?;
        let part = path.with_extension(format!("{}.part", std::process::id()));
        std::fs::write(&part, text)
            .and_then(|()| std::fs::rename(&part, path))
            .map_err(|e| at(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_comes_back_and_a_damaged_file_is_as_if_there_was_none() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/window.ron");
        assert_eq!(Settings::read(&path), Settings::default());
        let settings = Settings {
            light: true,
            zoom: Some(1.3),
            scene: Some("collide3".into()),
            layout: Some("(moved)".into()),
            ..Settings::default()
        };
        settings.write(&path).unwrap();
        assert_eq!(Settings::read(&path), settings);
        std::fs::write(&path, "(light: true, zoom: Some(900.0))").unwrap();
        let read = Settings::read(&path);
        assert_eq!((read.light, read.zoom), (true, None));
        std::fs::write(&path, "not a setting").unwrap();
        assert_eq!(Settings::read(&path), Settings::default());
    }
}
