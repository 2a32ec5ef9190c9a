//! `parallax doctor`: what is there, what is not, and what to do about it.

use std::fmt;
use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;
use sysinfo::{Disks, System};

use crate::model::registry;
use crate::scene;

/// Say what is there, what is not, and what to do about it; exit code 1 if something is missing that is
/// needed
#[derive(clap::Args, Debug)]
pub struct DoctorArgs {
    /// Leave out what only the window needs: display and graphics driver
    #[arg(long)]
    headless: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How a thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Standing {
    Ok,
    Warning,
    Missing,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Standing::Ok => "ok",
            Standing::Warning => "warning",
            Standing::Missing => "missing",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Row {
    what: &'static str,
    standing: Standing,
    found: String,
    advice: Option<String>,
}

#[derive(Serialize)]
struct Report {
    ok: bool,
    rows: Vec<Row>,
}

fn row(what: &'static str, standing: Standing, found: String, advice: &str) -> Row {
    Row {
        what,
        standing,
        found,
        advice: (!advice.is_empty()).then(|| advice.to_string()),
    }
}

fn ok(what: &'static str, found: impl Into<String>) -> Row {
    row(what, Standing::Ok, found.into(), "")
}

fn warning(what: &'static str, found: impl Into<String>, advice: &str) -> Row {
    row(what, Standing::Warning, found.into(), advice)
}

fn missing(what: &'static str, found: impl Into<String>, advice: &str) -> Row {
    row(what, Standing::Missing, found.into(), advice)
}

pub fn run(args: &DoctorArgs) -> Result<()> {
    let system = System::new_with_specifics(
        sysinfo::RefreshKind::nothing().with_memory(sysinfo::MemoryRefreshKind::everything()),
    );
    let mut rows = vec![version(), home(), scenes(), models(), processor()];
    rows.push(memory(system.total_memory(), system.available_memory()));
    rows.extend(folder());
    rows.extend(window(args.headless));
    rows.push(cuda());
    rows.push(ffmpeg());
    let lacking = |r: &&Row| r.standing == Standing::Missing;
    let count = rows.iter().filter(lacking).count();
    if args.json {
        let report = Report {
            ok: count == 0,
            rows,
        };
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        for Row {
            what,
            standing,
            found,
            advice,
        } in &rows
        {
            println!("{standing:<8} {what:<9} {found}");
            if let Some(advice) = advice {
                println!("{:<8} {:<9} -> {advice}", "", "");
            }
        }
    }
    match count {
        0 => Ok(()),
        1 => bail!("1 thing is missing that is needed"),
        n => bail!("{n} things are missing that are needed"),
    }
}

fn version() -> Row {
    let window = match cfg!(feature = "app") {
        true => "with the window",
        false => "without the window",
    };
    let system = System::long_os_version().unwrap_or_else(|| std::env::consts::OS.into());
    let machine = std::env::consts::ARCH;
    let version = env!("CARGO_PKG_VERSION");
    ok(
        "version",
        format!("{version}, built {window}, on {system} ({machine})"),
    )
}

fn home() -> Row {
    let home = scene::home();
    let from = match std::env::var_os("PARALLAX_HOME").is_some() {
        true => "named by PARALLAX_HOME",
        false => "found by itself",
    };
    let found = format!("{} ({from})", home.display());
    match home.is_dir() {
        true => ok("home", found),
        false => missing(
            "home",
            format!("{found} is no folder"),
            "set PARALLAX_HOME to the folder that holds scenes/ and models/",
        ),
    }
}

fn scenes() -> Row {
    let names = scene::list(&scene::library_dir());
    let faults: Vec<String> = names
        .iter()
        .filter_map(|name| scene::load(name).err())
        .map(|e| e.to_string())
        .collect();
    let sound = names.len() - faults.len();
    match faults.first() {
        _ if sound == 0 => missing(
            "scenes",
            format!(
                "none that can be used in {}",
                scene::library_dir().display()
            ),
            "set PARALLAX_HOME to the folder that holds scenes/ and models/",
        ),
        None => ok("scenes", format!("{sound}, all sound")),
        Some(first) => warning(
            "scenes",
            format!("{sound} sound, {} faulty: {first}", faults.len()),
            "mend the files, or move them away; `parallax scenes --check FILE` says what is wrong",
        ),
    }
}

fn models() -> Row {
    let dir = scene::models_dir();
    let mut entries = registry::scan(&dir);
    entries.extend(registry::scan(&registry::baselines(&dir)));
    let faults: Vec<String> = entries
        .iter()
        .filter_map(|entry| {
            let checked = match &entry.card {
                Ok(_) => registry::load_any(&entry.dir, &candle_core::Device::Cpu)
                    .err()
                    .map(|e| e.to_string()),
                Err(e) => Some(e.to_string()),
            };
            checked.map(|e| format!("{}: {e}", entry.name))
        })
        .collect();
    match faults.first() {
        _ if entries.is_empty() => warning(
            "models",
            format!("none in {}", dir.display()),
            "scenes run without them; PARALLAX_HOME names the folder that holds models/, and \
             `parallax train` makes them",
        ),
        None => ok("models", format!("{}, all sound", entries.len())),
        Some(first) => warning(
            "models",
            format!("{} of {} are faulty: {first}", faults.len(), entries.len()),
            "`parallax models --check` names them all; take them anew from where Parallax came \
             from, or train them again",
        ),
    }
}

fn processor() -> Row {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let vectors = vectors();
    let found = format!(
        "{cores} {}, vectors: {}",
        if cores == 1 { "core" } else { "cores" },
        match vectors.is_empty() {
            true => "none that are used".to_string(),
            false => vectors.join(", "),
        }
    );
    if cores < 2 {
        let advice = "window and models share one core: expect few frames a second";
        return warning("processor", found, advice);
    }
    match vectors.is_empty() {
        true => warning("processor", found, "models run, several times slower"),
        false => ok("processor", found),
    }
}

#[cfg(target_arch = "x86_64")]
fn vectors() -> Vec<&'static str> {
    let all = [
        ("AVX2", std::arch::is_x86_feature_detected!("avx2")),
        ("FMA", std::arch::is_x86_feature_detected!("fma")),
        ("AVX-512", std::arch::is_x86_feature_detected!("avx512f")),
    ];
    all.into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect()
}

#[cfg(target_arch = "aarch64")]
fn vectors() -> Vec<&'static str> {
    vec!["NEON"]
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn vectors() -> Vec<&'static str> {
    Vec::new()
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

fn memory(total: u64, free: u64) -> Row {
    let found = format!("{:.1} GiB, {:.1} GiB of it free", gib(total), gib(free));
    match gib(free) {
        g if g < 1.0 => warning(
            "memory",
            found,
            "window and trainings need more: close something",
        ),
        _ => ok("memory", found),
    }
}

/// Where commands write by themselves: the working directory.
fn folder() -> Vec<Row> {
    let Ok(here) = std::env::current_dir() else {
        let advice = "change to a folder that is there";
        return vec![missing("folder", "the working directory is gone", advice)];
    };
    let out = here.join("out");
    let target = if out.is_dir() { &out } else { &here };
    let writable = tempfile_in(target);
    let found = target.display().to_string();
    let mut rows = vec![match writable {
        Ok(()) => ok("folder", format!("{found} can be written")),
        Err(e) => warning(
            "folder",
            format!("{found} cannot be written: {e}"),
            "name other places with --out, --json and --shot, or change to a folder of yours",
        ),
    }];
    rows.push(disk(target));
    rows
}

fn tempfile_in(dir: &Path) -> std::io::Result<()> {
    let trial = dir.join(format!(".parallax-doctor-{}", std::process::id()));
    std::fs::write(&trial, [])?;
    std::fs::remove_file(trial)
}

fn disk(dir: &Path) -> Row {
    let real = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let disks = Disks::new_with_refreshed_list();
    let holding = disks.iter().filter(|d| real.starts_with(d.mount_point()));
    let Some(disk) = holding.max_by_key(|d| d.mount_point().as_os_str().len()) else {
        return warning("disk", "its free space is not known", "");
    };
    let free = disk.available_space();
    let found = format!(
        "{:.1} GiB free at {}",
        gib(free),
        disk.mount_point().display()
    );
    match gib(free) {
        g if g < 1.0 => warning(
            "disk",
            found,
            "recordings and trainings need room: free some, or name another place with --out",
        ),
        _ => ok("disk", found),
    }
}

#[cfg(feature = "app")]
fn window(headless: bool) -> Vec<Row> {
    use crate::app::display::{self, Display};
    use crate::app::graphics;
    graphics::keep_layers_quiet();
    if headless {
        return vec![ok("window", "left out (--headless)")];
    }
    let display = match display::find() {
        Ok(Display::X11 { name, room, depth }) => ok(
            "display",
            format!(
                "X11 {name}, room for {}x{} pixels, {depth} bits",
                room.0, room.1
            ),
        ),
        Ok(Display::Wayland { name }) => ok("display", format!("Wayland {name}")),
        Ok(Display::Native) => ok("display", "the system's own"),
        Err(e) => missing(
            "display",
            e,
            "only the window needs one: --headless leaves it out; Xvfb gives one to a machine \
             without a screen",
        ),
    };
    let graphics = match graphics::find() {
        Ok(a) if a.is_software => warning(
            "graphics",
            format!("{}, {}: it draws on the processor", a.name, a.driver),
            "the window works, and takes a core from the models; install the driver of the \
             graphics card if there is one",
        ),
        Ok(a) => ok("graphics", format!("{}, {}", a.name, a.driver)),
        Err(e) => missing("graphics", e, ""),
    };
    vec![display, graphics]
}

#[cfg(not(feature = "app"))]
fn window(_headless: bool) -> Vec<Row> {
    vec![ok(
        "window",
        "this build has none (feature `app`): neither display nor graphics driver is needed",
    )]
}

fn cuda() -> Row {
    if !cfg!(feature = "cuda") {
        return ok(
            "CUDA",
            "not built in: trainings run on the processor (`--features cuda` builds it in)",
        );
    }
    match super::device::pick("cuda:0") {
        Ok(_) => ok("CUDA", "built in, and cuda:0 answers"),
        Err(e) => warning(
            "CUDA",
            format!("built in, but {e:#}"),
            "trainings run on the processor; install NVIDIA's driver to use the card",
        ),
    }
}

fn ffmpeg() -> Row {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let name = format!("ffmpeg{}", std::env::consts::EXE_SUFFIX);
    let found = std::env::split_paths(&path)
        .map(|dir| dir.join(&name))
        .find(|f| f.is_file());
    match found {
        Some(file) => ok("ffmpeg", file.display().to_string()),
        None => warning(
            "ffmpeg",
            "not found",
            "no command needs it; install it to turn a recorded GIF into a film",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_memory_is_a_warning_with_advice() {
        let row = memory(8 << 30, 300 << 20);
        assert_eq!(row.standing, Standing::Warning);
        assert!(row.found.contains("8.0 GiB, 0.3 GiB"), "{}", row.found);
        assert!(row.advice.is_some());
        assert_eq!(memory(8 << 30, 4 << 30).standing, Standing::Ok);
    }
}
