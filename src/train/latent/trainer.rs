//! The loop of both phases: batches, steps, the average, validation, checkpoints.

use std::time::Instant;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Encoded, Frames, LatentRecipe, Pace, Step, Windows, check_autoencoder, dynamics_loss,
    measure_scale, reconstruction_loss,
};
use crate::episode::Dataset;
use crate::model::generative::{Autoencoder, Imagination, LatentDiffusion, Objective};
use crate::model::nn::{AdamW, Ema, Params, Rng};
use crate::model::{Camp, Cancel, ModelError};
use crate::train::diffusion::{
    Checkpoint, Clip, State, clips, contact_sheet, hue_motion, unfinished_card, validate,
};
use crate::train::{
    Architecture, Clock, Curve, Export, Length, Outcome, TrainConfig, TrainError, TrainOptions,
    export, fit,
};

/// Gradients in a row that are not finite before the training gives up.
const BAD_STEPS: usize = 50;
/// Streams of the generator beyond this are not batches.
const OWN_FRAMES: u64 = 1 << 40;
/// Steps between lines of the curve.
const LOG_EVERY: u64 = 100;
/// Steps between validations.
const VALIDATE_EVERY: u64 = 5000;
/// Seconds between checkpoints.
const SAVE_SECONDS: f64 = 180.0;
/// Validation clips of each scene.
const CLIPS: usize = 3;

/// Where a training is: 0 is the autoencoder, 1 the transformer, 2 is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    phase: usize,
    /// Steps taken in the phase.
    step: u64,
    /// Seconds spent in it.
    seconds: f64,
}

/// Whether there is something to predict in frames of the right size, and the weights make a file that is
/// read again.
pub(in crate::train) fn check_fit(
    config: &TrainConfig,
    recipe: &LatentRecipe,
    data: &Dataset,
) -> Result<(), TrainError> {
    let model = &recipe.model;
    fit::side(data, "model.size", model.size)?;
    if data.action_dim != model.action_dim {
        let message = format!("found {}, expected {}", model.action_dim, data.action_dim);
        return Err(fit::misfit("model.action_dim", message));
    }
    let (train, _) = data.split_episodes(config.validation_share);
    fit::long_enough(data, &train, ("data", "training"), 2, 1)?;
    fit::file_size(|params| {
        Autoencoder::new(model, params.pp("autoencoder"))?;
        Imagination::new(model, params.pp("dynamics"))?;
        Ok(())
    })
}

/// Trains what `recipe` describes, from a checkpoint if the options say so.
pub(in crate::train) fn train(
    config: &TrainConfig,
    recipe: &LatentRecipe,
    data: &Dataset,
    options: &TrainOptions,
) -> Result<Outcome, TrainError> {
    let mut recipe = recipe.clone();
    recipe.model.hue_motion = hue_motion(data);
    let config = TrainConfig {
        architecture: Architecture::LatentDiffusion(recipe.clone()),
        ..config.clone()
    };
    config.save(&options.out.join("train.ron"))?;
    let (train, held_back) = data.split_episodes(config.validation_share);
    let checkpoint = Checkpoint::new(&options.out)?;
    let saved: Option<State<Place>> = match options.resume {
        true => checkpoint.state()?,
        false => None,
    };
    let params = match (&saved, &recipe.start) {
        (Some(state), _) => checkpoint
            .weights(state, &options.device)?
            .drawing_missing(config.seed),
        (None, Some(folder)) => {
            let path = folder.join("model.safetensors");
            Params::load(&path, &options.device)?.drawing_missing(config.seed)
        }
        (None, None) => Params::fresh(config.seed, &options.device),
    };
    let fresh = State {
        model: Place {
            phase: usize::from(recipe.start.is_some()),
            ..Place::default()
        },
        ..State::default()
    };
    let run = Run {
        clips: clips(data, &held_back, CLIPS, 10),
        autoencoder: Autoencoder::new(&recipe.model, params.pp("autoencoder"))?,
        config: &config,
        recipe: &recipe,
        data,
        options,
        checkpoint,
        params,
        held_back,
    };
    run.train(&train, saved, fresh)
}

