//! `parallax doctor` says what is there and what to do about what is not; 0 if nothing that is needed is
//! missing.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

fn doctor(home: Option<&Path>, args: &[&str]) -> (i32, Value) {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"));
    command
        .args(["doctor", "--json"])
        .args(args)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("PARALLAX_HOME")
        .timeout(Duration::from_secs(120));
    if let Some(home) = home {
        command.env("PARALLAX_HOME", home);
    }
    let out = command.output().unwrap();
    let report = serde_json::from_slice(&out.stdout).unwrap();
    (out.status.code().unwrap(), report)
}

fn row<'a>(report: &'a Value, what: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    let found = rows.iter().find(|r| r["what"] == what);
    found.unwrap_or_else(|| panic!("no {what} in {report}"))
}

#[test]
fn a_machine_that_has_all_that_is_needed_is_told_so_with_exit_code_0() {
    let (code, report) = doctor(None, &["--headless"]);
    assert_eq!((code, &report["ok"]), (0, &Value::Bool(true)), "{report}");
    for what in ["version", "home", "scenes", "models"] {
        assert_eq!(row(&report, what)["standing"], "ok", "{report}");
    }
    let scenes = row(&report, "scenes")["found"].as_str().unwrap();
    assert!(scenes.starts_with("18, all sound"), "{scenes}");
    for what in [
        "processor",
        "memory",
        "folder",
        "disk",
        "window",
        "CUDA",
        "ffmpeg",
    ] {
        assert!(row(&report, what)["found"].is_string());
    }
}

#[cfg(feature = "app")]
#[test]
fn a_display_that_is_missing_is_missing_and_the_advice_says_what_to_do() {
    let (code, report) = doctor(None, &[]);
    assert_eq!((code, &report["ok"]), (1, &Value::Bool(false)), "{report}");
    let display = row(&report, "display");
    assert_eq!(display["standing"], "missing");
    assert!(display["advice"].as_str().unwrap().contains("--headless"));
    assert!(row(&report, "graphics")["found"].is_string());
}

#[test]
fn faulty_scenes_and_models_are_named_and_a_home_without_scenes_is_missing() {
    let home = tempfile::tempdir().unwrap();
    let (code, report) = doctor(Some(home.path()), &["--headless"]);
    assert_eq!(code, 1);
    assert_eq!(row(&report, "scenes")["standing"], "missing");
    std::fs::create_dir(home.path().join("scenes")).unwrap();
    let push = parallax::scene::library_dir().join("push.ron");
    std::fs::copy(push, home.path().join("scenes/push.ron")).unwrap();
    std::fs::write(home.path().join("scenes/bad.ron"), "Scene(").unwrap();
    crate::weights_are_checked::tiny_lewm(&home.path().join("models/tiny"));
    std::fs::write(home.path().join("models/tiny/model.safetensors"), "no").unwrap();
    let (code, report) = doctor(Some(home.path()), &["--headless"]);
    assert_eq!(code, 0, "one sound scene is enough: {report}");
    let scenes = row(&report, "scenes");
    assert_eq!(scenes["standing"], "warning");
    assert!(scenes["found"].as_str().unwrap().contains("bad.ron"));
    let models = row(&report, "models");
    assert_eq!(models["standing"], "warning");
    assert!(models["found"].as_str().unwrap().contains("tiny"));
    assert!(models["advice"].is_string());
}

#[test]
fn without_json_each_thing_is_a_line_that_begins_with_how_it_stands() {
    let out = assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
        .args(["doctor", "--headless"])
        .env_remove("PARALLAX_HOME")
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    for line in text.lines() {
        let known = ["ok ", "warning ", "missing ", "  "];
        assert!(known.iter().any(|k| line.starts_with(k)), "{line}");
    }
    assert!(text.lines().count() >= 10, "{text}");
}
