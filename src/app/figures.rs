//! What was measured, for the column at the right: read from the shipped results, and from nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use crossbeam_channel::{Receiver, bounded};

use crate::model::{Camp, Card, registry};
use crate::report::stored::Stored;
use crate::scene;

/// One measured figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Of whom: a model's folder, `oracle` or `random`.
    pub of: String,
    /// Its camp, if it is a model.
    pub camp: Option<Camp>,
    /// The value, in the group's unit.
    pub value: f64,
    /// Its 95 % interval, where one was measured.
    pub interval: Option<(f64, f64)>,
    /// Episodes that it rests on.
    pub episodes: Option<u64>,
    /// The file that says so, from the folder that holds `models/`.
    pub from: String,
    /// The command that measures it again.
    pub command: String,
    /// How many laws the judge checked, where it did.
    pub laws: Option<usize>,
}

/// What a figure is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    /// Share of episodes in which the goal is reached.
    Reaches,
    /// Milliseconds that a decision takes.
    Decision,
    /// Share of imagined clips that break no law.
    Clean,
    /// How far bodies are from their true place after ten imagined steps, pixels of the eye's picture.
    PlacePx,
    /// The same in metres, for models whose probes read places.
    PlaceM,
}

impl Quantity {
    /// What it is called on the screen.
    pub const fn title(self) -> &'static str {
        match self {
            Quantity::Reaches => "Reaches the goal",
            Quantity::Decision => "Thinks for a decision",
            Quantity::Clean => "No violation, of so many laws",
            Quantity::PlacePx => "Off after 1 s, in pixels",
            Quantity::PlaceM => "Off after 1 s, by probes",
        }
    }

    /// A value in words.
    pub fn words(self, value: f64) -> String {
        match self {
            Quantity::Reaches | Quantity::Clean => format!("{:.0} %", value * 100.0),
            Quantity::Decision if value >= 1000.0 => format!("{:.1} s", value / 1000.0),
            Quantity::Decision => format!("{value:.0} ms"),
            Quantity::PlacePx => format!("{value:.1} px"),
            Quantity::PlaceM => format!("{:.1} cm", value * 100.0),
        }
    }

    /// How long its bar is, from 0 to 1, where `largest` is the largest value beside it.
    pub fn share(self, value: f64, largest: f64) -> f32 {
        let share = match self {
            Quantity::Reaches | Quantity::Clean => value,
            _ => value / largest.max(1e-9),
        };
        share.clamp(0.0, 1.0) as f32
    }
}

/// What was measured, by scene.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    scenes: BTreeMap<String, BTreeMap<Quantity, Vec<Figure>>>,
    /// Results that could not be read, in words.
    pub problems: Vec<String>,
}

/// Imagined steps after which places are compared: index into the result's horizons of 1, 5, 10 and 20.
const AFTER: usize = 2;

impl Measured {
    /// Figures of a scene, by what they are about.
    pub fn of(&self, scene: &str) -> impl Iterator<Item = (Quantity, &[Figure])> {
        let groups = self.scenes.get(scene).into_iter().flatten();
        groups.map(|(quantity, figures)| (*quantity, figures.as_slice()))
    }

    /// Reads the results of all models in `models`, and of the oracle and of chance beside them.
    pub fn read(models: &Path) -> Self {
        let mut measured = Self::default();
        let root = models.parent().unwrap_or(models);
        for entry in registry::scan(models) {
            let camp = entry.card.as_ref().ok().map(|c: &Card| c.camp);
            for scene in scene::list(&root.join("scenes")) {
                for suite in ["control", "rollout"] {
                    let file = entry.dir.join("eval").join(format!("{suite}-{scene}.json"));
                    measured.take(root, &file, &entry.name, camp);
                }
            }
        }
        for scene in scene::list(&root.join("scenes")) {
            for of in ["oracle", "random"] {
                let file = root.join(format!("assets/tasks/{scene}-{of}.json"));
                measured.take(root, &file, of, None);
            }
        }
        measured
    }

    /// Adds a result that lies elsewhere; returns its scene.
    ///
    /// # Errors
    /// In a sentence that names the file: it is no result, or one that this column does not show.
    pub fn add(
        &mut self,
        file: &Path,
        camp: impl Fn(&str) -> Option<Camp>,
    ) -> Result<String, String> {
        let at = |what: &str| format!("{}: {what}", file.display());
        let stored = Stored::load(file).map_err(|e| e.to_string())?;
        let stored = stored.ok_or_else(|| at("there is no such file"))?;
        let known = stored.text("scene").zip(stored.text("model"));
        let (scene, model) = known.ok_or_else(|| {
            at("is no result of `parallax eval`: expected the fields `scene` and `model`")
        })?;
        let count = |m: &Self| m.of(scene).map(|(_, figures)| figures.len()).sum::<usize>();
        let (scene, before) = (scene.to_string(), count(self));
        self.take(
            Path::new(""),
            file,
            &format!("{model}, dropped"),
            camp(model),
        );
        let after = self.of(&scene).map(|(_, f)| f.len()).sum::<usize>();
        match after > before {
            true => Ok(scene),
            false => Err(at(
                "has no figure that this column shows: it shows control and rollout",
            )),
        }
    }

