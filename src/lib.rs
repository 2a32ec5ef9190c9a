//! Parallax: one reality, two imaginations.
//!
//! A rapier3d scene is the ground truth ([`sim`]), a camera shows it to models ([`camera`]), world models
//! of two camps imagine its future ([`model`]), planners act by what they imagine ([`planner`]), and a
//! judge looks for broken physics ([`judge`]). `examples/` shows the library in a few lines;
//! ARCHITECTURE.md has the whole.

// What is real is the same to the bit on every machine: `sim`, `camera` and `scene` do without the
// platform's own trigonometry. The other rooms decide nothing about reality and may use it.
#[cfg(feature = "app")]
#[allow(clippy::disallowed_methods)]
pub mod app;
pub mod camera;
#[allow(clippy::disallowed_methods)]
pub mod cli;
#[allow(clippy::disallowed_methods)]
pub mod episode;
#[allow(clippy::disallowed_methods)]
pub mod eval;
#[allow(clippy::disallowed_methods)]
pub mod judge;
#[allow(clippy::disallowed_methods)]
pub mod model;
#[allow(clippy::disallowed_methods)]
pub mod planner;
pub mod report;
pub mod scene;
pub mod sim;
#[allow(clippy::disallowed_methods)]
pub mod stats;
pub mod system;
pub mod task;
#[allow(clippy::disallowed_methods)]
pub mod train;
#[allow(clippy::disallowed_methods)]
pub mod worker;
