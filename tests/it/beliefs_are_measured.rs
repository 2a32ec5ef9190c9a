//! The constants that a film believes in are those it was made with, and how far it is from reality is what it
//! was put off by: known answers, drawn by the eye.

use std::path::Path;
use std::sync::Arc;

use parallax::camera::Eye;
use parallax::judge::accurate::{Place, compare};
use parallax::judge::{Belief, Judge, Quantity, beliefs};
use parallax::scene::Scene;
use parallax::sim::Reality;

use crate::support::scene;

/// The shipped scene with fields set and nothing drawn for seeds.
fn fixed(name: &str, set: &[(&str, f32)]) -> Arc<Scene> {
    let mut changed = (*scene(name)).clone();
    changed.randomise.clear();
    for (field, value) in set {
        changed.intervene(&format!("{field}={value}")).unwrap();
    }
    Arc::new(changed)
}

/// `count` frames of a scene, the start included.
fn film(scene: &Arc<Scene>, count: usize) -> Vec<Vec<u8>> {
    let (eye, mut reality) = (
        Eye::standard(scene).unwrap(),
        Reality::new(scene, 0).unwrap(),
    );
    (0..count)
        .map(|_| {
            let frame = eye.look(&reality).rgb;
            reality.step();
            frame
        })
        .collect()
}

/// What a film believes, if `judged` is the scene that it is taken for.
fn believed(judged: &Arc<Scene>, films: &[Vec<Vec<u8>>], reference: usize) -> Vec<Belief> {
    let judge = Judge::new(judged);
    let world = judge.world().unwrap();
    let mut found = Vec::new();
    for film in films {
        let frames: Vec<&[u8]> = film.iter().map(Vec::as_slice).collect();
        let tracks = judge
            .tracks(judged.camera.size, reference, &frames, None)
            .unwrap();
        let motion = judge.motion(&tracks).unwrap();
        found.extend(beliefs::estimates(world, &tracks, &motion));
    }
    beliefs::pool(world, &found, &[])
}

fn of(beliefs: &[Belief], quantity: Quantity, body: Option<&str>) -> Belief {
    let own = |b: &&Belief| b.quantity == quantity && b.body.as_deref() == body;
    beliefs
        .iter()
        .find(own)
        .unwrap_or_else(|| panic!("{quantity:?} of {beliefs:?}"))
        .clone()
}

#[test]
fn a_film_that_falls_at_6_9_is_read_as_6_9() {
    for g in [6.9f32, 9.81, 3.7] {
        let films: Vec<_> = [0.75, 0.85, 0.95]
            .map(|y| {
                let set = [
                    ("gravity", -g),
                    ("ball.y", y),
                    ("cube.y", y - 0.2),
                    ("drum.y", y),
                ];
                film(&fixed("fall", &set), 24)
            })
            .into();
        let found = believed(&scene("fall"), &films, 1);
        let gravity = of(&found, Quantity::Gravity, None);
        assert!(
            (gravity.value - f64::from(g)).abs() < 0.05 * f64::from(g),
            "{gravity:?}"
        );
        assert!(
            gravity.low <= f64::from(g) && f64::from(g) <= gravity.high,
            "{gravity:?}"
        );
        assert!(gravity.high - gravity.low < 1.5, "{gravity:?}");
        let [ratio, low, high] = gravity.ratio.unwrap();
        assert!(low < ratio && ratio < high);
        assert!((ratio - f64::from(g) / 9.81).abs() < 0.05, "{gravity:?}");
        assert!(
            gravity.sentence.contains("reality 9.81"),
            "{}",
            gravity.sentence
        );
    }
}

#[test]
fn a_bounce_with_restitution_point_six_is_read_so() {
    for e in [0.6f32, 0.8] {
        let films: Vec<_> = [0.8, 0.9, 1.0]
            .map(|y| {
                film(
                    &fixed("fall", &[("ball.restitution", e), ("ball.y", y)]),
                    24,
                )
            })
            .into();
        let found = of(
            &believed(&scene("fall"), &films, 1),
            Quantity::Restitution,
            Some("ball"),
        );
        assert!((found.value - f64::from(e)).abs() < 0.06, "{found:?}");
        assert!(
            found.low < f64::from(e) + 0.03 && f64::from(e) - 0.03 < found.high,
            "{found:?}"
        );
    }
}

#[test]
fn a_sliding_box_tells_its_friction() {
    let slide = |mu: f32, v: f32| {
        let text = format!(
            "Scene(name: \"lab\", summary: \"\", bodies: [(name: \"box\", kind: Dynamic, colour: Blue, shape: \
             Cuboid(half: (0.09, 0.05, 0.09)), position: (-0.42, 0.05, 0.0), velocity: ({v:?}, 0.0, 0.0), \
             friction: {mu:?})], floor_friction: {mu:?}, camera: (position: (0.0, 1.72, 0.46), target: (0.0, \
             0.0, 0.01), fov_degrees: 39.0))"
        );
        Arc::new(Scene::parse(&text, Path::new("lab.ron")).unwrap())
    };
    for (mu, v) in [(0.05f32, 0.8), (0.1, 1.1)] {
        let lab = slide(mu, v);
        let films = [film(&lab, 16)];
        let found = of(&believed(&lab, &films, 1), Quantity::Friction, Some("box"));
        assert!(
            (found.value - f64::from(mu)).abs() < 0.15 * f64::from(mu),
            "{mu}: {found:?}"
        );
        assert!(
            found.low < f64::from(mu) && f64::from(mu) < found.high,
            "{mu}: {found:?}"
        );
    }
}

