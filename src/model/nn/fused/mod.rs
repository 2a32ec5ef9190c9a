//! CPU kernels with hand-written backward passes, parallel over rows or images.
//!
//! Work is cut into pieces of a fixed size, never by the number of threads, and partial sums are added in
//! order: results do not depend on how many cores there are.

mod adaln;
mod attention;
mod conv;
mod elementwise;
mod film;
mod inplace;
mod kernel;
mod math;
mod matmul;
mod norm;
mod residual;
mod sigreg;

pub(super) use adaln::{gated_add, modulated_norm};
pub(super) use attention::attention;
pub(super) use conv::{conv_size, conv2d, im2col};
pub(super) use elementwise::{add_bias, gelu, scale_channels, silu};
pub(super) use film::{FILM_EPS, film};
pub(super) use inplace::{AdamRule, adam_in_place, lerp_in_place, sum_of_squares};
pub(super) use matmul::linear;
pub(super) use norm::{group_norm, layer_norm, softmax};
pub use residual::ResidualRollout;
pub(super) use sigreg::epps_pulley;
