//! What a LeWM with a diffusion decoder is made of: `model.ron` of such a model.

use serde::{Deserialize, Serialize};

use crate::model::generative::{Objective, PixelDiffusionConfig};
use crate::model::jepa::LewmConfig;

/// Maps that the decoder sees beside the noisy frame: the last observation, and what the painter makes of the
/// latent.
const MAPS: usize = 2;

/// Network of a [`DrawnLewm`](super::DrawnLewm).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrawnConfig {
    /// The LeWM, whose weights stay as they are.
    pub lewm: LewmConfig,
    /// The decoder: a pixel diffusion whose context is the last observation and the painted latent (so
    /// `context` is 2), and whose `actions` times `action_dim` numbers are a summary of the latent.
    pub denoiser: PixelDiffusionConfig,
}

impl DrawnConfig {
    /// Numbers of a latent's summary.
    pub fn summary(&self) -> usize {
        self.denoiser.actions * self.denoiser.action_dim
    }

    /// Whether the networks can be built.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        self.lewm.check()?;
        check_decoder(&self.denoiser)?;
        if self.lewm.frameskip != 1 {
            let found = self.lewm.frameskip;
            let message = format!("{found}, expected 1: every control step is drawn");
            return Err(("lewm.frameskip", message));
        }
        if self.lewm.image_size != self.denoiser.size {
            let (found, expected) = (self.denoiser.size, self.lewm.image_size);
            return Err((
                "denoiser.size",
                format!("{found}, expected {expected} as the LeWM has"),
            ));
        }
        Ok(())
    }
}

/// Whether a decoder can be built.
///
/// # Errors
/// The first field at fault, and what was found and expected.
pub fn check_decoder(decoder: &PixelDiffusionConfig) -> Result<(), (&'static str, String)> {
    decoder.check()?;
    let side = decoder.side();
    let rises = side.is_multiple_of(super::painter::FIRST_SIDE)
        && (side / super::painter::FIRST_SIDE).is_power_of_two();
    if decoder.context != MAPS {
        let message = format!(
            "{}, expected {MAPS}: the last observation and the painted latent",
            decoder.context
        );
        return Err(("denoiser.context", message));
    }
    if decoder.context_noise != 0.0 {
        let message = format!(
            "{}, expected 0: no imagined frame is fed back",
            decoder.context_noise
        );
        return Err(("denoiser.context_noise", message));
    }
    if !rises {
        let first = super::painter::FIRST_SIDE;
        let message = format!(
            "{} folds {} pixels to a side of {side}, expected {first}, {}, {} and so on",
            decoder.patch,
            decoder.size,
            2 * first,
            4 * first
        );
        return Err(("denoiser.patch", message));
    }
    if decoder.objective != Objective::Denoise {
        return Err(("denoiser.objective", "expected Denoise".into()));
    }
    Ok(())
}
