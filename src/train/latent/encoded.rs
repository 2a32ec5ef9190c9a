//! The experience after the first phase: every frame's latent, encoded once, and which of its cells hold moving bodies.

use std::time::Instant;

use candle_core::Tensor;
use half::f16;

use crate::episode::Dataset;
use crate::model::ModelError;
use crate::model::generative::{Autoencoder, LatentDiffusionConfig, channel_scale};
use crate::system::Stop;
use crate::train::diffusion::moving_ids;

/// Frames that are encoded in one go.
const CHUNK: usize = 512;
/// Frames from which the scale of the latents is measured.
const SAMPLES: usize = 4000;
/// Pixels of moving bodies that make a cell one that moves.
const LEAST_PIXELS: usize = 2;

/// Latents of a dataset, frame by frame.
pub struct Encoded {
    latents: Vec<f16>,
    /// `[F, S·S]`.
    moves: Vec<bool>,
    latent_len: usize,
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
        let bytes: Vec<u8> = chunk.iter().flat_map(|&i| data.frame(i)).copied().collect();
        all.push(autoencoder.squeeze(&autoencoder.fold(&bytes)?)?.detach());
    }
    let all = Tensor::cat(&all, 0)?;
    let (mean, deviation) = channel_scale(&all, all.dim(3)?)?;
    Ok(autoencoder.set_scale(&mean, &deviation)?)
}

impl Encoded {
    /// Encodes all frames of a dataset.
    ///
    /// # Errors
    /// [`ModelError::Tensor`].
    pub fn new(
        data: &Dataset,
        autoencoder: &Autoencoder,
        config: &LatentDiffusionConfig,
    ) -> Result<Self, ModelError> {
        Self::until(data, autoencoder, config, &Stop::new())
    }

    /// As [`Encoded::new`], but gives up once `stop` is raised.
    ///
    /// # Errors
    /// [`ModelError::Tensor`]; [`ModelError::Cancelled`].
    pub(super) fn until(
        data: &Dataset,
        autoencoder: &Autoencoder,
        config: &LatentDiffusionConfig,
        stop: &Stop,
    ) -> Result<Self, ModelError> {
        let started = Instant::now();
        let latent_len = config.latent_len();
        let mut latents = Vec::with_capacity(data.len() * latent_len);
        for chunk in data.frames.chunks(CHUNK * config.frame_len()) {
            if stop.is_raised() {
                return Err(ModelError::Cancelled);
            }
            let values = autoencoder.encode(chunk)?;
            latents.extend(values.into_iter().map(f16::from_f32));
        }
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
        tracing::info!(
            "encoded {} frames in {:.0} s",
            data.len(),
            started.elapsed().as_secs_f64()
        );
        Ok(Self {
            latents,
            moves,
            latent_len,
            cells,
        })
    }

    /// Appends the standardised latent of frame `i`, `[S·S·C]`.
    pub fn latent(&self, i: usize, out: &mut Vec<f32>) {
        let values = &self.latents[i * self.latent_len..(i + 1) * self.latent_len];
        out.extend(values.iter().map(|v| v.to_f32()));
    }

    /// Which cells of frame `i` hold moving bodies, `[S·S]`.
    pub fn moves(&self, i: usize) -> &[bool] {
        &self.moves[i * self.cells..(i + 1) * self.cells]
    }
}
