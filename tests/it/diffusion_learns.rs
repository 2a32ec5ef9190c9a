//! Pixel diffusion can be trained: every variable learns, a batch can be fitted, resuming loses nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{Device, Tensor};
use parallax::episode::{Dataset, EpisodeSpan};
use parallax::model::facets::Pixels;
use parallax::model::generative::{Denoiser, Objective, PixelDiffusion, PixelDiffusionConfig};
use parallax::model::nn::{AdamW, AdamWConfig, Ema, Params, Rng, ops};
use parallax::model::{Actions, Cancel, Card, Context, Sampling, WorldModel, folder};
use parallax::scene;
use parallax::train::pixel::{
    Batches, DiffusionRecipe, DiffusionTraining, Request, loss, start_from,
};
use parallax::train::{
    Architecture, Length, Outcome, TrainConfig, TrainOptions, clips, contact_sheet, measure, run_on,
};

/// Side of the test's frames: a quarter of the real ones, for speed.
const SIZE: usize = 16;

/// Episodes of a coloured square that the action moves.
pub fn moving_squares(episodes: usize, len: usize) -> Dataset {
    let scene = scene::load_named(&scene::library_dir(), "push").unwrap();
    let hand = scene.hand().unwrap() as u8 + 1;
    let mut data = Dataset {
        size: SIZE,
        action_dim: 2,
        scenes: vec![Arc::new(scene)],
        ..Default::default()
    };
    for e in 0..episodes {
        let mut rng = Rng::seed(e as u64);
        let (mut x, mut y) = (rng.below(SIZE - 4), rng.below(SIZE - 4));
        data.episodes.push(EpisodeSpan {
            start: data.len(),
            len,
            seed: e as u64,
            scene: 0,
            state_start: 0,
        });
        for t in 0..len {
            for p in 0..SIZE * SIZE {
                let inside = (x..x + 4).contains(&(p % SIZE)) && (y..y + 4).contains(&(p / SIZE));
                data.frames.extend(if inside {
                    [223, 72, 0]
                } else {
                    [170, 168, 160]
                });
                data.ids.push(if inside { hand } else { 0 });
            }
            let (dx, dy) = (rng.below(3) as i32 - 1, rng.below(3) as i32 - 1);
            let moved = |at: usize, by: i32| (at as i32 + by).clamp(0, SIZE as i32 - 4) as usize;
            let last = t + 1 == len;
            data.actions.extend(if last {
                [0.0; 2]
            } else {
                [dx as f32, dy as f32]
            });
            (x, y) = (moved(x, dx), moved(y, dy));
        }
    }
    data
}

/// A network small enough for a test.
pub fn small_recipe() -> DiffusionRecipe {
    DiffusionRecipe {
        model: PixelDiffusionConfig {
            size: SIZE,
            width: 48,
            inner_width: 48,
            inner_blocks: 1,
            heads: 2,
            embed: 32,
            ..Default::default()
        },
        training: DiffusionTraining {
            length: Length::Steps(8),
            batch: 4,
            warmup_steps: 2,
            adamw: AdamWConfig {
                lr: 2e-3,
                ..Default::default()
            },
            ..Default::default()
        },
    }
}

pub fn config(recipe: &DiffusionRecipe) -> TrainConfig {
    TrainConfig {
        name: "test".into(),
        summary: "A test".into(),
        seed: 7,
        data: Vec::<PathBuf>::new(),
        episodes: None,
        validation_share: 0.25,
        architecture: Architecture::PixelDiffusion(recipe.clone()),
    }
}

fn not_rolled(_: &Tensor, _: &Tensor) -> Result<Tensor, parallax::model::ModelError> {
    panic!("one prediction needs no frame of its own")
}

