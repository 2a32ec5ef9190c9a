//! What the judge says does not depend on when a clip begins, on left and right, or on the order of bodies;
//! it grows with the fault; and it sees what it is there for: films that freeze, bodies that hover, blur.

use std::sync::Arc;

use parallax::camera::SIZE;
use parallax::eval::judge::{REFERENCE, RealClip};
use parallax::judge::{Judge, Verdict};
use parallax::scene::{Law, Scene};
use parallax::sim::HELD_OUT_SEED;

use crate::support::scene;

const SEED: u64 = HELD_OUT_SEED + 30_000;

fn judged(scene: &Arc<Scene>, reference: usize, frames: &[Vec<u8>]) -> Verdict {
    let views: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
    Judge::new(scene).frames(SIZE, reference, &views, None)
}

/// The pixels of a box moved down by so many, away from the other ball, background drawn in from above.
fn shifted(frame: &[u8], [x0, y0, x1, y1]: [usize; 4], by: usize) -> Vec<u8> {
    let mut out = frame.to_vec();
    let pixel = |f: &[u8], x: usize, y: usize| -> [u8; 3] {
        let i = 3 * (y * SIZE + x);
        [f[i], f[i + 1], f[i + 2]]
    };
    for y in y0..y1 {
        for x in x0..x1 {
            let i = 3 * (y * SIZE + x);
            let plain = pixel(frame, x, y0.saturating_sub(3));
            out[i..i + 3].copy_from_slice(&plain);
        }
    }
    for y in y0..y1 {
        for x in x0..x1 {
            let to = (y + by).min(SIZE - 1);
            let i = 3 * (to * SIZE + x);
            out[i..i + 3].copy_from_slice(&pixel(frame, x, y));
        }
    }
    out
}

/// A clip of two balls whose left one jumps by so many pixels in one frame, and that frame.
fn jumping(seed: u64, by: usize) -> (Vec<Vec<u8>>, usize) {
    let collide = scene("collide");
    let clip = RealClip::new(&collide, seed).unwrap();
    let judge = Judge::new(&collide);
    let at = REFERENCE + 1;
    let views = clip.views();
    let tracks = judge.tracks(SIZE, REFERENCE, &views, None).unwrap();
    let b = tracks.tracks[0].sightings[at].bounds.map(usize::from);
    let wide = [b[0] - 2, b[1] - 2, b[2] + 2, b[3] + 2];
    let mut frames = clip.frames.clone();
    frames[at] = shifted(&frames[at], wide, by);
    (frames, at - REFERENCE)
}

#[test]
fn a_jump_is_told_with_its_frame_and_more_severely_the_longer_it_is() {
    let mut last = 0.0;
    for by in [4, 7, 12] {
        let (frames, at) = jumping(SEED, by);
        let verdict = judged(&scene("collide"), REFERENCE, &frames);
        let jump = verdict
            .violations
            .iter()
            .find(|v| v.law == Law::Continuity && v.body == Some(0))
            .unwrap_or_else(|| panic!("a jump of {by} pixels: {verdict:?}"));
        assert!(jump.first_frame.abs_diff(at) <= 1, "{jump:?}, not {at}");
        assert!(jump.severity > last, "{by}: {} after {last}", jump.severity);
        assert!(jump.sentence.contains("left"), "{}", jump.sentence);
        last = jump.severity;
    }
}

#[test]
fn a_verdict_shifts_with_the_clip() {
    let (frames, _) = jumping(SEED + 1, 9);
    let early = judged(&scene("collide"), REFERENCE - 1, &frames);
    let late = judged(&scene("collide"), REFERENCE, &frames);
    let found = |v: &Verdict, by: usize| -> Vec<(Law, Option<usize>, usize)> {
        let each = v.violations.iter();
        each.map(|x| (x.law, x.body, x.first_frame + by)).collect()
    };
    assert!(!late.violations.is_empty());
    assert_eq!(found(&early, 0), found(&late, 1));
}

#[test]
fn a_verdict_does_not_know_left_from_right() {
    let (frames, _) = jumping(SEED + 2, 9);
    let mut mirrored = (*scene("collide")).clone();
    mirrored.sun[0] = -mirrored.sun[0];
    let flip = |frame: &Vec<u8>| -> Vec<u8> {
        let rows = frame.chunks_exact(3 * SIZE);
        rows.flat_map(|row| row.chunks_exact(3).rev().flatten().copied())
            .collect()
    };
    let flipped: Vec<Vec<u8>> = frames.iter().map(flip).collect();
    let plain = judged(&scene("collide"), REFERENCE, &frames);
    let other = judged(&Arc::new(mirrored), REFERENCE, &flipped);
    let found = |v: &Verdict| -> Vec<(Law, Option<usize>, usize, usize)> {
        let each = v.violations.iter();
        each.map(|x| (x.law, x.body, x.first_frame, x.last_frame))
            .collect()
    };
    assert!(!plain.violations.is_empty());
    assert_eq!(found(&plain), found(&other));
}

