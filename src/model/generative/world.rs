//! The world model around a sampler: padding short histories, rolling out many candidates, measuring
//! distance.

use std::path::Path;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::Objective;
use super::input::{self, Inputs, interleave};
use super::sampler::{History, Moment, Sampler};
use crate::model::facets::{Effort, Facets, Latents, Pixels, Plans, Surprise};
use crate::model::goal::Metric;
use crate::model::nn::{Params, Rng};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Frame, Frames, Goal, Latent, ModelError, Rollouts,
    Sampling, Shape, WorldModel,
};

/// Imagined frames `[N, T, S·S·C]`, as the network sees them.
struct ImaginedFrames {
    n: usize,
    steps: usize,
    frames: Vec<f32>,
}

/// A generative world model: it imagines frame by frame whatever its sampler draws.
///
/// Noise is drawn from a seed and is the same for all candidates of one call, so that a planner compares
/// actions and not luck. [`Sampling::draw`] chooses another draw: several draws of one future show its
/// spread.
pub struct GenerativeWorld<S> {
    card: Card,
    sampler: S,
    parameters: u64,
    device: Device,
}

impl<S: Sampler> GenerativeWorld<S> {
    /// Reads `model.safetensors` from a model's folder; the caller has read `card` from `card.ron` and
    /// `config` from `train.ron`.
    ///
    /// # Errors
    /// [`ModelError`] naming the file, and the field or tensor that does not fit.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &S::Config,
        device: &Device,
    ) -> Result<Self, ModelError> {
        input::load(dir, S::check(config), device, |params| {
            Self::new(card, config, params)
        })
    }

    /// A model of the variables in `params`, which it shares: steps of an optimiser show at once.
    ///
    /// # Errors
    /// [`ModelError::Tensor`] if a tensor is missing or has another shape.
    pub fn new(card: Card, config: &S::Config, params: &Params) -> Result<Self, ModelError> {
        Ok(Self {
            card,
            sampler: S::new(config, &params.detached())?,
            parameters: params.count() as u64,
            device: params.device().clone(),
        })
    }

    /// The settings.
    pub fn config(&self) -> &S::Config {
        self.sampler.config()
    }

    /// Function evaluations of an imagined frame; a regression twin has one whatever it is asked for.
    fn evaluations(&self, sampling: Sampling) -> usize {
        let layout = self.sampler.layout();
        match layout.objective {
            Objective::Denoise => sampling.nfe.unwrap_or(layout.nfe).clamp(1, 64),
            Objective::Regression => 1,
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        let layout = self.sampler.layout();
        Inputs {
            model: &self.card.name,
            size: layout.size,
            context: layout.watched,
            actions: layout.actions,
            action_dim: layout.action_dim,
        }
    }

    fn history(&self, context: &Context) -> Result<History, ModelError> {
        let inputs = self.inputs();
        let known = inputs.frames(context)?;
        let mut encoded = self.sampler.encode(known)?;
        let belief = self.watch(&encoded, &inputs.led(context, known.len())?)?;
        let most = self.sampler.layout().context;
        encoded.drain(..encoded.len().saturating_sub(most));
        let missing = most - encoded.len();
        let filler = encoded.first().map(|oldest| self.sampler.before(oldest));
        let mut frames = vec![filler.unwrap_or_default(); missing];
        frames.extend(encoded);
        Ok(History {
            frames,
            missing,
            actions: inputs.past(context)?,
            belief,
        })
    }

    /// What is believed of frames in a row, of which `led` says the action that led to each.
    fn watch(&self, frames: &[Vec<f32>], led: &[Vec<f32>]) -> Result<Option<Tensor>, ModelError> {
        let mut belief = None;
        for (frame, action) in frames.iter().zip(led) {
            let row = |x: &[f32]| Tensor::from_slice(x, (1, x.len()), &self.device);
            belief = (self.sampler).carry(belief.as_ref(), &row(frame)?, &row(action)?)?;
            if belief.is_none() {
                break; // it carries none
            }
        }
        Ok(belief)
    }

    /// Frames `[n, T, S·S·C]` of a few candidates.
    fn roll(
        &self,
        history: &History,
        actions: &[Vec<Vec<f32>>],
        (nfe, draw): (usize, u64),
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ModelError> {
        let layout = self.sampler.layout();
        let (n, steps) = (actions.len(), actions.first().map_or(0, Vec::len));
        let (side, channels) = (layout.side, layout.channels);
        let len = side * side * channels;
        let mut windows: Vec<Vec<Vec<f32>>> = vec![history.frames.clone(); n];
        let mut out = vec![0f32; n * steps * len];
        let alike = |b: &Tensor| b.broadcast_as((n, b.dim(1)?))?.contiguous();
        let mut belief = history.belief.as_ref().map(alike).transpose()?;
        for t in 0..steps {
            let mut rng = Rng::stream(draw, t as u64);
            let mut context = Vec::with_capacity(n * len * layout.context);
            for window in &windows {
                interleave(window, channels, &mut context);
            }
            let shape = (n, side, side, channels * layout.context);
            let width = layout.actions * layout.action_dim;
            let latest = input::latest(&history.actions, actions, t);
            let moment = Moment {
                context: Tensor::from_vec(context, shape, &self.device)?,
                missing: history.missing.saturating_sub(t),
                actions: Tensor::from_vec(latest, (n, width), &self.device)?,
                belief: belief.clone(),
                nfe,
            };
            let next = self.sampler.next(moment, &mut rng, cancel)?;
            let mut next = next.flatten_all()?.to_vec1::<f32>()?;
            for (i, values) in next.chunks_exact_mut(len).enumerate() {
                self.sampler.settle(values);
                let place = (i * steps + t) * len;
                out[place..place + len].copy_from_slice(values);
                windows[i].rotate_left(1);
                if let Some(newest) = windows[i].last_mut() {
                    newest.copy_from_slice(values);
                }
            }
            if belief.is_some() && t + 1 < steps {
                let acted: Vec<f32> = actions.iter().flat_map(|a| a[t].iter().copied()).collect();
                let acted = Tensor::from_vec(acted, (n, layout.action_dim), &self.device)?;
                let frames = Tensor::from_vec(next, (n, len), &self.device)?;
                belief = self.sampler.carry(belief.as_ref(), &frames, &acted)?;
            }
        }
        Ok(out)
    }

    fn imagine_frames(
        &self,
        history: &History,
        actions: &Actions,
        sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<ImaginedFrames, ModelError> {
        let sequences = self.inputs().sequences(actions)?;
        let how = (self.evaluations(sampling), sampling.draw);
        let chunks: Result<Vec<Vec<f32>>, ModelError> = sequences
            .par_chunks(input::chunk(actions.n, self.sampler.layout().chunk))
            .map(|s| self.roll(history, s, how, cancel))
            .collect();
        Ok(ImaginedFrames {
            n: actions.n,
            steps: actions.steps,
            frames: chunks?.concat(),
        })
    }

    fn draw(&self, imagined: &ImaginedFrames) -> Result<Frames, ModelError> {
        Ok(Frames {
            n: imagined.n,
            steps: imagined.steps,
            size: self.sampler.layout().size,
            data: self.sampler.draw(&imagined.frames)?,
        })
    }
}

impl<S: Sampler> WorldModel for GenerativeWorld<S> {
    fn card(&self) -> &Card {
        &self.card
    }

    fn shape(&self) -> Shape {
        let layout = self.sampler.layout();
        Shape {
            context_frames: layout.watched,
            frameskip: 1,
            action_dim: layout.action_dim,
        }
    }

    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(self.history(context)?))
    }

    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        let history = latent.get::<History>(&self.card.name)?;
        let imagined = self.imagine_frames(history, actions, sampling, cancel)?;
        Ok(Rollouts::new(imagined))
    }

    fn cost(&self, sampling: Sampling) -> Cost {
        let (work, evaluations) = (self.sampler.work(), self.evaluations(sampling) as f64);
        Cost {
            parameters: self.parameters,
            encode_flops: 2.0 * work.encode,
            dynamics_flops: 2.0 * (evaluations * work.dynamics + work.carry),
            rendering_flops: 2.0 * (work.picture + evaluations * work.dynamics_of_picture),
        }
    }

    fn nfe(&self, sampling: Sampling) -> Option<usize> {
        Some(self.evaluations(sampling))
    }

    fn facets(&self) -> Facets<'_> {
        Facets {
            plans: Some(self),
            pixels: Some(self),
            latents: Some(self),
            surprise: Some(self),
            ..Facets::default()
        }
    }
}

