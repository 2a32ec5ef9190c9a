//! Batches of sequences, drawn by seed and step alone: a resumed training sees the same ones.

use crate::episode::Dataset;
use crate::model::nn::Rng;

/// Mean of the frames of the given episodes (a few thousand of them), `[H·W·3]` in [0, 1].
pub fn mean_image(data: &Dataset, episodes: &[usize]) -> Vec<f32> {
    const AT_MOST: usize = 4000;
    let frames = frames_of(data, episodes);
    let step = (frames.len() / AT_MOST).max(1);
    let mut sums = vec![0u64; data.size * data.size * 3];
    let mut count = 0u64;
    for &i in frames.iter().step_by(step) {
        sums.iter_mut()
            .zip(data.frame(i))
            .for_each(|(s, b)| *s += u64::from(*b));
        count += 1;
    }
    sums.into_iter()
        .map(|s| s as f32 / (255. * count.max(1) as f32))
        .collect()
}

/// Indices of all frames of the given episodes.
pub fn frames_of(data: &Dataset, episodes: &[usize]) -> Vec<usize> {
    episodes
        .iter()
        .flat_map(|&e| data.episodes[e].start..data.episodes[e].start + data.episodes[e].len)
        .collect()
}

/// First frames of all windows of `tokens` frames, `frameskip` apart, within the given episodes.
pub fn windows(data: &Dataset, episodes: &[usize], tokens: usize, frameskip: usize) -> Vec<usize> {
    let span = (tokens - 1) * frameskip;
    let starts = |&e: &usize| {
        let e = data.episodes[e];
        e.start..e.start + e.len.saturating_sub(span)
    };
    episodes.iter().flat_map(starts).collect()
}

/// A batch for the joint phase, on its way to tensors.
pub struct Batch {
    /// `[B·T, H, W, 3]` bytes, sequence by sequence.
    pub frames: Vec<u8>,
    /// `[B, T-1, frameskip·A]`.
    pub actions: Vec<f32>,
}

/// Sequences of `tokens` frames, `frameskip` apart.
pub struct Sampler<'a> {
    /// Experience.
    pub data: &'a Dataset,
    /// First frames to draw from.
    pub starts: Vec<usize>,
    /// Sequences a batch.
    pub batch: usize,
    /// Frames a sequence.
    pub tokens: usize,
    /// Control steps between its frames.
    pub frameskip: usize,
    /// Seed of the training.
    pub seed: u64,
}

impl Sampler<'_> {
    /// First frames of the sequences of batch `step`.
    pub fn draw(&self, step: usize) -> Vec<usize> {
        let mut rng = Rng::stream(self.seed ^ 0x5A3D_11E5, step as u64);
        (0..self.batch)
            .map(|_| self.starts[rng.below(self.starts.len())])
            .collect()
    }

    /// Batch `step`.
    pub fn batch(&self, step: usize) -> Batch {
        let mut batch = Batch {
            frames: Vec::new(),
            actions: Vec::new(),
        };
        for start in self.draw(step) {
            for token in 0..self.tokens {
                batch
                    .frames
                    .extend_from_slice(self.data.frame(start + token * self.frameskip));
            }
            batch.actions.extend_from_slice(self.actions(start));
        }
        batch
    }

    /// All actions of the sequence that starts at frame `start`, `[(T-1)·frameskip·A]`.
    pub fn actions(&self, start: usize) -> &[f32] {
        let dim = self.data.action_dim;
        &self.data.actions[start * dim..(start + (self.tokens - 1) * self.frameskip) * dim]
    }
}

/// At most `n` of the frames, evenly spread.
pub fn spread(frames: &[usize], n: usize) -> Vec<usize> {
    let step = (frames.len() / n.max(1)).max(1);
    frames.iter().copied().step_by(step).take(n).collect()
}
