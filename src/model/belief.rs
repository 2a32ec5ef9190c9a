//! The sizes of a belief: a small recurrent state that is carried from observation to observation, and from
//! imagined moment to imagined moment, so that what is hidden goes on being. Either camp may have one
//! (`jepa/belief.rs`, `generative/latent/memory.rs`).

use serde::{Deserialize, Serialize};

use super::input::check_sizes;

/// Sizes of a belief.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BeliefSizes {
    /// Numbers of the carried state, B.
    pub width: usize,
    /// Width of the layer between it and the correction that it makes (LeWM), or between a frame's latent
    /// and it (diffusion).
    pub hidden: usize,
    /// Observations that it is formed of: whoever has fewer hands over those.
    pub context: usize,
}

impl Default for BeliefSizes {
    fn default() -> Self {
        Self {
            width: 256,
            hidden: 512,
            context: 40,
        }
    }
}

impl BeliefSizes {
    /// The first field that makes no sense, with why.
    ///
    /// # Errors
    /// Field name and message.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let sizes = [
            ("belief.width", self.width),
            ("belief.hidden", self.hidden),
            ("belief.context", self.context),
        ];
        let most = [
            ("belief.width", self.width, 2048),
            ("belief.hidden", self.hidden, 4096),
            ("belief.context", self.context, 1000),
        ];
        check_sizes(&sizes, &most)
    }
}
