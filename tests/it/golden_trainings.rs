//! What every recipe learns from the same experience in a few steps is what it was: losses, in their sign,
//! weight and what they pull on; batches, in their moments and their order; optimiser and schedule. A
//! recipe that is changed on purpose writes `tests/golden_trainings.json` anew with `PARALLAX_GOLDEN=write
//! cargo test --release golden_trainings`, and the review sees what it did.
//!
//! Figures are compared, not bits: processors round differently.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device};
use parallax::episode::Dataset;
use parallax::model::folder;
use parallax::model::generative::Objective;
use parallax::model::jepa::GoalCost;
use parallax::train::{Architecture, Outcome, TrainConfig, TrainOptions, run_on};
use serde::{Deserialize, Serialize};

use crate::{
    baselines_are_fair, diffusion_learns, latent_diffusion_learns, lewm_trains, vjepa_trains,
};

/// Figures that tell of the machine and not of what is learned.
const OF_THE_MACHINE: [&str; 5] = [
    "minutes",
    "frames_per_s",
    "pairs_per_s",
    "transitions_per_s",
    "sequences_per_s",
];

/// What a training left.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Golden {
    /// Numbers of the learning curve, line by line.
    curve: Vec<BTreeMap<String, f64>>,
    /// For each part of the weights (`encoder`, `predictor`, ...) their length, and their sum under fixed
    /// random signs over the root of their number.
    weights: BTreeMap<String, [f64; 2]>,
}

fn numbers(prefix: &str, value: &serde_json::Value, out: &mut BTreeMap<String, f64>) {
    match value {
        serde_json::Value::Number(n) => {
            out.insert(prefix.to_string(), n.as_f64().unwrap());
        }
        serde_json::Value::Object(fields) => {
            for (key, value) in fields
                .iter()
                .filter(|f| !OF_THE_MACHINE.contains(&f.0.as_str()))
            {
                numbers(&format!("{prefix}{key} "), value, out);
            }
        }
        serde_json::Value::Array(values) => {
            for (i, value) in values.iter().enumerate() {
                numbers(&format!("{prefix}{i} "), value, out);
            }
        }
        _ => {}
    }
}

fn trained(
    config: &TrainConfig,
    data: &Dataset,
    options: impl Fn(&Path) -> TrainOptions,
) -> Golden {
    let dir = tempfile::tempdir().unwrap();
    let outcome = run_on(config, data, &options(dir.path())).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    let mut golden = Golden::default();
    let curve = std::fs::read_to_string(dir.path().join("curve.jsonl")).unwrap();
    for line in curve.lines() {
        let mut found = BTreeMap::new();
        numbers("", &serde_json::from_str(line).unwrap(), &mut found);
        golden.curve.push(found);
    }
    let mut tensors = BTreeMap::new();
    for name in [folder::WEIGHTS, folder::READOUTS] {
        let path = dir.path().join(name);
        if path.is_file() {
            tensors.extend(candle_core::safetensors::load(path, &Device::Cpu).unwrap());
        }
    }
    let mut sums: BTreeMap<String, [f64; 3]> = BTreeMap::new();
    for (name, tensor) in tensors {
        let part = name.split('.').next().unwrap().to_string();
        let values = tensor.to_dtype(DType::F32).unwrap().flatten_all().unwrap();
        let mut state = 0x9E37_79B9_7F4A_7C15u64;
        for v in values.to_vec1::<f32>().unwrap() {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let sign = if state >> 63 == 0 { 1.0 } else { -1.0 };
            let sum = sums.entry(part.clone()).or_default();
            sum[0] += f64::from(v * v);
            sum[1] += sign * f64::from(v);
            sum[2] += 1.0;
        }
    }
    for (part, [squares, signed, n]) in sums {
        golden
            .weights
            .insert(part, [squares.sqrt(), signed / n.sqrt()]);
    }
    golden
}

fn options(out: &Path) -> TrainOptions {
    lewm_trains::options(out)
}

