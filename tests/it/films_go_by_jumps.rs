//! A film by jumps has every step once, knows nothing of what comes after it, costs fewer calls of the
//! network, and is refused where none were learned.

use std::collections::BTreeSet;

use candle_core::{Device, Tensor};
use parallax::eval::rollout;
use parallax::model::facets::LatentRows;
use parallax::model::jepa::{GoalCost, Jumps, LewmConfig, LewmModel, STRETCH, calls, jump_to};
use parallax::model::nn::Params;
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Frame, Goal, ModelError, Sampling, WorldModel, registry,
};
use parallax::scene::models_dir;

use crate::support::scene;

const SIDE: usize = 64;

fn config() -> LewmConfig {
    LewmConfig {
        latent_dim: 16,
        encoder_channels: [8, 8, 8],
        encoder_hidden: 16,
        predictor_width: 32,
        history: 3,
        frameskip: 1,
        action_dim: 2,
        cost: GoalCost::Plain,
        ..LewmConfig::default()
    }
}

/// How a network of jumps begins that nobody trained.
enum Begins {
    /// There is none.
    Missing,
    /// As it is drawn.
    Fresh,
    /// As if it had learned something.
    Moved,
}

fn drawn(jumps: Begins) -> LewmModel {
    let params = Params::fresh(11, &Device::Cpu);
    let config = config();
    if !matches!(jumps, Begins::Missing) {
        Jumps::new(&config, &params).unwrap();
    }
    if matches!(jumps, Begins::Moved) {
        let zeros = |name: &str| name.contains("film") || name.starts_with("jumps.out");
        for (name, var) in params.vars().into_iter().filter(|(name, _)| zeros(name)) {
            let count = var.elem_count();
            let values: Vec<f32> = (0..count).map(|i| 0.1 * (i as f32 * 1.7).sin()).collect();
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap())
                .unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
    let card = Card::untrained("drawn", Camp::Jepa, "lewm");
    LewmModel::from_params(card, &config, &params, None).unwrap()
}

fn frame(seed: usize) -> Frame {
    let data = (0..SIDE * SIDE * 3).map(|i| (i * (seed + 3) / 7 % 251) as u8);
    Frame::new(SIDE, data.collect())
}

fn context() -> Context {
    let frames = (0..3).map(|seed| frame(seed).data);
    Context::new(SIDE, frames, vec![vec![0.0; 2]; 2])
}

/// Two courses of action; from step `from` on they are others than without.
fn actions(steps: usize, from: usize) -> Actions {
    let data = (0..2 * steps).flat_map(|i| {
        let (course, t) = (i / steps, i % steps);
        let other = if t >= from { 0.5 } else { 0.0 };
        [
            0.3 - 0.2 * course as f32 - other,
            (t as f32).sin() * 0.5 + other,
        ]
    });
    Actions {
        n: 2,
        steps,
        dim: 2,
        data: data.collect(),
    }
}

fn film(model: &LewmModel, actions: &Actions) -> Result<LatentRows, ModelError> {
    let latent = model.observe(&context())?;
    let can = model.facets();
    let jumps = can.jumps.expect("it has jumps");
    let rollouts = jumps.imagine_by_jumps(&latent, actions, &Cancel::new())?;
    let goal = Goal {
        frame: frame(9),
        latent: None,
    };
    let rows = can
        .latents
        .expect("it shows latents")
        .rows(&rollouts, &goal)?;
    Ok(rows.expect("it has rows"))
}

#[test]
fn every_step_is_reached_once_and_from_what_is_known() {
    for steps in 1..=STRETCH {
        let mut known = BTreeSet::from([0]);
        for landings in calls(steps) {
            for t in &landings {
                assert!(known.contains(&(t - jump_to(*t))), "{steps}: {t}");
            }
            for t in landings {
                assert!(known.insert(t), "{steps}: {t} twice");
            }
        }
        assert!(known.into_iter().eq(0..=steps), "{steps}");
    }
    // Step 20 is the third landing on its way: 8, 16, 20.
    let way = |t: usize| std::iter::successors(Some(t), |t| Some(t - jump_to(*t)));
    assert_eq!(way(20).take_while(|t| *t > 0).count(), 3);
    assert_eq!(calls(20).len(), 5);
}

#[test]
fn films_by_jumps_are_as_long_as_those_step_by_step() {
    let model = drawn(Begins::Moved);
    let latent = model.observe(&context()).unwrap();
    for steps in [0, 1, 2, 7, 8, 20, STRETCH, STRETCH + 1, 2 * STRETCH + 5] {
        let rows = film(&model, &actions(steps, steps)).unwrap();
        assert_eq!((rows.n, rows.steps, rows.dim), (2, steps, 16));
        let by_steps = model
            .imagine(
                &latent,
                &actions(steps, steps),
                Sampling::default(),
                &Cancel::new(),
            )
            .unwrap();
        let (goal, can) = (Goal::new(SIDE, frame(9).data), model.facets());
        let by_steps = can
            .latents
            .unwrap()
            .rows(&by_steps, &goal)
            .unwrap()
            .unwrap();
        assert_eq!((rows.n, rows.steps), (by_steps.n, by_steps.steps));
        assert!(rows.data.iter().all(|x| x.is_finite()));
    }
}

#[test]
fn untrained_jumps_stay_where_they_are() {
    let model = drawn(Begins::Fresh);
    let now = model
        .facets()
        .latents
        .unwrap()
        .features(&context())
        .unwrap();
    let rows = film(&model, &actions(STRETCH + 9, 4)).unwrap();
    for n in 0..rows.n {
        for t in 0..rows.steps {
            assert_eq!(rows.at(n, t), now, "candidate {n}, step {t}");
        }
    }
    let moved = film(&drawn(Begins::Moved), &actions(8, 8)).unwrap();
    assert_ne!(moved.at(0, 0), now);
}

#[test]
fn no_step_of_a_film_by_jumps_depends_on_actions_after_it() {
    let (model, steps) = (drawn(Begins::Moved), STRETCH + 6);
    let whole = film(&model, &actions(steps, steps)).unwrap();
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5);
    for from in 0..steps {
        let other = film(&model, &actions(steps, from)).unwrap();
        let short = film(&model, &actions(from, from)).unwrap();
        for n in 0..2 {
            for t in 0..from {
                assert!(near(other.at(n, t), whole.at(n, t)), "{from}: step {t}");
                assert!(near(short.at(n, t), whole.at(n, t)), "{from}: step {t}");
            }
            assert!(!near(other.at(n, from), whole.at(n, from)), "{from}");
        }
    }
}

