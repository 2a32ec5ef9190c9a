//! What a pane shows: one model, what it imagined, and the ways to look at it.

use std::sync::Arc;

use crate::judge::Violation;
pub use crate::model::Camp;
use crate::model::{Card, MaskedClip, architecture};
use crate::worker::Imagined;

/// Where the actions of a rollout came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ActionSource {
    /// There are none in this scene.
    #[default]
    None,
    /// Reality took them.
    Taken,
    /// The controller plans them.
    Planned,
    /// The last action, held.
    Held,
}

impl ActionSource {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            ActionSource::None => "without actions",
            ActionSource::Taken => "with the actions that reality took",
            ActionSource::Planned => "with the actions of the plan",
            ActionSource::Held => "with the last action held",
        }
    }
}

/// How the plan is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanView {
    /// What first actions would cost.
    #[default]
    Energy,
    /// How the search narrowed.
    Elites,
    /// How far from the goal each imagined step is.
    Cost,
    /// The path through a JEPA's latents.
    Latents,
    /// The imagined frames.
    Film,
}

impl PlanView {
    /// All of them, in the order of the picker.
    pub const ALL: [PlanView; 5] = [
        PlanView::Energy,
        PlanView::Elites,
        PlanView::Cost,
        PlanView::Latents,
        PlanView::Film,
    ];

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            PlanView::Energy => "Energy",
            PlanView::Elites => "Elites",
            PlanView::Cost => "Cost by step",
            PlanView::Latents => "Latent path",
            PlanView::Film => "Film",
        }
    }

    /// What it shows, in a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            PlanView::Energy => {
                "What the plan would cost with another first action: yellow leads nearest to the goal in \
                 imagination"
            }
            PlanView::Elites => {
                "First actions of the best candidates, from the first iteration (violet) to the last \
                 (yellow), and their cost"
            }
            PlanView::Cost => {
                "Distance to the goal at every imagined step of the plan, in the model's own units"
            }
            PlanView::Latents => {
                "The plan's path through the model's latents, in their first two principal components; \
                 thin: other elites"
            }
            PlanView::Film => "The plan as the model imagines it, frame by frame",
        }
    }
}

/// One imagined future.
#[derive(Clone, Debug, Default)]
pub struct Rollout {
    /// The moment it starts from.
    pub branch: usize,
    /// The actions it imagines.
    pub source: ActionSource,
    /// Those actions, `[T][A]`.
    pub actions: Vec<Vec<f32>>,
    /// What was imagined.
    pub imagined: Arc<Imagined>,
    /// What the judge found; frames count from the first imagined one.
    pub violations: Vec<Violation>,
    /// How many laws the judge checked.
    pub checked: usize,
    /// Whether the judge is through.
    pub judged: bool,
    /// Milliseconds that imagining took.
    pub took_ms: f32,
}

impl Rollout {
    /// Index of the imagined step that shows moment `branch + k` (k from 1), if it reaches so far.
    pub fn index(&self, k: usize) -> Option<usize> {
        let skip = self.imagined.frameskip.max(1);
        (k >= 1 && k <= self.imagined.steps).then(|| k.div_ceil(skip) - 1)
    }

    /// Pose (x, z, yaw) of the probed body in this column at moment `branch + k`: imagined steps span
    /// several control steps, so it glides from one to the next, the first time from `start`, where the
    /// body really was at the branch.
    pub fn pose(&self, column: usize, k: usize, start: [f32; 3]) -> Option<[f32; 3]> {
        let states = self.imagined.states.as_ref()?;
        let skip = self.imagined.frameskip.max(1);
        let after = self.index(k)?;
        let at = |step: usize| {
            (step < states.steps)
                .then(|| states.at(0, step).get(column).copied())
                .flatten()
        };
        let to = at(after)?;
        let from = if after == 0 { start } else { at(after - 1)? };
        let share = (k - after * skip) as f32 / skip as f32;
        let mut pose = to;
        for axis in 0..2 {
            pose[axis] = from[axis] + (to[axis] - from[axis]) * share;
        }
        Some(pose)
    }

    /// Violations at moment `branch + k`.
    pub fn violations_at(&self, k: usize) -> impl Iterator<Item = &Violation> {
        let frame = self.index(k);
        self.violations
            .iter()
            .filter(move |v| frame.is_some_and(|f| (v.first_frame..=v.last_frame).contains(&f)))
    }
}

