//! Losses have the sign, the weights and the pull that their papers give them. LeWM's total is put together
//! anew from its parts; every recipe's gradient is compared with the change of its loss, so that what
//! should pull is not detached.

use candle_core::{Device, Tensor, Var};
use parallax::model::generative::Denoiser;
use parallax::model::jepa::{JointWeights, Lewm, joint_loss};
use parallax::model::nn::{Params, Rng, ops};
use parallax::train::measure;
use parallax::train::pixel::{Batches, Request, loss};

use crate::diffusion_learns::{moving_squares, small_recipe};
use crate::lewm_trains::{batch, small};

fn scalar(t: &Tensor) -> f64 {
    f64::from(t.to_scalar::<f32>().unwrap())
}

/// Moves every variable, so that branches that start at zero speak too.
fn lively(params: &Params, seed: u64) {
    let mut rng = Rng::seed(seed);
    for (_, var) in params.vars() {
        let noise = (rng.normal(var.shape(), &Device::Cpu).unwrap() * 0.1).unwrap();
        var.set(&(var.as_detached_tensor() + noise).unwrap())
            .unwrap();
    }
}

/// The derivative of `loss` along a random direction in `vars`: by its gradient, and by small steps both
/// ways.
fn slopes(vars: &[(String, Var)], seed: u64, loss: impl Fn() -> Tensor) -> [f64; 2] {
    const STEP: f64 = 3e-3;
    let mut rng = Rng::seed(seed);
    let directions: Vec<Tensor> = vars
        .iter()
        .map(|(_, v)| rng.normal(v.shape(), &Device::Cpu).unwrap())
        .collect();
    let grads = loss().backward().unwrap();
    let by_gradient: f64 = vars
        .iter()
        .zip(&directions)
        .filter_map(|((_, v), d)| {
            let along = (grads.get(v.as_tensor())? * d).unwrap().sum_all().unwrap();
            Some(scalar(&along))
        })
        .sum();
    let at: Vec<Tensor> = vars
        .iter()
        .map(|(_, v)| v.as_tensor().copy().unwrap())
        .collect();
    let shifted = |by: f64| {
        for (((_, v), d), at) in vars.iter().zip(&directions).zip(&at) {
            v.set(&(at + (d * by).unwrap()).unwrap()).unwrap();
        }
        scalar(&loss())
    };
    let by_steps = (shifted(STEP) - shifted(-STEP)) / (2.0 * STEP);
    shifted(0.0);
    [by_gradient, by_steps]
}

fn agree(what: &str, [by_gradient, by_steps]: [f64; 2]) {
    assert!(
        (by_gradient - by_steps).abs() < 0.04 * by_steps.abs() + 2e-3,
        "{what}: the gradient says {by_gradient}, the loss changes by {by_steps}"
    );
}

/// Total = Σ weight · part, each part with a plus: prediction errors, SIGReg and inverse dynamics are all
/// to fall.
#[test]
fn lewm_s_total_is_the_weighted_sum_of_its_parts() {
    let params = Params::fresh(3, &Device::Cpu);
    let model = Lewm::new(&small(), &params).unwrap();
    lively(&params, 2);
    let (pixels, actions) = batch(&model, 12);
    let weights = JointWeights {
        one_step: 0.7,
        open_loop: 1.3,
        sigreg: 0.11,
        inverse: 0.9,
        ..Default::default()
    };
    let found = joint_loss(&model, &pixels, &actions, &weights, &mut Rng::seed(4)).unwrap();
    let parts = [
        &found.one_step,
        &found.open_loop,
        &found.sigreg,
        &found.inverse,
    ]
    .map(scalar);
    assert!(parts.iter().all(|p| *p > 0.0), "{parts:?}");
    let expected = 0.7 * parts[0] + 1.3 * parts[1] + 0.11 * parts[2] + 0.9 * parts[3];
    assert!((scalar(&found.total) - expected).abs() < 1e-4 * expected);

    // Without dropout and in another way: one step is the error of the predictor on what follows.
    let (b, t, d) = (12, 5, 16);
    let z = model
        .encode(&pixels, true)
        .unwrap()
        .reshape((b, t, d))
        .unwrap();
    let flat = |from: usize| {
        let part = z.narrow(1, from, t - 1).unwrap().contiguous().unwrap();
        part.reshape((b * (t - 1), d)).unwrap()
    };
    let blocks = actions.reshape((b * (t - 1), 10)).unwrap();
    let mean = |e: Tensor| scalar(&e.sqr().unwrap().mean_all().unwrap());
    let inverse = mean(
        (model.invert(&flat(0), &flat(1)).unwrap() - model.mean_action(&blocks).unwrap()).unwrap(),
    );
    assert!(
        (inverse - parts[3]).abs() < 1e-5 * inverse,
        "{inverse} {parts:?}"
    );
    let same = joint_loss(&model, &pixels, &actions, &weights, &mut Rng::seed(4)).unwrap();
    assert_eq!(scalar(&same.total), scalar(&found.total), "a seed decides");
}

