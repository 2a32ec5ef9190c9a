//! Every scene of the library holds: finite, in its place, solid; its tasks can be set; what breaks physics
//! does so on purpose.

use std::sync::Arc;

use parallax::camera::Eye;
use parallax::scene::{self, Colour, Edit, EditKind, Kind, Scene, Task};
use parallax::sim::{BodyState, GoalState, HELD_OUT_SEED, Reality, State, Target, soak};
use parallax::task::{GoalKind, TaskInstance};

use crate::support::{SCENES, actions, lab, scene, state_bits};

#[test]
fn the_library_is_what_the_tests_know() {
    assert_eq!(scene::list(&scene::library_dir()), SCENES);
}

#[test]
fn no_scene_breaks_in_a_long_run() {
    for name in SCENES {
        let found = soak(&scene(name), HELD_OUT_SEED, 2, 120).unwrap();
        assert_eq!(found.broken, 0, "{name}: a state that is not finite");
        let depth = found.resting_penetration_m;
        assert!(
            depth <= if name == "tower" { 0.0041 } else { 0.0023 },
            "{name}: {depth} m of overlap at rest"
        );
    }
}

#[test]
fn a_body_that_leaves_the_world_is_marked() {
    let runaway = lab(
        "(name: \"ball\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Blue, position: (0.0, 0.1, \
         0.0), velocity: (15.0, 0.0, 0.0)),",
        "",
    );
    let mut reality = Reality::new(&runaway, 0).unwrap();
    assert!(reality.measure().left.is_empty());
    for _ in 0..20 {
        reality.step();
    }
    assert_eq!(reality.measure().left, [0]);
}

#[test]
fn every_task_can_be_set_in_both_kinds() {
    for name in SCENES {
        let scene = scene(name);
        let Some(task) = &scene.task else { continue };
        let eye = Eye::standard(&scene).unwrap();
        let own = TaskInstance::new(&scene, &eye, HELD_OUT_SEED + 3).unwrap();
        assert!(!own.is_solved(&own.reality), "{name}: solved at the start");
        assert_eq!(own.goal_state.targets.len(), 1 + task.also.len(), "{name}");
        let experience =
            TaskInstance::with_goals(&scene, &eye, HELD_OUT_SEED + 3, GoalKind::Experience);
        assert!(experience.is_ok(), "{name}: {:?}", experience.err());
    }
}

#[test]
fn success_is_what_the_task_says() {
    let at = |x: f32, yaw: f32| {
        let (sin, cos) = (libm::sinf(yaw / 2.0), libm::cosf(yaw / 2.0));
        BodyState {
            position: [x, 0.1, 0.0],
            rotation: [0.0, sin, 0.0, cos],
            ..Default::default()
        }
    };
    let goal = |task: Task| GoalState {
        task: Task {
            tolerance_m: 0.05,
            ..task
        },
        targets: (0..2).map(|i| Target::of(i, &at(0.0, 3.0))).collect(),
    };
    let state = |a: f32, b: f32, yaw: f32| State {
        bodies: vec![at(a, yaw), at(b, yaw)],
        ..Default::default()
    };
    let each = goal(Task::default());
    assert!(each.is_met(&state(0.04, 0.04, 0.0)));
    assert!(!each.is_met(&state(0.0, 0.06, 0.0)), "the furthest counts");
    let together = goal(Task {
        together: true,
        ..Task::default()
    });
    assert!(
        !together.is_met(&state(0.04, 0.04, 0.0)),
        "0.057 as one vector"
    );
    let angle = goal(Task {
        angle_degrees: Some(20.0),
        ..Task::default()
    });
    assert!(!angle.is_met(&state(0.0, 0.0, 2.5)));
    assert!(
        angle.is_met(&state(0.0, 0.0, -3.1)),
        "3 and -3.1 are 0.18 apart"
    );
    let rest = goal(Task {
        rest_speed: Some(0.1),
        released: true,
        ..Task::default()
    });
    let mut moving = state(0.0, 0.0, 3.0);
    assert!(rest.is_met(&moving));
    moving.held = Some(0);
    assert!(!rest.is_met(&moving));
    moving.held = None;
    moving.bodies[1].velocity = [0.0, 0.2, 0.0];
    assert!(!rest.is_met(&moving));
}

fn changed(name: &str, change: impl FnOnce(&mut Scene)) -> Arc<Scene> {
    let mut scene = (*scene(name)).clone();
    change(&mut scene);
    scene.check(name).unwrap();
    Arc::new(scene)
}

