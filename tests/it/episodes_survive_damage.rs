//! Experience is read as it was written or not at all: a damaged shard is named, resuming makes it anew,
//! held-out seeds are refused.

use std::path::Path;
use std::sync::Arc;

use parallax::episode::{
    CollectOptions, CollectReport, Dataset, Episode, EpisodeError, Index, Store, collect,
};
use parallax::scene::Scene;
use parallax::sim::{BodyState, CALIBRATION_SEED, HELD_OUT_SEED};
use proptest::prelude::*;

use crate::support::scene;

const SIZE: usize = 4;

fn store(dir: &Path, scene: &Scene, seed: u64, episodes: u64) -> Store {
    Store::create(
        dir,
        Index {
            format: 1,
            scene: scene.clone(),
            size: SIZE,
            seed,
            episodes,
        },
    )
    .unwrap()
}

/// An episode full of numbers drawn from `salt`.
fn episode(seed: u64, frames: usize, dim: usize, bodies: usize, salt: u32) -> Episode {
    // What actions may be, and bodies as well.
    let number = |i: usize| libm::sinf((i as f32 + 0.25) * (salt % 1000) as f32 - 17.5);
    let three = |i: usize| [number(i), number(i + 1), number(i + 2)];
    Episode {
        seed,
        frames: (0..frames * SIZE * SIZE * 3)
            .map(|i| (i as u32).wrapping_mul(salt | 1) as u8)
            .collect(),
        ids: (0..frames * SIZE * SIZE)
            .map(|i| (i as u32 ^ salt) as u8 % 3)
            .collect(),
        actions: (0..frames * dim).map(number).collect(),
        states: (0..frames * bodies)
            .map(|i| BodyState {
                position: three(i),
                rotation: [0.0, 0.6, 0.0, 0.8],
                velocity: three(i + 1),
                spin: three(i + 2),
            })
            .collect(),
        contact_frames: salt % (frames as u32 + 1),
        edits: Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_written_is_read(
        lengths in prop::collection::vec(0usize..9, 1..6),
        salt: u32,
        seed in 0u64..2_000_000,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let push = scene("push");
        let store = store(dir.path(), &push, seed, lengths.len() as u64);
        let episodes: Vec<Episode> =
            lengths.iter().zip(seed..)
            .map(|(&n, seed)| episode(seed, n, 2, push.bodies.len(), salt ^ n as u32))
            .collect();
        store.write(0, &episodes).unwrap();
        prop_assert_eq!(store.read(0).unwrap(), episodes);
    }
}

/// A folder with one sound shard of three episodes.
fn folder(dir: &Path) -> (Store, Vec<Episode>, Vec<u8>) {
    let push = scene("push");
    let store = store(dir, &push, 40, 3);
    let episodes: Vec<Episode> = (40..43)
        .map(|seed| episode(seed, 5, 2, push.bodies.len(), seed as u32 * 977))
        .collect();
    store.write(0, &episodes).unwrap();
    let bytes = std::fs::read(store.shard_path(0)).unwrap();
    (store, episodes, bytes)
}

#[test]
fn a_truncated_shard_is_named_wherever_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _, bytes) = folder(dir.path());
    for cut in 0..bytes.len() {
        std::fs::write(store.shard_path(0), &bytes[..cut]).unwrap();
        let error = store
            .read(0)
            .err()
            .unwrap_or_else(|| panic!("{cut} of {} bytes were read as a shard", bytes.len()));
        assert!(
            matches!(error, EpisodeError::Damaged { .. }),
            "cut at {cut}: {error}"
        );
        assert!(error.to_string().contains("shard-00000.plx"), "{error}");
    }
}

#[test]
fn a_flipped_bit_is_found_or_changes_no_datum() {
    let dir = tempfile::tempdir().unwrap();
    let (store, episodes, bytes) = folder(dir.path());
    let (mut found, mut harmless) = (0, 0);
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        std::fs::write(store.shard_path(0), &bad).unwrap();
        match store.read(0) {
            Err(error) => {
                found += 1;
                assert!(
                    error.to_string().contains("shard-00000.plx"),
                    "bit {bit}: {error}"
                );
            }
            Ok(mut read) => {
                harmless += 1;
                // The header's count of contacts is a statistic that nothing learns from.
                for (r, e) in read.iter_mut().zip(&episodes) {
                    r.contact_frames = e.contact_frames;
                }
                assert_eq!(read, episodes, "bit {bit} changed what was read");
            }
        }
    }
    assert!(found > 20 * harmless, "{found} found, {harmless} harmless");
}

