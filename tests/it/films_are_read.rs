//! `parallax judge` reads films as other programs leave them, and says of those that it cannot read which file
//! and what was expected.

use std::path::Path;

use assert_cmd::Command;
use parallax::camera::{Eye, SIZE};
use parallax::episode::{CollectOptions, Episode, collect, record};
use parallax::sim::HELD_OUT_SEED;
use predicates::prelude::*;
use predicates::str::contains;
use safetensors::tensor::{Dtype, TensorView};

use crate::support::scene;

fn judge(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command.arg("judge").args(args).env_remove("PARALLAX_HOME");
    command
}

fn episode(name: &str) -> Episode {
    let scene = scene(name);
    record(
        &scene,
        &Eye::standard(&scene).unwrap(),
        HELD_OUT_SEED + 60_000,
    )
    .unwrap()
}

fn frames(episode: &Episode) -> Vec<&[u8]> {
    episode
        .frames
        .chunks_exact(SIZE * SIZE * 3)
        .take(24)
        .collect()
}

fn png(path: &Path, size: usize, rgb: &[u8]) {
    let side = size as u32;
    image::save_buffer(path, rgb, side, side, image::ColorType::Rgb8).unwrap();
}

fn tensors(path: &Path, name: &str, shape: &[usize], kind: Dtype, bytes: &[u8]) {
    let view = TensorView::new(kind, shape.to_vec(), bytes).unwrap();
    safetensors::serialize_to_file([(name, view)], None, path).unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn pictures_films_and_tensors_are_judged_alike() {
    let dir = tempfile::tempdir().unwrap();
    let episode = episode("collide");
    let film = frames(&episode);
    let pictures = dir.path().join("pictures");
    std::fs::create_dir(&pictures).unwrap();
    for (t, frame) in film.iter().enumerate() {
        // People count without leading zeros, and leave other files about.
        png(&pictures.join(format!("frame{t}.png")), SIZE, frame);
    }
    std::fs::write(pictures.join("notes.txt"), "mine").unwrap();
    let tensor = dir.path().join("film.safetensors");
    tensors(
        &tensor,
        "frames",
        &[24, SIZE, SIZE, 3],
        Dtype::U8,
        &film.concat(),
    );
    let read = |clip: &Path| -> serde_json::Value {
        let json = dir.path().join("verdict.json");
        let out = ["--scene", "collide", "--json", text(&json)];
        judge(&[&[text(clip)], &out[..]].concat())
            .assert()
            .success()
            .stdout(contains("checked"));
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap()
    };
    let (a, b) = (read(&pictures), read(&tensor));
    assert_eq!((&a["frames"], &a["reference"]), (&24.into(), &4.into()));
    assert_eq!(a["violations"], b["violations"]);
    assert_eq!(a["checked"], b["checked"]);
    assert!(a["checked"].as_array().is_some_and(|c| c.len() > 5), "{a}");
    assert_eq!(
        a["violations"].as_array().map(Vec::len),
        Some(0),
        "reality: {a}"
    );
    assert!(
        a["says"].as_str().unwrap().starts_with("no violation of"),
        "{a}"
    );
    // The same with a ball that is suddenly elsewhere.
    for t in [14, 15, 16, 17] {
        png(&pictures.join(format!("frame{t}.png")), SIZE, film[23]);
    }
    let broken = read(&pictures);
    let first = broken["violations"]
        .as_array()
        .and_then(|v| v.first())
        .cloned();
    let first = first.unwrap_or_else(|| panic!("nothing is found: {broken}"));
    assert!(
        (9..=11).contains(&first["first_frame"].as_u64().unwrap()),
        "{first}"
    );
    // A film of its own verdict.
    let gif = dir.path().join("verdict.gif");
    judge(&[text(&pictures), "--scene", "collide", "--gif", text(&gif)])
        .assert()
        .success();
    let drawn = std::fs::read(&gif).unwrap();
    assert!(drawn.starts_with(b"GIF89a") && drawn.len() > 2000);
}

#[test]
fn a_gif_and_a_recording_are_judged() {
    let dir = tempfile::tempdir().unwrap();
    let episode = episode("push");
    let gif = dir.path().join("film.gif");
    {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::gif::GifEncoder::new_with_speed(&mut bytes, 1);
        for frame in frames(&episode) {
            let rgba: Vec<u8> = frame
                .chunks_exact(3)
                .flat_map(|p| [p[0], p[1], p[2], 255])
                .collect();
            let picture = image::RgbaImage::from_raw(SIZE as u32, SIZE as u32, rgba).unwrap();
            encoder.encode_frame(image::Frame::new(picture)).unwrap();
        }
        drop(encoder);
        std::fs::write(&gif, bytes).unwrap();
    }
    judge(&[text(&gif), "--scene", "push"])
        .assert()
        .success()
        .stdout(contains("push: "));
    let recorded = dir.path().join("episodes");
    let options = CollectOptions {
        out: recorded.clone(),
        episodes: 2,
        seed: 40,
        progress: false,
    };
    collect(&scene("push"), &options).unwrap();
    for clip in [recorded.clone(), recorded.join("shard-00000.plx")] {
        // The recording says itself which scene it is, and brings the actions.
        let ok = judge(&[text(&clip), "--episode", "1"]).assert().success();
        ok.stdout(contains("push: no violation of"));
    }
    judge(&[text(&recorded), "--episode", "2"])
        .assert()
        .failure()
        .stderr(contains("no episode 2"));
    let wrong = judge(&[text(&recorded), "--scene", "fall"])
        .assert()
        .code(1);
    wrong.stderr(contains("`push`, not in `fall`"));
}

#[test]
fn actions_that_come_with_a_film_are_judged_too() {
    let dir = tempfile::tempdir().unwrap();
    let episode = episode("push");
    let film = frames(&episode).concat();
    let path = dir.path().join("film.safetensors");
    let write = |actions: &[f32], shape: [usize; 2]| {
        let bytes: Vec<u8> = actions.iter().flat_map(|v| v.to_le_bytes()).collect();
        let frames = TensorView::new(Dtype::U8, vec![24, SIZE, SIZE, 3], &film).unwrap();
        let actions = TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
        safetensors::serialize_to_file([("frames", frames), ("actions", actions)], None, &path)
            .unwrap();
    };
    write(&episode.actions[..48], [24, 2]);
    judge(&[text(&path), "--scene", "push"]).assert().success();
    write(&episode.actions[..46], [23, 2]);
    judge(&[text(&path), "--scene", "push"]).assert().success();
    write(&episode.actions[..48], [12, 4]);
    let wrong = judge(&[text(&path), "--scene", "push"]).assert().code(1);
    wrong.stderr(contains("film.safetensors").and(contains("expected F32 [24, 2]")));
    write(&[f32::NAN; 48], [24, 2]);
    judge(&[text(&path), "--scene", "push"])
        .assert()
        .code(1)
        .stderr(contains("finite"));
}

#[test]
fn what_cannot_be_read_is_named_with_what_was_expected() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let fails = |clip: &Path, words: &[&str]| {
        let out = judge(&[text(clip), "--scene", "collide"]).assert().code(1);
        let error = String::from_utf8_lossy(&out.get_output().stderr).into_owned();
        let name = clip.file_name().unwrap().to_str().unwrap();
        for word in words.iter().chain([&name]) {
            assert!(error.contains(word), "{clip:?}: lacks `{word}`: {error}");
        }
        assert!(!error.contains("panic"), "{error}");
    };
    fails(&at("nothing"), &[]);
    std::fs::write(at("film.mp4"), "x").unwrap();
    fails(&at("film.mp4"), &["expected a folder of PNG files"]);
    std::fs::create_dir(at("empty")).unwrap();
    fails(&at("empty"), &["no PNG file"]);
    std::fs::create_dir(at("large")).unwrap();
    png(&at("large/a.png"), 100, &[7; 100 * 100 * 3]);
    fails(
        &at("large"),
        &["a.png", "100 x 100", "expected 64 x 64", "--size"],
    );
    std::fs::create_dir(at("short")).unwrap();
    (0..5).for_each(|t| png(&at(&format!("short/{t}.png")), SIZE, &[90; SIZE * SIZE * 3]));
    fails(&at("short"), &["holds 5 frames", "at least 7"]);
    std::fs::create_dir(at("cut")).unwrap();
    png(&at("cut/a.png"), SIZE, &[9; SIZE * SIZE * 3]);
    let whole = std::fs::read(at("cut/a.png")).unwrap();
    std::fs::write(at("cut/a.png"), &whole[..whole.len() / 2]).unwrap();
    fails(&at("cut"), &["a.png", "cannot be read as a picture"]);
    std::fs::write(at("film.gif"), b"GIF89a").unwrap();
    fails(&at("film.gif"), &["cannot be read as a GIF"]);
    std::fs::write(at("a.safetensors"), b"{").unwrap();
    fails(&at("a.safetensors"), &["no safetensors file"]);
    tensors(&at("b.safetensors"), "video", &[4], Dtype::U8, &[0; 4]);
    fails(
        &at("b.safetensors"),
        &["holds `video`", "expected `frames`"],
    );
    tensors(
        &at("c.safetensors"),
        "frames",
        &[1, 3, 2, 2],
        Dtype::U8,
        &[0; 12],
    );
    fails(&at("c.safetensors"), &["[1, 3, 2, 2]", "[T, H, W, 3]"]);
    tensors(
        &at("d.safetensors"),
        "frames",
        &[1, 1, 1, 3],
        Dtype::F32,
        &[0; 12],
    );
    fails(&at("d.safetensors"), &["F32", "U8"]);
    tensors(
        &at("e.safetensors"),
        "frames",
        &[1, 2, 2, 3],
        Dtype::U8,
        &[0; 12],
    );
    fails(&at("e.safetensors"), &["2 x 2", "64 x 64"]);
}

