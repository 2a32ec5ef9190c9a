//! Pixel diffusion as a world model: EDM's formulas, determinism, honest errors, goal distances.

use candle_core::Device;
use parallax::model::facets::{Latents, Pixels, Plans, Surprise};
use parallax::model::generative::edm::{Preconditioning, sigmas};
use parallax::model::generative::{Patches, PixelDiffusion, PixelDiffusionConfig};
use parallax::model::goal::{HUES, Objects};
use parallax::model::nn::{Params, Rng};
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Goal, Metric, ModelError, Sampling, WorldModel, futures,
};
use parallax::scene::Colour;

use crate::diffusion_learns::{moving_squares, small_recipe};

pub fn card() -> Card {
    Card::untrained("fake", Camp::Generative, "pixel_diffusion")
}

pub fn model(config: &PixelDiffusionConfig, params: &Params) -> PixelDiffusion {
    PixelDiffusion::new(card(), config, params).unwrap()
}

/// A model whose zero-initialised branches speak too.
pub fn awake_model() -> PixelDiffusion {
    let config = PixelDiffusionConfig {
        sigma_data: 0.3,
        ..small_recipe().model
    };
    let params = Params::fresh(1, &Device::Cpu);
    let model = model(&config, &params);
    wake(&params);
    model
}

/// Moves every variable, also those that begin at zero: what does nothing tells nothing.
pub fn wake(params: &Params) {
    let mut rng = Rng::seed(5);
    for (_, var) in params.vars() {
        let noise = (rng.normal(var.shape(), &Device::Cpu).unwrap() * 0.05).unwrap();
        var.set(&(var.as_detached_tensor() + noise).unwrap())
            .unwrap();
    }
}

fn context(frames: usize) -> Context {
    let data = moving_squares(1, 8);
    Context::new(
        data.size,
        (0..frames).map(|t| data.frame(t).to_vec()),
        (1..frames).map(|t| data.action(t - 1).to_vec()).collect(),
    )
}

fn actions(n: usize, steps: usize, dim: usize) -> Actions {
    Actions {
        n,
        steps,
        dim,
        data: (0..n * steps * dim)
            .map(|i| (i % 5) as f32 / 4.0 - 0.5)
            .collect(),
    }
}

#[test]
fn samples_are_different_futures_and_the_first_is_the_imagined_one() {
    let model = awake_model();
    let latent = model.observe(&context(3)).unwrap();
    let one = actions(1, 2, model.config().action_dim);
    let cancel = Cancel::new();
    let usual = Sampling::default();
    let several = |a: &Actions| futures(&model, &latent, a, usual, 3, &cancel);
    let futures = several(&one).unwrap().unwrap();
    assert_eq!((futures.n, futures.steps), (3, 2));
    let rollouts = model.imagine(&latent, &one, usual, &cancel).unwrap();
    let frames = model.frames(&rollouts).unwrap();
    assert_eq!(futures.at(0, 1), frames.at(0, 1));
    assert_ne!(futures.at(1, 1), futures.at(0, 1));
    assert_ne!(futures.at(2, 1), futures.at(1, 1));
    let two = actions(2, 2, model.config().action_dim);
    assert!(several(&two).is_err());
}

#[test]
fn features_are_the_same_for_the_same_frame_and_others_for_another() {
    let model = awake_model();
    let of = |frames| model.features(&context(frames)).unwrap();
    let (first, again, more) = (of(1), of(1), of(3));
    let inner = (model.config().side() / 2).min(4);
    assert_eq!(first.len(), inner * inner * 32);
    assert!(first.iter().all(|f| f.is_finite()));
    assert_eq!(first, again);
    assert_ne!(first, more, "the last frame decides");
}

#[test]
fn preconditioning_is_edms() {
    for (sigma, data) in [(0.002f32, 0.5f32), (0.7, 0.5), (5.0, 0.23)] {
        let c = Preconditioning::new(sigma, data, 0.0);
        let total = sigma * sigma + data * data;
        assert!((c.skip - data * data / total).abs() < 1e-6);
        assert!((c.out - sigma * data / total.sqrt()).abs() < 1e-6);
        assert!((c.input * total.sqrt() - 1.0).abs() < 1e-6);
        assert!((c.noise - sigma.ln() / 4.0).abs() < 1e-6);
        // The target of the network has unit variance (EDM, appendix B.6).
        let target =
            ((1.0 - c.skip).powi(2) * data * data + c.skip * c.skip * sigma * sigma).sqrt() / c.out;
        assert!((target - 1.0).abs() < 1e-3, "{target}");
    }
}

#[test]
fn noise_levels_fall_from_sigma_max_to_zero() {
    let levels = sigmas(3, 2e-3, 5.0, 7.0);
    assert_eq!((levels.len(), levels[3]), (4, 0.0));
    assert!((levels[0] - 5.0).abs() < 1e-3 && (levels[2] - 2e-3).abs() < 1e-5);
    let middle = ((5f32.powf(1.0 / 7.0) + 2e-3f32.powf(1.0 / 7.0)) / 2.0).powi(7);
    assert!((levels[1] - middle).abs() < 1e-4);
    assert!((sigmas(1, 2e-3, 5.0, 7.0)[0] - 5.0).abs() < 1e-3);
}

