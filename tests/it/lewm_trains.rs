//! LeWM learns: gradients reach every variable, losses fall, an interrupted training goes on to the same
//! bits.

use candle_core::{DType, Device, Tensor};
use parallax::episode::Dataset;
use parallax::model::facets::{Plans, Surprise};
use parallax::model::jepa::{
    Decoder, DecoderSizes, JointWeights, Lewm, LewmConfig, LewmModel, joint_loss, open_loop_loss,
};
use parallax::model::nn::{AdamW, AdamWConfig, Head, Params, Rng};
use parallax::model::{
    Actions, Cancel, Card, Context, Frame, Goal, Metric, Sampling, WorldModel, folder,
};
use parallax::train::{
    Architecture, JointPhase, Length, LewmRecipe, Outcome, PredictorPhase, ProposalPhase,
    ReadoutPhase, TrainConfig, TrainOptions, run_on,
};
use std::path::Path;
use std::sync::OnceLock;

use crate::support::{recorded, shortened};

pub fn experience() -> &'static Dataset {
    static DATA: OnceLock<Dataset> = OnceLock::new();
    DATA.get_or_init(|| recorded(&shortened("push", 36), 0..20))
}

pub fn small() -> LewmConfig {
    LewmConfig {
        latent_dim: 16,
        encoder_hidden: 32,
        predictor_width: 32,
        inverse_width: 16,
        ..Default::default()
    }
}

pub fn batch(model: &Lewm, sequences: usize) -> (Tensor, Tensor) {
    let data = experience();
    let starts: Vec<usize> = data
        .windows(5, 5)
        .into_iter()
        .step_by(7)
        .take(sequences)
        .collect();
    let (mut frames, mut actions) = (Vec::new(), Vec::new());
    for start in starts {
        (0..5).for_each(|t| frames.extend_from_slice(data.frame(start + 5 * t)));
        (0..20).for_each(|t| actions.extend_from_slice(data.action(start + t)));
    }
    let actions = Tensor::from_vec(actions, (sequences, 4, 10), &Device::Cpu).unwrap();
    (model.pixels(&frames).unwrap(), actions)
}

/// The other head, and a predictor that sees what moves.
fn keypoints() -> LewmConfig {
    LewmConfig {
        head: Head::Keypoints,
        encoder_channels: [16, 16, 8],
        history: 2,
        ..small()
    }
}

#[test]
fn gradients_reach_every_variable_and_move_it() {
    gradients_reach_every_variable_of(&small());
    gradients_reach_every_variable_of(&keypoints());
}

fn gradients_reach_every_variable_of(config: &LewmConfig) {
    let params = Params::fresh(3, &Device::Cpu);
    let model = Lewm::new(config, &params).unwrap();
    let (pixels, actions) = batch(&model, 12);
    let mut optimiser = AdamW::new(params.vars(), AdamWConfig::default()).unwrap();
    let mut rng = Rng::seed(4);
    // The predictor's last layer starts at zero, so what lies before it hears nothing in the first step.
    for step in 0..2 {
        let loss = joint_loss(
            &model,
            &pixels,
            &actions,
            &JointWeights::default(),
            &mut rng,
        )
        .unwrap();
        let grads = loss.total.backward().unwrap();
        let before: Vec<Vec<f32>> = params
            .vars()
            .iter()
            .map(|(_, v)| v.flatten_all().unwrap().to_vec1().unwrap())
            .collect();
        let norm = optimiser.step(&grads, 1e-3, Some(1.)).unwrap();
        assert!(norm.is_finite() && norm > 0.);
        if step == 0 {
            continue;
        }
        for ((name, var), before) in params.vars().iter().zip(before) {
            let grad = grads
                .get(var.as_tensor())
                .unwrap_or_else(|| panic!("no gradient reaches {name}"));
            let size = grad
                .sqr()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap();
            assert!(
                size.is_finite() && size > 1e-14,
                "{name}: squared gradient {size}"
            );
            let after: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
            assert_ne!(before, after, "{name} did not move");
        }
    }
}