#[test]
fn use_is_checked_before_anything_is_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("film")).unwrap();
    let film = dir.path().join("film");
    let film = text(&film);
    judge(&[film])
        .assert()
        .code(2)
        .stderr(contains("--scene is needed"));
    let wrong = judge(&[film, "--scene", "push", "--episode", "3"])
        .assert()
        .code(2);
    wrong.stderr(contains("--episode has no effect"));
    judge(&[film, "--coverage"]).assert().code(2);
    judge(&["--coverage", "--episode", "3"])
        .assert()
        .code(2)
        .stderr(contains("judges no film"));
    judge(&[film, "--scene", "push", "--gif", "a.png"])
        .assert()
        .code(2)
        .stderr(contains(".gif"));
    judge(&[film, "--scene", "push", "--json", "a.png"])
        .assert()
        .code(2)
        .stderr(contains(".json"));
    judge(&[film, "--scene", "push", "--reference", "0"])
        .assert()
        .code(2);
    judge(&[]).assert().code(2);
}

#[test]
fn coverage_names_every_law_with_its_threshold_or_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("coverage.json");
    let shown = judge(&["--coverage", "--scene", "spin", "--json", text(&json)])
        .assert()
        .success();
    shown.stdout(contains("spin: ").and(contains("of motion")));
    let read: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let laws = read["scenes"]["spin"].as_object().unwrap();
    assert_eq!(laws.len(), 18);
    for (law, cell) in laws {
        match cell["on"].as_bool().unwrap() {
            true => assert!(
                cell["threshold"].is_number() && cell["unit"].is_string(),
                "{law}: {cell}"
            ),
            false => assert!(
                !cell["reason"].as_str().unwrap().is_empty(),
                "{law}: {cell}"
            ),
        }
    }
}

