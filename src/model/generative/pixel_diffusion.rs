//! The world model around the denoiser: padding short histories, rolling out many candidates, measuring distance.

use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::dials::Dials;
use super::goal::{Objects, pixel_mse};
use super::input::{self, Inputs, interleave};
use super::{Conditions, Denoiser, Objective, PixelDiffusionConfig, UNet};
use crate::model::nn::{Params, Rng};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Frames, Goal, GoalDistance, Latent, ModelError,
    ProbedStates, Rollouts, WorldModel,
};

/// Candidates that are denoised together: more no longer fit the cache.
const CHUNK: usize = 8;

/// Action-conditioned pixel diffusion (DIAMOND, arXiv 2405.12399).
///
/// Noise is drawn from a seed and is the same for all candidates of one call, so that a planner compares actions and
/// not luck. [`PixelDiffusion::set_sample`] chooses another draw: several draws of one future show its spread.
pub struct PixelDiffusion {
    card: Card,
    denoiser: Denoiser,
    parameters: u64,
    device: Device,
    dials: Dials,
}

/// The context as the network sees it.
struct History {
    /// Folded frames, oldest first, as many as the model uses.
    frames: Vec<Vec<f32>>,
    /// All but the newest of the embedded actions, each padded to the model's components.
    actions: Vec<Vec<f32>>,
}

impl PixelDiffusion {
    /// Reads `model.safetensors` from a model's folder; the caller has read `card` from `card.ron` and `config` from
    /// `train.ron`.
    ///
    /// # Errors
    /// [`ModelError`] naming the file, and the field or tensor that does not fit.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &PixelDiffusionConfig,
        device: &Device,
    ) -> Result<Self, ModelError> {
        input::load(dir, config.check(), device, |params| {
            Self::new(card, config, params)
        })
    }

    /// A model of the variables in `params`, which it shares: steps of an optimiser show at once.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if a tensor is missing or has another shape.
    pub fn new(
        card: Card,
        config: &PixelDiffusionConfig,
        params: &Params,
    ) -> Result<Self, ModelError> {
        let denoiser = Denoiser::new(config, params.detached())?;
        Ok(Self {
            card,
            denoiser,
            parameters: params.count() as u64,
            device: params.device().clone(),
            dials: Dials::new(config.nfe),
        })
    }

    /// Chooses the draw of noise: the same draw imagines the same frames to the bit.
    pub fn set_sample(&self, sample: u64) {
        self.dials.set_sample(sample);
    }

    /// The settings.
    pub fn config(&self) -> &PixelDiffusionConfig {
        self.denoiser.config()
    }

    /// Function evaluations of an imagined frame; a regression twin has one whatever is set.
    fn evaluations(&self) -> usize {
        match self.config().objective {
            Objective::Denoise => self.dials.nfe(),
            Objective::Regression => 1,
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        let config = self.config();
        Inputs {
            model: &self.card.name,
            size: config.size,
            context: config.context,
            actions: config.actions,
            action_dim: config.action_dim,
        }
    }

    fn history(&self, context: &Context) -> Result<History, ModelError> {
        let (config, inputs) = (self.config(), self.inputs());
        let known = inputs.frames(context)?;
        let missing = config.context - known.len();
        let mut frames = Vec::with_capacity(config.context);
        for i in 0..config.context {
            // A short history repeats its oldest frame.
            let mut folded = Vec::with_capacity(config.frame_len());
            let frame = &known[i.saturating_sub(missing)];
            self.denoiser.patches().fold(frame, &mut folded);
            frames.push(folded);
        }
        let actions = inputs.past(context)?;
        Ok(History { frames, actions })
    }

    /// Frames `[n, T, H, W, 3]` of a few candidates.
    fn roll(
        &self,
        history: &History,
        actions: &[Vec<Vec<f32>>],
        nfe: usize,
        sample: u64,
        cancel: &Cancel,
    ) -> Result<Vec<u8>, ModelError> {
        let config = self.config();
        let (n, steps) = (actions.len(), actions.first().map_or(0, Vec::len));
        let (side, channels, frame_len) = (config.side(), config.channels(), config.frame_len());
        let mut windows: Vec<Vec<Vec<f32>>> = vec![history.frames.clone(); n];
        let mut out = vec![0u8; n * steps * frame_len];
        for t in 0..steps {
            let mut rng = Rng::stream(sample, t as u64);
            let mut context = Vec::with_capacity(n * frame_len * config.context);
            for window in &windows {
                interleave(window, channels, &mut context);
            }
            let latest = input::latest(&history.actions, actions, t);
            let context = Tensor::from_vec(
                context,
                (n, side, side, channels * config.context),
                &self.device,
            )?;
            let latest = Tensor::from_vec(
                latest,
                (n, config.actions * config.action_dim),
                &self.device,
            )?;
            let start = self.denoiser.start(n, true, &mut rng, &self.device)?;
            let conditions = self.denoiser.conditions(context, latest, true, &mut rng)?;
            let next = self.denoiser.sample(&start, &conditions, nfe, cancel)?;
            let next = next.flatten_all()?.to_vec1::<f32>()?;
            for (i, values) in next.chunks_exact(frame_len).enumerate() {
                let place = (i * steps + t) * frame_len;
                let frame = &mut out[place..place + frame_len];
                self.denoiser.patches().unfold(values, frame);
                let mut oldest = windows[i].remove(0);
                oldest.clear();
                self.denoiser.patches().fold(frame, &mut oldest);
                windows[i].push(oldest);
            }
        }
        Ok(out)
    }

    fn imagine_frames(
        &self,
        history: &History,
        actions: &Actions,
        nfe: usize,
        cancel: &Cancel,
    ) -> Result<Frames, ModelError> {
        let sequences = self.inputs().sequences(actions)?;
        let sample = self.dials.sample();
        let chunks: Result<Vec<Vec<u8>>, ModelError> = sequences
            .par_chunks(input::chunk(actions.n, CHUNK))
            .map(|s| self.roll(history, s, nfe, sample, cancel))
            .collect();
        let data = chunks?.concat();
        Ok(Frames {
            n: actions.n,
            steps: actions.steps,
            size: self.config().size,
            data,
        })
    }
}