impl<S: Sampler> GenerativeWorld<S> {
    /// Whether a metric compares what is imagined before it is drawn.
    fn compares_latents(&self, metric: &Metric) -> bool {
        match metric {
            Metric::Own => self.sampler.plans_in_latents(),
            Metric::Latents => true,
            _ => false,
        }
    }
}

impl<S: Sampler> Plans for GenerativeWorld<S> {
    fn distance(
        &self,
        rollouts: &Rollouts,
        goal: &Goal,
        metric: &Metric,
    ) -> Result<Vec<f32>, ModelError> {
        let imagined = rollouts.get::<ImaginedFrames>(&self.card.name)?;
        self.inputs().check("goal", &goal.frame)?;
        if self.compares_latents(metric) {
            return self.sampler.errors(&imagined.frames, &goal.frame);
        }
        let usual = &self.sampler.layout().hue_motion;
        metric.of_frames(&self.draw(imagined)?, goal, usual)
    }

    fn spared_flops(&self, metric: &Metric, _: Sampling) -> f64 {
        match self.compares_latents(metric) {
            true => 2.0 * self.sampler.work().picture,
            false => 0.0,
        }
    }

    fn effort(&self) -> Effort {
        Effort::PIXELS
    }
}

impl<S: Sampler> Pixels for GenerativeWorld<S> {
    fn frames(&self, rollouts: &Rollouts) -> Result<Frames, ModelError> {
        self.draw(rollouts.get::<ImaginedFrames>(&self.card.name)?)
    }