/// A disc drawn at a known place: its keypoint is a linear function of the place, wherever it lies between
/// pixels.
#[test]
fn keypoints_are_mean_places() {
    let config = LewmConfig {
        latent_dim: 4,
        encoder_channels: [8, 8, 2],
        ..keypoints()
    };
    let model = Lewm::new(&config, &Params::fresh(9, &Device::Cpu)).unwrap();
    let draw = |x: usize| {
        let mut frame = vec![127u8; 64 * 64 * 3];
        for (i, p) in frame.chunks_exact_mut(3).enumerate() {
            if (i % 64).abs_diff(x) < 6 && (i / 64).abs_diff(30) < 6 {
                p.copy_from_slice(&[255, 0, 0]);
            }
        }
        frame
    };
    // Whole cells of four pixels apart: the map is the same, shifted, and so are its means.
    let frames: Vec<u8> = [20, 24, 28].into_iter().flat_map(draw).collect();
    let z: Vec<Vec<f32>> = model.encode_frames(&frames).unwrap().to_vec2().unwrap();
    let moved = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| b - a).collect::<Vec<_>>();
    let (first, second) = (moved(&z[0], &z[1]), moved(&z[1], &z[2]));
    let size = first.iter().fold(0f32, |m, v| m.max(v.abs()));
    assert!(size > 0.);
    for (a, b) in first.iter().zip(&second) {
        assert!((a - b).abs() < 0.02 * size, "{first:?} {second:?}");
    }
}

#[test]
fn planning_by_rows_equals_the_layers() {
    for config in [small(), keypoints()] {
        let params = Params::fresh(8, &Device::Cpu);
        let mut rng = Rng::seed(9);
        let model = Lewm::new(&config, &params).unwrap();
        // The last layer starts at zero and would hide the others.
        for (_, var) in params.pp("predictor").vars() {
            let noise: Tensor = rng
                .uniform(-0.3, 0.3, var.dims().to_vec(), &Device::Cpu)
                .unwrap();
            var.set(&noise).unwrap();
        }
        let (n, steps, known) = (123, 4, config.history * config.latent_dim);
        let start: Tensor = rng.uniform(-1., 1., (1, known), &Device::Cpu).unwrap();
        let actions: Tensor = rng.uniform(-1., 1., (n, steps, 10), &Device::Cpu).unwrap();
        let all = start
            .broadcast_as((n, known))
            .unwrap()
            .contiguous()
            .unwrap();
        let layers = model.roll_out(&all, &actions, None).unwrap();
        let layers: Vec<f32> = layers.flatten_all().unwrap().to_vec1().unwrap();
        let start: Vec<f32> = start.flatten_all().unwrap().to_vec1().unwrap();
        let actions: Vec<f32> = actions.flatten_all().unwrap().to_vec1().unwrap();
        let rollout = model.rollout().unwrap();
        let rows = rollout.run(&start, &actions, steps);
        assert_eq!(rows.len(), layers.len());
        let size = layers.iter().fold(0f32, |m, v| m.max(v.abs()));
        for (a, b) in rows.iter().zip(&layers) {
            assert!((a - b).abs() < 1e-5 * size, "{a} {b}");
        }
        let alone = rayon::ThreadPoolBuilder::new()
            .num_threads(1)
            .build()
            .unwrap();
        assert!(
            rows == alone.install(|| rollout.run(&start, &actions, steps)),
            "the number of threads shows"
        );
    }
}

#[test]
fn one_batch_is_overfitted() {
    let params = Params::fresh(5, &Device::Cpu);
    let model = Lewm::new(&small(), &params).unwrap();
    let (pixels, actions) = batch(&model, 12);
    let mut optimiser = AdamW::new(params.vars(), AdamWConfig::default()).unwrap();
    let mut rng = Rng::seed(6);
    let (mut first, mut last) = (0., 0.);
    for step in 0..80 {
        let loss = joint_loss(
            &model,
            &pixels,
            &actions,
            &JointWeights::default(),
            &mut rng,
        )
        .unwrap();
        optimiser
            .step(&loss.total.backward().unwrap(), 2e-3, Some(1.))
            .unwrap();
        last = loss.total.to_scalar::<f32>().unwrap();
        if step == 0 {
            first = last;
        }
    }
    assert!(last < 0.5 * first, "loss went from {first} to {last}");
}

