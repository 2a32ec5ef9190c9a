//! What every room needs of the machine: files that are whole or not there, folders in which one process
//! works at a time, the wish to stop.
//!
//! `files.rs` writes beside a file's place and renames, so that what was there stays until its successor
//! is whole; `lock.rs` says who works in a folder; `leave.rs` ends the process; `memory.rs` bounds what
//! the allocator keeps; `stop.rs` is raised by Ctrl+C and by SIGTERM; `difference.rs` names the first
//! field in which two descriptions differ.

pub mod difference;
pub mod files;
mod leave;
mod lock;
pub mod memory;
mod stop;

pub use leave::leave;
pub use lock::{FolderLock, LockError};
pub use stop::Stop;
