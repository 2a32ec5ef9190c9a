//! Every shipped model does what it did: ten outcomes of control, a few clips of a rollout, a pair of
//! surprises, what its probes read. `parallax golden --write` writes `tests/golden.json` anew after a
//! retraining.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use parallax::eval::golden::{Golden, differences, measure};
use parallax::model::{Card, fingerprint, registry};
use parallax::scene::models_dir;
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

fn expected() -> BTreeMap<String, Golden> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn shipped() -> Vec<registry::Entry> {
    let dir = models_dir();
    let mut entries = registry::scan(&dir);
    entries.extend(registry::scan(&registry::baselines(&dir)));
    assert!(entries.len() > 20, "models are missing");
    entries
}

#[test]
fn every_shipped_model_does_what_it_did() {
    let expected = expected();
    let entries = shipped();
    let names: Vec<&String> = entries.iter().map(|e| &e.name).collect();
    for name in expected.keys() {
        assert!(
            names.contains(&name),
            "{name} has golden runs and does not ship"
        );
    }
    let said: Vec<String> = entries
        .par_iter()
        .flat_map(|entry| {
            let Some(expected) = expected.get(&entry.name) else {
                return vec![format!("{}: has no golden runs", entry.name)];
            };
            let trained = registry::load_any(&entry.dir, &Device::Cpu).unwrap();
            let said = differences(&measure(&trained).unwrap(), expected);
            said.into_iter()
                .map(|line| format!("{}: {line}", entry.name))
                .collect()
        })
        .collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

#[test]
fn every_card_says_how_its_model_behaves_and_it_does() {
    let said: Vec<String> = shipped()
        .par_iter()
        .filter_map(|entry| match fingerprint::check(&entry.dir, &Device::Cpu) {
            Ok(Some(())) => None,
            Ok(None) => Some(format!("{}: its card says nothing of it", entry.name)),
            Err(error) => Some(format!("{}: {error}", entry.name)),
        })
        .collect();
    assert!(said.is_empty(), "{}", said.join("\n"));
}

/// Copies a model's folder with noise of the same size in place of its weights, and a card that fits them.
fn noised(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap().flatten() {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    let path = to.join("model.safetensors");
    let tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    let noise = tensors.into_iter().map(|(name, tensor)| {
        let values: Vec<f32> = tensor
            .to_dtype(DType::F32)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let size = (values.iter().map(|v| v * v).sum::<f32>() / values.len().max(1) as f32).sqrt();
        let noise = Tensor::randn(0.0f32, size.max(1e-6), tensor.shape(), &Device::Cpu).unwrap();
        (name, noise.to_dtype(tensor.dtype()).unwrap())
    });
    let noise: std::collections::HashMap<String, Tensor> = noise.collect();
    candle_core::safetensors::save(&noise, &path).unwrap();
    let sha256 = Sha256::digest(std::fs::read(&path).unwrap());
    let card = Card {
        sha256: sha256.iter().map(|b| format!("{b:02x}")).collect(),
        ..Card::load(to).unwrap()
    };
    card.save(to).unwrap();
}

#[test]
fn noise_in_place_of_weights_is_found_by_the_fingerprint_and_by_the_golden_runs() {
    let expected = expected();
    for name in ["lewm-reach", "clone-push", "steps-push"] {
        let dir = tempfile::tempdir().unwrap();
        noised(&registry::find(&models_dir(), name).unwrap(), dir.path());
        let error = fingerprint::check(dir.path(), &Device::Cpu).unwrap_err();
        assert!(error.to_string().contains("behaviour"), "{name}: {error}");
        let trained = registry::load_any(dir.path(), &Device::Cpu).unwrap();
        let said = differences(&measure(&trained).unwrap(), &expected[name]);
        // One line says that the weights are others; what they do must be another thing as well.
        let more = said
            .iter()
            .filter(|l| !l.starts_with("the weights"))
            .count();
        assert!(more > 0 || name == "steps-push", "{name}: {said:?}");
    }
}

#[test]
fn answers_within_rounding_are_the_same_and_others_are_not() {
    let answers = [1.0, -0.5, 120.0];
    assert_eq!(fingerprint::difference(&answers, &answers), None);
    assert_eq!(
        fingerprint::difference(&[1.01, -0.505, 121.0], &answers),
        None
    );
    let said = fingerprint::difference(&[1.0, -0.5, 126.0], &answers).unwrap();
    assert!(said.contains("answer 2") && said.contains("126"), "{said}");
    assert!(fingerprint::difference(&[1.0, 0.5, 120.0], &answers).is_some());
    assert!(fingerprint::difference(&[1.0], &answers).is_some());
    assert!(fingerprint::difference(&[1.0, f32::NAN, 120.0], &answers).is_some());
}
