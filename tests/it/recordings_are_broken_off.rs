//! What a recording leaves that was broken off, or that two began at once, is of use: missing is not damaged,
//! and what is there is sound.

use std::path::Path;
use std::sync::Arc;

use assert_cmd::Command;
use parallax::episode::{
    CollectOptions, Dataset, Episode, EpisodeError, Index, Store, collect, collect_until,
};
use parallax::scene::Scene;
use parallax::system::{FolderLock, LockError, Stop};
use predicates::prelude::*;
use predicates::str::contains;

use crate::support::scene;

fn parallax(args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command
        .args(args)
        .env_remove("PARALLAX_HOME")
        .env_remove("RUST_LOG");
    command
}

/// `push` with short episodes, which is all the same to the store.
fn short_push() -> Arc<Scene> {
    let mut push = (*scene("push")).clone();
    push.episode_steps = 3;
    push.task = None;
    Arc::new(push)
}

fn options(dir: &Path, seed: u64, episodes: u64) -> CollectOptions {
    CollectOptions {
        out: dir.into(),
        episodes,
        seed,
        progress: false,
    }
}

fn shard(dir: &Path, i: u64) -> std::path::PathBuf {
    dir.join(format!("shard-{i:05}.plx"))
}

/// A folder whose index promises far more than there is: shards 0 and 2 of a great many.
fn broken_off(dir: &Path, promised: u64) {
    collect(&short_push(), &options(dir, 0, 192)).unwrap();
    std::fs::remove_file(shard(dir, 1)).unwrap();
    let index = dir.join("index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    let more = text.replace("\"episodes\": 192", &format!("\"episodes\": {promised}"));
    assert_ne!(more, text);
    std::fs::write(&index, more).unwrap();
}

#[test]
fn a_stopped_recording_holds_whole_shards_from_the_first_on_and_goes_on_from_there() {
    let (dir, push) = (tempfile::tempdir().unwrap(), short_push());
    let stop = Stop::new();
    stop.raise();
    let report = collect_until(&push, &options(dir.path(), 0, 640), &stop).unwrap();
    assert!(report.stopped && report.survey.episodes == 0);
    collect(&push, &options(dir.path(), 0, 128)).unwrap();
    let report = collect(&push, &options(dir.path(), 0, 200)).unwrap();
    assert_eq!((report.episodes, report.resumed), (200, 128));
    assert!(!report.stopped);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.present().unwrap(), [0, 1, 2, 3]);
}

#[test]
fn missing_shards_are_no_damage_and_take_one_line() {
    let dir = tempfile::tempdir().unwrap();
    // So many that a line a shard, or a look at each, would take for ever.
    broken_off(dir.path(), 9_000_000);
    parallax(&["episodes", dir.path().to_str().unwrap()])
        .assert()
        .success()
        .stdout(
            contains("shard-00000.plx: ok")
                .and(contains(
                    "64 of 9000000 episodes were never recorded (shard-00001.plx)",
                ))
                .and(contains("(shard-00003.plx to shard-"))
                .and(predicate::function(|out: &str| out.lines().count() < 9)),
        )
        .stderr(contains("damaged").not());
}

#[test]
fn asking_for_fewer_takes_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    broken_off(dir.path(), 9_000_000);
    let report = collect(&short_push(), &options(dir.path(), 0, 64)).unwrap();
    assert_eq!(
        (report.episodes, report.resumed, report.frames),
        (64, 64, 0)
    );
    // The index promises no more than the last shard that is there.
    assert_eq!(Store::open(dir.path()).unwrap().index.episodes, 192);
    let report = collect(&short_push(), &options(dir.path(), 0, 192)).unwrap();
    assert_eq!((report.resumed, report.frames), (128, 64 * 3));
}

#[test]
fn training_takes_the_sound_episodes_and_says_how_many_are_missing() {
    let dir = tempfile::tempdir().unwrap();
    broken_off(dir.path(), 2560);
    let data = Dataset::load(&[dir.path().into()], 2, None).unwrap();
    assert_eq!(data.episodes.len(), 128);
    let missing: u64 = data.missing.iter().map(|m| m.episodes).sum();
    assert_eq!(missing, 2560 - 128);
    // Whoever wants no more than there is misses nothing.
    let few = Dataset::load(&[dir.path().into()], 2, Some(100)).unwrap();
    assert!(few.missing.is_empty() && few.episodes.len() == 100);
    // Nothing at all is an error.
    std::fs::remove_file(shard(dir.path(), 0)).unwrap();
    std::fs::remove_file(shard(dir.path(), 2)).unwrap();
    let error = Dataset::load(&[dir.path().into()], 2, None).unwrap_err();
    assert!(error.to_string().contains("2560 of 2560"), "{error}");
}

