//! All integration tests in one binary: a module a promise.
mod lewm_trains;
mod nn_equals_pytorch;
#[cfg(feature = "app")]
mod panels;
#[cfg(feature = "app")]
mod window;
