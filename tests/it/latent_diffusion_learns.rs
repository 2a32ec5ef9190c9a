//! Diffusion in latents can be trained and used: every variable learns, nothing of the future is seen, each
//! frame's noise level counts, what is saved comes back, and a training repeats to the bit.

use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use parallax::episode::Dataset;
use parallax::model::belief::BeliefSizes;
use parallax::model::facets::{Latents, Pixels, Plans, Surprise};
use parallax::model::generative::{
    Autoencoder, AutoencoderConfig, Eye, Imagination, LatentDiffusion, LatentDiffusionConfig,
    Objective, Window, flow,
};
use parallax::model::nn::{AdamW, Params, Rng, ops};
use parallax::model::{
    Actions, Cancel, Card, Context, Frames, Goal, Metric, Sampling, WorldModel, futures, registry,
};
use parallax::train::latent::{
    AutoencoderPhase, DynamicsPhase, Encoded, Frames as FrameDraws, LatentRecipe, Windows,
    check_autoencoder, dynamics_loss, measure_scale, reconstruction_loss,
};
use parallax::train::{Architecture, Length, Outcome, Pace, TrainConfig, TrainOptions, run_on};

use crate::diffusion_learns::moving_squares;

pub fn small() -> LatentDiffusionConfig {
    LatentDiffusionConfig {
        size: 16,
        autoencoder: AutoencoderConfig {
            patch: 2,
            width: 16,
            inner_width: 24,
            channels: 8,
            ..Default::default()
        },
        context: 3,
        actions: 2,
        action_dim: 2,
        width: 32,
        layers: 2,
        local: 1,
        hidden: 48,
        embed: 32,
        ..Default::default()
    }
}

fn pace(steps: usize) -> Pace {
    Pace {
        length: Length::Steps(steps),
        batch: 4,
        warmup_steps: 2,
        ..Default::default()
    }
}

pub fn small_recipe(model: LatentDiffusionConfig) -> LatentRecipe {
    LatentRecipe {
        model,
        start: None,
        autoencoder: AutoencoderPhase {
            pace: pace(6),
            ..Default::default()
        },
        dynamics: DynamicsPhase {
            pace: pace(8),
            self_rolled_from: 0.5,
            self_rolled_steps: 3,
            ..Default::default()
        },
    }
}

pub fn config(recipe: &LatentRecipe) -> TrainConfig {
    TrainConfig {
        name: "test".into(),
        summary: "A test".into(),
        seed: 7,
        data: Vec::<PathBuf>::new(),
        episodes: None,
        validation_share: 0.25,
        architecture: Architecture::LatentDiffusion(recipe.clone()),
    }
}

fn train(recipe: &LatentRecipe, out: &Path, minutes: Option<f64>, resume: bool) -> Outcome {
    let options = TrainOptions {
        device: Device::Cpu,
        minutes,
        resume,
        out: out.into(),
        ..Default::default()
    };
    run_on(&config(recipe), &moving_squares(8, 16), &options).unwrap()
}

/// Moves every variable, so that branches that start at zero speak too.
fn wake(params: &Params) {
    let mut rng = Rng::seed(5);
    for (_, var) in params.vars() {
        let noise = (rng.normal(var.shape(), &Device::Cpu).unwrap() * 0.1).unwrap();
        var.set(&(var.as_detached_tensor() + noise).unwrap())
            .unwrap();
    }
}

fn awake(config: &LatentDiffusionConfig) -> LatentDiffusion {
    let params = Params::fresh(1, &Device::Cpu);
    let card = crate::diffusion_imagines::card();
    let model = LatentDiffusion::new(card, config, &params).unwrap();
    wake(&params);
    model
}

/// Two models of the same variables, the second of which reads a belief.
pub fn with_and_without_belief(belief: BeliefSizes) -> (LatentDiffusion, LatentDiffusion, Params) {
    let believing = LatentDiffusionConfig {
        belief: Some(belief),
        ..small()
    };
    let params = Params::fresh(1, &Device::Cpu);
    let model = |config: &LatentDiffusionConfig| {
        LatentDiffusion::new(crate::diffusion_imagines::card(), config, &params).unwrap()
    };
    model(&believing);
    wake(&params);
    (model(&small()), model(&believing), params)
}

