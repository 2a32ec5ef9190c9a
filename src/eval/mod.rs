//! Protocols, runs and the numbers that come out of them.

pub mod attributes;
pub mod control;
pub mod dream;
pub mod following;
pub mod golden;
pub mod judge;
pub mod probe;
pub mod rollout;
pub mod stats;
pub mod surprise;
pub mod tasks;
