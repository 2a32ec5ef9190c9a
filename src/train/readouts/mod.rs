//! What is fitted to a frozen representation: probes, action prior, diagnostic decoder, and gates that look
//! at it while it is trained.

pub mod decoder;
pub mod fit;
pub mod gates;
pub mod mlp;
pub mod probing;
pub mod proposal;