/// A small model whose zero-initialised branches speak too.
pub fn awake_model() -> LatentDiffusion {
    awake(&small())
}

fn values(params: &Params) -> Vec<(String, Vec<f32>)> {
    let vars = params.vars().into_iter();
    vars.map(|(n, v)| (n, v.flatten_all().unwrap().to_vec1().unwrap()))
        .collect()
}

/// Takes three steps of `loss` and asserts that every variable of `params` has a gradient and moves.
fn everything_learns(params: &Params, mut loss: impl FnMut(u64) -> Tensor) {
    let before = values(params);
    assert!(!before.is_empty());
    let mut adam = AdamW::new(params.vars(), Default::default()).unwrap();
    for step in 0..3 {
        let grads = loss(step).backward().unwrap();
        if step == 2 {
            for (name, var) in params.vars() {
                let grad = grads
                    .get(var.as_tensor())
                    .unwrap_or_else(|| panic!("{name} has no gradient"));
                let squares = grad.sqr().unwrap().sum_all().unwrap();
                let squares = squares.to_scalar::<f32>().unwrap();
                assert!(
                    squares.is_finite() && squares > 0.0,
                    "{name}: squared gradient {squares}"
                );
            }
        }
        adam.step(&grads, 1e-3, Some(1.0)).unwrap();
    }
    for ((name, old), (_, new)) in before.iter().zip(values(params)) {
        assert!(*old != new, "{name} did not move");
    }
}

#[test]
fn every_variable_of_the_autoencoder_learns() {
    let (data, model) = (moving_squares(4, 10), small());
    let params = Params::fresh(1, &Device::Cpu);
    let autoencoder = Autoencoder::new(&model, params.clone()).unwrap();
    let frames = FrameDraws::new(&data, &[0, 1, 2, 3], 1);
    let phase = AutoencoderPhase {
        pace: pace(1),
        ..Default::default()
    };
    let latent = (model.side(), model.channels());
    everything_learns(&params, |step| {
        let batch = frames
            .draw(&autoencoder, &phase, latent, step, &Device::Cpu)
            .unwrap();
        reconstruction_loss(&autoencoder, &batch, phase.squared_weight).unwrap()
    });
}

/// Latents of a dataset through an untrained autoencoder with measured scale.
fn encoded(data: &Dataset, model: &LatentDiffusionConfig) -> Encoded {
    let autoencoder =
        Autoencoder::new(model, Params::fresh(1, &Device::Cpu).pp("autoencoder")).unwrap();
    measure_scale(data, &autoencoder).unwrap();
    Encoded::new(data, &autoencoder, model).unwrap()
}

#[test]
fn every_variable_of_the_transformer_learns() {
    for merge in [1, 2] {
        let model = LatentDiffusionConfig { merge, ..small() };
        let data = moving_squares(4, 10);
        let encoded = encoded(&data, &model);
        let phase = DynamicsPhase::default();
        let episodes = [0, 1, 2, 3];
        let device = Device::Cpu;
        let windows = Windows::new(&data, &encoded, &episodes, &model, &phase, 1, &device).unwrap();
        let params = Params::fresh(1, &device);
        let imagination = Imagination::new(&model, params.clone()).unwrap();
        everything_learns(&params, |step| {
            let examples = windows.draw(step, 8, 1).unwrap();
            let alone = |_: &Tensor, _: &_| panic!("one prediction needs no latent of its own");
            dynamics_loss(&imagination, &examples, alone).unwrap()
        });
    }
}

#[test]
fn latents_are_standardised_and_the_check_counts_what_is_lost() {
    let (data, model) = (moving_squares(4, 10), small());
    let autoencoder = Autoencoder::new(&model, Params::fresh(1, &Device::Cpu)).unwrap();
    measure_scale(&data, &autoencoder).unwrap();
    let latents = autoencoder.encode(&data.frames).unwrap();
    for c in 0..model.channels() {
        let own: Vec<f32> = latents[c..]
            .iter()
            .step_by(model.channels())
            .copied()
            .collect();
        let mean = own.iter().sum::<f32>() / own.len() as f32;
        let variance = own.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / own.len() as f32;
        assert!(
            mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02,
            "channel {c}: mean {mean}, variance {variance}"
        );
    }
    // An untrained decoder shows no square: all are lost.
    let found = check_autoencoder(&autoencoder, &data, &[0]).unwrap();
    assert!(found["push"].survival < 0.5 && found["push"].psnr_db < 20.0);
}

