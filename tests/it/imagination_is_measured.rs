//! Dreams and action following are measured soundly: a model that ignores actions is caught, one that knows
//! reality passes, and a world that fades or multiplies is seen.

use std::sync::Arc;

use parallax::eval::attributes::{self, Attribute};
use parallax::eval::{dream, following};
use parallax::judge::Blob;
use parallax::model::facets::Pixels;
use parallax::model::{
    Actions, Cancel, Card, Context, Cost, Facets, Frame, Frames, Latent, ModelError, Rollouts,
    Sampling, Shape, WorldModel,
};
use parallax::scene::Scene;
use parallax::sim::HELD_OUT_SEED;
use parallax::stats::Mean;

use crate::support::scene;
use crate::support::stub::shape;

/// What a fake makes of the last frame it saw, and of the actions so far.
type Paint = fn(frame: &mut [u8], size: usize, step: usize, actions: &[f32]);

struct Fake {
    card: Card,
    paint: Paint,
}

impl Fake {
    fn new(paint: Paint) -> Self {
        Self {
            card: crate::diffusion_imagines::card(),
            paint,
        }
    }
}

impl WorldModel for Fake {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        shape(1, 1)
    }
    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(context.frames.last().unwrap().clone()))
    }
    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        _: Sampling,
        _: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let last = latent.get::<Frame>("fake")?;
        let mut data = Vec::new();
        for t in 0..actions.steps {
            let mut frame = last.data.clone();
            let so_far = &actions.data[..(t + 1) * actions.dim];
            (self.paint)(&mut frame, last.size, t, so_far);
            data.extend(frame);
        }
        Ok(Rollouts::new(Frames::sequence(last.size, data)))
    }
    fn cost(&self, _: Sampling) -> Cost {
        Cost::default()
    }
    fn facets(&self) -> Facets<'_> {
        Facets {
            pixels: Some(self),
            ..Facets::default()
        }
    }
}

impl Pixels for Fake {
    fn frames(&self, rollouts: &Rollouts) -> Result<Frames, ModelError> {
        Ok(rollouts.get::<Frames>("fake")?.clone())
    }
}

/// Moves all that is coloured like the hand by whole pixels.
fn shift_hand(frame: &mut [u8], size: usize, dx: i32, dy: i32) {
    let is_hand = |p: &[u8]| i32::from(p[0]) - i32::from(p[2]) > 90;
    let hand: Vec<usize> = (0..size * size)
        .filter(|&p| is_hand(&frame[3 * p..3 * p + 3]))
        .collect();
    let colours: Vec<[u8; 3]> = hand
        .iter()
        .map(|&p| [frame[3 * p], frame[3 * p + 1], frame[3 * p + 2]])
        .collect();
    for &p in &hand {
        frame[3 * p..3 * p + 3].copy_from_slice(&[170, 168, 160]);
    }
    for (&p, colour) in hand.iter().zip(colours) {
        let (x, y) = ((p % size) as i32 + dx, (p / size) as i32 + dy);
        if (0..size as i32).contains(&x) && (0..size as i32).contains(&y) {
            let q = (y as usize * size + x as usize) * 3;
            frame[q..q + 3].copy_from_slice(&colour);
        }
    }
}

/// The hand wanders, whatever the actions say.
fn deaf(frame: &mut [u8], size: usize, step: usize, _: &[f32]) {
    let wander = [0, 2, -1, 3, 0, -2, 1, 4, 2, 3];
    shift_hand(frame, size, wander[step % 10], -wander[(step + 3) % 10]);
}

/// The hand goes where the actions say, three pixels a step.
fn obedient(frame: &mut [u8], size: usize, _: usize, actions: &[f32]) {
    let sum = |c: usize| actions.iter().skip(c).step_by(2).sum::<f32>();
    shift_hand(frame, size, (3.0 * sum(0)) as i32, (3.0 * sum(1)) as i32);
}

fn reach() -> Arc<Scene> {
    scene("reach")
}

