//! Protocols, runs and the numbers that come out of them.

pub mod attributes;
pub mod choose;
pub mod contest;
pub mod control;
pub mod dream;
pub mod following;
pub mod golden;
pub mod judge;
pub mod probe;
pub mod result;
pub mod rollout;
pub mod surprise;
pub mod survival;
pub mod why;
