//! `parallax eval judge`: the judge judged, and calibrated.

use std::sync::Arc;

use anyhow::{Result, bail};
use serde_json::{Map, Value, json};

use super::super::output;
use super::{EvalArgs, head, note_world};
use crate::eval::judge::{self, JudgeResult};
use crate::judge::Thresholds;
use crate::scene::{self, Scene, home};

/// Fewest clips from which a threshold above 999 of 1000 means something.
const LEAST_CLIPS: u64 = 100;

/// False positives and detection rates, of one scene or of all.
pub fn evaluate(args: &EvalArgs) -> Result<Value> {
    let names = match &args.scene {
        Some(name) => vec![name.clone()],
        None => scene::list(&scene::library_dir()),
    };
    let scenes = names
        .iter()
        .map(|n| args.world.scene(n))
        .collect::<Result<Vec<_>>>()?;
    if let Some(clips) = args.calibrate {
        return calibrate(&scenes, clips);
    }
    let mut out = head("judge", args, args.scene.as_deref().unwrap_or("all"), "-");
    if let [scene] = &scenes[..] {
        note_world(&mut out, scene);
    }
    let mut by_scene = Map::new();
    for scene in &scenes {
        let result = judge::evaluate(scene, args.seed, args.episodes())?;
        print(&scene.name, &result);
        by_scene.insert(scene.name.clone(), json!(result));
    }
    out.insert("scenes".into(), Value::Object(by_scene));
    Ok(Value::Object(out))
}

fn print(name: &str, result: &JudgeResult) {
    let reason = |of: &str| {
        let own = result.reasons.get(of).or_else(|| result.reasons.get("all"));
        own.map_or("not measured", String::as_str)
    };
    match &result.false_positive_clips {
        Some(r) => println!("{name}: {:.2} % of real clips flagged", 100.0 * r.rate),
        None => println!("{name}: not measured: {}", reason("all")),
    }
    if result.false_positive_clips.is_some() && !result.calibrated {
        println!("  not calibrated for this scene: the thresholds are cautious");
    }
    for (body, why) in &result.left_out {
        println!("  `{body}` is left out: {why}");
    }
    for (law, rate) in &result.detection_rate {
        match rate {
            Some(rate) => println!(
                "  {law:<18} {:.1} % of faults caught [{:.1}, {:.1}]",
                100.0 * rate.rate,
                100.0 * rate.low,
                100.0 * rate.high
            ),
            None => println!("  {law:<18} not judged: {}", reason(law)),
        }
    }
}

fn calibrate(scenes: &[Arc<Scene>], clips: u64) -> Result<Value> {
    if clips < LEAST_CLIPS {
        bail!(
            "--calibrate {clips}: expected at least {LEAST_CLIPS} clips, or the percentile means nothing"
        );
    }
    let path = home().join("assets/judge.ron");
    output::test_folder("--calibrate", crate::system::files::folder_of(&path))?;
    let mut thresholds = Thresholds {
        seed: judge::CALIBRATION_SEED,
        clips,
        ..Thresholds::read(&path)?
    };
    for scene in scenes {
        let found = judge::calibrate(scene, clips)?;
        println!("{}: {found:?}", scene.name);
        thresholds.insert(scene, found);
    }
    let text = ron::ser::to_string_pretty(&thresholds, ron::ser::PrettyConfig::default())?;
    output::write(&path, (text + "\n").as_bytes())?;
    println!("wrote {}; build again to use it", path.display());
    Ok(json!(thresholds))
}
