//! `parallax judge calibrate`: each law's threshold from what reality scores.

use anyhow::Result;

use crate::cli::output;
use crate::eval::judge::{CALIBRATION_SEED, calibrate, calibrate_readouts};
use crate::judge::{Calibration, Readouts, SceneCalibration, Setting};
use crate::model::registry;
use crate::scene::{self, home, models_dir};
use crate::system::files;

/// Find each law's threshold on reality and write assets/judge.ron.
#[derive(clap::Args, Debug)]
pub struct CalibrateArgs {
    /// Scene: a name from `parallax scenes`, or a file [default: all scenes]
    #[arg(long, value_name = "S")]
    scene: Option<String>,
    /// Clips of reality a scene, of seeds that are for nothing else
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = counts())]
    clips: u64,
    /// Side of the eye's picture in pixels: 64, 96 or 128 [default: the scene's]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
    /// Calibrate what this model's probes read instead, and write assets/judge-readouts.ron: reality is
    /// passed through its encoder and probes
    #[arg(long, value_name = "M", conflicts_with = "size")]
    model: Option<String>,
}

fn counts() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(50..=100_000)
}

pub fn run(args: &CalibrateArgs) -> Result<()> {
    if let Some(model) = &args.model {
        return readouts(args, model);
    }
    let path = home().join("assets/judge.ron");
    output::test_folder("calibrate", files::folder_of(&path))?;
    let names = match &args.scene {
        Some(name) => vec![name.clone()],
        None => scene::list(&scene::library_dir()),
    };
    let mut scenes = Vec::new();
    for name in &names {
        let mut scene = scene::load(name)?;
        scene.camera.size = args.size.unwrap_or(scene.camera.size);
        scene.check(name).map_err(crate::cli::wrong_use)?;
        scenes.push(std::sync::Arc::new(scene));
    }
    for scene in &scenes {
        let found = calibrate(scene, args.clips)?;
        let on = found
            .values()
            .filter(|s| matches!(s, Setting::On { .. }))
            .count();
        println!(
            "{} at {} px: {on} of {} laws on",
            scene.name,
            scene.camera.size,
            found.len()
        );
        for (law, setting) in &found {
            let law = law.id();
            match setting {
                Setting::On {
                    threshold,
                    reality,
                    occasions,
                } => {
                    let often = 100.0 * occasions;
                    println!(
                        "  {law:<16} above {threshold:.3}; reality up to {reality:.3}, in {often:.0} %"
                    );
                }
                Setting::Off { reason } => println!("  {law:<16} off: {reason}"),
            }
        }
        // After each scene, so that what was found stays if the next is stopped.
        let mut all = Calibration::read(&path)?;
        all.seed = CALIBRATION_SEED;
        all.insert(scene, found);
        let text = ron::ser::to_string_pretty(&all, ron::ser::PrettyConfig::default())?;
        output::write(&path, (text + "\n").as_bytes())?;
    }
    println!("wrote {}", path.display());
    Ok(())
}

fn print(found: &SceneCalibration) {
    for (law, setting) in found {
        let law = law.id();
        match setting {
            Setting::On {
                threshold,
                reality,
                occasions,
            } => {
                let often = 100.0 * occasions;
                println!(
                    "  {law:<16} above {threshold:.3}; reality up to {reality:.3}, in {often:.0} % of clips"
                );
            }
            Setting::Off { reason } => println!("  {law:<16} off: {reason}"),
        }
    }
}

/// What reality looks like through a model's probes, in the scenes that it knows.
fn readouts(args: &CalibrateArgs, name: &str) -> Result<()> {
    let path = home().join("assets/judge-readouts.ron");
    output::test_folder("calibrate", files::folder_of(&path))?;
    let dir = registry::find(&models_dir(), name)?;
    let model = registry::load(&dir, &candle_core::Device::Cpu)?;
    let scenes = match &args.scene {
        Some(scene) => vec![scene.clone()],
        None => model.card().scenes.clone(),
    };
    for scene in &scenes {
        let scene = std::sync::Arc::new(scene::load(scene)?);
        let weights = model.card().sha256.clone();
        let found = calibrate_readouts(&scene, model.as_ref(), &weights, args.clips)?;
        println!("{name} in {}", scene.name);
        print(&found.laws);
        let mut all = Readouts::read(&path)?;
        let own = all.models.entry(name.to_string()).or_default();
        own.insert(scene.name.clone(), found);
        let text = ron::ser::to_string_pretty(&all, ron::ser::PrettyConfig::default())?;
        output::write(&path, (text + "\n").as_bytes())?;
    }
    println!("wrote {}", path.display());
    Ok(())
}
