//! A recorded episode is played again to the bit; one that was changed is caught, and the step is named.

use std::path::Path;
use std::sync::Arc;

use parallax::episode::{CollectOptions, Store, collect};
use parallax::model::Cancel;
use parallax::worker::{Replay, Replayer};

use crate::support::scene;

fn recorded(dir: &Path, name: &str, episodes: u64) {
    let options = CollectOptions {
        out: dir.into(),
        episodes,
        seed: 40,
        progress: false,
    };
    collect(&scene(name), &options).unwrap();
}

fn replay(file: &Path, episode: u64) -> Result<parallax::worker::Replayed, String> {
    let file = file.to_path_buf();
    Replayer::default().replay(&Replay { file, episode }, &Cancel::new())
}

#[test]
fn a_recording_replays_bit_for_bit_from_folder_or_file() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), "push", 3);
    let replayed = replay(&dir.path().join("shard-00000.plx"), 1).unwrap();
    assert_eq!((replayed.seed, replayed.episodes), (41, 3));
    assert_eq!(replayed.difference, None);
    assert_eq!(replayed.moments.len(), 60);
    assert_eq!(replayed.moments[0].action.len(), 0);
    assert_eq!(replayed.moments[1].action.len(), 2);
    assert_eq!(replay(dir.path(), 2).unwrap().difference, None);
    let error = replay(dir.path(), 3).unwrap_err();
    assert!(
        error.contains("no episode 3") && error.contains("holds 3"),
        "{error}"
    );
    let error = replay(&dir.path().join("index.json"), 0).unwrap_err();
    assert!(error.contains("shard-NNNNN.plx"), "{error}");
}

#[test]
fn a_changed_recording_is_caught_at_its_step() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), "collide", 2);
    let store = Store::open(dir.path()).unwrap();
    let whole = store.read(0).unwrap();
    let mut changed = whole.clone();
    changed[0].states[2 * 7 + 1].position[0] += 1e-6;
    store.write(0, &changed).unwrap();
    let difference = replay(dir.path(), 0).unwrap().difference.unwrap();
    assert_eq!(difference.step, 7);
    assert!(
        difference.what.starts_with("right, x: recorded"),
        "{difference}"
    );
    assert_eq!(replay(dir.path(), 1).unwrap().difference, None);
    let mut changed = whole.clone();
    changed[1].frames[9 * 64 * 64 * 3 + 5] ^= 1;
    store.write(0, &changed).unwrap();
    let difference = replay(dir.path(), 1).unwrap().difference.unwrap();
    assert_eq!(difference.step, 9);
    assert!(difference.what.contains("1 pixels differ"), "{difference}");
    // Another gravity is another course.
    let mut other = (*scene("collide")).clone();
    other.gravity = -3.0;
    let mut index = store.index.clone();
    index.scene = other;
    std::fs::write(
        dir.path().join("index.json"),
        serde_json::to_string(&index).unwrap(),
    )
    .unwrap();
    store.write(0, &whole).unwrap();
    let replayed = replay(dir.path(), 0).unwrap();
    assert!(replayed.difference.is_some());
    assert_eq!(Arc::strong_count(&replayed.scene), 1);
}

#[test]
fn the_command_says_whether_a_replay_is_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    recorded(dir.path(), "fall", 2);
    let check = |extra: &[&str]| {
        assert_cmd::Command::new(env!("CARGO_BIN_EXE_parallax"))
            .args(["replay", "--check"])
            .arg(dir.path().join("shard-00000.plx"))
            .args(extra)
            .assert()
    };
    check(&[])
        .success()
        .stdout(predicates::str::contains("2 of 2 episodes bit-identical"));
    check(&["--episode", "1"])
        .success()
        .stdout(predicates::str::contains("seed 41"));
    check(&["--episode", "9"])
        .code(1)
        .stderr(predicates::str::contains("no episode 9"));
    let store = Store::open(dir.path()).unwrap();
    let mut episodes = store.read(0).unwrap();
    episodes[1].states[3 * 4].velocity[1] += 0.5;
    store.write(0, &episodes).unwrap();
    check(&[]).code(1).stdout(predicates::str::contains(
        "differs from step 4 on: ball, velocity y",
    ));
}
