//! `parallax golden`: repeat the golden runs of the shipped models, or write them anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use candle_core::Device;
use rayon::prelude::*;

use super::output;
use crate::eval::golden::{Golden, differences, measure};
use crate::model::registry;
use crate::scene::{home, models_dir};

/// Repeat short runs of every shipped model and compare them with the file that a test compares them with.
#[derive(clap::Args, Debug)]
pub struct GoldenArgs {
    /// Only these models [default: all]
    #[arg(value_name = "MODEL")]
    names: Vec<String>,
    /// Write what is found in place of what was expected, after a training or a change that is meant to
    /// change behaviour
    #[arg(long)]
    write: bool,
    /// The file [default: tests/golden.json beside models/]
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub fn run(args: &GoldenArgs) -> Result<()> {
    let path = args
        .file
        .clone()
        .unwrap_or_else(|| home().join("tests/golden.json"));
    let mut expected: BTreeMap<String, Golden> = match std::fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text)
            .with_context(|| format!("{}: is no file of golden runs", path.display()))?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && args.write => BTreeMap::new(),
        Err(e) => bail!("{}: {e}", path.display()),
    };
    if args.write {
        output::test("--file", &path, output::Form::Json)?;
    }
    let dir = models_dir();
    for name in &args.names {
        registry::find(&dir, name)?;
    }
    let mut entries = registry::scan(&dir);
    entries.extend(registry::scan(&registry::baselines(&dir)));
    let shipped: Vec<String> = entries.iter().map(|e| e.name.clone()).collect();
    entries.retain(|e| args.names.is_empty() || args.names.contains(&e.name));
    let found: Result<Vec<(String, Golden)>> = entries
        .into_par_iter()
        .map(|entry| {
            let trained = registry::load_any(&entry.dir, &Device::Cpu)?;
            Ok((entry.name, measure(&trained)?))
        })
        .collect();
    let mut apart = 0;
    for (name, found) in found? {
        let said = match expected.get(&name) {
            Some(expected) => differences(&found, expected),
            None => vec!["has no golden runs yet".into()],
        };
        match said.as_slice() {
            [] => println!("{name}: as before"),
            some => {
                apart += 1;
                some.iter().for_each(|line| println!("{name}: {line}"));
            }
        }
        if args.write {
            expected.insert(name, found);
        }
    }
    if args.write {
        expected.retain(|name, _| shipped.contains(name));
        let text = serde_json::to_string_pretty(&expected)? + "\n";
        output::write(&path, text.as_bytes())?;
        println!("wrote {}", path.display());
        return Ok(());
    }
    if apart > 0 {
        bail!(
            "{apart} models do not do what they did; if that is meant, `parallax golden --write` writes \
             {} anew",
            path.display()
        );
    }
    Ok(())
}
