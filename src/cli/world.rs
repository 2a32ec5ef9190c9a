//! Options of every command that runs a scene: interventions and counterfactual edits.

use std::sync::Arc;

use anyhow::{Context, Result};

use crate::scene::{self, Edit, Scene};

/// What is changed of the scene before it runs.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct WorldArgs {
    /// Set a field of the scene, such as gravity=-3.7, cube.friction=0.9, cube.size=1.3, action.noise=0.2 or
    /// action.delay=2 (repeatable); what lies outside the training ranges is reported as out of distribution
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
            let edit: Edit = ron::from_str(text)
                .with_context(|| format!("--edit {text}: expected an edit such as (step: 20, body: \"cube\", what: Vanish)"))?;
            scene.edits.push(edit);
        }
        let camera = &mut scene.camera;
        camera.size = self.size.unwrap_or(camera.size);
        camera.samples = self.samples.unwrap_or(camera.samples);
        scene.check(&format!("{name} with --set, --edit, --size and --samples"))?;
        for departure in scene.departures() {
            eprintln!("out of distribution: {departure}");
        }
        Ok(Arc::new(scene))
    }
}
