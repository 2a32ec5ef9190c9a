//! A diffusion over a JEPA's tokens sees as the finished JEPA does and nothing of that moves; it plans by the
//! distance of tokens, and its films come from a decoder that was trained on them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use parallax::model::facets::{Pixels, Plans};
use parallax::model::generative::{AutoencoderConfig, Eye, LatentDiffusionConfig};
use parallax::model::hybrid::{TokenDiffusion, TokenDiffusionConfig, TokenEye};
use parallax::model::jepa::vjepa::{ActionJepa, VjepaConfig};
use parallax::model::nn::{Params, Rng};
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Frame, Goal, Metric, Sampling, WorldModel, folder,
    registry,
};
use parallax::train::latent::{AutoencoderPhase, DynamicsPhase};
use parallax::train::tokens::{TokenRecipe, fit_projection};
use parallax::train::{Architecture, Length, Outcome, Pace, TrainConfig, run_on};

use crate::lewm_trains::{experience, options};

/// The V-JEPA that ships.
fn jepa() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/vjepa-ac")
}

fn diffusion() -> LatentDiffusionConfig {
    LatentDiffusionConfig {
        autoencoder: AutoencoderConfig {
            width: 16,
            inner_width: 16,
            encoder_blocks: 0,
            channels: 8,
            ..Default::default()
        },
        context: 3,
        actions: 2,
        action_dim: 2,
        width: 32,
        layers: 1,
        heads: 2,
        local: 1,
        hidden: 32,
        embed: 32,
        ..Default::default()
    }
}

fn network() -> TokenDiffusionConfig {
    TokenDiffusionConfig {
        jepa: folder::network::<VjepaConfig>(&jepa()).unwrap(),
        diffusion: diffusion(),
    }
}

fn pace() -> Pace {
    Pace {
        length: Length::Steps(6),
        batch: 4,
        warmup_steps: 2,
        ..Default::default()
    }
}

fn recipe() -> TokenRecipe {
    TokenRecipe {
        jepa: jepa(),
        diffusion: diffusion(),
        decoder: AutoencoderPhase {
            pace: pace(),
            ..Default::default()
        },
        dynamics: DynamicsPhase {
            pace: pace(),
            self_rolled_from: 0.5,
            self_rolled_steps: 2,
            ..Default::default()
        },
    }
}

fn config(recipe: TokenRecipe) -> TrainConfig {
    TrainConfig {
        name: "tokens".into(),
        summary: "A test".into(),
        seed: 7,
        data: Vec::<PathBuf>::new(),
        episodes: None,
        validation_share: 0.1,
        architecture: Architecture::TokenDiffusion(recipe),
    }
}

/// A model of a few steps.
fn trained() -> &'static Path {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let outcome = run_on(&config(recipe()), experience(), &options(dir.path())).unwrap();
        assert_eq!(outcome, Outcome::Finished);
        dir
    });
    dir.path()
}

fn situation() -> (Context, Actions, Goal) {
    let data = experience();
    let frame = |i: usize| Frame::new(data.size, data.frame(i).to_vec());
    let context = Context {
        frames: vec![frame(0), frame(1)],
        actions: vec![data.action(0).to_vec()],
    };
    let actions = Actions {
        n: 2,
        steps: 3,
        dim: 2,
        data: (0..12).map(|i| (i as f32 * 0.7).sin()).collect(),
    };
    (context, actions, Goal::new(frame(30).size, frame(30).data))
}

#[test]
fn the_jepas_encoder_is_as_it_shipped_after_a_training() {
    let read = |dir: &Path| {
        candle_core::safetensors::load(dir.join(folder::WEIGHTS), &Device::Cpu).unwrap()
    };
    let (found, shipped) = (read(trained()), read(&jepa()));
    let of_encoder = |n: &&String| n.starts_with("target.");
    let names: Vec<&String> = shipped.keys().filter(of_encoder).collect();
    assert!(names.len() > 8);
    assert_eq!(names.len(), found.keys().filter(of_encoder).count());
    for name in names {
        let numbers = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<half::f16>().unwrap();
        assert_eq!(
            numbers(&shipped[name]),
            numbers(&found[name]),
            "{name} moved"
        );
    }
    let (card, eye) = (Card::load(trained()).unwrap(), Card::load(&jepa()).unwrap());
    let known = (card.camp, card.architecture.as_str());
    assert_eq!(known, (Camp::Hybrid, "token_diffusion"));
    // The trainings that made the JEPA, and the JEPA itself as the last.
    assert_eq!(card.stages.len(), eye.stages.len() + 1);
    assert_eq!(card.stages.last().unwrap().sha256, eye.sha256);
}

