//! Intervals and quantiles are those of the literature, and nothing measured is not nought: the right
//! values stand in published tables or follow in closed form.

use parallax::eval::surprise::separation;
use parallax::stats::{Mean, Rate, Spread, quantile};

/// Newcombe 1998, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17,
/// table I, method 3.
#[test]
fn wilson_s_interval_is_newcombe_s_table() {
    for (successes, trials, low, high) in [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (29, 29, 0.8830, 1.0),
    ] {
        let found = Rate::wilson(successes, trials).unwrap();
        assert!(
            (found.low - low).abs() < 6e-5 && (found.high - high).abs() < 6e-5,
            "{successes} of {trials}: {found:?}, expected [{low}, {high}]"
        );
        assert_eq!(found.rate, successes as f64 / trials as f64);
    }
}

/// Values at the quantiles of a normal distribution: the mean's interval is ± 1.96 standard errors.
#[test]
fn a_bootstrap_interval_of_many_values_is_the_normal_one() {
    // Sums of twelve uniform numbers of a low-discrepancy sequence are near normal.
    let values: Vec<f64> = (0..400)
        .map(|i| {
            (1..=12)
                .map(|k| (f64::from(i) * 0.618_033_988_75 * f64::from(k)).fract())
                .sum()
        })
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let half = 1.959_964 * (variance / n).sqrt();
    let found = Mean::bootstrap(&values).unwrap();
    assert!((found.mean - mean).abs() < 1e-12);
    for (end, expected) in [(found.low, mean - half), (found.high, mean + half)] {
        assert!(
            (end - expected).abs() < 0.12 * half,
            "{found:?}, expected {mean} ± {half}"
        );
    }
    // The ratio to a constant has the same interval.
    let pairs: Vec<[f64; 2]> = values.iter().map(|v| [*v, 2.0]).collect();
    let ratio = Mean::ratio(&pairs).unwrap();
    assert!((ratio.mean - mean / 2.0).abs() < 1e-12);
    assert!(
        (ratio.high - ratio.low - half).abs() < 0.06 * half,
        "{ratio:?}"
    );
}

/// Hanley and McNeil 1982: the standard error of an area of A over n pairs is about √(A(1−A)/n) and some.
#[test]
fn an_area_s_interval_covers_chance_where_there_is_nothing_to_tell() {
    let value = |i: u32, k: f64| (f64::from(i) * k).fract();
    let nothing: Vec<[f64; 2]> = (0..120)
        .map(|i| [value(i, 0.618_033_988_75), value(i, 0.414_213_562_37)])
        .collect();
    let area = separation(&nothing).auroc.unwrap();
    assert!(area.low < 0.5 && 0.5 < area.high, "{area:?}");
    // Both groups are uniform: the standard error is 1/√(6n).
    let half = 1.96 * (1.0 / (6.0 * 120.0f64)).sqrt();
    let width = (area.high - area.low) / 2.0;
    assert!(
        (width - half).abs() < 0.25 * half,
        "{area:?}, expected ± {half}"
    );
}

#[test]
fn quantiles_lie_between_their_neighbours() {
    let values = [4.0, 1.0, 3.0, 2.0, f64::NAN];
    assert_eq!(quantile(&values, 0.5), Some(2.5));
    assert_eq!(quantile(&values, 0.25), Some(1.75));
    assert_eq!(quantile(&values, 1.0), Some(4.0));
    let spread = Spread::of(&values).unwrap();
    assert_eq!((spread.q1, spread.median, spread.q3), (1.75, 2.5, 3.25));
}

#[test]
fn nothing_measured_is_null_and_not_nought() {
    assert_eq!(Rate::wilson(0, 0), None);
    assert_eq!(Mean::bootstrap(&[]), None);
    assert_eq!(Mean::ratio(&[]), None);
    assert_eq!(Mean::ratio(&[[1.0, 0.0]]), None, "nothing to divide by");
    assert_eq!(Spread::of(&[f64::NAN]), None);
    assert_eq!(quantile(&[], 0.5), None);
    assert_eq!(separation(&[]).auroc, None);
    assert_eq!(separation(&[]).paired, None);
    assert_eq!(
        serde_json::json!(Rate::wilson(0, 0)),
        serde_json::Value::Null
    );
    assert_eq!(Rate::percent(None), "not measured");
    assert_eq!(Rate::percent(Rate::wilson(1, 2)), "50.0 % [9.5, 90.5]");
}
