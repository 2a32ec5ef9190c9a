//! `collect` and `episodes` say what a folder holds: counts, damage, pictures, numbers.

use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

fn parallax(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command.args(args).env_remove("RUST_LOG");
    command
}

fn collect(out: &Path, more: &[&str]) -> Command {
    let mut args = vec!["collect", "--episodes", "3", "--out", out.to_str().unwrap()];
    args.extend(more);
    parallax(&args)
}

fn sheet_size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap()
}

#[test]
fn several_scenes_get_a_folder_and_a_line_each() {
    let dir = tempfile::tempdir().unwrap();
    collect(dir.path(), &["--scene", "push", "fall"])
        .assert()
        .success()
        .stdout(
            contains("COVERAGE")
                .and(contains("push"))
                .and(contains("fall")),
        );
    for (name, frames) in [("push", "180"), ("fall", "84")] {
        let folder = dir.path().join(name);
        let text = folder.to_str().unwrap();
        parallax(&["episodes", text])
            .assert()
            .success()
            .stdout(contains("shard-00000.plx: ok, 3 episodes").and(contains(frames)));
        assert_eq!(sheet_size(&folder.join("sheet.png")), (640, 3 * 68));
    }
    // A phenomenon has no task to succeed in or to cover.
    let fall = dir.path().join("fall");
    parallax(&["episodes", fall.to_str().unwrap()])
        .assert()
        .stdout(predicate::str::is_match("fall +3 +84 .* - +- ").unwrap());
}

#[test]
fn damage_is_named_and_passed_over_only_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    collect(dir.path(), &["--scene", "fall"]).assert().success();
    let shard = dir.path().join("shard-00000.plx");
    let whole = std::fs::read(&shard).unwrap();
    std::fs::write(&shard, &whole[..whole.len() - 9]).unwrap();
    let text = dir.path().to_str().unwrap();
    parallax(&["episodes", text])
        .assert()
        .code(1)
        .stderr(contains("shard-00000.plx").and(contains("--skip-damaged")));
    parallax(&["episodes", text, "--skip-damaged"])
        .assert()
        .success()
        .stderr(contains("shard-00000.plx"));
    collect(dir.path(), &["--scene", "fall"]).assert().success();
    assert!(whole == std::fs::read(&shard).unwrap(), "made anew");
}

#[test]
fn one_episode_prints_its_actions_states_and_edits() {
    let dir = tempfile::tempdir().unwrap();
    let edit = "(step: 7, body: \"cube\", what: Freeze)";
    collect(
        dir.path(),
        &["--scene", "push", "--seed", "40", "--edit", edit],
    )
    .assert()
    .success();
    let text = dir.path().to_str().unwrap();
    parallax(&["episodes", text, "--episode", "2"])
        .assert()
        .success()
        .stdout(
            contains("seed 42")
                .and(contains("step   59  action"))
                .and(contains("step    7  edit Freeze cube"))
                .and(contains("hand")),
        );
    parallax(&["episodes", text, "--episode", "3"])
        .assert()
        .code(2)
        .stderr(contains("expected 0 to 2"));
}

#[test]
fn the_eyes_size_and_samples_are_the_commands() {
    let dir = tempfile::tempdir().unwrap();
    collect(
        dir.path(),
        &["--scene", "fall", "--size", "96", "--samples", "1"],
    )
    .assert()
    .success();
    let picture = dir.path().join("more.png");
    parallax(&[
        "episodes",
        dir.path().to_str().unwrap(),
        "--sheet",
        picture.to_str().unwrap(),
    ])
    .assert()
    .success()
    .stdout(contains("96x96 pixels, 1 samples"));
    assert_eq!(sheet_size(&picture), (960, 300));
    // The same folder cannot hold another size.
    collect(dir.path(), &["--scene", "fall"])
        .assert()
        .code(1)
        .stderr(contains("index.json"));
    collect(dir.path(), &["--scene", "fall", "--size", "80"])
        .assert()
        .code(2)
        .stderr(contains("camera.size").and(contains("64, 96 or 128")));
}

#[test]
fn a_picture_of_every_scene() {
    let dir = tempfile::tempdir().unwrap();
    let picture = dir.path().join("scenes.png");
    parallax(&[
        "scenes",
        "--sheet",
        picture.to_str().unwrap(),
        "--samples",
        "1",
    ])
    .assert()
    .success()
    .stdout(contains("push").and(contains("fall")));
    let names = parallax::scene::list(&parallax::scene::library_dir());
    assert_eq!(sheet_size(&picture), (640, names.len() as u32 * 68));
}
