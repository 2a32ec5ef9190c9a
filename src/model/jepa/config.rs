//! Every choice of a LeWM.

use crate::model::input::check_sizes;
use crate::model::nn::{FrameEncoderSizes, Head};
use serde::{Deserialize, Serialize};

/// Numbers of the largest layer that is made: more would not fit into a file that is read.
const LARGEST_LAYER: usize = 1 << 26;

/// How the raw actions of one token become the predictor's input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionBlock {
    /// All of them, one after the other.
    #[default]
    Concat,
    /// Their mean: fewer inputs where actions hardly change within a token.
    Mean,
}

/// Distance from an imagined latent to the goal's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GoalCost {
    /// Squared Euclidean distance, as in the paper.
    Plain,
    /// Distance in units of how far latents usually move in one token: weighs what moves fast (a hand) down
    /// against what moves slowly (a block).
    #[default]
    Whitened,
}

/// Architecture of a LeWM. The defaults are the recipe that planned best in our trials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LewmConfig {
    /// Side of a frame in pixels; a multiple of 8.
    pub image_size: usize,
    /// Width of the latent.
    pub latent_dim: usize,
    /// Channels after the 1×1 convolution, in the residual blocks, and before the head.
    pub encoder_channels: [usize; 3],
    /// How the encoder's last map becomes a vector.
    pub head: Head,
    /// Residual blocks of two 3×3 convolutions.
    pub residual_blocks: usize,
    /// Width of the layer between a flattened map and the latent.
    pub encoder_hidden: usize,
    /// Latents, a token apart, that the predictor sees (3 in the paper): one alone holds no velocity.
    pub history: usize,
    /// Width of the predictor.
    pub predictor_width: usize,
    /// Residual blocks of the predictor.
    pub predictor_blocks: usize,
    /// Share of the predictor's hidden values dropped in training.
    pub dropout: f32,
    /// Hidden width of the inverse model.
    pub inverse_width: usize,
    /// Control steps that one imagined step spans.
    pub frameskip: usize,
    /// Components of an action.
    pub action_dim: usize,
    /// How a token's actions enter.
    pub action_block: ActionBlock,
    /// Share of the mean variance that is added before inverting the covariance of the whitened cost.
    pub whiten_lambda: f64,
    /// Distance that planners use.
    pub cost: GoalCost,
}

impl Default for LewmConfig {
    fn default() -> Self {
        Self {
            image_size: 64,
            latent_dim: 64,
            encoder_channels: [32, 64, 32],
            head: Head::Flatten,
            residual_blocks: 1,
            encoder_hidden: 256,
            history: 1,
            predictor_width: 256,
            predictor_blocks: 2,
            dropout: 0.,
            inverse_width: 128,
            frameskip: 5,
            action_dim: 2,
            action_block: ActionBlock::Concat,
            whiten_lambda: 0.1,
            cost: GoalCost::Whitened,
        }
    }
}

impl LewmConfig {
    /// Width of the action input of the predictor.
    pub fn action_width(&self) -> usize {
        match self.action_block {
            ActionBlock::Concat => self.frameskip * self.action_dim,
            ActionBlock::Mean => self.action_dim,
        }
    }

    /// Sizes of the encoder.
    pub fn encoder(&self) -> FrameEncoderSizes {
        FrameEncoderSizes {
            image: self.image_size,
            channels: self.encoder_channels,
            head: self.head,
            residual_blocks: self.residual_blocks,
            hidden: self.encoder_hidden,
            out: self.latent_dim,
        }
    }

    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.image_size == 0 || !self.image_size.is_multiple_of(8) {
            return Err((
                "image_size",
                format!("found {}, expected a multiple of 8", self.image_size),
            ));
        }
        let sizes = [
            ("latent_dim", self.latent_dim),
            (
                "encoder_channels",
                self.encoder_channels.iter().copied().min().unwrap_or(0),
            ),
            ("encoder_hidden", self.encoder_hidden),
            ("history", self.history),
            ("predictor_width", self.predictor_width),
            ("inverse_width", self.inverse_width),
            ("frameskip", self.frameskip),
            ("action_dim", self.action_dim),
        ];
        let most = [
            ("image_size", self.image_size, 512),
            ("latent_dim", self.latent_dim, 4096),
            (
                "encoder_channels",
                self.encoder_channels.into_iter().max().unwrap_or(0),
                512,
            ),
            ("residual_blocks", self.residual_blocks, 16),
            ("encoder_hidden", self.encoder_hidden, 8192),
            ("history", self.history, 64),
            ("predictor_width", self.predictor_width, 4096),
            ("predictor_blocks", self.predictor_blocks, 32),
            ("inverse_width", self.inverse_width, 4096),
            ("frameskip", self.frameskip, 1000),
            ("action_dim", self.action_dim, 16),
        ];
        check_sizes(&sizes, &most)?;
        let flat = (self.image_size / 8).pow(2) * self.encoder_channels[2];
        if flat * self.encoder_hidden > LARGEST_LAYER {
            return Err((
                "encoder_hidden",
                format!(
                    "found {}, which is too many for a map of {flat} values",
                    self.encoder_hidden
                ),
            ));
        }
        if !(0. ..1.).contains(&self.dropout) {
            return Err((
                "dropout",
                format!("found {}, expected [0, 1)", self.dropout),
            ));
        }
        if !(self.whiten_lambda > 0. && self.whiten_lambda <= 1e6) {
            return Err((
                "whiten_lambda",
                format!("found {}, expected more than 0", self.whiten_lambda),
            ));
        }
        Ok(())
    }
}
