//! The `parallax` binary: parse, dispatch, report the error.

use clap::Parser as _;

/// Whoever reads what a command prints may stop when they have seen enough (`parallax scenes | head`): that
/// ends the command, and is no failure of ours.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload_as_str().unwrap_or_default();
        if message.starts_with("failed printing to stdout") && message.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}

fn main() {
    parallax::system::leave(run())
}

/// Does what was asked for, and says how it ended.
fn run() -> u8 {
    end_quietly_when_nobody_reads();
    parallax::model::nn::quiet_candle_threads();
    let cli = parallax::cli::Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "warn,parallax=info".into());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_writer(std::io::stderr)
        .init();
    match cli.run() {
        Ok(()) => 0,
        Err(error) => match error.downcast::<clap::Error>() {
            Ok(wrong_use) => wrong_use.exit(),
            Err(error) => {
                let kind = match error.is::<parallax::cli::Stopped>() {
                    true => "stopped",
                    false => "error",
                };
                eprintln!("{kind}: {}", parallax::cli::in_words(&error));
                1
            }
        },
    }
}
