//! The world model: LeWM's imagination, drawn.

use std::path::Path;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{DrawnConfig, Painter};
use crate::model::facets::{
    Effort, Facets, LatentRows, Latents, Pixels, Plans, Proposals, Slope, Surprise,
};
use crate::model::generative::{Conditions, Denoiser, UNet};
use crate::model::goal::Metric;
use crate::model::jepa::LewmModel;
use crate::model::nn::{Params, Rng};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Frame, Frames, Goal, Latent, ModelError, Rollouts,
    Sampling, Shape, WorldModel, folder, input,
};

/// Frames that are drawn together.
const CHUNK: usize = 8;

/// LeWM (arXiv 2603.19312) whose imagined latents a diffusion decoder (EDM, arXiv 2206.00364) draws.
///
/// The decoder sees the last observation, so that it need not remember what does not move, and the imagined
/// latent, which alone tells what has. No drawn frame is fed back: errors of drawing do not add up. All
/// frames of a rollout are drawn from the same noise, so that they do not flicker.
pub struct DrawnLewm {
    card: Card,
    config: DrawnConfig,
    lewm: LewmModel,
    painter: Painter,
    denoiser: Denoiser,
    parameters: u64,
    device: Device,
}

/// What it knows of a context.
struct Seen {
    latent: Latent,
    /// The last observation, folded, `[S·S·C]`.
    last: Vec<f32>,
}

/// What it imagined: latents, which are drawn once somebody asks for frames.
struct Imagined {
    rollouts: Rollouts,
    last: Vec<f32>,
    sampling: Sampling,
}

impl DrawnLewm {
    /// Reads a model folder; the caller has read `card` from `card.ron` and `config` from `model.ron`.
    ///
    /// # Errors
    /// [`ModelError`] naming the file, and the field or tensor that does not fit.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &DrawnConfig,
        device: &Device,
    ) -> Result<Self, ModelError> {
        config
            .check()
            .map_err(|(field, message)| ModelError::Invalid {
                path: dir.join(folder::NETWORK),
                what: field.into(),
                message,
            })?;
        input::load(dir, device, |params| Self::new(card, config, params))
    }

    /// A model of the variables in `params`, which it shares: steps of an optimiser show at once.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if a tensor is missing or has another shape.
    pub fn new(card: Card, config: &DrawnConfig, params: &Params) -> Result<Self, ModelError> {
        let frozen = params.detached();
        let parts = ["encoder", "predictor", "painter", "denoiser"];
        let model = Self {
            lewm: LewmModel::from_params(card.clone(), &config.lewm, &frozen, None)?,
            painter: Painter::new(config, frozen.pp("painter"))?,
            denoiser: Denoiser::new(&config.denoiser, frozen.pp("denoiser"))?,
            parameters: 0,
            device: params.device().clone(),
            config: config.clone(),
            card,
        };
        let parameters = parts.iter().map(|part| params.pp(part).count() as u64);
        Ok(Self {
            parameters: parameters.sum(),
            ..model
        })
    }

    /// The LeWM.
    pub fn lewm(&self) -> &LewmModel {
        &self.lewm
    }

    fn nfe(&self, sampling: Sampling) -> usize {
        sampling
            .nfe
            .unwrap_or(self.config.denoiser.nfe)
            .clamp(1, 64)
    }

    fn seen<'l>(&self, latent: &'l Latent) -> Result<&'l Seen, ModelError> {
        latent.get(&self.card.name)
    }

    fn imagined<'r>(&self, rollouts: &'r Rollouts) -> Result<&'r Imagined, ModelError> {
        rollouts.get(&self.card.name)
    }

    /// Frames `[M, H, W, 3]` of latents `[M, D]` after an observation.
    fn draw(
        &self,
        latents: &Tensor,
        last: &[f32],
        sampling: Sampling,
    ) -> Result<Vec<u8>, ModelError> {
        let (rows, _) = latents.dims2()?;
        let chunks: Vec<usize> = (0..rows).step_by(CHUNK).collect();
        let drawn = chunks.into_par_iter().map(|first| {
            let some = latents.narrow(0, first, CHUNK.min(rows - first))?;
            self.draw_some(&some, last, sampling)
        });
        Ok(drawn.collect::<Result<Vec<_>, ModelError>>()?.concat())
    }

    fn draw_some(
        &self,
        latents: &Tensor,
        last: &[f32],
        sampling: Sampling,
    ) -> Result<Vec<u8>, ModelError> {
        let (count, decoder) = (latents.dim(0)?, &self.config.denoiser);
        let (side, channels) = (decoder.side(), decoder.channels());
        let last = Tensor::from_slice(last, (1, side, side, channels), &self.device)?
            .broadcast_as((count, side, side, channels))?;
        let conditions = conditions(&self.painter, &latents.contiguous()?, &last)?;
        let mut rng = Rng::stream(sampling.draw, 0);
        let start = self.denoiser.start(count, true, &mut rng, &self.device)?;
        let nfe = self.nfe(sampling);
        let drawn = self
            .denoiser
            .sample(&start, &conditions, nfe, &Cancel::new())?;
        let values = drawn.flatten_all()?.to_vec1::<f32>()?;
        let mut bytes = vec![0u8; values.len()];
        let len = decoder.frame_len();
        for (frame, values) in bytes.chunks_exact_mut(len).zip(values.chunks_exact(len)) {
            self.denoiser.patches().unfold(values, frame);
        }
        Ok(bytes)
    }
}

