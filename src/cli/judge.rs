//! `parallax judge`: judges any film of a scene, says what is judged where, and calibrates and validates the
//! judge itself.

mod calibrate;
mod film;
mod picture;
mod validate;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Result, bail};
use serde::Serialize;

use super::output::{self, Form};
use super::world::WorldArgs;
use super::wrong_use;
use crate::eval::result::SCHEMA;
use crate::judge::{Belief, CONTEXT_FRAMES, Judge, Verdict, Violation, beliefs};
use crate::scene::{self, Scene};
use film::Film;

/// Judge a film: which laws of physics it breaks, where and when.
#[derive(clap::Args, Debug)]
#[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
pub struct JudgeArgs {
    /// A folder of PNG files (in the order of their names), a GIF, a safetensors file with `frames` (u8
    /// [T, H, W, 3]; `actions`, f32 [T, A], if there are), or what `parallax collect` recorded (a
    /// shard-NNNNN.plx, or its folder)
    #[arg(value_name = "CLIP", required_unless_present = "coverage")]
    clip: Option<PathBuf>,
    /// Print which laws are judged in which scene, and why others are not
    #[arg(long, conflicts_with = "clip")]
    coverage: bool,
    /// Scene: a name from `parallax scenes`, or a file [default: that of the recording; --coverage: all]
    #[arg(long, value_name = "S")]
    scene: Option<String>,
    /// Which recorded episode, counted from 0
    #[arg(long, value_name = "N")]
    episode: Option<u64>,
    /// So many of the first frames are real: the judge learns from them what there is
    #[arg(long, value_name = "N", default_value_t = CONTEXT_FRAMES, value_parser = reference())]
    reference: usize,
    /// Write the verdict to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw the film with what it breaks to this file (.gif)
    #[arg(long, value_name = "FILE")]
    gif: Option<PathBuf>,
    #[command(flatten)]
    world: WorldArgs,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Find each law's threshold on reality and write assets/judge.ron
    Calibrate(calibrate::CalibrateArgs),
    /// Measure the judge on held-out seeds: reality, reality away from training, and faults
    Validate(Box<validate::ValidateArgs>),
}

fn reference() -> impl clap::builder::TypedValueParser<Value = usize> {
    use clap::builder::TypedValueParser as _;
    clap::value_parser!(u16).range(1..=1000).map(usize::from)
}

/// The verdict as JSON. Keys only grow.
#[derive(Serialize)]
struct Judged<'a> {
    schema: u32,
    suite: &'static str,
    scene: &'a str,
    scene_sha256: String,
    clip: String,
    /// Frames of the film, the real ones included.
    frames: usize,
    /// Real frames; violations count from the first one after them.
    reference: usize,
    /// In one line.
    says: String,
    /// The laws that were checked.
    checked: Vec<&'static str>,
    /// Those that were not, and why.
    absent: BTreeMap<&'static str, &'a str>,
    /// What was found, in the order of its first frame.
    violations: Vec<Broken<'a>>,
    /// The constants of nature that the film believes in.
    beliefs: &'a [Belief],
}

/// One violation.
#[derive(Serialize)]
struct Broken<'a> {
    law: &'static str,
    /// The body's name; none where the film as a whole or its background is at fault.
    body: Option<&'a str>,
    /// Counted from 0, the first frame after the real ones.
    first_frame: usize,
    last_frame: usize,
    severity: f32,
    /// x0, y0, x1, y1 (exclusive) in pixels, one a frame.
    boxes: &'a [[u16; 4]],
    sentence: &'a str,
}

pub fn run(args: &JudgeArgs) -> Result<()> {
    match (&args.command, &args.clip) {
        (Some(Command::Calibrate(a)), _) => calibrate::run(a),
        (Some(Command::Validate(a)), _) => validate::run(a),
        (None, Some(clip)) => judge(args, clip),
        (None, None) => coverage(args),
    }
}

