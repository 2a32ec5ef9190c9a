//! All integration tests in one binary: a module a promise.
mod diffusion_imagines;
mod diffusion_learns;
mod lewm_trains;
mod nn_equals_pytorch;
mod one_of_each;
mod physics_matches_textbook;
mod replay_is_bit_identical;
mod scenes_are_checked;
mod support;
