//! What a pixel diffusion model is made of: part of `models/NAME/train.ron`.

use serde::{Deserialize, Serialize};

use super::Objective;
use super::input::{common_faults, first_fault};
use crate::model::goal::{HUES, HueMotion};

/// Network, noise and data scale of a [`PixelDiffusion`](super::PixelDiffusion).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PixelDiffusionConfig {
    /// Side of a frame in pixels.
    pub size: usize,
    /// Side of the square of pixels that is folded into channels before the first layer.
    pub patch: usize,
    /// Frames of context.
    pub context: usize,
    /// Latest actions that are embedded; the last of them leads to the next frame.
    pub actions: usize,
    /// Components of an action; scenes with fewer are padded with zeros.
    pub action_dim: usize,
    /// Channels at full (folded) resolution. Must not be below `3 · patch²`: a narrower network cannot
    /// carry the noise.
    pub width: usize,
    /// Channels at half resolution.
    pub inner_width: usize,
    /// Residual blocks before and after the inner level, each.
    pub blocks: usize,
    /// Residual blocks at half resolution.
    pub inner_blocks: usize,
    /// Heads of the self-attention at half resolution; 0 for none.
    pub heads: usize,
    /// Groups of the group norms.
    pub groups: usize,
    /// Width of the embedding of noise levels and actions.
    pub embed: usize,
    /// Sampling, or the mean of the futures.
    pub objective: Objective,
    /// Standard deviation of centred pixels in [-1, 1]; 0 in a recipe means: measure it.
    pub sigma_data: f32,
    /// Mean colour in [-1, 1] that is subtracted from every pixel; measured together with `sigma_data`.
    pub mean: [f32; 3],
    /// Noise per colour channel that is the same for all pixels (DIAMOND, appendix).
    pub offset_noise: f32,
    /// Least noise level while sampling.
    pub sigma_min: f32,
    /// Noise level that sampling starts from.
    pub sigma_max: f32,
    /// Curvature of the schedule of noise levels (Karras et al. 2022, eq. 5).
    pub rho: f32,
    /// Noise level of the context while imagining, in units of [-1, 1].
    pub context_noise: f32,
    /// Denoising steps a frame unless told otherwise.
    pub nfe: usize,
    /// For every palette hue, how far its objects move in ordinary experience: the scale of the goal
    /// distance.
    pub hue_motion: HueMotion,
}

impl Default for PixelDiffusionConfig {
    fn default() -> Self {
        Self {
            size: 64,
            patch: 4,
            context: 4,
            actions: 4,
            action_dim: 2,
            width: 64,
            inner_width: 96,
            blocks: 1,
            inner_blocks: 2,
            heads: 3,
            groups: 8,
            embed: 128,
            objective: Objective::Denoise,
            sigma_data: 0.0,
            mean: [0.0; 3],
            offset_noise: 0.1,
            sigma_min: 2e-3,
            sigma_max: 5.0,
            rho: 7.0,
            context_noise: 0.02,
            nfe: 3,
            hue_motion: [0.1; HUES],
        }
    }
}

impl PixelDiffusionConfig {
    /// Side of the folded frame.
    pub fn side(&self) -> usize {
        self.size / self.patch.max(1)
    }

    /// Channels of one folded frame.
    pub fn channels(&self) -> usize {
        3 * self.patch * self.patch
    }

    /// Values of one frame.
    pub fn frame_len(&self) -> usize {
        3 * self.size * self.size
    }

    /// Whether a network can be built.
    ///
    /// # Errors
    /// The first field at fault, and what was found and expected.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let faults = [
            (
                "size",
                self.size == 0 || self.size > 512,
                format!("{}, expected 1 to 512", self.size),
            ),
            (
                "patch",
                self.patch == 0 || !self.size.is_multiple_of(2 * self.patch.max(1)),
                format!(
                    "{}: frames of {} pixels do not divide by twice that",
                    self.patch, self.size
                ),
            ),
            (
                "context",
                !(1..=16).contains(&self.context),
                format!("{}, expected 1 to 16", self.context),
            ),
            (
                "actions",
                !(1..=16).contains(&self.actions),
                format!("{}, expected 1 to 16", self.actions),
            ),
            (
                "action_dim",
                !(1..=16).contains(&self.action_dim),
                format!("{}, expected 1 to 16", self.action_dim),
            ),
            (
                "groups",
                self.groups == 0
                    || !self.width.is_multiple_of(self.groups.max(1))
                    || !self.inner_width.is_multiple_of(self.groups.max(1)),
                format!(
                    "{} does not divide widths {} and {}",
                    self.groups, self.width, self.inner_width
                ),
            ),
            (
                "width",
                !(8..=1024).contains(&self.width),
                format!("{}, expected 8 to 1024", self.width),
            ),
            (
                "inner_width",
                !(8..=1024).contains(&self.inner_width),
                format!("{}, expected 8 to 1024", self.inner_width),
            ),
            (
                "blocks",
                self.blocks > 16,
                format!("{}, expected at most 16", self.blocks),
            ),
            (
                "inner_blocks",
                self.inner_blocks > 16,
                format!("{}, expected at most 16", self.inner_blocks),
            ),
            (
                "heads",
                self.heads > 0 && !self.inner_width.is_multiple_of(self.heads.max(1)),
                format!(
                    "{} does not divide inner_width {}",
                    self.heads, self.inner_width
                ),
            ),
            (
                "embed",
                !(8..=1024).contains(&self.embed) || !self.embed.is_multiple_of(4),
                format!("{}", self.embed),
            ),
            (
                "sigma_data",
                !(self.sigma_data.is_finite() && self.sigma_data >= 0.0),
                format!("{}, expected a number not below 0", self.sigma_data),
            ),
            (
                "sigma_min",
                !(self.sigma_min > 0.0
                    && self.sigma_min < self.sigma_max
                    && self.sigma_max.is_finite()),
                format!(
                    "{} to {}, expected 0 < sigma_min < sigma_max",
                    self.sigma_min, self.sigma_max
                ),
            ),
            (
                "rho",
                !(self.rho >= 1.0 && self.rho.is_finite()),
                format!("{}, expected at least 1", self.rho),
            ),
            (
                "mean",
                !self.mean.iter().all(|m| (-1.0..=1.0).contains(m)),
                format!("{:?}, expected -1 to 1", self.mean),
            ),
            (
                "offset_noise",
                !(0.0..=100.0).contains(&self.offset_noise),
                format!("{}, expected 0 to 100", self.offset_noise),
            ),
            (
                "context_noise",
                !(0.0..=100.0).contains(&self.context_noise),
                format!("{}, expected 0 to 100", self.context_noise),
            ),
        ];
        let common = common_faults(&self.hue_motion, self.nfe);
        first_fault(faults.into_iter().chain(common))
    }
}
