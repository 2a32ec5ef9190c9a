//! The building blocks every learned model shares: named variables that are reproducible to the bit ([`Params`]),
//! seeded random numbers ([`Rng`]), operations with hand-written backward passes ([`ops`]), layers and the optimiser.
//!
//! Images inside networks are `[batch, height, width, channels]` ("NHWC"), so that a 1×1 convolution is a matrix
//! product over the last dimension and a k×k convolution is patches times a matrix: candle's own convolution
//! backward is slow on CPU. On CPU the operations are fused and run over rayon; on other devices the same
//! functions are composed from candle's operations. Both are differentiable, and both are tested against PyTorch.

mod attention;
mod fused;
mod layers;
pub mod ops;
mod optim;
mod params;
mod rng;

pub use attention::{AdaLnZeroBlock, Attention, Mlp, fourier_features, sinusoidal};
pub use layers::{BatchNorm, Conv, Dropout, LayerNorm, Linear};
pub use optim::{AdamW, AdamWConfig, Ema, cosine_lr};
pub use params::{Init, Params, WeightsError};
pub use rng::Rng;
