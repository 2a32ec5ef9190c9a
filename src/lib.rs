//! Parallax: one reality, two imaginations.
#![warn(missing_docs)]

#[cfg(feature = "app")]
pub mod app;
pub mod camera;
pub mod cli;
pub mod episode;
pub mod eval;
pub mod judge;
pub mod model;
pub mod planner;
pub mod scene;
pub mod sim;
pub mod system;
pub mod train;
pub mod worker;
