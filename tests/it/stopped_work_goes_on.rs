//! Whoever is asked to end ends in order and says how to go on; whoever is killed leaves what was finished,
//! and the next run goes on.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use parallax::episode::{CollectOptions, Dataset, Store, collect};
use parallax::system::Stop;
use parallax::train::{
    ActionPhase, Architecture, CloningRecipe, Length, MaskedPhase, Outcome, ReadoutPhase,
    TrainConfig, TrainOptions, VjepaRecipe, run_on,
};
use predicates::prelude::*;
use predicates::str::contains;

use crate::diffusion_learns::{moving_squares, small_recipe as small_diffusion};
use crate::latent_diffusion_learns::{small as small_latent, small_recipe as latent_recipe};
use crate::support::recorded;
use crate::vjepa_trains::small as small_vjepa;
use crate::work_is_not_lost::{case, config, into, lewm, reach};

/// More steps than any of these tests waits for.
const NEVER: Length = Length::Steps(10_000_000);

pub fn experience() -> Dataset {
    recorded(&reach(26), 0..10)
}

/// Every phase that is long: a training, its experience, and the word of the phase in its curve.
fn loops(length: Length) -> Vec<(&'static str, TrainConfig, Dataset)> {
    let short = Length::Steps(1);
    let lewm = |joint, predictor| {
        let mut recipe = lewm();
        (recipe.joint.length, recipe.predictor.length) = (joint, predictor);
        (recipe.joint.log_every, recipe.predictor.log_every) = (1, 1);
        config(Architecture::Lewm(recipe))
    };
    let vjepa = |masked, actions| {
        config(Architecture::VjepaAc(VjepaRecipe {
            model: small_vjepa(),
            start: None,
            masked: MaskedPhase {
                length: masked,
                clips: 1,
                stills: 1,
                log_every: 1,
                ..Default::default()
            },
            actions: ActionPhase {
                length: actions,
                batch: 2,
                summary_frames: 60,
                log_every: 1,
                ..Default::default()
            },
            readouts: ReadoutPhase {
                steps: 2,
                ..Default::default()
            },
        }))
    };
    let latent = |autoencoder, dynamics| {
        let mut recipe = latent_recipe(small_latent());
        recipe.autoencoder.pace.length = autoencoder;
        recipe.dynamics.pace.length = dynamics;
        config(Architecture::LatentDiffusion(recipe))
    };
    let mut clone = CloningRecipe {
        length,
        batch: 4,
        log_every: 1,
        ..Default::default()
    };
    clone.model.encoder_channels = [4, 8, 4];
    clone.model.encoder_hidden = 16;
    let mut pixel = small_diffusion();
    pixel.training.length = length;
    let squares = || moving_squares(8, 16);
    vec![
        ("joint", lewm(length, short), experience()),
        ("predictor", lewm(short, length), experience()),
        ("masked", vjepa(length, short), experience()),
        ("actions", vjepa(short, length), experience()),
        (
            "cloning",
            config(Architecture::Cloning(clone)),
            experience(),
        ),
        (
            "pixel",
            config(Architecture::PixelDiffusion(pixel)),
            squares(),
        ),
        ("autoencoder", latent(length, short), squares()),
        ("dynamics", latent(short, length), squares()),
    ]
}

/// Steps of the phase that a checkpoint was made in.
fn steps_in(out: &Path) -> u64 {
    let text = std::fs::read_to_string(out.join("checkpoint/progress.json")).unwrap();
    let progress: serde_json::Value = serde_json::from_str(&text).unwrap();
    progress["step"].as_u64().unwrap()
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let started = Instant::now();
    while !there() {
        let waited = started.elapsed();
        assert!(waited < Duration::from_secs(120), "waited for {what}");
        std::thread::sleep(Duration::from_millis(3));
    }
}

fn curve_has(out: &Path, word: &str) -> bool {
    let text = std::fs::read_to_string(out.join("curve.jsonl")).unwrap_or_default();
    text.lines().any(|l| l.contains(&format!("\"{word}\"")))
}

