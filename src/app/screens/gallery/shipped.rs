//! What the shipped results say went wrong: laws broken and places missed by scene and model, and the seeds
//! in which a planner failed. Read from `models/*/eval/`, and from nothing else.

use std::path::Path;
use std::sync::Arc;

use crossbeam_channel::{Receiver, bounded};
use serde_json::Value;

use super::{Entry, Fault, Origin, Shipped};
use crate::app::screens::surprise::{Event, Measured};
use crate::camera::Eye;
use crate::model::{Camp, Card, registry};
use crate::report::stored::Stored;
use crate::scene::{self, Law, Scene};

/// Failed episodes that are listed of one model in one scene: those that ended farthest from the goal.
const EPISODES: usize = 4;
/// Imagined steps after which places are compared: index into the result's horizons of 1, 5, 10 and 20.
const AFTER: usize = 2;
/// A median error below this share of the picture's side is no failure.
const LEAST_SHARE: f64 = 0.015;

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// What went wrong.
    pub entries: Vec<Entry>,
    /// How often models were more surprised by an impossible event.
    pub surprises: Measured,
    /// Results that could not be read, in words.
    pub problems: Vec<String>,
}

/// The order in which the report's kinds stand.
pub const fn group(fault: Fault) -> u8 {
    match fault {
        Fault::Law(_) => 0,
        Fault::Place => 1,
        Fault::Goal => 2,
    }
}

/// What a group of the report is called.
pub const fn heading(fault: Fault) -> &'static str {
    match fault {
        Fault::Law(_) => "Laws broken in imagination, the most often first",
        Fault::Place => "Bodies in the wrong place after one second, the farthest first",
        Fault::Goal => "Goals that a planner missed, the farthest first",
    }
}

/// Reads the results of all models in a folder.
pub fn read(models: &Path) -> Read {
    let mut read = Read::default();
    let root = models.parent().unwrap_or(models);
    let scenes = scene::list(&root.join("scenes"));
    for entry in registry::scan(models) {
        let camp = entry.card.as_ref().ok().map(|c: &Card| c.camp);
        for scene in &scenes {
            for suite in ["rollout", "control", "surprise"] {
                let file = entry.dir.join("eval").join(format!("{suite}-{scene}.json"));
                let stored = match Stored::load(&file) {
                    Ok(Some(stored)) => stored,
                    Ok(None) => continue,
                    Err(e) => {
                        read.problems.push(e.to_string());
                        continue;
                    }
                };
                let of = Of {
                    stored: &stored,
                    root,
                    model: &entry.name,
                    camp,
                    scene,
                };
                read.entries.extend(match suite {
                    "control" => of.goals(),
                    "surprise" => {
                        read.surprises.extend(of.surprises());
                        Vec::new()
                    }
                    _ => of.laws().into_iter().chain(of.place()).collect(),
                });
            }
        }
    }
    read
}

/// Reads them on a thread of its own; they come once.
///
/// # Errors
/// The system's error if no thread can be started.
pub fn begin(models: &Path) -> std::io::Result<Receiver<Read>> {
    let (outbox, inbox) = bounded(1);
    let models = models.to_path_buf();
    std::thread::Builder::new()
        .name("figures".into())
        .spawn(move || {
            crate::worker::stand_back();
            // Nobody waits any more if the window is closed.
            let _unheard = outbox.send(read(&models));
        })?;
    Ok(inbox)
}

/// A result, and of whom it is.
struct Of<'a> {
    stored: &'a Stored,
    root: &'a Path,
    model: &'a str,
    camp: Option<Camp>,
    scene: &'a str,
}

