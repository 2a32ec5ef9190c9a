//! The loop: batches, steps, the average, validation, checkpoints.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Instant;

use candle_core::{Device, Tensor};
use crossbeam_channel::bounded;
use serde_json::json;

use super::batch::{Batch, Batches, Request};
use super::checkpoint::{Checkpoint, State};
use super::curve::Curve;
use super::start::{scale_of, start_from};
use super::validate::{Clip, Validation, clips, validate};
use super::{DiffusionRecipe, DiffusionTraining, contact_sheet, measure};
use crate::episode::Dataset;
use crate::model::card::FORMAT;
use crate::model::generative::{Conditions, Denoiser, PixelDiffusion};
use crate::model::nn::{AdamW, Ema, Params, Rng};
use crate::model::{Camp, Cancel, Card, ModelError};
use crate::system::Stop;
use crate::train::{Architecture, Clock, Export, TrainConfig, TrainError, export};

/// Gradients in a row that are not finite before the training gives up.
const BAD_STEPS: usize = 50;
/// Batches prepared ahead.
const AHEAD: usize = 3;
/// Streams of the generator beyond this are not batches.
const OWN_FRAMES: u64 = 1 << 40;

/// Settings of one run of the training, as opposed to the recipe, which describes the model.
#[derive(Clone, Debug)]
pub struct DiffusionOptions {
    /// The model's folder: weights, card, recipe, curve, sheets, checkpoint.
    pub out: PathBuf,
    /// Budget in minutes; where there are both, the schedule follows the one that is further spent.
    pub minutes: Option<f64>,
    /// Budget in optimisation steps.
    pub steps: Option<u64>,
    /// Where to compute.
    pub device: Device,
    /// Goes on from the checkpoint in `out`, if there is one.
    pub resume: bool,
    /// Minutes between checkpoints (weights, card and recipe are written along).
    pub checkpoint_minutes: f64,
    /// Steps between validations; 0 for only one at the end.
    pub validate_every: u64,
    /// Steps between lines of the curve.
    pub log_every: u64,
    /// Validation clips of each scene.
    pub clips: usize,
    /// Pauses the training, with a checkpoint to go on from.
    pub clock: Clock,
}

impl Default for DiffusionOptions {
    fn default() -> Self {
        Self {
            out: PathBuf::from("models/diffusion"),
            minutes: None,
            steps: None,
            device: Device::Cpu,
            resume: false,
            checkpoint_minutes: 3.0,
            validate_every: 2000,
            log_every: 100,
            clips: 12,
            clock: Clock::start(None, &Stop::new()),
        }
    }
}

/// What came of a training.
#[derive(Clone, Debug)]
pub struct DiffusionOutcome {
    /// The card that was written.
    pub card: Card,
    /// Last validation, by name of scene.
    pub validation: BTreeMap<String, Validation>,
    /// Frames trained on in all.
    pub frames: u64,
    /// Whether the budget is spent; if not, the training was paused.
    pub is_finished: bool,
}

/// Weighted mean squared error of F in EDM's form (weight λ(σ)·c_out² = 1) over one batch. Where a sequence has
/// several predictions, `own` samples the frame that becomes context of the next.
///
/// # Errors
/// [`ModelError`] of the tensor library, or of `own`.
pub fn loss(
    denoiser: &Denoiser,
    batch: &Batch,
    mut own: impl FnMut(&Tensor, &Tensor) -> Result<Tensor, ModelError>,
) -> Result<Tensor, ModelError> {
    let channels = denoiser.config().channels();
    let mut context = batch.context.clone();
    let mut total: Option<Tensor> = None;
    for (i, stage) in batch.stages.iter().enumerate() {
        if i > 0 {
            let frame = own(&context, &batch.stages[i - 1].actions)?;
            let kept = context
                .narrow(3, channels, context.dim(3)? - channels)?
                .contiguous()?;
            context = Tensor::cat(&[kept, frame], 3)?;
        }
        let conditions = Conditions {
            context: (&context + &stage.context_noise)?,
            context_level: stage.context_level.clone(),
            actions: stage.actions.clone(),
        };
        let f = denoiser.network(&stage.noisy, &stage.noise, &conditions)?;
        let term = ((f - &stage.target)?.sqr()? * &stage.weight)?.mean_all()?;
        total = Some(match total {
            Some(total) => (total + term)?,
            None => term,
        });
    }
    match total {
        Some(total) => Ok((total / batch.stages.len() as f64)?),
        None => Err(ModelError::Input {
            model: "pixel_diffusion".into(),
            message: "a batch of no predictions".into(),
        }),
    }
}

