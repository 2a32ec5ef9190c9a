//! The first stage: hidden tubelets of clips of all scenes, no actions.

use super::watch::Watch;
use crate::episode::Dataset;
use crate::model::jepa::vjepa::{Blocks, ClipBatch, LONG, Mask, MaskedJepa, SHORT, VjepaConfig};
use crate::model::nn::{AdamWConfig, Params, Rng};
use crate::train::bounds::{self, Fault, within};
use crate::train::checkpoint::Progress;
use crate::train::error::TrainError;
use crate::train::phase::{At, Line, Loss, Phase, Plan, line};
use crate::train::schedule::Length;
use candle_core::{Tensor, Var};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Settings of the first stage.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskedPhase {
    /// How long.
    pub length: Length,
    /// Clips a step under short-range masks, and as many under long-range ones.
    pub clips: usize,
    /// Single frames, shown twice, a step, under short-range masks: a frame of the second stage looks like
    /// that.
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

/// The first stage: what it draws and learns.
pub(super) struct Masked<'a> {
    pub phase: &'a MaskedPhase,
    pub networks: &'a MaskedJepa,
    pub params: Params,
    pub data: &'a Dataset,
    /// First frames of clips.
    pub starts: Vec<usize>,
    /// Looks at what the maps hold meanwhile.
    pub watch: &'a Watch<'a>,
    pub seed: u64,
}

impl Masked<'_> {
    /// Decay of the target encoder's average.
    fn decay(&self, at: At) -> f64 {
        self.phase.decay + (1. - self.phase.decay) * at.progress
    }
}

impl Phase for Masked<'_> {
    /// Short-range clips, long-range clips and stills; those of which there are none are left out.
    type Batch = Vec<ClipBatch>;

    fn plan(&self) -> Plan {
        let p = self.phase;
        let habits = (p.warmup, p.clip, p.judge_every);
        Plan {
            log_every: Some(p.log_every),
            ..Plan::cosine(
                "masked",
                p.length,
                p.optimiser,
                habits,
                p.checkpoint_seconds,
            )
        }
    }

    fn variables(&self) -> Vec<(String, Var)> {
        let parts = ["context", "masked"].iter();
        parts.flat_map(|part| self.params.pp(part).vars()).collect()
    }

    fn draw(&self, at: At) -> Result<Self::Batch, TrainError> {
        let mut rng = Rng::stream(self.seed ^ 0x00C1_1B5E, at.step as u64);
        let (phase, model) = (self.phase, self.networks.config());
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
                    false => (0..model.clip_frames).map(frame).collect(),
                });
                masks.push(Mask::draw_sized(blocks, model.grid(), sizes, &mut rng));
            }
            let device = self.networks.device();
            batches.push(ClipBatch::new(model, &clips, &masks, device)?);
        }
        Ok(batches)
    }

    fn loss(&self, batches: Self::Batch, at: At) -> Result<Loss, TrainError> {
        let losses = batches.iter().map(|batch| self.networks.loss(batch));
        let losses = losses.collect::<candle_core::Result<Vec<_>>>()?;
        let losses = Tensor::stack(&losses, 0)?;
        Ok(Loss {
            value: losses.mean_all()?,
            frames: self.phase.frames(self.networks.config()),
            parts: vec![("loss_short_long_stills", losses)],
            facts: line(json!({ "decay": self.decay(at) })),
        })
    }

    fn follow(&self, at: At) -> Result<(), TrainError> {
        Ok(MaskedJepa::follow(&self.params, self.decay(at))?)
    }

    /// The verdict on the finished stage is the recipe's to ask for.
    fn measure(&self, progress: &Progress, is_last: bool) -> Result<Option<Line>, TrainError> {
        match is_last || progress.step == 0 {
            true => Ok(None),
            false => Ok(self.watch.judge(progress.step)?.map(|verdict| verdict.line)),
        }
    }
}
