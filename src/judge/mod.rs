//! The judge: laws of physics on tracked objects, and fidelity against reality. Two questions, never mixed:
//! is an imagined clip *lawful* (needs no reference), and is it *accurate* (against what really happened)?
//!
//! `tracker.rs` reads bodies out of frames by hue, `laws.rs` checks the tracks, `thresholds.rs` holds what
//! calibration on reality found, `fidelity.rs` compares with the truth. Divergence after chaos is not a
//! violation.

mod fidelity;
mod laws;
mod thresholds;
mod tracker;

pub use fidelity::{foreground_mask, foreground_psnr_db, object_error, psnr_db};
pub use laws::{Judge, Violation};
pub use thresholds::{SceneThresholds, Thresholds};
pub use tracker::{Blob, Tracker};

/// Frames of reality before an imagined one: with these the judge compares, and from these models imagine on.
pub const CONTEXT_FRAMES: usize = 4;