#[test]
fn a_model_that_ignores_actions_is_caught() {
    let scene = reach();
    let deaf = following::run(&scene, &Fake::new(deaf), HELD_OUT_SEED, 12).unwrap();
    assert!(
        (deaf.shuffled_ratio.unwrap().mean - 1.0).abs() < 1e-9,
        "other actions change nothing: {:?}",
        deaf.shuffled_ratio
    );
    assert!(deaf.hand.lowest_r.unwrap() < 0.3, "{:?}", deaf.hand);
    let obedient = following::run(&scene, &Fake::new(obedient), HELD_OUT_SEED, 12).unwrap();
    assert!(obedient.hand.lowest_r.unwrap() > 0.6, "{:?}", obedient.hand);
    assert!(
        obedient.shuffled_ratio.unwrap().mean > 1.05,
        "{:?}",
        obedient.shuffled_ratio
    );
    assert_eq!(
        deaf.reality, obedient.reality,
        "one map and one truth for all"
    );
    assert!(deaf.reality.lowest_r.unwrap() > 0.8 && deaf.reality.lost == 0.0);
}

#[test]
fn a_scene_without_a_hand_is_refused() {
    let error = following::run(&scene("fall"), &Fake::new(deaf), HELD_OUT_SEED, 2).unwrap_err();
    assert!(error.to_string().contains("no hand"), "{error}");
}

/// Everything fades to grey after twenty steps.
fn fading(frame: &mut [u8], _: usize, step: usize, _: &[f32]) {
    if step >= 20 {
        frame.iter_mut().for_each(|b| *b = 128);
    }
}

/// A second hand beside the first.
fn doubling(frame: &mut [u8], size: usize, _: usize, _: &[f32]) {
    let before = frame.to_vec();
    shift_hand(frame, size, 0, if size > 0 { 14 } else { 0 });
    for (new, old) in frame.chunks_exact_mut(3).zip(before.chunks_exact(3)) {
        if i32::from(old[0]) - i32::from(old[2]) > 90 {
            new.copy_from_slice(old);
        }
    }
}

/// Everything stays but the hand, which is gone.
fn handless(frame: &mut [u8], size: usize, _: usize, _: &[f32]) {
    shift_hand(frame, size, size as i32, 0);
}

#[test]
fn a_dream_that_lost_one_of_two_bodies_is_not_right() {
    let found = dream::run(&scene("push"), &Fake::new(handless), HELD_OUT_SEED, 3, 40).unwrap();
    let right = found.model.count_right.unwrap().mean;
    assert!(
        right < 0.2,
        "the cube alone is right in {right} of all frames"
    );
}

#[test]
fn a_dream_that_fades_or_multiplies_is_seen_and_reality_passes() {
    let scene = reach();
    let still = dream::run(&scene, &Fake::new(|_, _, _, _| {}), HELD_OUT_SEED, 3, 40).unwrap();
    assert_eq!(still.model.count_right.unwrap().mean, 1.0);
    assert!(still.model.background_psnr_db.unwrap().mean > 50.0);
    assert!(
        still.reality.count_right.unwrap().mean > 0.95
            && still.reality.background_psnr_db.unwrap().mean > 35.0,
        "{:?}",
        still.reality
    );
    let fading = dream::run(&scene, &Fake::new(fading), HELD_OUT_SEED, 3, 40).unwrap();
    assert!(
        (fading.model.count_right.unwrap().mean - 0.5).abs() < 0.05,
        "half of forty frames"
    );
    assert!(
        fading.model.background_psnr_db.unwrap().mean
            < still.model.background_psnr_db.unwrap().mean - 10.0
    );
    let doubling = dream::run(&scene, &Fake::new(doubling), HELD_OUT_SEED, 3, 40).unwrap();
    assert!(
        doubling.model.count_right.unwrap().mean < 0.5,
        "{:?}",
        doubling.model.count_right
    );
    assert_eq!(doubling.reality, still.reality);
}

