//! The only loop: it takes a phase's steps, measures, writes the curve and the checkpoint, ends when the
//! phase is done or time is up, and goes on where a checkpoint ended.

use super::checkpoint::{Checkpoint, Progress};
use super::clock::Clock;
use super::curve::{Curve, short};
use super::data::ahead::{ahead, spare_threads};
use super::error::TrainError;
use super::options::TrainOptions;
use super::phase::{At, Line, Loss, Phase, Plan};
use crate::episode::Dataset;
use crate::model::Stage;
use crate::model::folder;
use crate::model::nn::{AdamW, Ema, Params};
use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use std::time::Instant;

/// What every training is given, whatever its recipe.
#[derive(Clone, Copy)]
pub(super) struct Given<'a> {
    /// Name of the model.
    pub name: &'a str,
    /// The architecture's word on the card.
    pub architecture: &'static str,
    /// One line for lists.
    pub summary: &'a str,
    /// Seed of weights, batches and noise.
    pub seed: u64,
    /// Share of each scene's episodes that only validates.
    pub validation_share: f64,
    /// Trainings whose weights this one begins with, the first one first.
    pub stages: &'a [Stage],
    /// Experience.
    pub data: &'a Dataset,
    /// How to run; `out` is where the training works.
    pub options: &'a TrainOptions,
}

/// One training under way: what its phases share.
pub(super) struct Session<'a> {
    pub given: Given<'a>,
    pub data: &'a Dataset,
    pub train_episodes: Vec<usize>,
    pub validation_episodes: Vec<usize>,
    /// Fresh weights, those of the checkpoint, or (where only read-outs are fitted anew) those of the
    /// finished model.
    pub params: Params,
    pub clock: Clock,
    pub curve: Curve,
    pub progress: Progress,
    checkpoint: Checkpoint,
    /// Seconds of the runs that this one resumes.
    earlier_seconds: f64,
    /// Whether nothing was resumed.
    is_fresh: bool,
    /// Whether optimiser and average of the checkpoint are still to be taken up.
    is_held: bool,
}

impl<'a> Session<'a> {
    /// Begins a training, or goes on with the one whose checkpoint lies in the folder.
    ///
    /// # Errors
    /// [`TrainError`] if a checkpoint cannot be read.
    pub fn open(given: Given<'a>) -> Result<Self, TrainError> {
        let (options, device) = (given.options, &given.options.device);
        let checkpoint = Checkpoint::new(&options.out);
        let saved = match options.resume && !options.readouts_only {
            true => checkpoint.progress()?,
            false => None,
        };
        let params = match &saved {
            Some(_) => checkpoint.weights(device)?.drawing_missing(given.seed),
            None if options.readouts_only => {
                let finished = options.out.join(folder::WEIGHTS);
                Params::load(&finished, device)?.drawing_missing(given.seed)
            }
            None => Params::fresh(given.seed, device),
        };
        let (train_episodes, validation_episodes) =
            given.data.split_episodes(given.validation_share);
        let resumed = saved.is_some();
        let progress = saved.unwrap_or_default();
        Ok(Self {
            data: given.data,
            train_episodes,
            validation_episodes,
            params,
            clock: Clock::start(options.minutes, &options.stop),
            curve: Curve::open(&options.out, resumed || options.readouts_only)?,
            checkpoint,
            earlier_seconds: progress.seconds,
            is_fresh: !resumed && !options.readouts_only,
            is_held: progress.step > 0,
            progress,
            given,
        })
    }

    /// Where tensors are computed.
    pub fn device(&self) -> &'a Device {
        &self.given.options.device
    }

    /// Whether weights are as they were drawn: no checkpoint and no finished model was read.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Seconds of training, those of earlier runs included.
    pub fn seconds(&self) -> f64 {
        self.earlier_seconds + self.clock.seconds()
    }

    /// Whether phase number `index` is not done yet.
    pub fn is_due(&self, index: usize) -> bool {
        self.progress.phase <= index
    }

    /// The next phase is number `index`; where a training was resumed in it, it stays where it is.
    pub fn enter(&mut self, index: usize) {
        if self.progress.phase < index {
            self.progress.phase = index;
            (self.progress.step, self.progress.phase_seconds) = (0, 0.);
            self.is_held = false;
        }
    }

    /// Runs the phase that the training is in to its end.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] if time was up before, with a checkpoint to go on from;
    /// [`TrainError::Diverged`], with the last checkpoint as it was; what the phase or the files say.
    pub fn run<P: Phase>(
        &mut self,
        phase: &P,
        average: Option<&mut Ema>,
    ) -> Result<(), TrainError> {
        let place = Place {
            clock: &self.clock,
            device: &self.given.options.device,
            curve: Some(&mut self.curve),
            progress: &mut self.progress,
            earlier_seconds: self.earlier_seconds,
            kept: Some(Kept {
                checkpoint: &self.checkpoint,
                params: &self.params,
                is_held: std::mem::take(&mut self.is_held),
            }),
        };
        optimise(phase, place, average)
    }

    /// Runs a phase that is short: it has no checkpoints, and whoever is stopped in it does it again.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] if somebody asked for an end; [`TrainError::Diverged`]; what the phase says.
    pub fn fit<P: Phase>(&mut self, phase: &P) -> Result<(), TrainError> {
        let place = Place {
            clock: &self.clock,
            device: &self.given.options.device,
            curve: Some(&mut self.curve),
            progress: &mut Progress::default(),
            earlier_seconds: 0.,
            kept: None,
        };
        optimise(phase, place, None)
    }
}

