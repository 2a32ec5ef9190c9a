//! Scenes are shared between people, so a bad one is refused with its file, line, field and what was
//! expected, and nothing that is accepted is unbounded.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parallax::scene::{self, Scene, SceneError};
use parallax::sim::Reality;

use crate::support::SCENES;
use crate::vandal::{self, Vandal};

fn text(name: &str) -> String {
    std::fs::read_to_string(scene::library_dir().join(format!("{name}.ron"))).unwrap()
}

fn parse(text: &str) -> Result<Scene, SceneError> {
    Scene::parse(text, Path::new("shared/bad.ron"))
}

#[test]
fn every_shipped_scene_is_sound() {
    let names = scene::list(&scene::library_dir());
    assert!(
        SCENES.iter().all(|s| names.iter().any(|n| n == s)),
        "{names:?}"
    );
    for name in names {
        let scene = scene::load(&name).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(scene.name, name, "a scene is named like its file");
        assert!(!scene.summary.is_empty(), "{name}");
        Reality::new(&Arc::new(scene), 1_000_000).unwrap_or_else(|e| panic!("{e}"));
    }
}

#[test]
fn a_scene_survives_writing_and_reading() {
    for name in SCENES {
        let scene = scene::load(name).unwrap();
        let written =
            ron::ser::to_string_pretty(&scene, ron::ser::PrettyConfig::default()).unwrap();
        assert_eq!(parse(&written).unwrap(), scene);
    }
}

#[test]
fn an_unknown_scene_lists_those_there_are() {
    let error = scene::load("pusch").unwrap_err().to_string();
    assert!(
        SCENES.iter().all(|s| error.contains(s)) && error.contains("pusch"),
        "{error}"
    );
}