#[test]
fn the_predictor_learns_on_stored_latents() {
    let params = Params::fresh(7, &Device::Cpu);
    let model = Lewm::new(&small(), &params).unwrap();
    let (pixels, actions) = batch(&model, 12);
    let z = model
        .encode(&pixels, true)
        .unwrap()
        .detach()
        .reshape((12, 5, 16))
        .unwrap();
    let mut optimiser = AdamW::new(params.pp("predictor").vars(), AdamWConfig::default()).unwrap();
    let loss = || open_loop_loss(&model, &z, &actions, None, None).unwrap();
    let first = loss().to_scalar::<f32>().unwrap();
    for _ in 0..60 {
        optimiser
            .step(&loss().backward().unwrap(), 3e-3, Some(1.))
            .unwrap();
    }
    let last = loss().to_scalar::<f32>().unwrap();
    assert!(last < 0.5 * first, "loss went from {first} to {last}");
}

#[test]
fn an_error_as_the_planner_measures_it_is_added_to_that_of_the_latents() {
    let params = Params::fresh(7, &Device::Cpu);
    let model = Lewm::new(&small(), &params).unwrap();
    let (pixels, actions) = batch(&model, 4);
    let z = model.encode(&pixels, true).unwrap().detach();
    let z = z.reshape((4, 5, 16)).unwrap();
    let loss = |planned: Option<(f64, &Tensor)>| -> f32 {
        let found = open_loop_loss(&model, &z, &actions, planned, None).unwrap();
        found.to_scalar().unwrap()
    };
    let plain = loss(None);
    // A distance that measures as the latents do, twice as long: four times the square.
    let twice = (Tensor::eye(16, DType::F32, &Device::Cpu).unwrap() * 2.).unwrap();
    assert!(plain > 0. && (loss(Some((0.5, &twice))) - 3. * plain).abs() < 1e-4 * plain);
}

#[test]
fn a_training_that_starts_from_a_finished_model_keeps_all_but_its_predictor() {
    let (of, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let done = run_on(&config(), experience(), &options(of.path())).unwrap();
    assert_eq!(done, Outcome::Finished);
    let mut second = config();
    let Architecture::Lewm(recipe) = &mut second.architecture else {
        unreachable!("the small recipe is a LeWM's");
    };
    recipe.start = Some(of.path().into());
    recipe.predictor.planned = 0.3;
    let refused = run_on(&second, experience(), &options(out.path())).unwrap_err();
    assert!(refused.to_string().contains("proposal"), "{refused}");
    let Architecture::Lewm(recipe) = &mut second.architecture else {
        unreachable!("the small recipe is a LeWM's");
    };
    recipe.proposal = None;
    let done = run_on(&second, experience(), &options(out.path())).unwrap();
    assert_eq!(done, Outcome::Finished);
    let tensors = |dir: &Path, file: &str| {
        candle_core::safetensors::load(dir.join(file), &Device::Cpu).unwrap()
    };
    let (before, after) = (
        tensors(of.path(), "model.safetensors"),
        tensors(out.path(), "model.safetensors"),
    );
    assert_eq!(before.len(), after.len());
    assert!(before.keys().any(|name| name.starts_with("proposal.")));
    let bytes = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<half::f16>().unwrap();
    let mut learned = 0;
    for (name, was) in &before {
        let is_same = bytes(was) == bytes(&after[name]);
        if name.starts_with("predictor.") {
            learned += usize::from(!is_same);
        } else if name != "whitening" {
            assert!(is_same, "{name} changed");
        }
    }
    assert!(learned > 2, "the predictor learns");
    for file in ["readouts.safetensors", "readouts.json"] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(of.path()) == read(out.path()), "{file} differs");
    }
}

pub fn config() -> TrainConfig {
    TrainConfig {
        name: "test".into(),
        summary: "A test".into(),
        seed: 11,
        data: Vec::new(),
        episodes: None,
        validation_share: 0.2,
        architecture: Architecture::Lewm(LewmRecipe {
            model: small(),
            start: None,
            joint: JointPhase {
                length: Length::Steps(6),
                batch: 8,
                judge_every: 4,
                ..Default::default()
            },
            predictor: PredictorPhase {
                length: Length::Steps(6),
                batch: 16,
                rollout: 3,
                ..Default::default()
            },
            readouts: ReadoutPhase {
                steps: 20,
                decoder: Some(DecoderSizes {
                    width: 32,
                    layers: 2,
                    patch: 8,
                }),
                decoder_steps: 20,
                ..Default::default()
            },
            proposal: Some(ProposalPhase {
                steps: 10,
                batch: 16,
                ..Default::default()
            }),
        }),
    }
}

pub fn options(out: &Path) -> TrainOptions {
    TrainOptions {
        device: Device::Cpu,
        minutes: None,
        resume: false,
        out: out.into(),
        ..Default::default()
    }
}

