//! A number that makes no sense is refused by its name, wherever it is written: nothing trains to the end on
//! it, and nothing panics.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use parallax::scene::models_dir;
use parallax::train::{TrainConfig, TrainError};
use predicates::prelude::*;
use predicates::str::contains;

use crate::work_is_not_lost::case;

/// Every `train.ron` that ships.
fn shipped() -> Vec<PathBuf> {
    let folders = ["", "baselines"].map(|f| models_dir().join(f));
    let entries = folders.iter().flat_map(|f| std::fs::read_dir(f).unwrap());
    let recipes = entries.map(|e| e.unwrap().path().join("train.ron"));
    recipes.filter(|p| p.is_file()).collect()
}

#[test]
fn every_recipe_that_ships_is_within_the_bounds() {
    let shipped = shipped();
    assert!(shipped.len() > 20);
    for path in shipped {
        TrainConfig::load(&path).unwrap_or_else(|e| panic!("{e}"));
    }
}

/// What a recipe with one field changed is answered with.
fn answer(recipe: &str, from: &str, to: &str) -> String {
    assert!(recipe.contains(from), "{from} is not in the recipe");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("train.ron");
    std::fs::write(&path, recipe.replacen(from, to, 1)).unwrap();
    match TrainConfig::load(&path) {
        Err(error @ TrainError::Config { .. }) => error.to_string(),
        Err(error) => panic!("{to}: {error}"),
        Ok(_) => panic!("{to} was taken"),
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The numbers that people and programs write where none belongs.
const NONSENSE: [&str; 5] = ["-0.001", "0.0", "NaN", "inf", "1e300"];

#[test]
fn rates_clips_lengths_and_sizes_of_every_recipe_are_refused_by_their_names() {
    let lewm = read(&case("train_tiny.ron"));
    let vjepa = read(&models_dir().join("../training/recipes/vjepa-ac-first.ron"));
    let clone = read(&models_dir().join("baselines/clone-push/train.ron"));
    let pixel = read(&models_dir().join("diffusion/train.ron"));
    let latent = read(&models_dir().join("latent-diffusion/train.ron"));
    let found = |text: &str, field: &str| -> String {
        let start = text
            .find(&format!(" {field}:"))
            .unwrap_or_else(|| panic!("no {field}"))
            + 1;
        let rest = &text[start..];
        rest[..rest.find(",\n").unwrap()].to_string()
    };
    for (recipe, prefix) in [
        (&lewm, "joint.optimiser"),
        (&vjepa, "masked.optimiser"),
        (&clone, "optimiser"),
        (&pixel, "training.adamw"),
        (&latent, "autoencoder.pace.adamw"),
    ] {
        let lr = found(recipe, "lr");
        for bad in NONSENSE {
            let error = answer(recipe, &lr, &format!("lr: {bad}"));
            assert!(error.contains(&format!("{prefix}.lr")), "{bad}: {error}");
        }
        let clip = found(recipe, "clip");
        for bad in NONSENSE {
            let error = answer(recipe, &clip, &format!("clip: {bad}"));
            assert!(error.contains("clip"), "{bad}: {error}");
        }
        let length = found(recipe, "length");
        for bad in [
            "Steps(0)",
            "Minutes(-1.0)",
            "Minutes(0.0)",
            "Minutes(NaN)",
            "Minutes(inf)",
        ] {
            let error = answer(recipe, &length, &format!("length: {bad}"));
            assert!(error.contains("length"), "{bad}: {error}");
        }
        let batch = found(
            recipe,
            match recipe.contains(" clips:") {
                true => "clips",
                false => "batch",
            },
        );
        let field = batch.split(':').next().unwrap().to_string();
        for bad in ["0", "99999999999"] {
            if field == "clips" && bad == "0" {
                continue;
            }
            let error = answer(recipe, &batch, &format!("{field}: {bad}"));
            assert!(error.contains(&field), "{bad}: {error}");
        }
        let betas = found(recipe, "betas");
        let error = answer(recipe, &betas, "betas: (1.0, 0.999)");
        assert!(error.contains("betas"), "{error}");
        let eps = found(recipe, "eps");
        assert!(answer(recipe, &eps, "eps: 0.0").contains("eps"));
        let decay = found(recipe, "weight_decay");
        assert!(answer(recipe, &decay, "weight_decay: NaN").contains("weight_decay"));
        let share = found(recipe, "validation_share");
        assert!(answer(recipe, &share, "validation_share: NaN").contains("validation_share"));
    }
    for (recipe, from, to, word) in [
        (
            &lewm,
            "sigreg_projections: 256",
            "sigreg_projections: 0",
            "sigreg_projections",
        ),
        (
            &lewm,
            "sigreg: 0.09",
            "sigreg: -1.0",
            "joint.weights.sigreg",
        ),
        (
            &lewm,
            "sigreg_factor: 128.0",
            "sigreg_factor: inf",
            "sigreg_factor",
        ),
        (&lewm, "tokens: 5", "tokens: 1", "joint.tokens"),
        (&lewm, "warmup: 0.01", "warmup: 1.5", "joint.warmup"),
        (&lewm, "log_every: 5", "log_every: 0", "joint.log_every"),
        (
            &lewm,
            "judge_every: 10",
            "judge_every: 0",
            "joint.judge_every",
        ),
        (
            &lewm,
            "checkpoint_seconds: 120.0",
            "checkpoint_seconds: -1.0",
            "checkpoint_seconds",
        ),
        (&lewm, "rollout: 6", "rollout: 0", "predictor.rollout"),
        (
            &lewm,
            "max_frames: 400000",
            "max_frames: 0",
            "predictor.max_frames",
        ),
        (&lewm, "ridge: 0.0001", "ridge: NaN", "readouts.ridge"),
        (&lewm, "latent_dim: 64", "latent_dim: 0", "model.latent_dim"),
        (
            &lewm,
            "latent_dim: 64",
            "latent_dim: 4000000000",
            "model.latent_dim",
        ),
        (
            &lewm,
            "image_size: 64",
            "image_size: 18446744073709551608",
            "model.image_size",
        ),
        (
            &lewm,
            "encoder_hidden: 256",
            "encoder_hidden: 999999",
            "model.encoder_hidden",
        ),
        (&lewm, "frameskip: 5", "frameskip: 99999", "model.frameskip"),
        (&lewm, "dropout: 0.0", "dropout: NaN", "model.dropout"),
        (
            &lewm,
            "whiten_lambda: 0.1",
            "whiten_lambda: inf",
            "model.whiten_lambda",
        ),
        (&lewm, "episodes: None", "episodes: Some(0)", "episodes"),
        (&pixel, "ema: 0.999", "ema: NaN", "training.ema"),
        (
            &pixel,
            "ln_sigma_mean: -0.4",
            "ln_sigma_mean: NaN",
            "training.ln_sigma_mean",
        ),
        (
            &pixel,
            "foreground_weight: 7.0",
            "foreground_weight: -7.0",
            "foreground_weight",
        ),
        (
            &pixel,
            "self_rolled_from: 0.75",
            "self_rolled_from: NaN",
            "self_rolled_from",
        ),
        (
            &pixel,
            "self_rolled_nfe: 2",
            "self_rolled_nfe: 0",
            "self_rolled_nfe",
        ),
        (
            &pixel,
            "context_noise: 0.02",
            "context_noise: NaN",
            "model.context_noise",
        ),
        (
            &pixel,
            "offset_noise: 0.1",
            "offset_noise: inf",
            "model.offset_noise",
        ),
        (
            &latent,
            "level_mean: 0.4",
            "level_mean: inf",
            "dynamics.level_mean",
        ),
        (
            &latent,
            "latent_noise: 0.02",
            "latent_noise: NaN",
            "autoencoder.latent_noise",
        ),
    ] {
        let error = answer(recipe, from, to);
        assert!(error.contains(word), "{to}: {error}");
    }
}

#[test]
fn a_phase_is_left_out_only_where_something_is_left_to_train() {
    let lewm = read(&case("train_tiny.ron"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("train.ron");
    std::fs::write(&path, lewm.replacen("Steps(20)", "Skip", 1)).unwrap();
    TrainConfig::load(&path).unwrap();
    // The encoder alone, as `parallax ablate` has it.
    let second = lewm.rfind("Steps(20)").unwrap();
    let alone = lewm[..second].to_string() + &lewm[second..].replacen("Steps(20)", "Skip", 1);
    std::fs::write(&path, alone).unwrap();
    TrainConfig::load(&path).unwrap();
    std::fs::write(&path, lewm.replace("Steps(20)", "Skip")).unwrap();
    let error = TrainConfig::load(&path).unwrap_err().to_string();
    assert!(
        error.contains("predictor.length") && error.contains("Skip"),
        "{error}"
    );
}

#[test]
fn the_recipe_of_the_report_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (recipe, out) = (case("r42_no_projections.ron"), dir.path().join("m"));
    let error = TrainConfig::load(&recipe).unwrap_err().to_string();
    assert!(
        error.contains("sigreg_projections") && error.contains("found 0"),
        "{error}"
    );
    let args = [Path::new("train"), &recipe, Path::new("--out"), &out];
    Command::cargo_bin("parallax")
        .unwrap()
        .args(args)
        .assert()
        .code(1)
        .stderr(contains("sigreg_projections"));
    assert!(!out.exists());
}

#[test]
fn numbers_out_of_range_on_the_command_line_are_wrong_use() {
    let recipe = case("train_tiny.ron");
    let recipe = recipe.to_str().unwrap();
    let train = |minutes: &str| {
        vec![
            "train".to_string(),
            recipe.into(),
            format!("--minutes={minutes}"),
        ]
    };
    let control = |option: &str| {
        let text = "eval control --scene reach --model random --episodes 1 --no-references";
        let mut words: Vec<String> = text.split(' ').map(String::from).collect();
        words.push(option.into());
        words
    };
    let mut cases: Vec<(Vec<String>, &str)> = Vec::new();
    for bad in ["inf", "1e300", "nan", "-1", "0", "soon"] {
        cases.push((train(bad), "--minutes"));
    }
    for option in ["candidates", "iterations", "horizon", "hold", "replan"] {
        for bad in ["0", "-1", "99999999999999999999", "nan"] {
            cases.push((control(&format!("--{option}={bad}")), option));
        }
    }
    for bad in ["0", "-0.5", "nan", "inf", "1e30"] {
        cases.push((control(&format!("--sigma={bad}")), "--sigma"));
    }
    for bad in ["-1", "nan", "inf"] {
        cases.push((control(&format!("--beta={bad}")), "--beta"));
    }
    for bad in ["0", "49", "-5", "nan"] {
        let words = ["judge", "calibrate", &format!("--clips={bad}")].map(String::from);
        cases.push((words.to_vec(), "--clips"));
    }
    for (args, word) in cases {
        Command::cargo_bin("parallax")
            .unwrap()
            .args(&args)
            .env_remove("PARALLAX_HOME")
            .assert()
            .code(2)
            .stderr(contains(word).and(contains("panicked").not()));
    }
}
