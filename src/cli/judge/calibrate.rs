//! `parallax judge calibrate`: each law's threshold from what reality scores.

use anyhow::Result;

use crate::cli::output;
use crate::eval::judge::{CALIBRATION_SEED, calibrate};
use crate::judge::{Calibration, Setting};
use crate::scene::{self, home};
use crate::system::files;

/// Find each law's threshold on reality and write assets/judge.ron.
#[derive(clap::Args, Debug)]
pub struct CalibrateArgs {
    /// Scene: a name from `parallax scenes`, or a file [default: all scenes]
    #[arg(long, value_name = "S")]
    scene: Option<String>,
    /// Clips of reality a scene, of seeds that are for nothing else
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u64).range(50..=100_000))]
    clips: u64,
    /// Side of the eye's picture in pixels: 64, 96 or 128 [default: the scene's]
    #[arg(long, value_name = "PIXELS")]
    size: Option<usize>,
}

pub fn run(args: &CalibrateArgs) -> Result<()> {
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
                        "  {law:<16} above {threshold:.3}; reality up to {reality:.3}, in {often:.0} % of clips"
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
    println!("wrote {}; build again to use it", path.display());
    Ok(())
}
