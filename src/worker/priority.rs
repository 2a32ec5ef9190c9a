//! Workers stand back for the window: their threads ask the system for less.

/// How much less than the window's own thread a worker's thread gets, as `nice` counts.
const NICE: i32 = 10;

/// Lowers the priority of the thread that calls this, so that the window is drawn first; where the system
/// does not let it, it stays as it is.
pub fn stand_back() {
    // On Linux a priority belongs to a thread, and without a process named it is that of the caller.
    #[cfg(target_os = "linux")]
    if let Err(e) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!("a worker keeps its priority: {e}");
    }
    #[cfg(not(target_os = "linux"))]
    let _unused = NICE;
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_worker_stands_back_and_the_thread_that_started_it_does_not() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        let worker = std::thread::spawn(move || {
            stand_back();
            priority()
        });
        assert_eq!(worker.join().unwrap(), NICE.max(before));
        assert_eq!(priority(), before);
    }
}