#[test]
fn a_shard_full_of_lies_is_refused_without_being_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (store, _, bytes) = folder(dir.path());
    let length = u32::from_le_bytes(bytes[8..12].try_into().unwrap()) as usize;
    let header = String::from_utf8(bytes[12..12 + length].to_vec()).unwrap();
    for (from, to) in [
        ("\"frames\":5", "\"frames\":500"),
        ("\"frames\":5", "\"frames\":18446744073709551610"),
        ("\"size\":4", "\"size\":4294967296"),
        ("\"bodies\":2", "\"bodies\":1000000000000"),
        ("\"seed\":40", "\"seed\":1000040"),
        ("\"action_dim\":2", "\"action_dim\":0"),
    ] {
        assert!(header.contains(from), "{header}");
        let lie = header.replacen(from, to, 1);
        let mut bad = bytes[..8].to_vec();
        bad.extend((lie.len() as u32).to_le_bytes());
        bad.extend(lie.as_bytes());
        bad.extend(&bytes[12 + length..]);
        std::fs::write(store.shard_path(0), &bad).unwrap();
        let error = store.read(0).expect_err(to).to_string();
        assert!(error.contains("shard-00000.plx"), "{error}");
    }
}

#[test]
fn a_wrong_index_is_named() {
    let dir = tempfile::tempdir().unwrap();
    folder(dir.path());
    let path = dir.path().join("index.json");
    let sound = std::fs::read_to_string(&path).unwrap();
    for (bad, words) in [
        (
            sound.replace("\"format\": 1", "\"format\": 9"),
            ["format", "9"],
        ),
        (
            sound.replace("\"seed\": 40", "\"sead\": 40"),
            ["sead", "seed"],
        ),
        (sound[..sound.len() / 2].to_string(), ["index.json", "line"]),
        (String::new(), ["index.json", "line"]),
    ] {
        std::fs::write(&path, bad).unwrap();
        let error = Store::open(dir.path())
            .err()
            .expect("a wrong index was opened")
            .to_string();
        assert!(
            error.contains("index.json") && words.iter().all(|w| error.contains(w)),
            "{error}"
        );
    }
    std::fs::remove_file(&path).unwrap();
    let error = Dataset::load(&[dir.path().to_path_buf()], 2, None)
        .unwrap_err()
        .to_string();
    assert!(error.contains("index.json"), "{error}");
}

/// `push` with short episodes, which is all the same to the store.
fn short_push() -> Arc<Scene> {
    let mut push = (*scene("push")).clone();
    push.episode_steps = 3;
    push.task = None;
    Arc::new(push)
}

fn fill(
    dir: &Path,
    scene: &Arc<Scene>,
    seed: u64,
    episodes: u64,
) -> Result<CollectReport, EpisodeError> {
    collect(
        scene,
        &CollectOptions {
            out: dir.into(),
            episodes,
            seed,
            progress: false,
        },
    )
}

fn shards(dir: &Path) -> Vec<Vec<u8>> {
    (0..3)
        .map(|i| std::fs::read(dir.join(format!("shard-{i:05}.plx"))).unwrap())
        .collect()
}

#[test]
fn resuming_keeps_sound_shards_and_makes_damaged_ones_anew() {
    let (dir, push) = (tempfile::tempdir().unwrap(), short_push());
    let report = fill(dir.path(), &push, 0, 150).unwrap();
    assert_eq!(
        (report.episodes, report.resumed, report.frames),
        (150, 0, 450)
    );
    let whole = shards(dir.path());
    // As an interruption and a bad disk leave it.
    std::fs::remove_file(dir.path().join("shard-00002.plx")).unwrap();
    let mut bad = whole[1].clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 0x10;
    std::fs::write(dir.path().join("shard-00001.plx"), bad).unwrap();
    let error = Dataset::load(&[dir.path().to_path_buf()], 2, None)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("shard-00001.plx") && error.contains("parallax collect"),
        "{error}"
    );

    let report = fill(dir.path(), &push, 0, 150).unwrap();
    assert_eq!((report.resumed, report.frames), (64, 86 * 3));
    assert!(whole == shards(dir.path()), "the shards made anew differ");
    assert_eq!(
        Dataset::load(&[dir.path().to_path_buf()], 2, None)
            .unwrap()
            .len(),
        450
    );

    let error = fill(dir.path(), &push, 7, 150).unwrap_err().to_string();
    assert!(
        error.contains("index.json") && error.contains("seed 7"),
        "{error}"
    );
    let error = fill(dir.path(), &scene("push"), 0, 150)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("index.json") && error.contains("scene"),
        "{error}"
    );
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let push = short_push();
    let on = |threads: usize| {
        let dir = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| fill(dir.path(), &push, 0, 150)).unwrap();
        shards(dir.path())
    };
    assert!(on(1) == on(3));
}