/// Runs a short phase outside of any training.
///
/// # Errors
/// [`TrainError::Diverged`]; what the phase says.
pub(super) fn fit<P: Phase>(phase: &P, clock: &Clock, device: &Device) -> Result<(), TrainError> {
    let place = Place {
        clock,
        device,
        curve: None,
        progress: &mut Progress::default(),
        earlier_seconds: 0.,
        kept: None,
    };
    optimise(phase, place, None)
}

/// What a phase runs with.
struct Place<'a> {
    clock: &'a Clock,
    device: &'a Device,
    curve: Option<&'a mut Curve>,
    progress: &'a mut Progress,
    earlier_seconds: f64,
    /// None for a phase that is done again by whoever goes on.
    kept: Option<Kept<'a>>,
}

/// Where a phase's checkpoints lie, and what belongs into them.
struct Kept<'a> {
    checkpoint: &'a Checkpoint,
    params: &'a Params,
    /// Whether optimiser and average of the checkpoint are taken up.
    is_held: bool,
}

/// Takes a phase's steps until it is done or time is up.
fn optimise<P: Phase>(
    phase: &P,
    place: Place,
    mut average: Option<&mut Ema>,
) -> Result<(), TrainError> {
    let plan = phase.plan();
    let mut optimiser = AdamW::new(phase.variables(), plan.optimiser)?;
    if let Some(kept) = place.kept.as_ref().filter(|kept| kept.is_held) {
        let (average, progress) = (average.as_deref_mut(), &*place.progress);
        kept.checkpoint
            .restore(&mut optimiser, average, progress, place.device)?;
    }
    let threads = match plan.is_serial {
        true => 1,
        false => spare_threads(place.device),
    };
    let (length, before, started) = (plan.length, place.progress.phase_seconds, Instant::now());
    let seconds = || before + started.elapsed().as_secs_f64();
    let at = |step: usize| At {
        step,
        progress: length.progress(step, seconds()),
    };
    let first = place.progress.step;
    let mut course = Course {
        phase,
        plan,
        place,
        optimiser,
        average,
        saved: Instant::now(),
        told: Told::default(),
        bad_steps: 0,
    };
    ahead(
        threads,
        first,
        |step| phase.draw(at(step)),
        |next| {
            loop {
                course.place.progress.phase_seconds = seconds();
                let at = at(course.place.progress.step);
                let done = at.progress >= 1.;
                // Every run takes a step, so that runs of whatever length come to an end.
                let may_pause = !done && at.step > first;
                course.keep(done, may_pause)?;
                course.measure(at, done)?;
                if done {
                    return Ok(());
                }
                // A thread ends before its time only by a panic, which goes on when threads are joined.
                let batch = next().ok_or(TrainError::Stopped)??;
                course.step(at, batch)?;
            }
        },
    )
}

/// A phase under way.
struct Course<'a, P> {
    phase: &'a P,
    plan: Plan,
    place: Place<'a>,
    optimiser: AdamW,
    average: Option<&'a mut Ema>,
    /// When the last checkpoint was written.
    saved: Instant,
    told: Told,
    /// Gradients in a row that were not finite.
    bad_steps: usize,
}

