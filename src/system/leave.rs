//! The end of the process.

use std::io::Write as _;

/// Ends the process with this code, once what was printed is out, and leaves the rest to the system.
///
/// The C library's way would first run what libraries have asked for, while threads still run: a graphics
/// driver that compiles on a thread of its own then loses its compiler from under it and takes the process
/// with it (seen with Mesa's lavapipe: one window in forty that was closed within its first second).
pub fn leave(code: u8) -> ! {
    // Whoever reads it may have gone: nothing is left to be done about that.
    let _out = std::io::stdout().flush();
    let _err = std::io::stderr().flush();
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number and does not come back; no destructor is relied upon after this.
    unsafe {
        libc::_exit(i32::from(code))
    };
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    std::process::exit(i32::from(code))
}
