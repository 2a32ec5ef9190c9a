//! What can be trained: a folder or file each, with its part of `train.ron`, its phases and their losses.

pub mod belief;
pub mod bench;
pub mod cloning;
pub mod distance;
pub mod drawn;
pub mod jumps;
pub mod keyframes;
pub mod latent;
pub mod lewm;
pub mod pace;
pub mod pixel;
pub mod remembering;
pub mod tokens;
pub mod vjepa;
