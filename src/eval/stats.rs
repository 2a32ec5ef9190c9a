//! Rates with intervals, and order statistics.

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
    /// Wilson score interval (Wilson 1927), z = 1.96.
    pub fn wilson(successes: usize, trials: usize) -> Rate {
        if trials == 0 {
            return Rate {
                rate: 0.0,
                low: 0.0,
                high: 1.0,
            };
        }
        let (n, p, z) = (trials as f64, successes as f64 / trials as f64, 1.959_964);
        let denominator = 1.0 + z * z / n;
        let centre = (p + z * z / (2.0 * n)) / denominator;
        let half = z / denominator * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        Rate {
            rate: p,
            low: (centre - half).max(0.0),
            high: (centre + half).min(1.0),
        }
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
    /// Percentile bootstrap (Efron 1979), 2000 resamples, the same draws in every run; zeros when there are no values.
    pub fn bootstrap(values: &[f64]) -> Mean {
        const RESAMPLES: usize = 2000;
        if values.is_empty() {
            return Mean::default();
        }
        let n = values.len();
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let means: Vec<f64> = (0..RESAMPLES)
            .map(|_| (0..n).map(|_| values[rng.random_range(0..n)]).sum::<f64>() / n as f64)
            .collect();
        Mean {
            mean: values.iter().sum::<f64>() / n as f64,
            low: quantile(&means, 0.025),
            high: quantile(&means, 0.975),
        }
    }
}

impl Mean {
    /// Ratio of two sums over the same trials, with a percentile bootstrap over trials as in [`Mean::bootstrap`]; zeros when there
    /// are no pairs or the lower sum is 0.
    pub fn ratio(pairs: &[[f64; 2]]) -> Mean {
        const RESAMPLES: usize = 2000;
        let of = |picked: &mut dyn Iterator<Item = usize>| {
            let (mut above, mut below) = (0.0, 0.0);
            picked.for_each(|i| {
                above += pairs[i][0];
                below += pairs[i][1];
            });
            if below > 0.0 { above / below } else { 0.0 }
        };
        let n = pairs.len();
        if n == 0 {
            return Mean::default();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let ratios: Vec<f64> = (0..RESAMPLES)
            .map(|_| of(&mut (0..n).map(|_| rng.random_range(0..n))))
            .collect();
        Mean {
            mean: of(&mut (0..n)),
            low: quantile(&ratios, 0.025),
            high: quantile(&ratios, 0.975),
        }
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
    /// Of finite values; zeros when there are none.
    pub fn of(values: &[f64]) -> Spread {
        Spread {
            median: quantile(values, 0.5),
            q1: quantile(values, 0.25),
            q3: quantile(values, 0.75),
        }
    }
}

/// Linear-interpolation quantile of the finite values; 0 when there are none.
pub fn quantile(values: &[f64], q: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let at = q.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    low + (high - low) * (at - at.floor())
}