    fn take(&mut self, root: &Path, file: &Path, of: &str, camp: Option<Camp>) {
        let stored = match Stored::load(file) {
            Ok(Some(stored)) => stored,
            Ok(None) => return,
            Err(e) => return self.problems.push(e.to_string()),
        };
        let Some(scene) = stored.text("scene").map(str::to_string) else {
            return;
        };
        let number = |path: &str| stored.at(path).and_then(serde_json::Value::as_f64);
        let from = file.strip_prefix(root).unwrap_or(file);
        let figure = |value: f64, interval: Option<(f64, f64)>| Figure {
            of: of.into(),
            camp,
            value,
            interval,
            episodes: stored.at("episodes").and_then(serde_json::Value::as_u64),
            from: from.display().to_string(),
            command: stored.text("command").unwrap_or_default().into(),
            laws: None,
        };
        let rate = |path: &str| {
            let value = number(&format!("{path}.rate"))?;
            let ends = number(&format!("{path}.low")).zip(number(&format!("{path}.high")));
            Some(figure(value, ends))
        };
        let median = |path: &str| {
            let value = number(&format!("{path}.median"))?;
            Some(figure(value, None))
        };
        let checked = stored
            .at("violations.checked")
            .and_then(serde_json::Value::as_array);
        let laws = checked.map(Vec::len);
        let place = format!("numbers.model.{AFTER}");
        let found = [
            (Quantity::Reaches, rate("success")),
            // Chance decides in no time; that says nothing.
            (
                Quantity::Decision,
                median("decision_ms").filter(|_| camp.is_some()),
            ),
            (
                Quantity::Clean,
                rate("violations.clean_clips").map(|f| Figure { laws, ..f }),
            ),
            (
                Quantity::PlacePx,
                median(&format!("{place}.object_error_px")),
            ),
            (Quantity::PlaceM, median(&format!("{place}.object_error_m"))),
        ];
        let groups = self.scenes.entry(scene).or_default();
        for (quantity, figure) in found {
            if let Some(figure) = figure {
                groups.entry(quantity).or_default().push(figure);
            }
        }
    }
}

/// Reads them on a thread of its own; they come once.
///
/// # Errors
/// The system's error if no thread can be started.
pub fn read_figures(models: &Path) -> std::io::Result<Receiver<Measured>> {
    let (outbox, inbox) = bounded(1);
    let models = models.to_path_buf();
    std::thread::Builder::new()
        .name("figures".into())
        .spawn(move || {
            crate::worker::stand_back();
            // Nobody waits any more if the window is closed.
            let _unheard = outbox.send(Measured::read(&models));
        })?;
    Ok(inbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_the_shipped_results() {
        let models = scene::models_dir();
        let measured = Measured::read(&models);
        assert!(measured.problems.is_empty(), "{:?}", measured.problems);
        let groups: BTreeMap<_, _> = measured.of("push").collect();
        let lewm = |q: Quantity| groups[&q].iter().find(|f| f.of == "lewm-push").unwrap();
        let file = models.join("lewm-push/eval/control-push.json");
        let stored = Stored::load(&file).unwrap().unwrap();
        let number = |path: &str| stored.at(path).unwrap().as_f64().unwrap();
        assert_eq!(lewm(Quantity::Reaches).value, number("success.rate"));
        assert_eq!(lewm(Quantity::Decision).value, number("decision_ms.median"));
        assert_eq!(
            lewm(Quantity::Reaches).from,
            "models/lewm-push/eval/control-push.json"
        );
        assert!(groups[&Quantity::Reaches].iter().any(|f| f.of == "random"));
        assert_eq!(measured.of("no such scene").count(), 0);
        // A result that is dropped on the window stands beside them; what is none says so.
        let mut more = measured.clone();
        assert_eq!(more.add(&file, |_| None).unwrap(), "push");
        let dropped = |m: &Measured| {
            let groups = m.of("push").find(|(q, _)| *q == Quantity::Reaches);
            groups.is_some_and(|(_, f)| f.iter().any(|f| f.of == "lewm-push, dropped"))
        };
        assert!(dropped(&more) && !dropped(&measured));
        let card = models.join("evaluations.ron");
        assert!(
            more.add(&card, |_| None)
                .unwrap_err()
                .contains("evaluations.ron")
        );
    }
}
