//! The first stage: hidden tubelets of clips of all scenes, no actions.

use super::gate::Gate;
use super::{Outcome, Session};
use crate::episode::Dataset;
use crate::model::jepa::vjepa::{
    ActionJepa, Blocks, ClipBatch, LONG, Mask, MaskedJepa, SHORT, VjepaConfig,
};
use crate::model::nn::{AdamW, AdamWConfig, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::curve::short;
use crate::train::lewm::windows;
use crate::train::{Length, TrainError};
use candle_core::Tensor;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;

/// Settings of the first stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskedPhase {
    /// How long.
    pub length: Length,
    /// Clips a step under short-range masks, and as many under long-range ones.
    pub clips: usize,
    /// Single frames, shown twice, a step, under short-range masks: a frame of the second stage looks like that.
    pub stills: usize,
    /// Control steps between the frames of a clip.
    pub stride: usize,
    /// Cells of a frame that are seen and that are predicted under short-range masks.
    pub short: (usize, usize),
    /// The same under long-range masks.
    pub long: (usize, usize),
    /// Decay of the target encoder's average at the start; it rises to 1.
    pub decay: f64,
    /// Optimiser; its rate is the peak of warm-up and cosine.
    pub optimiser: AdamWConfig,
    /// Share of the stage that warms up.
    pub warmup: f64,
    /// Longest gradient.
    pub clip: f64,
    /// Scenes whose frames are looked at to see what the maps hold; none means all.
    pub gate_scenes: Vec<String>,
    /// Steps between lines of the curve.
    pub log_every: usize,
    /// Steps between looks at what the maps hold.
    pub judge_every: usize,
    /// Seconds between checkpoints.
    pub checkpoint_seconds: f64,
}

impl Default for MaskedPhase {
    fn default() -> Self {
        Self {
            length: Length::Steps(3000),
            clips: 12,
            stills: 24,
            stride: 1,
            short: (16, 32),
            long: (8, 40),
            decay: 0.998,
            optimiser: AdamWConfig {
                weight_decay: 0.04,
                ..AdamWConfig::default()
            },
            warmup: 0.05,
            clip: 1.,
            gate_scenes: Vec::new(),
            log_every: 20,
            judge_every: 500,
            checkpoint_seconds: 120.,
        }
    }
}

impl MaskedPhase {
    /// The first field that makes no sense, with why.
    pub(super) fn check(&self, model: &VjepaConfig) -> Result<(), Fault> {
        bounds::length("masked.length", self.length, false)?;
        within("masked.clips", self.clips, 0..=65_536)?;
        within("masked.stills", self.stills, 0..=65_536)?;
        within(
            "masked.clips + masked.stills",
            self.clips + self.stills,
            1..=1 << 17,
        )?;
        within("masked.stride", self.stride, 1..=1000)?;
        let cells = model.cells();
        for (field, (visible, hidden)) in [("masked.short", self.short), ("masked.long", self.long)]
        {
            if visible == 0 || hidden == 0 || visible.saturating_add(hidden) > cells {
                return Err((
                    field.into(),
                    format!("found {visible} seen and {hidden} hidden of {cells} cells"),
                ));
            }
        }
        within("masked.decay", self.decay, 0. ..=1.)?;
        bounds::optimiser("masked.optimiser", &self.optimiser)?;
        bounds::habits("masked", self.warmup, self.clip, self.log_every)?;
        within("masked.judge_every", self.judge_every, 1..=1_000_000_000)?;
        bounds::checkpoint_seconds("masked", self.checkpoint_seconds)
    }

    /// Frames that a step looks at.
    fn frames(&self, model: &VjepaConfig) -> usize {
        2 * self.clips * model.clip_frames + self.stills
    }
}

/// Draws clips and masks by seed and step alone: a resumed training sees the same ones.
struct Sampler<'a> {
    data: &'a Dataset,
    phase: &'a MaskedPhase,
    model: &'a VjepaConfig,
    starts: Vec<usize>,
    seed: u64,
}

