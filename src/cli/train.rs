//! `parallax train`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::Stopped;
use crate::system::Stop;
use crate::train::{Outcome, TrainConfig, TrainOptions, has_checkpoint, run as train};

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
    /// Go on from the last checkpoint (from the beginning, if there is none yet)
    #[arg(long)]
    resume: bool,
    /// Train although the folder holds a finished model, which stays in place until the new one is complete;
    /// or begin an unfinished training anew
    #[arg(long, conflicts_with_all = ["resume", "readouts"])]
    overwrite: bool,
    /// Stop after so many minutes, with a checkpoint to go on from
    #[arg(long, value_name = "M", value_parser = minutes)]
    minutes: Option<f64>,
    /// Fit only the read-outs (probes, diagnostic decoder) and the action prior of a finished model anew, on
    /// its frozen latents
    #[arg(long, conflicts_with = "resume")]
    readouts: bool,
    /// Where to compute: auto, cpu, cuda:N or metal
    #[arg(long, default_value = "auto")]
    device: String,
    /// Print the checked configuration, with every default filled in, and train nothing
    #[arg(long, value_name = "FORMAT", value_enum)]
    print: Option<Form>,
}

/// How a configuration is printed.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Form {
    /// As JSON, for trainers in other languages: train.ron has one parser
    Json,
}

fn minutes(text: &str) -> Result<f64, String> {
    super::number_in(text, 0., 1e6)
}

pub fn run(args: &TrainArgs) -> Result<()> {
    if let Some(Form::Json) = args.print {
        let config = TrainConfig::load(&args.config)?;
        println!("{}", serde_json::to_string_pretty(&config)?);
        return Ok(());
    }
    let device = super::device::pick(&args.device)?;
    let config = TrainConfig::load(&args.config)?;
    let dirs = match args.data.is_empty() {
        true => &config.data,
        false => &args.data,
    };
    let missing = |d: &&PathBuf| !d.join("index.json").exists();
    if let Some(dir) = dirs.iter().chain(config.later_data()).find(missing) {
        let scene = dir
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        bail!(
            "{}: no episodes there; record them with \
             `parallax collect --scene {scene} --episodes 4096 --out {}`",
            dir.display(),
            dir.display()
        );
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
        overwrite: args.overwrite,
        stop: Stop::on_signals()?,
    };
    let out = options.out.display();
    match train(&args.config, &options)? {
        Outcome::Finished => println!("finished: {out}"),
        Outcome::Paused if options.stop.is_raised() && args.readouts => {
            return Err(Stopped::new(format!("{out} is as it was")));
        }
        Outcome::Paused if options.stop.is_raised() => {
            return Err(Stopped::new(match has_checkpoint(&options.out) {
                true => format!("{out} has a checkpoint; go on with --resume"),
                false => "before the first step; there is nothing to go on with yet".into(),
            }));
        }
        Outcome::Paused => println!("time is up; {out} has a checkpoint; go on with --resume"),
    }
    Ok(())
}
