//! Rates and means with intervals, and order statistics.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A rate with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Successes over trials.
    pub rate: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Rate {
    /// Wilson score interval (Wilson 1927), z = 1.96; `None` of no trials.
    pub fn wilson(successes: usize, trials: usize) -> Option<Rate> {
        if trials == 0 {
            return None;
        }
        let (n, p, z) = (trials as f64, successes as f64 / trials as f64, 1.959_964);
        let denominator = 1.0 + z * z / n;
        let centre = (p + z * z / (2.0 * n)) / denominator;
        let half = z / denominator * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        Some(Rate {
            rate: p,
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
        })
    }

    /// The rate and its interval in percent, as tables show them.
    pub fn percent(rate: Option<Rate>) -> String {
        rate.map_or_else(
            || "not measured".into(),
            |r| {
                let [rate, low, high] = [r.rate, r.low, r.high].map(|v| 100.0 * v);
                format!("{rate:.1} % [{low:.1}, {high:.1}]")
            },
        )
    }
}

/// A mean with its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Mean.
    pub mean: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Mean {
    /// Percentile bootstrap (Efron 1979), 2000 resamples, the same draws in every run; `None` of no values.
    pub fn bootstrap(values: &[f64]) -> Option<Mean> {
        const RESAMPLES: usize = 2000;
        if values.is_empty() {
            return None;
        }
        let n = values.len();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let means: Vec<f64> = (0..RESAMPLES)
            .map(|_| (0..n).map(|_| values[rng.random_range(0..n)]).sum::<f64>() / n as f64)
            .collect();
        Some(Mean {
            mean: values.iter().sum::<f64>() / n as f64,
            low: quantile(&means, 0.025)?,
            high: quantile(&means, 0.975)?,
        })
    }
}

impl Mean {
    /// Ratio of two sums over the same trials, with a percentile bootstrap over trials as in
    /// [`Mean::bootstrap`]; `None` where there are no pairs or the lower sum is 0.
    pub fn ratio(pairs: &[[f64; 2]]) -> Option<Mean> {
        const RESAMPLES: usize = 2000;
        let of = |picked: &mut dyn Iterator<Item = usize>| {
            let (mut above, mut below) = (0.0, 0.0);
            picked.for_each(|i| {
                above += pairs[i][0];
                below += pairs[i][1];
            });
            (below > 0.0).then(|| above / below)
        };
        let n = pairs.len();
        let mean = of(&mut (0..n))?;
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let ratios: Vec<f64> = (0..RESAMPLES)
            .filter_map(|_| of(&mut (0..n).map(|_| rng.random_range(0..n))))
            .collect();
        Some(Mean {
            mean,
            low: quantile(&ratios, 0.025)?,
            high: quantile(&ratios, 0.975)?,
        })
    }
}

/// Median and quartiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Median.
    pub median: f64,
    /// Lower quartile.
    pub q1: f64,
    /// Upper quartile.
    pub q3: f64,
}

impl Spread {
    /// Of the finite values; `None` when there are none.
    pub fn of(values: &[f64]) -> Option<Spread> {
        Some(Spread {
            median: quantile(values, 0.5)?,
            q1: quantile(values, 0.25)?,
            q3: quantile(values, 0.75)?,
        })
    }
}

/// Linear-interpolation quantile of the finite values; `None` when there are none.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    Some(low + (high - low) * (at - at.floor()))
}
