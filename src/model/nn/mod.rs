//! The building blocks every learned model shares: named variables that are reproducible to the bit
//! ([`Params`]), seeded random numbers ([`Rng`]), operations with hand-written backward passes ([`ops`]),
//! layers and the optimiser.
//!
//! Images inside networks are `[batch, height, width, channels]` ("NHWC"), so that a 1×1 convolution is a
//! matrix product over the last dimension and a k×k convolution is patches times a matrix: candle's own
//! convolution backward is slow on CPU. On CPU the operations are fused and run over rayon; on other
//! devices the same functions are composed from candle's operations. Both are differentiable, and both are
//! tested against PyTorch.

mod attention;
mod encoder;
mod fused;
mod gru;
mod layers;
pub mod ops;
mod optim;
mod params;
mod rng;
mod weights;

pub use attention::{AdaLnZeroBlock, Attention, Mlp, PreNormBlock, fourier_features, sinusoidal};
pub use encoder::{FrameEncoder, FrameEncoderSizes, Head};
pub use fused::ResidualRollout;
pub use gru::Gru;
pub use layers::{BatchNorm, Conv, Dropout, LayerNorm, Linear};
pub use optim::{AdamW, AdamWConfig, Ema, cosine_lr, follow};
pub use params::{Init, Params};
pub use rng::Rng;
pub use weights::WeightsError;

/// Keeps candle's element-wise operations on the calling thread; call it first thing in `main`.
///
/// candle 0.11 shares them among threads of its own that wait in a busy loop, pinned to cores, beside
/// rayon's: on a machine of few or busy cores that more than halves the speed of training. A setting of the
/// user's stands.
pub fn quiet_candle_threads() {
    const VARIABLE: &str = "CANDLE_NUM_THREADS";
    if std::env::var_os(VARIABLE).is_none() {
        // SAFETY: called before any thread is started, as documented, so nothing reads the environment
        // meanwhile.
        unsafe { std::env::set_var(VARIABLE, "1") };
    }
}