#[test]
fn an_interrupted_training_ends_in_the_same_bits() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(
        run_on(&config(), experience(), &options(whole.path())).unwrap(),
        Outcome::Finished
    );
    let stop = TrainOptions {
        minutes: Some(0.),
        ..options(parts.path())
    };
    assert_eq!(
        run_on(&config(), experience(), &stop).unwrap(),
        Outcome::Paused
    );
    // A few milliseconds at a time, so that both phases are cut somewhere.
    let go_on = TrainOptions {
        resume: true,
        minutes: Some(0.01),
        ..options(parts.path())
    };
    let mut runs = 0;
    while run_on(&config(), experience(), &go_on).unwrap() == Outcome::Paused {
        runs += 1;
        assert!(runs < 100, "the training does not end");
    }
    for file in [
        "model.safetensors",
        "readouts.safetensors",
        "readouts.json",
        "train.ron",
        "model.ron",
    ] {
        let read = |dir: &Path| std::fs::read(dir.join(file)).unwrap();
        assert!(read(whole.path()) == read(parts.path()), "{file} differs");
    }
}

#[test]
fn a_trained_folder_loads_and_imagines() {
    let dir = tempfile::tempdir().unwrap();
    run_on(&config(), experience(), &options(dir.path())).unwrap();
    let read = TrainConfig::load(&dir.path().join("train.ron")).unwrap();
    assert_eq!(read, config());
    let Architecture::Lewm(recipe) = &read.architecture else {
        panic!("another architecture was read")
    };
    let card = Card::load(dir.path()).unwrap();
    let model = LewmModel::load(dir.path(), card, &recipe.model, &Device::Cpu).unwrap();
    let frame = Frame::new(64, experience().frame(0).to_vec());
    let context = Context::one(frame.clone());
    let sampling = Sampling::default();
    let latent = model.observe(&context).unwrap();
    let actions = Actions {
        n: 3,
        steps: 10,
        dim: 2,
        data: vec![0.1; 60],
    };
    let rollouts = model
        .imagine(&latent, &actions, sampling, &Cancel::new())
        .unwrap();
    let goal = Goal {
        frame: frame.clone(),
        latent: None,
    };
    let can = model.facets();
    let distance = model.distance(&rollouts, &goal, &Metric::Own).unwrap();
    assert_eq!(distance.len(), 6);
    assert!(distance.iter().all(|d| d.is_finite() && *d >= 0.));
    let probes = can.readouts.expect("read-outs were trained");
    let states = probes.states(&rollouts).unwrap();
    assert_eq!(states.bodies, ["hand", "cube"]);
    assert_eq!(states.poses.len(), 3 * 2 * 2);
    let prior = can.proposals.expect("an action prior was trained");
    let propose = |seed| prior.propose(&latent, &goal, 6, 12, 2, seed).unwrap();
    let proposed = propose(5);
    assert_eq!((proposed.n, proposed.steps, proposed.dim), (6, 12, 2));
    assert_eq!(proposed.data.len(), 6 * 12 * 2);
    assert!(proposed.data.iter().all(|a| (-1. ..=1.).contains(a)));
    assert!(propose(5) == proposed, "a seed decides");
    assert!(propose(6) != proposed);
    assert!(can.pixels.is_none(), "a JEPA has no pixels of its own");
    let decoder = can.decoder.expect("a decoder was trained");
    let drawn = decoder.decoded(&rollouts).unwrap();
    assert_eq!((drawn.n, drawn.steps, drawn.size), (3, 2, 64));
    assert_eq!(drawn.data.len(), 3 * 2 * 64 * 64 * 3);
    let one = Actions {
        n: 1,
        steps: 5,
        dim: 2,
        data: vec![0.1; 10],
    };
    assert!(model.surprise(&context, &one, &frame).unwrap().is_finite());
    assert!(
        model
            .imagine(
                &latent,
                &Actions {
                    n: 1,
                    steps: 7,
                    dim: 2,
                    data: vec![0.; 14]
                },
                sampling,
                &Cancel::new()
            )
            .is_err()
    );
}

