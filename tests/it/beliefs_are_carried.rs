//! What a model has seen goes on counting once it is hidden, and ends with the episode; how long hidden
//! bodies survive is counted as it says.

use std::sync::Arc;

use candle_core::Device;
use parallax::camera::Eye;
use parallax::episode::record;
use parallax::eval::rollout::{CONTEXT, Clip};
use parallax::eval::survival::{self, Hidden, LONGEST, Point};
use parallax::model::jepa::{
    BeliefConfig, BeliefModel, BeliefSizes, GoalCost, LewmConfig, LewmModel,
};
use parallax::model::nn::Params;
use parallax::model::{
    Actions, Camp, Cancel, Card, Context, Frame, Goal, Metric, Sampling, WorldModel,
};
use parallax::sim::TUNING_SEED;
use parallax::train::TrainConfig;

use crate::lewm_trains::{experience, small};
use crate::support::scene;

fn config() -> BeliefConfig {
    BeliefConfig {
        lewm: LewmConfig {
            frameskip: 1,
            history: 2,
            // The whitening of a model that was never trained is zero.
            cost: GoalCost::Plain,
            ..small()
        },
        belief: BeliefSizes {
            width: 12,
            hidden: 16,
            context: 8,
        },
    }
}

/// A model whose every variable is drawn, and the LeWM in it.
fn models() -> (BeliefModel, LewmModel, Params) {
    let params = Params::fresh(5, &Device::Cpu);
    let card = || Card::untrained("believer", Camp::Jepa, "belief_lewm");
    BeliefModel::from_params(card(), &config(), &params, None).unwrap();
    LewmModel::from_params(card(), &config().lewm, &params, None).unwrap();
    crate::diffusion_imagines::wake(&params);
    let lewm = LewmModel::from_params(card(), &config().lewm, &params, None).unwrap();
    let believer = BeliefModel::from_params(card(), &config(), &params, None).unwrap();
    (believer, lewm, params)
}

/// Observations of the experience, and actions between them.
fn context(frames: &[usize]) -> Context {
    let data = experience();
    Context {
        frames: frames
            .iter()
            .map(|&i| Frame::new(data.size, data.frame(i).to_vec()))
            .collect(),
        actions: vec![vec![0.3, -0.2]; frames.len() - 1],
    }
}

/// Distances of what is imagined after a context.
fn imagined(model: &dyn WorldModel, context: &Context) -> Vec<f32> {
    let actions = Actions {
        n: 2,
        steps: 5,
        dim: 2,
        data: (0..20).map(|i| (i as f32 * 0.7).sin()).collect(),
    };
    let latent = model.observe(context).unwrap();
    let rollouts = model
        .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
        .unwrap();
    let data = experience();
    let goal = Goal {
        latent: None,
        frame: Frame::new(data.size, data.frame(30).to_vec()),
    };
    let plans = model.facets().plans.unwrap();
    plans.distance(&rollouts, &goal, &Metric::Own).unwrap()
}

fn differ(a: &[f32], b: &[f32]) -> f32 {
    let pairs = a.iter().zip(b);
    pairs.map(|(x, y)| (x - y).abs()).fold(0.0, f32::max)
}

#[test]
fn what_was_seen_before_counts_for_a_belief_and_for_nobody_else() {
    let (believer, lewm, _) = models();
    let (one, other) = (context(&[0, 1, 2, 10, 11]), context(&[20, 25, 29, 10, 11]));
    let (long, short) = (believer.shape(), lewm.shape());
    assert_eq!((long.context_frames, short.context_frames), (8, 2));
    assert_eq!(imagined(&lewm, &one), imagined(&lewm, &other));
    assert_ne!(imagined(&believer, &one), imagined(&believer, &other));
}

#[test]
fn a_belief_ends_with_its_episode_and_looks_no_further_back_than_it_says() {
    let (believer, _, _) = models();
    let fresh = imagined(&believer, &context(&[10, 11]));
    // Another episode comes between: nothing of it is left.
    imagined(&believer, &context(&[20, 21, 22, 23, 24]));
    assert_eq!(fresh, imagined(&believer, &context(&[10, 11])));
    let eight = [3, 4, 5, 6, 7, 8, 10, 11];
    let ten: Vec<usize> = [20, 29].into_iter().chain(eight).collect();
    let mut longer = context(&ten);
    let all = imagined(&believer, &longer);
    longer.keep(8);
    assert_eq!(all, imagined(&believer, &longer));
}

