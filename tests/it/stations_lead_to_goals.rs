//! A planner that goes from one structured moment to the next aims at them in turn, ends at the goal, and
//! says what does not fit.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use parallax::camera::Eye;
use parallax::model::facets::Station;
use parallax::model::jepa::{GoalCost, Keyframes, LewmConfig, LewmModel, MODES};
use parallax::model::nn::Params;
use parallax::model::{
    Camp, Cancel, Card, Context, Frame, Goal, Metric, Sampling, WorldModel, registry,
};
use parallax::planner::{Budget, Plan, Planner, Problem, Stations};
use parallax::scene::models_dir;
use parallax::sim::Reality;

use crate::support::scene;

const WIDTH: usize = 16;
const BUDGET: Budget = Budget {
    candidates: 12,
    iterations: 2,
    horizon: 4,
    hold: 5,
    milliseconds: None,
};

/// A LeWM as it is drawn, with a head of keyframes or without.
fn drawn(with_head: bool) -> LewmModel {
    let params = Params::fresh(7, &Device::Cpu);
    if with_head {
        Keyframes::new(WIDTH, 1, &params).unwrap();
    }
    let config = LewmConfig {
        latent_dim: WIDTH,
        encoder_channels: [8, 8, 8],
        encoder_hidden: 16,
        predictor_width: 32,
        cost: GoalCost::Plain,
        ..LewmConfig::default()
    };
    let card = Card::untrained("drawn", Camp::Jepa, "lewm");
    LewmModel::from_params(card, &config, &params, None).unwrap()
}

/// Two pictures of `push` at tuning seeds.
fn pictures() -> (Context, Goal) {
    let scene = scene("push");
    let eye = Eye::standard(&scene).unwrap();
    let frame = |seed| {
        let reality = Reality::new(&scene, seed).unwrap();
        Frame::new(eye.size(), eye.look(&reality).rgb)
    };
    let goal = frame(900_007);
    (
        Context::one(frame(900_003)),
        Goal::new(goal.size, goal.data),
    )
}

fn planned(
    planner: &Stations,
    model: &dyn WorldModel,
    warm: Option<&Plan>,
) -> Result<Plan, String> {
    let (context, goal) = pictures();
    let latent = model.observe(&context).unwrap();
    let problem = Problem {
        model,
        latent: &latent,
        goal: &goal,
        metric: &Metric::Own,
        sampling: Sampling::default(),
        dim: 2,
        budget: &BUDGET,
        warm,
        seed: 3,
        cancel: &Cancel::new(),
    };
    planner.plan(&problem).map_err(|e| e.to_string())
}

#[test]
fn stations_end_in_the_goal_and_are_part_of_the_plan() {
    for name in ["lewm-push", "lewm-gather"] {
        let model = registry::load_named(&models_dir(), name, &Device::Cpu).unwrap();
        assert!(model.card().keyframes.is_some(), "{name}");
        let plan = planned(&Stations::default(), model.as_ref(), None).unwrap();
        let (goal, before) = plan.stations.split_last().unwrap();
        assert!(goal.is_goal && before.iter().all(|s| !s.is_goal), "{name}");
        assert!(before.len() <= Stations::default().ahead, "{name}");
        let times: Vec<f32> = plan.stations.iter().map(|s| s.steps).collect();
        assert!(times[0] > 0.0 && times.is_sorted(), "{name}: {times:?}");
        for station in &plan.stations {
            assert_eq!(station.latent.len(), goal.latent.len(), "{name}");
            let places = station.places.as_ref().expect("the model has probes");
            assert_eq!(places.poses.len(), places.bodies.len(), "{name}");
            let hand = places.bodies.iter().position(|b| b == "hand").unwrap();
            assert!(
                places.poses[hand][..2].iter().all(|x| x.abs() < 1.0),
                "{name}"
            );
        }
        assert!(!plan.actions.is_empty() && plan.actions.len() <= BUDGET.steps());
    }
}