/// Trains on all but the share of each scene's episodes that validates.
///
/// Batches depend on the seed and the step's number only; so does everything else, except where a budget in minutes
/// sets the schedule. Results do not depend on the number of threads.
///
/// # Errors
/// [`TrainError`] naming the file and field at fault, or the setting that is missing; [`TrainError::Diverged`] if
/// gradients stay infinite.
pub fn train_pixel_diffusion(
    config: &TrainConfig,
    recipe: &DiffusionRecipe,
    data: &Dataset,
    options: &DiffusionOptions,
) -> Result<DiffusionOutcome, TrainError> {
    let path = options.out.join("train.ron");
    let wrong = |field: &str, message: String| TrainError::Config {
        path: path.clone(),
        field: field.into(),
        message,
    };
    if options.minutes.is_none() && options.steps.is_none() {
        return Err(wrong(
            "training.length",
            "found none, expected a budget in minutes or in steps".into(),
        ));
    }
    let mut recipe = recipe.clone();
    let checkpoint = Checkpoint::new(&options.out)?;
    let saved: Option<State> = if options.resume {
        checkpoint.state()?
    } else {
        None
    };
    if let Some(state) = &saved {
        // The scale that the weights were trained at must not be measured anew.
        recipe.model = state.model.clone();
    } else if recipe.model.sigma_data == 0.0 {
        measure(data, &mut recipe.model);
        if let Some(folder) = &recipe.training.start {
            scale_of(folder, &mut recipe.model)?;
        }
    }
    recipe
        .check()
        .map_err(|(field, message)| wrong(&field, message))?;
    let config = TrainConfig {
        architecture: Architecture::PixelDiffusion(recipe.clone()),
        ..config.clone()
    };
    config.save(&path)?;
    let (train, held_back) = data.split_episodes(config.validation_share);
    let batches = Batches::new(data, &train, &recipe, config.seed, &options.device)?;
    let clips = clips(data, &held_back, options.clips, 10);
    std::thread::scope(|scope| {
        let (ask, asked) = bounded::<Request>(AHEAD);
        let (give, given) = bounded::<Result<Batch, ModelError>>(AHEAD);
        scope.spawn(move || {
            for request in asked {
                if give.send(batches.draw(request)).is_err() {
                    break;
                }
            }
        });
        let run = Run {
            config: &config,
            recipe: &recipe,
            data,
            options,
            checkpoint,
            clips,
        };
        run.train(
            saved,
            |request| ask.send(request).is_ok(),
            || given.recv().ok(),
        )
    })
}

struct Run<'a> {
    config: &'a TrainConfig,
    recipe: &'a DiffusionRecipe,
    data: &'a Dataset,
    options: &'a DiffusionOptions,
    checkpoint: Checkpoint,
    clips: Vec<Clip>,
}

