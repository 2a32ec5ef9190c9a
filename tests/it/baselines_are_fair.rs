//! What planners are measured against is made with the same care: the cloned policy learns, regret compares
//! like with like, and probes tell what is there from what is not.

use candle_core::{Device, Tensor};
use parallax::episode::Dataset;
use parallax::eval::control::{ControlResult, EpisodeResult, Regret};
use parallax::eval::probe;
use parallax::model::cloning::{Cloning, CloningConfig};
use parallax::model::nn::{AdamW, AdamWConfig, Params};
use parallax::model::registry::{self, Trained};
use parallax::model::{Cancel, Context, Frame, Frames, Goal};
use parallax::planner::{Controller, Reflex, Sight};
use parallax::sim::HELD_OUT_SEED;
use parallax::stats::Mean;
use parallax::train::{
    Architecture, CloningRecipe, Length, Outcome, TrainConfig, TrainOptions, run_on,
};

use crate::support::stub::{Stub, shape};
use crate::support::{recorded, scene};

pub fn experience() -> Dataset {
    recorded(&scene("reach"), 0..10)
}

fn small() -> CloningConfig {
    CloningConfig {
        encoder_channels: [8, 16, 8],
        encoder_hidden: 32,
        features: 16,
        width: 32,
        ..Default::default()
    }
}

pub fn config(steps: usize) -> TrainConfig {
    TrainConfig {
        name: "clone-test".into(),
        summary: "A test".into(),
        seed: 3,
        data: Vec::new(),
        episodes: None,
        validation_share: 0.2,
        architecture: Architecture::Cloning(CloningRecipe {
            model: small(),
            length: Length::Steps(steps),
            batch: 16,
            ahead: 10,
            log_every: 50,
            ..Default::default()
        }),
    }
}

#[test]
fn gradients_reach_every_variable_of_the_clone() {
    let data = experience();
    let params = Params::fresh(3, &Device::Cpu);
    let model = Cloning::new(&small(), &params).unwrap();
    let frames: Vec<u8> = (0..16).flat_map(|i| data.frame(i * 7).to_vec()).collect();
    let actions: Vec<f32> = (0..8).flat_map(|i| data.action(i * 7).to_vec()).collect();
    let actions = Tensor::from_vec(actions, (8, 2), &Device::Cpu).unwrap();
    let pixels = model.encoder().pixels(&frames).unwrap();
    let mut optimiser = AdamW::new(params.vars(), AdamWConfig::default()).unwrap();
    let loss = model.loss(&pixels, &actions, true).unwrap();
    let grads = loss.backward().unwrap();
    let before: Vec<Vec<f32>> = params
        .vars()
        .iter()
        .map(|(_, v)| v.flatten_all().unwrap().to_vec1().unwrap())
        .collect();
    optimiser.step(&grads, 1e-3, Some(1.0)).unwrap();
    for ((name, var), before) in params.vars().iter().zip(before) {
        let grad = grads.get(var.as_tensor());
        let grad = grad.unwrap_or_else(|| panic!("no gradient reaches {name}"));
        let size = grad.sqr().unwrap().sum_all().unwrap();
        let size = size.to_scalar::<f32>().unwrap();
        assert!(size.is_finite() && size > 1e-14, "{name}: {size}");
        let after: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
        assert_ne!(before, after, "{name} did not move");
    }
}

#[test]
fn a_clone_learns_loads_and_acts_and_is_no_world_model() {
    let (dir, again) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let data = experience();
    let options = |out: &std::path::Path| TrainOptions {
        device: Device::Cpu,
        minutes: None,
        resume: false,
        out: out.into(),
        ..Default::default()
    };
    for out in [dir.path(), again.path()] {
        let outcome = run_on(&config(120), &data, &options(out)).unwrap();
        assert_eq!(outcome, Outcome::Finished);
    }
    let weights = |d: &std::path::Path| std::fs::read(d.join("model.safetensors")).unwrap();
    assert!(
        weights(dir.path()) == weights(again.path()),
        "a seed decides"
    );
    let curve = std::fs::read_to_string(dir.path().join("curve.jsonl")).unwrap();
    let error = |line: &str| -> f64 {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["validation_error"].as_f64().unwrap()
    };
    let (first, last) = (curve.lines().next().unwrap(), curve.lines().last().unwrap());
    assert!(error(last) < error(first), "{curve}");

    let Trained::Policy(policy) = registry::load_any(dir.path(), &Device::Cpu).unwrap() else {
        panic!("a clone is a policy");
    };
    let frame = Frame::new(64, data.frame(0).to_vec());
    let mut reflex = Reflex::new(policy);
    let mut sight = Sight {
        context: Context::one(frame.clone()),
        goal: Goal {
            frame,
            latent: None,
        },
        dim: 2,
    };
    let action = reflex.decide(&sight, &Cancel::new()).unwrap();
    assert_eq!(action.len(), 2);
    assert!(action.iter().all(|a| (-1.0..=1.0).contains(a)));
    assert!(reflex.will_look(), "it looks at every step");
    sight.context.frames[0].size = 32;
    let error = reflex
        .decide(&sight, &Cancel::new())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("clone-test") && error.contains("32"),
        "{error}"
    );
    let error = registry::load(dir.path(), &Device::Cpu)
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("clone-test") && error.contains("policy"),
        "{error}"
    );
}