#[test]
fn the_judge_is_calibrated_and_validated_by_commands() {
    // A home of its own, since calibration writes into it.
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("scenes")).unwrap();
    let from = parallax::scene::library_dir().join("collide.ron");
    std::fs::copy(from, home.path().join("scenes/collide.ron")).unwrap();
    let run = |args: &[&str]| {
        let mut command = judge(args);
        command.env("PARALLAX_HOME", home.path());
        command
    };
    run(&["calibrate", "--clips", "50"])
        .assert()
        .success()
        .stdout(contains("laws on"));
    assert!(home.path().join("assets/judge.ron").exists());
    run(&["calibrate", "--clips", "3"]).assert().code(2);
    run(&["calibrate", "--size", "65"]).assert().code(2);
    let json = home.path().join("found.json");
    let few = [
        "validate",
        "--clips",
        "4",
        "--away",
        "1",
        "--faults",
        "1",
        "--json",
        text(&json),
    ];
    run(&few)
        .assert()
        .success()
        .stdout(contains("reality flagged").and(contains("all scenes")));
    let read: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    let scene = &read["scenes"]["collide"];
    assert_eq!(scene["reality"]["clips"], 4);
    assert_eq!(
        scene["away"].as_object().map(serde_json::Map::len),
        Some(9),
        "{}",
        scene["away"]
    );
    assert!(scene["faults"]["teleport"]["strong"]["amount"].is_number());
    assert!(
        scene["faults"]["hovers"]["strong"]["reason"].is_string(),
        "no flights from above"
    );
    assert!(scene["frames_per_s"].as_f64().is_some_and(|f| f > 0.0));
    assert_eq!(read["seeds"], "held out");
}
