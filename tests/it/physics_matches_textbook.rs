//! Reality is real: what a first-year textbook says, at 120 Hz.
//!
//! Semi-implicit Euler is first order: over a time t it errs by about dt/t of what gravity does, 0.8 % over
//! one second at 1/120 s. So 2 % is asked for where gravity acts for about a second, 5 % where contact
//! solving adds its own error, and rounding only where no gravity acts.

use parallax::sim::{BodyState, CONTROL_HZ, Reality};

use crate::support::lab;

const G: f32 = 9.81;

/// States of all bodies at 10 Hz, the start included.
fn watch(bodies: &str, fields: &str, steps: usize) -> Vec<Vec<BodyState>> {
    let mut reality = Reality::new(&lab(bodies, fields), 0).unwrap();
    let mut states = vec![reality.measure().bodies];
    for _ in 0..steps {
        reality.step();
        states.push(reality.measure().bodies);
    }
    states
}

fn close(what: &str, found: f32, expected: f32, share: f32) {
    let error = (found - expected).abs() / expected.abs();
    assert!(
        error <= share,
        "{what}: found {found}, the textbook says {expected} ({:.2} % off)",
        error * 100.0
    );
}

fn ball(name: &str, at: [f32; 3], velocity: [f32; 3], more: &str) -> String {
    let [x, y, z] = at;
    let [u, v, w] = velocity;
    format!(
        "(name: \"{name}\", kind: Dynamic, shape: Ball(radius: 0.1), colour: Blue, position: ({x:?}, \
         {y:?}, {z:?}), \
         velocity: ({u:?}, {v:?}, {w:?}), {more}),"
    )
}

#[test]
fn free_fall_is_half_g_t_squared_whatever_the_mass() {
    let bodies = ball("light", [-1.0, 15.0, 0.0], [0.0; 3], "mass: 0.1")
        + &ball("heavy", [1.0, 15.0, 0.0], [0.0; 3], "mass: 50.0");
    let states = watch(&bodies, "", CONTROL_HZ as usize);
    for body in &states[CONTROL_HZ as usize] {
        close("fall in 1 s", 15.0 - body.position[1], 0.5 * G, 0.02);
        close("speed after 1 s", -body.velocity[1], G, 0.001);
    }
}

#[test]
fn a_ball_bounces_to_the_square_of_its_restitution() {
    for restitution in [0.5f32, 0.7, 0.9] {
        let states = watch(
            &ball(
                "ball",
                [0.0, 1.1, 0.0],
                [0.0; 3],
                &format!("restitution: {restitution:?}"),
            ),
            "",
            20,
        );
        // The highest point it is going to reach: its energy on the way up, in metres.
        let up = states
            .iter()
            .map(|s| s[0])
            .find(|b| b.velocity[1] > 0.5)
            .expect("it bounces");
        let apex = up.position[1] - 0.1 + up.velocity[1] * up.velocity[1] / (2.0 * G);
        close(
            &format!("height at restitution {restitution}"),
            apex,
            restitution * restitution,
            0.02,
        );
    }
}

#[test]
fn a_projectile_lands_at_its_range() {
    let states = watch(&ball("ball", [-2.0, 2.0, 0.0], [3.0, 5.0, 0.0], ""), "", 15);
    let down = states
        .windows(2)
        .find(|w| w[0][0].position[1] > 2.0 && w[1][0].position[1] <= 2.0)
        .expect("it comes down");
    let (a, b) = (down[0][0].position, down[1][0].position);
    let share = (a[1] - 2.0) / (a[1] - b[1]);
    close(
        "range",
        a[0] + share * (b[0] - a[0]) + 2.0,
        2.0 * 3.0 * 5.0 / G,
        0.02,
    );
    assert_eq!(down[1][0].velocity[0], 3.0, "nothing pushes sideways");
}

#[test]
fn friction_stops_a_slider_where_it_should() {
    for friction in [0.3f32, 0.6] {
        let bodies = format!(
            "(name: \"block\", kind: Dynamic, shape: Cuboid(half: (0.2, 0.05, 0.2)), colour: Blue, \
             position: (0.0, 0.05, 0.0), \
             velocity: (2.0, 0.0, 0.0), friction: {friction:?}),"
        );
        let states = watch(&bodies, &format!("floor_friction: {friction:?}"), 30);
        let end = states[30][0];
        assert!(end.velocity[0].abs() < 1e-3, "it stops");
        close(
            &format!("way at friction {friction}"),
            end.position[0],
            4.0 / (2.0 * friction * G),
            0.02,
        );
    }
}

#[test]
fn a_pendulum_swings_in_its_period() {
    for (length, roll) in [(0.5f32, 8.0f32), (1.0, 20.0)] {
        let bodies = format!(
            "(name: \"bob\", kind: Dynamic, shape: Ball(radius: 0.05), colour: Blue, position: (0.0, 1.0, \
             0.0), roll: {roll:?}),"
        );
        let joints = format!(
            "joints: [(kind: Revolute(axis: (0.0, 0.0, 1.0)), a: \"world\", b: \"bob\", \
             anchor_a: (0.0, 2.0, 0.0), anchor_b: (0.0, {length:?}, 0.0))],"
        );
        let states = watch(&bodies, &joints, 100);
        // Times at which it passes the lowest point to the same side.
        let passes: Vec<f32> = states
            .windows(2)
            .enumerate()
            .filter(|(_, w)| w[0][0].position[0] < 0.0 && w[1][0].position[0] >= 0.0)
            .map(|(t, w)| {
                let (a, b) = (w[0][0].position[0], w[1][0].position[0]);
                (t as f32 + a / (a - b)) / CONTROL_HZ as f32
            })
            .collect();
        let swings = passes.len() - 1;
        assert!(swings >= 4, "it swings: {passes:?}");
        let period = (passes[swings] - passes[0]) / swings as f32;
        let inertia = length * length + 0.4 * 0.05 * 0.05;
        let amplitude = roll.to_radians();
        let textbook = 2.0
            * std::f32::consts::PI
            * (inertia / (G * length)).sqrt()
            * (1.0 + amplitude * amplitude / 16.0);
        close(&format!("period at {length} m"), period, textbook, 0.02);
    }
}

#[test]
fn elastic_balls_exchange_momentum_and_keep_energy() {
    let (m, n, u, v) = (0.4f32, 1.2f32, 1.5f32, -0.25f32);
    let bodies = ball(
        "left",
        [-0.6, 1.0, 0.0],
        [u, 0.0, 0.0],
        "mass: 0.4, restitution: 1.0, friction: 0.0",
    ) + &ball(
        "right",
        [0.6, 1.0, 0.0],
        [v, 0.0, 0.0],
        "mass: 1.2, restitution: 1.0, friction: 0.0",
    );
    let states = watch(&bodies, "gravity: 0.0", 12);
    let end = &states[12];
    let (a, b) = (end[0].velocity[0], end[1].velocity[0]);
    close("momentum", m * a + n * b, m * u + n * v, 1e-4);
    close("left ball", a, ((m - n) * u + 2.0 * n * v) / (m + n), 0.02);
    close("right ball", b, ((n - m) * v + 2.0 * m * u) / (m + n), 0.02);
    close("energy", m * a * a + n * b * b, m * u * u + n * v * v, 0.02);
}