fn judge(args: &JudgeArgs, clip: &std::path::Path) -> Result<()> {
    if let Some(path) = &args.json {
        output::test("--json", path, Form::Json)?;
    }
    if let Some(path) = &args.gif {
        output::test("--gif", path, Form::Gif)?;
    }
    let given = args
        .scene
        .as_deref()
        .map(|s| args.world.scene(s))
        .transpose()?;
    let film = Film::read(clip, given.as_deref(), args.episode)?;
    let scene = match (given, &film.scene) {
        (Some(scene), _) => scene,
        (None, Some(scene)) if args.world.is_given() => {
            let name = &scene.name;
            return Err(wrong_use(format!("name the scene, too: --scene {name}")));
        }
        (None, Some(scene)) => scene.clone(),
        (None, None) => {
            return Err(wrong_use(
                "--scene is needed: which scene does the film show?",
            ));
        }
    };
    let least = args.reference + 3;
    if film.frames.len() < least {
        bail!(
            "{}: holds {} frames, expected at least {least}: {} real ones (--reference) and three to judge",
            clip.display(),
            film.frames.len(),
            args.reference
        );
    }
    let judge = Judge::new(&scene);
    let frames: Vec<&[u8]> = film.frames.iter().map(Vec::as_slice).collect();
    let actions = film.actions.as_deref();
    let verdict = judge.frames(film.size, args.reference, &frames, actions);
    let found = believed(&judge, &film, &frames, args.reference);
    print(&scene, &verdict, &found);
    if let Some(path) = &args.json {
        let judged = Judged {
            schema: SCHEMA,
            suite: "judged",
            scene: &scene.name,
            scene_sha256: scene.sha256(),
            clip: clip.display().to_string(),
            frames: frames.len(),
            reference: args.reference,
            says: verdict.line(),
            checked: verdict.checked.iter().map(|l| l.id()).collect(),
            absent: (verdict.absent.iter())
                .map(|(l, why)| (l.id(), why.as_str()))
                .collect(),
            violations: broken(&scene, &verdict),
            beliefs: &found,
        };
        let text = serde_json::to_string_pretty(&judged)? + "\n";
        output::write(path, text.as_bytes())?;
        println!("wrote {}", path.display());
    }
    if let Some(path) = &args.gif {
        picture::draw(path, &scene, &film, args.reference, &verdict)?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

fn broken<'a>(scene: &'a Scene, verdict: &'a Verdict) -> Vec<Broken<'a>> {
    let one = |v: &'a Violation| Broken {
        law: v.law.id(),
        body: (v.body.and_then(|b| scene.bodies.get(b))).map(|b| b.name.as_str()),
        first_frame: v.first_frame,
        last_frame: v.last_frame,
        severity: v.severity,
        boxes: &v.boxes,
        sentence: &v.sentence,
    };
    verdict.violations.iter().map(one).collect()
}

/// The constants that a film believes in, beside what the scene says of them.
fn believed(judge: &Judge, film: &Film, frames: &[&[u8]], reference: usize) -> Vec<Belief> {
    let tracks = judge.tracks(film.size, reference, frames, film.actions.as_deref());
    let (Some(world), Some(tracks)) = (judge.world(), tracks) else {
        return Vec::new();
    };
    let motion = judge.motion(&tracks).unwrap_or_default();
    beliefs::pool(world, &beliefs::estimates(world, &tracks, &motion), &[])
}

fn print(scene: &Scene, verdict: &Verdict, beliefs: &[Belief]) {
    println!("{}: {}", scene.name, verdict.line());
    for v in &verdict.violations {
        let when = match v.first_frame == v.last_frame {
            true => format!("frame {}", v.first_frame + 1),
            false => format!("frames {} to {}", v.first_frame + 1, v.last_frame + 1),
        };
        let law = v.law.id();
        println!(
            "  {when:<16} {law:<16} {} (severity {:.2})",
            v.sentence, v.severity
        );
    }
    for belief in beliefs {
        let [low, high] = [belief.low, belief.high];
        let of = belief
            .body
            .as_ref()
            .map(|b| format!("{b} "))
            .unwrap_or_default();
        println!("  {of}{} [{low:.2}, {high:.2}]", belief.sentence);
    }
    for (law, reason) in &verdict.absent {
        println!("  {:<16} not checked: {reason}", law.id());
    }
}

/// One row a scene and law.
#[derive(Serialize)]
struct Cell {
    on: bool,
    threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

fn coverage(args: &JudgeArgs) -> Result<()> {
    if args.episode.is_some() || args.gif.is_some() {
        return Err(wrong_use(
            "--coverage judges no film: neither --episode nor --gif has an effect",
        ));
    }
    if let Some(path) = &args.json {
        output::test("--json", path, Form::Json)?;
    }
    let names = match &args.scene {
        Some(name) => vec![name.clone()],
        None => scene::list(&scene::library_dir()),
    };
    let mut all = serde_json::Map::new();
    for name in &names {
        let scene: Arc<Scene> = args.world.scene(name)?;
        let rows = Judge::new(&scene).coverage();
        let on = rows.iter().filter(|r| r.setting.is_ok()).count();
        let motion = rows
            .iter()
            .filter(|r| r.setting.is_ok() && r.law.is_of_motion())
            .count();
        println!(
            "{}: {on} of {} laws, {motion} of them of motion",
            scene.name,
            rows.len()
        );
        let mut cells = serde_json::Map::new();
        for row in rows {
            let law = row.law.id();
            let cell = match row.setting {
                Ok((threshold, unit)) => {
                    println!("  {law:<16} on, above {threshold:.3} {unit}");
                    let (threshold, unit) = (Some(threshold), Some(unit));
                    let (on, reason) = (true, None);
                    Cell {
                        on,
                        threshold,
                        unit,
                        reason,
                    }
                }
                Err(reason) => {
                    println!("  {law:<16} off: {reason}");
                    let (on, threshold, unit) = (false, None, None);
                    let reason = Some(reason);
                    Cell {
                        on,
                        threshold,
                        unit,
                        reason,
                    }
                }
            };
            cells.insert(law.into(), serde_json::to_value(cell)?);
        }
        all.insert(scene.name.clone(), cells.into());
    }
    if let Some(path) = &args.json {
        let head = serde_json::json!({ "schema": SCHEMA, "suite": "coverage", "scenes": all });
        output::write(
            path,
            (serde_json::to_string_pretty(&head)? + "\n").as_bytes(),
        )?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