#[test]
fn every_variable_learns() {
    let data = moving_squares(4, 10);
    let mut recipe = small_recipe();
    measure(&data, &mut recipe.model);
    let params = Params::fresh(1, &Device::Cpu);
    let denoiser = Denoiser::new(&recipe.model, params.clone()).unwrap();
    let batches = Batches::new(&data, &[0, 1, 2, 3], &recipe, 1, &Device::Cpu).unwrap();
    let before: Vec<Vec<f32>> = values(&params);
    let mut adam = AdamW::new(params.vars(), recipe.training.adamw).unwrap();
    // Branches that start at zero let gradients through once they have moved: output, then blocks, then
    // what is in them.
    for step in 0..3 {
        let batch = batches
            .draw(Request {
                step,
                sequences: 4,
                rolls: 1,
            })
            .unwrap();
        let grads = loss(&denoiser, &batch, not_rolled)
            .unwrap()
            .backward()
            .unwrap();
        if step == 2 {
            for (name, var) in params.vars() {
                let grad = grads
                    .get(var.as_tensor())
                    .unwrap_or_else(|| panic!("{name} has no gradient"));
                let norm = grad
                    .sqr()
                    .unwrap()
                    .sum_all()
                    .unwrap()
                    .to_scalar::<f32>()
                    .unwrap();
                assert!(
                    norm.is_finite() && norm > 0.0,
                    "{name}: squared gradient {norm}"
                );
            }
        }
        adam.step(&grads, 1e-3, Some(1.0)).unwrap();
    }
    for ((name, _), (old, new)) in params.vars().iter().zip(before.iter().zip(values(&params))) {
        assert!(*old != new, "{name} did not move");
    }
}

fn values(params: &Params) -> Vec<Vec<f32>> {
    params
        .vars()
        .iter()
        .map(|(_, v)| v.flatten_all().unwrap().to_vec1().unwrap())
        .collect()
}

#[test]
fn a_regression_twin_sees_nothing_but_the_context_and_says_one_thing() {
    let data = moving_squares(4, 10);
    let mut recipe = small_recipe();
    recipe.model.objective = Objective::Regression;
    measure(&data, &mut recipe.model);
    let batches = Batches::new(&data, &[0, 1, 2, 3], &recipe, 1, &Device::Cpu).unwrap();
    let request = Request {
        step: 0,
        sequences: 4,
        rolls: 1,
    };
    let stage = &batches.draw(request).unwrap().stages[0];
    for (name, tensor) in [("frame", &stage.noisy), ("context", &stage.context_noise)] {
        let largest = tensor.abs().unwrap().max_all().unwrap();
        assert_eq!(
            largest.to_scalar::<f32>().unwrap(),
            0.0,
            "noise of the {name}"
        );
    }
    let params = Params::fresh(1, &Device::Cpu);
    let denoiser = Denoiser::new(&recipe.model, params.clone()).unwrap();
    let mut adam = AdamW::new(params.vars(), recipe.training.adamw).unwrap();
    let mut curve = Vec::new();
    for step in 0..60 {
        let batch = batches.draw(Request { step, ..request }).unwrap();
        let value = loss(&denoiser, &batch, not_rolled).unwrap();
        curve.push(value.to_scalar::<f32>().unwrap());
        adam.step(&value.backward().unwrap(), 2e-3, Some(1.0))
            .unwrap();
    }
    assert!(
        curve[50..].iter().sum::<f32>() < 0.5 * curve[..10].iter().sum::<f32>(),
        "{curve:?}"
    );
    let model = crate::diffusion_imagines::model(&recipe.model, &params);
    let context = Context::new(
        data.size,
        (0..4).map(|t| data.frame(t).to_vec()),
        (0..3).map(|t| data.action(t).to_vec()).collect(),
    );
    let imagined = |model: &PixelDiffusion, sampling: Sampling| {
        let latent = model.observe(&context).unwrap();
        let actions = Actions::one(&[data.action(3).to_vec(), data.action(4).to_vec()], 2);
        let rollouts = model.imagine(&latent, &actions, sampling, &Cancel::new());
        model.frames(&rollouts.unwrap()).unwrap()
    };
    let first = imagined(&model, Sampling::default());
    let other = Sampling::nfe(7).draw(1);
    assert_eq!(first, imagined(&model, other), "no noise, one evaluation");
    assert_eq!(model.cost(other), model.cost(Sampling::nfe(1)));
}