#[test]
fn a_moved_camera_changes_pictures_and_nothing_else() {
    let usual = scene("push");
    let moved = changed("push", |s| s.intervene("camera.x=0.2").unwrap());
    let (a, b) = (
        Reality::new(&usual, 5).unwrap(),
        Reality::new(&moved, 5).unwrap(),
    );
    assert_eq!(a.measure(), b.measure());
    let look = |scene: &Arc<Scene>, reality: &Reality| {
        let eye = parallax::camera::Eye::standard(scene).unwrap();
        (eye.look(reality).rgb, eye.project([0.0, 0.0, 0.0]).unwrap())
    };
    let ((before, at), (after, target)) = (look(&usual, &a), look(&moved, &b));
    assert!(before != after);
    // It still looks at its target, which lies at the middle of the floor but for a centimetre.
    assert!((at[0] - target[0]).abs() < 0.5, "{at:?} {target:?}");
    let mut wrong = (*usual).clone();
    wrong.randomise.push(parallax::scene::Randomise {
        target: "camera.x".into(),
        low: 0.0,
        high: 0.1,
        among: Vec::new(),
        colours: Vec::new(),
    });
    let error = wrong.check("push").unwrap_err().to_string();
    assert!(error.contains("jitter_m"), "{error}");
}

#[test]
fn interventions_keep_the_start_and_know_how_far_they_go() {
    let usual = scene("push");
    let mars = changed("push", |s| {
        s.intervene("gravity=-3.7").unwrap();
        s.intervene("cube.friction=0.9").unwrap();
        s.intervene("cube.mass=0.5").unwrap();
    });
    let (a, b) = (
        Reality::new(&usual, 5).unwrap(),
        Reality::new(&mars, 5).unwrap(),
    );
    assert_eq!(a.measure(), b.measure(), "the same start, whatever was set");
    let departures = mars.departures();
    let targets: Vec<&str> = departures.iter().map(|d| d.target.as_str()).collect();
    assert_eq!(
        targets,
        ["gravity", "cube.friction"],
        "a mass of 0.5 is within"
    );
    assert!((departures[0].beyond - 6.11).abs() < 1e-4 && departures[0].widths.is_none());
    assert!((departures[1].widths.unwrap() - 1.0).abs() < 1e-3);
    let mut scene = (*usual).clone();
    let wrong = scene.intervene("cube.colour=3").unwrap_err().to_string();
    assert!(
        wrong.contains("cube.colour") && wrong.contains("friction"),
        "{wrong}"
    );
    let far = scene.intervene("cube.mass=-1").unwrap_err().to_string();
    assert!(far.contains("0.001 to 1000"), "{far}");
}

#[test]
fn actions_are_delayed_and_noisy_when_asked_and_the_same_each_time() {
    let hand_way = |set: &str| {
        let scene = changed("push", |s| s.intervene(set).unwrap());
        let mut reality = Reality::new(&scene, 9).unwrap();
        let hand = scene.hand().unwrap();
        let start = reality.measure().bodies[hand].position[0];
        let toward = if start > 0.0 { -1.0 } else { 1.0 };
        (0..4)
            .map(|_| {
                reality.act(&[toward, 0.0]);
                reality.step();
                (reality.measure().bodies[hand].position[0] - start).abs()
            })
            .collect::<Vec<f32>>()
    };
    let delayed = hand_way("action.delay=2");
    assert_eq!(delayed[..2], [0.0, 0.0]);
    assert!(
        (delayed[2] - 0.04).abs() < 1e-3,
        "0.4 m/s from the third step on: {delayed:?}"
    );
    let noisy = hand_way("action.noise=0.5");
    assert_eq!(noisy, hand_way("action.noise=0.5"));
    assert_ne!(noisy, hand_way("action.noise=0"));
}

