//! `parallax models`.

use anyhow::{Result, bail};

use crate::model::registry;
use crate::scene::models_dir;

/// List trained models, or check them.
#[derive(clap::Args, Debug)]
pub struct ModelsArgs {
    /// Load every model and check card, configuration, shapes, finite values and checksum
    #[arg(long)]
    check: bool,
}

pub fn run(args: &ModelsArgs) -> Result<()> {
    let dir = models_dir();
    let mut entries = registry::scan(&dir);
    entries.extend(registry::scan(&registry::baselines(&dir)));
    if entries.is_empty() {
        bail!(
            "no models in {}; set PARALLAX_HOME to the folder that holds scenes/ and models/, or train one with `parallax train models/lewm-push/train.ron`",
            dir.display()
        );
    }
    let mut faults = 0;
    if !args.check {
        println!(
            "{:<14} {:<11} {:>10} {:>9}  {:<26} SUMMARY",
            "MODEL", "CAMP", "PARAMETERS", "STEPS", "SCENES"
        );
    }
    for entry in &entries {
        let loaded = match (&entry.card, args.check) {
            (Ok(_), true) => registry::load_any(&entry.dir, &candle_core::Device::Cpu)
                .map(|_| ())
                .map_err(|e| e.to_string()),
            (Ok(_), false) => Ok(()),
            (Err(error), _) => Err(error.to_string()),
        };
        match (loaded, &entry.card) {
            (Ok(()), Ok(card)) if !args.check => println!(
                "{:<14} {:<11} {:>10} {:>9}  {:<26} {}",
                entry.name,
                card.camp.id(),
                card.parameters,
                card.steps,
                card.scenes.join(","),
                card.summary
            ),
            (Ok(()), _) => println!("{}: ok", entry.name),
            (Err(error), _) => {
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
