//! Who can take part, and how each plans: as `eval control` has measured it, where it has, and else as it
//! would.

use std::path::Path;
use std::sync::Arc;

use crate::app::pane::{Pane, PaneStatus, camp_word};
use crate::eval::contest::{Contestant, Planning, trained_floors};
use crate::eval::why::Suspect;
use crate::model::architecture::Trained;
use crate::model::oracle::CONSTANT_VELOCITY;
use crate::model::{Camp, Device, Metric, Sampling, WorldModel, registry};
use crate::planner::{Adam, Budget, Cem, CostShape, Icem, Mppi, Planner};
use crate::report::stored::Stored;
use crate::scene::Scene;
use crate::worker::Maker;

/// Somebody who can take part.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrant {
    /// As evaluation names it.
    pub name: String,
    /// What it is, in a word or two.
    pub kind: String,
    /// Its camp, if it is a world model.
    pub camp: Option<Camp>,
    /// What it does, in a sentence.
    pub about: String,
    /// Why it cannot take part, if so.
    pub problem: Option<String>,
    /// Whether why it loses can be found out: it plans with a model that may be wrong.
    pub is_explained: bool,
}

/// Everybody who can take part in a scene: models, references, and what was cloned.
pub fn entrants(panes: &[Pane], models: &Path, scene: &Scene) -> Vec<Entrant> {
    let mut own: Vec<&Pane> = (panes.iter())
        .filter(|p| p.card.is_some() && p.is_for(&scene.name) && !p.twin && p.same_as.is_none())
        .collect();
    own.sort_by_key(|p| {
        (
            p.has_pixels(),
            p.card.as_ref().map_or(0, |c| c.scenes.len()),
        )
    });
    let model = |p: &Pane| Entrant {
        name: p.name.clone(),
        kind: p.camp().map_or("Model", camp_word).into(),
        camp: p.camp(),
        about: p.card.as_ref().map_or(String::new(), |c| c.summary.clone()),
        problem: match &p.status {
            PaneStatus::Ready => None,
            PaneStatus::Loading => Some("Still loading".into()),
            PaneStatus::Failed(e) => Some(e.clone()),
        },
        is_explained: true,
    };
    let reference = |name: &str, kind: &str, about: &str| Entrant {
        name: name.into(),
        kind: kind.into(),
        camp: None,
        about: about.into(),
        problem: None,
        is_explained: false,
    };
    let mut all: Vec<Entrant> = own.into_iter().map(model).collect();
    all.push(reference(
        "oracle",
        "Expert",
        "It knows the true state and searches in forks of reality: the best that can be hoped for",
    ));
    all.push(reference(
        "random",
        "Chance",
        "Random actions: what happens by itself",
    ));
    all.push(reference(
        CONSTANT_VELOCITY,
        "Without contacts",
        "It knows the true state, and foresees a world in which nothing touches",
    ));
    for (_, folder) in trained_floors(models, &scene.name) {
        if folder.starts_with("clone") {
            let about = "It imitates recorded behaviour and imagines nothing";
            all.push(reference(&folder, "Imitation", about));
        }
    }
    all
}

/// Who races if nobody chose: a JEPA, a video model, the expert and chance.
pub fn usual(entrants: &[Entrant]) -> Vec<String> {
    let first = |camp: Camp| entrants.iter().find(|e| e.camp == Some(camp));
    let models = [first(Camp::Jepa), first(Camp::Generative)];
    let models = models.into_iter().flatten().map(|e| e.name.clone());
    models.chain(["oracle".into(), "random".into()]).collect()
}

