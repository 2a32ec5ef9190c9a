//! What a frozen encoder makes of the frames of some episodes, stored once, so that it is not asked again.

use super::sampling::windows;
use crate::episode::Dataset;
use crate::train::clock::Clock;
use crate::train::error::TrainError;
use half::f16;
use half::slice::HalfFloatSliceExt as _;
use rayon::prelude::*;
use std::time::Instant;

/// Numbers as they are stored.
pub trait Number: Copy + Send + Sync {
    /// Appends values.
    fn store(values: &[f32], rows: &mut Vec<Self>);
    /// Appends what was stored.
    fn read(rows: &[Self], values: &mut Vec<f32>);
}

impl Number for f32 {
    fn store(values: &[f32], rows: &mut Vec<Self>) {
        rows.extend_from_slice(values);
    }

    fn read(rows: &[Self], values: &mut Vec<f32>) {
        values.extend_from_slice(rows);
    }
}

impl Number for f16 {
    fn store(values: &[f32], rows: &mut Vec<Self>) {
        let filled = rows.len();
        rows.resize(filled + values.len(), f16::ZERO);
        rows[filled..].convert_from_f32_slice(values);
    }

    fn read(rows: &[Self], values: &mut Vec<f32>) {
        let filled = values.len();
        values.resize(filled + rows.len(), 0.);
        rows.convert_to_f32_slice(&mut values[filled..]);
    }
}

/// Marks a frame of which nothing is stored.
const NOTHING: u32 = u32::MAX;

/// A row of numbers for every frame of some episodes.
pub struct Stored<T> {
    /// The episodes.
    pub episodes: Vec<usize>,
    /// For every frame of the dataset its row, or [`NOTHING`].
    index: Vec<u32>,
    rows: Vec<T>,
    dim: usize,
}

impl<T: Number> Stored<T> {
    /// Stores what `encode` makes of the bytes of frames, `[frames, dim]`, for `group` episodes at a time.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] if somebody asked for an end; what `encode` says.
    pub fn encode<E>(
        data: &Dataset,
        episodes: &[usize],
        (dim, group): (usize, usize),
        clock: &Clock,
        encode: impl Fn(&[u8]) -> Result<Vec<f32>, E>,
    ) -> Result<Self, TrainError>
    where
        TrainError: From<E>,
    {
        let started = Instant::now();
        let mut stored = Self {
            episodes: episodes.to_vec(),
            index: vec![NOTHING; data.len()],
            rows: Vec::new(),
            dim,
        };
        let (frame, mut count) = (data.size * data.size * 3, 0u32);
        for group in episodes.chunks(group.max(1)) {
            clock.check()?;
            let mut bytes = Vec::new();
            for &e in group {
                let span = data.episodes[e];
                let own = span.start..span.start + span.len;
                bytes.extend_from_slice(&data.frames[own.start * frame..own.end * frame]);
                for row in &mut stored.index[own] {
                    *row = count;
                    count += 1;
                }
            }
            T::store(&encode(&bytes)?, &mut stored.rows);
        }
        let seconds = started.elapsed().as_secs_f64();
        tracing::info!("encoded {count} frames in {seconds:.1} s");
        Ok(stored)
    }

    /// Another row for every frame, which `make` reads off a chunk of these: `[frames, dim]`.
    ///
    /// # Errors
    /// What `make` says.
    pub fn mapped(
        &self,
        dim: usize,
        make: impl Fn(Vec<f32>) -> candle_core::Result<Vec<f32>>,
    ) -> candle_core::Result<Stored<f32>> {
        const CHUNK: usize = 1024;
        let mut rows = Vec::new();
        for chunk in self.rows.chunks(CHUNK * self.dim.max(1)) {
            let mut values = Vec::new();
            T::read(chunk, &mut values);
            rows.extend(make(values)?);
        }
        Ok(Stored {
            episodes: self.episodes.clone(),
            index: self.index.clone(),
            rows,
            dim,
        })
    }

    /// Of these episodes so many, evenly spread, that about `max_frames` frames are left.
    pub fn thinned(mut self, data: &Dataset, max_frames: usize) -> Self {
        self.episodes = super::sampling::thinned(data, &self.episodes, max_frames);
        self
    }

    /// Width of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Appends the row of frame `i`, which was encoded.
    pub fn read(&self, i: usize, values: &mut Vec<f32>) {
        let row = self.index[i] as usize * self.dim;
        T::read(&self.rows[row..row + self.dim], values);
    }

    /// Rows of chosen frames, `[frames, dim]`.
    pub fn gather(&self, frames: &[usize]) -> Vec<f32> {
        let mut values = Vec::with_capacity(frames.len() * self.dim);
        frames.iter().for_each(|&i| self.read(i, &mut values));
        values
    }

    /// Differences of rows `span` frames apart, at most about 200 000 of them.
    pub fn differences(&self, data: &Dataset, span: usize) -> Vec<f32> {
        let starts = windows(data, &self.episodes, 2, span);
        let step = (starts.len() / 200_000).max(1);
        let chosen: Vec<usize> = starts.into_iter().step_by(step).collect();
        let delta = |&i: &usize| -> Vec<f32> {
            let (after, before) = (self.gather(&[i + span]), self.gather(&[i]));
            after.iter().zip(before).map(|(b, a)| b - a).collect()
        };
        chosen.par_iter().flat_map_iter(delta).collect()
    }
}