#[test]
fn a_verdict_does_not_know_the_order_of_bodies() {
    let (frames, _) = jumping(SEED + 3, 9);
    let mut turned = (*scene("collide")).clone();
    turned.bodies.reverse();
    let plain = judged(&scene("collide"), REFERENCE, &frames);
    let other = judged(&Arc::new(turned), REFERENCE, &frames);
    let found = |v: &Verdict, map: [usize; 2]| {
        // What two bodies do together is reported of one of them.
        let pair = [Law::Identity, Law::Interpenetration, Law::Momentum];
        let mut all: Vec<(Law, Option<usize>, usize, usize)> = v
            .violations
            .iter()
            .map(|x| {
                let body = x.body.filter(|_| !pair.contains(&x.law)).map(|b| map[b]);
                (x.law, body, x.first_frame, x.last_frame)
            })
            .collect();
        all.sort();
        all
    };
    assert!(!plain.violations.is_empty());
    assert_eq!(found(&plain, [0, 1]), found(&other, [1, 0]));
}

#[test]
fn a_film_that_freezes_while_balls_roll_breaks_stillness() {
    let collide = scene("collide");
    let clip = RealClip::new(&collide, SEED + 6).unwrap();
    let real = judged(&collide, REFERENCE, &clip.frames);
    assert!(real.violations.is_empty(), "{:?}", real.violations);
    let mut frozen = clip.frames.clone();
    for t in REFERENCE + 1..frozen.len() {
        frozen[t] = frozen[REFERENCE].clone();
    }
    let verdict = judged(&collide, REFERENCE, &frozen);
    assert!(verdict.broken().contains(&Law::Stillness), "{verdict:?}");
    assert!(verdict.line().contains("broken"), "{}", verdict.line());
}

#[test]
fn what_rolls_down_a_slope_does_not_stand_at_once() {
    // Coulomb: on a slope of 25 degrees friction takes at most g (μ cos 25° - sin 25°) < 0.8 m/s² from a
    // speed.
    let ramp = scene("ramp");
    let (mut told, mut rolling) = (0, 0);
    for seed in 0..40 {
        let clip = RealClip::new(&ramp, SEED + seed).unwrap();
        let tracks = Judge::new(&ramp);
        let views = clip.views();
        let Some(tracks) = tracks.tracks(SIZE, REFERENCE, &views, None) else {
            continue;
        };
        let ball = tracks
            .tracks
            .iter()
            .find(|t| ramp.bodies[t.body].name == "ball")
            .unwrap();
        // On the slope: its middle is well above the floor, it goes down and to the right, and is seen whole.
        let rolls = |&at: &usize| {
            let [a, b] = [at - 1, at].map(|t| &ball.sightings[t]);
            let seen = a.is_seen() && b.is_seen() && !a.beside && !b.beside;
            seen && b.at[1] > 0.2 && (b.at[0] - a.at[0]) / tracks.dt > 0.6
        };
        let Some(at) = (REFERENCE + 1..REFERENCE + 8).find(rolls) else {
            continue;
        };
        rolling += 1;
        let honest = judged(&ramp, REFERENCE, &clip.frames);
        let inertia = |v: &Verdict| v.violations.iter().any(|v| v.law == Law::Inertia);
        assert!(!inertia(&honest), "seed {seed}: {honest:?}");
        let mut frames = clip.frames.clone();
        let held = frames[at].clone();
        frames[at + 1..].fill(held);
        told += usize::from(inertia(&judged(&ramp, REFERENCE, &frames)));
    }
    assert!(rolling >= 4, "{rolling} balls roll down");
    assert!(10 * told >= 9 * rolling, "{told} of {rolling}");
}

#[test]
fn a_blurred_film_breaks_look_and_one_that_is_dirty_its_background() {
    let push = scene("push");
    let clip = RealClip::new(&push, SEED + 8).unwrap();
    let blur = |frame: &Vec<u8>| -> Vec<u8> {
        let at = |x: usize, y: usize, c: usize| i32::from(frame[3 * (y * SIZE + x) + c]);
        let mut out = frame.clone();
        for y in 3..SIZE - 3 {
            for x in 3..SIZE - 3 {
                for c in 0..3 {
                    let sum: i32 = (0..49).map(|k| at(x + k % 7 - 3, y + k / 7 - 3, c)).sum();
                    out[3 * (y * SIZE + x) + c] = (sum / 49) as u8;
                }
            }
        }
        out
    };
    let mut frames = clip.frames.clone();
    for frame in &mut frames[REFERENCE + 4..] {
        *frame = blur(frame);
    }
    let verdict = judged(&push, REFERENCE, &frames);
    assert!(verdict.broken().contains(&Law::Look), "{verdict:?}");

    let mut frames = clip.frames.clone();
    for frame in &mut frames[REFERENCE + 4..] {
        for y in 0..8 {
            for x in 0..8 {
                let i = 3 * (y * SIZE + x);
                frame[i..i + 3].copy_from_slice(&[40, 42, 45]);
            }
        }
    }
    let verdict = judged(&push, REFERENCE, &frames);
    assert!(verdict.broken().contains(&Law::Background), "{verdict:?}");
}
