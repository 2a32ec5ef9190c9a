//! Spoils every file that Parallax reads beside scenes, and options: an error that names the place or
//! something bounded, never a panic, a hang or much memory.
//!
//! `cargo run --release --no-default-features --example fuzz_files -- [CASES] [KIND]`: 100 000 of each kind
//! without a number, of all kinds without a kind. Case n is the same everywhere. Exit code 1 if anything
//! panicked, a case took over 10 s, or memory passed 512 MB.

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rayon::prelude::*;

#[path = "../tests/it/file_vandal.rs"]
mod file_vandal;

use file_vandal::{FileVandal, Kind};

const MEMORY_KB: u64 = 512 * 1024;
const HANGS: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Tally {
    refused: u64,
    accepted: u64,
    panics: Vec<u64>,
    slowest: (Duration, u64),
}

impl Tally {
    fn add(mut self, other: Tally) -> Tally {
        self.refused += other.refused;
        self.accepted += other.accepted;
        self.panics.extend(other.panics);
        self.slowest = self.slowest.max(other.slowest);
        self
    }
}

fn peak_kb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn batch(vandal: &FileVandal, kind: Kind, cases: std::ops::Range<u64>) -> Tally {
    let dir = tempfile::tempdir().expect("a folder for spoilt files");
    vandal.prepare(kind, dir.path());
    cases.fold(Tally::default(), |tally, case| {
        let bytes = vandal.spoil(kind, case);
        let start = Instant::now();
        let tried = catch_unwind(AssertUnwindSafe(|| {
            vandal.try_out(kind, &bytes, dir.path())
        }));
        tally.add(Tally {
            refused: u64::from(matches!(tried, Ok(false))),
            accepted: u64::from(matches!(tried, Ok(true))),
            panics: tried.is_err().then_some(case).into_iter().collect(),
            slowest: (start.elapsed(), case),
        })
    })
}

fn main() -> ExitCode {
    let cases = match std::env::args().nth(1).map(|a| a.parse::<u64>()) {
        None => 100_000,
        Some(Ok(cases)) => cases,
        Some(Err(_)) => {
            eprintln!("expected: fuzz_files [CASES] [KIND]");
            return ExitCode::from(2);
        }
    };
    let only = std::env::args().nth(2);
    let words = std::sync::Arc::new(Mutex::new(Vec::<String>::new()));
    let heard = words.clone();
    set_hook(Box::new(move |info| {
        if let Ok(mut heard) = heard.lock()
            && heard.len() < 20
        {
            heard.push(info.to_string().replace('\n', " "));
        }
    }));
    let base = tempfile::tempdir().expect("a folder for sound files");
    let vandal = FileVandal::new(base.path());
    let mut sound = true;
    for kind in Kind::ALL {
        let name = format!("{kind:?}").to_lowercase();
        if only.as_ref().is_some_and(|o| *o != name) {
            continue;
        }
        let start = Instant::now();
        let size = 500;
        let tally = (0..cases.div_ceil(size))
            .into_par_iter()
            .map(|i| batch(&vandal, kind, i * size..((i + 1) * size).min(cases)))
            .reduce(Tally::default, Tally::add);
        let peak = peak_kb();
        println!(
            "{name:<9} {cases} in {:.0} s: {} refused, {} accepted, {} panics; slowest {:.0} ms (case \
             {}); peak memory {} MB",
            start.elapsed().as_secs_f64(),
            tally.refused,
            tally.accepted,
            tally.panics.len(),
            1e3 * tally.slowest.0.as_secs_f64(),
            tally.slowest.1,
            peak.map_or("?".into(), |kb| (kb / 1024).to_string())
        );
        for case in tally.panics.iter().take(10) {
            println!("  case {case} panicked");
        }
        sound &= tally.panics.is_empty() && tally.slowest.0 < HANGS;
        sound &= peak.is_none_or(|kb| kb <= MEMORY_KB);
    }
    if let Ok(words) = words.lock() {
        for line in words.iter() {
            println!("  {line}");
        }
    }
    match sound {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
