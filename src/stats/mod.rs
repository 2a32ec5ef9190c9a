//! Statistics: intervals, order statistics, linear regression, and the linear algebra that they need.
//!
//! What was not measured is `None`, which JSON shows as null: never 0 %.

mod interval;
pub mod linalg;
mod linear;

pub use interval::{Mean, Rate, Spread, quantile};
pub use linear::{pearson, r_squared, ridge, spearman};
