//! A hybrid is LeWM where it plans, and a film where somebody looks: its plans are LeWM's to the bit and pay
//! for no picture, its films are drawn from what LeWM imagines and from nothing else.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::Device;
use parallax::model::facets::{Pixels, Surprise};
use parallax::model::generative::PixelDiffusionConfig;
use parallax::model::hybrid::{DrawnConfig, DrawnLewm};
use parallax::model::jepa::{LewmConfig, LewmModel};
use parallax::model::nn::{AdamWConfig, Params};
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Frame, Goal, Metric, Sampling, WorldModel, folder,
};
use parallax::train::drawn::{DrawnRecipe, DrawnTraining};
use parallax::train::{Architecture, Length, Outcome, Pace, TrainConfig, run_on};

use crate::lewm_trains::{config as lewm_config, experience, options, small};

fn lewm() -> LewmConfig {
    LewmConfig {
        frameskip: 1,
        history: 2,
        ..small()
    }
}

fn decoder() -> PixelDiffusionConfig {
    PixelDiffusionConfig {
        context: 2,
        actions: 1,
        action_dim: 8,
        context_noise: 0.0,
        width: 48,
        inner_width: 48,
        inner_blocks: 1,
        heads: 2,
        embed: 32,
        sigma_data: 0.25,
        ..Default::default()
    }
}

fn network() -> DrawnConfig {
    DrawnConfig {
        lewm: lewm(),
        denoiser: decoder(),
    }
}

/// A model whose every variable is drawn, also those that begin at zero: what does nothing tells nothing.
fn awake() -> (DrawnLewm, LewmModel) {
    let params = Params::fresh(5, &Device::Cpu);
    let card = Card::untrained("hybrid", Camp::Hybrid, "drawn_lewm");
    DrawnLewm::new(card.clone(), &network(), &params).unwrap();
    crate::diffusion_imagines::wake(&params);
    let lewm = LewmModel::from_params(card.clone(), &lewm(), &params, None).unwrap();
    (DrawnLewm::new(card, &network(), &params).unwrap(), lewm)
}

fn situation() -> (Context, Actions, Goal) {
    let data = experience();
    let frame = |i: usize| Frame::new(data.size, data.frame(i).to_vec());
    let context = Context {
        frames: vec![frame(0), frame(1)],
        actions: vec![data.action(0).to_vec()],
    };
    let actions = Actions {
        n: 3,
        steps: 4,
        dim: 2,
        data: (0..24).map(|i| (i as f32 * 0.7).sin()).collect(),
    };
    (context, actions, Goal::new(frame(30).size, frame(30).data))
}

#[test]
fn its_plans_are_lewms_and_pay_for_no_picture() {
    let (hybrid, lewm) = awake();
    let (context, actions, goal) = situation();
    let distances = |model: &dyn WorldModel| {
        let latent = model.observe(&context).unwrap();
        let imagined = model
            .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
            .unwrap();
        let plans = model.facets().plans.unwrap();
        plans.distance(&imagined, &goal, &Metric::Own).unwrap()
    };
    assert_eq!(distances(&hybrid), distances(&lewm));
    let (own, its) = (
        hybrid.cost(Sampling::default()),
        lewm.cost(Sampling::default()),
    );
    assert_eq!(own.dynamics_flops, its.dynamics_flops);
    assert_eq!(own.encode_flops, its.encode_flops);
    assert!(its.rendering_flops == 0.0 && own.rendering_flops > own.dynamics_flops);
    let more = hybrid.cost(Sampling::nfe(4)).rendering_flops
        / hybrid.cost(Sampling::nfe(1)).rendering_flops;
    assert!(
        (2.0..4.0).contains(&more),
        "four evaluations cost {more} times one"
    );
    // What a plan is said to cost: no picture where latents are compared, all of it where pictures are.
    let plans = hybrid.facets().plans.unwrap();
    for (metric, spared) in [
        (Metric::of_pictures(Camp::Hybrid), own.rendering_flops),
        (Metric::Own, own.rendering_flops),
        (Metric::Colours, 0.0),
    ] {
        let found = plans.spared_flops(&metric, Sampling::default());
        assert_eq!(found, spared, "{}", metric.id());
    }
    let one = |model: &dyn Surprise| {
        let step = Actions {
            n: 1,
            steps: 1,
            dim: 2,
            data: vec![0.3, -0.2],
        };
        model.surprise(&context, &step, &goal.frame).unwrap()
    };
    assert_eq!(one(&hybrid), one(&lewm));
}

#[test]
fn its_film_is_a_function_of_what_was_imagined_the_last_picture_and_the_draw() {
    let (hybrid, _) = awake();
    let (context, actions, _) = situation();
    let film = |context: &Context, sampling| {
        let latent = hybrid.observe(context).unwrap();
        let imagined = hybrid
            .imagine(&latent, &actions, sampling, &Cancel::new())
            .unwrap();
        hybrid.frames(&imagined).unwrap()
    };
    let first = film(&context, Sampling::default());
    assert_eq!((first.n, first.steps, first.size), (3, 4, 64));
    assert_eq!(
        first,
        film(&context, Sampling::default()),
        "the same draw, the same film"
    );
    assert_ne!(
        first,
        film(&context, Sampling::default().draw(1)),
        "another draw, another film"
    );
    assert_ne!(
        first.at(0, 3),
        first.at(1, 3),
        "other actions, another film"
    );
    let mut elsewhere = context.clone();
    for pixel in elsewhere.frames[1].data[..64 * 3 * 8].iter_mut() {
        *pixel = 255 - *pixel;
    }
    assert_ne!(
        first.at(0, 0),
        film(&elsewhere, Sampling::default()).at(0, 0)
    );
}

