//! `train.ron`.

use super::bounds::{Fault, within};
use super::error::{TrainError, io};
use super::recipe::Recipe;
use super::recipes::belief::BeliefRecipe;
use super::recipes::cloning::{CloningRecipe, Pairwise, Target};
use super::recipes::distance::DistanceRecipe;
use super::recipes::drawn::DrawnRecipe;
use super::recipes::jumps::JumpsRecipe;
use super::recipes::keyframes::KeyframesRecipe;
use super::recipes::latent::LatentRecipe;
use super::recipes::lewm::LewmRecipe;
use super::recipes::pixel::DiffusionRecipe;
use super::recipes::remembering::RememberingRecipe;
use super::recipes::tokens::TokenRecipe;
use super::recipes::vjepa::VjepaRecipe;
use crate::system::files;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A training, complete: with the experience it names it can be repeated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Name of the model folder.
    pub name: String,
    /// One line for lists.
    pub summary: String,
    /// Seed of weights, batches and noise.
    #[serde(default)]
    pub seed: u64,
    /// Folders of experience.
    pub data: Vec<PathBuf>,
    /// Upper bound of episodes from each folder.
    #[serde(default)]
    pub episodes: Option<usize>,
    /// Share of each scene's episodes that only validates.
    #[serde(default = "default_validation")]
    pub validation_share: f64,
    /// What to train, and how.
    pub architecture: Architecture,
}

fn default_validation() -> f64 {
    0.05
}

/// What to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Architecture {
    /// A joint-embedding predictive model.
    Lewm(LewmRecipe),
    /// A JEPA in two stages: masked clips, then actions.
    VjepaAc(VjepaRecipe),
    /// An action-conditioned pixel diffusion model.
    PixelDiffusion(DiffusionRecipe),
    /// An action-conditioned diffusion model in the latents of an autoencoder.
    LatentDiffusion(LatentRecipe),
    /// A belief beside the latents of a finished LeWM.
    Belief(BeliefRecipe),
    /// A belief beside the frames of a finished latent diffusion.
    Remembering(RememberingRecipe),
    /// A diffusion decoder of what a finished LeWM imagines: a hybrid.
    DrawnLewm(DrawnRecipe),
    /// A latent diffusion over a finished V-JEPA's patch tokens: a hybrid.
    TokenDiffusion(TokenRecipe),
    /// The next structured moments on the way to a goal, on a finished LeWM.
    Keyframes(KeyframesRecipe),
    /// Jumps of 1, 2, 4 and 8 steps in the latents of a finished LeWM.
    Jumps(JumpsRecipe),
    /// How many steps it still takes to a goal, on a finished LeWM.
    Distance(DistanceRecipe),
    /// A goal-conditioned policy cloned from the recorded behaviour: a baseline.
    Cloning(CloningRecipe),
    /// A learned distance to a goal, for planners that imagine pixels.
    StepsToGo(CloningRecipe),
}

impl Architecture {
    /// The word on the card.
    pub fn id(&self) -> &'static str {
        match self {
            Self::Lewm(_) => "lewm",
            Self::VjepaAc(_) => "vjepa_ac",
            Self::PixelDiffusion(_) => "pixel_diffusion",
            Self::LatentDiffusion(_) => "latent_diffusion",
            Self::Belief(_) => "belief_lewm",
            Self::Remembering(_) => "latent_diffusion",
            Self::DrawnLewm(_) => "drawn_lewm",
            Self::TokenDiffusion(_) => "token_diffusion",
            Self::Keyframes(_) | Self::Jumps(_) | Self::Distance(_) => "lewm",
            Self::Cloning(_) => "cloning",
            Self::StepsToGo(_) => "steps_to_go",
        }
    }

    /// What knows how it is trained.
    pub(super) fn recipe(&self) -> Box<dyn Recipe> {
        let pairwise = |recipe: &CloningRecipe, target| {
            let recipe = recipe.clone();
            Box::new(Pairwise { recipe, target })
        };
        match self {
            Self::Lewm(recipe) => Box::new(recipe.clone()),
            Self::VjepaAc(recipe) => Box::new(recipe.clone()),
            Self::PixelDiffusion(recipe) => Box::new(recipe.clone()),
            Self::LatentDiffusion(recipe) => Box::new(recipe.clone()),
            Self::Belief(recipe) => Box::new(recipe.clone()),
            Self::Remembering(recipe) => Box::new(recipe.clone()),
            Self::DrawnLewm(recipe) => Box::new(recipe.clone()),
            Self::TokenDiffusion(recipe) => Box::new(recipe.clone()),
            Self::Keyframes(recipe) => Box::new(recipe.clone()),
            Self::Jumps(recipe) => Box::new(recipe.clone()),
            Self::Distance(recipe) => Box::new(recipe.clone()),
            Self::Cloning(recipe) => pairwise(recipe, Target::Action),
            Self::StepsToGo(recipe) => pairwise(recipe, Target::Steps),
        }
    }
}

impl TrainConfig {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`TrainError::Config`] with the line and column, or the field, at fault.
    pub fn load(path: &Path) -> Result<Self, TrainError> {
        Self::parse(&files::text(path).map_err(io(path))?, path)
    }

    /// As [`load`](Self::load), of a file's text.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, TrainError> {
        let fault = |(field, message)| TrainError::Config {
            path: path.into(),
            field,
            message,
        };
        let config: Self = ron::from_str(text).map_err(|e| {
            let place = format!("line {}, column {}", e.span.start.line, e.span.start.col);
            fault((place, e.code.to_string()))
        })?;
        config.check().map_err(fault)?;
        Ok(config)
    }

    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field and message.
    pub fn check(&self) -> Result<(), Fault> {
        self.architecture.recipe().check()?;
        within("validation_share", self.validation_share, 0. ..=0.5)?;
        within("episodes", self.episodes.unwrap_or(1), 1..=usize::MAX)
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`TrainError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        files::replace(path, self.text(path)?.as_bytes()).map_err(io(path))
    }

    /// The file's text, which `path` names in errors.
    pub(super) fn text(&self, path: &Path) -> Result<String, TrainError> {
        ron::ser::to_string_pretty(self, ron::ser::PrettyConfig::default())
            .map(|text| text + "\n")
            .map_err(|e| TrainError::Config {
                path: path.into(),
                field: "configuration".into(),
                message: e.to_string(),
            })
    }

    /// Folders of experience that a later phase reads besides [`data`](Self::data).
    pub fn later_data(&self) -> &[PathBuf] {
        match &self.architecture {
            Architecture::VjepaAc(recipe) => &recipe.actions.data,
            _ => &[],
        }
    }

    /// Components of an action that the experience may have.
    pub fn action_dim(&self) -> usize {
        self.architecture.recipe().action_dim()
    }
}