/// How a model plans in a scene.
///
/// # Errors
/// In words: the result that says so cannot be read, or says something that cannot be done here.
pub fn suspect(
    models: &Path,
    name: &str,
    scene: &Scene,
    model: Arc<dyn WorldModel>,
) -> Result<(Suspect, Planning), String> {
    let file = models.join(name).join("eval");
    let file = file.join(format!("control-{}.json", scene.name));
    let stored = Stored::load(&file).map_err(|e| e.to_string())?;
    let at = |field: &str| stored.as_ref().and_then(|s| s.at(field)).cloned();
    let wrong = |field: &str, found: &dyn std::fmt::Display, expected: &str| {
        let file = file.display();
        format!("{file}: {field}: found {found}, expected {expected}; measure it again")
    };
    let number = |field: &str| -> Result<Option<usize>, String> {
        let Some(value) = at(field) else {
            return Ok(None);
        };
        let whole = value.as_u64().and_then(|v| usize::try_from(v).ok());
        let whole = whole.filter(|v| *v <= 100_000);
        whole
            .map(Some)
            .ok_or_else(|| wrong(field, &value, "a whole number"))
    };
    let proposals = number("proposals")?;
    let budget = match at("budget") {
        None => Budget::for_model(model.as_ref()),
        Some(value) => serde_json::from_value(value.clone())
            .map_err(|e| wrong("budget", &e, "candidates, iterations, horizon and hold"))?,
    };
    let searches = at("planner").and_then(|p| p.as_str().map(str::to_string));
    let searches = searches.unwrap_or_else(|| "cem".into());
    let first = proposals.unwrap_or(0);
    let search: Box<dyn Planner> = match searches.as_str() {
        "cem" => Box::new(Cem {
            proposals: first,
            ..Cem::default()
        }),
        "icem" => Box::new(Icem {
            proposals: first,
            ..Icem::default()
        }),
        "mppi" => Box::new(Mppi::default()),
        "gradient" => Box::new(Adam::default()),
        other => return Err(wrong("planner", &other, "cem, icem, mppi or gradient")),
    };
    let has_pixels = model.facets().pixels.is_some();
    let metric = match at("distance").as_ref().and_then(|d| d.as_str()) {
        _ if !has_pixels => Metric::Own,
        None => Metric::of_pictures(model.card().camp),
        Some("colours") => Metric::Colours,
        Some("pixels") => Metric::Pixels,
        Some("latents") => Metric::Latents,
        Some(other) => {
            return Err(wrong("distance", &other, "colours, pixels or latents"));
        }
    };
    let suspect = Suspect {
        search,
        shape: CostShape::Sum,
        budget,
        replan: number("replan_steps")?.unwrap_or(Budget::REPLAN).max(1),
        metric,
        sampling: Sampling::nfe(number("nfe")?.unwrap_or(1).clamp(1, 100)),
        warm: at("warm_start").and_then(|w| w.as_bool()).unwrap_or(true),
        model,
    };
    let planning = Planning {
        planner: suspect.search.id(),
        budget: Some(suspect.budget),
        replan_steps: Some(suspect.replan),
        warm_start: Some(suspect.warm),
        proposals,
        nfe: suspect.model.nfe(suspect.sampling),
        distance: has_pixels.then(|| suspect.metric.id().to_string()),
        keyframes_sha256: None,
        distance_sha256: None,
    };
    Ok((suspect, planning))
}

/// What makes the contestant of that name, on its own thread; `model` is there where it is a world model.
pub fn maker(models: &Path, name: &str, model: Option<Arc<dyn WorldModel>>) -> Maker {
    let (models, name) = (models.to_path_buf(), name.to_string());
    Box::new(move |scene| {
        if let Some(model) = model {
            let (plans, planning) = suspect(&models, &name, scene, model)?;
            return Ok(Contestant::planning(&name, plans, planning));
        }
        match name.as_str() {
            "random" => return Ok(Contestant::random(&name, crate::sim::HELD_OUT_SEED)),
            "oracle" | CONSTANT_VELOCITY => {
                let (budget, replan) = (Budget::oracle(scene), Budget::ORACLE.hold);
                return Ok(Contestant::oracle(&name, scene, budget, replan));
            }
            _ => {}
        }
        let dir = registry::find(&models, &name).map_err(|e| e.to_string())?;
        match registry::load_any(&dir, &Device::Cpu).map_err(|e| e.to_string())? {
            Trained::Policy(policy) => Ok(Contestant::policy(&name, policy)),
            Trained::World(_) | Trained::Distance(_) => Err(format!(
                "{name}: is not loaded as a controller; pick another"
            )),
        }
    })
}