#[test]
fn all_phases_end_with_a_checkpoint_when_asked_to_and_go_on_from_it() {
    for (phase, config, data) in loops(NEVER) {
        let dir = tempfile::tempdir().unwrap();
        let stop = Stop::new();
        let options = TrainOptions {
            stop: stop.clone(),
            ..into(dir.path())
        };
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                wait_for(phase, || curve_has(dir.path(), phase));
                stop.raise();
            });
            run_on(&config, &data, &options).unwrap()
        });
        assert_eq!(outcome, Outcome::Paused, "{phase}");
        let before = steps_in(dir.path());
        assert!(before > 0, "{phase}: a step was taken");
        // The next run goes on from there, and takes a step although it is asked to end at once.
        let on = TrainOptions {
            resume: true,
            minutes: Some(0.),
            ..into(dir.path())
        };
        assert_eq!(run_on(&config, &data, &on).unwrap(), Outcome::Paused);
        assert_eq!(steps_in(dir.path()), before + 1, "{phase}");
    }
}

#[test]
fn runs_of_no_time_at_all_take_a_step_each_in_every_loop_and_come_to_the_end() {
    for (phase, config, data) in loops(Length::Steps(3)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut runs, mut resume) = (0, false);
        loop {
            let options = TrainOptions {
                minutes: Some(0.),
                resume,
                ..into(dir.path())
            };
            runs += 1;
            if run_on(&config, &data, &options).unwrap() == Outcome::Finished {
                break;
            }
            resume = true;
            assert!(runs < 9, "{phase}: the training does not end");
        }
        assert!(runs >= 3, "{phase}: a run takes one step, {runs} ran");
        assert!(dir.path().join("card.ron").is_file());
        assert!(!dir.path().join("checkpoint").exists(), "{phase}");
        assert!(!dir.path().join("training.json").exists(), "{phase}");
    }
}

fn start<A: AsRef<std::ffi::OsStr>>(args: &[A]) -> Child {
    std::process::Command::new(assert_cmd::cargo::cargo_bin("parallax"))
        .args(args)
        .env_remove("PARALLAX_HOME")
        .env_remove("RUST_LOG")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = std::process::Command::new("kill")
        .args([name, &pid])
        .status();
    assert!(sent.unwrap().success());
}

/// The recipe of the tests with phases that never end, and experience for it.
fn endless(dir: &Path) -> (PathBuf, PathBuf) {
    let text = std::fs::read_to_string(case("train_tiny.ron")).unwrap();
    let text = text
        .replace("Steps(20)", "Steps(10000000)")
        .replace("log_every: 5", "log_every: 1");
    let (recipe, data) = (dir.join("train.ron"), dir.join("d"));
    std::fs::write(&recipe, text).unwrap();
    let options = CollectOptions {
        out: data.clone(),
        episodes: 8,
        seed: 0,
        progress: false,
    };
    collect(&reach(40), &options).unwrap();
    (recipe, data)
}

#[cfg(unix)]
#[test]
fn sigterm_and_ctrl_c_end_a_training_with_a_checkpoint_and_say_so() {
    for name in ["-TERM", "-INT"] {
        let dir = tempfile::tempdir().unwrap();
        let ((recipe, data), out) = (endless(dir.path()), dir.path().join("m"));
        let [recipe, data, shown] = [&recipe, &data, &out].map(|p| p.to_str().unwrap());
        let args = [
            "train", recipe, "--data", data, "--out", shown, "--device", "cpu",
        ];
        let child = start(&args);
        wait_for("the first steps", || curve_has(&out, "joint"));
        signal(&child, name);
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}");
        let words = ["stopped: ", "has a checkpoint", "--resume"];
        words
            .iter()
            .for_each(|w| assert!(said.contains(w), "{w}: {said}"));
        assert!(steps_in(&out) > 0);
        Command::cargo_bin("parallax")
            .unwrap()
            .args([&args[..], &["--resume", "--minutes", "0.0001"]].concat())
            .env_remove("RUST_LOG")
            .assert()
            .success()
            .stdout(contains("time is up").and(contains("--resume")));
    }
}