#[test]
fn a_belief_that_corrects_nothing_leaves_the_lewm_as_it_is() {
    let (_, lewm, params) = models();
    for (_, var) in params.pp("belief.correct.second").vars() {
        var.set(&var.zeros_like().unwrap()).unwrap();
    }
    let card = Card::untrained("believer", Camp::Jepa, "belief_lewm");
    let believer = BeliefModel::from_params(card, &config(), &params, None).unwrap();
    let seen = context(&[3, 4, 5, 6]);
    let (own, its) = (imagined(&believer, &seen), imagined(&lewm, &seen));
    let largest = its.iter().fold(0f32, |m, x| m.max(x.abs()));
    assert!(differ(&own, &its) < 1e-4 * largest.max(1.0));
    let (own, its) = (
        believer.cost(Sampling::default()),
        lewm.cost(Sampling::default()),
    );
    assert!(own.parameters > its.parameters && own.dynamics_flops > its.dynamics_flops);
}

#[test]
fn as_many_observations_are_handed_over_as_there_are() {
    let scene = scene("occluder");
    let eye = Eye::standard(&scene).unwrap();
    let clip = (TUNING_SEED..)
        .map(|seed| Clip::new(&scene, &eye, seed).unwrap())
        .find(|clip| clip.start >= 3)
        .unwrap();
    let (few, all) = (clip.context(1), clip.context(1000));
    assert_eq!(few.frames.len(), CONTEXT);
    assert_eq!(all.frames.len(), CONTEXT + clip.start);
    assert_eq!(all.actions.len() + 1, all.frames.len());
    assert!(all.frames.ends_with(&few.frames));
    assert_eq!(clip.context(CONTEXT + 2).frames.len(), CONTEXT + 2);
}

#[test]
fn hidden_bodies_are_counted_within_their_radius() {
    let body = |frames, model_m, stays_m| Hidden {
        frames,
        radius_m: 0.1,
        model_m,
        stays_m,
        coasts_m: 0.0,
    };
    let bodies = [
        body(3, 0.05, 0.4),
        body(3, 0.1, 0.09),
        body(4, 0.11, 0.4),
        body(4, f32::NAN, 0.4),
    ];
    let point = Point::of([1, 4], &bodies);
    assert_eq!(point.bodies, 4);
    assert_eq!(
        point.survival.unwrap().rate,
        0.5,
        "a place that is no number is lost"
    );
    assert_eq!(point.stays.unwrap().rate, 0.25);
    assert_eq!(point.coasts.unwrap().rate, 1.0);
    assert!(Point::of([5, 8], &[]).survival.is_none());
}

#[test]
fn slower_bodies_are_hidden_for_longer_and_no_pixel_of_them_is_seen() {
    let scene = scene("occluder");
    let eye = Eye::standard(&scene).unwrap();
    let pixels = eye.size() * eye.size();
    let longest = |pace: f32| {
        let slow = Arc::new(survival::paced(&scene, pace));
        let mut most = 0;
        for seed in TUNING_SEED..TUNING_SEED + 3 {
            let episode = record(&slow, &eye, seed).unwrap();
            for (body, last, back) in survival::spans(&slow, &episode, pixels) {
                let seen = |t: usize| {
                    episode.ids[t * pixels..(t + 1) * pixels].contains(&(body as u8 + 1))
                };
                assert!(seen(last) && seen(back) && (last + 1..back).all(|t| !seen(t)));
                assert!((0..=last).filter(|&t| seen(t)).count() >= CONTEXT);
                assert!(back - last - 1 <= LONGEST);
                most = most.max(back - last - 1);
            }
        }
        most
    };
    let (own, slow) = (longest(1.0), longest(0.5));
    assert!(
        own >= 4 && slow > own,
        "{own} at its own pace, {slow} at half"
    );
}

#[test]
fn the_program_reads_a_recipe_of_a_belief_and_says_who_trains_it() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("training/recipes/lewm-belief.ron");
    let recipe = TrainConfig::load(&path).unwrap();
    assert_eq!(recipe.architecture.id(), "belief_lewm");
    let text = std::fs::read_to_string(&path).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("train.ron");
    let (before, after) = text.split_once("ahead: ").unwrap();
    let (_, after) = after.split_once(',').unwrap();
    std::fs::write(&broken, format!("{before}ahead: 0,{after}")).unwrap();
    let said = TrainConfig::load(&broken).unwrap_err().to_string();
    assert!(said.contains("training.ahead"), "{said}");
}

#[test]
fn kinds_of_surprise_are_asked_for_by_name() {
    use parallax::eval::surprise::Break;
    assert_eq!(Break::named("vanish_hidden"), Ok(Break::VanishHidden));
    let said = Break::named("vanished").unwrap_err();
    assert!(
        said.contains("vanished") && said.contains("pass_through"),
        "{said}"
    );
}
