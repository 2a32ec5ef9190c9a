//! What every suite is asked: which model, in which scene, on which seeds; and what every result says of it.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::{seed, world::WorldArgs, wrong_use};
use crate::eval::result::{Head, SCHEMA, seeds_are};
use crate::model::{Sampled, Sampling, WorldModel, registry};
use crate::scene::{self, Scene, models_dir};
use crate::sim::HELD_OUT_SEED;
use crate::stats::Mean;

/// What is measured, and where the result goes.
#[derive(clap::Args, Debug)]
pub struct SubjectArgs {
    /// Scene: a name from `parallax scenes`, or a file
    #[arg(long, value_name = "S")]
    pub scene: String,
    /// Model: a folder of models/ (control also takes `oracle`, `constant-velocity` and `random`)
    #[arg(long, value_name = "M")]
    pub model: String,
    /// First seed; from 1000000 up seeds are held out
    #[arg(long, value_name = "K", default_value_t = HELD_OUT_SEED, value_parser = seed())]
    pub seed: u64,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Where to compute: auto, cpu, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
    #[command(flatten)]
    pub world: WorldArgs,
}

/// Function evaluations a frame.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct NfeArgs {
    /// Function evaluations an imagined frame (diffusion models) [default: control 1, others what the
    /// model's configuration says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=10))]
    pub nfe: Option<u8>,
}

/// What suites are asked that imagine clips.
#[derive(clap::Args, Debug)]
pub struct ClipArgs {
    #[command(flatten)]
    pub subject: SubjectArgs,
    #[command(flatten)]
    pub sampling: NfeArgs,
    /// Clips (attributes: of each attribute)
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = episodes())]
    pub episodes: u64,
}

impl ClipArgs {
    /// The scene, and the model sampled as was asked for.
    pub fn load(&self) -> Result<(Arc<Scene>, Arc<dyn WorldModel>)> {
        let scene = self.subject.scene()?;
        Ok((scene, self.sampling.apply(self.subject.model()?)?))
    }
}

impl NfeArgs {
    /// The model, sampled as was asked for.
    ///
    /// # Errors
    /// Wrong use where the model has no function evaluations, or always the same.
    pub fn apply(self, model: Arc<dyn WorldModel>) -> Result<Arc<dyn WorldModel>> {
        let Some(nfe) = self.nfe.map(usize::from) else {
            return Ok(model);
        };
        refuse_other_nfe(model.as_ref(), nfe)?;
        Ok(Arc::new(Sampled::new(model, Sampling::nfe(nfe))))
    }
}

/// Refuses function evaluations that a model cannot take.
///
/// # Errors
/// Wrong use where the model has none, or always the same.
pub fn refuse_other_nfe(model: &dyn WorldModel, nfe: usize) -> Result<()> {
    let message = match model.nfe(Sampling::nfe(nfe)) {
        Some(taken) if taken == nfe => return Ok(()),
        Some(taken) => format!("always takes {taken}"),
        None => "imagines without function evaluations".into(),
    };
    Err(no_effect(
        "nfe",
        &format!("`{}` {message}", model.card().name),
    ))
}

/// What a result says of the command.
pub struct Writes<'a> {
    /// The command that measures it again.
    pub command: &'a str,
}

impl SubjectArgs {
    /// The scene with what was set; says so if the seeds are not held out.
    pub fn scene(&self) -> Result<Arc<Scene>> {
        warn_of_seeds(self.seed);
        self.world.scene(&self.scene)
    }

    /// The model, loaded.
    pub fn model(&self) -> Result<Arc<dyn WorldModel>> {
        let device = crate::cli::device::pick(&self.device)?;
        Ok(registry::load_named(&models_dir(), &self.model, &device)?)
    }

    /// The head of a result.
    pub fn head(
        &self,
        suite: &'static str,
        scene: &Scene,
        episodes: impl Into<Option<u64>>,
        writes: &Writes,
    ) -> Head {
        let mut head = head(suite, &scene.name, self.seed, episodes.into(), writes);
        head.scene_sha256 = scene::load(&self.scene).ok().map(|s| s.sha256());
        head.model = self.model.clone();
        head.device = crate::cli::device::name(&self.device)
            .unwrap_or("unknown")
            .into();
        head.note_world(scene);
        head
    }
}

/// The head of a result without a model.
pub fn head(
    suite: &'static str,
    scene: &str,
    seed: u64,
    episodes: Option<u64>,
    writes: &Writes,
) -> Head {
    Head {
        schema: SCHEMA,
        suite,
        scene: scene.into(),
        scene_sha256: None,
        model: "-".into(),
        model_sha256: None,
        seed,
        seeds: seeds_are(seed),
        episodes,
        nfe: None,
        interventions: Vec::new(),
        out_of_distribution: None,
        edits: Vec::new(),
        command: writes.command.into(),
        version: env!("CARGO_PKG_VERSION"),
        device: "cpu".into(),
    }
}

/// Says so where a figure would not be one on held-out seeds.
pub fn warn_of_seeds(seed: u64) {
    let kind = seeds_are(seed);
    if kind != "held out" {
        eprintln!(
            "note: seeds from {seed} are for {kind}; figures that count are measured from {HELD_OUT_SEED} up"
        );
    }
}

/// An option that would change nothing is refused.
pub fn no_effect(option: &str, why: &str) -> anyhow::Error {
    wrong_use(format!("--{option} would have no effect: {why}"))
}

/// A bar that shows how far a suite is.
pub fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style =
        ProgressStyle::with_template("{prefix:<12} {wide_bar} {pos}/{len} {msg} {eta} left");
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_string());
    bar
}

/// Reads a number of episodes from the command line.
pub fn episodes() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(1..=100_000)
}

/// A mean with its interval, times `scale`.
pub fn interval(mean: Option<Mean>, scale: f64, digits: usize) -> String {
    mean.map_or_else(
        || "not measured".into(),
        |m| {
            let [mean, low, high] = [m.mean, m.low, m.high].map(|v| v * scale);
            format!("{mean:.digits$} [{low:.digits$}, {high:.digits$}]")
        },
    )
}
