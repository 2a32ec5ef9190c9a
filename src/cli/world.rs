//! Options of every command that runs a scene: interventions and counterfactual edits.

use std::sync::Arc;

use anyhow::Result;

use crate::scene::{self, Edit, Scene};

/// What is changed of the scene before it runs.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct WorldArgs {
    /// Set a field of the scene, such as gravity=-3.7, cube.friction=0.9, cube.size=1.3, action.noise=0.2 or
    /// action.delay=2 (repeatable); two bodies have the mean of their frictions (unless the scene's `combine`
    /// says otherwise) and the greater of their restitutions; what lies outside the training ranges is
    /// reported as out of distribution
    #[arg(long = "set", value_name = "FIELD=NUMBER")]
    set: Vec<String>,
    /// Break physics on purpose, as in a scene file's `edits` (repeatable), such as
    /// '(step: 20, body: "cube", what: Vanish)'
    #[arg(long = "edit", value_name = "EDIT")]
    edit: Vec<String>,
    /// Side of the eye's picture in pixels: 64, 96 or 128 [default: the scene's; the shipped models need 64]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Samples a pixel along each axis, 1 to 4 [default: the scene's]
    #[arg(long, value_name = "K")]
    samples: Option<usize>,
}

impl WorldArgs {
    /// Whether any of it was given.
    pub fn is_given(&self) -> bool {
        self.changes_the_world() || self.size.is_some() || self.samples.is_some()
    }

    /// Whether the world itself is changed, not only its pictures.
    pub fn changes_the_world(&self) -> bool {
        !self.set.is_empty() || !self.edit.is_empty()
    }

    /// The options that were given, for messages.
    fn options(&self) -> String {
        let given = [
            ("--set", !self.set.is_empty()),
            ("--edit", !self.edit.is_empty()),
            ("--size", self.size.is_some()),
            ("--samples", self.samples.is_some()),
        ];
        let given = given
            .into_iter()
            .filter_map(|(option, given)| given.then_some(option));
        given.collect::<Vec<_>>().join(", ")
    }

    /// Loads a scene by name or path and changes it.
    ///
    /// # Errors
    /// The scene's error, or one that names the field or edit at fault.
    pub fn scene(&self, name: &str) -> Result<Arc<Scene>> {
        let mut scene = scene::load(name)?;
        for assignment in &self.set {
            scene.intervene(assignment).map_err(super::wrong_use)?;
        }
        for text in &self.edit {
            let edit: Edit = ron::from_str(text).map_err(|e| {
                let at = e.span.start.col;
                super::wrong_use(format!(
                    "--edit {text}: character {at}: {}; expected an edit such as (step: 20, body: \
                     \"cube\", what: Vanish)",
                    e.code
                ))
            })?;
            scene.edits.push(edit);
        }
        let camera = &mut scene.camera;
        camera.size = self.size.unwrap_or(camera.size);
        camera.samples = self.samples.unwrap_or(camera.samples);
        if self.is_given() {
            let changed = format!("{name} with {}", self.options());
            scene.check(&changed).map_err(super::wrong_use)?;
        }
        for departure in scene.departures() {
            eprintln!("out of distribution: {departure}");
        }
        Ok(Arc::new(scene))
    }
}
