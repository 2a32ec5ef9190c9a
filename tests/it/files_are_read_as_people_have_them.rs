//! Files as people have them: byte order marks, other alphabets, comments, an editor's leftovers; and what is
//! damaged is named.

use std::path::Path;

use assert_cmd::Command;
use parallax::episode::{CollectOptions, Store, collect};
use parallax::model::{Card, registry};
use parallax::scene::{self, Scene};
use parallax::train::TrainConfig;
use predicates::prelude::*;
use predicates::str::contains;

use crate::file_vandal::{FileVandal, Kind};
use crate::support::{case, scene};
use crate::weights_are_checked::tiny_lewm;

fn parallax(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command
        .args(args)
        .env("PARALLAX_HOME", home)
        .env_remove("RUST_LOG");
    command
}

/// A folder with two scenes and a tiny model.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let scenes = home.path().join("scenes");
    std::fs::create_dir(&scenes).unwrap();
    for name in ["fall", "push"] {
        let file = format!("{name}.ron");
        std::fs::copy(scene::library_dir().join(&file), scenes.join(&file)).unwrap();
    }
    tiny_lewm(&home.path().join("models/tiny"));
    home
}

fn marked(path: &Path) {
    let text = std::fs::read_to_string(path).unwrap();
    std::fs::write(path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
}

#[test]
fn a_byte_order_mark_is_no_part_of_any_file() {
    Scene::load(&case("byte_order_mark")).unwrap_or_else(|e| panic!("{e}"));
    let dir = tempfile::tempdir().unwrap();
    let train = dir.path().join("train.ron");
    std::fs::copy(scene::models_dir().join("lewm-push/train.ron"), &train).unwrap();
    marked(&train);
    TrainConfig::load(&train).unwrap_or_else(|e| panic!("{e}"));

    let model = dir.path().join("model");
    tiny_lewm(&model);
    marked(&model.join("card.ron"));
    marked(&model.join("model.ron"));
    Card::load(&model).unwrap_or_else(|e| panic!("{e}"));
    registry::load(&model, &candle_core::Device::Cpu).unwrap_or_else(|e| panic!("{e}"));

    let out = dir.path().join("episodes");
    let options = CollectOptions {
        out: out.clone(),
        episodes: 1,
        seed: 0,
        progress: false,
    };
    collect(&scene("fall"), &options).unwrap();
    marked(&out.join("index.json"));
    Store::open(&out).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn text_that_is_no_utf8_is_named_for_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("push.ron");
    let wide: Vec<u8> = "\u{feff}Scene("
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(&file, wide).unwrap();
    let error = Scene::load(&file).unwrap_err().to_string();
    assert!(
        error.contains("push.ron") && error.contains("UTF-16"),
        "{error}"
    );
    std::fs::write(&file, b"Scene(\n name: \"caf\xe9\",").unwrap();
    let error = Scene::load(&file).unwrap_err().to_string();
    assert!(
        error.contains("UTF-8") && error.contains("line 2"),
        "{error}"
    );
}

#[test]
fn characters_are_counted_and_not_their_bytes() {
    Scene::load(&case("chinese_summary")).unwrap_or_else(|e| panic!("{e}"));
    let text = std::fs::read_to_string(case("chinese_summary")).unwrap();
    let long = text.replacen("手", &"手".repeat(200), 1);
    let error = Scene::parse(&long, Path::new("x.ron"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("319 characters"), "{error}");
}

#[test]
fn comments_strings_and_other_entries_do_not_shift_an_errors_line() {
    for (name, line) in [("quote_in_comment", 9), ("brackets_in_summary", 8)] {
        let error = Scene::load(&case(name)).unwrap_err().to_string();
        let place = format!("{name}.ron:{line}: field `bodies[1].friction`");
        assert!(error.contains(&place), "{error}");
    }
    let text = |more: &str| {
        format!(
            "/* bodies: [( friction: \"( */ Scene(name: \"x\", summary: r#\"bodies: [(\"\"#,\n bodies: \
             [\n  (name: \"a\", kind: Dynamic, colour: Blue, position: (0.0, 0.1, 0.0),\n  shape: \
             Compound(parts: [\n   (shape: Ball(radius: 0.1), position: (0.0, 0.0, 0.0)),\n  ]),\n  mass: \
             1.0),\n  (name: \"b\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Green,\n   position: \
             (0.5, 0.1, 0.0)),\n ],\n camera: (position: (0.0, 1.0, 6.0), target: (0.0, 1.0, 0.0),\n  \
             fov_degrees: 40.0),\n behaviour: (contact: 0.2,\n  task: 0.2, explore: 0.2),\n{more})"
        )
    };
    let line = |from: &str, to: &str, more: &str| {
        let spoilt = text(more).replacen(from, to, 1);
        let error = Scene::parse(&spoilt, Path::new("x.ron"))
            .unwrap_err()
            .to_string();
        error
            .split(':')
            .nth(1)
            .unwrap()
            .parse::<usize>()
            .unwrap_or_else(|_| panic!("{error}"))
    };
    // The body's own position, not that of its part, and not that of the body before.
    assert_eq!(
        line(
            "position: (0.0, 0.1, 0.0)",
            "position: (0.0, 99.0, 0.0)",
            ""
        ),
        3
    );
    assert_eq!(
        line(
            "position: (0.5, 0.1, 0.0)",
            "position: (0.5, 99.0, 0.0)",
            ""
        ),
        9
    );
    assert_eq!(line("mass: 1.0", "mass: -1.0", ""), 7);
    assert_eq!(line("fov_degrees: 40.0", "fov_degrees: 400.0", ""), 12);
    // A share of the behaviour, not the scene's task.
    assert_eq!(line("task: 0.2", "task: 2.0", ""), 14);
    assert_eq!(
        line(
            "",
            "",
            " sliders: [\n  (target: \"a.mass\", low: 0.1, high: 1.0), // (\n  (target: \"b.mass\", low: \
             0.0, high: 1.0),\n ],\n"
        ),
        17
    );
}

#[test]
fn what_editors_and_systems_leave_beside_scenes_and_models_is_passed_over() {
    let home = home();
    let scenes = home.path().join("scenes");
    std::fs::write(scenes.join("._push.ron"), [0u8, 5, 0xff, 0xfe]).unwrap();
    std::fs::write(scenes.join("#push.ron"), "Scene(").unwrap();
    std::fs::write(scenes.join("push.ron~"), "Scene(").unwrap();
    std::fs::create_dir(scenes.join("old.ron")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        std::os::unix::fs::symlink("u@h.1:2", scenes.join(".#push.ron")).unwrap();
        let name = std::ffi::OsStr::from_bytes(b"caf\xe9.ron");
        std::fs::write(scenes.join(name), "Scene(").unwrap();
    }
    let models = home.path().join("models");
    for stray in [".tiny", "tiny~"] {
        std::fs::create_dir(models.join(stray)).unwrap();
        std::fs::write(models.join(stray).join("card.ron"), "(").unwrap();
    }
    assert_eq!(scene::list(&scenes), ["fall", "push"]);
    let out = home.path().join("sheet.png");
    for args in [
        &["scenes", "--soak", "2"][..],
        &["scenes", "--sheet", out.to_str().unwrap()],
        &["models", "--check"],
    ] {
        parallax(home.path(), args).assert().success();
    }
}

#[test]
fn a_scene_is_called_as_its_file_is() {
    let home = home();
    let scenes = home.path().join("scenes");
    std::fs::copy(scenes.join("push.ron"), scenes.join("push2.ron")).unwrap();
    let said = contains("push2.ron:3: field `name`")
        .and(contains("\"push\""))
        .and(contains("\"push2\""));
    parallax(
        home.path(),
        &["judge", "validate", "--scene", "push2", "--clips", "1"],
    )
    .assert()
    .code(1)
    .stderr(said);
}

#[test]
fn home_is_where_both_scenes_and_models_are() {
    let home = home();
    assert!(scene::is_home(home.path()));
    // Another project's folder of the same name.
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir(other.path().join("scenes")).unwrap();
    std::fs::write(other.path().join("scenes/room.usd"), "").unwrap();
    assert!(!scene::is_home(other.path()));
    let at = |args: &[&str]| {
        let mut command = Command::cargo_bin("parallax").unwrap();
        command
            .args(args)
            .current_dir(other.path())
            .env_remove("PARALLAX_HOME");
        command.assert().success()
    };
    at(&["scenes"]).stdout(contains("push_t"));
    at(&["models"]).stdout(contains("lewm-push"));
    for command in ["scenes", "models"] {
        parallax(other.path(), &[command])
            .assert()
            .code(1)
            .stderr(contains("PARALLAX_HOME"));
    }
}

#[test]
fn a_patch_of_no_pixels_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (model, field) in [
        ("latent-diffusion", "patch"),
        ("latent-diffusion", "merge"),
        ("diffusion", "patch"),
        ("vjepa-ac", "patch"),
    ] {
        let text =
            std::fs::read_to_string(scene::models_dir().join(model).join("train.ron")).unwrap();
        let (before, after) = text
            .split_once(&format!("{field}: "))
            .unwrap_or_else(|| panic!("{model} has no {field}"));
        let (_, after) = after.split_once(',').unwrap();
        let file = dir.path().join("train.ron");
        std::fs::write(&file, format!("{before}{field}: 0,{after}")).unwrap();
        let error = TrainConfig::load(&file).unwrap_err().to_string();
        assert!(error.contains("train.ron"), "{model}: {error}");
    }
}

/// A short run of `examples/fuzz_files.rs`.
#[test]
fn spoilt_files_and_options_are_refused_with_their_place_or_bounded() {
    let base = tempfile::tempdir().unwrap();
    let vandal = FileVandal::new(base.path());
    for kind in Kind::ALL {
        let dir = tempfile::tempdir().unwrap();
        vandal.prepare(kind, dir.path());
        let cases = 150;
        let accepted = (0..cases)
            .filter(|&case| vandal.try_out(kind, &vandal.spoil(kind, case), dir.path()))
            .count() as u64;
        assert!(accepted < cases, "{kind:?}: nothing was refused");
    }
}
