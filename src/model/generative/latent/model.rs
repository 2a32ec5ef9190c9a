//! The world model around autoencoder and transformer: rolling out many candidates in latents, decoding what somebody looks at.

use std::path::Path;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{Autoencoder, Dit, Imagination, LatentDiffusionConfig};
use crate::model::generative::dials::Dials;
use crate::model::generative::input::{self, Inputs, interleave};
use crate::model::generative::{Objective, Objects, pixel_mse};
use crate::model::nn::{Params, Rng};
use crate::model::{
    Actions, Cancel, Card, Context, Cost, Frames, Goal, GoalDistance, Latent, ModelError,
    ProbedStates, Rollouts, WorldModel,
};

/// Candidates that are denoised together.
const CHUNK: usize = 16;

/// Action-conditioned diffusion in the latents of a frozen autoencoder (GAIA-2 in kind).
///
/// Noise is drawn from a seed and is the same for all candidates of one call, so that a planner compares actions and
/// not luck. [`LatentDiffusion::set_sample`] chooses another draw: several draws of one future show its spread.
pub struct LatentDiffusion {
    card: Card,
    autoencoder: Autoencoder,
    imagination: Imagination,
    parameters: u64,
    device: Device,
    dials: Dials,
}

/// The context as the network sees it.
struct History {
    /// Latents, oldest first, as many as the model uses; zeros where there is no frame.
    latents: Vec<Vec<f32>>,
    /// Latents that are missing at the start.
    missing: usize,
    /// All but the newest of the embedded actions, each padded to the model's components.
    actions: Vec<Vec<f32>>,
}

/// Imagined latents `[N, T, S·S·C]`.
struct Imagined {
    n: usize,
    steps: usize,
    latents: Vec<f32>,
}