#[test]
fn a_film_by_jumps_ends_once_it_is_cancelled() {
    let model = drawn(Begins::Fresh);
    let (latent, cancel) = (model.observe(&context()).unwrap(), Cancel::new());
    cancel.cancel();
    let jumps = model.facets().jumps.unwrap();
    let ended = jumps.imagine_by_jumps(&latent, &actions(8, 8), &cancel);
    assert!(matches!(ended, Err(ModelError::Cancelled)));
}

#[test]
fn a_model_without_jumps_refuses_to_imagine_by_them() {
    let model = drawn(Begins::Missing);
    assert!(model.facets().jumps.is_none());
    let error = rollout::run(&scene("push"), &model, 900_000, 1, true, |_| {}).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("drawn") && error.contains("jumps"),
        "{error}"
    );
}

#[test]
fn jumps_are_counted_in_control_steps() {
    let config = LewmConfig {
        frameskip: 5,
        ..config()
    };
    let error = Jumps::new(&config, &Params::fresh(1, &Device::Cpu)).err();
    let error = error.unwrap().to_string();
    assert!(
        error.contains("frameskip") && error.contains('5'),
        "{error}"
    );
}

#[test]
fn jumps_of_another_card_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let from = models_dir().join("lewm-world");
    for file in std::fs::read_dir(&from).unwrap().flatten() {
        if file.path().is_file() && !file.file_name().to_string_lossy().starts_with("jumps") {
            std::fs::copy(file.path(), dir.path().join(file.file_name())).unwrap();
        }
    }
    let params = Params::fresh(3, &Device::Cpu);
    let network = LewmConfig {
        latent_dim: 256,
        history: 4,
        action_dim: 4,
        ..config()
    };
    Jumps::new(&network, &params).unwrap();
    let path = dir.path().join("jumps.safetensors");
    params.save(&path, candle_core::DType::F16).unwrap();
    let error = registry::load(dir.path(), &Device::Cpu).err();
    let error = error.unwrap().to_string();
    assert!(
        error.contains("jumps.safetensors") && error.contains("sha256"),
        "{error}"
    );
}
