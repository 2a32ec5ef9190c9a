//! Trainings are the same however many threads prepare their batches, end where a gradient is not finite
//! with what was good before, and name what they went on from.

use std::path::Path;

use candle_core::{DType, Device};
use parallax::episode::{CollectOptions, collect};
use parallax::model::nn::Params;
use parallax::model::{Card, registry};
use parallax::train::pixel::{Batches, Request};
use parallax::train::{
    Architecture, CloningRecipe, Length, Outcome, TrainConfig, TrainError, TrainOptions, ahead,
    measure, run, run_on,
};

use crate::diffusion_learns::{config as diffusion, moving_squares, small_recipe};
use crate::latent_diffusion_learns;
use crate::stopped_work_goes_on::experience;
use crate::vjepa_trains;
use crate::work_is_not_lost::{case, config, into, lewm, reach};

#[test]
fn any_number_of_threads_prepares_the_same_batches_in_the_same_order() {
    let data = moving_squares(4, 10);
    let mut recipe = small_recipe();
    measure(&data, &mut recipe.model);
    let batches = Batches::new(&data, &[0, 1, 2, 3], &recipe, 1, &Device::Cpu).unwrap();
    let drawn = |threads: usize| -> Vec<Vec<f32>> {
        let draw = |step: usize| {
            // Threads that are faster and slower than others.
            std::thread::sleep(std::time::Duration::from_millis((step * 7 % 5) as u64));
            let request = Request {
                step: step as u64,
                sequences: 2,
                rolls: 1 + step % 3,
            };
            batches.draw(request).unwrap()
        };
        ahead(threads, 5, draw, |next| {
            let mut one = || {
                let batch = next().expect("there is always another");
                let last = batch.stages.last().unwrap();
                let tensors = [&batch.context, &last.noisy, &last.target, &last.actions];
                let values = tensors.map(|t| t.flatten_all().unwrap().to_vec1::<f32>().unwrap());
                values.concat()
            };
            (0..12).map(|_| one()).collect()
        })
    };
    let alone = drawn(1);
    assert!(alone.iter().zip(&alone[1..]).all(|(a, b)| a != b));
    assert!(alone == drawn(4));
    assert!(alone == drawn(3));
}

/// Every recipe, with a checkpoint after every step where it can be had.
fn recipes() -> Vec<(&'static str, TrainConfig)> {
    let mut jepa = lewm();
    (jepa.joint.length, jepa.joint.checkpoint_seconds) = (Length::Steps(200), 0.);
    let mut clone = CloningRecipe {
        length: Length::Steps(200),
        batch: 4,
        checkpoint_seconds: 0.,
        ..Default::default()
    };
    clone.model.encoder_channels = [4, 8, 4];
    clone.model.encoder_hidden = 16;
    let mut pixel = small_recipe();
    pixel.training.length = Length::Steps(200);
    let mut latent = latent_diffusion_learns::small_recipe(latent_diffusion_learns::small());
    latent.autoencoder.pace.length = Length::Steps(2);
    latent.dynamics.pace.length = Length::Steps(200);
    vec![
        ("joint", config(Architecture::Lewm(jepa))),
        ("cloning", config(Architecture::Cloning(clone))),
        ("pixel", diffusion(&pixel)),
        ("dynamics", latent_diffusion_learns::config(&latent)),
    ]
}

#[test]
fn a_gradient_that_is_not_finite_ends_a_training_with_what_was_good_before() {
    for (phase, config) in recipes() {
        let mut data = match phase {
            "joint" | "cloning" => experience(),
            _ => moving_squares(8, 16),
        };
        // Of the JEPA's two actions in hundreds are no numbers: sooner or later they are drawn. Diffusion
        // forgives single ones.
        let (dim, few) = (data.action_dim, phase == "joint");
        let (every, most) = if few { (26, 2) } else { (1, usize::MAX) };
        let actions = data.actions.chunks_exact_mut(dim);
        for action in actions.step_by(every).take(most) {
            action[0] = f32::NAN;
        }
        let dir = tempfile::tempdir().unwrap();
        let error = run_on(&config, &data, &into(dir.path())).unwrap_err();
        let TrainError::Diverged {
            phase: named, step, ..
        } = &error
        else {
            panic!("{phase}: {error}");
        };
        assert_eq!(*named, phase);
        let forgiven = if ["pixel", "dynamics"].contains(&phase) {
            49
        } else {
            0
        };
        assert!(*step >= forgiven, "{phase}: {error}");
        assert!(error.to_string().contains("learning rate"), "{error}");
        assert!(!dir.path().join("card.ron").exists(), "{phase}: no model");
        if phase == "joint" {
            assert!(*step > 0, "it begins well");
            // What was saved before that step can be read, and is finite.
            let weights = dir.path().join("checkpoint/weights.safetensors");
            Params::load(&weights, &Device::Cpu).unwrap();
            let again = TrainOptions {
                resume: true,
                ..into(dir.path())
            };
            let error = run_on(&config, &data, &again).unwrap_err();
            assert!(matches!(error, TrainError::Diverged { step: s, .. } if s == *step));
        }
    }
}

