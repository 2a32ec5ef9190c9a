//! `parallax train`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::train::{Outcome, TrainConfig, TrainOptions, run as train};

/// Train the model that a train.ron describes, into its own folder: card, weights, learning curve.
#[derive(clap::Args, Debug)]
pub struct TrainArgs {
    /// The configuration, such as models/lewm-push/train.ron
    #[arg(value_name = "TRAIN.RON")]
    config: PathBuf,
    /// Folder to fill [default: the configuration's]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Folder of episodes in place of the configuration's (may be repeated)
    #[arg(long, value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Name damaged shards of episodes and train without them, rather than fail
    #[arg(long)]
    skip_damaged: bool,
    /// Go on from the last checkpoint
    #[arg(long)]
    resume: bool,
    /// Stop after so many minutes, with a checkpoint to go on from
    #[arg(long, value_name = "M")]
    minutes: Option<f64>,
    /// Fit only the read-outs (probes, diagnostic decoder) and the action prior of a finished model anew, on its frozen latents
    #[arg(long, conflicts_with = "resume")]
    readouts: bool,
    /// Where to compute: auto, cpu, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
}

pub fn run(args: &TrainArgs) -> Result<()> {
    let device = super::device::pick(&args.device)?;
    let config = TrainConfig::load(&args.config)?;
    if args.data.is_empty() {
        let missing = config.data.iter().find(|d| !d.join("index.json").exists());
        if let Some(dir) = missing {
            let scene = dir
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            bail!(
                "{}: no episodes there; record them with `parallax collect --scene {scene} --episodes 4096 --out {}`",
                dir.display(),
                dir.display()
            );
        }
    }
    let own = args.config.parent().unwrap_or(Path::new(".")).to_path_buf();
    let options = TrainOptions {
        device,
        minutes: args.minutes,
        resume: args.resume,
        out: args.out.clone().unwrap_or(own),
        data: args.data.clone(),
        skip_damaged: args.skip_damaged,
        readouts_only: args.readouts,
    };
    match train(&args.config, &options)? {
        Outcome::Finished => println!("finished: {}", options.out.display()),
        Outcome::Paused => println!("time is up; go on with --resume"),
    }
    Ok(())
}
