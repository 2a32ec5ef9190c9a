//! All integration tests in one binary: a module a promise.
mod lewm_trains;
mod nn_equals_pytorch;
