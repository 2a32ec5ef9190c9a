//! Surprise: the area under the curve is what it should be, and a model that sees what copy-last sees is as
//! good as it, no better.

use parallax::eval::surprise::{self, Break, auroc, separation};
use parallax::model::{Actions, Context, Frame};
use parallax::sim::HELD_OUT_SEED;

use crate::support::scene;
use crate::support::stub::{Stub, shape};

#[test]
fn the_area_is_that_of_mann_and_whitney() {
    assert_eq!(auroc(&[2.0, 3.0], &[0.0, 1.0]), 1.0);
    assert_eq!(auroc(&[0.0, 1.0], &[2.0, 3.0]), 0.0);
    assert_eq!(auroc(&[1.0, 1.0], &[1.0]), 0.5);
    // scipy.stats.mannwhitneyu([3, 1, 4, 1, 5], [2, 7, 1, 8]).statistic / 20
    assert!((auroc(&[3.0, 1.0, 4.0, 1.0, 5.0], &[2.0, 7.0, 1.0, 8.0]) - 0.35).abs() < 1e-12);
    let pairs: Vec<[f64; 2]> = (0..60)
        .map(|i| (f64::from(i * 7919 % 101), f64::from(i * 104_729 % 97)))
        .map(|(base, more)| [base, base + more - 20.0])
        .collect();
    let found = separation(&pairs);
    let larger = pairs.iter().filter(|[p, i]| i > p).count() as f64 / 60.0;
    assert!((found.paired.unwrap().rate - larger).abs() < 0.01);
    assert!(
        found.auroc.unwrap().low < found.auroc.unwrap().mean
            && found.auroc.unwrap().mean < found.auroc.unwrap().high
    );
    assert!(
        found.auroc.unwrap().mean < found.paired.unwrap().rate,
        "pairs differ less than episodes do"
    );
}

/// Expects that nothing changes.
fn change(seen: &Context, taken: &Actions, next: &Frame) -> f32 {
    assert_eq!(
        (taken.n, taken.steps, taken.data.len()),
        (1, 2, 2 * taken.dim)
    );
    assert_eq!(seen.actions.len() + 1, seen.frames.len());
    let last = seen.frames.last().expect("an observation");
    let pixels = last.data.iter().zip(&next.data);
    pixels.map(|(a, b)| f32::from(a.abs_diff(*b)).powi(2)).sum()
}

#[test]
fn a_model_that_expects_no_change_is_copy_last() {
    let still = Stub::with_surprise("still", shape(1, 2), change);
    let found = surprise::run(&scene("push"), &still, HELD_OUT_SEED + 700, 12).unwrap();
    for kind in [
        Break::Teleport,
        Break::Vanish,
        Break::Recolour,
        Break::PassThrough,
        Break::Freeze,
    ] {
        let result = &found[&kind];
        assert_eq!(result.pairs, 12, "{kind:?}");
        let area = |found: surprise::Separation| found.auroc.unwrap().mean;
        for (own, floor) in [
            (result.model, result.copy_last),
            (result.model_by_mean, result.copy_last_by_mean),
        ] {
            assert!((area(own) - area(floor)).abs() < 1e-9, "{kind:?}");
        }
    }
    assert!(
        found[&Break::Teleport].model.paired.unwrap().rate > 0.9,
        "a jump changes the picture"
    );
    assert!(
        found[&Break::PassThrough].model.auroc.unwrap().mean < 0.5,
        "what is not pushed changes less"
    );
    assert!(
        !found.contains_key(&Break::VanishHidden),
        "nothing hides a cube"
    );
    // Only the occluder hides what moves; a hand can be neither frozen nor let through.
    let hidden = surprise::run(&scene("occluder"), &still, HELD_OUT_SEED + 700, 4).unwrap();
    assert!(hidden[&Break::VanishHidden].pairs > 0);
    let reach = surprise::run(&scene("reach"), &still, HELD_OUT_SEED + 700, 2).unwrap();
    assert!(!reach.contains_key(&Break::Freeze) && !reach.contains_key(&Break::PassThrough));
}
