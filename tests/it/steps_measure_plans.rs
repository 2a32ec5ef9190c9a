//! A planner measures plans by the steps that they still need where a model learned them, and says so
//! where it did not.

use std::collections::HashMap;
use std::path::Path;

use assert_cmd::Command;
use candle_core::{DType, Device, Tensor, Var};
use parallax::camera::Eye;
use parallax::model::jepa::{GoalCost, LewmConfig, LewmModel, Temporal};
use parallax::model::nn::Params;
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Frame, Goal, Metric, Sampling, WorldModel, registry,
};
use parallax::scene::models_dir;
use parallax::sim::Reality;

use crate::support::scene;

const WIDTH: usize = 16;

fn refusal(line: &str) -> String {
    let output = Command::cargo_bin("parallax")
        .unwrap()
        .args(line.split_whitespace())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "{line}");
    String::from_utf8(output.stderr).unwrap()
}

/// A LeWM as it is drawn, with a distance in steps or without.
fn drawn(with_steps: bool) -> LewmModel {
    let params = Params::fresh(7, &Device::Cpu);
    if with_steps {
        Temporal::new(WIDTH, &params).unwrap();
    }
    of(&params)
}

fn of(params: &Params) -> LewmModel {
    let config = LewmConfig {
        latent_dim: WIDTH,
        encoder_channels: [8, 8, 8],
        encoder_hidden: 16,
        predictor_width: 32,
        cost: GoalCost::Plain,
        ..LewmConfig::default()
    };
    let card = Card::untrained("drawn", Camp::Jepa, "lewm");
    LewmModel::from_params(card, &config, params, None).unwrap()
}

/// Distances of two plans of two imagined steps, `[2, 2]`, and what a gradient search sees of them.
fn measured(model: &LewmModel, metric: &Metric) -> Result<(Vec<f32>, Vec<f32>), String> {
    let scene = scene("push");
    let eye = Eye::standard(&scene).unwrap();
    let frame = |seed| {
        let reality = Reality::new(&scene, seed).unwrap();
        Frame::new(eye.size(), eye.look(&reality).rgb)
    };
    let goal = frame(900_007);
    let goal = Goal::new(goal.size, goal.data);
    let latent = model.observe(&Context::one(frame(900_003))).unwrap();
    let actions = Actions {
        n: 2,
        steps: 10,
        dim: 2,
        data: (0..40).map(|i| (i as f32 / 20.0) - 1.0).collect(),
    };
    let cancel = Cancel::new();
    let plans = model.facets().plans.unwrap();
    let imagined = model.imagine(&latent, &actions, Sampling::default(), &cancel);
    let distances = plans.distance(&imagined.unwrap(), &goal, metric);
    let weights = [0.5, 0.5];
    let slope = plans.gradient(&latent, &actions, &goal, metric, &weights, &cancel);
    match (distances, slope) {
        (Ok(distances), Ok(slope)) => Ok((distances, slope.unwrap().by_action)),
        (Err(error), Err(_)) => Err(error.to_string()),
        _ => panic!("one is refused and the other is not"),
    }
}

#[test]
fn steps_are_positive_finite_and_not_the_models_own_distance() {
    let model = drawn(true);
    let (steps, slope) = measured(&model, &Metric::Temporal).unwrap();
    let (own, _) = measured(&model, &Metric::Own).unwrap();
    assert_eq!(steps.len(), 4);
    assert!(steps.iter().all(|s| s.is_finite() && *s > 0.0), "{steps:?}");
    assert_ne!(steps, own);
    // As it is drawn, the predictor does not look at actions yet.
    assert!(
        slope.iter().all(|s| s.is_finite()) && slope.len() == 40,
        "{slope:?}"
    );
    let plans = model.facets().plans.unwrap();
    assert!(plans.measuring_flops(&Metric::Temporal) > plans.measuring_flops(&Metric::Own));
}

#[test]
fn the_own_distance_counts_beside_the_steps_as_much_as_the_file_says() {
    let params = Params::fresh(7, &Device::Cpu);
    Temporal::new(WIDTH, &params).unwrap();
    of(&params);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("all.safetensors");
    params.save(&path, DType::F32).unwrap();
    let with = |own: f32| {
        let mut tensors: HashMap<String, Tensor> =
            candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
        let own = Tensor::from_slice(&[own], 1, &Device::Cpu).unwrap();
        assert!(tensors.insert("temporal.own".into(), own).is_some());
        let changed = dir.path().join("changed.safetensors");
        candle_core::safetensors::save(&tensors, &changed).unwrap();
        of(&Params::load(&changed, &Device::Cpu).unwrap())
    };
    let (steps, _) = measured(&with(0.0), &Metric::Temporal).unwrap();
    let (mixed, _) = measured(&with(2.0), &Metric::Temporal).unwrap();
    let (own, _) = measured(&with(2.0), &Metric::Own).unwrap();
    for ((steps, mixed), own) in steps.iter().zip(&mixed).zip(&own) {
        let expected = steps + 2.0 * own;
        assert!(
            (mixed - expected).abs() < 1e-3 * expected.abs(),
            "{mixed} {expected}"
        );
    }
}