#[test]
fn read_outs_anew_leave_the_rest_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    run_on(&config(), experience(), &options(dir.path())).unwrap();
    let weights = || folder::weights(dir.path(), &Device::Cpu).unwrap();
    let (before, card) = (weights(), Card::load(dir.path()).unwrap());
    let mut more = config();
    let Architecture::Lewm(recipe) = &mut more.architecture else {
        panic!("the test trains a JEPA")
    };
    recipe.readouts.steps = 40;
    recipe.readouts.decoder_steps = 40;
    let anew = TrainOptions {
        readouts_only: true,
        ..options(dir.path())
    };
    run_on(&more, experience(), &anew).unwrap();
    let (after, card_after) = (weights(), Card::load(dir.path()).unwrap());
    let Architecture::Lewm(recipe) = &more.architecture else {
        panic!("the test trains a JEPA")
    };
    let pixels = experience().frame(3).to_vec();
    let encode = |p: &Params| {
        let model = Lewm::new(&recipe.model, p).unwrap();
        let z = model.encode_frames(&pixels).unwrap();
        z.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(encode(&before), encode(&after), "the encoder was frozen");
    assert_ne!(card.readouts, card_after.readouts);
    // The action prior is fitted anew, too, and lies with the weights, since plans may take candidates from
    // it.
    assert_ne!(card.sha256, card_after.sha256);
    assert_eq!(
        (card.steps, &card.notes),
        (card_after.steps, &card_after.notes)
    );
    let sizes = recipe.readouts.decoder.unwrap();
    let draw = |p: &Params| {
        let decoder = Decoder::new(sizes, recipe.model.latent_dim, 64, p).unwrap();
        let z = Tensor::ones((1, recipe.model.latent_dim), DType::F32, &Device::Cpu).unwrap();
        decoder.draw(&z, &vec![0.5; 64 * 64 * 3]).unwrap()
    };
    assert_ne!(draw(&before), draw(&after), "the decoder was trained on");
}

#[test]
fn every_variable_of_the_decoder_learns_and_it_draws_what_it_was_shown() {
    let sizes = DecoderSizes {
        width: 48,
        layers: 2,
        patch: 8,
    };
    let params = Params::fresh(3, &Device::Cpu);
    let decoder = Decoder::new(sizes, 16, 64, &params).unwrap();
    let z = Tensor::randn(0f32, 1., (6, 16), &Device::Cpu).unwrap();
    let wanted = Tensor::randn(0f32, 0.3, (6, 64, 192), &Device::Cpu).unwrap();
    let loss = || {
        (decoder.forward(&z).unwrap() - &wanted)
            .unwrap()
            .sqr()
            .unwrap()
            .mean_all()
            .unwrap()
    };
    let mut optimiser = AdamW::new(params.vars(), AdamWConfig::default()).unwrap();
    let first = loss().to_scalar::<f32>().unwrap();
    // The last layer starts at zero: what is before it has a gradient from the second step on.
    optimiser
        .step(&loss().backward().unwrap(), 3e-3, Some(1.))
        .unwrap();
    let gradients = loss().backward().unwrap();
    for (name, var) in params.vars() {
        let gradient = gradients
            .get(&var)
            .unwrap_or_else(|| panic!("{name} has no gradient"));
        let size = gradient
            .sqr()
            .unwrap()
            .sum_all()
            .unwrap()
            .to_scalar::<f32>()
            .unwrap();
        assert!(
            size.is_finite() && size > 0.,
            "{name}: squared gradient {size}"
        );
    }
    for _ in 0..150 {
        optimiser
            .step(&loss().backward().unwrap(), 3e-3, Some(1.))
            .unwrap();
    }
    let last = loss().to_scalar::<f32>().unwrap();
    assert!(last < 0.7 * first, "loss went from {first} to {last}");
    let mut places = decoder.places();
    places.sort_unstable();
    assert!(
        places.into_iter().eq(0..64 * 64 * 3),
        "every pixel is drawn once"
    );
}

#[test]
fn a_wrong_or_damaged_weights_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    run_on(&config(), experience(), &options(dir.path())).unwrap();
    let card = Card::load(dir.path()).unwrap();
    let Architecture::Lewm(recipe) = config().architecture else {
        panic!("the test trains a JEPA")
    };
    let other = LewmConfig {
        latent_dim: 24,
        ..recipe.model.clone()
    };
    let error = LewmModel::load(dir.path(), card.clone(), &other, &Device::Cpu)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("model.safetensors") && error.contains("expected shape"),
        "{error}"
    );
    let path = dir.path().join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let error = LewmModel::load(dir.path(), card, &recipe.model, &Device::Cpu)
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("model.safetensors"), "{error}");
}