#[test]
fn one_batch_can_be_fitted() {
    let data = moving_squares(4, 10);
    let mut recipe = small_recipe();
    measure(&data, &mut recipe.model);
    let params = Params::fresh(1, &Device::Cpu);
    let denoiser = Denoiser::new(&recipe.model, params.clone()).unwrap();
    let batches = Batches::new(&data, &[0, 1, 2, 3], &recipe, 1, &Device::Cpu).unwrap();
    let batch = batches
        .draw(Request {
            step: 0,
            sequences: 4,
            rolls: 1,
        })
        .unwrap();
    let mut adam = AdamW::new(params.vars(), recipe.training.adamw).unwrap();
    let mut curve = Vec::new();
    for _ in 0..80 {
        let value = loss(&denoiser, &batch, not_rolled).unwrap();
        curve.push(value.to_scalar::<f32>().unwrap());
        adam.step(&value.backward().unwrap(), 2e-3, Some(1.0))
            .unwrap();
    }
    let (first, last) = (curve[0], curve[curve.len() - 1]);
    assert!(last < 0.3 * first, "loss fell from {first} to {last} only");
}

#[test]
fn the_fused_adaptive_norm_is_the_composed_one() {
    let mut rng = Rng::seed(3);
    let device = Device::Cpu;
    let x =
        candle_core::Var::from_tensor(&(rng.normal((2, 3, 5, 8), &device).unwrap() + 0.7).unwrap())
            .unwrap();
    let c = candle_core::Var::from_tensor(&rng.normal((2, 16), &device).unwrap()).unwrap();
    let probe = rng.normal((2, 3, 5, 8), &device).unwrap();
    for groups in [Some(2), None] {
        let composed = {
            let part = |i: usize| {
                c.narrow(1, 8 * i, 8)
                    .unwrap()
                    .reshape((2, 1, 1, 8))
                    .unwrap()
            };
            let (scale, shift) = (part(0), part(1));
            match groups {
                None => x
                    .broadcast_mul(&scale)
                    .unwrap()
                    .broadcast_add(&shift)
                    .unwrap(),
                Some(groups) => {
                    let n = ops::composed::group_norm(&x, groups, 1e-5).unwrap();
                    let y = n
                        .broadcast_mul(&(scale + 1.0).unwrap())
                        .unwrap()
                        .broadcast_add(&shift)
                        .unwrap();
                    y.silu().unwrap()
                }
            }
        };
        let fused = ops::film(&x, &c, groups).unwrap();
        close(&fused, &composed);
        let grads = |y: &Tensor| (y * &probe).unwrap().sum_all().unwrap().backward().unwrap();
        let (a, b) = (grads(&fused), grads(&composed));
        for var in [&x, &c] {
            close(
                a.get(var.as_tensor()).unwrap(),
                b.get(var.as_tensor()).unwrap(),
            );
        }
    }
}

fn close(a: &Tensor, b: &Tensor) {
    let difference = (a - b)
        .unwrap()
        .abs()
        .unwrap()
        .max_all()
        .unwrap()
        .to_scalar::<f32>()
        .unwrap();
    assert!(difference < 2e-4, "differs by {difference}");
}

