//! `parallax judge validate`: the judge measured on held-out seeds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Result, anyhow};
use serde::Serialize;

use crate::cli::output::{self, Form};
use crate::cli::seed;
use crate::cli::world::WorldArgs;
use crate::eval::judge::catalogue::{Catalogue, Strength};
use crate::eval::judge::validate::{Caught, Left, Plan, SceneFound, Validation, scene, summary};
use crate::eval::judge::{BesideFound, beside};
use crate::eval::result::{SCHEMA, seeds_are};
use crate::model::registry;
use crate::scene as library;
use crate::sim::HELD_OUT_SEED;
use crate::stats::Rate;

/// Measure the judge on held-out seeds: reality, reality away from training, and faults.
#[derive(clap::Args, Debug)]
pub struct ValidateArgs {
    /// Scene: a name from `parallax scenes`, or a file [default: all scenes]
    #[arg(long, value_name = "S")]
    scene: Option<String>,
    /// Clips of reality a scene
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = counts())]
    clips: u64,
    /// Clips of reality away from training, a scene and change; 0 leaves them out
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = counts())]
    away: u64,
    /// Clips tried for each fault and strength, a scene; 0 leaves faults out
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = counts())]
    faults: u64,
    /// Measure faults through the probes of this model instead, beside the same through frames; --faults says
    /// on how many clips
    #[arg(long, value_name = "M", requires = "scene")]
    model: Option<String>,
    /// First seed; from 1000000 up seeds are held out
    #[arg(long, value_name = "K", default_value_t = HELD_OUT_SEED, value_parser = seed())]
    seed: u64,
    /// Write the result to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(flatten)]
    world: WorldArgs,
}

fn counts() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(0..=100_000)
}

/// What was measured, and how.
#[derive(Serialize)]
struct Written<'a> {
    schema: u32,
    suite: &'static str,
    seed: u64,
    seeds: &'static str,
    /// What was set in the scenes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    interventions: Vec<(String, f32)>,
    command: String,
    version: &'static str,
    #[serde(flatten)]
    found: &'a Validation,
}

pub fn run(args: &ValidateArgs) -> Result<()> {
    if let Some(path) = &args.json {
        output::test("--json", path, Form::Json)?;
    }
    if args.seed < HELD_OUT_SEED {
        let kind = seeds_are(args.seed);
        eprintln!("seeds from {} on are for {kind}, not held out", args.seed);
    }
    let catalogue = Catalogue::shipped().map_err(|e| anyhow!("assets/faults.ron: {e}"))?;
    if let (Some(model), Some(name)) = (&args.model, &args.scene) {
        return through_probes(args, model, name, &catalogue);
    }
    let plan = Plan {
        seed: args.seed,
        reality: args.clips,
        away: args.away,
        faults: args.faults,
    };
    let names = match &args.scene {
        Some(name) => vec![name.clone()],
        None => library::list(&library::library_dir()),
    };
    let mut scenes: BTreeMap<String, SceneFound> = BTreeMap::new();
    for name in &names {
        let loaded = args.world.scene(name)?;
        let found = scene(&loaded, &catalogue, &plan)?;
        print(&loaded.name, &found);
        scenes.insert(loaded.name.clone(), found);
        let all = Validation {
            summary: summary(&scenes),
            scenes: scenes.clone(),
        };
        // After each scene: what was measured stays if the next is stopped.
        if let Some(path) = &args.json {
            write(path, args, &loaded.interventions, &all)?;
        }
    }
    together(&summary(&scenes));
    if let Some(path) = &args.json {
        println!("wrote {}", path.display());
    }
    Ok(())
}

/// What was measured through a model's probes.
#[derive(Serialize)]
struct WrittenBeside<'a> {
    schema: u32,
    suite: &'static str,
    scene: &'a str,
    model: &'a str,
    model_sha256: String,
    seed: u64,
    seeds: &'static str,
    episodes: u64,
    command: String,
    version: &'static str,
    #[serde(flatten)]
    found: &'a BesideFound,
}

