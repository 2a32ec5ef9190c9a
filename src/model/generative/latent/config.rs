//! What a latent diffusion model is made of: part of `models/NAME/train.ron`.

use serde::{Deserialize, Serialize};

use crate::model::belief::BeliefSizes;
use crate::model::generative::Objective;
use crate::model::generative::input::{common_faults, first_fault};
use crate::model::goal::{HUES, HueMotion};

/// Between frames and latents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AutoencoderConfig {
    /// Side of the square of pixels that is folded into channels before the first layer; latents are half
    /// as fine again.
    pub patch: usize,
    /// Channels at the folded resolution.
    pub width: usize,
    /// Channels at the latents' resolution.
    pub inner_width: usize,
    /// Residual blocks at the latents' resolution in the encoder.
    pub encoder_blocks: usize,
    /// Residual blocks of the decoder, at either resolution.
    pub decoder_blocks: usize,
    /// Channels of a latent cell.
    pub channels: usize,
}

impl Default for AutoencoderConfig {
    fn default() -> Self {
        Self {
            patch: 4,
            width: 48,
            inner_width: 96,
            encoder_blocks: 1,
            decoder_blocks: 1,
            channels: 16,
        }
    }
}

/// Autoencoder, transformer and sampling of a [`LatentDiffusion`](super::LatentDiffusion).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatentDiffusionConfig {
    /// Side of a frame in pixels.
    pub size: usize,
    /// Between frames and latents.
    pub autoencoder: AutoencoderConfig,
    /// Frames of context.
    pub context: usize,
    /// Latest actions that are embedded; the last of them leads to the next frame.
    pub actions: usize,
    /// Components of an action; scenes with fewer are padded with zeros.
    pub action_dim: usize,
    /// Side of the square of latent cells that makes one token.
    pub merge: usize,
    /// Width of a token.
    pub width: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Heads of the attention.
    pub heads: usize,
    /// Residual blocks of two 3×3 convolutions before the transformer's.
    pub local: usize,
    /// Hidden units of a block's MLP.
    pub hidden: usize,
    /// Width of the embedding of noise levels and actions.
    pub embed: usize,
    /// What is carried beside the frames of context, if anything is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub belief: Option<BeliefSizes>,
    /// Sampling, or the mean of the futures.
    pub objective: Objective,
    /// Noise level of the context while imagining, in [0, 1].
    pub context_noise: f32,
    /// Denoising steps a frame unless told otherwise.
    pub nfe: usize,
    /// For every palette hue, how far its objects move in ordinary experience: the scale of the goal
    /// distance.
    pub hue_motion: HueMotion,
}

impl Default for LatentDiffusionConfig {
    fn default() -> Self {
        Self {
            size: 64,
            autoencoder: AutoencoderConfig::default(),
            context: 4,
            actions: 4,
            action_dim: 4,
            merge: 1,
            width: 128,
            layers: 4,
            local: 0,
            heads: 4,
            hidden: 256,
            embed: 128,
            belief: None,
            objective: Objective::Denoise,
            context_noise: 0.05,
            nfe: 3,
            hue_motion: [0.1; HUES],
        }
    }
}

impl LatentDiffusionConfig {
    /// Side of the folded frame.
    pub fn folded_side(&self) -> usize {
        self.size / self.autoencoder.patch.max(1)
    }

    /// Channels of the folded frame.
    pub fn folded_channels(&self) -> usize {
        3 * self.autoencoder.patch * self.autoencoder.patch
    }

    /// Side of the latent map.
    pub fn side(&self) -> usize {
        self.folded_side() / 2
    }

    /// Channels of a latent cell.
    pub fn channels(&self) -> usize {
        self.autoencoder.channels
    }

    /// Numbers of one frame's latent.
    pub fn latent_len(&self) -> usize {
        self.side() * self.side() * self.channels()
    }

    /// Bytes of one frame.
    pub fn frame_len(&self) -> usize {
        3 * self.size * self.size
    }

    /// Tokens of one frame.
    pub fn tokens(&self) -> usize {
        (self.side() / self.merge.max(1)) * (self.side() / self.merge.max(1))
    }

    /// Numbers of one frame in one token.
    pub fn token_channels(&self) -> usize {
        self.channels() * self.merge * self.merge
    }

    /// Whether networks can be built.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let a = &self.autoencoder;
        let cells = 2 * a.patch.max(1) * self.merge.max(1);
        let faults = [
            (
                "size",
                self.size == 0 || self.size > 512,
                format!("{}, expected 1 to 512", self.size),
            ),
            (
                "autoencoder.patch",
                a.patch == 0 || !self.size.is_multiple_of(2 * a.patch.max(1)),
                format!(
                    "{}: frames of {} pixels do not divide by twice that",
                    a.patch, self.size
                ),
            ),
            (
                "autoencoder.width",
                !(8..=1024).contains(&a.width) || !(8..=1024).contains(&a.inner_width),
                format!("{} and {}, expected 8 to 1024", a.width, a.inner_width),
            ),
            (
                "autoencoder.channels",
                !(1..=64).contains(&a.channels),
                format!("{}, expected 1 to 64", a.channels),
            ),
            (
                "autoencoder.encoder_blocks",
                a.encoder_blocks > 8 || a.decoder_blocks > 8,
                format!(
                    "{} and {}, expected at most 8",
                    a.encoder_blocks, a.decoder_blocks
                ),
            ),
            (
                "merge",
                self.merge == 0 || !self.size.is_multiple_of(cells),
                format!("{} does not divide a map of {}", self.merge, self.side()),
            ),
            (
                "context",
                !(1..=16).contains(&self.context),
                format!("{}, expected 1 to 16", self.context),
            ),
            (
                "actions",
                !(1..=16).contains(&self.actions) || !(1..=16).contains(&self.action_dim),
                format!(
                    "{} of {} components, expected 1 to 16",
                    self.actions, self.action_dim
                ),
            ),
            (
                "heads",
                self.heads == 0 || !self.width.is_multiple_of(self.heads.max(1)),
                format!("{} does not divide width {}", self.heads, self.width),
            ),
            (
                "width",
                !(8..=1024).contains(&self.width) || !(8..=4096).contains(&self.hidden),
                format!("{} and {} hidden units", self.width, self.hidden),
            ),
            (
                "layers",
                !(1..=32).contains(&self.layers),
                format!("{}, expected 1 to 32", self.layers),
            ),
            (
                "local",
                self.local > 32 || (self.local > 0 && !self.width.is_multiple_of(8)),
                format!(
                    "{}, expected at most 32, of a width that divides by 8 (found {})",
                    self.local, self.width
                ),
            ),
            (
                "embed",
                !(8..=1024).contains(&self.embed) || !self.embed.is_multiple_of(4),
                format!("{}", self.embed),
            ),
            (
                "context_noise",
                !(0.0..1.0).contains(&self.context_noise),
                format!("{}, expected 0 to below 1", self.context_noise),
            ),
        ];
        let common = common_faults(&self.hue_motion, self.nfe);
        first_fault(faults.into_iter().chain(common))?;
        self.belief.map_or(Ok(()), |sizes| sizes.check())
    }
}
