//! `parallax eval control`: a controller, its floors and its ceiling in one table and one JSON object.

mod args;

use std::sync::Arc;

use anyhow::Result;
use serde_json::{Map, Value, json};

pub use args::ControlArgs;
use args::Goals;

use super::used::{self, Actor};
use super::{EvalArgs, bar, head, model_name, note_world, scene_of};
use crate::camera::Eye;
use crate::eval::control::{self, ControlResult, Regret};
use crate::eval::stats::Rate;
use crate::model::oracle::CONSTANT_VELOCITY;
use crate::model::{Cost, Metric, Sampling, architecture, registry};
use crate::planner::{Budget, Mpc, OracleMpc, Pilot, Random, Reflex};
use crate::scene::{Colour, GoalSampler, Scene, models_dir};

/// The word for it in JSON: `experience` or `task`.
fn goal_kind(scene: &Scene, goals: Option<Goals>) -> &'static str {
    let usual = scene.task.as_ref().map(|t| &t.goal);
    match goals {
        Some(Goals::Task) => "task",
        None | Some(Goals::Scene) if !matches!(usual, Some(GoalSampler::Experience { .. })) => {
            "task"
        }
        _ => "experience",
    }
}

/// Runs the controller and, unless told otherwise, its references on the same seeds.
pub fn evaluate(args: &EvalArgs) -> Result<Value> {
    let scene = scene_of(args)?;
    let name = model_name(args)?;
    let mut out = head("control", args, &scene.name, name);
    note_world(&mut out, &scene);
    let kind = goal_kind(&scene, args.control.goals);
    out.insert("goals".into(), json!(kind));
    if !args.control.sweep.is_empty() {
        let points = sweep(args, &scene, name, &mut out)?;
        out.insert("sweep".into(), Value::Object(points));
        return Ok(Value::Object(out));
    }
    let mut controller = contestant(args, &scene, name, &mut out)?;
    // The references, too, are loaded before anything is measured.
    let mut trained = Vec::new();
    if !args.control.no_references {
        for (key, folder) in baselines(&scene).into_iter().filter(|(_, f)| f != name) {
            let baseline = contestant(args, &scene, &folder, &mut Map::new())?;
            trained.push((key, folder, baseline));
        }
    }
    let result = run(&scene, args, name, &mut controller.each)?;
    if let Some(cost) = controller.cost {
        let flops = decision_flops(&cost, result.decision_model_steps.unwrap_or(0.0));
        out.insert("decision_flops".into(), json!(flops));
        println!("{:<18} {flops:.2e} FLOPs a decision", "");
    }
    if !args.control.no_references {
        let mut floors = Map::new();
        let random = {
            let mut random = Pilot::Sighted(Box::new(Random::new(args.seed)));
            run(&scene, args, "random", &mut random)?
        };
        floors.insert("random".into(), json!(random.success));
        for (key, folder, mut baseline) in trained {
            let found = run(&scene, args, &folder, &mut baseline.each)?;
            floors.insert(key.into(), json!(found.success));
        }
        let budget = Budget::oracle(&scene);
        let still = OracleMpc::without_contacts(&scene, budget, Budget::ORACLE.hold);
        let mut still = Pilot::Informed(Box::new(still));
        let still = run(&scene, args, CONSTANT_VELOCITY, &mut still)?;
        floors.insert("constant_velocity".into(), json!(still.success));
        out.insert("floors".into(), Value::Object(floors));
        let ceiling = OracleMpc::new(&scene, budget, Budget::ORACLE.hold);
        let mut ceiling = Pilot::Informed(Box::new(ceiling));
        let ceiling = run(&scene, args, "oracle", &mut ceiling)?;
        out.insert("ceilings".into(), json!({ "oracle": ceiling.success }));
        let regret = Regret::of(&result, &ceiling);
        if let (Some(steps), Some(metres)) = (regret.steps, regret.final_distance_m) {
            println!(
                "{name} takes {:.1} steps more than the oracle [{:.1}, {:.1}] and ends {:.3} m farther away [{:.3}, {:.3}]",
                steps.mean, steps.low, steps.high, metres.mean, metres.low, metres.high
            );
        }
        out.insert("regret".into(), json!(regret));
    }
    if let Value::Object(numbers) = json!(result) {
        out.extend(numbers);
    }
    Ok(Value::Object(out))
}

/// A value of a swept field: its name, the value and its departure from training as JSON, and the scene that
/// bears it.
type Point = (String, Value, Value, Arc<Scene>);

