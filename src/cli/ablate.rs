//! `parallax ablate`: what each part of a recipe is worth.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Parser as _;
use serde::Deserialize;
use serde_json::Value;

use super::{Cli, output};
use crate::scene::{home, models_dir};
use crate::system::files;
use crate::train::TrainConfig;

/// Train a recipe with one part changed at a time, and measure each.
#[derive(clap::Args, Debug)]
pub struct AblateArgs {
    /// Variants of models/ablations.ron [default: all]
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// List the variants and what each changes
    #[arg(long)]
    list: bool,
}

/// `models/ablations.ron`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ablations {
    /// The recipe that is changed.
    base: PathBuf,
    /// Folder of the results.
    results: PathBuf,
    /// What follows `parallax eval`.
    evaluation: String,
    /// Changes that all variants share.
    shortened: Changes,
    variants: Vec<Variant>,
}

/// New values by the dotted path of a field.
type Changes = BTreeMap<String, ron::Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variant {
    name: String,
    #[serde(default)]
    change: Changes,
    /// More options for its evaluation.
    #[serde(default)]
    options: String,
}

pub fn run(args: &AblateArgs) -> Result<()> {
    let path = models_dir().join("ablations.ron");
    let text = files::text(&path).with_context(|| path.display().to_string())?;
    let plan: Ablations = ron::from_str(&text).with_context(|| path.display().to_string())?;
    let known: Vec<&str> = plan.variants.iter().map(|v| v.name.as_str()).collect();
    if let Some(unknown) = args.names.iter().find(|n| !known.contains(&n.as_str())) {
        let message = format!(
            "there is no variant `{unknown}`; expected {}",
            known.join(", ")
        );
        return Err(super::wrong_use(message));
    }
    let chosen = |v: &&Variant| args.names.is_empty() || args.names.contains(&v.name);
    let chosen: Vec<&Variant> = plan.variants.iter().filter(chosen).collect();
    if args.list {
        for variant in chosen {
            let changes: Vec<String> = variant
                .change
                .iter()
                .map(|(k, v)| format!("{k} = {v:?}"))
                .collect();
            println!("{:<16} {}", variant.name, changes.join(", "));
        }
        return Ok(());
    }
    // Every variant is checked before the first is trained.
    let base = TrainConfig::load(&home().join(&plan.base))?;
    let mut trainings = Vec::new();
    for variant in chosen {
        let config = changed(&base, &plan.shortened, variant)
            .with_context(|| format!("{}: variant `{}`", path.display(), variant.name))?;
        trainings.push((variant, config));
    }
    for (variant, config) in trainings {
        train_and_measure(&plan, variant, &config)?;
    }
    Ok(())
}

fn train_and_measure(plan: &Ablations, variant: &Variant, config: &TrainConfig) -> Result<()> {
    let model = format!("ablations/{}", variant.name);
    let dir = models_dir().join(&model);
    if !dir.join("card.ron").is_file() {
        let file = dir.join("train.ron");
        output::test_folder("ablate", &dir)?;
        let text = ron::ser::to_string_pretty(config, ron::ser::PrettyConfig::default())?;
        output::write(&file, (text + "\n").as_bytes())?;
        command(&["train", &file.to_string_lossy(), "--resume"])?;
    }
    let result = home()
        .join(&plan.results)
        .join(format!("ablation-{}.json", variant.name));
    let words = format!(
        "eval {} --model {model} {}",
        plan.evaluation, variant.options
    );
    let words: Vec<&str> = words.split_whitespace().collect();
    command(&[words.as_slice(), &["--json", &result.to_string_lossy()]].concat())
}

/// Runs another command of this program.
fn command(words: &[&str]) -> Result<()> {
    let words = std::iter::once("parallax").chain(words.iter().copied());
    Cli::try_parse_from(words)?.run()
}

/// The recipe with what all variants share, and with what this one changes.
fn changed(base: &TrainConfig, shared: &Changes, variant: &Variant) -> Result<TrainConfig> {
    let mut value = serde_json::to_value(base)?;
    value["name"] = format!("ablation-{}", variant.name).into();
    for (field, new) in shared.iter().chain(&variant.change) {
        *at(&mut value, field)? = serde_json::to_value(new)?;
    }
    let config: TrainConfig = serde_json::from_value(value)?;
    match config.check() {
        Ok(()) => Ok(config),
        Err((field, message)) => bail!("{field}: {message}"),
    }
}

fn at<'a>(value: &'a mut Value, field: &str) -> Result<&'a mut Value> {
    let mut place = value;
    for key in field.split('.') {
        place = place
            .get_mut(key)
            .with_context(|| format!("{field}: the recipe has no field `{key}`"))?;
    }
    Ok(place)
}
