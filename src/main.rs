//! Temporary.
use clap::Parser;
#[derive(Parser)]
enum C { App(parallax::cli::app::AppArgs) }
fn main() {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn,parallax=info".into())).init();
    let C::App(a) = C::parse();
    if let Err(e) = parallax::cli::app::run(a) { eprintln!("error: {e:#}"); std::process::exit(1) }
}