/// One model's pane.
#[derive(Clone, Debug, Default)]
pub struct Pane {
    /// The model's folder.
    pub name: String,
    /// Its card, once read.
    pub card: Option<Card>,
    /// Whether it is a regression twin, shown only where it is asked for.
    pub twin: bool,
    /// Another model with the very same weights: beside it, this one would only repeat it.
    pub same_as: Option<String>,
    /// Loading, ready or failed.
    pub status: PaneStatus,
    /// Rollouts of this episode, by branch.
    pub rollouts: Vec<Rollout>,
    /// Function evaluations a frame.
    pub nfe: usize,
    /// Learned numbers.
    pub parameters: u64,
    /// Whether it imagines at the moment.
    pub busy: bool,
    /// Frames of a clip that it can predict the hidden parts of; `None` for models that were not trained by
    /// masking.
    pub clip_frames: Option<usize>,
    /// The clip that was masked last.
    pub masked: Option<MaskedShown>,
    /// Whether its newest rollout has not been on the screen yet.
    pub unseen: bool,
}

/// Whether a model can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PaneStatus {
    /// Not yet.
    #[default]
    Loading,
    /// Yes.
    Ready,
    /// No, and why.
    Failed(String),
}

impl Pane {
    /// The camp, once the card is read.
    pub fn camp(&self) -> Option<Camp> {
        self.card.as_ref().map(|c| c.camp)
    }

    /// Whether its model imagines pictures, as far as its card says.
    pub fn has_pixels(&self) -> bool {
        self.card.as_ref().is_some_and(architecture::has_pixels)
    }

    /// Whether the pane belongs to a scene: it was trained on it, or it has something to complain about.
    pub fn is_for(&self, scene: &str) -> bool {
        match &self.card {
            Some(card) => card.scenes.iter().any(|s| s == scene),
            None => true,
        }
    }

    /// Function evaluations a frame that can be picked; a regression twin is asked once.
    pub fn nfes(&self) -> &'static [usize] {
        match self.twin {
            true => &[1],
            false => &[1, 2, 3, 5, 10],
        }
    }

    /// Whether somebody can dream in it: it is ready, and it has pixels.
    pub fn can_dream(&self) -> bool {
        self.status == PaneStatus::Ready
            && (self.has_pixels() || self.rollouts.iter().any(|r| r.imagined.frames.is_some()))
    }

    /// The rollout that starts at a moment.
    pub fn rollout(&self, branch: usize) -> Option<&Rollout> {
        self.rollouts.iter().find(|r| r.branch == branch)
    }
}

/// Imagined moment to show: `branch + k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imagination {
    /// The branch.
    pub branch: usize,
    /// Control steps after it, from 0 (the branch itself) to [`HORIZON`](super::state::HORIZON).
    pub k: usize,
}

impl Imagination {
    /// The moment it stands for.
    pub fn moment(self) -> usize {
        self.branch + self.k
    }
}

/// How much of a clip is hidden from a masked model, if it is to show one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MaskView {
    /// Nothing: the pane shows what the model imagines.
    #[default]
    Off,
    /// Eight small blocks.
    Small,
    /// Two large blocks.
    Large,
}

impl MaskView {
    /// The next one, around.
    pub const fn next(self) -> Self {
        match self {
            MaskView::Off => MaskView::Small,
            MaskView::Small => MaskView::Large,
            MaskView::Large => MaskView::Off,
        }
    }

    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            MaskView::Off => "Imagination",
            MaskView::Small => "Masked: small blocks",
            MaskView::Large => "Masked: large blocks",
        }
    }
}

/// What is masked: episode, the moment with which the clip ends, the blocks.
pub type MaskKey = (u64, usize, MaskView);

/// A masked clip of reality, and what a model made of it.
#[derive(Clone, Debug)]
pub struct MaskedShown {
    /// Of what.
    pub key: MaskKey,
    /// The clip.
    pub clip: Arc<MaskedClip>,
}

/// What a camp is called under people who have never heard of it.
pub const fn camp_word(camp: Camp) -> &'static str {
    match camp {
        Camp::Generative => "Video model",
        Camp::Jepa => "JEPA",
        Camp::Hybrid => "Hybrid",
        _ => "Model",
    }
}