/// Every value of every swept field, checked before any is measured.
fn points(args: &EvalArgs, scene: &Arc<Scene>) -> Result<Vec<Point>> {
    let mut found = Vec::new();
    for text in &args.control.sweep {
        let Some((field, values)) = text.split_once('=') else {
            let message =
                format!("--sweep {text}: expected FIELD=A,B,.., such as cube.mass=0.1,0.3,1");
            return Err(super::super::wrong_use(message));
        };
        for value in values.split(',') {
            let mut changed = Scene::clone(scene);
            let assignment = format!("{}={}", field.trim(), value.trim());
            let (shown, departure) = match field.trim().strip_suffix(".colour") {
                Some(body) => repaint(&mut changed, body, value.trim())?,
                None => {
                    changed
                        .intervene(&assignment)
                        .map_err(super::super::wrong_use)?;
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
            found.push((
                field.trim().to_string(),
                shown,
                departure,
                Arc::new(changed),
            ));
        }
    }
    Ok(found)
}

/// Success at every value of every swept field, one field at a time.
fn sweep(
    args: &EvalArgs,
    scene: &Arc<Scene>,
    name: &str,
    out: &mut Map<String, Value>,
) -> Result<Map<String, Value>> {
    let mut fields: Map<String, Value> = Map::new();
    for (field, shown, departure, changed) in points(args, scene)? {
        let mut controller = contestant(args, &changed, name, out)?;
        println!("{field} = {shown}");
        let found = run(&changed, args, name, &mut controller.each)?;
        let mut point = json!({
            "value": shown, "departure": departure, "episodes": found.episodes,
            "success": found.success,
        });
        if !args.control.no_references {
            let budget = Budget::oracle(&changed);
            let ceiling = OracleMpc::new(&changed, budget, Budget::ORACLE.hold);
            let mut ceiling = Pilot::Informed(Box::new(ceiling));
            point["oracle"] = json!(run(&changed, args, "oracle", &mut ceiling)?.success);
        }
        match fields.get_mut(&field).and_then(Value::as_array_mut) {
            Some(points) => points.push(point),
            None => drop(fields.insert(field, json!([point]))),
        }
    }
    Ok(fields)
}

/// Gives a body another colour of the palette; returns its name and how far its hue is from the one in training, degrees.
fn repaint(scene: &mut Scene, body: &str, colour: &str) -> Result<(Value, Value)> {
    let wrong = |message: String| super::super::wrong_use(message);
    let index = scene.body_index(body).ok_or_else(|| {
        wrong(format!(
            "--sweep {body}.colour: scene `{}` has no such body",
            scene.name
        ))
    })?;
    let painted: Colour = ron::from_str(colour).map_err(|_| {
        wrong(format!(
            "--sweep {body}.colour={colour}: expected colours of the palette, such as Orange, SkyBlue, Green, Yellow, Blue, Vermillion, Purple"
        ))
    })?;
    let before = scene.bodies[index].colour;
    scene.bodies[index].colour = painted;
    let turned = hue_degrees(painted.rgb()) - hue_degrees(before.rgb());
    let away = (turned + 540.0).rem_euclid(360.0) - 180.0;
    match painted == before {
        true => println!("{body}.colour = {colour}: as in training"),
        false => println!(
            "{body}.colour = {colour}: {:.0} degrees of hue from training",
            away.abs()
        ),
    }
    let departure = match painted == before {
        true => Value::Null,
        false => {
            json!({ "target": format!("{body}.colour"), "value": colour, "hue_degrees": away.abs() })
        }
    };
    Ok((json!(colour), departure))
}

/// Hue of an sRGB colour, degrees.
fn hue_degrees([r, g, b]: [u8; 3]) -> f32 {
    let [r, g, b] = [r, g, b].map(f32::from);
    libm::atan2f(3f32.sqrt() * (g - b), 2.0 * r - g - b).to_degrees()
}

/// What runs, and what a decision of it costs where that is known.
struct Contestant {
    each: Pilot,
    cost: Option<Cost>,
}

/// The controller of a name; how it plans is written into `out`.
fn contestant(
    args: &EvalArgs,
    scene: &Arc<Scene>,
    name: &str,
    out: &mut Map<String, Value>,
) -> Result<Contestant> {
    let mut note = |key: &str, value: Value| out.insert(key.into(), value);
    let unmodelled = |each: Pilot| Contestant { each, cost: None };
    note("planner", json!("none"));
    // Floors and ceilings have their own settings; what was asked for is for the controller that was asked
    // for.
    let look = |actor: Actor| match args.model.as_deref() == Some(name) {
        true => used::by(args, name, actor),
        false => Ok(()),
    };
    match name {
        "random" => look(Actor::Reflex)?,
        "oracle" | CONSTANT_VELOCITY => look(Actor::Oracle)?,
        _ => {}
    }
    match name {
        "random" => return Ok(unmodelled(Pilot::Sighted(Box::new(Random::new(args.seed))))),
        "oracle" | CONSTANT_VELOCITY => {
            let budget = args.control.within(Budget::oracle(scene));
            let replan = args.control.replan.unwrap_or(Budget::ORACLE.hold);
            note("planner", json!(OracleMpc::search(scene).id()));
            note("budget", json!(budget));
            note("replan_steps", json!(replan));
            let each = match name {
                "oracle" => OracleMpc::new(scene, budget, replan),
                _ => OracleMpc::without_contacts(scene, budget, replan),
            };
            return Ok(unmodelled(Pilot::Informed(Box::new(each))));
        }
        _ => {}
    }
    let dir = registry::find(&models_dir(), name)?;
    let model = match registry::load_any(&dir, &crate::cli::device::pick(&args.device)?)? {
        registry::Trained::Policy(policy) => {
            look(Actor::Reflex)?;
            note("model_sha256", json!(policy.card().sha256));
            // It encodes what it sees and the goal with the same network, like a planner.
            return Ok(Contestant {
                cost: Some(policy.cost()),
                each: Pilot::Sighted(Box::new(Reflex::new(policy))),
            });
        }
        registry::Trained::Distance(_) => {
            let message = format!("--model {name}: is a distance, and neither acts nor imagines");
            return Err(super::super::wrong_use(message));
        }
        registry::Trained::World(model) => model,
    };
    let pixels = model.facets().pixels.is_some();
    look(Actor::Model { pixels })?;
    if let Some(nfe) = args.nfe {
        used::refuse_other_nfe(model.as_ref(), usize::from(nfe))?;
    }
    let chosen = args.control.planner();
    let budget = args.control.budget(model.as_ref());
    let replan = args.control.replan.unwrap_or(Budget::REPLAN);
    note("planner", json!(chosen.id()));
    note("budget", json!(budget));
    note("replan_steps", json!(replan));
    note("warm_start", json!(!args.control.cold));
    if let Some(proposals) = args.control.proposals {
        note("proposals", json!(proposals));
    }
    note("model_sha256", json!(model.card().sha256));
    let sampling = Sampling::nfe(usize::from(args.nfe.unwrap_or(1)));
    let mut cost = model.cost(sampling);
    let mut metric = Metric::Own;
    if pixels {
        note("nfe", json!(model.nfe(sampling)));
        let distance = metric_of(args)?;
        note("distance", json!(distance.id()));
        if let Metric::Learned(learned) = &distance {
            cost.rendering_flops += learned.flops();
        }
        metric = distance;
    }
    let cost = Some(cost);
    let mpc = Mpc::new(model, chosen, budget, replan)
        .minimising(metric)
        .sampling(sampling);
    let mpc = if args.control.cold { mpc.cold() } else { mpc };
    Ok(Contestant {
        each: Pilot::Sighted(Box::new(mpc)),
        cost,
    })
}

/// The distance that was asked for.
fn metric_of(args: &EvalArgs) -> Result<Metric> {
    Ok(
        match args.control.distance.as_deref().unwrap_or("colours") {
            "colours" => Metric::Colours,
            "pixels" => Metric::Pixels,
            "latents" => Metric::Latents,
            name => {
                let dir = registry::find(&models_dir(), name)?;
                match registry::load_any(&dir, &crate::cli::device::pick(&args.device)?)? {
                    registry::Trained::Distance(learned) => Metric::Learned(learned),
                    _ => {
                        let message = format!(
                            "--distance {name}: is no learned distance; expected colours, pixels, latents or the folder of one"
                        );
                        return Err(super::super::wrong_use(message));
                    }
                }
            }
        },
    )
}

/// Trained floors of a scene: their word in JSON and their folder in `models/baselines`.
fn baselines(scene: &Scene) -> Vec<(&'static str, String)> {
    registry::scan(&registry::baselines(&models_dir()))
        .into_iter()
        .filter_map(|entry| {
            let card = entry.card.ok()?;
            let key = architecture::of(&card)?.control_floor?;
            card.scenes
                .contains(&scene.name)
                .then_some((key, entry.name))
        })
        .collect()
}

/// One row of the table.
fn run(
    scene: &Arc<Scene>,
    args: &EvalArgs,
    name: &str,
    pilot: &mut Pilot,
) -> Result<ControlResult> {
    let eye = Eye::standard(scene)?;
    let bar = bar(args.episodes(), name);
    let mut successes = 0;
    let seeds = args.seed..args.seed + args.episodes();
    let goals = args.control.goals.unwrap_or(Goals::Scene).into();
    let result = control::run(scene, &eye, pilot, seeds, goals, |e| {
        successes += usize::from(e.success);
        bar.set_message(format!("{successes} reached"));
        bar.inc(1);
    })?;
    bar.finish_and_clear();
    let number = |v: Option<f64>, digits: usize| v.map_or("-".into(), |v| format!("{v:.digits$}"));
    println!(
        "{name:<18} success {}  of {}  ({} solved at start)  {} steps to success  {} ms a decision",
        Rate::percent(result.success),
        result.episodes,
        result.excluded_solved_at_start,
        number(result.steps_to_success.map(|s| s.median), 0),
        number(result.decision_ms.map(|l| l.median), 1)
    );
    if let Some(why) = &result.not_measured {
        eprintln!("{name}: success is not measured: {why}");
    }
    Ok(result)
}

/// Floating-point operations of one decision: encode the observation and the goal, then imagine.
fn decision_flops(cost: &Cost, model_steps: f64) -> f64 {
    2.0 * cost.encode_flops + model_steps * (cost.dynamics_flops + cost.rendering_flops)
}
