//! Edits that break physics break what they say and leave the rest as mechanics has it.

use parallax::scene::Scene;
use parallax::sim::{BodyState, Reality};

use crate::support::lab;

const G: f32 = 9.81;
const BALL: &str =
    "(name: \"ball\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Blue, friction: 0.0, ";

/// States of all bodies at 10 Hz, the start included; the edit happens before step 5.
fn watch(bodies: &str, what: &str, steps: usize) -> Vec<Vec<BodyState>> {
    let edits = format!("floor_friction: 0.0, edits: [(step: 5, body: \"ball\", what: {what})]");
    let mut reality = Reality::new(&lab(bodies, &edits), 0).unwrap();
    let mut states = vec![reality.measure().bodies];
    for _ in 0..steps {
        reality.step();
        states.push(reality.measure().bodies);
    }
    states
}

fn ball(position: &str, velocity: &str) -> String {
    format!("{BALL} position: {position}, velocity: {velocity}),")
}

#[test]
fn without_gravity_a_thrown_ball_flies_straight_on() {
    let states = watch(&ball("(0.0, 5.0, 0.0)", "(0.7, 2.0, 0.0)"), "NoGravity", 15);
    let at_edit = states[5][0];
    assert!(
        (at_edit.velocity[1] - (2.0 - 0.5 * G)).abs() < 1e-3,
        "it falls until then"
    );
    for (t, now) in states.iter().enumerate().skip(5) {
        for axis in 0..3 {
            let expected = at_edit.position[axis] + 0.1 * (t - 5) as f32 * at_edit.velocity[axis];
            assert!(
                (now[0].position[axis] - expected).abs() < 1e-3,
                "axis {axis} at {t}"
            );
        }
    }
}

#[test]
fn a_body_that_hovers_stays_and_then_falls_from_rest() {
    let states = watch(
        &ball("(0.0, 8.0, 0.0)", "(0.5, 0.0, 0.0)"),
        "Hover(steps: 4)",
        19,
    );
    let held = states[5][0].position;
    for now in &states[5..=9] {
        assert!(
            (0..3).all(|i| (now[0].position[i] - held[i]).abs() < 1e-5),
            "{:?}",
            now[0]
        );
    }
    let fallen = held[1] - states[19][0].position[1];
    assert!(
        (fallen / (0.5 * G) - 1.0).abs() < 0.02,
        "half g t² in a second: {fallen}"
    );
    assert!(
        (states[19][0].position[0] - held[0]).abs() < 1e-4,
        "its way forward is lost"
    );
}

#[test]
fn speed_multiplies_velocity_and_spin_once() {
    for factor in [2.0f32, 0.25, -1.0] {
        let body = ball("(0.0, 0.1, 0.0)", "(0.3, 0.0, -0.2), spin: (0.0, 1.5, 0.0)");
        let what = format!("Speed(factor: {factor:?})");
        let states = watch(&body, &what, 10);
        let (before, after) = (states[5][0], states[10][0]);
        for axis in 0..3 {
            let expected = factor * before.velocity[axis];
            assert!(
                (after.velocity[axis] - expected).abs() < 2e-3,
                "{factor}: axis {axis}: {after:?}"
            );
        }
        assert!(
            (after.spin[1] - factor * before.spin[1]).abs() < 2e-2,
            "{factor}: {after:?}"
        );
        let way = after.position[0] - before.position[0];
        assert!(
            (way - 0.5 * factor * 0.3).abs() < 2e-3,
            "{factor}: {way} m in half a second"
        );
    }
}

#[test]
fn what_stops_dead_may_be_moved_again_and_what_freezes_may_not() {
    let other = "(name: \"other\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Orange, friction: 0.0, \
                 restitution: 1.0, position: (-1.0, 0.1, 0.0), velocity: (1.0, 0.0, 0.0)),";
    let bodies = ball("(0.0, 0.1, 0.0)", "(0.1, 0.0, 0.0)") + other;
    let dead = watch(&bodies, "StopDead", 14);
    assert!(
        dead[6][0].velocity.iter().all(|v| v.abs() < 1e-3),
        "{:?}",
        dead[6][0]
    );
    assert!(
        dead[14][0].velocity[0] > 0.9,
        "the other's momentum: {:?}",
        dead[14]
    );
    assert!(
        dead[14][1].velocity[0].abs() < 0.1,
        "equal masses exchange it: {:?}",
        dead[14]
    );
    let frozen = watch(&bodies, "Freeze", 14);
    assert_eq!(frozen[14][0].velocity, [0.0; 3]);
    assert_eq!(frozen[14][0].position, frozen[5][0].position);
}