impl LatentDiffusion {
    /// Reads `model.safetensors` from a model's folder; the caller has read `card` from `card.ron` and `config` from
    /// `train.ron`.
    ///
    /// # Errors
    /// [`ModelError`] naming the file, and the field or tensor that does not fit.
    pub fn load(
        dir: &Path,
        card: Card,
        config: &LatentDiffusionConfig,
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
        config: &LatentDiffusionConfig,
        params: &Params,
    ) -> Result<Self, ModelError> {
        let shared = params.detached();
        Ok(Self {
            card,
            autoencoder: Autoencoder::new(config, shared.pp("autoencoder"))?,
            imagination: Imagination::new(config, shared.pp("dynamics"))?,
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
    pub fn config(&self) -> &LatentDiffusionConfig {
        self.imagination.config()
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
        let encoded = self.autoencoder.encode(&known.concat())?;
        let encoded = encoded.chunks_exact(config.latent_len());
        let mut latents = vec![vec![0.0; config.latent_len()]; missing];
        latents.extend(encoded.map(<[f32]>::to_vec));
        Ok(History {
            latents,
            missing,
            actions: inputs.past(context)?,
        })
    }

    /// Latents `[n, T, S·S·C]` of a few candidates.
    fn roll(
        &self,
        history: &History,
        actions: &[Vec<Vec<f32>>],
        (nfe, sample): (usize, u64),
        cancel: &Cancel,
    ) -> Result<Vec<f32>, ModelError> {
        let config = self.config();
        let (n, steps) = (actions.len(), actions.first().map_or(0, Vec::len));
        let (side, channels, len) = (config.side(), config.channels(), config.latent_len());
        let mut windows: Vec<Vec<Vec<f32>>> = vec![history.latents.clone(); n];
        let mut out = vec![0f32; n * steps * len];
        for t in 0..steps {
            let mut rng = Rng::stream(sample, t as u64);
            let mut context = Vec::with_capacity(n * len * config.context);
            for window in &windows {
                interleave(window, channels, &mut context);
            }
            let latest = input::latest(&history.actions, actions, t);
            let shape = (n, side, side, channels * config.context);
            let context = Tensor::from_vec(context, shape, &self.device)?;
            let latest = Tensor::from_vec(
                latest,
                (n, config.actions * config.action_dim),
                &self.device,
            )?;
            let start = self.imagination.start(n, true, &mut rng, &self.device)?;
            let missing = history.missing.saturating_sub(t);
            let window = self
                .imagination
                .window(context, missing, latest, true, &mut rng)?;
            let next = self.imagination.sample(&start, &window, nfe, cancel)?;
            let next = next.flatten_all()?.to_vec1::<f32>()?;
            for (i, values) in next.chunks_exact(len).enumerate() {
                let place = (i * steps + t) * len;
                out[place..place + len].copy_from_slice(values);
                windows[i].rotate_left(1);
                if let Some(newest) = windows[i].last_mut() {
                    newest.copy_from_slice(values);
                }
            }
        }
        Ok(out)
    }

    fn imagine_latents(
        &self,
        history: &History,
        actions: &Actions,
        nfe: usize,
        cancel: &Cancel,
    ) -> Result<Imagined, ModelError> {
        let sequences = self.inputs().sequences(actions)?;
        let draw = (nfe, self.dials.sample());
        let chunks: Result<Vec<Vec<f32>>, ModelError> = sequences
            .par_chunks(input::chunk(actions.n, CHUNK))
            .map(|s| self.roll(history, s, draw, cancel))
            .collect();
        Ok(Imagined {
            n: actions.n,
            steps: actions.steps,
            latents: chunks?.concat(),
        })
    }

    /// Mean squared difference of latents, cell by cell.
    fn latent_mse(&self, a: &[f32], b: &[f32]) -> f32 {
        let total: f32 = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum();
        total / a.len().max(1) as f32
    }
}

impl WorldModel for LatentDiffusion {
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
        Ok(Rollouts::new(
            self.imagine_latents(history, actions, nfe, cancel)?,
        ))
    }

    fn samples(
        &self,
        latent: &Latent,
        actions: &Actions,
        samples: usize,
        cancel: &Cancel,
    ) -> Result<Option<Frames>, ModelError> {
        let history = latent.get::<History>(&self.card.name)?;
        let sequences = self.inputs().only(actions)?;
        let nfe = self.dials.nfe();
        let first = self.dials.sample();
        let futures: Result<Vec<Vec<f32>>, ModelError> = (0..samples as u64)
            .into_par_iter()
            .map(|k| self.roll(history, &sequences, (nfe, first + k), cancel))
            .collect();
        Ok(Some(Frames {
            n: samples,
            steps: actions.steps,
            size: self.config().size,
            data: self.autoencoder.decode(&futures?.concat())?,
        }))
    }

    fn distance(&self, rollouts: &Rollouts, goal: &Goal) -> Result<Vec<f32>, ModelError> {
        let imagined = rollouts.get::<Imagined>(&self.card.name)?;
        self.inputs().check("goal", goal.size, &goal.frame)?;
        let (len, frame_len) = (self.config().latent_len(), self.config().frame_len());
        let distance = self.dials.distance();
        if matches!(distance, GoalDistance::Latent) {
            let wanted = self.autoencoder.encode(&goal.frame)?;
            let all = imagined.latents.par_chunks(len);
            return Ok(all.map(|z| self.latent_mse(z, &wanted)).collect());
        }
        let frames = self.autoencoder.decode(&imagined.latents)?;
        let all = frames.par_chunks(frame_len);
        Ok(match distance {
            GoalDistance::ObjectColour => {
                let wanted = Objects::find(&goal.frame, goal.size);
                let usual = &self.config().hue_motion;
                all.map(|f| Objects::find(f, goal.size).distance(&wanted, usual))
                    .collect()
            }
            GoalDistance::Learned(learned) => learned.distances(goal.size, &frames, goal)?,
            _ => all.map(|f| pixel_mse(f, &goal.frame)).collect(),
        })
    }

    fn frames(&self, rollouts: &Rollouts) -> Result<Option<Frames>, ModelError> {
        let imagined = rollouts.get::<Imagined>(&self.card.name)?;
        Ok(Some(Frames {
            n: imagined.n,
            steps: imagined.steps,
            size: self.config().size,
            data: self.autoencoder.decode(&imagined.latents)?,
        }))
    }

    fn states(&self, _rollouts: &Rollouts) -> Result<Option<ProbedStates>, ModelError> {
        Ok(None)
    }

    /// The standardised latent of the last frame.
    fn features(&self, context: &Context) -> Result<Option<Vec<f32>>, ModelError> {
        let Some(last) = context.frames.last() else {
            return Ok(None);
        };
        self.inputs().check("context", context.size, last)?;
        Ok(Some(self.autoencoder.encode(last)?))
    }

    fn reconstruct(&self, size: usize, frames: &[u8]) -> Result<Option<Vec<u8>>, ModelError> {
        for frame in frames.chunks(self.config().frame_len()) {
            self.inputs().check("frames", size, frame)?;
        }
        let latents = self.autoencoder.encode(frames)?;
        Ok(Some(self.autoencoder.decode(&latents)?))
    }

    /// Mean squared error in standardised latents of a prediction in one denoising step: from pure noise that is the mean
    /// over the futures that the model thinks possible, so the draw hardly matters.
    fn surprise(
        &self,
        context: &Context,
        actions: &Actions,
        next: &[u8],
    ) -> Result<f32, ModelError> {
        self.inputs().check_next(context.size, next, actions)?;
        let history = self.history(context)?;
        let imagined = self.imagine_latents(&history, actions, 1, &Cancel::new())?;
        Ok(self.latent_mse(&imagined.latents, &self.autoencoder.encode(next)?))
    }

    /// Encoding is the encoder's, dynamics the transformer's times the denoising steps in force, rendering the decoder's.
    fn cost(&self) -> Cost {
        let (encoder, decoder) = Autoencoder::multiply_adds(self.config());
        let evaluations = self.evaluations();
        Cost {
            parameters: self.parameters,
            encode_flops: 2.0 * encoder,
            dynamics_flops: 2.0 * evaluations as f64 * Dit::multiply_adds(self.config()),
            rendering_flops: 2.0 * decoder,
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
