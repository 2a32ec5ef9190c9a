//! Do the tests guard the science? `cargo run --release --example mutate` puts every fault of
//! `tests/mutants.ron` into a copy of the source, each behind a switch, builds the tests once, and then
//! runs them with one fault switched on at a time. A fault is caught if one of the tests that are named for
//! it fails; what survives is printed, and the exit code is 1 if more than one in twenty does.
//!
//! Options: names of faults (parts of them) to try only those; `--threads N` for the tests' own.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

/// One fault.
#[derive(Debug, Deserialize)]
struct Mutant {
    name: String,
    file: PathBuf,
    /// Source with the expression between `[[` and `]]`.
    find: String,
    /// What stands there instead.
    with: String,
    /// Modules of tests/it that should find it.
    tests: Vec<String>,
}

/// The variable that switches a fault on.
const SWITCH: &str = "PARALLAX_MUTANT";

/// What the copy's library gains: whether fault `n` is switched on.
const SWITCHES: &str = r#"
#[doc(hidden)]
pub fn mutant(n: usize) -> bool {
    static ON: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    let on = ON.get_or_init(|| {
        let number = std::env::var("PARALLAX_MUTANT").ok();
        number.and_then(|n| n.parse().ok()).unwrap_or(usize::MAX)
    });
    *on == n
}
"#;

/// A source without white space, and where each of its bytes stood.
fn packed(text: &str) -> (Vec<u8>, Vec<usize>) {
    let bytes = text.bytes().enumerate();
    bytes
        .filter(|(_, b)| !b.is_ascii_whitespace())
        .map(|(i, b)| (b, i))
        .unzip()
}

/// The range of the source that a fault replaces.
fn place(source: &str, mutant: &Mutant) -> Result<std::ops::Range<usize>> {
    let (before, rest) = mutant
        .find
        .split_once("[[")
        .with_context(|| format!("{}: `find` has no [[", mutant.name))?;
    // Brackets of the expression itself may stand beside the mark.
    let end = rest
        .rfind("]]")
        .with_context(|| format!("{}: `find` has no ]]", mutant.name))?;
    let (inner, after) = (&rest[..end], &rest[end + 2..]);
    let (text, at) = packed(source);
    let sought: Vec<u8> = packed(&format!("{before}{inner}{after}")).0;
    let found: Vec<usize> = (0..text.len().saturating_sub(sought.len() - 1))
        .filter(|&i| text[i..].starts_with(&sought))
        .collect();
    let [start] = found.as_slice() else {
        bail!(
            "{}: {} places in {} match `find`, expected 1",
            mutant.name,
            found.len(),
            mutant.file.display()
        );
    };
    let from = start + packed(before).0.len();
    let to = from + packed(inner).0.len();
    Ok(at[from]..at[to - 1] + 1)
}

/// Copies the files that git knows or would add.
fn copy(root: &Path, to: &Path) -> Result<()> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root)
        .output()?;
    ensure!(listed.status.success(), "git ls-files failed");
    for name in String::from_utf8(listed.stdout)?.split('\0') {
        let (from, to) = (root.join(name), to.join(name));
        if name.is_empty() || !from.is_file() {
            continue;
        }
        if let Some(dir) = to.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let text = std::fs::read(&from)?;
        // Files that stay as they are keep their time, so that a second run builds little.
        if std::fs::read(&to).is_ok_and(|old| old == text) {
            continue;
        }
        std::fs::write(&to, text)?;
    }
    Ok(())
}

/// Writes every fault of a file behind its switch.
fn insert(tree: &Path, file: &Path, mutants: &[(usize, &Mutant)]) -> Result<()> {
    let path = tree.join(file);
    let source = std::fs::read_to_string(&path).with_context(|| file.display().to_string())?;
    let mut places = mutants
        .iter()
        .map(|(n, m)| Ok((place(&source, m)?, *n, *m)))
        .collect::<Result<Vec<_>>>()?;
    places.sort_by_key(|(range, ..)| std::cmp::Reverse(range.start));
    let mut changed = source.clone();
    for (range, n, m) in places {
        let switched = format!(
            "(if crate::mutant({n}) {{ {} }} else {{ {} }})",
            m.with,
            &source[range.clone()]
        );
        changed.replace_range(range, &switched);
    }
    std::fs::write(path, changed)?;
    Ok(())
}

