//! How the program asks for memory.

/// Lets the allocator keep one arena a core instead of eight, for a program of many threads that runs for
/// long: each arena keeps what its threads once needed at the same time. Call it before threads are started.
///
/// glibc has `MALLOC_ARENA_MAX` for this; whoever sets it is left their way. Other allocators are left alone.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub fn one_arena_a_core() {
    if std::env::var_os("MALLOC_ARENA_MAX").is_some() {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let most = i32::try_from(cores).unwrap_or(i32::MAX);
    // SAFETY: it takes two numbers and sets a bound within the allocator; a bound that it does not like, it
    // refuses, and nothing is lost.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, most) };
}

/// Other allocators have their own ways.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub fn one_arena_a_core() {}

/// Gives the system back what the allocator keeps for later: for moments in which what was needed is no
/// longer. It takes some milliseconds, in which others may wait for memory.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it takes a number, and touches only memory that nobody has.
    unsafe {
        libc::malloc_trim(0)
    };
}