#[test]
fn held_out_seeds_are_never_trained_on() {
    let (dir, push) = (tempfile::tempdir().unwrap(), short_push());
    fill(dir.path(), &push, CALIBRATION_SEED - 2, 4).unwrap();
    let error = Dataset::load(&[dir.path().to_path_buf()], 2, None).unwrap_err();
    assert!(
        matches!(
            error,
            EpisodeError::HeldOut {
                seed: CALIBRATION_SEED,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("shard-00000.plx"), "{error}");
}

#[test]
fn damaged_shards_are_left_out_only_when_asked() {
    let (dir, push) = (tempfile::tempdir().unwrap(), short_push());
    fill(dir.path(), &push, 0, 192).unwrap();
    let file = |i: u64| dir.path().join(format!("shard-{i:05}.plx"));
    let whole = std::fs::read(file(0)).unwrap();
    std::fs::write(file(0), &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_file(file(2)).unwrap();
    let dirs = [dir.path().to_path_buf()];
    assert!(Dataset::load(&dirs, 2, None).is_err());
    let (data, skipped) = Dataset::load_sound(&dirs, 2, None).unwrap();
    assert_eq!(data.episodes.len(), 64);
    assert!(data.episodes.iter().all(|e| (64..128).contains(&e.seed)));
    let said: Vec<String> = skipped.iter().map(ToString::to_string).collect();
    assert!(
        said.len() == 2 && said[0].contains("shard-00000") && said[1].contains("shard-00002"),
        "{said:?}"
    );
}

#[test]
fn training_reads_a_range_of_seeds_exactly_if_it_ends_below_those_kept_for_something_else() {
    let push = short_push();
    for (first, count) in [
        (0, 3),
        (CALIBRATION_SEED - 70, 70),
        (CALIBRATION_SEED - 70, 71),
        (CALIBRATION_SEED - 1, 1),
        (CALIBRATION_SEED - 1, 2),
        (CALIBRATION_SEED, 1),
        (CALIBRATION_SEED + 500, 3),
        (HELD_OUT_SEED - 1, 2),
        (u64::MAX - 200, 2),
    ] {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), &push, first, count).unwrap();
        let dirs = [dir.path().to_path_buf()];
        let clean = first < CALIBRATION_SEED && count <= CALIBRATION_SEED - first;
        for read in [
            Dataset::load(&dirs, 2, None),
            Dataset::load_sound(&dirs, 2, None).map(|(data, _)| data),
        ] {
            match read {
                Ok(data) => {
                    assert!(clean, "seeds {first} and {count} on were read");
                    assert_eq!(data.episodes.len() as u64, count);
                }
                Err(EpisodeError::HeldOut { seed, .. }) => {
                    assert!(!clean && seed >= CALIBRATION_SEED);
                }
                Err(error) => panic!("{error}"),
            }
        }
        // However few are asked for, none of those read is kept for something else.
        for limit in [1, 2, 71] {
            if let Ok(data) = Dataset::load(&dirs, 2, Some(limit)) {
                assert!(data.episodes.iter().all(|e| e.seed < CALIBRATION_SEED));
            }
        }
    }
}

#[test]
fn a_folder_cannot_pass_held_out_seeds_off_as_others() {
    let (dir, push) = (tempfile::tempdir().unwrap(), short_push());
    fill(dir.path(), &push, HELD_OUT_SEED, 3).unwrap();
    let index = dir.path().join("index.json");
    let text = std::fs::read_to_string(&index).unwrap();
    let lie = text.replace(&format!("\"seed\": {HELD_OUT_SEED}"), "\"seed\": 0");
    assert_ne!(lie, text);
    std::fs::write(&index, lie).unwrap();
    let dirs = [dir.path().to_path_buf()];
    let error = Dataset::load(&dirs, 2, None).unwrap_err().to_string();
    assert!(error.contains(&HELD_OUT_SEED.to_string()), "{error}");
    let (data, skipped) = Dataset::load_sound(&dirs, 2, None).unwrap();
    assert!(data.is_empty() && skipped.len() == 1);
}

#[test]
fn edits_are_kept_with_the_episode() {
    let mut push = (*short_push()).clone();
    push.edits = vec![ron::from_str("(step: 1, body: \"cube\", what: Vanish)").unwrap()];
    let (dir, push) = (tempfile::tempdir().unwrap(), Arc::new(push));
    fill(dir.path(), &push, 0, 2).unwrap();
    let episodes = Store::open(dir.path()).unwrap().read_whole(0).unwrap();
    assert!(episodes.iter().all(|e| e.edits == push.edits));
    assert!(episodes[0].ids[..64 * 64].contains(&2));
    assert!(
        !episodes[0].ids[2 * 64 * 64..].contains(&2),
        "the cube is gone"
    );
}

#[test]
fn an_episodes_eye_can_be_made_again() {
    let mut push = (*short_push()).clone();
    (push.camera.size, push.camera.samples, push.camera.jitter_m) = (96, 1, 0.05);
    let (dir, push) = (tempfile::tempdir().unwrap(), Arc::new(push));
    fill(dir.path(), &push, 3, 2).unwrap();
    let store = Store::open(dir.path()).unwrap();
    let scene = Arc::new(store.index.scene.clone());
    for episode in store.read_whole(0).unwrap() {
        let eye = parallax::camera::Eye::standard(&scene)
            .unwrap()
            .for_seed(episode.seed);
        let view = eye.look(&parallax::sim::Reality::new(&scene, episode.seed).unwrap());
        assert!(view.rgb == episode.frames[..96 * 96 * 3]);
    }
}