/// A finished LeWM that steps one control step at a time, trained for a few steps.
fn finished_lewm() -> &'static Path {
    static DIR: OnceLock<tempfile::TempDir> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let mut config = lewm_config();
        let Architecture::Lewm(recipe) = &mut config.architecture else {
            panic!("a LeWM")
        };
        recipe.model = lewm();
        let outcome = run_on(&config, experience(), &options(dir.path())).unwrap();
        assert_eq!(outcome, Outcome::Finished);
        dir
    });
    dir.path()
}

pub fn recipe() -> DrawnRecipe {
    DrawnRecipe {
        lewm: finished_lewm().into(),
        denoiser: PixelDiffusionConfig {
            sigma_data: 0.0,
            ..decoder()
        },
        training: DrawnTraining {
            pace: Pace {
                length: Length::Steps(8),
                batch: 6,
                warmup_steps: 2,
                adamw: AdamWConfig {
                    lr: 2e-3,
                    ..Default::default()
                },
                ..Default::default()
            },
            steps: 6,
            frames: 3,
            ..Default::default()
        },
    }
}

pub fn config(recipe: DrawnRecipe) -> TrainConfig {
    TrainConfig {
        name: "hybrid".into(),
        summary: "A test".into(),
        seed: 7,
        data: Vec::<PathBuf>::new(),
        episodes: None,
        validation_share: 0.1,
        architecture: Architecture::DrawnLewm(recipe),
    }
}

#[test]
fn the_decoder_learns_and_lewm_stays_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = run_on(&config(recipe()), experience(), &options(dir.path())).unwrap();
    assert_eq!(outcome, Outcome::Finished);
    let card = Card::load(dir.path()).unwrap();
    assert_eq!(
        (card.camp, card.architecture.as_str()),
        (Camp::Hybrid, "drawn_lewm")
    );
    assert_eq!(
        card.stages.len(),
        1,
        "the card names the LeWM that it draws"
    );
    let read = |dir: &Path| {
        candle_core::safetensors::load(dir.join(folder::WEIGHTS), &Device::Cpu).unwrap()
    };
    let (hybrid, before) = (read(dir.path()), read(finished_lewm()));
    let mut compared = 0;
    for (name, value) in before
        .iter()
        .filter(|(n, _)| n.starts_with("encoder") || n.starts_with("predictor"))
    {
        let numbers =
            |t: &candle_core::Tensor| t.flatten_all().unwrap().to_vec1::<half::f16>().unwrap();
        assert_eq!(numbers(value), numbers(&hybrid[name]), "{name} moved");
        compared += 1;
    }
    assert!(compared > 8);
    let network: DrawnConfig = folder::network(dir.path()).unwrap();
    assert!(
        network.denoiser.sigma_data > 0.0,
        "the scale of the data was measured"
    );
    let model = DrawnLewm::load(dir.path(), card, &network, &Device::Cpu).unwrap();
    let (context, actions, _) = situation();
    let latent = model.observe(&context).unwrap();
    let imagined = model
        .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
        .unwrap();
    assert_eq!(
        model.frames(&imagined).unwrap().data.len(),
        3 * 4 * 64 * 64 * 3
    );
}

#[test]
fn what_cannot_be_drawn_is_refused_by_name() {
    let refused = |recipe: DrawnRecipe| {
        let dir = tempfile::tempdir().unwrap();
        let error = run_on(&config(recipe), experience(), &options(dir.path())).unwrap_err();
        assert!(!dir.path().join("card.ron").exists());
        error.to_string()
    };
    let with = |change: &dyn Fn(&mut DrawnRecipe)| {
        let mut changed = recipe();
        change(&mut changed);
        refused(changed)
    };
    for (field, said) in [
        ("denoiser.context", with(&|r| r.denoiser.context = 3)),
        (
            "denoiser.context_noise",
            with(&|r| r.denoiser.context_noise = 0.1),
        ),
        (
            "denoiser.patch",
            with(&|r| (r.denoiser.size, r.denoiser.patch) = (72, 6)),
        ),
        ("training.steps", with(&|r| r.training.steps = 0)),
        ("training.pace.batch", with(&|r| r.training.pace.batch = 0)),
    ] {
        assert!(said.contains(field), "{field}: {said}");
    }
    let wrong = folder_of_frameskip_5();
    let said = with(&|r| r.lewm = wrong.path().into());
    assert!(
        said.contains("lewm.frameskip") && said.contains('5'),
        "{said}"
    );
    let said = with(&|r| r.lewm = "nowhere".into());
    assert!(said.contains("nowhere"), "{said}");
}

/// A folder whose LeWM imagines five control steps at once.
fn folder_of_frameskip_5() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["card.ron", folder::WEIGHTS] {
        std::fs::copy(finished_lewm().join(name), dir.path().join(name)).unwrap();
    }
    let text = std::fs::read_to_string(finished_lewm().join(folder::NETWORK)).unwrap();
    let text = text.replace("frameskip: 1,", "frameskip: 5,");
    std::fs::write(dir.path().join(folder::NETWORK), text).unwrap();
    dir
}
