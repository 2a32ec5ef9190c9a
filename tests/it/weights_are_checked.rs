//! A model folder that is damaged, incomplete or of another shape is refused with an error that names the
//! culprit.

use std::path::Path;

use candle_core::{DType, Device};
use parallax::model::generative::PixelDiffusion;
use parallax::model::jepa::{Lewm, LewmConfig};
use parallax::model::nn::{Init, Params};
use parallax::model::{Camp, Card, Sampling, architecture, folder, registry};
use parallax::scene::models_dir;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest as _, Sha256};

use crate::diffusion_learns::small_recipe;
use crate::support::stub::card;

fn config() -> LewmConfig {
    LewmConfig {
        latent_dim: 8,
        encoder_channels: [4, 8, 4],
        encoder_hidden: 8,
        predictor_width: 8,
        predictor_blocks: 1,
        inverse_width: 8,
        ..Default::default()
    }
}

/// Writes the card that fits the weights there.
fn seal(dir: &Path, card: Card) {
    let bytes = std::fs::read(dir.join("model.safetensors")).unwrap();
    let sha256 = Sha256::digest(&bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    Card { sha256, ..card }.save(dir).unwrap();
}

/// An untrained LeWM as a folder of `models/`.
pub fn tiny_lewm(dir: &Path) {
    std::fs::create_dir_all(dir).unwrap();
    let params = Params::fresh(1, &Device::Cpu);
    Lewm::new(&config(), &params).unwrap();
    params.buffer((8, 8), "whitening", Init::Zeros).unwrap();
    params
        .save(&dir.join("model.safetensors"), DType::F16)
        .unwrap();
    folder::save_network(dir, &ron::to_string(&config()).unwrap()).unwrap();
    seal(
        dir,
        Card {
            camp: Camp::Jepa,
            ..card("tiny")
        },
    );
}

fn tiny_diffusion(dir: &Path) {
    let (params, model) = (Params::fresh(1, &Device::Cpu), small_recipe().model);
    let made = Card {
        camp: Camp::Generative,
        architecture: "pixel_diffusion".into(),
        ..card("tiny")
    };
    PixelDiffusion::new(made.clone(), &model, &params).unwrap();
    params
        .save(&dir.join("model.safetensors"), DType::F16)
        .unwrap();
    folder::save_network(dir, &ron::to_string(&model).unwrap()).unwrap();
    seal(dir, made);
}

fn refused(dir: &Path) -> String {
    registry::load(dir, &Device::Cpu)
        .err()
        .expect("a faulty model was loaded")
        .to_string()
}

fn says(what: &str, error: &str, words: &[&str]) {
    for word in words {
        assert!(error.contains(word), "{what}: `{word}` is not in: {error}");
    }
}

/// The weights with one tensor changed, as a file's bytes.
fn with_tensor(
    bytes: &[u8],
    change: impl Fn(&str, &mut Dtype, &mut Vec<usize>, &mut Vec<u8>) -> bool,
) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = file
        .tensors()
        .into_iter()
        .map(|(n, v)| (n, v.dtype(), v.shape().to_vec(), v.data().to_vec()))
        .collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors.retain_mut(|(name, dtype, shape, data)| change(name, dtype, shape, data));
    let views: Vec<_> = tensors
        .iter()
        .map(|(n, d, s, b)| (n.clone(), TensorView::new(*d, s.clone(), b).unwrap()))
        .collect();
    safetensors::serialize(views, None).unwrap()
}

#[test]
fn a_sound_folder_loads_in_both_camps() {
    let dir = tempfile::tempdir().unwrap();
    tiny_lewm(dir.path());
    assert_eq!(
        registry::load(dir.path(), &Device::Cpu)
            .unwrap_or_else(|e| panic!("{e}"))
            .card()
            .camp,
        Camp::Jepa
    );
    let dir = tempfile::tempdir().unwrap();
    tiny_diffusion(dir.path());
    assert_eq!(
        registry::load(dir.path(), &Device::Cpu)
            .unwrap_or_else(|e| panic!("{e}"))
            .card()
            .camp,
        Camp::Generative
    );
}

#[test]
fn every_model_that_ships_loads() {
    for entry in registry::scan(&models_dir()) {
        let model = registry::load(&entry.dir, &Device::Cpu).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            model.card().name,
            entry.name,
            "a model is named like its folder"
        );
        let (cost, shape) = (model.cost(Sampling::default()), model.shape());
        assert!(cost.parameters > 0 && shape.frameskip > 0 && shape.context_frames > 0);
        let known = architecture::of(model.card()).expect("every architecture is in the table");
        assert_eq!(
            known.has_pixels,
            model.facets().pixels.is_some(),
            "{}",
            known.id
        );
    }
}

#[test]
fn corrupted_and_truncated_weights_are_named() {
    for make in [tiny_lewm, tiny_diffusion] {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        let path = dir.path().join("model.safetensors");
        let sound = std::fs::read(&path).unwrap();
        let card = Card::load(dir.path()).unwrap();

        let mut flipped = sound.clone();
        let middle = flipped.len() / 2;
        flipped[middle] ^= 1;
        std::fs::write(&path, flipped).unwrap();
        says(
            "a flipped bit",
            &refused(dir.path()),
            &["model.safetensors", "sha256", &card.sha256],
        );

        for cut in [0, 4, 100, sound.len() - 1] {
            std::fs::write(&path, &sound[..cut]).unwrap();
            says(
                "cut",
                &refused(dir.path()),
                &["model.safetensors", "sha256"],
            );
            // A card made for the stump does not help it.
            seal(dir.path(), card.clone());
            says(
                "cut and sealed",
                &refused(dir.path()),
                &["model.safetensors", "not a readable safetensors file"],
            );
            card.save(dir.path()).unwrap();
        }

        std::fs::write(&path, b"\xff\xff\xff\xff\xff\xff\xff\x7f{}").unwrap();
        seal(dir.path(), card.clone());
        says(
            "a lying header",
            &refused(dir.path()),
            &["model.safetensors"],
        );

        std::fs::write(&path, vec![0u8; (16 << 20) + 1]).unwrap();
        says(
            "too large",
            &refused(dir.path()),
            &["model.safetensors", "size", "16777216"],
        );

        std::fs::remove_file(&path).unwrap();
        says("missing", &refused(dir.path()), &["model.safetensors"]);
    }
}

