//! How a diffusion over a JEPA's tokens is trained: part of `models/NAME/train.ron`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::generative::{AutoencoderConfig, LatentDiffusionConfig};
use crate::model::hybrid;
use crate::train::bounds::{self, Fault};
use crate::train::recipes::latent::{AutoencoderPhase, DynamicsPhase, without_belief};

/// A JEPA, and the diffusion that is trained over its tokens.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRecipe {
    /// Folder of the finished V-JEPA 2-AC, whose encoder stays as it is.
    pub jepa: PathBuf,
    /// Dynamics and decoder, as those of a latent diffusion; `hue_motion` is measured, and `model.ron` of the
    /// finished folder says what was found.
    #[serde(default = "diffusion")]
    pub diffusion: LatentDiffusionConfig,
    /// The first phase: from tokens to frames. `latent_noise` is a deviation of standardised tokens.
    #[serde(default = "decoder")]
    pub decoder: AutoencoderPhase,
    /// The second: the next tokens out of the last ones.
    #[serde(default)]
    pub dynamics: DynamicsPhase,
}

/// What the diffusion is unless the recipe says otherwise: nothing of it sees.
fn diffusion() -> LatentDiffusionConfig {
    LatentDiffusionConfig {
        autoencoder: AutoencoderConfig {
            encoder_blocks: 0,
            ..AutoencoderConfig::default()
        },
        ..LatentDiffusionConfig::default()
    }
}

/// How the decoder is trained unless the recipe says otherwise.
fn decoder() -> AutoencoderPhase {
    AutoencoderPhase {
        latent_noise: 0.1,
        ..AutoencoderPhase::default()
    }
}

impl TokenRecipe {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name, and what was found and expected.
    pub fn check(&self) -> Result<(), Fault> {
        bounds::inside("diffusion", hybrid::check_diffusion(&self.diffusion))?;
        without_belief("diffusion.belief", &self.diffusion)?;
        self.decoder.check("decoder")?;
        self.dynamics.check("dynamics")
    }
}