#[test]
fn every_fault_is_named_with_file_line_field_and_expectation() {
    // (what, replace, by, words of the message)
    let cases: &[(&str, &str, &str, &[&str])] = &[
        (
            "unknown field",
            "summary:",
            "sumary: \"x\", summary:",
            &["sumary", "summary"],
        ),
        (
            "wrong type",
            "episode_steps: 60",
            "episode_steps: \"sixty\"",
            &["episode_steps", "xpected integer"],
        ),
        (
            "negative count",
            "episode_steps: 60",
            "episode_steps: -3",
            &["episode_steps", "out of bounds"],
        ),
        (
            "huge count",
            "episode_steps: 60",
            "episode_steps: 4000000000",
            &["episode_steps", "4000000000", "2 to 1000"],
        ),
        (
            "out of bounds",
            "friction: 0.6",
            "friction: 60.0",
            &["bodies[1].friction", "60", "0 to 5"],
        ),
        (
            "size of the picture",
            "fov_degrees: 39.0",
            "fov_degrees: 39.0, size: 80",
            &["camera.size", "80", "64, 96 or 128"],
        ),
        (
            "samples",
            "fov_degrees: 39.0",
            "fov_degrees: 39.0, samples: 5",
            &["camera.samples", "5", "1 to 4"],
        ),
        (
            "jitter through the floor",
            "fov_degrees: 39.0",
            "fov_degrees: 39.0, jitter_m: 1.7",
            &["camera.jitter_m", "1.7"],
        ),
        (
            "tiles of no size",
            "episode_steps: 60",
            "episode_steps: 60, floor: Checker(tile_m: 0.0)",
            &["floor.tile_m", "0.01 to 10"],
        ),
        (
            "NaN",
            "mass: 0.5",
            "mass: NaN",
            &["bodies[1].mass", "NaN", "0.001 to 1000"],
        ),
        (
            "infinity",
            "mass: 0.5",
            "mass: inf",
            &["bodies[1].mass", "inf", "0.001 to 1000"],
        ),
        (
            "overflow",
            "mass: 0.5",
            "mass: 1e60",
            &["bodies[1].mass", "inf", "0.001 to 1000"],
        ),
        (
            "tiny shape",
            "Ball(radius: 0.07)",
            "Ball(radius: 0.0)",
            &["bodies[0].shape", "0.005 to 10"],
        ),
        (
            "duplicate names",
            "name: \"cube\", kind",
            "name: \"hand\", kind",
            &["bodies[1].name", "hand", "unique"],
        ),
        (
            "bad name",
            "name: \"cube\", kind",
            "name: \"Cube!\", kind",
            &["bodies[1].name", "Cube!", "a-z"],
        ),
        (
            "missing hand",
            "kind: Hand",
            "kind: Dynamic",
            &["actions", "exactly one Hand"],
        ),
        (
            "two hands",
            "kind: Dynamic",
            "kind: Hand",
            &["actions", "2 bodies", "exactly one Hand"],
        ),
        (
            "unknown kind",
            "kind: Dynamic",
            "kind: Kinematic",
            &["Kinematic", "Dynamic"],
        ),
        (
            "unknown law",
            "Permanence",
            "Permanent",
            &["Permanent", "Permanence"],
        ),
        (
            "grey mover",
            "colour: Blue",
            "colour: Grey",
            &["bodies[1].colour", "Grey", "saturated"],
        ),
        (
            "unknown target",
            "cube.yaw",
            "cube.yam",
            &["randomise[4].target", "cube.yam", "yaw"],
        ),
        (
            "reversed bounds",
            "low: 0.4, high: 0.6",
            "low: 0.6, high: 0.4",
            &["randomise[5].high", "0.4", "0.6 to"],
        ),
        (
            "apart from nobody",
            "(\"hand\", \"cube\", 0.24)",
            "(\"hand\", \"sphere\", 0.24)",
            &["apart[0]", "sphere", "body"],
        ),
        (
            "task for nobody",
            "body: \"cube\", tolerance",
            "body: \"cub\", tolerance",
            &["task.body", "cub", "can move"],
        ),
        (
            "goal after the end",
            "ahead_steps: 25",
            "ahead_steps: 60",
            &["task.goal.ahead_steps", "60", "episode_steps"],
        ),
        (
            "camera under the floor",
            "position: (0.0, 1.72, 0.46)",
            "position: (0.0, -1.72, 0.46)",
            &["camera", "above the floor"],
        ),
        (
            "fish eye",
            "fov_degrees: 39.0",
            "fov_degrees: 180.0",
            &["camera.fov_degrees", "180", "5 to 120"],
        ),
        (
            "hyperspeed",
            "max_speed: 0.4",
            "max_speed: 1e9",
            &["actions.max_speed", "0.01 to 1"],
        ),
        (
            "slider",
            "low: -20.0, high: -1.0",
            "low: -20000.0, high: -1.0",
            &["sliders[0].low", "-20000", "-50 to 50"],
        ),
        (
            "empty compound",
            "Cuboid(half: (0.11, 0.11, 0.11))",
            "Compound(parts: [])",
            &["bodies[1].shape", "0 parts", "1 to 16 parts"],
        ),
        (
            "nested compound",
            "Cuboid(half: (0.11, 0.11, 0.11))",
            "Compound(parts: [(shape: Compound(parts: []), position: (0.0, 0.0, 0.0))])",
            &["bodies[1].shape", "a compound within a compound"],
        ),
        (
            "flat hull",
            "Cuboid(half: (0.11, 0.11, 0.11))",
            "Convex(points: [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (1.0, 0.0, 1.0)])",
            &["bodies[1].shape", "solid hull"],
        ),
        (
            "soft without softness",
            "kind: Dynamic",
            "kind: Soft",
            &["bodies[1].soft", "frequency_hz"],
        ),
        (
            "joint to nobody",
            "episode_steps: 60",
            "joints: [(kind: Spherical, a: \"world\", b: \"nobody\", anchor_a: (0.0, 1.0, 0.0), anchor_b: \
             (0.0, 0.0, 0.0))], \
             episode_steps: 60",
            &["joints[0]", "nobody", "Dynamic"],
        ),
        (
            "intervention on nothing",
            "episode_steps: 60",
            "interventions: [(\"cube.taste\", 1.0)], episode_steps: 60",
            &["interventions[0]", "cube.taste", "friction"],
        ),
        (
            "edit of nobody",
            "episode_steps: 60",
            "edits: [(step: 3, body: \"ghost\", what: Vanish)], episode_steps: 60",
            &["edits[0].body", "ghost", "can move"],
        ),
        (
            "goal of a second body that is no body",
            "body: \"cube\", tolerance",
            "body: \"cube\", also: [\"cube\"], tolerance",
            &["task.also", "cube", "each once"],
        ),
        (
            "colours for a number",
            "(target: \"cube.mass\", low: 0.4, high: 0.6)",
            "(target: \"cube.mass\", colours: [Blue])",
            &["randomise[5]", "BODY.colour"],
        ),
    ];
    let sound = text("push");
    let mut complaints = Vec::new();
    for (what, from, to, words) in cases {
        let at = sound
            .find(from)
            .unwrap_or_else(|| panic!("{what}: the scene lacks {from}"));
        let bad = sound.replacen(from, to, 1);
        let Err(error) = parse(&bad) else {
            complaints.push(format!("{what}: accepted"));
            continue;
        };
        let error = error.to_string();
        let line = 1 + sound[..at].matches('\n').count();
        // A field of the whole scene has no line of its own, and a missing hand none at all.
        let anywhere = ["actions", "camera"]
            .iter()
            .any(|f| error.contains(&format!("field `{f}`")));
        let there = [line, line + 1]
            .iter()
            .any(|l| error.starts_with(&format!("shared/bad.ron:{l}:")));
        if !(there || anywhere && error.starts_with("shared/bad.ron:")) {
            complaints.push(format!("{what} stands in line {line}: {error}"));
        }
        for word in words.iter().filter(|w| !error.contains(**w)) {
            complaints.push(format!("{what}: `{word}` is not in: {error}"));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn too_many_bodies_and_too_long_a_file_are_refused() {
    let body = "(name: \"b\", kind: Fixed, shape: Ball(radius: 0.1), colour: Grey, position: (0.0, 0.1, \
         0.0)),";
    let many = text("collide").replacen("bodies: [", &format!("bodies: [{}", body.repeat(20)), 1);
    let error = parse(&many).unwrap_err().to_string();
    assert!(
        error.contains("bodies") && error.contains("1 to 16"),
        "{error}"
    );

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("long.ron");
    std::fs::write(&path, " ".repeat(300_000) + &text("push")).unwrap();
    let error = Scene::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("long.ron") && error.contains("at most 262144 bytes"),
        "{error}"
    );

    let deep = "Scene(name: ".to_string() + &"(".repeat(100_000);
    assert!(parse(&deep).is_err());
    let missing = Scene::load(&dir.path().join("none.ron"))
        .unwrap_err()
        .to_string();
    assert!(missing.contains("none.ron"), "{missing}");
}

#[test]
fn a_truncated_scene_is_refused_wherever_it_ends() {
    for name in SCENES {
        let sound = text(name);
        let end = sound.trim_end().len();
        for cut in (0..end).filter(|&c| sound.is_char_boundary(c)) {
            match parse(&sound[..cut]) {
                Err(SceneError::Parse { path, line, .. }) => {
                    assert_eq!(path, PathBuf::from("shared/bad.ron"));
                    assert!(line <= 1 + sound.matches('\n').count());
                }
                other => panic!("{name} cut at {cut}: {other:?}"),
            }
        }
    }
}

/// A short run of `examples/fuzz_scenes.rs`.
#[test]
fn spoilt_scenes_are_refused_or_bounded_and_run() {
    let vandal = Vandal::new();
    let (mut refused, mut accepted, mut tried) = (0, 0, 0);
    for case in 0..5000 {
        match vandal::read(&vandal.spoil(case)) {
            Err(_) => refused += 1,
            Ok(scene) => {
                accepted += 1;
                if case % 10 == 0 {
                    tried += u32::from(vandal::try_out(scene, case));
                }
            }
        }
    }
    assert!(
        refused > 500 && accepted > 500 && tried > 30,
        "{refused} refused, {accepted} accepted, {tried} tried out: the vandal is too good or too bad"
    );
}
