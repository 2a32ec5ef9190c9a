//! Reality: the rapier world that runs now, and the ground truth for everything else.
//!
//! Physics runs at 120 Hz under a 10 Hz control rate (shared constants below). The same scene, seed and
//! actions give the same bits on every machine: `enhanced-determinism`, no platform trigonometry, no
//! sleeping, one thread. Read `reality.rs` for stepping, saving and forking, `build.rs` for how a world is
//! made, `command.rs` for what it is told, `hand.rs` for the agent, `disturb.rs` for interventions,
//! `edits.rs` for counterfactuals, `state.rs` for what is measured, `goal.rs` for what a task asks of it,
//! `pace.rs` for how finely a world is stepped, `start.rs` for starts that make no sense, `soak.rs` for
//! long runs.

mod build;
mod command;
mod disturb;
mod edits;
mod error;
mod goal;
mod hand;
mod pace;
mod reality;
mod soak;
mod start;
mod state;

pub use command::Drag;
pub use error::SimError;
pub use goal::{GoalState, Target};
pub use reality::{Reality, Snapshot};
pub use soak::{Soak, soak};
pub use start::{Overlap, overlap_at_start};
pub use state::{BodyState, State};

/// Physics steps a second.
pub const PHYSICS_HZ: u32 = 120;
/// Actions and observations a second.
pub const CONTROL_HZ: u32 = 10;
/// Physics steps under one action.
pub const SUBSTEPS: u32 = PHYSICS_HZ / CONTROL_HZ;
/// Seeds below this one are for training; from here up they calibrate the judge.
pub const CALIBRATION_SEED: u64 = 500_000;
/// Seeds from here up are for tuning, which is no training either.
pub const TUNING_SEED: u64 = 900_000;
/// Seeds from here up are held out: never used for training, calibration or tuning.
pub const HELD_OUT_SEED: u64 = 1_000_000;
