//! What is asked for is done or refused: an option that would have no effect is wrong use.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;

use crate::support::case;

fn parallax(line: &str) -> assert_cmd::assert::Assert {
    let mut command = Command::cargo_bin("parallax").unwrap();
    command
        .args(line.split(' '))
        .env_remove("PARALLAX_HOME")
        .env_remove("RUST_LOG")
        .assert()
}

#[test]
fn scenes_apply_what_is_set_or_say_that_they_do_not() {
    for line in [
        "scenes --set nonsense=7",
        "scenes --size 128",
        "scenes --samples 2",
        "scenes --soak 5 --set nonsense.field=7",
        "scenes --soak 5 --set fifth.mass=5",
        "scenes --soak 5 --set gravity=nan",
        "scenes --soak 5 --scene push --size 65",
        "scenes --soak 5 --scene push --samples 9",
        "scenes --soak 5 --sheet x.png",
        "scenes --check scenes/push.ron --soak 5",
        "scenes --check scenes/push.ron --set gravity=-3",
    ] {
        parallax(line).code(2);
    }
    let soak = |set: &str| {
        let found = parallax(&format!("scenes --soak 40 --scene tower {set}")).success();
        let text = String::from_utf8(found.get_output().stdout.clone()).unwrap();
        text.lines().last().unwrap().to_string()
    };
    let (usual, heavy) = (soak("--set gravity=-9.81"), soak("--set fifth.mass=5"));
    assert_ne!(usual, heavy, "the mass was not set");
    parallax("scenes --soak 5 --scene push --edit (step:2,body:\"cube\",what:Vanish)").success();
    parallax("scenes --soak 5 --scene push --edit (step:2,body:\"moon\",what:Vanish)")
        .code(2)
        .stderr(contains("moon"));
}

#[test]
fn eval_refuses_what_a_suite_or_controller_does_not_look_at() {
    // What a suite never looks at is no option of it.
    for (line, option) in [
        ("judge validate --scene push --nfe 3", "--nfe"),
        ("judge validate --scene push --out x.png", "--out"),
        ("judge calibrate --scene push --seed 5", "--seed"),
        ("judge calibrate --scene push --set gravity=-3", "--set"),
        ("judge calibrate --scene push --json x.json", "--json"),
        (
            "eval rollout --scene push --model lewm-push --planner icem",
            "--planner",
        ),
        (
            "eval probe --scene push --model lewm-push --out x.png",
            "--out",
        ),
        (
            "eval control --scene push --model lewm-push --calibrate 100",
            "--calibrate",
        ),
        (
            "eval masked --scene push --model vjepa-ac --out x.png --episodes 3",
            "--episodes",
        ),
        ("eval --plan --scene push", "--scene"),
    ] {
        parallax(line)
            .code(2)
            .stderr(contains(option).and(contains("unexpected").or(contains("cannot be used"))));
    }
    // What this scene, model or controller does not look at is refused.
    for (line, option) in [
        (
            "eval rollout --scene push --model lewm-push --nfe 3",
            "--nfe",
        ),
        (
            "eval rollout --scene push --model lewm-push --jumps",
            "--jumps",
        ),
        (
            "eval control --scene push --model lewm-push --beta 2",
            "--beta",
        ),
        (
            "eval control --scene push --model lewm-push --distance pixels",
            "--distance",
        ),
        (
            "eval control --scene push --model random --candidates 3",
            "--candidates",
        ),
        (
            "eval control --scene push --model oracle --planner mppi",
            "--planner",
        ),
        ("eval control --scene push --model random --nfe 2", "--nfe"),
    ] {
        parallax(line)
            .code(2)
            .stderr(contains(option).and(contains("no effect")));
    }
}

#[test]
fn checking_a_scene_says_what_it_cannot_do() {
    let check = |name: &str| parallax(&format!("scenes --check {}", case(name).display()));
    check("under_floor")
        .code(1)
        .stderr(contains("under_floor.ron").and(contains("under the floor")));
    check("same_colour").success().stderr(
        contains("warning")
            .and(contains("hand"))
            .and(contains("cube"))
            .and(contains("one colour")),
    );
}

#[test]
fn the_judge_says_null_of_what_it_cannot_judge() {
    let dir = tempfile::tempdir().unwrap();
    let judged = |options: &str| {
        let file = dir.path().join("judge.json");
        let few = "--clips 2 --away 0 --faults 1";
        let line = format!("judge validate {options} {few} --json {}", file.display());
        let out = parallax(&line).success();
        let text = String::from_utf8(out.get_output().stdout.clone()).unwrap();
        let json: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        (json, text)
    };
    let (json, text) = judged("--scene tower --size 128");
    let found = &json["scenes"]["tower"];
    assert!(found["reality"]["flagged"].is_null(), "{found}");
    let reason = found["reality"]["reason"].as_str().unwrap();
    assert!(reason.contains("not calibrated at 128 pixels"), "{found}");
    assert!(
        found["faults"]["teleport"]["strong"]["caught"].is_null(),
        "{found}"
    );
    assert!(
        text.contains("not calibrated") && !text.contains("0.0 %"),
        "{text}"
    );

    let (json, text) = judged(&format!("--scene {}", case("same_colour").display()));
    let found = &json["scenes"]["same_colour"];
    assert!(
        found["left_out"]["cube"]
            .as_str()
            .unwrap()
            .contains("one colour"),
        "{found}"
    );
    assert!(found["reality"]["flagged"].is_null(), "{found}");
    assert!(
        text.contains("left out") && !text.contains("0.0 %"),
        "{text}"
    );

    let (json, _) = judged("--scene reach");
    let found = &json["scenes"]["reach"];
    assert!(found["reality"]["flagged"]["rate"].is_f64(), "{found}");
    assert!(
        found["absent"]["momentum"]
            .as_str()
            .unwrap()
            .contains("two bodies"),
        "{found}"
    );
    let hovers = &found["faults"]["hovers"]["strong"];
    assert!(
        hovers["caught"].is_null() && hovers["reason"].is_string(),
        "{found}"
    );
}
