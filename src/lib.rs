//! Parallax: one reality, two imaginations.
#![warn(missing_docs)]

pub mod model;