#[test]
fn the_mean_of_the_members_is_the_distance() {
    let params = Params::fresh(7, &Device::Cpu);
    let head = Temporal::new(WIDTH, &params).unwrap();
    let z = Tensor::arange(0f32, 48.0, &Device::Cpu).unwrap() / 48.0;
    let z = z.unwrap().reshape((3, WIDTH)).unwrap();
    let goal = Tensor::ones((1, WIDTH), DType::F32, &Device::Cpu).unwrap();
    let said = head.forward(&z, &goal).unwrap();
    assert!(said.len() > 1);
    let rows: Vec<Vec<f32>> = said
        .iter()
        .map(|s| s.flatten_all().unwrap().to_vec1().unwrap())
        .collect();
    let found: Vec<f32> = head.distance(&z, &goal).unwrap().to_vec1().unwrap();
    for (n, found) in found.iter().enumerate() {
        let mean = rows.iter().map(|r| r[n].exp()).sum::<f32>() / rows.len() as f32;
        assert!((found - mean).abs() < 1e-4 * mean, "{found} {mean}");
    }
    // A search along the gradient sees where it falls.
    let z = Var::from_tensor(&z).unwrap();
    let total = head.distance(&z, &goal).unwrap().sum_all().unwrap();
    let slope = total.backward().unwrap();
    let slope: Vec<f32> = slope
        .get(&z)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert!(slope.iter().any(|s| s.abs() > 1e-6), "{slope:?}");
}

#[test]
fn a_distance_learned_on_other_latents_is_refused_with_both_sizes() {
    let params = Params::fresh(7, &Device::Cpu);
    let head = Temporal::new(WIDTH, &params).unwrap();
    let row = |n: usize| Tensor::zeros((1, n), DType::F32, &Device::Cpu).unwrap();
    for (z, goal, what) in [(15, WIDTH, "latents"), (WIDTH, 3, "goal")] {
        let error = head.distance(&row(z), &row(goal)).unwrap_err().to_string();
        let found = z.min(goal).to_string();
        assert!(
            error.contains(what) && error.contains(&found) && error.contains("16"),
            "{error}"
        );
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("distance.safetensors");
    params.save(&path, DType::F32).unwrap();
    let read = Params::load(&path, &Device::Cpu).unwrap();
    assert!(Temporal::new(WIDTH, &read).is_ok());
    let read = Params::load(&path, &Device::Cpu).unwrap();
    let error = Temporal::new(24, &read).err().unwrap().to_string();
    assert!(
        error.contains("[16, 16]") && error.contains("[24, 24]") && error.contains("another model"),
        "{error}"
    );
}

#[test]
fn a_model_that_learned_no_steps_refuses_to_plan_by_them() {
    let error = measured(&drawn(false), &Metric::Temporal).unwrap_err();
    assert!(
        error.contains("drawn") && error.contains("temporal") && error.contains("latents"),
        "{error}"
    );
    let line = "--episodes 1 --no-references --distance temporal";
    let error = refusal(&format!(
        "eval control --scene push --model lewm-push {line}"
    ));
    assert!(
        error.contains("lewm-push") && error.contains("distance.safetensors"),
        "{error}"
    );
    let error = refusal(&format!(
        "eval control --scene push --model diffusion {line}"
    ));
    assert!(
        error.contains("diffusion") && error.contains("imagines pixels"),
        "{error}"
    );
}

#[test]
fn a_distance_that_the_card_does_not_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let from = models_dir().join("lewm-push");
    for file in std::fs::read_dir(&from).unwrap().flatten() {
        if file.path().is_file() {
            std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
    }
    let load = |dir: &Path| match registry::load(dir, &Device::Cpu) {
        Ok(model) => Ok(model),
        Err(error) => Err(error.to_string()),
    };
    assert!(load(dir.path()).is_ok());
    let path = dir.path().join("distance.safetensors");
    let params = Params::fresh(7, &Device::Cpu);
    Temporal::new(64, &params).unwrap();
    params.save(&path, DType::F16).unwrap();
    let error = load(dir.path()).err().unwrap();
    assert!(
        error.contains("distance.safetensors") && error.contains("sha256"),
        "{error}"
    );
}