/// Builds the tests of the copy; the path of their binary.
fn build(tree: &Path, target: &Path) -> Result<PathBuf> {
    let args = [
        "test",
        "--release",
        "--locked",
        "--no-default-features",
        "--test",
        "it",
        "--no-run",
        "--message-format=json",
    ];
    let built = Command::new("cargo")
        .args(args)
        .current_dir(tree)
        .env("CARGO_TARGET_DIR", target)
        .stderr(Stdio::inherit())
        .output()?;
    ensure!(built.status.success(), "the faults do not compile");
    let messages = String::from_utf8(built.stdout)?;
    let binary = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|m| m["target"]["name"] == "it")
        .find_map(|m| Some(PathBuf::from(m["executable"].as_str()?)));
    binary.context("cargo names no binary of tests")
}

/// The tests that fail among those that are named; an empty list if all pass.
fn failures(
    binary: &Path,
    tree: &Path,
    tests: &[String],
    on: Option<usize>,
    threads: &str,
) -> Result<Vec<String>> {
    let mut command = Command::new(binary);
    command
        .args(tests)
        .args(["--test-threads", threads])
        .current_dir(tree)
        .env("PARALLAX_HOME", tree)
        .env("RUST_BACKTRACE", "0")
        .stderr(Stdio::null());
    match on {
        Some(n) => command.env(SWITCH, n.to_string()),
        None => command.env_remove(SWITCH),
    };
    let run = command.output()?;
    let out = String::from_utf8_lossy(&run.stdout);
    ensure!(
        !out.contains("running 0 tests"),
        "no test is called {tests:?}"
    );
    let failed: Vec<String> = out
        .lines()
        .filter_map(|l| l.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(str::to_string)
        .collect();
    match (run.status.success(), failed.is_empty()) {
        (false, true) => Ok(vec![format!("the tests ended with {}", run.status)]),
        _ => Ok(failed),
    }
}

fn main() -> Result<ExitCode> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("tests/mutants.ron"))?;
    let mutants: Vec<Mutant> = ron::from_str(&text).context("tests/mutants.ron")?;
    let mut wanted: Vec<String> = std::env::args().skip(1).collect();
    let threads = match wanted.iter().position(|a| a == "--threads") {
        Some(i) if i + 1 < wanted.len() => {
            wanted.remove(i);
            wanted.remove(i)
        }
        _ => std::thread::available_parallelism()?.to_string(),
    };
    let work = root.join("target/mutants");
    let tree = work.join("tree");
    copy(&root, &tree)?;
    let lib = tree.join("src/lib.rs");
    let source = std::fs::read_to_string(&lib)?;
    std::fs::write(&lib, source + SWITCHES)?;
    let mut files: Vec<&Path> = mutants.iter().map(|m| m.file.as_path()).collect();
    files.sort_unstable();
    files.dedup();
    for file in files {
        let own: Vec<(usize, &Mutant)> = mutants
            .iter()
            .enumerate()
            .filter(|(_, m)| m.file == file)
            .collect();
        insert(&tree, file, &own)?;
    }
    eprintln!("building {} faults", mutants.len());
    let binary = build(&tree, &work.join("build"))?;
    let mut all: Vec<String> = mutants.iter().flat_map(|m| m.tests.clone()).collect();
    all.sort_unstable();
    all.dedup();
    let broken = failures(&binary, &tree, &all, None, &threads)?;
    ensure!(
        broken.is_empty(),
        "without any fault these fail: {broken:?}"
    );
    let tried: Vec<(usize, &Mutant)> = mutants
        .iter()
        .enumerate()
        .filter(|(_, m)| wanted.is_empty() || wanted.iter().any(|w| m.name.contains(w.as_str())))
        .collect();
    let mut survived = Vec::new();
    for (n, mutant) in &tried {
        let mut found = Vec::new();
        // What comes first is the quickest to find it.
        for tests in &mutant.tests {
            if found.is_empty() {
                let tests = std::slice::from_ref(tests);
                found = failures(&binary, &tree, tests, Some(*n), &threads)?;
            }
        }
        match found.as_slice() {
            [] => {
                println!("SURVIVES  {}", mutant.name);
                survived.push(&mutant.name);
            }
            [first, rest @ ..] => {
                println!("caught    {}: {first}, {} more", mutant.name, rest.len());
            }
        }
    }
    let caught = tried.len() - survived.len();
    println!(
        "{caught} of {} faults are caught ({:.0} %)",
        tried.len(),
        100.0 * caught as f64 / tried.len().max(1) as f64
    );
    let enough = caught * 20 >= tried.len() * 19;
    Ok(if enough {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
