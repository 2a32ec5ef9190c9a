//! What the main thread spends, frame by frame, on waiting for or copying from workers, while all of them
//! are busy.
//!
//! `cargo bench --bench main_thread`: the budget is 1 ms at the 99th percentile. The ratio of frame times
//! busy to idle is that of the window itself: `parallax app --timings` prints it (a software renderer
//! shares the cores with the workers).

use std::time::{Duration, Instant};

use parallax::app::session::{Session, Start};
use parallax::app::timing::Samples;

const FRAME: Duration = Duration::from_millis(16);
const BUDGET_MS: f32 = 1.0;

fn main() {
    // Cargo passes `--bench`; there is nothing to choose here.
    let mut session = match Session::start(&Start::default()) {
        Ok(session) => session,
        Err(e) => {
            eprintln!("error: worker threads cannot be started: {e}");
            std::process::exit(1);
        }
    };
    let mut spent = Samples::default();
    let mut busy_frames = 0_u64;
    let end = Instant::now() + Duration::from_secs(30);
    while Instant::now() < end {
        let start = Instant::now();
        session.poll();
        spent.add(start.elapsed().as_secs_f32() * 1e3);
        busy_frames += u64::from(session.state.panes.iter().any(|p| p.busy));
        std::thread::sleep(FRAME.saturating_sub(start.elapsed()));
    }
    print!("{}", session.state.timers.report());
    let p99 = spent.percentile(0.99).unwrap_or(0.0);
    println!(
        "main thread on workers: median {:.4} ms, p99 {p99:.4} ms over {} frames ({} % with a model \
         imagining); budget {BUDGET_MS} ms: {}",
        spent.percentile(0.5).unwrap_or(0.0),
        spent.count(),
        100 * busy_frames / spent.count().max(1),
        if p99 <= BUDGET_MS { "kept" } else { "exceeded" }
    );
}