fn through_probes(
    args: &ValidateArgs,
    model: &str,
    name: &str,
    catalogue: &Catalogue,
) -> Result<()> {
    let loaded = args.world.scene(name)?;
    let device = candle_core::Device::Cpu;
    let known = registry::load_named(&library::models_dir(), model, &device)?;
    if known.facets().readouts.is_none() {
        return Err(crate::cli::wrong_use(format!(
            "--model: {model} has no probes to look through"
        )));
    }
    let seeds = args.seed..args.seed.saturating_add(args.faults);
    let found = beside(&loaded, known.as_ref(), catalogue, seeds)?;
    println!(
        "{name} through the probes of {model}: {} laws",
        found.checked.len()
    );
    for (law, reason) in &found.absent {
        println!("  {law:<16} not checked: {reason}");
    }
    println!("  reality flagged           {}", flagged(&found.reality));
    for (fault, by_strength) in &found.faults {
        for (strength, both) in by_strength {
            let [a, b] = [&both.frames, &both.probes].map(|c| Rate::percent(c.caught));
            println!(
                "  {fault:<25} {strength:<7} frames {a}, probes {b} of {}",
                both.frames.clips
            );
        }
    }
    let Some(path) = &args.json else {
        return Ok(());
    };
    let (faults, seed) = (args.faults, args.seed);
    let written = WrittenBeside {
        schema: SCHEMA,
        suite: "judge_beside",
        scene: name,
        model,
        model_sha256: known.card().sha256.clone(),
        seed,
        seeds: seeds_are(seed),
        episodes: faults,
        command: format!(
            "parallax judge validate --scene {name} --model {model} --faults {faults} --seed {seed}"
        ),
        version: env!("CARGO_PKG_VERSION"),
        found: &found,
    };
    output::write(
        path,
        (serde_json::to_string_pretty(&written)? + "\n").as_bytes(),
    )?;
    println!("wrote {}", path.display());
    Ok(())
}

fn write(
    path: &std::path::Path,
    args: &ValidateArgs,
    set: &[(String, f32)],
    found: &Validation,
) -> Result<()> {
    let mut command = "parallax judge validate".to_string();
    if let Some(scene) = &args.scene {
        command += &format!(" --scene {scene}");
    }
    let (clips, away, faults, seed) = (args.clips, args.away, args.faults, args.seed);
    for (field, value) in set {
        command += &format!(" --set {field}={value}");
    }
    command += &format!(" --clips {clips} --away {away} --faults {faults} --seed {seed}");
    let written = Written {
        schema: SCHEMA,
        suite: "judge",
        seed,
        seeds: seeds_are(seed),
        interventions: set.to_vec(),
        command,
        version: env!("CARGO_PKG_VERSION"),
        found,
    };
    output::write(
        path,
        (serde_json::to_string_pretty(&written)? + "\n").as_bytes(),
    )
}

fn flagged(left: &Left) -> String {
    match &left.reason {
        Some(reason) => format!("not measured: {reason}"),
        None => {
            let laws: Vec<String> = left
                .by_law
                .iter()
                .map(|(law, n)| format!("{law} {n}"))
                .collect();
            format!(
                "{} of {} clips  {}",
                Rate::percent(left.flagged),
                left.clips,
                laws.join(", ")
            )
        }
    }
}

fn caught(found: &Caught) -> String {
    match &found.reason {
        Some(reason) => format!("not measured: {reason}"),
        None => format!(
            "{} of {} caught, {} of these localised",
            Rate::percent(found.caught),
            found.clips,
            Rate::percent(found.localised)
        ),
    }
}

fn print(name: &str, found: &SceneFound) {
    println!("{name}: {} laws", found.checked.len());
    for (body, why) in &found.left_out {
        println!("  `{body}` is left out: {why}");
    }
    println!("  reality flagged           {}", flagged(&found.reality));
    for (what, left) in &found.away {
        println!("  {what:<25} {}", flagged(left));
    }
    for (fault, by_strength) in &found.faults {
        for strength in Strength::ALL.map(Strength::id) {
            if let Some(one) = by_strength.get(strength) {
                println!("  {fault:<25} {strength:<7} {}", caught(one));
            }
        }
    }
    for (edit, one) in &found.edits {
        println!("  {edit:<33} {}", caught(one));
    }
    if found.frozen.clips > 0 || found.frozen.reason.is_some() {
        println!(
            "  frozen film                       {}",
            caught(&found.frozen)
        );
    }
    if let Some(speed) = found.frames_per_s {
        println!("  {speed:.0} frames a second");
    }
}

fn together(all: &crate::eval::judge::validate::Summary) {
    println!("all scenes:");
    println!("  reality flagged           {}", flagged(&all.reality));
    println!("  away from training        {}", flagged(&all.away));
    for (strength, one) in &all.faults {
        println!("  faults, {strength:<25} {}", caught(one));
    }
    println!("  edits of the simulator            {}", caught(&all.edits));
    println!(
        "  frozen films                      {}",
        caught(&all.frozen)
    );
    if let Some(speed) = all.frames_per_s {
        println!("  slowest scene: {speed:.0} frames a second");
    }
    if !all.short_of_laws.is_empty() {
        println!(
            "  fewer than six laws, or none of motion: {}",
            all.short_of_laws.join(", ")
        );
    }
}