#[test]
fn a_distance_learns_how_many_steps_lie_between_and_neither_acts_nor_imagines() {
    let dir = tempfile::tempdir().unwrap();
    let data = experience();
    let mut training = config(250);
    let Architecture::Cloning(mut recipe) = training.architecture else {
        panic!("a clone")
    };
    assert!(
        recipe.check_distance().is_err(),
        "two numbers are no distance"
    );
    recipe.model.action_dim = 1;
    training.architecture = Architecture::StepsToGo(recipe);
    let options = TrainOptions {
        device: Device::Cpu,
        minutes: None,
        resume: false,
        out: dir.path().into(),
        ..Default::default()
    };
    assert_eq!(
        run_on(&training, &data, &options).unwrap(),
        Outcome::Finished
    );
    let Trained::Distance(distance) = registry::load_any(dir.path(), &Device::Cpu).unwrap() else {
        panic!("it is a distance");
    };
    // Over all frames from which ten more steps follow, those near the goal are nearer.
    let at = |from: usize, ahead: usize| {
        let goal = Goal::new(64, data.frame(from + ahead).to_vec());
        let now = Frames::sequence(64, data.frame(from).to_vec());
        distance.distances(&now, &goal).unwrap()[0]
    };
    let starts: Vec<usize> = data.episodes.iter().map(|e| e.start).collect();
    let mean = |ahead: usize| starts.iter().map(|s| at(*s, ahead)).sum::<f32>();
    let (none, some, all) = (mean(0), mean(3), mean(10));
    assert!(none < some && some < all, "{none} {some} {all}");
    let both: Vec<u8> = [data.frame(0), data.frame(9)].concat();
    let mut both = Frames::sequence(64, both);
    let goal = Goal::new(64, data.frame(9).to_vec());
    let found = distance.distances(&both, &goal).unwrap();
    assert_eq!(found.len(), 2);
    assert!((found[0] - at(0, 9)).abs() < 1e-5);
    both.size = 32;
    let error = distance.distances(&both, &goal).unwrap_err().to_string();
    assert!(error.contains("32"), "{error}");
    let error = registry::load(dir.path(), &Device::Cpu).err().unwrap();
    assert!(error.to_string().contains("imagines nothing"), "{error}");
}

#[test]
fn regret_pairs_episodes_by_seed_and_leaves_out_the_solved() {
    let episode = |seed, steps, solved_at_start| EpisodeResult {
        seed,
        steps,
        solved_at_start,
        success: true,
        final_distance_m: steps as f32 / 100.0,
        decision_ms: Vec::new(),
        model_steps: Vec::new(),
    };
    let of = |episodes: Vec<EpisodeResult>| ControlResult {
        per_episode: episodes,
        ..Default::default()
    };
    let own = of(vec![
        episode(1, 20, false),
        episode(2, 50, false),
        episode(3, 0, true),
    ]);
    let best = of(vec![
        episode(3, 0, true),
        episode(2, 10, false),
        episode(1, 18, false),
    ]);
    let regret = Regret::of(&own, &best);
    assert_eq!(regret.steps.unwrap().mean, 21.0);
    assert!((regret.final_distance_m.unwrap().mean - 0.21).abs() < 1e-6);
    assert!(regret.steps.unwrap().low <= 21.0 && regret.steps.unwrap().high >= 21.0);
    assert_eq!(
        Mean::bootstrap(&[4.0; 9]),
        Some(Mean {
            mean: 4.0,
            low: 4.0,
            high: 4.0
        })
    );
    assert_eq!(Mean::bootstrap(&[]), None);
}

/// A representation that is a small picture: where the warmest pixels lie (the hand is vermilion), and
/// nothing of the cube. It holds places, and of velocities what three of them tell.
fn thumbnail(context: &Context) -> Vec<f32> {
    let frame = context.frames.last().unwrap();
    let (mut sum, mut at) = (1e-6f32, [0.0f32; 2]);
    for (i, p) in frame.data.chunks_exact(3).enumerate() {
        let warmth = (f32::from(p[0]) - f32::from(p[2]) - 60.0).max(0.0);
        sum += warmth;
        at[0] += warmth * (i % 64) as f32;
        at[1] += warmth * (i / 64) as f32;
    }
    at.iter().map(|v| v / sum).collect()
}

#[test]
fn probes_find_what_a_representation_holds_and_nothing_else() {
    let push = scene("push");
    let model = Stub::with_features("thumbnail", shape(1, 1), thumbnail);
    let found = probe::run(&push, &model, HELD_OUT_SEED + 500, 6).unwrap();
    let r = &found.model.r;
    assert!(
        r["hand.x"].linear > 0.97 && r["hand.z"].linear > 0.97,
        "{r:?}"
    );
    assert!(
        r["hand.vx"].mlp > 0.7,
        "three observations tell a velocity: {r:?}"
    );
    assert!(r["cube.cos_yaw"].mlp.abs() < 0.5, "it sees no cube: {r:?}");
    assert!(
        !r.contains_key("hand.cos_yaw"),
        "a ball has no visible orientation"
    );
    assert!(found.model.r2["hand.x"].linear > 0.9);
    assert_eq!(found.model.features, 2);
    assert_eq!(found.rows_test, 6 * (push.episode_steps as usize - 2));
    let lowest = found.lowest_r["position"].linear;
    assert!(lowest <= r["cube.x"].linear && lowest <= r["hand.x"].linear);
    assert!(found.pixels.features == 192 && found.pixels.r.len() == r.len());
}
