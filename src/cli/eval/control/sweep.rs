//! `parallax eval control --sweep`: success at every value of a field of the scene.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::{ControlArgs, Watcher, contestant};
use crate::cli::wrong_use;
use crate::eval::contest::{Contest, Planning};
use crate::scene::{Colour, Scene};
use crate::stats::Rate;

/// By field, every value.
#[derive(Serialize)]
pub struct SweepResult {
    goals: &'static str,
    #[serde(flatten)]
    planning: Planning,
    sweep: BTreeMap<String, Vec<Point>>,
}

/// What was measured at one value.
#[derive(Serialize)]
struct Point {
    value: Json,
    /// How far it lies from training; null within the range.
    departure: Json,
    episodes: usize,
    success: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oracle: Option<Option<Rate>>,
}

/// A value of a swept field that is going to be measured.
struct Value {
    field: String,
    shown: Json,
    departure: Json,
    scene: Arc<Scene>,
}

/// Every value of every swept field, checked before any is measured.
fn values(sweep: &[String], scene: &Arc<Scene>) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for text in sweep {
        let Some((field, values)) = text.split_once('=') else {
            let message =
                format!("--sweep {text}: expected FIELD=A,B,.., such as cube.mass=0.1,0.3,1");
            return Err(wrong_use(message));
        };
        for value in values.split(',') {
            let mut changed = Scene::clone(scene);
            let assignment = format!("{}={}", field.trim(), value.trim());
            let (shown, departure) = match field.trim().strip_suffix(".colour") {
                Some(body) => repaint(&mut changed, body, value.trim())?,
                None => {
                    changed.intervene(&assignment).map_err(wrong_use)?;
                    let departures = changed.departures();
                    let departure = departures.into_iter().find(|d| d.target == field.trim());
                    match &departure {
                        Some(departure) => println!("{departure}"),
                        None => println!("{assignment}: within the training range"),
                    }
                    let set = changed.interventions.last().map(|(_, v)| *v);
                    (json!(set), json!(departure))
                }
            };
            changed.check(&format!("{} with --sweep {assignment}", scene.name))?;
            found.push(Value {
                field: field.trim().into(),
                shown,
                departure,
                scene: Arc::new(changed),
            });
        }
    }
    Ok(found)
}

/// Success at every value of every swept field, one field at a time.
pub fn run(args: &ControlArgs, contest: &Contest) -> Result<SweepResult> {
    let mut result = SweepResult {
        goals: contest.goals_are(),
        planning: Planning::default(),
        sweep: BTreeMap::new(),
    };
    for value in values(&args.sweep, &contest.scene)? {
        let contest = Contest {
            scene: value.scene,
            ..contest.clone()
        };
        let mut controller = contestant(&args.actor, &contest.scene, &args.actor.subject.model)?;
        println!("{} = {}", value.field, value.shown);
        let found = contest.run(
            &controller.name,
            &mut controller.pilot,
            &mut Watcher::default(),
        )?;
        let oracle = match args.no_references {
            true => None,
            false => Some(contest.oracle(&mut Watcher::default())?.success),
        };
        result.planning = controller.planning;
        result.sweep.entry(value.field).or_default().push(Point {
            value: value.shown,
            departure: value.departure,
            episodes: found.episodes,
            success: found.success,
            oracle,
        });
    }
    Ok(result)
}

/// Gives a body another colour of the palette; returns its name and how far its hue is from the one in
/// training, degrees.
fn repaint(scene: &mut Scene, body: &str, colour: &str) -> Result<(Json, Json)> {
    let index = scene.body_index(body).ok_or_else(|| {
        wrong_use(format!(
            "--sweep {body}.colour: scene `{}` has no such body",
            scene.name
        ))
    })?;
    let painted: Colour = ron::from_str(colour).map_err(|_| {
        wrong_use(format!(
            "--sweep {body}.colour={colour}: expected colours of the palette, such as Orange, SkyBlue, \
             Green, Yellow, Blue, Vermillion, Purple"
        ))
    })?;
    let before = scene.bodies[index].colour;
    scene.bodies[index].colour = painted;
    let turned = painted.hue_degrees() - before.hue_degrees();
    let away = (turned + 540.0).rem_euclid(360.0) - 180.0;
    match painted == before {
        true => println!("{body}.colour = {colour}: as in training"),
        false => println!(
            "{body}.colour = {colour}: {:.0} degrees of hue from training",
            away.abs()
        ),
    }
    let departure = match painted == before {
        true => Json::Null,
        false => {
            json!({ "target": format!("{body}.colour"), "value": colour, "hue_degrees": away.abs() })
        }
    };
    Ok((json!(colour), departure))
}
