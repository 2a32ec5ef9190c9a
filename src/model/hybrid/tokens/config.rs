//! What a diffusion over a JEPA's tokens is made of: `model.ron` of such a model.

use serde::{Deserialize, Serialize};

use crate::model::generative::LatentDiffusionConfig;
use crate::model::jepa::vjepa::VjepaConfig;

/// Network of a [`TokenDiffusion`](super::TokenDiffusion).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenDiffusionConfig {
    /// The V-JEPA whose encoder sees, and stays as it is.
    pub jepa: VjepaConfig,
    /// The dynamics, as of a latent diffusion, and the decoder's sizes under `autoencoder`: its `channels`
    /// are those that tokens are projected to, and `encoder_blocks` is 0.
    pub diffusion: LatentDiffusionConfig,
}

impl TokenDiffusionConfig {
    /// Whether the networks can be built.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.jepa.check()?;
        check_diffusion(&self.diffusion)?;
        let (jepa, d) = (&self.jepa, &self.diffusion);
        let faults = [
            (
                "diffusion.size",
                d.size != jepa.image_size,
                format!("{}, expected {} as the JEPA has", d.size, jepa.image_size),
            ),
            (
                "diffusion.autoencoder.patch",
                d.side() != jepa.grid(),
                format!(
                    "{} makes maps of side {}, expected {} as the JEPA's tokens have",
                    d.autoencoder.patch,
                    d.side(),
                    jepa.grid()
                ),
            ),
            (
                "diffusion.autoencoder.channels",
                d.channels() > jepa.width,
                format!(
                    "{}, expected at most the {} of a token",
                    d.channels(),
                    jepa.width
                ),
            ),
        ];
        match faults.into_iter().find(|f| f.1) {
            None => Ok(()),
            Some((field, _, message)) => Err((field, message)),
        }
    }
}

/// Whether dynamics and decoder can be built.
///
/// # Errors
/// The first field at fault, and what was found and expected.
pub fn check_diffusion(diffusion: &LatentDiffusionConfig) -> Result<(), (&'static str, String)> {
    diffusion.check()?;
    let blocks = diffusion.autoencoder.encoder_blocks;
    match blocks {
        0 => Ok(()),
        found => Err((
            "autoencoder.encoder_blocks",
            format!("{found}, expected 0: the JEPA sees in place of an encoder"),
        )),
    }
}