impl<P: Phase> Course<'_, P> {
    /// Writes a checkpoint if one is due, and pauses if time is up.
    fn keep(&mut self, done: bool, may_pause: bool) -> Result<(), TrainError> {
        let place = &mut self.place;
        place.progress.seconds = place.earlier_seconds + place.clock.seconds();
        let Some(kept) = &place.kept else {
            return place.clock.check();
        };
        let up = may_pause && place.clock.is_up();
        // Also at the end: whoever is stopped in what follows goes on from there.
        if done || up || self.saved.elapsed().as_secs_f64() > self.plan.checkpoint_seconds {
            let average = self.average.as_deref();
            place.progress.optimiser_steps = self.optimiser.steps();
            place.progress.average_updates = average.map_or(0, Ema::updates);
            kept.checkpoint
                .save(kept.params, &self.optimiser, average, place.progress)?;
            if !done {
                self.phase.kept(place.progress)?;
            }
            self.saved = Instant::now();
        }
        match up {
            true => Err(TrainError::Stopped),
            false => Ok(()),
        }
    }

    /// Tells what is measured on held-out episodes, if it is time for that.
    fn measure(&mut self, at: At, done: bool) -> Result<(), TrainError> {
        if !done && !at.step.is_multiple_of(self.plan.measure_every) {
            return Ok(());
        }
        if let Some(line) = self.phase.measure(self.place.progress, done)? {
            self.tell(at.step, line)?;
        }
        self.told.restart();
        Ok(())
    }

    /// Takes a step of the optimiser.
    fn step(&mut self, at: At, batch: P::Batch) -> Result<(), TrainError> {
        let plan = &self.plan;
        let loss = self.phase.loss(batch, at)?;
        let lr = plan.schedule.rate(at.step, at.progress, plan.optimiser.lr);
        let grads = loss.value.backward()?;
        let norm = self.optimiser.step(&grads, lr, Some(plan.clip))?;
        self.bad_steps = match norm.is_finite() {
            true => 0,
            false => self.bad_steps + 1,
        };
        if self.bad_steps >= plan.bad_steps {
            return Err(TrainError::Diverged {
                phase: plan.name,
                step: at.step,
                norm,
            });
        }
        if let (Some(average), Some(kept)) = (&mut self.average, &self.place.kept) {
            average.update(kept.params)?;
        }
        self.phase.follow(at)?;
        let progress = &mut self.place.progress;
        progress.step += 1;
        progress.total_steps += 1;
        progress.frames += loss.frames as u64;
        self.told.add(&loss, norm, plan.log_every.is_some())?;
        if plan
            .log_every
            .is_some_and(|n| at.step.is_multiple_of(n.max(1)))
        {
            let mut line = self.told.losses()?;
            line.insert("lr".into(), short(lr));
            line.extend(loss.facts);
            self.tell(at.step, line)?;
            self.told = Told::default();
        }
        Ok(())
    }

    /// Writes a line of the curve, with what all lines say.
    fn tell(&mut self, step: usize, mut line: Line) -> Result<(), TrainError> {
        let Some(curve) = &mut self.place.curve else {
            return Ok(());
        };
        if self.told.frames > 0 {
            let seconds = self.told.since.elapsed().as_secs_f64().max(1e-9);
            let rate = self.told.frames as f64 / seconds;
            line.insert("frames_per_s".into(), json!(rate.round()));
        }
        let minutes = short(self.place.progress.phase_seconds / 60.);
        for (name, value) in [
            ("phase", json!(self.plan.name)),
            ("step", json!(step)),
            ("minutes", minutes),
        ] {
            line.entry(name).or_insert(value);
        }
        curve.write(&Value::Object(line))
    }
}

/// What happened since the curve's last line.
struct Told {
    since: Instant,
    frames: usize,
    steps: usize,
    /// Sums of the loss and its parts.
    sums: Vec<(&'static str, Tensor)>,
    norms: f64,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            frames: 0,
            steps: 0,
            sums: Vec::new(),
            norms: 0.,
        }
    }
}

impl Told {
    /// Time that was spent on something else does not count.
    fn restart(&mut self) {
        (self.since, self.frames) = (Instant::now(), 0);
    }

    fn add(&mut self, loss: &Loss, norm: f64, has_losses: bool) -> Result<(), TrainError> {
        self.frames += loss.frames;
        if !has_losses {
            return Ok(());
        }
        self.steps += 1;
        self.norms += norm;
        let value = std::iter::once(("loss", &loss.value));
        let parts = loss.parts.iter().map(|(name, part)| (*name, part));
        for (i, (name, part)) in value.chain(parts).enumerate() {
            let part = part.detach();
            match self.sums.get_mut(i) {
                Some((_, sum)) => *sum = (&*sum + part)?,
                None => self.sums.push((name, part)),
            }
        }
        Ok(())
    }

    /// Means of loss, parts and norm.
    fn losses(&self) -> Result<Line, TrainError> {
        let n = self.steps.max(1) as f64;
        let mut line = Line::new();
        for (name, sum) in &self.sums {
            let mean: Vec<f32> = sum.flatten_all()?.to_vec1()?;
            let mut told = mean.into_iter().map(|v| short(f64::from(v) / n));
            let told = match sum.rank() {
                0 => told.next().unwrap_or(Value::Null),
                _ => told.collect(),
            };
            line.insert((*name).into(), told);
        }
        line.insert("grad_norm".into(), short(self.norms / n));
        Ok(line)
    }
}
