//! The judge: laws of physics on tracked bodies, and accuracy against reality. Two questions, never mixed:
//! is an imagined clip *lawful* (needs no reference), and is it *accurate* (against what really happened)?
//!
//! `tracker.rs` gives pixels to bodies by hue, `see.rs` makes tracks of them, in metres through the scene's
//! camera. `world.rs` knows what the scene lets a body do, `silhouette.rs` what outlines it can have,
//! `motion.rs` what of its motion nothing explains. `laws/` holds the laws, one a file; `calibration.rs` what
//! reality scores in each scene, and so which laws are judged there and from which score on. `readouts.rs`
//! makes tracks of what probes read in latents. `verdict.rs` is what comes out. `fidelity.rs` compares with
//! the truth. Divergence after chaos is not a violation.

pub mod accurate;
pub mod beliefs;
mod calibration;
mod fidelity;
#[path = "judge.rs"]
mod judging;
mod laws;
mod motion;
mod readouts;
mod see;
mod silhouette;
mod track;
mod tracker;
mod verdict;
mod world;

pub use accurate::Accuracy;
pub use beliefs::{Belief, Estimate, Quantity};
pub use calibration::{Calibration, SceneCalibration, Setting};
pub use fidelity::{foreground_mask, foreground_psnr_db, object_error, psnr_db};
pub use judging::{Judge, Row};
pub use laws::{Limits, Score, rules};
pub use motion::{Footing, Motion, Step};
pub use readouts::{ReadoutCalibration, Readouts};
pub use track::{Film, Look, Moments, Sighting, Source, Track, Tracks};
pub use tracker::{Blob, Tracker};
pub use verdict::{Verdict, Violation};
pub use world::{Known, Range, World};

/// Frames of reality before an imagined one: with these the judge compares, and from these models imagine on.
pub const CONTEXT_FRAMES: usize = 4;