impl Run<'_> {
    fn train(
        self,
        saved: Option<State>,
        ask: impl Fn(Request) -> bool,
        given: impl Fn() -> Option<Result<Batch, ModelError>>,
    ) -> Result<DiffusionOutcome, TrainError> {
        let seed = self.config.seed;
        let (recipe, training, options) = (self.recipe, &self.recipe.training, self.options);
        let params = match &saved {
            Some(state) => self.checkpoint.weights(state, &options.device)?,
            None => match &training.start {
                Some(folder) => start_from(folder, &recipe.model, &options.device)?,
                None => Params::fresh(seed, &options.device),
            },
        };
        let denoiser = Denoiser::new(&recipe.model, params.clone())?;
        let mut adam = AdamW::new(params.vars(), training.adamw)?;
        let mut ema = Ema::new(&params, training.ema)?;
        let mut state = State {
            model: recipe.model.clone(),
            ..State::default()
        };
        if let Some(saved) = saved {
            self.checkpoint
                .restore(&saved, &mut adam, &mut ema, &options.device)?;
            state = saved;
        }
        let average = Denoiser::new(&recipe.model, ema.params().detached())?;
        let mut curve = Curve::open(&options.out.join("curve.jsonl"), options.resume)?;
        let (started, before) = (Instant::now(), state.minutes);
        let minutes = || before + started.elapsed().as_secs_f64() / 60.0;
        let progress = |step: u64| {
            let by_steps = options.steps.map_or(0.0, |n| step as f64 / n.max(1) as f64);
            by_steps.max(options.minutes.map_or(0.0, |m| minutes() / m.max(1e-9)))
        };
        let mut asked = state.step;
        let (mut bad, mut last_save, mut since) = (0, Instant::now(), (Instant::now(), 0u64));
        let (mut loss_sum, mut norm_sum, mut summed) = (0f64, 0f64, 0u64);
        let first = state.step;
        loop {
            let done = progress(state.step);
            if done >= 1.0 {
                break;
            }
            // Every run takes a step, so that runs of whatever length come to an end.
            if options.clock.is_up() && state.step > first {
                state.minutes = minutes();
                return Ok(DiffusionOutcome {
                    card: self.save(&mut state, &params, &adam, &ema)?,
                    validation: BTreeMap::new(),
                    frames: state.frames,
                    is_finished: false,
                });
            }
            while asked < state.step + AHEAD as u64 {
                let request = request(training, asked, progress(asked));
                if !ask(request) {
                    break;
                }
                asked += 1;
            }
            let batch =
                given().ok_or_else(|| fault("the thread that prepares batches ended".into()))??;
            let mut rng = Rng::stream(seed, OWN_FRAMES + state.step);
            let value = loss(&denoiser, &batch, |context, actions| {
                own_frame(
                    &average,
                    context,
                    actions,
                    training.self_rolled_nfe,
                    &mut rng,
                )
            })?;
            let lr = rate(training, state.step, done);
            let norm = adam.step(&value.backward()?, lr, Some(training.clip))?;
            ema.update(&params)?;
            bad = if norm.is_finite() { 0 } else { bad + 1 };
            if bad >= BAD_STEPS {
                return Err(TrainError::Diverged {
                    phase: "diffusion",
                    step: state.step as usize,
                    norm,
                });
            }
            let frames = (batch.context.dim(0)? * batch.stages.len()) as u64;
            state.step += 1;
            state.frames += frames;
            since.1 += frames;
            loss_sum += f64::from(value.to_scalar::<f32>()?);
            norm_sum += norm;
            summed += 1;
            if state.step.is_multiple_of(options.log_every.max(1)) {
                let seconds = since.0.elapsed().as_secs_f64();
                curve.line(&json!({
                    "step": state.step, "frames": state.frames, "minutes": minutes(), "progress": done,
                    "loss": loss_sum / summed as f64, "grad_norm": norm_sum / summed as f64, "lr": lr,
                    "rolls": batch.stages.len(), "frames_per_s": since.1 as f64 / seconds.max(1e-9),
                }))?;
                (loss_sum, norm_sum, summed, since) = (0.0, 0.0, 0, (Instant::now(), 0));
            }
            if options.validate_every > 0 && state.step.is_multiple_of(options.validate_every) {
                self.validated(&ema, &state, &mut curve)?;
                since = (Instant::now(), 0);
            }
            if last_save.elapsed().as_secs_f64() > 60.0 * options.checkpoint_minutes {
                state.minutes = minutes();
                self.save(&mut state, &params, &adam, &ema)?;
                last_save = Instant::now();
            }
        }
        state.minutes = minutes();
        let card = self.save(&mut state, &params, &adam, &ema)?;
        let validation = self.validated(&ema, &state, &mut curve)?;
        Ok(DiffusionOutcome {
            card,
            validation,
            frames: state.frames,
            is_finished: true,
        })
    }

    fn validated(
        &self,
        ema: &Ema,
        state: &State,
        curve: &mut Curve,
    ) -> Result<BTreeMap<String, Validation>, TrainError> {
        let model = PixelDiffusion::new(
            unfinished_card(self.config, state.step),
            &self.recipe.model,
            ema.params(),
        )?;
        let validation = validate(&model, self.data, &self.clips)?;
        curve.line(
            &json!({ "step": state.step, "frames": state.frames, "validation": validation }),
        )?;
        let shown = sheet_clips(self.data, &self.clips);
        contact_sheet(
            &model,
            self.data,
            &shown,
            20,
            &self.options.out.join("rollouts.png"),
        )?;
        Ok(validation)
    }

    /// Writes the checkpoint and the model folder: what is there is always whole and can be used.
    fn save(
        &self,
        state: &mut State,
        params: &Params,
        adam: &AdamW,
        ema: &Ema,
    ) -> Result<Card, TrainError> {
        state.optimiser_steps = adam.steps();
        state.average_updates = ema.updates();
        self.checkpoint.save(state, params, adam, ema)?;
        let notes = format!(
            "{} frames trained on. Differs from DIAMOND (arXiv 2405.12399): frames folded {p}x{p} into channels, two levels \
             instead of four, self-attention at the inner one, moving bodies weighted {}-fold, context noised at a known \
             level, the last part of the training on the model's own frames, no reward or termination head.",
            state.frames,
            self.recipe.training.foreground_weight,
            p = self.recipe.model.patch
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
        )
    }
}

