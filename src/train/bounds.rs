//! Bounds of the numbers in `train.ron`: what is not finite, or no such training, is refused before it
//! begins.

use super::schedule::Length;
use crate::model::nn::AdamWConfig;
use std::fmt::Display;
use std::ops::RangeInclusive;

/// A field, and what was found and expected.
pub type Fault = (String, String);

/// Largest number of optimisation steps.
const MOST_STEPS: usize = 1_000_000_000;
/// Longest phase, minutes: nearly two years.
const MOST_MINUTES: f64 = 1e6;

/// The fault, if a field is outside of a range. NaN is outside of every range.
pub fn within<T: PartialOrd + Display>(
    field: impl Display,
    found: T,
    range: RangeInclusive<T>,
) -> Result<(), Fault> {
    match range.contains(&found) {
        true => Ok(()),
        false => Err((
            field.to_string(),
            format!(
                "found {found}, expected {} to {}",
                range.start(),
                range.end()
            ),
        )),
    }
}

/// The fault, if a field is not above 0 or above `most`.
pub fn positive(field: impl Display, found: f64, most: f64) -> Result<(), Fault> {
    match found > 0. && found <= most {
        true => Ok(()),
        false => Err((
            field.to_string(),
            format!("found {found}, expected above 0, at most {most}"),
        )),
    }
}

/// The fault of a length. Only a phase without which something is left to train may be skipped.
pub fn length(field: impl Display, found: Length, may_skip: bool) -> Result<(), Fault> {
    match found {
        Length::Steps(n) => within(format!("{field}: Steps"), n, 1..=MOST_STEPS),
        Length::Minutes(m) => positive(format!("{field}: Minutes"), m, MOST_MINUTES),
        Length::Skip if may_skip => Ok(()),
        Length::Skip => Err((
            field.to_string(),
            "found Skip, but this phase cannot be left out".into(),
        )),
    }
}

/// The fault of an optimiser's settings.
pub fn optimiser(field: impl Display, found: &AdamWConfig) -> Result<(), Fault> {
    positive(format!("{field}.lr"), found.lr, 10.)?;
    for beta in [found.betas.0, found.betas.1] {
        if !(0. ..1.).contains(&beta) {
            let message = format!("found {beta}, expected 0 to below 1");
            return Err((format!("{field}.betas"), message));
        }
    }
    positive(format!("{field}.eps"), found.eps, 1.)?;
    within(
        format!("{field}.weight_decay"),
        found.weight_decay,
        0. ..=100.,
    )
}

/// What most phases have: share that warms up, longest gradient, and how much is done between lines of the
/// curve.
pub fn habits(field: &str, warmup: f64, clip: f64, log_every: usize) -> Result<(), Fault> {
    within(format!("{field}.warmup"), warmup, 0. ..=1.)?;
    positive(format!("{field}.clip"), clip, 1e9)?;
    within(format!("{field}.log_every"), log_every, 1..=MOST_STEPS)
}

/// Seconds between checkpoints; 0 makes one after every step.
pub fn checkpoint_seconds(field: &str, found: f64) -> Result<(), Fault> {
    within(format!("{field}.checkpoint_seconds"), found, 0. ..=86_400.)
}

/// The fault of a part, under the part's name.
pub fn inside(part: &str, checked: Result<(), (&'static str, String)>) -> Result<(), Fault> {
    checked.map_err(|(field, message)| (format!("{part}.{field}"), message))
}