#[test]
fn a_ghost_passes_through_walls_but_neither_through_bodies_nor_the_floor() {
    let wall = "(name: \"wall\", kind: Fixed, shape: Cuboid(half: (0.05, 0.5, 0.5)), colour: Grey, \
                position: (0.9, 0.5, 0.0)),";
    let before = ball("(0.0, 0.1, 0.0)", "(1.0, 0.0, 0.0)") + wall;
    assert!(
        watch(&before, "Speed(factor: 1.0)", 15)[15][0].position[0] < 0.8,
        "a wall stops it"
    );
    let through = watch(&before, "PassWall", 15)[15][0];
    assert!(
        (through.position[0] - 1.5).abs() < 0.01,
        "straight through: {through:?}"
    );
    assert!(
        through.position[1] > 0.09,
        "the floor still carries it: {through:?}"
    );
    let other = "(name: \"other\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Orange, friction: 0.0, \
                 restitution: 1.0, position: (0.9, 0.1, 0.0)),";
    let met = watch(
        &(ball("(0.0, 0.1, 0.0)", "(1.0, 0.0, 0.0)") + other),
        "PassWall",
        15,
    );
    assert!(
        met[15][0].position[0] < 0.8 && met[15][1].velocity[0] > 0.9,
        "{:?}",
        met[15]
    );
}

#[test]
fn forks_and_snapshots_remember_what_was_broken() {
    let bodies = ball("(0.0, 6.0, 0.0)", "(0.5, 0.0, 0.0)");
    for what in [
        "Hover(steps: 6)",
        "NoGravity",
        "Speed(factor: 2.0)",
        "StopDead",
        "PassWall",
    ] {
        let edits = format!("edits: [(step: 5, body: \"ball\", what: {what})]");
        let scene = lab(&bodies, &edits);
        let mut reality = Reality::new(&scene, 0).unwrap();
        (0..7).for_each(|_| reality.step());
        let mut fork = reality.fork();
        let mut restored = Reality::new(&scene, 0).unwrap();
        restored.restore(&reality.snapshot().unwrap()).unwrap();
        for _ in 0..8 {
            [&mut reality, &mut fork, &mut restored]
                .into_iter()
                .for_each(Reality::step);
        }
        assert_eq!(reality.measure(), fork.measure(), "{what}");
        assert_eq!(reality.measure(), restored.measure(), "{what}");
    }
}

#[test]
fn edits_out_of_bounds_or_of_bodies_that_no_force_moves_are_refused() {
    let refuse = |name: &str, edit: &str, words: &[&str]| {
        let path = parallax::scene::library_dir().join(format!("{name}.ron"));
        let text = std::fs::read_to_string(&path).unwrap();
        let end = text.trim_end().rfind(')').unwrap();
        let text = format!("{} edits: [{edit}])", &text[..end]);
        let error = Scene::parse(&text, &path).expect_err(edit).to_string();
        for word in words {
            assert!(error.contains(word), "{edit}: {error}");
        }
    };
    let cases = [
        (
            "push",
            "(step: 3, body: \"hand\", what: StopDead)",
            ["edits[0].body", "Dynamic"],
        ),
        (
            "jelly",
            "(step: 3, body: \"jelly\", what: NoGravity)",
            ["edits[0].body", "Dynamic"],
        ),
        (
            "ramp",
            "(step: 3, body: \"slope\", what: PassWall)",
            ["edits[0].body", "can move"],
        ),
        (
            "push",
            "(step: 3, body: \"cube\", what: Hover(steps: 0))",
            ["edits[0].what", "1 to 1000"],
        ),
        (
            "push",
            "(step: 3, body: \"cube\", what: Speed(factor: 1e9))",
            ["edits[0].what", "10"],
        ),
        (
            "push",
            "(step: 3, body: \"cube\", what: Speed(factor: NaN))",
            ["edits[0].what", "10"],
        ),
    ];
    for (scene, edit, words) in cases {
        refuse(scene, edit, &words);
    }
}