#[test]
fn edits_break_physics_at_their_step_and_nowhere_else() {
    let edited = |what: EditKind| {
        changed("collide", |s| {
            s.edits.push(Edit {
                step: 5,
                body: "left".into(),
                what,
            })
        })
    };
    let run = |scene: &Arc<Scene>, steps: usize| {
        let mut reality = Reality::new(scene, 11).unwrap();
        let mut states = vec![reality.measure()];
        for _ in 0..steps {
            reality.step();
            states.push(reality.measure());
        }
        (reality, states)
    };
    let honest = run(&scene("collide"), 8).1;
    let kinds = [
        EditKind::Teleport {
            to: [0.0, 0.09, 0.4],
        },
        EditKind::Vanish,
        EditKind::Recolour {
            colour: Colour::Green,
        },
        EditKind::Freeze,
        EditKind::ReverseGravity,
    ];
    for what in kinds {
        let edited = edited(what);
        let eye = Eye::standard(&edited).unwrap();
        let (reality, states) = run(&edited, 8);
        for t in 0..=5 {
            assert_eq!(
                state_bits(&states[t]),
                state_bits(&honest[t]),
                "{what:?} at {t}"
            );
        }
        let left = states[8].bodies[0];
        let ids = eye.look(&reality).ids;
        match what {
            EditKind::Teleport { .. } => assert!(left.position[2] > 0.3),
            EditKind::Vanish => {
                assert!(!reality.is_visible(0) && !ids.contains(&1) && ids.contains(&2));
            }
            EditKind::Recolour { colour } => assert_eq!(reality.body(0).colour, colour),
            EditKind::Freeze => assert_eq!(left.velocity, [0.0; 3]),
            _ => assert!(left.position[1] > 0.2, "it falls up"),
        }
    }
    let through = edited(EditKind::PassThrough);
    let states = run(&through, 31).1;
    let contact = |s: &State| s.contacts.contains(&(0, 1));
    assert!(
        run(&scene("collide"), 31).1.iter().any(contact),
        "they meet"
    );
    assert!(!states.iter().any(contact), "they pass through each other");
}

#[test]
fn suction_lifts_carries_and_lets_go() {
    let stack = scene("stack");
    let mut reality = Reality::new(&stack, 4).unwrap();
    let (hand, cube) = (stack.hand().unwrap(), stack.body_index("cube").unwrap());
    let go = |reality: &mut Reality, offset: [f32; 3], grip: f32, steps: usize| {
        for _ in 0..steps {
            let s = reality.measure();
            let (h, c) = (s.bodies[hand].position, s.bodies[cube].position);
            let action: Vec<f32> = (0..3)
                .map(|i| (10.0 * (c[i] + offset[i] - h[i])).clamp(-1.0, 1.0))
                .chain([grip])
                .collect();
            reality.act(&action);
            reality.step();
        }
    };
    go(&mut reality, [0.0, 0.2, 0.0], -1.0, 25);
    go(&mut reality, [0.0, 0.1, 0.0], 1.0, 15);
    assert_eq!(reality.measure().held, Some(cube));
    let snapshot = reality.snapshot().unwrap();
    let lift = |reality: &mut Reality| {
        for _ in 0..8 {
            reality.act(&[0.0, 1.0, 0.0, 1.0]);
            reality.step();
        }
        reality.measure()
    };
    let lifted = lift(&mut reality);
    assert!(lifted.bodies[cube].position[1] > 0.3, "{lifted:?}");
    reality.restore(&snapshot).unwrap();
    assert_eq!(
        state_bits(&lift(&mut reality)),
        state_bits(&lifted),
        "after a restore"
    );
    for _ in 0..10 {
        reality.act(&[0.0, 0.0, 0.0, -1.0]);
        reality.step();
    }
    let dropped = reality.measure();
    assert_eq!(dropped.held, None);
    assert!(
        (dropped.bodies[cube].position[1] - 0.08).abs() < 0.01,
        "it lies on the floor"
    );
}

#[test]
fn a_soft_body_gives_way_and_keeps_its_volume() {
    let jelly = scene("jelly");
    let index = jelly
        .bodies
        .iter()
        .position(|b| b.kind == Kind::Soft)
        .unwrap();
    let mut reality = Reality::new(&jelly, 2).unwrap();
    assert!(reality.is_soft(index));
    let extent = |r: &Reality| {
        let collider = r.collider(index);
        let bounds = collider.shape().compute_aabb(collider.position());
        bounds.maxs.y - bounds.mins.y
    };
    let before = extent(&reality);
    let mut lowest = f32::MAX;
    for action in actions(&jelly, 0, 40) {
        reality.act(&action);
        reality.step();
        lowest = lowest.min(extent(&reality));
    }
    assert!(
        lowest < 0.9 * before,
        "it is squashed: {lowest} of {before}"
    );
    assert!(
        extent(&reality) > 0.2,
        "and stands again: {}",
        extent(&reality)
    );
}

#[test]
fn a_sensor_reports_who_is_in_it() {
    let container = scene("container");
    let mut reality = Reality::new(&container, 1).unwrap();
    reality.step();
    let start = reality.measure().inside.len();
    for _ in 0..40 {
        reality.step();
    }
    let inside = reality.measure().inside;
    assert_eq!(start, 0);
    assert!(
        inside.len() >= 2 && inside.iter().all(|&(s, b)| s == 0 && b > 0),
        "{inside:?}"
    );
}