/// The card of a model that is still being trained: enough for measuring it.
pub(in crate::train) fn unfinished_card(config: &TrainConfig, steps: u64) -> Card {
    Card {
        format: FORMAT,
        name: config.name.clone(),
        camp: Camp::Generative,
        summary: config.summary.clone(),
        architecture: config.architecture.id().into(),
        scenes: Vec::new(),
        parameters: 0,
        steps,
        seed: config.seed,
        data: String::new(),
        hardware: String::new(),
        minutes: 0.0,
        sha256: String::new(),
        notes: String::new(),
        licence: String::new(),
        behaviour: Vec::new(),
    }
}

/// The first two clips of each scene.
fn sheet_clips(data: &Dataset, clips: &[Clip]) -> Vec<Clip> {
    let of = |scene: usize| {
        clips
            .iter()
            .filter(move |c| data.episodes[c.episode].scene == scene)
            .take(2)
    };
    (0..data.scenes.len()).flat_map(of).copied().collect()
}

/// What to draw for a step: from `self_rolled_from` on, growing runs of the model's own frames, at equal size of batch.
fn request(training: &DiffusionTraining, step: u64, progress: f64) -> Request {
    let rolls = if progress < training.self_rolled_from || training.self_rolled_steps < 2 {
        1
    } else {
        let part =
            (progress - training.self_rolled_from) / (1.0 - training.self_rolled_from).max(1e-9);
        let longest = training.self_rolled_steps as f64;
        (2.0 + part * (longest - 1.0)).min(longest) as usize
    };
    Request {
        step,
        sequences: (training.batch / rolls).max(1),
        rolls,
    }
}

/// Warm-up by steps, then a cosine over the budget down to 2 % of the peak.
fn rate(training: &DiffusionTraining, step: u64, progress: f64) -> f64 {
    let warm = ((step + 1) as f64 / training.warmup_steps.max(1) as f64).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
    training.adamw.lr * warm * (0.02 + 0.98 * cosine)
}

/// The frame that the averaged model imagines after `context`, as it would be read back from bytes.
fn own_frame(
    average: &Denoiser,
    context: &Tensor,
    actions: &Tensor,
    nfe: usize,
    rng: &mut Rng,
) -> Result<Tensor, ModelError> {
    let device = context.device();
    let start = average.start(context.dim(0)?, false, rng, device)?;
    let conditions = average.conditions(context.clone(), actions.clone(), false, rng)?;
    let frame = average.sample(&start, &conditions, nfe, &Cancel::new())?;
    let mut values = frame.flatten_all()?.to_vec1::<f32>()?;
    average.patches().quantise(&mut values);
    Ok(Tensor::from_vec(values, frame.shape(), device)?)
}

fn fault(message: String) -> ModelError {
    ModelError::Input {
        model: "pixel_diffusion".into(),
        message,
    }
}