/// Every recipe, at a size that a test can afford.
fn all() -> BTreeMap<&'static str, Golden> {
    let mut all = BTreeMap::new();
    let mut lewm = lewm_trains::config();
    let Architecture::Lewm(recipe) = &mut lewm.architecture else {
        panic!("a LeWM")
    };
    recipe.joint.log_every = 1;
    recipe.predictor.log_every = 1;
    all.insert("lewm", trained(&lewm, lewm_trains::experience(), options));
    let mut vjepa = vjepa_trains::config(GoalCost::Whitened);
    let Architecture::VjepaAc(recipe) = &mut vjepa.architecture else {
        panic!("a V-JEPA")
    };
    recipe.masked.log_every = 1;
    recipe.actions.log_every = 1;
    all.insert(
        "vjepa",
        trained(&vjepa, vjepa_trains::experience(), options),
    );
    let data = baselines_are_fair::experience();
    let mut clone = baselines_are_fair::config(8);
    let Architecture::Cloning(recipe) = &mut clone.architecture else {
        panic!("a clone")
    };
    recipe.log_every = 1;
    let mut distance = recipe.clone();
    all.insert("cloning", trained(&clone, &data, options));
    distance.model.action_dim = 1;
    clone.architecture = Architecture::StepsToGo(distance);
    all.insert("steps_to_go", trained(&clone, &data, options));
    let squares = diffusion_learns::moving_squares(8, 16);
    for (sampled, twin, objective) in [
        ("pixel_diffusion", "latent_diffusion", Objective::Denoise),
        ("pixel_twin", "latent_twin", Objective::Regression),
    ] {
        let mut recipe = diffusion_learns::small_recipe();
        recipe.model.objective = objective;
        let config = diffusion_learns::config(&recipe);
        all.insert(sampled, trained(&config, &squares, options));
        let mut recipe = latent_diffusion_learns::small_recipe(latent_diffusion_learns::small());
        recipe.model.objective = objective;
        let config = latent_diffusion_learns::config(&recipe);
        all.insert(twin, trained(&config, &squares, options));
    }
    all
}

fn apart(found: &Golden, expected: &Golden) -> Vec<String> {
    let mut said = Vec::new();
    if found.curve.len() != expected.curve.len() {
        said.push(format!(
            "{} lines in the curve, expected {}",
            found.curve.len(),
            expected.curve.len()
        ));
    }
    for (i, (f, e)) in found.curve.iter().zip(&expected.curve).enumerate() {
        let keys = |m: &BTreeMap<String, f64>| m.keys().cloned().collect::<Vec<_>>();
        if keys(f) != keys(e) {
            said.push(format!("line {i}: {:?}, expected {:?}", keys(f), keys(e)));
            continue;
        }
        for ((key, f), e) in f.iter().zip(e.values()) {
            if (f - e).abs() > 2e-3 + 0.01 * e.abs() {
                said.push(format!("line {i}, {key}: {f}, expected {e}"));
            }
        }
    }
    for (part, [length, signed]) in &expected.weights {
        let Some(f) = found.weights.get(part) else {
            said.push(format!("no weights of `{part}`"));
            continue;
        };
        if (f[0] - length).abs() > 1e-3 * length
            || (f[1] - signed).abs() > 2e-3 * (1.0 + signed.abs())
        {
            said.push(format!(
                "weights of `{part}`: {f:?}, expected [{length}, {signed}]"
            ));
        }
    }
    said
}

#[test]
fn every_recipe_learns_what_it_learned() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden_trainings.json");
    let found = all();
    if std::env::var("PARALLAX_GOLDEN").is_ok_and(|v| v == "write") {
        let text = serde_json::to_string_pretty(&found).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
        return;
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let expected: BTreeMap<String, Golden> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        found.keys().copied().collect::<Vec<_>>(),
        expected.keys().map(String::as_str).collect::<Vec<_>>()
    );
    let said: Vec<String> = found
        .iter()
        .flat_map(|(name, found)| {
            let said = apart(found, &expected[*name]);
            said.into_iter().map(move |line| format!("{name}: {line}"))
        })
        .collect();
    assert!(
        said.is_empty(),
        "{} figures of {} trainings are others:\n{}",
        said.len(),
        found.len(),
        said.join("\n")
    );
}
