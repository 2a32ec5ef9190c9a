//! Every command and every option of the command line, as clap lists them, is used by a test; those that no
//! other test needs are used here.

use std::path::Path;

use assert_cmd::Command;
use clap::CommandFactory as _;
use parallax::cli::Cli;

/// The tests' own text.
fn tests() -> String {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut text = String::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        if entry.path().extension().is_some_and(|e| e == "rs") {
            text += &std::fs::read_to_string(entry.path()).unwrap();
        }
    }
    text
}

/// Whether `word` stands in `text` by itself.
fn stands_in(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

/// Commands and options below `command` that no test uses.
fn unused(command: &clap::Command, way: &str, text: &str, out: &mut Vec<String>) {
    for argument in command.get_arguments().filter_map(|a| a.get_long()) {
        if argument != "help" && !stands_in(text, &format!("--{argument}")) {
            out.push(format!("{way} --{argument}"));
        }
    }
    for below in command.get_subcommands().filter(|c| c.get_name() != "help") {
        let way = format!("{way} {}", below.get_name());
        if !stands_in(text, below.get_name()) {
            out.push(way.clone());
        }
        unused(below, &way, text, out);
    }
}

#[test]
fn every_command_and_every_option_is_used_by_a_test() {
    let mut missing = Vec::new();
    unused(&Cli::command(), "parallax", &tests(), &mut missing);
    assert!(missing.is_empty(), "no test uses {missing:#?}");
    let made_up = ["--no", "body"].join("-");
    assert!(!stands_in(&tests(), &made_up), "any option is found");
}

fn parallax(line: &str) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command.args(line.split(' '));
    command
}

/// What a command that fails says.
fn refusal(line: &str) -> String {
    let output = parallax(line).output().unwrap();
    assert!(!output.status.success(), "{line}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn the_settings_of_a_search_reach_it() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("r.json");
    let run = |options: &str| -> serde_json::Value {
        let line = "eval control --scene reach --model lewm-reach --episodes 1 --no-references";
        let line = format!("{line} --json {} {options}", json.display());
        parallax(&line).assert().success();
        serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap()
    };
    let told = run("--candidates 8 --iterations 1 --cold --cost last --hold 5 --replan 3");
    let budget = &told["budget"];
    assert_eq!(
        (
            &budget["hold"],
            &budget["candidates"],
            &told["replan_steps"]
        ),
        (&5.into(), &8.into(), &3.into())
    );
    assert_eq!(told["warm_start"], false);
    assert_eq!(run("--ms 20")["budget"]["milliseconds"], 20);
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("s.json");
    let line = "eval control --scene push --model lewm-push --episodes 1 --no-references --planner stations \
                --tried 2 --near 0.3 --candidates 8 --iterations 1 --seed 900000";
    parallax(&format!("{line} --json {}", json.display()))
        .assert()
        .success();
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(told["planner"], "stations");
    assert_eq!(told["keyframes_sha256"].as_str().map(str::len), Some(64));
    let error = refusal("eval control --scene reach --model lewm-reach --episodes 1 --tried 2");
    assert!(error.contains("tried"), "{error}");
    let error = refusal("eval control --scene reach --model lewm-reach --episodes 1 --near 0.3");
    assert!(error.contains("near"), "{error}");
    // LeWM has no maps that could leave what the encoder produces; path integrals have no elites.
    let error = refusal("eval control --scene reach --model lewm-reach --episodes 1 --gate 0.5");
    assert!(error.contains("strays"), "{error}");
    let line = "eval control --scene push --model vjepa-ac --episodes 1 --planner mppi --gate 0.5";
    let error = refusal(line);
    assert!(error.contains("gate"), "{error}");
    let line = "eval control --scene reach --model lewm-reach --episodes 1 --proposals 2";
    let error = refusal(line);
    assert!(
        error.contains("lewm-reach") && error.contains("prior"),
        "{error}"
    );
}

#[test]
fn what_is_to_be_written_anew_is_named_where_it_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let none = dir.path().join("none");
    let none = none.to_str().unwrap();
    for line in [
        format!("golden --file {none} lewm-reach"),
        format!("models --fingerprint {none}"),
        format!("train --readouts {none} --out {none}"),
    ] {
        let error = refusal(&line);
        assert!(error.contains(none), "{line}: {error}");
    }
}

#[cfg(feature = "app")]
#[test]
fn a_light_window_can_be_asked_for() {
    for line in ["parallax app --light", "parallax replay x --light"] {
        let words = line.split(' ');
        let cli = <Cli as clap::Parser>::try_parse_from(words).unwrap_or_else(|e| panic!("{e}"));
        assert!(format!("{cli:?}").contains("light: true"), "{cli:?}");
    }
}

#[cfg(feature = "app")]
#[test]
fn the_window_can_be_told_how_planners_search_within_what_it_offers() {
    let line = "parallax app --horizon 3 --candidates 64 --iterations 2 --replan 5 --stations";
    let cli = <Cli as clap::Parser>::try_parse_from(line.split(' '));
    let cli = format!("{:?}", cli.unwrap_or_else(|e| panic!("{e}")));
    for set in [
        "horizon: Some(3)",
        "candidates: Some(64)",
        "iterations: Some(2)",
        "replan: Some(5)",
        "stations: true",
    ] {
        assert!(cli.contains(set), "{set}: {cli}");
    }
    let said = refusal("app --candidates 100000");
    assert!(
        said.contains("--candidates") && said.contains("512"),
        "{said}"
    );
}

#[test]
fn breaks_and_paces_that_there_are_not_are_refused_with_what_there_is() {
    let said = refusal("eval surprise --scene push --model lewm-push --breaks melt");
    assert!(said.contains("melt") && said.contains("vanish"), "{said}");
    let said = refusal("eval survival --scene occluder --model lewm-world --paces 0");
    assert!(said.contains("--paces"), "{said}");
}
