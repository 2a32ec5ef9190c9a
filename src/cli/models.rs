//! `parallax models`.

use anyhow::{Result, bail};
use candle_core::Device;

use crate::model::{fingerprint, registry};
use crate::scene::models_dir;

/// List trained models, or check them.
#[derive(clap::Args, Debug)]
pub struct ModelsArgs {
    /// Only these models [default: all]
    #[arg(value_name = "MODEL")]
    names: Vec<String>,
    /// Load every model and check card, configuration, shapes, finite values, checksum, and that it behaves
    /// as its card says
    #[arg(long, conflicts_with = "fingerprint")]
    check: bool,
    /// Measure how every model behaves and write it on its card, after a training or a change of code that
    /// is meant to change behaviour
    #[arg(long)]
    fingerprint: bool,
}

pub fn run(args: &ModelsArgs) -> Result<()> {
    let dir = models_dir();
    let mut entries = registry::scan(&dir);
    entries.extend(registry::scan(&registry::baselines(&dir)));
    if entries.is_empty() {
        bail!(
            "no models in {}; set PARALLAX_HOME to the folder that holds scenes/ and models/, or train \
             one with `parallax train models/lewm-push/train.ron`",
            dir.display()
        );
    }
    for name in &args.names {
        // Names the models there are.
        registry::find(&dir, name)?;
    }
    entries.retain(|e| args.names.is_empty() || args.names.contains(&e.name));
    let is_list = !args.check && !args.fingerprint;
    if is_list {
        println!(
            "{:<14} {:<11} {:>10} {:>9} {:>8}  {:<26} SUMMARY",
            "MODEL", "CAMP", "PARAMETERS", "STEPS", "MINUTES", "SCENES"
        );
    }
    let mut faults = 0;
    for entry in &entries {
        let done: Result<String, String> = match &entry.card {
            Err(error) => Err(error.to_string()),
            Ok(card) if is_list => Ok(format!(
                "{:<14} {:<11} {:>10} {:>9} {:>8.0}  {:<26} {}",
                entry.name,
                card.camp.id(),
                card.parameters,
                card.steps,
                card.all_minutes(),
                card.scenes.join(","),
                card.summary
            )),
            Ok(_) if args.fingerprint => fingerprint::write(&entry.dir, &Device::Cpu)
                .map(|written| match written {
                    true => format!("{}: its behaviour is on its card", entry.name),
                    false => format!(
                        "{}: none of its scenes is in the library, so its card says nothing of its behaviour",
                        entry.name
                    ),
                })
                .map_err(|e| e.to_string()),
            Ok(_) => fingerprint::check(&entry.dir, &Device::Cpu)
                .map(|compared| match compared {
                    Some(()) => format!("{}: ok", entry.name),
                    None => format!(
                        "{}: ok as a file; its behaviour was not checked, since its card says nothing of \
                         it or none of \
                         its scenes is in the library",
                        entry.name
                    ),
                })
                .map_err(|e| e.to_string()),
        };
        match done {
            Ok(line) => println!("{line}"),
            Err(error) => {
                faults += 1;
                eprintln!("{}: {error}", entry.name);
            }
        }
    }
    if faults > 0 {
        bail!("{faults} of {} models are faulty", entries.len());
    }
    Ok(())
}