impl WorldModel for PixelDiffusion {
    fn card(&self) -> &Card {
        &self.card
    }

    fn context_frames(&self) -> usize {
        self.config().context
    }

    fn frameskip(&self) -> usize {
        1
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(self.history(context)?))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let history = latent.get::<History>(&self.card.name)?;
        let nfe = self.dials.nfe();
        Ok(Rollouts::new(Arc::new(
            self.imagine_frames(history, actions, nfe, cancel)?,
        )))
    }

    fn samples(
        &self,
        latent: &Latent,
        actions: &Actions,
        samples: usize,
        cancel: &Cancel,
    ) -> Result<Option<Frames>, ModelError> {
        let history = latent.get::<History>(&self.card.name)?;
        let sequence = self.inputs().only(actions)?;
        let nfe = self.dials.nfe();
        let first = self.dials.sample();
        let futures: Result<Vec<Vec<u8>>, ModelError> = (0..samples as u64)
            .into_par_iter()
            .map(|k| self.roll(history, &sequence, nfe, first + k, cancel))
            .collect();
        Ok(Some(Frames {
            n: samples,
            steps: actions.steps,
            size: self.config().size,
            data: futures?.concat(),
        }))
    }

    fn distance(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Vec<f32>, ModelError> {
        let frames = rollouts.get::<Arc<Frames>>(&self.card.name)?;
        self.inputs().check("goal", goal.size, &goal.frame)?;
        let all: Vec<&[u8]> = frames
            .data
            .chunks_exact(self.config().frame_len())
            .collect();
        Ok(match self.dials.distance() {
            GoalDistance::PixelMse | GoalDistance::Latent => {
                all.par_iter().map(|f| pixel_mse(f, &goal.frame)).collect()
            }
            GoalDistance::ObjectColour => {
                let wanted = Objects::find(&goal.frame, goal.size);
                let usual = &self.config().hue_motion;
                all.par_iter()
                    .map(|f| Objects::find(f, goal.size).distance(&wanted, usual))
                    .collect()
            }
            GoalDistance::Learned(learned) => learned.distances(goal.size, &frames.data, goal)?,
        })
    }

    fn frames(&self, rollouts: &Rollouts) -> Result<Option<Frames>, ModelError> {
        Ok(Some(
            rollouts
                .get::<Arc<Frames>>(&self.card.name)?
                .as_ref()
                .clone(),
        ))
    }

    fn states(&self, _rollouts: &Rollouts) -> Result<Option<ProbedStates>, ModelError> {
        Ok(None)
    }

    /// The U-Net's innermost activations before it draws what follows the frames seen under the actions between them, as
    /// if nobody acted next: means over quarters of its sides, each cell's channels in 32 fixed random directions.
    fn features(&self, context: &Context) -> Result<Option<Vec<f32>>, ModelError> {
        const SIDE: usize = 4;
        const DIRECTIONS: usize = 32;
        if context.frames.is_empty() {
            return Ok(None);
        }
        let history = self.history(context)?;
        let config = self.config();
        // The actions that led here; of the one to come nothing is known.
        let mut actions = history.actions.concat();
        actions.resize(config.actions * config.action_dim, 0.0);
        let (side, channels) = (config.side(), config.channels());
        let mut frames = Vec::new();
        interleave(&history.frames, channels, &mut frames);
        let shape = (1, side, side, channels * config.context);
        let width = actions.len();
        let inner = self.denoiser.inner(&Conditions {
            context: Tensor::from_vec(frames, shape, &self.device)?,
            context_level: Tensor::full(config.context_noise, 1, &self.device)?,
            actions: Tensor::from_vec(actions, (1, width), &self.device)?,
        })?;
        let (_, h, w, c) = inner.dims4()?;
        // Four to a side, or as many as divide it.
        let parts = |n: usize| (1..=SIDE).rev().find(|p| n.is_multiple_of(*p)).unwrap_or(1);
        let (rows, columns) = (parts(h), parts(w));
        let cells = inner
            .reshape(&[rows, h / rows, columns, w / columns, c])?
            .mean(3)?
            .mean(1)?;
        let mut rng = Rng::seed(0);
        let directions = rng.normal((c, DIRECTIONS), &self.device)?;
        let directions = (directions * (c as f64).powf(-0.5))?;
        let features = cells.reshape((rows * columns, c))?.matmul(&directions)?;
        Ok(Some(features.flatten_all()?.to_vec1()?))
    }

    /// Mean squared error of pixels in [0, 1] of a prediction in one denoising step: from pure noise that is the mean
    /// over the futures that the model thinks possible, so the draw hardly matters.
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &[u8],
    ) -> Result<f32, ModelError> {
        self.inputs().check_next(context.size, next, actions)?;
        let history = self.history(context)?;
        let frames = self.imagine_frames(&history, actions, 1, &Cancel::new())?;
        Ok(pixel_mse(&frames.data, next))
    }

    /// All of the network counts as dynamics, times the denoising steps in force; the first and last layer, which
    /// only translate between pixels and features, are listed as rendering instead. Nothing is encoded beforehand.
    fn cost(&self) -> Cost {
        let (all, pixels) = UNet::multiply_adds(self.config());
        let evaluations = self.evaluations();
        let scale = 2.0 * evaluations as f64;
        Cost {
            parameters: self.parameters,
            encode_flops: 0.0,
            dynamics_flops: (all - pixels) * scale,
            rendering_flops: pixels * scale,
        }
    }

    fn set_goal_distance(&self, distance: GoalDistance) -> bool {
        self.dials.set_distance(distance);
        true
    }

    fn set_nfe(&self, nfe: usize) {
        self.dials.set_nfe(nfe);
    }

    fn nfe(&self) -> Option<usize> {
        Some(self.evaluations())
    }
}