#[test]
fn proposals_come_with_probabilities_and_times() {
    let model = drawn(true);
    let (context, goal) = pictures();
    let head = model.facets().stations.unwrap();
    let latent = model.observe(&context).unwrap();
    let found = head.next(&latent, &goal).unwrap();
    assert_eq!(found.len(), MODES);
    let all: f32 = found.iter().map(|s| s.probability).sum();
    assert!((all - 1.0).abs() < 1e-5, "{all}");
    assert!(found.is_sorted_by(|a, b| a.probability >= b.probability));
    assert!(found.iter().all(|s| s.steps >= 1.0));
    assert_eq!(found, head.next(&latent, &goal).unwrap());
}

#[test]
fn a_station_is_kept_until_it_is_reached_or_its_time_is_up() {
    let model = drawn(true);
    let patient = Stations {
        near: 0.0,
        ..Stations::default()
    };
    let mut first = planned(&patient, &model, None).unwrap();
    first.stations[0].steps = 7.0;
    let begun = first.stations[0].latent.clone();
    // Another latent than the head proposes here tells a station that was kept from one that is new.
    first.stations[0].latent[0] += 5.0;
    let kept = planned(&patient, &model, Some(&first.clone().shifted(5, 5))).unwrap();
    assert_eq!(kept.stations[0].latent, first.stations[0].latent);
    assert_eq!(kept.stations[0].steps, 2.0);
    let late = planned(&patient, &model, Some(&first.clone().shifted(7, 5))).unwrap();
    assert_eq!(late.stations[0].latent, begun, "its time is up");
    let content = Stations {
        near: f32::MAX,
        ..Stations::default()
    };
    let reached = planned(&content, &model, Some(&first.shifted(5, 5))).unwrap();
    assert_eq!(reached.stations[0].latent, begun, "it counts as reached");
}

#[test]
fn another_size_of_latent_is_refused_with_both_sizes() {
    let params = Params::fresh(7, &Device::Cpu);
    let head = Keyframes::new(WIDTH, 1, &params).unwrap();
    let row = |n: usize| Tensor::zeros((1, n), DType::F32, &Device::Cpu).unwrap();
    for (z, goal, what) in [(15, WIDTH, "latents"), (WIDTH, 3, "goal")] {
        let error = head.propose(&row(z), &row(goal)).unwrap_err().to_string();
        let found = z.min(goal).to_string();
        assert!(
            error.contains(what) && error.contains(&found) && error.contains("16"),
            "{error}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keyframes.safetensors");
    params.save(&path, DType::F32).unwrap();
    let read = Params::load(&path, &Device::Cpu).unwrap();
    let error = Keyframes::new(24, 1, &read).err().unwrap().to_string();
    assert!(
        error.contains("[16, 16]") && error.contains("[24, 24]") && error.contains("another model"),
        "{error}"
    );
    let model = drawn(true);
    let (context, goal) = pictures();
    let known = model.facets().stations.unwrap();
    let latent = model.observe(&context).unwrap();
    let error = known
        .next(&latent, &goal.at(vec![0.0; 3]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("3 numbers") && error.contains("16"),
        "{error}"
    );
    let short = Station {
        latent: vec![0.0; 5],
        ..Station::default()
    };
    let error = known.arrived(&short).err().unwrap().to_string();
    assert!(
        error.contains("station") && error.contains("5 numbers"),
        "{error}"
    );
}

#[test]
fn a_model_without_keyframes_refuses_to_go_by_stations() {
    let error = planned(&Stations::default(), &drawn(false), None).unwrap_err();
    assert!(
        error.contains("drawn") && error.contains("keyframes"),
        "{error}"
    );
}

#[test]
fn keyframes_of_another_card_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let from = models_dir().join("lewm-push");
    for file in std::fs::read_dir(&from).unwrap().flatten() {
        if file.path().is_file() {
            std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
    }
    let path = dir.path().join("keyframes.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = load(dir.path());
    assert!(
        error.contains("keyframes.safetensors") && error.contains("sha256"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(load(dir.path()).contains("keyframes.safetensors"));
}

fn load(dir: &Path) -> String {
    registry::load(dir, &Device::Cpu)
        .err()
        .map_or_else(String::new, |e| e.to_string())
}