#[test]
fn training_resumes_where_it_stopped_and_leaves_a_model_folder() {
    let data = moving_squares(8, 16);
    let recipe = small_recipe();
    let run = |out: &Path, minutes: Option<f64>, resume: bool| {
        let options = TrainOptions {
            out: out.into(),
            minutes,
            resume,
            ..Default::default()
        };
        run_on(&config(&recipe), &data, &options).unwrap()
    };
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(run(whole.path(), None, false), Outcome::Finished);
    let card = Card::load(whole.path()).unwrap();
    assert_eq!(card.steps, 8);
    let curve = std::fs::read_to_string(whole.path().join("curve.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(curve.lines().last().unwrap()).unwrap();
    let decibels = last["validation"]["push"]["model"].as_array().unwrap();
    assert!(decibels.iter().all(|db| db.as_f64().unwrap().is_finite()));
    for file in [
        "model.safetensors",
        "card.ron",
        "train.ron",
        "model.ron",
        "curve.jsonl",
        "rollouts.png",
    ] {
        assert!(whole.path().join(file).is_file(), "{file} is missing");
    }
    // What was asked for stays as it was; what was measured stands beside the weights.
    let asked = TrainConfig::load(&whole.path().join("train.ron")).unwrap();
    assert_eq!(asked, config(&recipe));
    let came: PixelDiffusionConfig = folder::network(whole.path()).unwrap();
    assert!(came.sigma_data > 0.0 && recipe.model.sigma_data == 0.0);
    // The same seed gives the same weights, in however many runs.
    let mut outcome = run(parts.path(), Some(0.), false);
    while outcome == Outcome::Paused {
        outcome = run(parts.path(), Some(0.), true);
    }
    assert_eq!(Card::load(parts.path()).unwrap().sha256, card.sha256);
}

#[test]
fn a_sheet_can_be_drawn_of_any_world_model() {
    let data = moving_squares(2, 12);
    let mut recipe = small_recipe();
    measure(&data, &mut recipe.model);
    let params = Params::fresh(1, &Device::Cpu);
    let model = crate::diffusion_imagines::model(&recipe.model, &params);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sheet.png");
    let clips = clips(&data, &[0, 1], 2, 5);
    contact_sheet(&model, &data, &clips, 5, &path).unwrap();
    assert!(path.metadata().unwrap().len() > 100);
    let missing = contact_sheet(
        &model,
        &data,
        &clips,
        5,
        &dir.path().join("no/such/sheet.png"),
    )
    .unwrap_err();
    assert!(missing.to_string().contains("sheet.png"), "{missing}");
}

#[test]
fn the_average_holds_every_tensor_of_the_network() {
    let params = Params::fresh(1, &Device::Cpu);
    Denoiser::new(&small_recipe().model, params.clone()).unwrap();
    let ema = Ema::new(&params, 0.999).unwrap();
    Denoiser::new(&small_recipe().model, ema.params().detached()).unwrap();
    assert!(ema.params().unused().is_empty());
}

#[test]
fn a_training_goes_on_from_a_finished_model_that_knew_fewer_actions() {
    use parallax::model::generative::{Conditions, Denoiser};
    let data = moving_squares(8, 16);
    let recipe = small_recipe();
    let dir = tempfile::tempdir().unwrap();
    let options = TrainOptions {
        out: dir.path().into(),
        ..Default::default()
    };
    run_on(&config(&recipe), &data, &options).unwrap();
    let before: PixelDiffusionConfig = folder::network(dir.path()).unwrap();
    let wider = PixelDiffusionConfig {
        action_dim: before.action_dim + 2,
        ..before.clone()
    };
    let old = Params::load(&dir.path().join("model.safetensors"), &Device::Cpu).unwrap();
    let old = Denoiser::new(&before, old).unwrap();
    let new = start_from(dir.path(), &wider, &Device::Cpu).unwrap();
    let new = Denoiser::new(&wider, new).unwrap();
    let (side, channels) = (wider.side(), wider.channels());
    let mut rng = Rng::stream(3, 0);
    let mut normal = |shape: &[usize]| rng.normal(shape, &Device::Cpu).unwrap();
    let x = normal(&[2, side, side, channels]);
    let context = normal(&[2, side, side, channels * wider.context]);
    let known = normal(&[2, wider.actions, before.action_dim]);
    let unknown = normal(&[2, wider.actions, 2]);
    let level = Tensor::zeros(2, candle_core::DType::F32, &Device::Cpu).unwrap();
    let with = |actions: Tensor| Conditions {
        context: context.clone(),
        context_level: level.clone(),
        actions: actions.flatten_from(1).unwrap(),
    };
    let a = old.denoise(&x, 0.5, &with(known.clone())).unwrap();
    let both = Tensor::cat(&[&known, &unknown], 2).unwrap();
    let b = new.denoise(&x, 0.5, &with(both)).unwrap();
    close(&a, &b);
    // Other widths are refused by the name of the tensor.
    let other = PixelDiffusionConfig { width: 96, ..wider };
    let error = start_from(dir.path(), &other, &Device::Cpu)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("tensor") && error.contains("expected"),
        "{error}"
    );
}

/// One target there can be, the second frame: of its actions the latest led to it, and before the episode
/// there was none.
#[test]
fn the_actions_of_an_example_lead_up_to_its_target() {
    let mut recipe = small_recipe();
    let mut data = moving_squares(1, 2);
    data.actions = vec![0.3, -0.2, 0.9, 0.8];
    measure(&data, &mut recipe.model);
    let batches = Batches::new(&data, &[0], &recipe, 1, &Device::Cpu).unwrap();
    let request = Request {
        step: 0,
        sequences: 1,
        rolls: 1,
    };
    let batch = batches.draw(request).unwrap();
    let actions: Vec<f32> = batch.stages[0]
        .actions
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let (before, last) = actions.split_at(actions.len() - 2);
    assert_eq!(last, [0.3, -0.2]);
    assert!(before.iter().all(|a| *a == 0.0), "{actions:?}");
}