/// SIGReg is least where latents are standard normal, and its descent spreads what has collapsed.
#[test]
fn sigreg_pushes_a_collapsed_latent_apart() {
    let mut rng = Rng::seed(9);
    let normal: Tensor = rng.normal((1, 256, 32), &Device::Cpu).unwrap();
    let statistic = |x: &Tensor| scalar(&ops::epps_pulley(x, 1.0).unwrap());
    let collapsed = (&normal * 0.05).unwrap();
    let scattered = (&normal * 4.0).unwrap();
    assert!(statistic(&normal) < 0.1 * statistic(&collapsed));
    assert!(statistic(&normal) < 0.1 * statistic(&scattered));
    let var = Var::from_tensor(&collapsed).unwrap();
    let grads = ops::epps_pulley(var.as_tensor(), 1.0)
        .unwrap()
        .backward()
        .unwrap();
    let along = (grads.get(var.as_tensor()).unwrap() * var.as_tensor()).unwrap();
    assert!(
        scalar(&along.sum_all().unwrap()) < 0.0,
        "descent draws latents together"
    );
}

/// LeWM has no stop-gradient (arXiv 2603.19312, section 3): each part pulls on both latents, and each part
/// alone is differentiated in full.
#[test]
fn every_part_of_lewm_s_loss_pulls_on_all_that_it_depends_on() {
    let alone = JointWeights {
        one_step: 0.0,
        open_loop: 0.0,
        sigreg: 0.0,
        inverse: 0.0,
        ..Default::default()
    };
    let parts = [
        (
            "one step",
            JointWeights {
                one_step: 1.0,
                ..alone
            },
        ),
        (
            "open loop",
            JointWeights {
                open_loop: 1.0,
                ..alone
            },
        ),
        (
            "SIGReg",
            JointWeights {
                sigreg: 0.05,
                ..alone
            },
        ),
        (
            "inverse dynamics",
            JointWeights {
                inverse: 1.0,
                ..alone
            },
        ),
    ];
    let params = Params::fresh(3, &Device::Cpu);
    let model = Lewm::new(&small(), &params).unwrap();
    lively(&params, 2);
    let (pixels, actions) = batch(&model, 12);
    for (what, weights) in parts {
        let total = || {
            joint_loss(&model, &pixels, &actions, &weights, &mut Rng::seed(4))
                .unwrap()
                .total
        };
        // The encoder alone: the prediction's error reaches it by the latent that predicts and by the one
        // predicted.
        agree(what, slopes(&params.pp("encoder").vars(), 5, total));
    }
}

/// The diffusion's loss is the weighted squared error of what the network says, and its gradient is that of
/// the loss.
#[test]
fn the_diffusion_s_loss_is_differentiated_in_full() {
    let data = moving_squares(4, 10);
    let mut recipe = small_recipe();
    measure(&data, &mut recipe.model);
    let params = Params::fresh(1, &Device::Cpu);
    let denoiser = Denoiser::new(&recipe.model, params.clone()).unwrap();
    lively(&params, 6);
    let batches = Batches::new(&data, &[0, 1, 2, 3], &recipe, 1, &Device::Cpu).unwrap();
    let request = Request {
        step: 3,
        sequences: 4,
        rolls: 1,
    };
    let examples = batches.draw(request).unwrap();
    let total = || loss(&denoiser, &examples, |_, _| panic!("one prediction")).unwrap();
    agree("diffusion", slopes(&params.vars(), 7, total));
    // What moves weighs more: weights are the foreground's where bodies are, 1 elsewhere, and both occur.
    let weights: Vec<f32> = examples.stages[0]
        .weight
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let heavy = recipe.training.foreground_weight;
    assert!(heavy > 1.0);
    let near = |w: f32, to: f32| (w - to).abs() < 1e-5;
    assert!(weights.iter().all(|w| near(*w, heavy) || near(*w, 1.0)));
    let share = weights.iter().filter(|w| near(**w, heavy)).count() as f32 / weights.len() as f32;
    assert!((0.01..0.9).contains(&share), "{share} of the picture moves");
}
