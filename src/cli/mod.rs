//! Temporary dispatch until the lead's lands.
#[cfg(feature = "app")]
pub mod app;
