//! All integration tests in one binary: a module a promise.
mod nn_equals_pytorch;