#[test]
fn a_swing_tells_the_period_of_small_swings_whatever_its_width() {
    let set = |roll: f32| [("bob.roll", roll), ("bob.damping", 0.0)];
    // The truth, from 20 s of small swings of the body itself.
    let mut reality = Reality::new(&fixed("pendulum", &set(5.0)), 0).unwrap();
    let mut crossings = Vec::new();
    let mut last = reality.measure().bodies[1].position[0];
    for step in 1..200 {
        reality.step();
        let x = reality.measure().bodies[1].position[0];
        if (x > 0.0) != (last > 0.0) {
            crossings.push(f64::from(step) - f64::from(x / (x - last)));
        }
        last = x;
    }
    let swings = (crossings.len() - 1) as f64;
    let truth = 0.1 * 2.0 * (crossings[crossings.len() - 1] - crossings[0]) / swings;
    for roll in [15.0f32, 40.0, 70.0] {
        let films = [film(&fixed("pendulum", &set(roll)), 32)];
        let found = of(
            &believed(&scene("pendulum"), &films, 4),
            Quantity::Period,
            Some("bob"),
        );
        assert!(
            (found.value / truth - 1.0).abs() < 0.03,
            "{roll}: {found:?}, truth {truth}"
        );
        assert!(
            found.low < truth * 1.015 && truth * 0.985 < found.high,
            "{roll}: {found:?}"
        );
    }
}

#[test]
fn beliefs_are_pooled_by_their_errors() {
    let judge = Judge::new(&scene("fall"));
    let estimate = |value: f64, error: f64| beliefs::Estimate {
        quantity: Quantity::Gravity,
        body: None,
        value,
        error,
    };
    let pool = |e: &[beliefs::Estimate]| beliefs::pool(judge.world().unwrap(), e, &[])[0].clone();
    // Weights 1 and 4: 9.8 and 10.3 at 0.2 and 0.1 make 10.2 ± 1.96 √(1/125), widened by √(25/5) = √5.
    let found = pool(&[estimate(9.8, 0.2), estimate(10.3, 0.1)]);
    assert!((found.value - 10.2).abs() < 1e-9 && found.measured == 2);
    let half = 1.96 * (1.0f64 / 125.0).sqrt() * 5.0f64.sqrt();
    assert!((found.high - found.value - half).abs() < 1e-6, "{found:?}");
    // Those that agree are not widened.
    let found = pool(&[estimate(10.0, 0.2), estimate(10.0, 0.2)]);
    assert!(
        (found.high - found.value - 1.96 * 0.2 / 2.0f64.sqrt()).abs() < 1e-9,
        "{found:?}"
    );
    assert_eq!(beliefs::pool(judge.world().unwrap(), &[], &[]), []);
}

#[test]
fn accuracy_is_told_in_centimetres_degrees_and_the_moment_of_loss() {
    let at = |x: f32, y: f32, turn: f32| Place {
        at: Some([x, y]),
        angle: Some([turn.to_radians(), 90f32.to_radians()]),
    };
    let lost = Place::default();
    let real = [
        at(0.0, 0.0, 0.0),
        at(0.1, 0.0, 10.0),
        at(0.2, 0.0, 20.0),
        at(0.3, 0.0, 30.0),
        lost,
    ];
    let found = compare(
        "cube",
        0.12,
        &[
            at(0.03, 0.04, 5.0),
            at(0.1, 0.1, 85.0),
            lost,
            at(0.3, 0.2, 0.0),
            lost,
        ],
        &real,
    );
    let off: Vec<Option<f32>> = found.off_cm.iter().map(|v| v.map(f32::round)).collect();
    assert_eq!(off, [Some(5.0), Some(10.0), None, Some(20.0), None]);
    let degrees: Vec<Option<f32>> = found
        .off_degrees
        .iter()
        .map(|v| v.map(f32::round))
        .collect();
    assert_eq!(
        degrees,
        [Some(5.0), Some(15.0), None, Some(30.0), None],
        "squares repeat at 90°"
    );
    assert_eq!(
        found.lost_from_step,
        Some(3),
        "it is not found from the third step on"
    );
    assert_eq!(compare("cube", 0.12, &real, &real).lost_from_step, None);
    // What comes back was not lost for good.
    let back = compare(
        "cube",
        0.12,
        &[at(0.0, 0.5, 0.0), at(0.1, 0.0, 0.0), real[2], real[3]],
        &real[..4],
    );
    assert_eq!(back.lost_from_step, None);
}
