//! What a generative model learns to say: a sample of the next frame, or the mean over all that could come.

use serde::{Deserialize, Serialize};

/// What the network is trained for, and how it is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Objective {
    /// Denoising: a sample, in as many evaluations as one likes.
    #[default]
    Denoise,
    /// The regression twin: the same network on an input without content at the highest noise level, one
    /// evaluation, mean squared error. It says the mean of the possible futures, and so shows what a blur
    /// is.
    Regression,
}
