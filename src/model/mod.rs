//! What a world model is, and the two camps that implement it.

pub mod nn;