    fn reconstruct(&self, frames: &Frames) -> Result<Option<Frames>, ModelError> {
        if !self.sampler.has_own_latents() {
            return Ok(None);
        }
        let len = (3 * frames.size * frames.size).max(1);
        let frame = |data: &[u8]| Frame::new(frames.size, data.to_vec());
        let real: Vec<Frame> = frames.data.chunks(len).map(frame).collect();
        for frame in &real {
            self.inputs().check("frames", frame)?;
        }
        let data = self.sampler.draw(&self.sampler.encode(&real)?.concat())?;
        Ok(Some(Frames {
            data,
            ..frames.clone()
        }))
    }
}

impl<S: Sampler> Latents for GenerativeWorld<S> {
    fn features(&self, context: &Context) -> Result<Vec<f32>, ModelError> {
        let newest = self.inputs().frames(context)?;
        let last = newest.last().ok_or_else(|| {
            let message = "found no frame, expected at least 1";
            ModelError::input(&self.card.name, message)
        })?;
        self.sampler.features(last, &|| self.history(context))
    }
}

impl<S: Sampler> Surprise for GenerativeWorld<S> {
    /// Mean squared error of a prediction in one denoising step: from pure noise that is the mean over the
    /// futures that the model thinks possible, so the draw hardly matters.
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &Frame,
    ) -> Result<f32, ModelError> {
        self.inputs().check_next(next, actions)?;
        let history = self.history(context)?;
        let one = Sampling::nfe(1);
        let imagined = self.imagine_frames(&history, actions, one, &Cancel::new())?;
        let errors = self.sampler.errors(&imagined.frames, next)?;
        Ok(errors.first().copied().unwrap_or(f32::NAN))
    }
}