fn context(data: &Dataset, frames: usize) -> Context {
    Context::new(
        data.size,
        (0..frames).map(|t| data.frame(t).to_vec()),
        (1..frames).map(|t| data.action(t - 1).to_vec()).collect(),
    )
}

pub fn actions(n: usize, steps: usize, dim: usize) -> Actions {
    Actions {
        n,
        steps,
        dim,
        data: (0..n * steps * dim)
            .map(|i| (i % 5) as f32 / 4.0 - 0.5)
            .collect(),
    }
}

pub fn imagined(model: &LatentDiffusion, context: &Context, actions: &Actions) -> Frames {
    sampled(model, context, actions, Sampling::default())
}

fn sampled(
    model: &dyn WorldModel,
    context: &Context,
    actions: &Actions,
    sampling: Sampling,
) -> Frames {
    let latent = model.observe(context).unwrap();
    let rollouts = model.imagine(&latent, actions, sampling, &Cancel::new());
    let frames = model.facets().frames(&rollouts.unwrap());
    frames.unwrap().unwrap()
}

#[test]
fn nothing_of_the_future_is_seen() {
    let model = small();
    let mut data = moving_squares(2, 12);
    let phase = DynamicsPhase::default();
    let device = Device::Cpu;
    let params = Params::fresh(1, &device);
    let imagination = Imagination::new(&model, params.clone()).unwrap();
    wake(&params);
    let predictions = |data: &Dataset| -> Vec<Vec<f32>> {
        let encoded = encoded(data, &model);
        let windows = Windows::new(data, &encoded, &[0], &model, &phase, 1, &device).unwrap();
        let examples = windows.draw(0, 64, 1).unwrap();
        let step = &examples.steps[0];
        let window = step.window(&examples.context).unwrap();
        let noisy = (&step.noisy * 0.0).unwrap();
        let said = imagination
            .network()
            .forward(&noisy, &step.level, &window)
            .unwrap();
        let rows = said.flatten_from(1).unwrap();
        let contexts = examples.context.flatten_from(1).unwrap();
        let both = Tensor::cat(&[rows, contexts], 1).unwrap();
        both.to_vec2().unwrap()
    };
    let before = predictions(&data);
    // The scale of the latents is measured over the data: change a frame to another that it also holds.
    let (late, other) = (8, 15);
    let len = data.size * data.size * 3;
    let (a, b) = data.frames.split_at_mut(other * len);
    a[late * len..(late + 1) * len].swap_with_slice(&mut b[..len]);
    let after = predictions(&data);
    let changed: Vec<bool> = before.iter().zip(&after).map(|(a, b)| a != b).collect();
    let (windows_of, count) = (model.context, changed.iter().filter(|c| **c).count());
    // Of eleven targets those after the frame that are near enough to have it in their window change, no
    // others.
    assert!(
        count > 0 && (count as f64) < 64.0 * (windows_of as f64 + 2.0) / 11.0,
        "{count} of 64 changed"
    );
    // In a rollout: another action at a step changes nothing before it, to the bit.
    let world = awake(&model);
    let (context, first) = (context(&moving_squares(1, 8), 4), actions(1, 6, 2));
    let mut second = first.clone();
    second.data[2 * 4] += 0.5;
    let (a, b) = (
        imagined(&world, &context, &first),
        imagined(&world, &context, &second),
    );
    for t in 0..4 {
        assert_eq!(a.at(0, t), b.at(0, t), "step {t}");
    }
    assert_ne!(a.at(0, 4), b.at(0, 4));
}

