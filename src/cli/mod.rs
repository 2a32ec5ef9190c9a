//! The command line: one file a command. Exit codes: 0 done, 1 failed, 2 wrong use.

mod ablate;
#[cfg(feature = "app")]
pub mod app;
mod collect;
mod device;
mod doctor;
mod episodes;
mod eval;
mod golden;
mod judge;
mod models;
pub(crate) mod output;
mod record;
mod replay;
mod report;
mod scenes;
mod train;
mod world;

use clap::{Parser, Subcommand};

/// One reality, two imaginations: generative and JEPA world models beside a rapier ground truth.
#[derive(Parser, Debug)]
#[command(name = "parallax", version, about, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Open the window (also without a command)
    #[cfg(feature = "app")]
    App(app::AppArgs),
    /// List scenes, or check scene files
    Scenes(scenes::ScenesArgs),
    /// List trained models, or check them
    Models(models::ModelsArgs),
    /// Record episodes from rapier
    Collect(collect::CollectArgs),
    /// Inspect recorded episodes
    Episodes(episodes::EpisodesArgs),
    /// Train the model that a train.ron describes
    Train(train::TrainArgs),
    /// Measure models, controllers and the judge on held-out seeds
    Eval(Box<eval::EvalArgs>),
    /// Judge a film: which laws of physics it breaks, where and when
    Judge(Box<judge::JudgeArgs>),
    /// Train a recipe with one part changed at a time, and measure each
    Ablate(ablate::AblateArgs),
    /// Repeat short runs of every shipped model and compare them with what they were
    Golden(golden::GoldenArgs),
    /// Record reality beside the models' imagination as a GIF
    Record(record::RecordArgs),
    /// Play a recorded episode again, or check that it replays bit for bit
    Replay(replay::ReplayArgs),
    /// Write the figures of the documents from the results, or check them
    Report(report::ReportArgs),
    /// Say what is there, what is not, and what to do about it
    Doctor(doctor::DoctorArgs),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// Whatever the command could not do, with the file, field or name at fault.
    pub fn run(self) -> anyhow::Result<()> {
        match self.command {
            #[cfg(feature = "app")]
            None => app::run(app::AppArgs::default()),
            #[cfg(feature = "app")]
            Some(Command::App(args)) => app::run(args),
            #[cfg(not(feature = "app"))]
            None => anyhow::bail!(
                "this build has no window (feature `app`); see `parallax --help` for the other commands"
            ),
            Some(Command::Scenes(args)) => scenes::run(&args),
            Some(Command::Models(args)) => models::run(&args),
            Some(Command::Collect(args)) => collect::run(&args),
            Some(Command::Episodes(args)) => episodes::run(&args),
            Some(Command::Train(args)) => train::run(&args),
            Some(Command::Eval(args)) => eval::run(&args),
            Some(Command::Judge(args)) => judge::run(&args),
            Some(Command::Ablate(args)) => ablate::run(&args),
            Some(Command::Golden(args)) => golden::run(&args),
            Some(Command::Record(args)) => record::run(&args),
            Some(Command::Replay(args)) => replay::run(args),
            Some(Command::Report(args)) => report::run(&args),
            Some(Command::Doctor(args)) => doctor::run(&args),
        }
    }
}

/// An error of use: what clap itself would say, and exit code 2.
fn wrong_use(message: impl std::fmt::Display) -> anyhow::Error {
    use clap::CommandFactory as _;
    Cli::command()
        .error(clap::error::ErrorKind::ValueValidation, message)
        .into()
}

/// What ended in order because somebody asked for it with Ctrl+C or SIGTERM: exit code 1, since what was
/// asked for first is not there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Stopped(String);

impl Stopped {
    /// With what is there now, and how to go on.
    #[allow(clippy::new_ret_no_self)]
    fn new(what: String) -> anyhow::Error {
        Self(what).into()
    }
}

/// Largest seed that a command takes: whatever is counted on from there stays a number.
const LAST_SEED: u64 = i64::MAX as u64;

/// Reads a seed from the command line.
pub(crate) fn seed() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(..=LAST_SEED)
}

/// Reads a number that has to lie above `low` and at most at `high`; what is not finite is out of every
/// range.
pub(crate) fn number_in(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let wrong = || format!("found `{text}`, expected a number above {low}, at most {high}");
    let number: f64 = text.trim().parse().map_err(|_| wrong())?;
    match number > low && number <= high {
        true => Ok(number),
        false => Err(wrong()),
    }
}

/// An error and its causes in one line; what an error says of its cause by itself is not said again.
pub fn in_words(error: &anyhow::Error) -> String {
    error
        .chain()
        .skip(1)
        .fold(error.to_string(), |text, cause| {
            let cause = cause.to_string();
            match text.contains(&cause) {
                true => text,
                false => text + ": " + &cause,
            }
        })
}