impl Of<'_> {
    fn number(&self, path: &str) -> Option<f64> {
        self.stored.at(path).and_then(Value::as_f64)
    }

    fn entry(
        &self,
        fault: Fault,
        seed: u64,
        severity: f64,
        sentence: String,
        value: String,
    ) -> Entry {
        let path = &self.stored.path;
        let from = path.strip_prefix(self.root).unwrap_or(path);
        Entry {
            id: 0,
            fault,
            model: self.model.into(),
            camp: self.camp,
            scene: self.scene.into(),
            seed,
            severity: severity.clamp(1e-6, 1.0) as f32,
            sentence,
            origin: Origin::Report(Shipped {
                value,
                from: from.display().to_string(),
                command: self.stored.text("command").unwrap_or_default().into(),
            }),
            still: None,
        }
    }

    fn first_seed(&self) -> u64 {
        let seed = self.stored.at("seed").and_then(Value::as_u64);
        seed.unwrap_or(crate::sim::HELD_OUT_SEED)
    }

    /// How often each law is broken.
    fn laws(&self) -> Vec<Entry> {
        let clips = self.stored.at("episodes").and_then(Value::as_u64);
        let of = |law: Law| {
            let id = law.id();
            let often = self
                .number(&format!("violations.per_100_object_frames.{id}"))
                .filter(|often| *often > 0.0)?;
            let share = self.number(&format!("violations.broken_clips.{id}.rate"));
            let value = match share {
                Some(share) => format!("in {:.0} % of clips", share * 100.0),
                None => format!("{} %", rounded(often)),
            };
            let clips = clips.map_or(String::new(), |n| format!(" ({n} clips)"));
            let sentence = match share {
                Some(_) => format!("It happens {value}{clips}"),
                None => format!("{value} of all pictures of a body show it{clips}"),
            };
            // A law that is broken in every fifth picture is as bad as it gets.
            let severity = share.unwrap_or((often / 20.0).min(1.0));
            Some(self.entry(
                Fault::Law(law),
                self.first_seed(),
                severity,
                sentence,
                value,
            ))
        };
        Law::ALL.into_iter().filter_map(of).collect()
    }

    /// How often impossible events surprised it more than the same without.
    fn surprises(&self) -> Measured {
        let ids = Event::ALL.into_iter().filter_map(Event::id);
        ids.filter_map(|id| {
            let share = self.number(&format!("breaks.{id}.model.paired.rate"))?;
            let pairs = self.stored.at(&format!("breaks.{id}.pairs"));
            let key = (self.model.to_string(), self.scene.to_string(), id);
            Some((key, (share, pairs.and_then(Value::as_u64)?)))
        })
        .collect()
    }

    /// How far off bodies are.
    fn place(&self) -> Option<Entry> {
        let numbers = format!("numbers.model.{AFTER}");
        let pixels = self.number(&format!("{numbers}.object_error_px.median"));
        let metres = self.number(&format!("{numbers}.object_error_m.median"));
        let scene = self.root.join("scenes").join(format!("{}.ron", self.scene));
        let scene = Arc::new(Scene::load(&scene).ok()?);
        let eye = Eye::standard(&scene).ok()?;
        let a_pixel = f64::from(eye.metres_per_pixel([0.0; 3]));
        let metres = metres.or(pixels.map(|px| px * a_pixel))?;
        let share = metres / a_pixel / eye.size() as f64;
        if share < LEAST_SHARE {
            return None;
        }
        let words = format!("{:.1} cm", metres * 100.0);
        let sentence = format!("Half of what it imagines is more than {words} off after 1 s");
        Some(self.entry(Fault::Place, self.first_seed(), share, sentence, words))
    }

    /// The episodes in which its planner failed worst.
    fn goals(&self) -> Vec<Entry> {
        let Some(Value::Array(episodes)) = self.stored.at("per_episode") else {
            return Vec::new();
        };
        let mut failed: Vec<(u64, f64)> = episodes
            .iter()
            .filter(|e| e["success"] == Value::Bool(false))
            .filter_map(|e| Some((e["seed"].as_u64()?, e["final_distance_m"].as_f64()?)))
            .collect();
        failed.sort_by(|a, b| b.1.total_cmp(&a.1));
        let (failures, all) = (failed.len(), episodes.len());
        let worst = failed.into_iter().take(EPISODES);
        worst
            .map(|(seed, metres)| {
                let left = format!("{:.0} cm", metres * 100.0);
                let sentence = format!(
                    "Its planner ended {left} from the goal; it failed in {failures} of {all} episodes"
                );
                self.entry(Fault::Goal, seed, metres, sentence, format!("{left} left"))
            })
            .collect()
    }
}

/// Two figures that count.
fn rounded(value: f64) -> String {
    match value {
        v if v >= 10.0 => format!("{v:.0}"),
        v if v >= 0.95 => format!("{v:.1}"),
        v => format!("{v:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_what_the_shipped_results_say() {
        let models = scene::models_dir();
        let read = read(&models);
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        let file = models.join("latent-diffusion/eval/rollout-collide3.json");
        let stored = Stored::load(&file).unwrap().unwrap();
        let of = |e: &&Entry| e.model == "latent-diffusion" && e.scene == "collide3";
        let laws: Vec<&Entry> = read.entries.iter().filter(of).collect();
        for law in Law::ALL {
            let path = format!("violations.per_100_object_frames.{}", law.id());
            let often = stored.at(&path).and_then(Value::as_f64).unwrap_or(0.0);
            let listed = laws.iter().any(|e| e.fault == Fault::Law(law));
            assert_eq!(listed, often > 0.0, "{law:?}: {often}");
        }
        let goals: Vec<&Entry> = (read.entries.iter())
            .filter(|e| e.fault == Fault::Goal && e.model == "lewm-push" && e.scene == "push")
            .collect();
        let file = models.join("lewm-push/eval/control-push.json");
        let stored = Stored::load(&file).unwrap().unwrap();
        let episodes = stored.at("per_episode").and_then(Value::as_array).unwrap();
        assert!(!goals.is_empty() && goals.len() <= EPISODES);
        for goal in &goals {
            let episode = episodes.iter().find(|e| e["seed"] == goal.seed).unwrap();
            assert_eq!(episode["success"], Value::Bool(false));
        }
        let all = read.entries.iter();
        assert!(all.clone().all(|e| e.severity > 0.0 && e.severity <= 1.0));
        assert!(all.clone().all(|e| !e.sentence.ends_with('.')));
    }
}