/// What the decoder is told: `latents: [B, D]` to draw, and `last: [B, S, S, C]`, the last observation.
///
/// # Errors
/// Those of the tensor library.
pub fn conditions(
    painter: &Painter,
    latents: &Tensor,
    last: &Tensor,
) -> candle_core::Result<Conditions> {
    let (count, device) = (latents.dim(0)?, latents.device());
    Ok(Conditions {
        context: Tensor::cat(&[last, &painter.paint(latents)?], 3)?,
        context_level: Tensor::zeros(count, candle_core::DType::F32, device)?,
        actions: painter.sum_up(latents)?,
    })
}

impl WorldModel for DrawnLewm {
    fn card(&self) -> &Card {
        &self.card
    }

    fn shape(&self) -> Shape {
        self.lewm.shape()
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        let latent = self.lewm.observe(context)?;
        let mut last = Vec::with_capacity(self.config.denoiser.frame_len());
        if let Some(frame) = context.frames.last() {
            self.denoiser.patches().fold(&frame.data, &mut last);
        }
        Ok(Latent::new(Seen { latent, last }))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let seen = self.seen(latent)?;
        Ok(Rollouts::new(Imagined {
            rollouts: self.lewm.imagine(&seen.latent, actions, sampling, cancel)?,
            last: seen.last.clone(),
            sampling,
        }))
    }

    /// All of the decoder counts as rendering: no planner needs it.
    fn cost(&self, sampling: Sampling) -> Cost {
        let (all, _) = UNet::multiply_adds(&self.config.denoiser);
        let painted = self.painter.multiply_adds(&self.config);
        Cost {
            parameters: self.parameters,
            rendering_flops: 2.0 * (painted + all * self.nfe(sampling) as f64),
            ..self.lewm.cost(sampling)
        }
    }

    fn nfe(&self, sampling: Sampling) -> Option<usize> {
        Some(self.nfe(sampling))
    }

    fn facets(&self) -> Facets<'_> {
        Facets {
            plans: Some(self),
            pixels: Some(self),
            latents: Some(self),
            surprise: Some(self),
            proposals: self.lewm.facets().proposals.is_some().then_some(self),
            ..Facets::default()
        }
    }
}

impl Plans for DrawnLewm {
    /// In LeWM's latents unless a distance between pictures is asked for.
    fn distance(
        &self,
        rollouts: &Rollouts,
        goal: &Goal,
        metric: &Metric,
    ) -> Result<Vec<f32>, ModelError> {
        match metric {
            Metric::Own | Metric::Latents => {
                let imagined = self.imagined(rollouts)?;
                self.lewm.distance(&imagined.rollouts, goal, metric)
            }
            pictures => {
                let usual = &self.config.denoiser.hue_motion;
                pictures.of_frames(&self.frames(rollouts)?, goal, usual)
            }
        }
    }

    fn spared_flops(&self, metric: &Metric, sampling: Sampling) -> f64 {
        match metric {
            Metric::Own | Metric::Latents => self.cost(sampling).rendering_flops,
            _ => 0.0,
        }
    }

    fn effort(&self) -> Effort {
        self.lewm.effort()
    }

    fn gradient(
        &self,
        latent: &Latent,
        actions: &Actions,
        goal: &Goal,
        metric: &Metric,
        weights: &[f32],
        cancel: &Cancel,
    ) -> Result<Option<Slope>, ModelError> {
        let seen = &self.seen(latent)?.latent;
        self.lewm
            .gradient(seen, actions, goal, metric, weights, cancel)
    }
}

impl Pixels for DrawnLewm {
    fn frames(&self, rollouts: &Rollouts) -> Result<Frames, ModelError> {
        let imagined = self.imagined(rollouts)?;
        let (z, rows) = self.lewm.imagined(&imagined.rollouts)?;
        let (n, steps, _) = z.dims3()?;
        Ok(Frames {
            n,
            steps,
            size: self.config.denoiser.size,
            data: self.draw(&rows, &imagined.last, imagined.sampling)?,
        })
    }

    /// Each frame drawn from its own latent, after itself as the last observation.
    fn reconstruct(&self, frames: &Frames) -> Result<Option<Frames>, ModelError> {
        let len = (3 * frames.size * frames.size).max(1);
        let mut data = Vec::with_capacity(frames.data.len());
        for bytes in frames.data.chunks(len) {
            let frame = Frame::new(frames.size, bytes.to_vec());
            let latent = self.lewm.encode(&frame)?;
            let mut last = Vec::with_capacity(len);
            self.denoiser.patches().fold(&frame.data, &mut last);
            data.extend(self.draw(&latent, &last, Sampling::default())?);
        }
        Ok(Some(Frames {
            data,
            ..frames.clone()
        }))
    }
}

impl Latents for DrawnLewm {
    fn features(&self, context: &Context) -> Result<Vec<f32>, ModelError> {
        self.lewm.features(context)
    }

    fn rows(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Option<LatentRows>, ModelError> {
        self.lewm.rows(&self.imagined(rollouts)?.rollouts, goal)
    }
}

impl Surprise for DrawnLewm {
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &Frame,
    ) -> Result<f32, ModelError> {
        self.lewm.surprise(context, actions, next)
    }
}

impl Proposals for DrawnLewm {
    fn propose(
        &self,
        latent: &Latent,
        goal: &Goal,
        n: usize,
        steps: usize,
        dim: usize,
        seed: u64,
    ) -> Result<Actions, ModelError> {
        let seen = &self.seen(latent)?.latent;
        self.lewm.propose(seen, goal, n, steps, dim, seed)
    }
}
