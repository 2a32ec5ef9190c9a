//! Spoils scene files and reads them: an error or a bounded scene, never a panic, a hang or much memory.
//!
//! `cargo run --release --no-default-features --example fuzz_scenes -- 1000000 [FIRST_CASE]`. Case n is the
//! same everywhere; every 20th accepted scene is built, stepped and looked at. Exit code 1 if anything
//! panicked or memory passed 512 MB.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rayon::prelude::*;

#[path = "../tests/it/vandal.rs"]
mod vandal;

/// One accepted scene in so many is tried out.
const TRIED: u64 = 20;
const MEMORY_KB: u64 = 512 * 1024;

#[derive(Default)]
struct Tally {
    refused: u64,
    accepted: u64,
    tried: u64,
    crowded: u64,
    panics: Vec<(u64, String)>,
    slowest_read: (Duration, u64),
    slowest_trial: (Duration, u64),
}

impl Tally {
    fn add(mut self, other: Tally) -> Tally {
        self.refused += other.refused;
        self.accepted += other.accepted;
        self.tried += other.tried;
        self.crowded += other.crowded;
        self.panics.extend(other.panics);
        self.slowest_read = self.slowest_read.max(other.slowest_read);
        self.slowest_trial = self.slowest_trial.max(other.slowest_trial);
        self
    }
}

fn one(vandal: &vandal::Vandal, case: u64) -> Tally {
    let mut tally = Tally::default();
    let start = Instant::now();
    let read = catch_unwind(AssertUnwindSafe(|| vandal::read(&vandal.spoil(case))));
    tally.slowest_read = (start.elapsed(), case);
    match read {
        Ok(Err(_)) => tally.refused = 1,
        Ok(Ok(scene)) => {
            tally.accepted = 1;
            if case.is_multiple_of(TRIED) {
                let start = Instant::now();
                match catch_unwind(AssertUnwindSafe(|| vandal::try_out(scene, case))) {
                    Ok(true) => tally.tried = 1,
                    Ok(false) => tally.crowded = 1,
                    Err(_) => tally.panics.push((case, "trial".into())),
                }
                tally.slowest_trial = (start.elapsed(), case);
            }
        }
        Err(_) => tally.panics.push((case, "reading".into())),
    }
    tally
}

fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() -> ExitCode {
    let argument = |i: usize, default: u64| {
        std::env::args()
            .nth(i)
            .map_or(Some(default), |a| a.parse().ok())
    };
    let (Some(cases), Some(first)) = (argument(1, 1_000_000), argument(2, 0)) else {
        eprintln!("expected: fuzz_scenes [CASES [FIRST_CASE]]");
        return ExitCode::from(2);
    };
    let words = std::sync::Arc::new(Mutex::new(Vec::<String>::new()));
    let heard = words.clone();
    set_hook(Box::new(move |info| {
        if let Ok(mut heard) = heard.lock()
            && heard.len() < 20
        {
            heard.push(info.to_string().replace('\n', " "));
        }
    }));
    let (vandal, start) = (vandal::Vandal::new(), Instant::now());
    let (last, batch) = (first + cases, 256);
    let tally = (0..cases.div_ceil(batch))
        .into_par_iter()
        .map(|i| {
            let from = first + i * batch;
            (from..(from + batch).min(last)).fold(Tally::default(), |tally, case| {
                tally.add(one(&vandal, case))
            })
        })
        .reduce(Tally::default, Tally::add);
    println!(
        "{cases} spoilt scenes from case {first} in {:.0} s: {} refused, {} accepted; of these {} were \
         built, stepped and looked at, {} had no start",
        start.elapsed().as_secs_f64(),
        tally.refused,
        tally.accepted,
        tally.tried,
        tally.crowded
    );
    println!(
        "slowest: reading {:.1} ms (case {}), trial {:.0} ms (case {})",
        1e3 * tally.slowest_read.0.as_secs_f64(),
        tally.slowest_read.1,
        1e3 * tally.slowest_trial.0.as_secs_f64(),
        tally.slowest_trial.1
    );
    let peak = peak_kb();
    match peak {
        Some(kb) => println!("peak memory {:.0} MB", kb as f64 / 1024.0),
        None => println!("peak memory unknown: no /proc/self/status here"),
    }
    println!("{} panics", tally.panics.len());
    for (case, when) in tally.panics.iter().take(20) {
        println!("  case {case}, {when}");
    }
    if let Ok(words) = words.lock() {
        for line in words.iter() {
            println!("  {line}");
        }
    }
    match tally.panics.is_empty() && peak.is_none_or(|kb| kb <= MEMORY_KB) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