impl Sampler<'_> {
    /// Short-range clips, long-range clips and stills of one step; those of which there are none are left out.
    fn batches(&self, step: usize, networks: &MaskedJepa) -> Result<Vec<ClipBatch>, TrainError> {
        let mut rng = Rng::stream(self.seed ^ 0x00C1_1B5E, step as u64);
        let phase = self.phase;
        let groups: [(usize, bool, Blocks, (usize, usize)); 3] = [
            (phase.clips, false, SHORT, phase.short),
            (phase.clips, false, LONG, phase.long),
            (phase.stills, true, SHORT, phase.short),
        ];
        let mut batches = Vec::new();
        for (count, still, blocks, sizes) in groups.into_iter().filter(|g| g.0 > 0) {
            let (mut clips, mut masks) = (Vec::new(), Vec::new());
            for _ in 0..count {
                let start = self.starts[rng.below(self.starts.len())];
                let frame = |t: usize| self.data.frame(start + t * phase.stride);
                clips.push(match still {
                    true => vec![frame(0), frame(0)],
                    false => (0..self.model.clip_frames).map(frame).collect(),
                });
                masks.push(Mask::draw_sized(blocks, self.model.grid(), sizes, &mut rng));
            }
            batches.push(ClipBatch::new(
                self.model,
                &clips,
                &masks,
                networks.device(),
            )?);
        }
        Ok(batches)
    }
}

pub fn run(
    session: &mut Session,
    networks: &MaskedJepa,
    params: &Params,
    (gate, maps): (&Gate, &ActionJepa),
    resumed_steps: Option<usize>,
) -> Result<Outcome, TrainError> {
    let (phase, model) = (&session.recipe.masked, &session.recipe.model);
    let sampler = Sampler {
        starts: windows(
            session.data,
            &session.train_episodes,
            model.clip_frames,
            phase.stride,
        ),
        data: session.data,
        phase,
        model,
        seed: session.config.seed,
    };
    if sampler.starts.is_empty() {
        return Err(TrainError::TooLittle {
            field: "training clips",
            found: 0,
            expected: 1,
        });
    }
    let vars = ["context", "masked"]
        .iter()
        .flat_map(|part| params.pp(part).vars())
        .collect();
    let mut optimiser = AdamW::new(vars, phase.optimiser)?;
    if let Some(steps) = resumed_steps {
        session
            .checkpoint
            .restore(&mut optimiser, steps, params.device())?;
    }
    let first = session.progress.step;
    let (before, started) = (session.progress.phase_seconds, Instant::now());
    let mut saved = Instant::now();
    let (mut since, mut steps_since) = (Instant::now(), 0usize);
    loop {
        let step = session.progress.step;
        let in_phase = before + started.elapsed().as_secs_f64();
        session.progress.phase_seconds = in_phase;
        session.progress.seconds = session.seconds();
        let progress = phase.length.progress(step, in_phase);
        // Every run takes a step, so that runs of whatever length come to an end.
        let (done, up) = (progress >= 1., session.clock.is_up() && step > first);
        if done || up || saved.elapsed().as_secs_f64() > phase.checkpoint_seconds {
            session
                .checkpoint
                .save(params, &optimiser, &session.progress)?;
            saved = Instant::now();
        }
        if done {
            return Ok(Outcome::Finished);
        }
        if up {
            return Ok(Outcome::Paused);
        }
        let losses = sampler
            .batches(step, networks)?
            .iter()
            .map(|batch| networks.loss(batch))
            .collect::<candle_core::Result<Vec<_>>>()?;
        let loss = Tensor::stack(&losses, 0)?.mean_all()?;
        let lr = phase
            .length
            .rate(step, in_phase, phase.warmup, phase.optimiser.lr);
        let norm = optimiser.step(&loss.backward()?, lr, Some(phase.clip))?;
        if !norm.is_finite() {
            return Err(TrainError::Diverged {
                phase: "masked",
                step,
                norm,
            });
        }
        let decay = phase.decay + (1. - phase.decay) * progress;
        MaskedJepa::follow(params, decay)?;
        session.progress.step += 1;
        session.progress.total_steps += 1;
        steps_since += 1;
        if step.is_multiple_of(phase.log_every.max(1)) {
            let rate = (steps_since * phase.frames(model)) as f64
                / since.elapsed().as_secs_f64().max(1e-9);
            let each = losses
                .iter()
                .map(|l| Ok(short(f64::from(l.to_scalar::<f32>()?))))
                .collect::<Result<Vec<_>, TrainError>>()?;
            session.curve.write(&json!({
                "phase": "masked", "step": step, "minutes": short(in_phase / 60.), "lr": short(lr), "decay": decay,
                "loss": short(f64::from(loss.to_scalar::<f32>()?)), "loss_short_long_stills": each, "grad_norm": short(norm),
                "frames_per_s": rate.round(),
            }))?;
            (since, steps_since) = (Instant::now(), 0);
        }
        if step > 0 && step.is_multiple_of(phase.judge_every.max(1)) {
            gate.judge(maps, session)?;
            (since, steps_since) = (Instant::now(), 0);
        }
    }
}