#[test]
fn a_shard_that_was_to_be_extended_is_incomplete_and_not_damaged() {
    let dir = tempfile::tempdir().unwrap();
    collect(&short_push(), &options(dir.path(), 0, 70)).unwrap();
    let index = dir.path().join("index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    std::fs::write(
        &index,
        text.replace("\"episodes\": 70", "\"episodes\": 128"),
    )
    .unwrap();
    parallax(&["episodes", dir.path().to_str().unwrap()])
        .assert()
        .success()
        .stdout(contains("shard-00001.plx: holds 6 of 64 episodes"));
    collect(&short_push(), &options(dir.path(), 0, 128)).unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.read_whole(1).unwrap().len(), 64);
}

#[test]
fn two_recordings_do_not_fill_one_folder_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let held = FolderLock::take(dir.path()).unwrap();
    let error = collect(&short_push(), &options(dir.path(), 0, 3)).unwrap_err();
    assert!(
        matches!(error, EpisodeError::Lock(LockError::Busy { .. })),
        "{error}"
    );
    let own = std::process::id().to_string();
    assert!(error.to_string().contains(&own), "who is at work: {error}");
    assert!(!dir.path().join("index.json").exists());
    drop(held);
    collect(&short_push(), &options(dir.path(), 0, 3)).unwrap();
    assert!(!dir.path().join(".lock").exists());
}

#[test]
fn leftovers_of_writers_that_died_are_removed_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let left = [
        ".shard-00000.plx.99999-0.part",
        "shard-00005.part",
        ".index.json.99999-3.part",
    ];
    for name in left {
        std::fs::write(dir.path().join(name), b"half").unwrap();
    }
    std::fs::write(dir.path().join("notes.txt"), b"mine").unwrap();
    collect(&short_push(), &options(dir.path(), 0, 3)).unwrap();
    let mut names: Vec<String> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["index.json", "notes.txt", "sheet.png", "shard-00000.plx"]
            .map(String::from)
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}

/// One shard of three episodes of `push`, changed by `spoil`, whatever the numbers are then.
fn spoilt(dir: &Path, spoil: impl Fn(&mut [Episode])) -> Store {
    let push = short_push();
    collect(&push, &options(dir, 40, 3)).unwrap();
    let store = Store::open(dir).unwrap();
    let mut episodes = store.read(0).unwrap();
    spoil(&mut episodes);
    store.write(0, &episodes).unwrap();
    store
}

#[test]
fn numbers_that_cannot_be_are_named_by_episode_step_and_field() {
    type Spoil = fn(&mut Episode);
    let cases: [(Spoil, &[&str]); 9] = [
        (
            |e| e.actions[2] = f32::NAN,
            &["step 1", "action[0]", "NaN", "-1 to 1"],
        ),
        (|e| e.actions[3] = 1.5, &["step 1", "action[1]", "1.5"]),
        (
            |e| e.states[1].position[2] = f32::INFINITY,
            &["step 0", "cube.position", "inf"],
        ),
        (
            |e| e.states[2].position[0] = -1e30,
            &["step 1", "hand.position"],
        ),
        (
            |e| e.states[3].velocity[1] = f32::NAN,
            &["step 1", "cube.velocity", "NaN"],
        ),
        (
            |e| e.states[5].spin[0] = f32::NEG_INFINITY,
            &["step 2", "cube.spin"],
        ),
        (
            |e| e.states[4].rotation = [0.0; 4],
            &["step 2", "hand.rotation", "length 0"],
        ),
        (
            |e| e.states[0].rotation[3] = f32::NAN,
            &["step 0", "hand.rotation"],
        ),
        (|e| e.ids[64 * 64 + 7] = 3, &["step 1", "ids[7]", "0 to 2"]),
    ];
    for (spoil, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let store = spoilt(dir.path(), |episodes| spoil(&mut episodes[1]));
        let error = store.read(0).unwrap_err();
        assert!(matches!(error, EpisodeError::Damaged { .. }), "{error}");
        let error = error.to_string();
        let all = ["shard-00000.plx", "episode of seed 41"]
            .iter()
            .chain(words);
        all.for_each(|w| assert!(error.contains(w), "{w}: {error}"));
        assert!(Dataset::load(&[dir.path().into()], 2, None).is_err());
        // The recording makes it anew.
        collect(&short_push(), &options(dir.path(), 40, 3)).unwrap();
        assert!(Dataset::load(&[dir.path().into()], 2, None).is_ok());
    }
}