#[test]
fn every_frames_noise_level_reaches_the_network() {
    let model = small();
    let (device, mut rng) = (Device::Cpu, Rng::seed(3));
    let params = Params::fresh(1, &device);
    let imagination = Imagination::new(&model, params.clone()).unwrap();
    wake(&params);
    let (s, c, k) = (model.side(), model.channels(), model.context);
    let noisy = rng.normal((1, s, s, c), &device).unwrap();
    let context = rng.normal((1, s, s, k * c), &device).unwrap();
    let dim = model.actions * model.action_dim;
    let acted = rng.normal((1, dim), &device).unwrap();
    let said = |level: f32, levels: Vec<f32>| -> Vec<f32> {
        let window = Window {
            context: context.clone(),
            context_levels: Tensor::from_vec(levels, (1, k), &device).unwrap(),
            actions: acted.clone(),
            belief: None,
        };
        let level = Tensor::full(level, 1, &device).unwrap();
        let out = imagination.network().forward(&noisy, &level, &window);
        out.unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    let base = said(0.5, vec![0.1; k]);
    assert_eq!(base, said(0.5, vec![0.1; k]));
    assert_ne!(base, said(0.6, vec![0.1; k]), "the frame to predict");
    for i in 0..k {
        let mut levels = vec![0.1; k];
        levels[i] = 0.2;
        assert_ne!(base, said(0.5, levels), "frame {i} of the context");
    }
}

#[test]
fn noise_levels_fall_from_one_to_zero_and_a_perfect_network_is_followed_exactly() {
    assert_eq!(flow::levels(4), [1.0, 0.75, 0.5, 0.25, 0.0]);
    assert_eq!(flow::levels(0), [1.0, 0.0]);
    // On the straight path x = (1 − τ)·z + τ·ε a step with the true z stays on the path.
    let (z, e) = (0.7f32, -1.3f32);
    let at = |level: f32| (1.0 - level) * z + level * e;
    for pair in flow::levels(5).windows(2) {
        let keep = flow::keep(pair[0], pair[1]);
        assert!((at(pair[0]) * keep + z * (1.0 - keep) - at(pair[1])).abs() < 1e-6);
    }
}

#[test]
fn what_is_saved_imagines_the_same_and_a_training_repeats_to_the_bit() {
    let recipe = small_recipe(small());
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(train(&recipe, one.path(), None, false), Outcome::Finished);
    for file in [
        "model.safetensors",
        "card.ron",
        "train.ron",
        "curve.jsonl",
        "rollouts.png",
    ] {
        assert!(one.path().join(file).is_file(), "{file} is missing");
    }
    let card = Card::load(one.path()).unwrap();
    assert_eq!(
        (card.steps, card.architecture.as_str()),
        (14, "latent_diffusion")
    );
    // Interrupted somewhere, and again at once, it ends with the same bits.
    let mut outcome = train(&recipe, two.path(), Some(0.001), false);
    for _ in 0..200 {
        if outcome == Outcome::Finished {
            break;
        }
        outcome = train(&recipe, two.path(), Some(0.001), true);
    }
    if outcome == Outcome::Paused {
        outcome = train(&recipe, two.path(), None, true);
    }
    assert_eq!(outcome, Outcome::Finished);
    assert_eq!(Card::load(two.path()).unwrap().sha256, card.sha256);

    let context = context(&moving_squares(1, 8), 4);
    let frames = |dir: &Path| -> Frames {
        let model = registry::load(dir, &Device::Cpu).unwrap();
        let actions = actions(2, 3, 2);
        sampled(model.as_ref(), &context, &actions, Sampling::default())
    };
    assert_eq!(frames(one.path()), frames(two.path()));
    let params = Params::load(&one.path().join("model.safetensors"), &Device::Cpu).unwrap();
    let again = LatentDiffusion::new(card, &recipe.model, &params).unwrap();
    assert_eq!(
        frames(one.path()),
        imagined(&again, &context, &actions(2, 3, 2))
    );
}

#[test]
fn a_draw_is_repeated_and_another_differs() {
    let model = awake(&small());
    let context = context(&moving_squares(1, 8), 4);
    let first = imagined(&model, &context, &actions(1, 3, 2));
    let batch = imagined(&model, &context, &actions(5, 3, 2));
    for t in 0..3 {
        assert_eq!(
            first.at(0, t),
            batch.at(0, t),
            "a batch gives what is given alone"
        );
    }
    let run = |sampling| sampled(&model, &context, &actions(1, 3, 2), sampling);
    assert_ne!(first, run(Sampling::default().draw(1)));
    assert_ne!(first, run(Sampling::nfe(5)));
    assert_eq!(first, run(Sampling::nfe(3)));
    let flops = |sampling| model.cost(sampling).dynamics_flops;
    assert_eq!(
        flops(Sampling::nfe(3)) / 3.0,
        flops(Sampling::nfe(1)),
        "the cost counts evaluations"
    );
}

#[test]
fn samples_are_different_futures_and_the_first_is_the_imagined_one() {
    let model = awake(&small());
    let data = moving_squares(1, 8);
    let latent = model.observe(&context(&data, 3)).unwrap();
    let (one, cancel) = (actions(1, 2, 2), Cancel::new());
    let usual = Sampling::default();
    let several = |a: &Actions| futures(&model, &latent, a, usual, 3, &cancel);
    let futures = several(&one).unwrap().unwrap();
    assert_eq!((futures.n, futures.steps), (3, 2));
    let rollouts = model.imagine(&latent, &one, usual, &cancel).unwrap();
    let frames = model.frames(&rollouts).unwrap();
    assert_eq!(futures.at(0, 1), frames.at(0, 1));
    assert_ne!(futures.at(1, 1), futures.at(0, 1));
    assert_ne!(futures.at(2, 1), futures.at(1, 1));
    assert!(several(&actions(2, 2, 2)).is_err());
}

#[test]
fn distances_prefer_the_goal_itself_and_features_are_the_latent() {
    for metric in [Metric::Latents, Metric::Pixels, Metric::Colours] {
        let model = awake(&small());
        let is_latent = matches!(metric, Metric::Latents);
        let data = moving_squares(1, 8);
        let latent = model.observe(&context(&data, 4)).unwrap();
        let rollouts = model
            .imagine(
                &latent,
                &actions(2, 2, 2),
                Sampling::default(),
                &Cancel::new(),
            )
            .unwrap();
        let frames = model.frames(&rollouts).unwrap();
        let goal = Goal::new(frames.size, frames.at(1, 1).to_vec());
        let distances = model.distance(&rollouts, &goal, &metric).unwrap();
        assert_eq!(distances.len(), 4);
        assert!(distances.iter().all(|d| d.is_finite() && *d >= 0.0));
        if !is_latent {
            // A decoded frame encodes to another latent than the imagined one in an untrained autoencoder.
            assert!(
                distances.iter().all(|d| *d >= distances[3]),
                "{distances:?}"
            );
        }
        let features = model.features(&context(&data, 1)).unwrap();
        assert_eq!(features.len(), small().latent_len());
        let surprise = model
            .surprise(
                &context(&data, 4),
                &actions(1, 1, 2),
                &context(&data, 5).frames[4],
            )
            .unwrap();
        assert!(surprise.is_finite() && surprise > 0.0);
        let real = Frames::sequence(data.size, data.frames.clone());
        let again = model.reconstruct(&real).unwrap().unwrap();
        assert_eq!(
            (again.steps, again.data.len()),
            (real.steps, real.data.len())
        );
    }
}

#[test]
fn wrong_inputs_are_named() {
    let model = awake(&small());
    let data = moving_squares(1, 8);
    let mut wrong = context(&data, 4);
    wrong.frames[3].data.pop();
    let error = model.observe(&wrong).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("767 bytes"), "{error}");
    let latent = model.observe(&context(&data, 1)).unwrap();
    let too_many = model
        .imagine(
            &latent,
            &actions(1, 1, 3),
            Sampling::default(),
            &Cancel::new(),
        )
        .map(|_| ())
        .unwrap_err()
        .to_string();
    assert!(too_many.contains("at most 2"), "{too_many}");
    let faulty = LatentDiffusionConfig {
        merge: 3,
        ..small()
    };
    assert_eq!(faulty.check().unwrap_err().0, "merge");
}

