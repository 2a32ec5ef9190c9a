//! The same scene, seed and actions give the same bits: states and frames, forks and restored snapshots,
//! here and elsewhere.

use std::sync::Arc;

use parallax::camera::Eye;
use parallax::scene::Scene;
use parallax::sim::{HELD_OUT_SEED, Reality, SimError, Snapshot};
use sha2::{Digest as _, Sha256};

use crate::support::{SCENES, actions, scene, state_bits, view_bits};

const SEED: u64 = HELD_OUT_SEED + 7;
const STEPS: usize = 30;

/// SHA-256 over states and frames of 30 steps. They change with a scene, rapier or the eye, and with
/// nothing else: a difference on another machine means that reality is no longer the same everywhere.
const GOLDEN: [(&str, &str); 4] = [
    (
        "collide",
        "82eef68a44ba513283dbea4324cf35e0e7009eee986a3ca58487d7bf4fcd71dd",
    ),
    (
        "fall",
        "dcfb1f8fed0565a9c841cda7d7a215e8dc55cca64d18a160dfea39218cb599e3",
    ),
    (
        "push",
        "c5cf79957d0f7a5c7a6c407dec08cb7825139761bcdd8ad7522635a96f936a71",
    ),
    (
        "reach",
        "d82dcf6c5b9c1c1ec9ffeca98e983bcf5065feac721bbb5727d85be89b485477",
    ),
];

/// Bits of every moment from now on, this one included.
fn go_on(reality: &mut Reality, eye: &Eye, actions: &[Vec<f32>]) -> Vec<Vec<u8>> {
    let moment = |r: &Reality| [state_bits(&r.measure()), view_bits(&eye.look(r))].concat();
    let mut moments = vec![moment(reality)];
    for action in actions {
        reality.act(action);
        reality.step();
        moments.push(moment(reality));
    }
    moments
}

fn setting(name: &str) -> (Arc<Scene>, Eye, Vec<Vec<f32>>) {
    let scene = scene(name);
    let eye = Eye::standard(&scene).unwrap();
    let actions = actions(&scene, SEED, STEPS);
    (scene, eye, actions)
}

#[test]
fn the_same_seed_and_actions_give_the_same_bits() {
    for name in SCENES {
        let (scene, eye, actions) = setting(name);
        let run = || go_on(&mut Reality::new(&scene, SEED).unwrap(), &eye, &actions);
        let first = run();
        assert!(first == run(), "{name}: a replay differs");
        assert!(first[0] != first[STEPS], "{name}: nothing happened");
    }
}

#[test]
fn another_seed_gives_another_start() {
    for name in SCENES {
        let scene = scene(name);
        let start = |seed| state_bits(&Reality::new(&scene, seed).unwrap().measure());
        assert_ne!(start(SEED), start(SEED + 1), "{name}");
    }
}

#[test]
fn a_fork_and_the_original_stay_bit_equal_and_apart() {
    for name in SCENES {
        let (scene, eye, actions) = setting(name);
        let mut original = Reality::new(&scene, SEED).unwrap();
        go_on(&mut original, &eye, &actions[..12]);
        let mut fork = original.fork();
        let before = state_bits(&original.measure());
        let ahead = go_on(&mut fork, &eye, &actions[12..]);
        assert_eq!(
            before,
            state_bits(&original.measure()),
            "{name}: the fork moved the original"
        );
        assert!(
            ahead == go_on(&mut original, &eye, &actions[12..]),
            "{name}: the fork went elsewhere"
        );
    }
}

#[test]
fn a_restored_snapshot_goes_on_with_the_same_bits() {
    for name in SCENES {
        let (scene, eye, actions) = setting(name);
        let mut original = Reality::new(&scene, SEED).unwrap();
        go_on(&mut original, &eye, &actions[..12]);
        let config = bincode::config::standard();
        let file = bincode::serde::encode_to_vec(original.snapshot().unwrap(), config).unwrap();
        let ahead = go_on(&mut original, &eye, &actions[12..]);
        let (snapshot, _): (Snapshot, usize) =
            bincode::serde::decode_from_slice(&file, config).unwrap();
        // Into a world of another seed that has gone elsewhere.
        let mut other = Reality::new(&scene, SEED + 1).unwrap();
        go_on(&mut other, &eye, &actions[..5]);
        other.restore(&snapshot).unwrap();
        assert_eq!((other.steps(), other.seed()), (12, SEED), "{name}");
        assert!(
            ahead == go_on(&mut other, &eye, &actions[12..]),
            "{name}: the restored world went elsewhere"
        );
    }
}

#[test]
fn a_snapshot_of_another_scene_or_a_damaged_one_changes_nothing() {
    let mut push = Reality::new(&scene("push"), SEED).unwrap();
    let before = state_bits(&push.measure());
    let foreign = Reality::new(&scene("fall"), SEED)
        .unwrap()
        .snapshot()
        .unwrap();
    let error = push.restore(&foreign).unwrap_err();
    assert!(
        matches!(error, SimError::Snapshot { .. }) && error.to_string().contains("fall"),
        "{error}"
    );

    let mut json: serde_json::Value = serde_json::to_value(push.snapshot().unwrap()).unwrap();
    let world = json["world"].as_array_mut().expect("rapier's bytes");
    world.truncate(world.len() / 2);
    let damaged: Snapshot = serde_json::from_value(json).unwrap();
    let error = push.restore(&damaged).unwrap_err();
    assert!(error.to_string().contains("push"), "{error}");
    assert_eq!(before, state_bits(&push.measure()));
}

#[test]
fn states_and_frames_equal_those_of_other_machines() {
    let found: Vec<(&str, String)> = GOLDEN
        .iter()
        .map(|&(name, _)| {
            let (scene, eye, actions) = setting(name);
            let mut sha = Sha256::new();
            for moment in go_on(&mut Reality::new(&scene, SEED).unwrap(), &eye, &actions) {
                sha.update(moment);
            }
            (
                name,
                sha.finalize().iter().map(|b| format!("{b:02x}")).collect(),
            )
        })
        .collect();
    let expected: Vec<(&str, String)> = GOLDEN.iter().map(|&(n, h)| (n, h.to_string())).collect();
    assert_eq!(
        found, expected,
        "if a scene, rapier or the eye was changed on purpose, take over the hashes found"
    );
}