#[cfg(unix)]
#[test]
fn sigterm_and_ctrl_c_end_a_recording_in_order() {
    for name in ["-TERM", "-INT"] {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("d");
        let shown = out.to_str().unwrap();
        let args = [
            "collect",
            "--scene",
            "push",
            "--episodes",
            "1000000",
            "--out",
            shown,
        ];
        let child = start(&args);
        wait_for("the second shard", || out.join("shard-00001.plx").exists());
        signal(&child, name);
        let done = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{said}");
        assert!(
            said.contains("stopped: ") && said.contains("of 1000000 episodes"),
            "{said}"
        );
        // Shards from the first on, but for one or two that others were ahead of.
        let present = Store::open(&out).unwrap().present().unwrap();
        let ahead = rayon::current_num_threads() as u64;
        assert!(
            *present.last().unwrap() < present.len() as u64 + ahead,
            "{present:?}"
        );
        Command::cargo_bin("parallax")
            .unwrap()
            .args(["episodes", shown])
            .assert()
            .success();
        let data = Dataset::load(std::slice::from_ref(&out), 2, None).unwrap();
        assert_eq!(data.episodes.len(), 64 * present.len());
    }
}

/// Draws of a generator that everybody can write down.
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }
}

#[test]
fn a_killed_recording_or_training_leaves_what_was_finished_and_the_next_run_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut draws = Draws(7);
    let at = |name: &str| dir.path().join(name);
    let (out, data, model) = (at("push"), at("d"), at("m"));
    let shown = [&out, &data, &model].map(|p| p.to_str().unwrap().to_string());
    let collecting = [
        "collect",
        "--scene",
        "fall",
        "--episodes",
        "640",
        "--out",
        &shown[0],
    ];
    let mut held = 0;
    for _ in 0..6 {
        let mut child = start(&collecting);
        std::thread::sleep(Duration::from_millis(20 + draws.next(400)));
        child.kill().unwrap();
        child.wait().unwrap();
        if !out.join("index.json").exists() {
            continue;
        }
        let store = Store::open(&out).unwrap();
        let present = store.present().unwrap();
        present
            .iter()
            .for_each(|i| drop(store.read_whole(*i).unwrap()));
        assert!(present.len() >= held, "what was there is there");
        held = present.len();
    }
    // A training of a finished model's successor.
    let options = CollectOptions {
        out: data,
        episodes: 8,
        seed: 0,
        progress: false,
    };
    collect(&reach(40), &options).unwrap();
    let recipe = case("train_tiny.ron");
    let run = |more: &'static str| -> Vec<std::ffi::OsString> {
        let words = [
            "train", "--device", "cpu", "--data", &shown[1], "--out", &shown[2],
        ];
        let words = words.into_iter().chain(more.split_whitespace());
        let words = words.map(std::ffi::OsString::from);
        words.chain([recipe.clone().into_os_string()]).collect()
    };
    let finish = |more: &'static str| {
        let mut command = Command::cargo_bin("parallax").unwrap();
        command.args(run(more)).assert().success();
    };
    finish("");
    let whole = std::fs::read(model.join("model.safetensors")).unwrap();
    let device = candle_core::Device::Cpu;
    let began = || model.join("unfinished/checkpoint/progress.json").exists();
    let how = || if began() { "--resume" } else { "--overwrite" };
    for _ in 0..6 {
        let mut child = start(&run(how()));
        std::thread::sleep(Duration::from_millis(50 + draws.next(700)));
        child.kill().unwrap();
        child.wait().unwrap();
        parallax::model::registry::load_any(&model, &device)
            .map(drop)
            .unwrap();
    }
    finish(how());
    // The same steps from the same seed.
    assert!(std::fs::read(model.join("model.safetensors")).unwrap() == whole);
}