#[test]
fn an_episode_in_two_folders_is_refused_for_it_could_be_learned_from_and_validated_on() {
    let push = short_push();
    let dirs: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    for (dir, seed) in dirs.iter().zip([0, 5, 8]) {
        collect(&push, &options(dir.path(), seed, 8)).unwrap();
    }
    let load = |of: &[usize]| {
        let dirs: Vec<_> = of.iter().map(|i| dirs[*i].path().to_path_buf()).collect();
        Dataset::load(&dirs, 2, None)
    };
    assert_eq!(load(&[0, 2]).unwrap().episodes.len(), 16);
    for of in [[0, 1], [0, 0]] {
        let error = load(&of).unwrap_err();
        assert!(matches!(error, EpisodeError::Twice { .. }), "{error}");
        let seed = if of[1] == 0 { "seed 0" } else { "seed 5" };
        assert!(error.to_string().contains(seed), "{error}");
    }
    // The same seeds of another scene are other episodes.
    let other = tempfile::tempdir().unwrap();
    let mut heavy = (*push).clone();
    heavy.gravity = -5.0;
    collect(&Arc::new(heavy), &options(other.path(), 0, 8)).unwrap();
    let both = [dirs[0].path().to_path_buf(), other.path().to_path_buf()];
    assert_eq!(Dataset::load(&both, 2, None).unwrap().episodes.len(), 16);
}

#[test]
fn another_scene_in_the_folder_is_refused_by_the_field_that_differs() {
    let dir = tempfile::tempdir().unwrap();
    collect(&short_push(), &options(dir.path(), 0, 3)).unwrap();
    let mut other = (*short_push()).clone();
    other.bodies[1].mass = 0.75;
    let error = collect(&Arc::new(other), &options(dir.path(), 0, 3)).unwrap_err();
    let error = error.to_string();
    let words = ["index.json", "scene.bodies[1].mass", "0.75"];
    words
        .iter()
        .for_each(|w| assert!(error.contains(w), "{w}: {error}"));
}

#[test]
fn seeds_for_the_judge_for_tuning_and_for_evaluation_are_not_trained_on() {
    for (seed, word) in [
        (499_999, None),
        (500_000, Some("calibrating the judge")),
        (899_999, Some("calibrating the judge")),
        (900_000, Some("for tuning")),
        (999_999, Some("for tuning")),
        (1_000_000, Some("held out")),
    ] {
        let dir = tempfile::tempdir().unwrap();
        collect(&short_push(), &options(dir.path(), seed, 1)).unwrap();
        let load = Dataset::load(&[dir.path().into()], 2, None);
        match (word, load) {
            (None, Ok(data)) => assert_eq!(data.episodes.len(), 1),
            (Some(word), Err(error)) => {
                let error = error.to_string();
                let words = [word, &seed.to_string(), "below 500000"];
                words
                    .iter()
                    .for_each(|w| assert!(error.contains(w), "{w}: {error}"));
            }
            (_, found) => panic!("seed {seed}: {found:?}"),
        }
        let used = parallax(&["episodes", dir.path().to_str().unwrap()])
            .assert()
            .success();
        if seed != 499_999 {
            used.stdout(contains("training refuses them"));
        }
    }
}

#[test]
fn seeds_that_would_run_out_are_wrong_use() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let near_the_end = "18446744073709551613";
    for args in [
        &[
            "collect",
            "--scene",
            "reach",
            "--episodes",
            "5",
            "--out",
            out,
        ][..],
        &[
            "eval",
            "control",
            "--scene",
            "reach",
            "--model",
            "random",
            "--no-references",
        ],
        &["judge", "validate", "--scene", "fall"],
        &["record", "--scene", "reach", "--out", "x.gif"],
    ] {
        parallax(&[args, &["--seed", near_the_end]].concat())
            .assert()
            .code(2)
            .stderr(contains("--seed").and(contains(near_the_end)));
    }
    assert!(!Path::new(out).exists());
    // In the library, and in a file that says so.
    let error = collect(&short_push(), &options(dir.path(), u64::MAX - 2, 5)).unwrap_err();
    assert!(error.to_string().contains("seed"), "{error}");
    let index = Index {
        format: 1,
        scene: (*short_push()).clone(),
        size: 64,
        seed: u64::MAX - 2,
        episodes: 5,
    };
    let text = serde_json::to_string(&index).unwrap();
    std::fs::write(dir.path().join("index.json"), text).unwrap();
    assert!(Store::open(dir.path()).is_err());
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_named_once_and_nothing_stays_of_what_did_not_fit() {
    use std::os::unix::process::CommandExt as _;
    // A limit on the size of files stands for the disk.
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let mut command = std::process::Command::new("sh");
    command
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"")
        .arg(env!("CARGO_BIN_EXE_parallax"))
        .args(["collect", "--scene", "push", "--episodes", "128", "--out"])
        .arg(&out)
        .env_remove("RUST_LOG")
        .process_group(0);
    let done = command.output().unwrap();
    let error = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{error}");
    assert_eq!(
        error.matches("os error").count(),
        1,
        "the cause once: {error}"
    );
    assert!(error.contains("shard-0000"), "{error}");
    let left: Vec<_> = std::fs::read_dir(&out)
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["index.json"], "what did not fit is gone");
}
