//! Every command does what its help says, names what is wrong, and exits with 0 (done), 1 (failed) or 2
//! (wrong use).

use std::path::Path;

use assert_cmd::Command;
use parallax::scene::library_dir;
use predicates::prelude::*;
use predicates::str::contains;

use crate::support::SCENES;
use crate::weights_are_checked::tiny_lewm;

fn parallax(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command
        .args(args)
        .env_remove("PARALLAX_HOME")
        .env_remove("RUST_LOG");
    command
}

/// A folder with the shipped scenes and one tiny, untrained model.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("scenes")).unwrap();
    for name in SCENES {
        let file = format!("{name}.ron");
        std::fs::copy(
            library_dir().join(&file),
            home.path().join("scenes").join(&file),
        )
        .unwrap();
    }
    tiny_lewm(&home.path().join("models/tiny"));
    home
}

fn at_home(home: &Path, args: &[&str]) -> Command {
    let mut command = parallax(args);
    command.env("PARALLAX_HOME", home);
    command
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_ends_a_command_quietly() {
    let home = home();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_parallax"))
        .args(["scenes"])
        .env("PARALLAX_HOME", home.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{out:?}");
    assert!(out.stderr.is_empty(), "{out:?}");
}

#[test]
fn help_lists_every_command_and_every_option() {
    let commands = [
        "scenes", "models", "collect", "episodes", "train", "eval", "record",
    ];
    commands
        .iter()
        .fold(parallax(&["--help"]).assert().success(), |a, c| {
            a.stdout(contains(*c))
        });
    let options: [(&str, &[&str]); 8] = [
        ("scenes", &["--check"]),
        ("models", &["--check"]),
        (
            "episodes",
            &["DIR", "--sheet", "--episode", "--skip-damaged"],
        ),
        (
            "collect",
            &[
                "--scene",
                "--all",
                "--size",
                "--samples",
                "--episodes",
                "--seed",
                "--out",
            ],
        ),
        (
            "train",
            &[
                "TRAIN.RON",
                "--resume",
                "--minutes",
                "--device",
                "--data",
                "--out",
            ],
        ),
        (
            "eval",
            &["control", "rollout", "surprise", "--plan", "--list"],
        ),
        (
            "judge",
            &[
                "CLIP",
                "calibrate",
                "validate",
                "--coverage",
                "--scene",
                "--json",
                "--gif",
            ],
        ),
        ("record", &["--scene", "--seed", "--out"]),
    ];
    for (command, options) in options {
        options
            .iter()
            .fold(parallax(&[command, "--help"]).assert().success(), |a, o| {
                a.stdout(contains(*o))
            });
    }
    parallax(&["--version"])
        .assert()
        .success()
        .stdout(contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_use_exits_with_two() {
    for args in [
        &["dance"][..],
        &["scenes", "--chek", "x.ron"],
        &["collect", "--scene", "push"],
        &[
            "collect",
            "--scene",
            "push",
            "--episodes",
            "0",
            "--out",
            "x",
        ],
        &[
            "collect",
            "--scene",
            "push",
            "--episodes",
            "many",
            "--out",
            "x",
        ],
        &["eval", "charm"],
        &[
            "eval",
            "control",
            "--scene",
            "push",
            "--model",
            "random",
            "--episodes",
            "-1",
        ],
        &["record", "--scene", "push"],
        &["train"],
    ] {
        parallax(args)
            .assert()
            .code(2)
            .stderr(contains("Usage").or(contains("For more information")));
    }
}

#[test]
fn a_distance_that_is_none_is_refused_with_those_that_are() {
    let with = |distance: &str| {
        let fixed = [
            "eval",
            "control",
            "--scene",
            "reach",
            "--model",
            "diffusion",
        ];
        parallax(&[&fixed[..], &["--episodes", "1", "--distance", distance]].concat()).assert()
    };
    with("lewm-reach")
        .code(2)
        .stderr(contains("lewm-reach").and(contains("colours, pixels, latents")));
    with("far")
        .code(1)
        .stderr(contains("there is no such folder"));
}

#[test]
fn scenes_are_listed_and_checked() {
    SCENES
        .iter()
        .fold(parallax(&["scenes"]).assert().success(), |a, s| {
            a.stdout(contains(*s))
        });
    let good = library_dir().join("push.ron");
    let good = good.to_str().unwrap();
    parallax(&["scenes", "--check", good])
        .assert()
        .success()
        .stdout(contains("push.ron: ok"));

    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.ron");
    let text = std::fs::read_to_string(good).unwrap().replacen(
        "fov_degrees: 39.0",
        "fov_degrees: 390.0",
        1,
    );
    std::fs::write(&bad, text).unwrap();
    parallax(&["scenes", "--check", good, bad.to_str().unwrap()])
        .assert()
        .code(1)
        .stdout(contains("push.ron: ok"))
        .stderr(
            contains("bad.ron:")
                .and(contains("camera.fov_degrees"))
                .and(contains("390"))
                .and(contains("5 to 120")),
        )
        .stderr(contains("1 of 2"));
    parallax(&["scenes", "--check", "nowhere.ron"])
        .assert()
        .code(1)
        .stderr(contains("nowhere.ron"));
}

#[test]
fn collecting_resumes_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("experience");
    let run = |scene: &str, episodes: &str| {
        parallax(&[
            "collect",
            "--scene",
            scene,
            "--episodes",
            episodes,
            "--seed",
            "900000",
            "--out",
            out.to_str().unwrap(),
        ])
        .assert()
    };
    run("collide", "3")
        .success()
        .stdout(contains("were there").not());
    run("collide", "3")
        .success()
        .stdout(contains("3 of 3 episodes were there"));
    run("collide", "5")
        .success()
        .stdout(contains("were there").not());
    run("fall", "3")
        .code(1)
        .stderr(contains("index.json").and(contains("scene")));
    run("fell", "3")
        .code(1)
        .stderr(contains("fell").and(contains("fall")));
}

#[test]
fn models_are_listed_and_checked() {
    let home = home();
    at_home(home.path(), &["models"])
        .assert()
        .success()
        .stdout(contains("tiny").and(contains("jepa")));
    at_home(home.path(), &["models", "--check"])
        .assert()
        .success()
        .stdout(contains("tiny: ok"));
    let weights = home.path().join("models/tiny/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    at_home(home.path(), &["models", "--check"])
        .assert()
        .code(1)
        .stderr(contains("model.safetensors").and(contains("sha256")));
    let empty = tempfile::tempdir().unwrap();
    at_home(empty.path(), &["models"])
        .assert()
        .code(1)
        .stderr(contains("no models"));
    at_home(empty.path(), &["scenes"])
        .assert()
        .code(1)
        .stderr(contains("PARALLAX_HOME"));
}

#[test]
fn eval_writes_the_documented_json() {
    let home = home();
    let json = home.path().join("out/control.json");
    let file = json.to_str().unwrap();
    let args = [
        "eval",
        "control",
        "--scene",
        "reach",
        "--model",
        "tiny",
        "--episodes",
        "2",
        "--seed",
        "1040000",
        "--json",
        file,
    ];
    let small = [
        "--candidates",
        "8",
        "--iterations",
        "1",
        "--horizon",
        "1",
        "--no-references",
        "--device",
        "cpu",
    ];
    at_home(home.path(), &[&args[..], &small[..]].concat())
        .assert()
        .success()
        .stdout(contains("success"));
    let value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&json).unwrap()).unwrap();
    assert_eq!(value["schema"], 1);
    for (key, expected) in [("suite", "control"), ("scene", "reach"), ("model", "tiny")] {
        assert_eq!(value[key], expected, "{key}");
    }
    assert_eq!(
        (
            value["seed"].as_u64(),
            value["budget"]["candidates"].as_u64()
        ),
        (Some(1_040_000), Some(8))
    );
    for key in ["rate", "low", "high"] {
        assert!(
            (0.0..=1.0).contains(&value["success"][key].as_f64().unwrap()),
            "{key}"
        );
    }
    assert_eq!(value["per_episode"].as_array().map(Vec::len), Some(2));
    assert_eq!(value["per_episode"][0]["seed"], 1_040_000);
    assert!(value["decision_ms"]["median"].as_f64().unwrap() > 0.0);
    for key in [
        "planner",
        "command",
        "version",
        "device",
        "model_sha256",
        "decision_flops",
        "decision_model_steps",
        "warm_start",
        "excluded_solved_at_start",
    ] {
        assert!(!value[key].is_null(), "{key} is missing");
    }

    let file = home.path().join("sweep.json");
    let sweep = "eval control --scene reach --model random --episodes 2 --sweep gravity=-9.81,-3 \
        --sweep hand.colour=Vermillion,Blue --sweep camera.x=0,0.1 --no-references --json";
    let mut args: Vec<&str> = sweep.split(' ').collect();
    args.push(file.to_str().unwrap());
    at_home(home.path(), &args)
        .assert()
        .success()
        .stdout(contains("beyond").or(contains("away from -9.81")));
    let value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let points = value["sweep"]["gravity"].as_array().expect("two points");
    assert!(points[0]["departure"].is_null() && points[0]["success"]["high"].is_f64());
    assert!((points[1]["departure"]["beyond"].as_f64().unwrap() - 6.81).abs() < 1e-3);
    let points = value["sweep"]["hand.colour"]
        .as_array()
        .expect("two points");
    assert!(points[0]["departure"].is_null() && points[0]["value"] == "Vermillion");
    assert!(points[1]["departure"]["hue_degrees"].as_f64().unwrap() > 120.0);
    let points = value["sweep"]["camera.x"].as_array().expect("two points");
    assert!((points[1]["departure"]["beyond"].as_f64().unwrap() - 0.1).abs() < 1e-3);
    for wrong in [
        "gravity",
        "gravity=fast",
        "moon.mass=1",
        "hand.colour=Mauve",
        "moon.colour=Blue",
        "camera.y=-1",
    ] {
        let args = [
            "eval", "control", "--scene", "reach", "--model", "random", "--sweep", wrong,
        ];
        at_home(home.path(), &args).assert().code(2);
    }

    let file = home.path().join("surprise.json");
    let surprise = "eval surprise --scene push --model tiny --episodes 2 --json";
    let mut args: Vec<&str> = surprise.split(' ').collect();
    args.push(file.to_str().unwrap());
    at_home(home.path(), &args)
        .assert()
        .success()
        .stdout(contains("pass_through"));
    let value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(value["breaks"]["teleport"]["pairs"], 2);
    assert!(value["breaks"]["vanish"]["copy_last"]["auroc"]["mean"].is_f64());

    let file = home.path().join("rollout.json");
    let args = [
        "eval",
        "rollout",
        "--scene",
        "push",
        "--model",
        "tiny",
        "--episodes",
        "1",
        "--json",
        file.to_str().unwrap(),
    ];
    at_home(home.path(), &args).assert().success();
    let value: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(value["horizons"], serde_json::json!([1, 5, 10, 20]));
    assert!(
        value["numbers"]["copy_last"][0]["foreground_psnr_db"]["median"]
            .as_f64()
            .is_some()
    );

    for (args, word) in [
        (
            ["eval", "control", "--scene", "reach", "--model", "nobody"],
            "tiny",
        ),
        (
            ["eval", "control", "--scene", "nowhere", "--model", "tiny"],
            "reach",
        ),
        (
            ["eval", "control", "--scene", "fall", "--model", "random"],
            "no task",
        ),
        (
            ["eval", "dream", "--scene", "push", "--model", "tiny"],
            "imagines no frames",
        ),
        (
            ["eval", "following", "--scene", "push", "--model", "tiny"],
            "imagines no frames",
        ),
    ] {
        at_home(home.path(), &args)
            .assert()
            .code(1)
            .stderr(contains(word));
    }
}

#[test]
fn record_writes_a_moving_picture() {
    let home = home();
    let gif = home.path().join("clip.gif");
    at_home(
        home.path(),
        &[
            "record",
            "--scene",
            "collide",
            "--seed",
            "1000001",
            "--out",
            gif.to_str().unwrap(),
        ],
    )
    .assert()
    .success()
    .stdout(contains("clip.gif"));
    use image::AnimationDecoder as _;
    let file = std::io::BufReader::new(std::fs::File::open(&gif).unwrap());
    let frames = image::codecs::gif::GifDecoder::new(file)
        .unwrap()
        .into_frames()
        .collect_frames()
        .unwrap();
    assert_eq!(frames.len(), 24);
    assert!(
        frames[0].buffer().as_raw() != frames[23].buffer().as_raw(),
        "nothing moves"
    );
    at_home(
        home.path(),
        &["record", "--scene", "collide", "--out", "clip.mp4"],
    )
    .assert()
    .code(2)
    .stderr(contains(".gif"));
    let strange = ["record", "--scene", "collide", "--out", "a.gif"];
    at_home(
        home.path(),
        &[&strange[..], &["--model", "nobody"]].concat(),
    )
    .assert()
    .code(1)
    .stderr(contains("nobody").and(contains("the models there are")));
}

#[test]
fn training_without_experience_says_how_to_get_it() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("train.ron");
    std::fs::copy(
        parallax::scene::models_dir().join("lewm-push/train.ron"),
        &config,
    )
    .unwrap();
    let mut command = parallax(&["train", config.to_str().unwrap(), "--device", "cpu"]);
    command.current_dir(dir.path());
    command
        .assert()
        .code(1)
        .stderr(contains("parallax collect --scene").and(contains("--episodes")));
    parallax(&["train", "nowhere.ron"])
        .assert()
        .code(1)
        .stderr(contains("nowhere.ron"));
    parallax(&["train", config.to_str().unwrap(), "--device", "abacus"])
        .assert()
        .code(2);
}

#[test]
fn a_configuration_is_printed_with_its_defaults_and_trains_nothing() {
    let home = home();
    let recipe = home.path().join("train.ron");
    let short = r#"(name: "short", summary: "s", data: [".episodes/push"], architecture: Lewm((
        model: (latent_dim: 24), joint: (length: Minutes(1.5)))))"#;
    std::fs::write(&recipe, short).unwrap();
    let printed = at_home(home.path(), &["train", "--print", "json"])
        .arg(&recipe)
        .assert()
        .success()
        .get_output()
        .stdout
        .clone();
    let config: serde_json::Value = serde_json::from_slice(&printed).unwrap();
    let lewm = &config["architecture"]["Lewm"];
    assert_eq!(config["validation_share"], 0.05, "a default is filled in");
    assert_eq!(lewm["model"]["latent_dim"], 24, "what was given is kept");
    assert_eq!(lewm["joint"]["length"]["Minutes"], 1.5);
    assert_eq!(
        lewm["predictor"]["rollout"], 6,
        "the default of a phase left out"
    );
    assert!(!home.path().join("model.safetensors").exists());

    std::fs::write(&recipe, short.replace("latent_dim", "latent_width")).unwrap();
    at_home(home.path(), &["train", "--print", "json"])
        .arg(&recipe)
        .assert()
        .code(1)
        .stderr(contains("latent_width"));
}
