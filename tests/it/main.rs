//! All integration tests in one binary: a module a promise.
mod diffusion_imagines;
mod diffusion_learns;
mod lewm_trains;
mod nn_equals_pytorch;
#[cfg(feature = "app")]
mod panels;
#[cfg(feature = "app")]
mod window;