#[test]
fn a_regression_twin_says_one_thing_and_learns_from_nothing_but_the_context() {
    let twin = LatentDiffusionConfig {
        objective: Objective::Regression,
        ..small()
    };
    let model = awake(&twin);
    let context = context(&moving_squares(1, 8), 4);
    let first = imagined(&model, &context, &actions(1, 3, 2));
    let other = Sampling::nfe(7).draw(1);
    assert_eq!(
        first,
        sampled(&model, &context, &actions(1, 3, 2), other),
        "no noise, one evaluation"
    );
    let data = moving_squares(2, 10);
    let encoded = encoded(&data, &twin);
    let (phase, device) = (DynamicsPhase::default(), Device::Cpu);
    let windows = Windows::new(&data, &encoded, &[0, 1], &twin, &phase, 1, &device).unwrap();
    let step = &windows.draw(0, 4, 1).unwrap().steps[0];
    let largest = |t: &Tensor| {
        let t = t.abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        t.to_scalar::<f32>().unwrap()
    };
    assert_eq!(
        (largest(&step.noisy), largest(&step.context_noise)),
        (0.0, 0.0)
    );
    assert!(largest(&step.target) > 0.0);
    // The twin of a trained model begins with its weights and keeps its latents.
    let recipe = small_recipe(small());
    let (of, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    train(&recipe, of.path(), None, false);
    let recipe = LatentRecipe {
        start: Some(of.path().into()),
        ..small_recipe(twin)
    };
    assert_eq!(train(&recipe, out.path(), None, false), Outcome::Finished);
    let weights = |dir: &Path| {
        let path = dir.join("model.safetensors");
        let params = Params::load(&path, &Device::Cpu).unwrap();
        LatentDiffusion::new(crate::diffusion_imagines::card(), &small(), &params).unwrap();
        (
            values(&params.pp("autoencoder")),
            values(&params.pp("dynamics")),
        )
    };
    let (before, after) = (weights(of.path()), weights(out.path()));
    assert_eq!(before.0, after.0, "the autoencoder stays");
    assert_ne!(before.1, after.1, "the transformer learns");
}

#[test]
fn the_fused_transformer_parts_are_the_composed_ones() {
    let mut rng = Rng::seed(3);
    let device = Device::Cpu;
    let mut var = |shape: &[usize]| Var::from_tensor(&rng.normal(shape, &device).unwrap()).unwrap();
    let (x, branch, condition, gate) = (
        var(&[3, 5, 16]),
        var(&[3, 5, 16]),
        var(&[3, 32]),
        var(&[3, 16]),
    );
    let (packed, probe) = (var(&[3, 5, 48]), var(&[3, 5, 16]));
    let close = |fused: Tensor, composed: Tensor, vars: &[&Var]| {
        let difference = |a: &Tensor, b: &Tensor| {
            let d = (a - b).unwrap().abs().unwrap().max_all().unwrap();
            d.to_scalar::<f32>().unwrap()
        };
        assert!(difference(&fused, &composed) < 2e-5);
        let grads = |y: &Tensor| {
            let loss = (y * probe.as_tensor()).unwrap().sum_all().unwrap();
            loss.backward().unwrap()
        };
        let (a, b) = (grads(&fused), grads(&composed));
        for var in vars {
            let (a, b) = (a.get(var.as_tensor()), b.get(var.as_tensor()));
            let off = difference(a.unwrap(), b.unwrap());
            assert!(off < 1e-4, "gradient differs by {off}");
        }
    };
    close(
        ops::modulated_norm(&x, &condition, 1e-6).unwrap(),
        ops::composed::modulated_norm(&x, &condition, 1e-6).unwrap(),
        &[&x, &condition],
    );
    close(
        ops::gated_add(&x, &branch, &gate).unwrap(),
        ops::composed::gated_add(&x, &branch, &gate).unwrap(),
        &[&x, &branch, &gate],
    );
    for causal in [false, true] {
        close(
            ops::attention(&packed, 4, causal).unwrap(),
            ops::composed::attention(&packed, 4, causal).unwrap(),
            &[&packed],
        );
    }
}

/// One target there can be, the second frame: of its two actions the latest led to it, and before the
/// episode there was none.
#[test]
fn the_actions_of_an_example_lead_up_to_its_target() {
    let model = small();
    let mut data = moving_squares(1, 2);
    data.actions = vec![0.3, -0.2, 0.9, 0.8];
    let encoded = encoded(&data, &model);
    let phase = DynamicsPhase::default();
    let windows = Windows::new(&data, &encoded, &[0], &model, &phase, 1, &Device::Cpu).unwrap();
    let examples = windows.draw(0, 1, 1).unwrap();
    let actions: Vec<f32> = examples.steps[0]
        .actions
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    assert_eq!(actions, [0.0, 0.0, 0.3, -0.2]);
}