struct Run<'a> {
    config: &'a TrainConfig,
    recipe: &'a LatentRecipe,
    data: &'a Dataset,
    options: &'a TrainOptions,
    checkpoint: Checkpoint,
    params: Params,
    autoencoder: Autoencoder,
    held_back: Vec<usize>,
    clips: Vec<Clip>,
}

/// What a step is taken from.
struct Loss {
    value: Tensor,
    /// Frames it was computed over.
    frames: usize,
    /// Predictions in a row.
    rolls: usize,
}

/// A phase's own part of the loop.
struct Phase<'a> {
    name: &'static str,
    pace: &'a Pace,
    /// The variables that are trained.
    params: Params,
    /// From step and progress.
    loss: &'a dyn Fn(u64, f64) -> Result<Loss, TrainError>,
    /// What is measured on held-back episodes, as a line of the curve.
    measure: &'a dyn Fn(&Ema, u64) -> Result<serde_json::Value, TrainError>,
}

impl Run<'_> {
    fn train(
        &self,
        train: &[usize],
        saved: Option<State<Place>>,
        fresh: State<Place>,
    ) -> Result<Outcome, TrainError> {
        let clock = Clock::start(self.options.minutes, &self.options.stop);
        let mut curve = Curve::open(&self.options.out, self.options.resume)?;
        let resumed = saved.is_some();
        let mut state = saved.unwrap_or(fresh);
        if state.model.phase == 0 {
            let outcome = self.first_phase(train, &mut state, resumed, &clock, &mut curve)?;
            if outcome == Outcome::Paused {
                return Ok(outcome);
            }
            (state.model, state.optimiser_steps) = (
                Place {
                    phase: 1,
                    ..Place::default()
                },
                0,
            );
            state.average_updates = 0;
        }
        self.second_phase(train, &mut state, resumed, &clock, &mut curve)
    }

    fn first_phase(
        &self,
        train: &[usize],
        state: &mut State<Place>,
        resumed: bool,
        clock: &Clock,
        curve: &mut Curve,
    ) -> Result<Outcome, TrainError> {
        let (phase, model) = (&self.recipe.autoencoder, &self.recipe.model);
        let device = &self.options.device;
        let frames = Frames::new(self.data, train, self.config.seed);
        let mut ema = Ema::new(&self.params, phase.pace.ema)?;
        let average = Autoencoder::new(model, ema.params().detached().pp("autoencoder"))?;
        let what = Phase {
            name: "autoencoder",
            pace: &phase.pace,
            params: self.params.pp("autoencoder"),
            loss: &|step, _| {
                let latent = (model.side(), model.channels());
                let batch = frames.draw(&self.autoencoder, phase, latent, step, device)?;
                Ok(Loss {
                    value: reconstruction_loss(&self.autoencoder, &batch, phase.squared_weight)?,
                    frames: phase.pace.batch,
                    rolls: 1,
                })
            },
            measure: &|_, _| {
                let found = check_autoencoder(&average, self.data, &self.held_back)?;
                Ok(json!({ "reconstruction": found }))
            },
        };
        let outcome = self.steps(&what, &mut ema, state, resumed, clock, curve)?;
        if outcome == Outcome::Finished {
            self.params.set_from(ema.params())?;
            measure_scale(self.data, &self.autoencoder)?;
        }
        Ok(outcome)
    }

    fn second_phase(
        &self,
        train: &[usize],
        state: &mut State<Place>,
        resumed: bool,
        clock: &Clock,
        curve: &mut Curve,
    ) -> Result<Outcome, TrainError> {
        let (phase, model) = (&self.recipe.dynamics, &self.recipe.model);
        let device = &self.options.device;
        let frozen = Autoencoder::new(model, self.params.detached().pp("autoencoder"))?;
        let imagination = Imagination::new(model, self.params.pp("dynamics"))?;
        let begins = !resumed || state.model.step == 0;
        let mut ema = Ema::new(&self.params, phase.pace.ema)?;
        if begins {
            // From here on a resumed training finds both networks and the scale of the latents.
            let adam = AdamW::new(self.params.pp("dynamics").vars(), phase.pace.adamw)?;
            self.checkpoint.save(state, &self.params, &adam, &ema)?;
        }
        let encoded = Encoded::until(self.data, &frozen, model, &self.options.stop)?;
        let seed = self.config.seed;
        let windows = Windows::new(self.data, &encoded, train, model, phase, seed, device)?;
        let average = Imagination::new(model, ema.params().detached().pp("dynamics"))?;
        let what = Phase {
            name: "dynamics",
            pace: &phase.pace,
            params: self.params.pp("dynamics"),
            loss: &|step, progress| {
                let rolls = self.rolls(progress);
                let sequences = (phase.pace.batch / rolls).max(1);
                let examples = windows.draw(step, sequences, rolls)?;
                let mut rng = Rng::stream(seed, OWN_FRAMES + step);
                let value = dynamics_loss(&imagination, &examples, |context, before| {
                    own_latent(&average, context, before, phase.self_rolled_nfe, &mut rng)
                })?;
                Ok(Loss {
                    value,
                    frames: sequences * rolls,
                    rolls,
                })
            },
            measure: &|ema, steps| self.validated(ema, steps),
        };
        let outcome = self.steps(&what, &mut ema, state, !begins, clock, curve)?;
        if outcome == Outcome::Finished {
            self.export(state, &ema)?;
        }
        Ok(outcome)
    }

    /// Predictions in a row: from `self_rolled_from` on a growing number.
    fn rolls(&self, progress: f64) -> usize {
        let phase = &self.recipe.dynamics;
        if progress < phase.self_rolled_from || phase.self_rolled_steps < 2 {
            return 1;
        }
        let part = (progress - phase.self_rolled_from) / (1.0 - phase.self_rolled_from).max(1e-9);
        let longest = phase.self_rolled_steps as f64;
        (2.0 + part * (longest - 1.0)).min(longest) as usize
    }

    /// Takes a phase's steps until its length is spent or time is up.
    fn steps(
        &self,
        phase: &Phase,
        ema: &mut Ema,
        state: &mut State<Place>,
        resumed: bool,
        clock: &Clock,
        curve: &mut Curve,
    ) -> Result<Outcome, TrainError> {
        let mut adam = AdamW::new(phase.params.vars(), phase.pace.adamw)?;
        if resumed {
            let device = &self.options.device;
            self.checkpoint.restore(state, &mut adam, ema, device)?;
        }
        let (before, minutes) = (state.model.seconds, state.minutes);
        let (started, mut last_save) = (Instant::now(), Instant::now());
        let (mut bad, mut since) = (0, (Instant::now(), 0usize));
        let (mut loss_sum, mut norm_sum, mut summed) = (0f64, 0f64, 0u64);
        let first = state.model.step;
        loop {
            state.model.seconds = before + started.elapsed().as_secs_f64();
            state.minutes = minutes + started.elapsed().as_secs_f64() / 60.0;
            let step = state.model.step;
            let done = match phase.pace.length {
                Length::Steps(n) => step as f64 / n.max(1) as f64,
                length => length.progress(step as usize, state.model.seconds),
            };
            // Every run takes a step, so that runs of whatever length come to an end.
            if done >= 1.0 || clock.is_up() && step > first {
                (state.optimiser_steps, state.average_updates) = (adam.steps(), ema.updates());
                self.checkpoint.save(state, &self.params, &adam, ema)?;
                if done < 1.0 {
                    return Ok(Outcome::Paused);
                }
                curve.write(&self.line(phase, ema, state)?)?;
                return Ok(Outcome::Finished);
            }
            let loss = (phase.loss)(step, done)?;
            let lr = phase.pace.rate(step, done);
            let norm = adam.step(&loss.value.backward()?, lr, Some(phase.pace.clip))?;
            ema.update(&self.params)?;
            bad = if norm.is_finite() { 0 } else { bad + 1 };
            if bad >= BAD_STEPS {
                return Err(TrainError::Diverged {
                    phase: phase.name,
                    step: step as usize,
                    norm,
                });
            }
            state.step += 1;
            state.model.step += 1;
            state.frames += loss.frames as u64;
            since.1 += loss.frames;
            loss_sum += f64::from(loss.value.to_scalar::<f32>()?);
            norm_sum += norm;
            summed += 1;
            if state.model.step.is_multiple_of(LOG_EVERY) {
                let seconds = since.0.elapsed().as_secs_f64();
                curve.write(&json!({
                    "phase": phase.name, "step": state.model.step, "frames": state.frames, "minutes": state.minutes,
                    "progress": done, "loss": loss_sum / summed as f64, "grad_norm": norm_sum / summed as f64, "lr": lr,
                    "rolls": loss.rolls, "frames_per_s": since.1 as f64 / seconds.max(1e-9),
                }))?;
                (loss_sum, norm_sum, summed, since) = (0.0, 0.0, 0, (Instant::now(), 0));
            }
            if state.model.step.is_multiple_of(VALIDATE_EVERY) {
                curve.write(&self.line(phase, ema, state)?)?;
                since = (Instant::now(), 0);
            }
            if last_save.elapsed().as_secs_f64() > SAVE_SECONDS {
                (state.optimiser_steps, state.average_updates) = (adam.steps(), ema.updates());
                self.checkpoint.save(state, &self.params, &adam, ema)?;
                if state.model.phase == 1 {
                    self.export(state, ema)?;
                }
                last_save = Instant::now();
            }
        }
    }

    /// A line of the curve with what a phase measures.
    fn line(
        &self,
        phase: &Phase,
        ema: &Ema,
        state: &State<Place>,
    ) -> Result<serde_json::Value, TrainError> {
        let mut line = (phase.measure)(ema, state.step)?;
        line["phase"] = json!(phase.name);
        line["step"] = json!(state.model.step);
        line["frames"] = json!(state.frames);
        Ok(line)
    }

    /// Rollouts of held-back episodes beside copy-last, and a sheet of them.
    fn validated(&self, ema: &Ema, steps: u64) -> Result<serde_json::Value, TrainError> {
        let card = unfinished_card(self.config, steps);
        let model = LatentDiffusion::new(card, &self.recipe.model, ema.params())?;
        let validation = validate(&model, self.data, &self.clips)?;
        // The first of each scene's.
        let scene_of = |clip: &Clip| self.data.episodes[clip.episode].scene;
        let mut shown = self.clips.clone();
        shown.dedup_by_key(|clip| scene_of(clip));
        let path = self.options.out.join("rollouts.png");
        contact_sheet(&model, self.data, &shown, 20, &path)?;
        Ok(json!({ "validation": validation }))
    }

    fn export(&self, state: &State<Place>, ema: &Ema) -> Result<(), TrainError> {
        let how = match self.recipe.model.objective {
            Objective::Denoise => "flow matching with x-prediction",
            Objective::Regression => "the regression twin: one evaluation, mean squared error",
        };
        let notes = format!(
            "{} frames trained on in both phases. Differs from GAIA-2 (arXiv 2503.20523): one camera, an autoencoder of single frames, \
             {} tokens a frame, a window of {} context frames that enters cell by cell in place of attention over time, each \
             with a noise level of its own; {how}; moving bodies weighted {}-fold, the last part of the training on the \
             model's own latents.",
            state.frames,
            self.recipe.model.tokens(),
            self.recipe.model.context,
            self.recipe.dynamics.foreground_weight,
        );
        let what = Export {
            camp: Camp::Generative,
            parameters: ema.params().count() as u64,
            steps: state.step,
            seconds: 60.0 * state.minutes,
            notes,
            device: &self.options.device,
        };
        export(
            self.config,
            self.data,
            ema.params(),
            &self.options.out,
            &what,
        )?;
        Ok(())
    }
}

/// The latent that the averaged model imagines where `before` was to be predicted, from the same window.
fn own_latent(
    average: &Imagination,
    context: &Tensor,
    before: &Step,
    nfe: usize,
    rng: &mut Rng,
) -> Result<Tensor, ModelError> {
    let start = average.start(context.dim(0)?, false, rng, context.device())?;
    let window = before.window(context)?;
    Ok(average
        .sample(&start, &window, nfe, &Cancel::new())?
        .detach())
}
