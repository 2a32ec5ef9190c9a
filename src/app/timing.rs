//! Time of every worker, and how long the main thread spends on them.

use std::collections::VecDeque;

/// Samples that a percentile looks back on.
const WINDOW: usize = 4096;

/// A running record of durations.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    values: VecDeque<f32>,
    total: u64,
}

impl Samples {
    /// Adds one, milliseconds.
    pub fn add(&mut self, ms: f32) {
        if self.values.len() == WINDOW {
            self.values.pop_front();
        }
        self.values.push_back(ms);
        self.total += 1;
    }

    /// The newest, milliseconds.
    pub fn last(&self) -> Option<f32> {
        self.values.back().copied()
    }

    /// How many were ever added.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// A percentile of the last few thousand, `share` in [0, 1]; `None` before the first.
    pub fn percentile(&self, share: f32) -> Option<f32> {
        if self.values.is_empty() {
            return None;
        }
        let mut sorted: Vec<f32> = self.values.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        let index = ((sorted.len() - 1) as f32 * share.clamp(0.0, 1.0)).round() as usize;
        sorted.get(index).copied()
    }
}

/// The timers that the panel shows.
#[derive(Clone, Debug, Default)]
pub struct Timers {
    /// Time between frames of the window.
    pub frame: Samples,
    /// Part of a frame that the main thread spends waiting for, or copying from, workers.
    pub workers: Samples,
    /// One control step of physics.
    pub physics: Samples,
    /// One look of the eye.
    pub eye: Samples,
    /// One decision.
    pub decision: Samples,
    /// One rollout, by model.
    pub rollouts: Vec<(String, Samples)>,
    /// One judged rollout.
    pub judge: Samples,
}

impl Timers {
    /// The samples of a model's rollouts.
    pub fn rollout(&mut self, model: &str) -> &mut Samples {
        let index = match self.rollouts.iter().position(|(name, _)| name == model) {
            Some(index) => index,
            None => {
                self.rollouts.push((model.into(), Samples::default()));
                self.rollouts.len() - 1
            }
        };
        &mut self.rollouts[index].1
    }

    /// Rows for the panel: what, samples.
    pub fn rows(&self) -> Vec<(String, &Samples)> {
        let mut rows = vec![
            ("Window, frame to frame".to_string(), &self.frame),
            ("Window, waiting for workers".to_string(), &self.workers),
            ("Physics, one step".to_string(), &self.physics),
            ("Eye, one look".to_string(), &self.eye),
            ("Controller, one decision".to_string(), &self.decision),
        ];
        for (name, samples) in &self.rollouts {
            rows.push((format!("{name}, one rollout"), samples));
        }
        rows.push(("Judge, one rollout".to_string(), &self.judge));
        rows
    }

    /// A report for the terminal.
    pub fn report(&self) -> String {
        let mut out =
            String::from("timer                              count   median ms      p99 ms\n");
        for (what, samples) in self.rows() {
            if let (Some(median), Some(p99)) = (samples.percentile(0.5), samples.percentile(0.99)) {
                out.push_str(&format!(
                    "{what:<32} {:>7}  {median:>10.3}  {p99:>10.3}\n",
                    samples.count()
                ));
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile(0.5), None);
        for i in 0..=100 {
            samples.add(i as f32);
        }
        assert_eq!(samples.percentile(0.5), Some(50.0));
        assert_eq!(samples.percentile(0.99), Some(99.0));
    }
}