#[test]
fn read_outs_that_diverge_are_an_error_too() {
    let mut recipe = lewm();
    recipe.readouts.decoder = Some(parallax::model::jepa::DecoderSizes {
        width: 8,
        layers: 1,
        patch: 8,
    });
    recipe.readouts.decoder_steps = 4;
    let dir = tempfile::tempdir().unwrap();
    let mut data = experience();
    // What is read out is no number, though all that is seen is.
    data.states
        .iter_mut()
        .for_each(|s| s.velocity[0] = f32::NAN);
    let config = config(Architecture::Lewm(recipe));
    let error = run_on(&config, &data, &into(dir.path())).unwrap_err();
    assert!(
        matches!(error, TrainError::Diverged { phase: "probe", .. }),
        "{error}"
    );
    // The phases before it are done, and stay so.
    assert!(dir.path().join("checkpoint/progress.json").is_file());
}

#[test]
fn a_recipe_is_copied_word_for_word() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let text = std::fs::read_to_string(case("train_tiny.ron")).unwrap();
    let text = format!("// What I tried on Monday\n{text}// and why\n");
    std::fs::write(at("mine.ron"), &text).unwrap();
    let collected = CollectOptions {
        out: at("d"),
        episodes: 8,
        seed: 0,
        progress: false,
    };
    collect(&reach(40), &collected).unwrap();
    let options = TrainOptions {
        data: vec![at("d")],
        ..into(&at("m"))
    };
    assert_eq!(run(&at("mine.ron"), &options).unwrap(), Outcome::Finished);
    assert_eq!(std::fs::read_to_string(at("m/train.ron")).unwrap(), text);
    // Whoever trains it again from there finds the same words, also in the folder of the new model.
    let over = TrainOptions {
        overwrite: true,
        ..options
    };
    assert_eq!(run(&at("m/train.ron"), &over).unwrap(), Outcome::Finished);
    assert_eq!(std::fs::read_to_string(at("m/train.ron")).unwrap(), text);
}

/// Trains a tiny pixel diffusion into `out`, from the model in `start` if there is one.
fn stage(out: &Path, start: Option<&Path>) -> Card {
    let mut recipe = small_recipe();
    recipe.training.length = Length::Steps(3);
    recipe.training.start = start.map(Path::to_path_buf);
    let data = moving_squares(8, 16);
    let outcome = run_on(&diffusion(&recipe), &data, &into(out)).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    Card::load(out).unwrap()
}

#[test]
fn a_card_tells_the_whole_chain_of_trainings() {
    let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [first, second, third] = dirs.each_ref().map(|d| d.path());
    let (a, b, c) = (
        stage(first, None),
        stage(second, Some(first)),
        stage(third, Some(second)),
    );
    assert!(a.stages.is_empty() && a.frames == 12);
    let shas: Vec<&str> = c.stages.iter().map(|s| s.sha256.as_str()).collect();
    assert_eq!(shas, [&a.sha256, &b.sha256]);
    assert_eq!(c.stages[1].folder, second.display().to_string());
    assert_eq!(c.all_frames(), a.frames + b.frames + c.frames);
    let minutes = a.minutes + b.minutes + c.minutes;
    assert!((c.all_minutes() - minutes).abs() < 1e-9 && minutes > c.minutes);
}

#[test]
fn a_training_does_not_go_on_where_what_it_started_from_is_another() {
    let dirs = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [first, second] = dirs.each_ref().map(|d| d.path());
    stage(first, None);
    let mut recipe = small_recipe();
    recipe.training.start = Some(first.into());
    let data = moving_squares(8, 16);
    let pause = TrainOptions {
        minutes: Some(0.),
        ..into(second)
    };
    let config = diffusion(&recipe);
    assert_eq!(run_on(&config, &data, &pause).unwrap(), Outcome::Paused);
    let card = Card::load(first).unwrap();
    let other = Card {
        sha256: "0".repeat(64),
        ..card.clone()
    };
    other.save(first).unwrap();
    let on = TrainOptions {
        resume: true,
        ..into(second)
    };
    let error = run_on(&config, &data, &on).unwrap_err().to_string();
    assert!(
        error.contains("started from") && error.contains("sha256"),
        "{error}"
    );
    card.save(first).unwrap();
    assert_eq!(run_on(&config, &data, &on).unwrap(), Outcome::Finished);
}

#[test]
fn read_outs_are_checked_against_the_card() {
    let dir = tempfile::tempdir().unwrap();
    let config = vjepa_trains::config(parallax::model::jepa::GoalCost::Plain);
    run_on(&config, vjepa_trains::experience(), &into(dir.path())).unwrap();
    let read = |name: &str| Params::load(&dir.path().join(name), &Device::Cpu).unwrap();
    assert!(read("readouts.safetensors").contains("probe.mean"));
    assert!(!read("model.safetensors").contains("probe.mean"));
    let load = || registry::load(dir.path(), &Device::Cpu);
    load().unwrap();
    let other = Params::fresh(3, &Device::Cpu);
    other
        .get(2, "probe.mean", parallax::model::nn::Init::Zeros)
        .unwrap();
    let path = dir.path().join("readouts.safetensors");
    other.save(&path, DType::F16).unwrap();
    let error = load().err().unwrap().to_string();
    assert!(
        error.contains("readouts.safetensors") && error.contains("sha256"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    let error = load().err().unwrap().to_string();
    assert!(error.contains("readouts.safetensors"), "{error}");
}
