//! The experience after the first phase: frames' latents, encoded once, and which of their cells hold moving
//! bodies.

use candle_core::Tensor;
use half::f16;

use crate::episode::Dataset;
use crate::model::ModelError;
use crate::model::generative::{Autoencoder, Eye, LatentDiffusionConfig, channel_scale};
use crate::system::Stop;
use crate::train::clock::Clock;
use crate::train::data::sampling::bytes_of;
use crate::train::data::stored::Stored;
use crate::train::data::targets::moving_ids;
use crate::train::error::TrainError;

/// Frames that are encoded in one go to measure their scale.
const CHUNK: usize = 512;
/// Episodes that are encoded in one go.
const GROUP: usize = 8;
/// Frames from which the scale of the latents is measured.
const SAMPLES: usize = 4000;
/// Pixels of moving bodies that make a cell one that moves.
const LEAST_PIXELS: usize = 2;

/// Latents of some episodes, frame by frame.
pub struct Encoded {
    latents: Stored<f16>,
    /// `[F, S·S]`.
    moves: Vec<bool>,
    cells: usize,
}

/// Measures the scale of the latents and gives it to the autoencoder.
///
/// # Errors
/// [`ModelError::Tensor`].
pub fn measure_scale(data: &Dataset, autoencoder: &Autoencoder) -> Result<(), ModelError> {
    let stride = (data.len() / SAMPLES).max(1);
    let mut all = Vec::new();
    let picked: Vec<usize> = (0..data.len()).step_by(stride).collect();
    for chunk in picked.chunks(CHUNK) {
        let frames = autoencoder.look(&bytes_of(data, chunk))?;
        all.push(autoencoder.squeeze(&frames)?.detach());
    }
    let all = Tensor::cat(&all, 0)?;
    let (mean, deviation) = channel_scale(&all, all.dim(3)?)?;
    Ok(autoencoder.set_scale(&mean, &deviation)?)
}

impl Encoded {
    /// Encodes all frames of a dataset.
    ///
    /// # Errors
    /// [`TrainError::Tensor`].
    pub fn new(
        data: &Dataset,
        eye: &impl Eye,
        config: &LatentDiffusionConfig,
    ) -> Result<Self, TrainError> {
        let all: Vec<usize> = (0..data.episodes.len()).collect();
        let clock = Clock::start(None, &Stop::new());
        Self::of(data, &all, eye, config, &clock)
    }

    /// Encodes the frames of some episodes.
    ///
    /// # Errors
    /// [`TrainError::Tensor`]; [`TrainError::Stopped`] if somebody asked for an end.
    pub(super) fn of(
        data: &Dataset,
        episodes: &[usize],
        eye: &impl Eye,
        config: &LatentDiffusionConfig,
        clock: &Clock,
    ) -> Result<Self, TrainError> {
        let shape = (config.latent_len(), GROUP);
        let encode = |bytes: &[u8]| eye.encode(bytes);
        let latents = Stored::encode(data, episodes, shape, clock, encode)?;
        let cells = config.side() * config.side();
        let mut moves = vec![false; data.len() * cells];
        let moving = moving_ids(data);
        let pixels = config.size / config.side();
        for span in &data.episodes {
            for i in span.start..span.start + span.len {
                let mut counts = vec![0usize; cells];
                for (p, id) in data.frame_ids(i).iter().enumerate() {
                    if moving[span.scene][*id as usize] {
                        let (y, x) = (p / config.size / pixels, p % config.size / pixels);
                        counts[y * config.side() + x] += 1;
                    }
                }
                let row = &mut moves[i * cells..(i + 1) * cells];
                row.iter_mut()
                    .zip(counts)
                    .for_each(|(m, n)| *m = n >= LEAST_PIXELS);
            }
        }
        Ok(Self {
            latents,
            moves,
            cells,
        })
    }

    /// Appends the standardised latent of frame `i`, `[S·S·C]`.
    pub fn latent(&self, i: usize, out: &mut Vec<f32>) {
        self.latents.read(i, out);
    }

    /// Which cells of frame `i` hold moving bodies, `[S·S]`.
    pub fn moves(&self, i: usize) -> &[bool] {
        &self.moves[i * self.cells..(i + 1) * self.cells]
    }
}
