//! Batches are prepared ahead of the optimiser, by as many threads as can be spared, and come in their order
//! whatever that number is.

use candle_core::Device;
use crossbeam_channel::bounded;

/// Batches that each thread prepares ahead.
const AHEAD: usize = 2;
/// Most threads that prepare batches.
const MOST_THREADS: usize = 8;

/// Threads that the machine can spare for batches: most of them where a device computes, a few where the
/// processor does.
pub fn spare_threads(device: &Device) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    let spare = match device.is_cpu() {
        true => all / 4,
        false => all - 1,
    };
    spare.clamp(1, MOST_THREADS)
}

/// Runs `work` while `threads` threads prepare what `draw` makes of step `first`, `first + 1`, and so on.
/// Each call of what `work` is given returns the next of them; `None` if a thread ended.
///
/// What is prepared depends on `draw` alone: where that looks at nothing but the step, any number of threads
/// gives the same.
pub fn ahead<T: Send, R>(
    threads: usize,
    first: usize,
    draw: impl Fn(usize) -> T + Sync,
    work: impl FnOnce(&mut dyn FnMut() -> Option<T>) -> R,
) -> R {
    let threads = threads.max(1);
    std::thread::scope(|scope| {
        let draw = &draw;
        // Each thread has every so-manieth step, and a queue of its own.
        let lane = |lane: usize| {
            let (send, receive) = bounded(AHEAD);
            scope.spawn(move || {
                let mut step = first + lane;
                // Ends when nobody listens any more.
                while send.send(draw(step)).is_ok() {
                    step += threads;
                }
            });
            receive
        };
        let lanes: Vec<_> = (0..threads).map(lane).collect();
        let mut turns = lanes.iter().cycle();
        let done = work(&mut || turns.next().and_then(|lane| lane.recv().ok()));
        drop(lanes);
        done
    })
}
