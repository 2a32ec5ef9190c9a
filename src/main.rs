//! The `parallax` binary: parse, dispatch, report the error.
fn main() {}
