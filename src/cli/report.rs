//! `parallax report`: the figures of the documents, written from results.

use std::fmt::Write as _;

use anyhow::{Result, bail};
use clap::{Arg, Command, CommandFactory as _};

use super::output;
use crate::report::document::Sources;
use crate::report::stored;
use crate::scene::{home, models_dir};

/// Write the figures of the documents from the results, or check them.
#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["write", "check"])))]
pub struct ReportArgs {
    /// Write every table and figure between markers anew
    #[arg(long)]
    write: bool,
    /// Fail where a document differs from the results, or a result names other weights than those that ship
    #[arg(long)]
    check: bool,
}

pub fn run(args: &ReportArgs) -> Result<()> {
    let home = home();
    let sources = Sources::load(&home, &extra)?;
    let mut faults = Vec::new();
    for path in sources.documents() {
        if cfg!(not(feature = "app")) && path.ends_with("docs/command-line.md") {
            // It would lose what the window's commands are.
            eprintln!(
                "docs/command-line.md: left as it is, this build has no window (feature `app`)"
            );
            continue;
        }
        let (before, after) = sources.rewritten(&path)?;
        if before == after {
            continue;
        }
        let shown = path.strip_prefix(&home).unwrap_or(&path).display();
        match args.write {
            true => {
                output::write(&path, after.as_bytes())?;
                println!("wrote {shown}");
            }
            false => faults.push(format!("{shown}: {}", first_difference(&before, &after))),
        }
    }
    for result in stored::outdated(&models_dir())? {
        let shown = result
            .path
            .strip_prefix(&home)
            .unwrap_or(&result.path)
            .display();
        faults.push(format!(
            "{shown}: measured of other weights of `{}` than those that ship",
            result.model
        ));
    }
    for fault in &faults {
        eprintln!("{fault}");
    }
    match (faults.is_empty(), args.check) {
        (true, _) => println!("every document says what the results say"),
        (false, true) => bail!(
            "{} faults; `parallax eval --plan` measures what is stale, `parallax report --write` writes \
             the documents",
            faults.len()
        ),
        (false, false) => eprintln!("`parallax eval --plan` measures what is stale"),
    }
    Ok(())
}

fn first_difference(before: &str, after: &str) -> String {
    let differs = before
        .lines()
        .zip(after.lines())
        .enumerate()
        .find(|(_, (a, b))| a != b);
    match differs {
        Some((i, (found, expected))) => format!(
            "line {}: found `{found}`, the results say `{expected}`",
            i + 1
        ),
        None => "its end differs from what the results say".into(),
    }
}

/// Texts that are no results: the commands and their options.
fn extra(name: &str) -> Option<String> {
    (name == "commands").then(commands)
}

/// Every command with its options, as clap has them.
fn commands() -> String {
    let mut text = String::new();
    for command in super::Cli::command().get_subcommands() {
        describe(command, "parallax", &mut text);
    }
    text
}

fn describe(command: &Command, parent: &str, text: &mut String) {
    let name = format!("{parent} {}", command.get_name());
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let _ = write!(text, "\n### `{name}`\n\n{about}.\n\n");
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|a| a.get_id() != "help")
        .collect();
    if !shown.is_empty() {
        *text += "| option | what it does |\n| --- | --- |\n";
        for arg in shown {
            let _ = writeln!(text, "| `{}` | {} |", option(arg), help(arg));
        }
    }
    for inner in command.get_subcommands() {
        describe(inner, &name, text);
    }
}

fn option(arg: &Arg) -> String {
    let value = arg
        .get_value_names()
        .filter(|_| arg.get_action().takes_values());
    let value = value
        .into_iter()
        .flatten()
        .map(|v| v.to_string())
        .collect::<Vec<_>>()
        .join(" ");
    let name = arg.get_long().map_or_else(
        || value.clone(),
        |long| match value.is_empty() {
            true => format!("--{long}"),
            false => format!("--{long} {value}"),
        },
    );
    name.replace('|', "\\|")
}

fn help(arg: &Arg) -> String {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let preset: Vec<String> = arg
        .get_default_values()
        .iter()
        .map(|v| v.to_string_lossy().into_owned())
        .collect();
    let preset = match preset.is_empty() || !arg.get_action().takes_values() {
        true => String::new(),
        false => format!(" [default: {}]", preset.join(", ")),
    };
    (help + &preset).replace('|', "\\|").replace('\n', " ")
}
