//! Where a command writes is tested before its work begins, numbers are written before pictures, and what
//! stands there stays until its successor does.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use assert_cmd::Command;
use parallax::system::files;
use predicates::prelude::*;
use predicates::str::contains;

fn parallax<A: AsRef<OsStr>>(args: &[A]) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command
        .args(args)
        .env_remove("PARALLAX_HOME")
        .env_remove("RUST_LOG");
    command
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn with(line: &str, path: &Path) -> Vec<OsString> {
    let mut args = words(line);
    args.push(path.into());
    args
}

/// A command that measures hardly anything; none of it is to be said before an output is refused.
const CONTROL: &str = "eval control --scene reach --model random --episodes 2 --no-references";
const ROLLOUT: &str = "eval rollout --scene push --model diffusion --episodes 2";

#[test]
fn a_path_that_cannot_be_written_is_refused_before_the_first_episode() {
    let dir = tempfile::tempdir().unwrap();
    for (line, path, code) in [
        (format!("{CONTROL} --json"), Path::new("/proc/x/y.json"), 1),
        (format!("{CONTROL} --json"), dir.path(), 2),
        (format!("{ROLLOUT} --out"), Path::new("/proc/x/y.png"), 1),
        (
            "record --scene reach --out".into(),
            Path::new("/proc/x/y.gif"),
            1,
        ),
        (
            "collect --scene reach --episodes 1 --out".into(),
            Path::new("/proc/x"),
            1,
        ),
    ] {
        let out = parallax(&with(&line, path)).assert().code(code);
        let option = line.rsplit(' ').next().unwrap();
        out.stdout("")
            .stderr(contains(option.to_string()).and(contains(path.to_str().unwrap())));
    }
}

#[test]
fn an_ending_that_is_not_the_format_is_wrong_use_and_capitals_are_none() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (line, name, ending) in [
        (format!("{ROLLOUT} --out"), "a.jpg", ".png"),
        (format!("{ROLLOUT} --out"), "a", ".png"),
        (format!("{ROLLOUT} --json"), "a.png", ".json"),
        ("record --scene reach --out".into(), "a.mp4", ".gif"),
        ("record --scene reach --out".into(), "a", ".gif"),
        (
            "eval masked --scene push --model vjepa-ac --out".into(),
            "a.bmp",
            ".png",
        ),
    ] {
        let out = parallax(&with(&line, &at(name)))
            .assert()
            .code(2)
            .stdout("");
        out.stderr(contains(ending).and(contains(name)));
    }
    let picture = at("A.GIF");
    parallax(&with(
        "record --scene collide --model diffusion --scale 1 --out",
        &picture,
    ))
    .assert()
    .success();
    assert!(std::fs::read(&picture).unwrap().starts_with(b"GIF8"));
}

#[test]
fn a_picture_is_asked_for_only_of_what_draws_one() {
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("a.png");
    for line in [
        CONTROL,
        "judge validate --scene fall --clips 1",
        "eval probe --scene push --model lewm-push",
    ] {
        parallax(&with(&format!("{line} --out"), &picture))
            .assert()
            .code(2)
            .stdout("")
            .stderr(contains("--out").and(contains("unexpected")));
    }
    let other = dir.path().join("a.jpg");
    parallax(&with("scenes --sheet", &other))
        .assert()
        .code(2)
        .stdout("")
        .stderr(contains("--sheet"));
    // Options that a suite has no use for are not taken and ignored.
    for (line, word) in [
        (
            "eval rollout --scene push --model diffusion --candidates 4",
            "--candidates",
        ),
        (
            "eval probe --scene push --model lewm-push --sweep gravity=-3",
            "--sweep",
        ),
        ("judge calibrate --scene fall --episodes 5", "--episodes"),
        (
            "eval control --scene reach --model random --calibrate 100",
            "--calibrate",
        ),
    ] {
        let refused = parallax(&words(line)).assert().code(2).stdout("");
        refused.stderr(contains(word));
    }
    // A model without pixels has nothing to draw, which is known before it is measured.
    parallax(&with(
        "eval rollout --scene push --model lewm-push --episodes 500 --out",
        &picture,
    ))
    .assert()
    .code(2)
    .stdout("")
    .stderr(contains("imagines no frames"));
    parallax(&words(
        "eval rollout --scene push --model lewm-push --nfe 2",
    ))
    .assert()
    .code(2)
    .stderr(contains("--nfe"));
}

#[test]
fn folders_are_made_for_every_output() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join("new/and/deep").join(name);
    parallax(&with(&format!("{CONTROL} --json"), &at("a.json")))
        .assert()
        .success();
    parallax(&with(
        "record --scene collide --model diffusion --scale 1 --out",
        &at("b/a.gif"),
    ))
    .assert()
    .success();
    assert!(at("a.json").is_file() && at("b/a.gif").is_file());
}

#[cfg(unix)]
#[test]
fn a_name_that_is_not_utf_8_is_taken_everywhere() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &[u8]| dir.path().join(OsStr::from_bytes(name));
    let json = at(b"r\xe9s.json");
    parallax(&with(&format!("{CONTROL} --json"), &json))
        .assert()
        .success();
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    let command = value["command"].as_str().unwrap();
    assert!(
        command.starts_with("parallax eval control") && command.contains('\u{fffd}'),
        "{command}"
    );
    let data = at(b"\xfe\xff");
    parallax(&with("collect --scene reach --episodes 1 --out", &data))
        .assert()
        .success();
    parallax(&with("episodes", &data)).assert().success();
    parallax(&with("scenes --check", &at(b"\xe9.ron")))
        .assert()
        .code(1);
    parallax(&with("train", &at(b"\xe9.ron"))).assert().code(1);
    // Where a name of ours is wanted, it is wrong use.
    parallax(&with(
        "record --out a.gif --scene",
        Path::new(OsStr::from_bytes(b"\xe9")),
    ))
    .assert()
    .code(2);
}

#[test]
fn numbers_are_written_although_the_picture_fails() {
    let dir = tempfile::tempdir().unwrap();
    let (json, folder) = (dir.path().join("r.json"), dir.path().join("p"));
    let mut args = with(&format!("{ROLLOUT} --json"), &json);
    args.push("--out".into());
    args.push(folder.join("a.png").into());
    // The folder of the picture goes away while the model is measured.
    let binary = assert_cmd::cargo::cargo_bin("parallax");
    let mut child = std::process::Command::new(binary)
        .args(&args)
        .env_remove("PARALLAX_HOME")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while !folder.exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // Not before the test of the place is over.
    std::thread::sleep(std::time::Duration::from_millis(100));
    while folder.exists() && std::fs::remove_dir(&folder).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let out = child.wait_with_output().unwrap();
    let error = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{error}");
    assert!(error.contains("a.png"), "{error}");
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(value["suite"], "rollout");
}

#[test]
fn what_stands_in_a_place_stays_until_its_successor_does() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.json");
    std::fs::write(&file, "old").unwrap();
    let mut part = files::Part::begin(&file).unwrap();
    part.write(b"ne").unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    // Nobody tidies up what is being written.
    files::tidy(dir.path());
    part.write(b"w").unwrap();
    part.put_in_place().unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    // What is given up leaves nothing.
    drop(files::Part::begin(&file).unwrap());
    assert_eq!(std::fs::read(&file).unwrap(), b"new");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_error_says_its_cause_once() {
    let missing = Path::new("/nowhere/at/all");
    for line in ["episodes", "train", "scenes --check"] {
        let out = parallax(&with(line, missing)).assert().code(1);
        let error = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
        assert_eq!(error.matches("No such file").count(), 1, "{line}: {error}");
    }
}