#[test]
fn folding_keeps_every_byte() {
    let config = PixelDiffusionConfig {
        sigma_data: 0.23,
        mean: [0.4, 0.1, -0.2],
        ..small_recipe().model
    };
    let frame: Vec<u8> = (0..config.frame_len())
        .map(|i| (i * 37 % 256) as u8)
        .collect();
    let (patches, mut folded) = (Patches::new(&config), Vec::new());
    patches.fold(&frame, &mut folded);
    let mut back = vec![0; frame.len()];
    patches.unfold(&folded, &mut back);
    assert_eq!(frame, back);
    let mut quantised = folded.clone();
    patches.quantise(&mut quantised);
    assert!(
        folded
            .iter()
            .zip(&quantised)
            .all(|(a, b)| (a - b).abs() < 1e-4)
    );
}

#[test]
fn a_seed_imagines_the_same_frames() {
    let model = awake_model();
    let latent = model.observe(&context(4)).unwrap();
    let sampled = |n: usize, sampling: Sampling| {
        let rollouts = model
            .imagine(&latent, &actions(n, 3, 2), sampling, &Cancel::new())
            .unwrap();
        model.frames(&rollouts).unwrap()
    };
    let usual = Sampling::default();
    let run = |n: usize| sampled(n, usual);
    let first = run(1);
    assert_eq!(first, run(1));
    // A batch gives a candidate the frames that it gets alone.
    let batch = run(5);
    for t in 0..3 {
        assert_eq!(first.at(0, t), batch.at(0, t));
    }
    assert_ne!(first, sampled(1, usual.draw(1)), "another draw");
    assert_ne!(first, sampled(1, Sampling::nfe(5)), "more evaluations");
}

#[test]
fn actions_and_a_short_history_matter_and_fit() {
    let model = awake_model();
    let latent = model.observe(&context(1)).unwrap();
    let imagine = |a: &Actions| {
        let usual = Sampling::default();
        let rollouts = model.imagine(&latent, a, usual, &Cancel::new()).unwrap();
        model.frames(&rollouts).unwrap()
    };
    let (mut one, two) = (actions(1, 2, 2), actions(1, 2, 2));
    one.data[0] = 1.0;
    assert_ne!(imagine(&one), imagine(&two));
    // A scene without actions.
    assert_eq!(imagine(&actions(1, 2, 0)).steps, 2);
    let surprise = model
        .surprise(&context(4), &actions(1, 1, 2), &context(5).frames[4])
        .unwrap();
    assert!(surprise.is_finite() && surprise > 0.0);
    let cost = model.cost(Sampling::default());
    assert!(cost.dynamics_flops > cost.rendering_flops);
}

#[test]
fn wrong_inputs_are_named() {
    let model = awake_model();
    let mut wrong = context(4);
    wrong.frames[3].data.pop();
    let error = model.observe(&wrong).map(|_| ()).unwrap_err();
    assert!(
        matches!(&error, ModelError::Input { .. }) && error.to_string().contains("767 bytes"),
        "{error}"
    );
    wrong = context(4);
    wrong.actions.pop();
    assert!(model.observe(&wrong).is_err());
    assert!(model.observe(&Context::default()).is_err());
    let latent = model.observe(&context(4)).unwrap();
    let too_many = model
        .imagine(
            &latent,
            &actions(1, 1, 3),
            Sampling::default(),
            &Cancel::new(),
        )
        .map(|_| ())
        .unwrap_err();
    assert!(too_many.to_string().contains("at most 2"), "{too_many}");
    let cancel = Cancel::new();
    cancel.cancel();
    let stopped = model
        .imagine(&latent, &actions(2, 2, 2), Sampling::default(), &cancel)
        .map(|_| ())
        .unwrap_err();
    assert!(matches!(stopped, ModelError::Cancelled));
}

#[test]
fn an_object_nearer_its_goal_is_nearer_and_a_lost_one_is_far() {
    let usual = [0.1; HUES];
    let at = |x: Option<usize>| {
        let mut frame = vec![170u8; 64 * 64 * 3];
        for p in 0..64 * 64 {
            if x.is_some_and(|x| (x..x + 8).contains(&(p % 64)) && (28..36).contains(&(p / 64))) {
                frame[3 * p..3 * p + 3].copy_from_slice(&Colour::Blue.rgb());
            }
        }
        Objects::find(&frame, 64)
    };
    let goal = at(Some(40));
    let distance = |x: Option<usize>| at(x).distance(&goal, &usual);
    assert!(distance(Some(40)) < 1e-6);
    assert!(distance(Some(20)) > distance(Some(30)) && distance(Some(30)) > distance(Some(38)));
    assert!(distance(None) > distance(Some(20)));
}

#[test]
fn every_hue_of_the_palette_is_told_apart() {
    let hues = [
        Colour::Orange,
        Colour::SkyBlue,
        Colour::Green,
        Colour::Yellow,
        Colour::Blue,
        Colour::Vermillion,
        Colour::Purple,
    ];
    for (i, hue) in hues.into_iter().enumerate() {
        for shade in [1.0, 0.6] {
            let rgb = hue.rgb().map(|v| (f32::from(v) * shade) as u8);
            let found = Objects::find(&rgb.repeat(64), 8);
            let best = (0..hues.len()).max_by(|a, b| found.mass[*a].total_cmp(&found.mass[*b]));
            assert_eq!(best, Some(i), "{hue:?} at {shade}: {:?}", found.mass);
        }
    }
}

#[test]
fn both_distances_prefer_the_goal_itself() {
    for metric in [Metric::Pixels, Metric::Colours] {
        let model = awake_model();
        let latent = model.observe(&context(4)).unwrap();
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
        assert!(
            distances
                .iter()
                .all(|d| *d >= distances[3] && d.is_finite()),
            "{distances:?}"
        );
    }
}
