//! What sliders and bounds allow must hold: heavy on light, fast on fast, elastic, stretched, pressed,
//! buried.

use std::sync::Arc;

use parallax::scene::{self, Scene};
use parallax::sim::{BodyState, Reality, SimError, overlap_at_start};

use crate::support::{SCENES, case, lab, scene};

const G: f32 = 9.81;
/// Deepest overlap of what rests, metres: as README says and `scenes --soak` asks.
const TOUCHING: f32 = 0.002;

fn set(scene: &Scene, fields: &[&str]) -> Arc<Scene> {
    let mut changed = scene.clone();
    for field in fields {
        changed.intervene(field).unwrap();
    }
    Arc::new(changed)
}

fn after(scene: &Arc<Scene>, steps: usize) -> Reality {
    let mut reality = Reality::new(scene, 0).unwrap();
    for _ in 0..steps {
        reality.step();
    }
    reality
}

fn file(name: &str) -> Scene {
    Scene::load(&case(name)).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_heavy_block_rests_on_light_ones_as_high_as_they_are() {
    let mut tower = (*scene("tower")).clone();
    tower.randomise.clear();
    for mass in ["fifth.mass=5", "fifth.mass=0.05", "gravity=-20"] {
        let reality = after(&set(&tower, &[mass]), 60);
        for (i, body) in reality.measure().bodies.iter().enumerate() {
            let expected = 0.06 + 0.12 * i as f32;
            let off = (body.position[1] - expected).abs();
            assert!(
                off <= 0.002 * (i + 1) as f32,
                "{mass}: block {i} is {off} m off its height"
            );
        }
        let overlap = reality.resting_overlap(0.02).expect("it stands");
        assert!(overlap <= TOUCHING, "{mass}: {overlap} m of overlap");
    }
    let pair = file("heavy_on_light");
    for masses in [
        ["low.mass=0.1", "top.mass=10"],
        ["low.mass=0.01", "top.mass=10"],
    ] {
        let reality = after(&set(&pair, &masses), 60);
        let at = |i: usize| reality.measure().bodies[i].position[1];
        assert!(
            (at(0) - 0.1).abs() <= TOUCHING && (at(1) - 0.3).abs() <= 2.0 * TOUCHING,
            "{masses:?}: {} and {} m",
            at(0),
            at(1)
        );
    }
}

#[test]
fn fast_balls_meet_and_exchange_momentum_and_energy() {
    let balls = file("two_fast_balls");
    let speeds = [
        (3.0f32, -3.0f32),
        (3.7, -3.7),
        (4.0, -4.0),
        (5.0, -5.0),
        (6.0, -6.0),
        (10.0, -10.0),
        (15.0, -15.0),
        (20.0, -20.0),
        (20.0, 0.0),
        (15.0, -3.0),
    ];
    for (u, v) in speeds {
        for shift in [0.0f32, 0.013, 0.027, 0.041] {
            let fields = [
                format!("ball.vx={u}"),
                format!("other.vx={v}"),
                format!("ball.x={}", -1.0 - shift),
            ];
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            let reality = after(&set(&balls, &fields), 4);
            let [a, b] = [0, 1].map(|i| reality.measure().bodies[i].velocity[0]);
            let close = |found: f32, expected: f32| (found - expected).abs() <= 0.02 * (u - v);
            assert!(
                close(a, v) && close(b, u),
                "{u} and {v} m/s, from {shift}: {a} and {b} after"
            );
            assert!(
                (a + b - u - v).abs() <= 1e-3 * (u - v),
                "momentum at {u} and {v} m/s"
            );
            let energy = (a * a + b * b) / (u * u + v * v);
            assert!(
                (energy - 1.0).abs() <= 0.02,
                "energy at {u} and {v} m/s: {energy}"
            );
        }
    }
}

#[test]
fn a_thin_plate_stops_a_fast_ball() {
    let text = "(name: \"ball\", kind: Dynamic, shape: Ball(radius: 0.02), colour: Orange, position: \
         (-1.0, 1.0, 0.0), \
         velocity: (20.0, 0.0, 0.0), mass: 0.1), \
         (name: \"plate\", kind: Dynamic, shape: Cuboid(half: (0.01, 0.3, 0.3)), colour: Blue, position: \
         (0.5, 1.0, 0.0), mass: 0.2),";
    let reality = after(&lab(text, "gravity: 0.0"), 4);
    let [ball, plate] = [0, 1].map(|i| reality.measure().bodies[i]);
    assert!(
        ball.position[0] < plate.position[0],
        "it went through: {ball:?} {plate:?}"
    );
    let momentum = 0.1 * ball.velocity[0] + 0.2 * plate.velocity[0];
    assert!((momentum - 2.0).abs() < 0.02, "momentum {momentum}");
}

/// Height above where it rests that a ball of radius 0.1 is going to reach, metres.
fn energy(ball: &BodyState) -> f32 {
    let v = ball.velocity;
    ball.position[1] - 0.1 + (v[0] * v[0] + v[1] * v[1] + v[2] * v[2]) / (2.0 * G)
}

#[test]
fn a_perfectly_elastic_ball_keeps_its_height_for_ten_seconds() {
    let elastic = file("elastic_ball");
    for height in [1.0f32, 0.4, 0.1] {
        let fields = [format!("ball.y={}", 0.1 + height)];
        let mut reality = Reality::new(&set(&elastic, &[fields[0].as_str()]), 0).unwrap();
        for step in 0..100 {
            reality.step();
            let share = energy(&reality.measure().bodies[0]) / height;
            assert!(
                (share - 1.0).abs() <= 0.01,
                "from {height} m, after {step} steps: {share} of it"
            );
        }
    }
    // And what gives back less loses what it should at every bounce.
    for (restitution, bounces) in [(0.95f32, 5), (0.99, 5)] {
        let field = format!("ball.restitution={restitution}");
        let mut reality = Reality::new(&set(&elastic, &[field.as_str()]), 0).unwrap();
        let (mut found, mut last) = (0, -1.0f32);
        while found < bounces {
            reality.step();
            let ball = reality.measure().bodies[0];
            found += usize::from(last < 0.0 && ball.velocity[1] > 0.0);
            last = ball.velocity[1];
            assert!(reality.steps() < 200);
        }
        let expected = restitution.powi(2 * bounces as i32);
        let share = energy(&reality.measure().bodies[0]) / expected;
        assert!(
            (share - 1.0).abs() <= 0.01,
            "restitution {restitution}: {share} of the textbook's height"
        );
    }
}

#[test]
fn two_elastic_balls_keep_the_energy_of_both() {
    let balls = "(name: \"a\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Orange, position: (0.0, \
         0.8, 0.0), mass: 1.0, \
         restitution: 1.0, friction: 0.0), \
         (name: \"b\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Blue, position: (0.0, 1.3, 0.0), \
         mass: 1.0, restitution: 1.0, \
         friction: 0.0),";
    let mut reality = Reality::new(&lab(balls, "floor_friction: 0.0"), 0).unwrap();
    let total = |r: &Reality| r.measure().bodies.iter().map(energy).sum::<f32>();
    let start = total(&reality);
    for step in 0..50 {
        reality.step();
        let share = total(&reality) / start;
        assert!((share - 1.0).abs() <= 0.01, "after {step} steps: {share}");
    }
}

#[test]
fn what_has_no_friction_slides_on_if_it_says_so() {
    let ice = file("ice");
    let speed = |scene: &Scene| after(&Arc::new(scene.clone()), 10).measure().bodies[0].velocity[0];
    // As the format says: the mean with the floor's 0.5 brakes at 0.25 g.
    let braked = speed(&ice);
    assert!(
        braked.abs() < 0.05,
        "the mean of 0 and 0.5 stops it within 0.41 s: {braked}"
    );
    for combine in [scene::Combine::Min, scene::Combine::Multiply] {
        let mut ice = ice.clone();
        ice.bodies[0].combine = combine;
        let slides = speed(&ice);
        assert!(
            (slides - 1.0).abs() < 1e-3,
            "{combine:?}: {slides} m/s of 1"
        );
    }
}

#[test]
fn a_rod_keeps_its_length_under_heavy_bobs_and_strong_gravity() {
    for (mass, gravity) in [
        (0.01f32, -9.81f32),
        (1.0, -50.0),
        (1000.0, -9.81),
        (1000.0, -50.0),
    ] {
        let bob = format!(
            "(name: \"bob\", kind: Dynamic, shape: Ball(radius: 0.05), colour: Blue, position: (0.0, 1.0, \
             0.0), roll: 60.0, mass: {mass:?}),"
        );
        let joint = "joints: [(kind: Spherical, a: \"world\", b: \"bob\", anchor_a: (0.0, 2.0, 0.0), \
             anchor_b: (0.0, 0.8, 0.0))]";
        let mut reality =
            Reality::new(&lab(&bob, &format!("{joint}, gravity: {gravity:?}")), 0).unwrap();
        for step in 0..50 {
            reality.step();
            let [x, y, z] = reality.measure().bodies[0].position;
            let length = (x * x + (y - 2.0).powi(2) + z * z).sqrt();
            assert!(
                (length - 0.8).abs() <= 0.008,
                "{mass} kg, {gravity} m/s²: {length} m after {step} steps"
            );
        }
    }
}

#[test]
fn a_pendulum_without_damping_keeps_its_swing() {
    // What the integrator costs: documented in scenes/TEMPLATE.md.
    let bob = "(name: \"bob\", kind: Dynamic, shape: Ball(radius: 0.05), colour: Blue, position: (0.0, \
         1.0, 0.0), roll: 60.0, mass: 1.0),";
    let joint = "joints: [(kind: Revolute(axis: (0.0, 0.0, 1.0)), a: \"world\", b: \"bob\", anchor_a: \
         (0.0, 2.0, 0.0), \
         anchor_b: (0.0, 0.8, 0.0))]";
    let mut reality = Reality::new(&lab(bob, joint), 0).unwrap();
    let energy = |r: &Reality| {
        let b = r.measure().bodies[0];
        let (v, w) = (b.velocity, b.spin);
        let squares = |v: [f32; 3]| v[0] * v[0] + v[1] * v[1] + v[2] * v[2];
        G * (b.position[1] - 1.2) + 0.5 * squares(v) + 0.5 * 0.4 * 0.0025 * squares(w)
    };
    let start = energy(&reality);
    let mut worst = 0.0f32;
    for _ in 0..100 {
        reality.step();
        worst = worst.max((energy(&reality) / start - 1.0).abs());
    }
    assert!(worst <= 0.02, "{worst} of the energy is off in 10 s");
}

#[test]
fn a_chain_of_light_links_holds_a_heavy_bob() {
    let mut bodies = String::new();
    let mut joints = String::from("joints: [");
    for i in 0..4 {
        let (mass, colour) = if i == 3 {
            (10.0, "Orange")
        } else {
            (0.1, "Blue")
        };
        bodies += &format!(
            "(name: \"l{i}\", kind: Dynamic, shape: Ball(radius: 0.04), colour: {colour}, position: (0.0, \
             {:?}, 0.0), mass: {mass:?}),",
            1.8 - 0.2 * i as f32
        );
        let (a, at) = if i == 0 {
            ("world".into(), 2.0)
        } else {
            (format!("l{}", i - 1), -0.1)
        };
        joints += &format!(
            "(kind: Spherical, a: \"{a}\", b: \"l{i}\", anchor_a: (0.0, {at:?}, 0.0), anchor_b: (0.0, \
             0.1, 0.0)),"
        );
    }
    let reality = after(&lab(&bodies, &(joints + "]")), 50);
    let bob = reality.measure().bodies[3].position[1];
    let expected = 2.0 - 0.1 - 3.0 * 0.2;
    assert!(
        (bob - expected).abs() <= 0.01,
        "the bob hangs at {bob} m, not {expected}"
    );
}

#[test]
fn the_hand_stops_at_what_cannot_give_way() {
    let text = "(name: \"hand\", kind: Hand, shape: Ball(radius: 0.07), colour: Vermillion, position: \
         (-0.4, 0.1, 0.0)), \
         (name: \"cube\", kind: Dynamic, shape: Cuboid(half: (0.1, 0.1, 0.1)), colour: Blue, position: \
         (0.0, 0.1, 0.0), mass: 0.5), \
         (name: \"wall\", kind: Fixed, shape: Cuboid(half: (0.05, 0.3, 0.5)), colour: Dark, position: \
         (0.2, 0.3, 0.0)),";
    // The last is the fastest that a scene may have.
    for speed in [0.4f32, 0.7, 1.0] {
        let fields = format!("actions: Planar(max_speed: {speed:?}, limit: 1.0)");
        let mut reality = Reality::new(&lab(text, &fields), 0).unwrap();
        for step in 0..40 {
            reality.act(&[1.0, 0.0]);
            reality.step();
            let [hand, cube] = [0, 1].map(|i| reality.measure().bodies[i].position);
            let (in_wall, in_cube) = (cube[0] - 0.05, hand[0] + 0.07 - (cube[0] - 0.1));
            // A cube that is flung at the wall sinks in for a moment.
            let most = if step < 10 { 0.02 } else { 0.013 };
            assert!(
                in_wall.max(0.0) + in_cube.max(0.0) <= most,
                "{speed} m/s, step {step}: the cube is {in_wall} m in the wall, the hand {in_cube} m in \
                 the cube"
            );
        }
    }
}

#[test]
fn a_body_that_begins_under_the_floor_is_refused() {
    let under = Arc::new(file("under_floor"));
    let error = Reality::new(&under, 0).err().expect("refused");
    assert!(
        matches!(&error, SimError::Buried { body, .. } if body == "box"),
        "{error}"
    );
    let half = set(&under, &["box.y=0.02"]);
    let rises = after(&half, 20).measure().bodies[0].position[1];
    assert!(
        (rises - 0.1).abs() < 0.005,
        "half buried ones rise: {rises}"
    );
}

#[test]
fn bodies_that_begin_inside_each_other_are_found() {
    for name in SCENES {
        let overlapping = |seed: &u64| overlap_at_start(&scene(name), *seed).unwrap().is_some();
        let starts = (0..100).filter(overlapping).count();
        // What drops into the bowl is drawn close together.
        assert!(
            starts == 0 || (name == "container" && starts < 10),
            "{name}: {starts} of 100"
        );
    }
    let inside = lab(
        "(name: \"a\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Blue, position: (0.0, 0.2, 0.0)), \
         (name: \"b\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Orange, position: (0.05, 0.2, 0.0)),",
        "",
    );
    let found = overlap_at_start(&inside, 0).unwrap().expect("they overlap");
    assert!(
        (found.depth - 0.15).abs() < 1e-4 && found.bodies == ["a", "b"],
        "{found:?}"
    );
}
