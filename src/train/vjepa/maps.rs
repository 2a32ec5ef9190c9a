//! Maps of all frames of some episodes, stored once as half floats: the encoder is not asked again.

use crate::episode::Dataset;
use crate::model::jepa::vjepa::{ActionJepa, Summary};
use crate::train::lewm::{Latents, windows};
use crate::train::{Clock, TrainError};
use candle_core::Tensor;
use half::f16;
use half::slice::HalfFloatSliceExt as _;

/// Stored maps.
pub struct Maps {
    /// The episodes that fitted.
    pub episodes: Vec<usize>,
    /// For every frame of the dataset the row in `rows`, or `u32::MAX`.
    index: Vec<u32>,
    rows: Vec<f16>,
    len: usize,
}

impl Maps {
    /// Encodes episodes until there are `max_frames` frames.
    pub fn encode(
        model: &ActionJepa,
        data: &Dataset,
        episodes: &[usize],
        max_frames: usize,
        clock: &Clock,
    ) -> Result<Self, TrainError> {
        let mut maps = Self {
            episodes: Vec::new(),
            index: vec![u32::MAX; data.len()],
            rows: Vec::new(),
            len: model.config().map_len(),
        };
        let (frame, mut count) = (data.size * data.size * 3, 0usize);
        for &e in episodes {
            clock.check()?;
            if count >= max_frames {
                break;
            }
            let span = data.episodes[e];
            let bytes = &data.frames[span.start * frame..(span.start + span.len) * frame];
            let z: Vec<f32> = model.encode_frames(bytes)?.flatten_all()?.to_vec1()?;
            let filled = maps.rows.len();
            maps.rows.resize(filled + z.len(), f16::ZERO);
            maps.rows[filled..].convert_from_f32_slice(&z);
            for i in span.start..span.start + span.len {
                maps.index[i] = count as u32;
                count += 1;
            }
            maps.episodes.push(e);
        }
        Ok(maps)
    }

    /// Number of maps.
    pub fn len(&self) -> usize {
        self.rows.len() / self.len.max(1)
    }

    /// Writes the map of frame `i`, which was encoded, into `to: [map]`.
    pub fn read(&self, i: usize, to: &mut [f32]) {
        let row = self.index[i] as usize * self.len;
        self.rows[row..row + self.len].convert_to_f32_slice(to);
    }

    /// Maps `[M, map]` of chosen frames.
    pub fn gather(&self, frames: &[usize]) -> Result<Tensor, TrainError> {
        let mut rows = vec![0f32; frames.len() * self.len];
        for (to, &i) in rows.chunks_exact_mut(self.len).zip(frames) {
            self.read(i, to);
        }
        let shape = (frames.len(), self.len);
        Ok(Tensor::from_vec(rows, shape, &candle_core::Device::Cpu)?)
    }

    /// Frames of the stored episodes, evenly spaced, at most `count`.
    pub fn spread(&self, data: &Dataset, count: usize) -> Vec<usize> {
        let frames = crate::train::lewm::frames_of(data, &self.episodes);
        let step = frames.len().div_ceil(count.max(1)).max(1);
        frames.into_iter().step_by(step).collect()
    }

    /// First frames of windows of `tokens` maps, `frameskip` apart.
    pub fn windows(&self, data: &Dataset, tokens: usize, frameskip: usize) -> Vec<usize> {
        windows(data, &self.episodes, tokens, frameskip)
    }

    /// Summaries of the first episodes, at most about `max_frames` frames.
    pub fn summaries(
        &self,
        data: &Dataset,
        summary: &Summary,
        (components, max_frames): (usize, usize),
    ) -> Result<Latents, TrainError> {
        const CHUNK: usize = 1024;
        let mut index = vec![u32::MAX; self.index.len()];
        let (mut episodes, mut frames) = (Vec::new(), Vec::new());
        for &e in &self.episodes {
            if frames.len() >= max_frames {
                break;
            }
            let span = data.episodes[e];
            let own = span.start..span.start + span.len;
            let first = frames.len() as u32;
            index[own.clone()]
                .iter_mut()
                .zip(first..)
                .for_each(|(to, row)| *to = row);
            frames.extend(own);
            episodes.push(e);
        }
        let mut rows = Vec::new();
        for chunk in frames.chunks(CHUNK) {
            let numbers: Vec<f32> = summary
                .read(&self.gather(chunk)?)?
                .flatten_all()?
                .to_vec1()?;
            rows.extend(numbers);
        }
        Ok(Latents::of_rows(episodes, index, rows, components))
    }
}