#[test]
fn it_is_opened_as_any_world_model_and_plans_by_the_distance_of_tokens() {
    let model = registry::load(trained(), &Device::Cpu).unwrap();
    let (context, actions, goal) = situation();
    let latent = model.observe(&context).unwrap();
    let imagined = model
        .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
        .unwrap();
    let can = model.facets();
    let frames = can.frames(&imagined).unwrap().unwrap();
    assert_eq!((frames.n, frames.steps, frames.size), (2, 3, 64));
    let plans = can.plans.unwrap();
    let measured = |metric: Metric| plans.distance(&imagined, &goal, &metric).unwrap();
    let own = measured(Metric::Own);
    assert_eq!(own.len(), 2 * 3);
    assert_eq!(own, measured(Metric::Latents));
    assert_ne!(own, measured(Metric::Colours));
    let features = can.latents.unwrap().features(&context).unwrap();
    assert_eq!(features.len(), 8 * 8 * 8);
    let eye = TokenEye::of(
        &folder::network(trained()).unwrap(),
        &folder::weights(trained(), &Device::Cpu).unwrap(),
    )
    .unwrap();
    assert_eq!(
        features,
        eye.encode(&context.frames[1].data).unwrap(),
        "probes read what the dynamics imagines"
    );
}

#[test]
fn its_latents_are_the_jepas_tokens_standardised_and_narrowed() {
    let data = experience();
    let config = network();
    let shipped = Params::load(&jepa().join(folder::WEIGHTS), &Device::Cpu).unwrap();
    let jepa = ActionJepa::new(&config.jepa, &shipped).unwrap();
    let params = shipped.drawing_missing(3);
    let eye = TokenEye::of(&config, &params).unwrap();
    let episodes: Vec<usize> = (0..data.episodes.len()).collect();
    let share = fit_projection(data, &episodes, &eye).unwrap();
    assert!(
        (0.5..1.0).contains(&share),
        "it keeps {share} of the variance"
    );
    // The same tokens, of which the JEPA's planner lays squares side by side.
    let bytes = data.frame(5);
    let tokens = eye
        .tokens(bytes)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    let maps = jepa
        .encode_frames(bytes)
        .unwrap()
        .flatten_all()
        .unwrap()
        .to_vec1::<f32>()
        .unwrap();
    let (grid, width, merge) = (config.jepa.grid(), config.jepa.width, config.jepa.merge);
    assert!(merge > 1, "the order differs");
    for cell in 0..grid * grid {
        let (row, column) = (cell / grid, cell % grid);
        let square = row / merge * (grid / merge) + column / merge;
        let at = square * merge * merge + row % merge * merge + column % merge;
        for i in 0..width {
            let (a, b) = (tokens[cell * width + i], maps[at * width + i]);
            assert!(
                (a - b).abs() < 1e-5,
                "cell {cell}, channel {i}: {a} and {b}"
            );
        }
    }
    let latents = eye.encode(&data.frames).unwrap();
    let channels = config.diffusion.channels();
    for c in 0..channels {
        let own: Vec<f32> = latents[c..].iter().step_by(channels).copied().collect();
        let mean = own.iter().sum::<f32>() / own.len() as f32;
        let variance = own.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / own.len() as f32;
        assert!(
            mean.abs() < 0.05 && (variance - 1.0).abs() < 0.1,
            "channel {c}: mean {mean}, variance {variance}"
        );
    }
}

#[test]
fn other_actions_are_another_future() {
    let params = Params::load(&jepa().join(folder::WEIGHTS), &Device::Cpu)
        .unwrap()
        .drawing_missing(5);
    let card = Card::untrained("tokens", Camp::Hybrid, "token_diffusion");
    let model = TokenDiffusion::new(card, &network(), &params).unwrap();
    fit_projection(
        experience(),
        &[0, 1],
        &TokenEye::of(&network(), &params).unwrap(),
    )
    .unwrap();
    let mut rng = Rng::seed(5);
    for (_, var) in params.pp("dynamics").vars() {
        let noise = (rng.normal(var.shape(), &Device::Cpu).unwrap() * 0.1).unwrap();
        var.set(&(var.as_detached_tensor() + noise).unwrap())
            .unwrap();
    }
    let (context, actions, goal) = situation();
    let latent = model.observe(&context).unwrap();
    let imagined = model
        .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
        .unwrap();
    let frames = model.frames(&imagined).unwrap();
    assert_ne!(frames.at(0, 2), frames.at(1, 2));
    let distances = model.distance(&imagined, &goal, &Metric::Own).unwrap();
    assert_ne!(distances[2], distances[5]);
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut TokenRecipe)| {
        let (dir, mut changed) = (tempfile::tempdir().unwrap(), recipe());
        change(&mut changed);
        let error = run_on(&config(changed), experience(), &options(dir.path())).unwrap_err();
        assert!(!dir.path().join("card.ron").exists());
        error.to_string()
    };
    for (field, said) in [
        (
            "diffusion.autoencoder.encoder_blocks",
            refused(&|r| r.diffusion.autoencoder.encoder_blocks = 1),
        ),
        (
            "diffusion.autoencoder.patch",
            refused(&|r| r.diffusion.autoencoder.patch = 8),
        ),
        ("diffusion.size", refused(&|r| r.diffusion.size = 32)),
        (
            "decoder.latent_noise",
            refused(&|r| r.decoder.latent_noise = -1.0),
        ),
        (
            "dynamics.pace.batch",
            refused(&|r| r.dynamics.pace.batch = 0),
        ),
        (
            "vjepa_ac",
            refused(&|r| r.jepa = jepa().with_file_name("lewm-push")),
        ),
        ("nowhere", refused(&|r| r.jepa = "nowhere".into())),
    ] {
        assert!(said.contains(field), "{field}: {said}");
    }
}