#[test]
fn tensors_of_another_shape_or_type_missing_or_not_finite_are_named() {
    let dir = tempfile::tempdir().unwrap();
    tiny_lewm(dir.path());
    let path = dir.path().join("model.safetensors");
    let (sound, card) = (
        std::fs::read(&path).unwrap(),
        Card::load(dir.path()).unwrap(),
    );
    // A matrix, so that a flattened one has another shape; the first by name, so that every run tries the
    // same.
    let victim = SafeTensors::deserialize(&sound)
        .unwrap()
        .tensors()
        .into_iter()
        .filter(|(n, t)| n.starts_with("predictor") && t.shape().len() == 2)
        .map(|(n, _)| n)
        .min()
        .expect("a matrix");
    let try_with = |bytes: Vec<u8>| {
        std::fs::write(&path, bytes).unwrap();
        seal(dir.path(), card.clone());
        refused(dir.path())
    };
    let shape = try_with(with_tensor(&sound, |name, _, shape, _| {
        if name == victim {
            let all = shape.iter().product();
            *shape = vec![all];
        }
        true
    }));
    says("another shape", &shape, &["model.safetensors", &victim]);
    let missing = try_with(with_tensor(&sound, |name, _, _, _| name != victim));
    says("missing", &missing, &["model.safetensors", &victim]);
    let kind = try_with(with_tensor(&sound, |name, dtype, _, _| {
        if name == victim {
            *dtype = Dtype::BF16;
        }
        true
    }));
    says(
        "another type",
        &kind,
        &["model.safetensors", &victim, "BF16", "F16 or F32"],
    );
    for (bits, value) in [(0x7e00u16, "NaN"), (0x7c00, "inf"), (0xfc00, "-inf")] {
        let error = try_with(with_tensor(&sound, |name, _, _, data| {
            if name == victim {
                data[6..8].copy_from_slice(&bits.to_le_bytes());
            }
            true
        }));
        says(
            value,
            &error,
            &["model.safetensors", &victim, value, "element 3"],
        );
    }
}

#[test]
fn a_card_or_configuration_that_lies_is_named() {
    let dir = tempfile::tempdir().unwrap();
    tiny_lewm(dir.path());
    let (card, network) = (dir.path().join("card.ron"), dir.path().join("model.ron"));
    let (sound, configuration) = (
        std::fs::read_to_string(&card).unwrap(),
        std::fs::read_to_string(&network).unwrap(),
    );
    for (bad, words) in [
        (
            sound.replacen("format: 1", "format: 99", 1),
            &["card.ron", "format", "99", "1"][..],
        ),
        (
            sound.replacen("camp: Jepa", "camp: Oracular", 1),
            &["card.ron", "line", "Oracular"],
        ),
        (
            sound.replacen("steps:", "stebs:", 1),
            &["card.ron", "line", "stebs"],
        ),
        (
            sound.replacen("architecture: \"lewm\"", "architecture: \"dreamer\"", 1),
            &["card.ron", "architecture", "dreamer"],
        ),
        (
            sound.replacen("minutes: 0.0", "minutes: \"none\"", 1),
            &["card.ron", "line"],
        ),
        (sound[..sound.len() / 2].to_string(), &["card.ron", "line"]),
        (String::new(), &["card.ron"]),
    ] {
        assert_ne!(bad, sound);
        std::fs::write(&card, bad).unwrap();
        says("card", &refused(dir.path()), words);
        assert!(
            registry::scan(dir.path().parent().unwrap())
                .iter()
                .all(|e| e.dir != dir.path() || e.card.is_err())
        );
    }
    std::fs::write(&card, &sound).unwrap();
    for (bad, words) in [
        (
            configuration.replacen("latent_dim:8", "latent_dim:12", 1),
            &["model.safetensors", "12", "8"][..],
        ),
        (
            configuration.replacen("latent_dim:8", "latent_dim:0", 1),
            &["latent_dim", "0", "at least 1"],
        ),
        (
            configuration.replacen("latent_dim:8", "latent_dim:-8", 1),
            &["model.ron", "line"],
        ),
        (
            configuration.replacen("latent_dim", "latent_dims", 1),
            &["model.ron", "line", "latent_dims"],
        ),
    ] {
        assert_ne!(bad, configuration);
        std::fs::write(&network, bad).unwrap();
        says("configuration", &refused(dir.path()), words);
    }
    std::fs::remove_file(&network).unwrap();
    says("configuration", &refused(dir.path()), &["model.ron"]);
}

#[test]
fn an_unknown_model_lists_those_there_are() {
    let models = tempfile::tempdir().unwrap();
    tiny_lewm(&models.path().join("tiny"));
    let error = registry::load_named(models.path(), "tinny", &Device::Cpu)
        .err()
        .expect("unknown")
        .to_string();
    says("unknown", &error, &["tinny", "tiny"]);
    assert_eq!(registry::scan(models.path()).len(), 1);
}