#[test]
fn a_ratio_is_that_of_the_sums_and_lies_in_its_interval() {
    let pairs: Vec<[f64; 2]> = (1..40).map(|i| [f64::from(3 * i), f64::from(i)]).collect();
    let ratio = Mean::ratio(&pairs).unwrap();
    assert!((ratio.mean - 3.0).abs() < 1e-12 && (ratio.high - ratio.low).abs() < 1e-9);
    let uneven: Vec<[f64; 2]> = (1..40).map(|i| [f64::from(i % 7), f64::from(i)]).collect();
    let ratio = Mean::ratio(&uneven).unwrap();
    assert!(ratio.low < ratio.mean && ratio.mean < ratio.high);
    assert_eq!(Mean::ratio(&[]), None);
}

/// Whatever is there stays as it is.
fn still(_: &mut [u8], _: usize, _: usize, _: &[f32]) {}

/// What is neither orange nor blue turns orange.
fn prejudiced(frame: &mut [u8], _: usize, _: usize, _: &[f32]) {
    for p in frame.chunks_exact_mut(3) {
        let (low, high) = (p.iter().min().unwrap(), p.iter().max().unwrap());
        let is_coloured = high - low > 40;
        let is_orange = p[0] > p[1] && p[1] > p[2] && u32::from(p[1]) * 2 > u32::from(p[0]);
        let is_blue = p[2] > p[1] && p[1] > p[0];
        if is_coloured && !is_orange && !is_blue {
            p.copy_from_slice(&[230, 159, 0]);
        }
    }
}

#[test]
fn what_is_kept_of_an_odd_body_is_told_from_what_goes_back_to_training() {
    let collide = scene("collide");
    let kept = |paint: Paint| {
        let found = attributes::run(&collide, &Fake::new(paint), HELD_OUT_SEED, 6).unwrap();
        assert_eq!(found.published_order, Attribute::ALL);
        found.attributes
    };
    let same = kept(still);
    for attribute in [Attribute::Colour, Attribute::Size, Attribute::Shape] {
        let kept = same[&attribute];
        assert_eq!(kept.lost, 0.0, "{attribute:?}: {kept:?}");
        assert!(
            (kept.kept.unwrap().mean - 1.0).abs() < 0.3,
            "{attribute:?}: {kept:?}"
        );
    }
    // A body that stands still is between the velocity that it was given, v, and the nearest of training,
    // u: (0 - u) / (v - u), which is .15 / (.15 + .7 * .375) here.
    let velocity = same[&Attribute::Velocity].kept.unwrap().mean;
    assert!((velocity - 0.364).abs() < 0.03, "{velocity}");
    // Half of the bodies turn into what training had, the others into the colour of another body: nothing
    // is kept, and half are lost.
    let colour = kept(prejudiced)[&Attribute::Colour];
    assert!(colour.kept.unwrap().mean < 0.05, "{colour:?}");
    assert!((colour.lost - 0.5).abs() < 0.01, "{colour:?}");
}

#[test]
fn a_square_is_square_however_it_is_turned_and_a_disc_is_not() {
    const SIDE: usize = 96;
    let blob = |inside: &dyn Fn(f64, f64) -> bool| {
        let middle = SIDE as f64 / 2.0;
        let mask = (0..SIDE * SIDE).map(|i| {
            let (x, y) = ((i % SIDE) as f64 + 0.5, (i / SIDE) as f64 + 0.5);
            f32::from(u8::from(inside(x - middle, y - middle)))
        });
        Blob {
            centroid: [middle as f32; 2],
            mask: mask.collect(),
            ..Blob::default()
        }
    };
    let disc = attributes::squareness(&blob(&|x, y| x.hypot(y) < 30.0), SIDE);
    assert!(disc < 0.01, "{disc}");
    for degrees in [0.0f64, 20.0, 45.0] {
        let (sin, cos) = degrees.to_radians().sin_cos();
        let square =
            blob(&|x: f64, y: f64| (x * cos + y * sin).abs().max((y * cos - x * sin).abs()) < 25.0);
        let found = attributes::squareness(&square, SIDE);
        assert!((found - 3.0 / 7.0).abs() < 0.01, "{degrees}: {found}");
    }
}
