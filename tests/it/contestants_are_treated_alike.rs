//! What a contestant is shown, which episodes count, and what the floors do: on cases with a known answer.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use candle_core::Device;
use parallax::camera::Eye;
use parallax::eval::control::{self, ControlResult};
use parallax::eval::probe;
use parallax::model::nn::Params;
use parallax::model::registry::{self, Trained};
use parallax::model::{Actions, Cancel, Context, Frame, Goal, Metric, ModelError, Sampling};
use parallax::planner::{
    Budget, Controller, Informed, OracleMpc, Pilot, Random, SIGHT_FRAMES, Sight, Truth,
};
use parallax::scene::{Scene, models_dir};
use parallax::sim::Reality;
use parallax::task::{GoalKind, TaskInstance};

use crate::support::stub::{Stub, shape};
use crate::support::{recorded, scene, shortened};

const SEED: u64 = 1_070_000;

fn run(scene: &Arc<Scene>, pilot: &mut Pilot, episodes: u64) -> ControlResult {
    let eye = Eye::standard(scene).unwrap();
    let seeds = SEED..SEED + episodes;
    control::run(scene, &eye, pilot, seeds, GoalKind::Scene, |_| {}).unwrap()
}

/// Does nothing.
struct Idle;

impl Controller for Idle {
    fn decide(&mut self, sight: &Sight, _: &Cancel) -> Result<Vec<f32>, ModelError> {
        Ok(vec![0.0; sight.dim])
    }
    fn reset(&mut self, _: u64) {}
}

#[test]
fn an_episode_that_began_solved_does_not_count() {
    let mut wide = Scene::clone(&scene("reach"));
    let task = wide.task.as_mut().unwrap();
    task.budget_steps = 3;
    // Goals from the task's own sampler lie anywhere: within this some begin solved, and some do not.
    task.tolerance_m = 0.35;
    if let parallax::scene::GoalSampler::Region { min_distance_m, .. } = &mut task.goal {
        *min_distance_m = 0.0;
    }
    let found = run(&Arc::new(wide), &mut Pilot::Sighted(Box::new(Idle)), 40);
    let solved = found
        .per_episode
        .iter()
        .filter(|e| e.solved_at_start)
        .count();
    assert!(solved > 0 && solved < 40, "{solved} of 40 began solved");
    assert_eq!(found.excluded_solved_at_start, solved);
    assert_eq!(found.episodes, 40 - solved);
    // Who does nothing has solved nothing but what was solved.
    assert_eq!(found.success.unwrap().rate, 0.0, "{found:?}");
    assert!(found.steps_to_success.is_none());
    let tried = found.per_episode.iter().filter(|e| !e.solved_at_start);
    let steps: Vec<u32> = tried.map(|e| e.steps).collect();
    assert!(steps.iter().all(|s| *s == 3), "the budget is 3: {steps:?}");
}

#[test]
fn where_every_episode_began_solved_success_is_null_and_says_why() {
    let mut all = Scene::clone(&scene("push"));
    all.task.as_mut().unwrap().tolerance_m = 5.0;
    let found = run(&Arc::new(all), &mut Pilot::Sighted(Box::new(Idle)), 3);
    assert_eq!((found.success, found.episodes), (None, 0));
    assert!(found.decision_ms.is_none() && found.decision_model_steps.is_none());
    let why = found.not_measured.clone().unwrap();
    assert!(why.contains("all 3 episodes began solved"), "{why}");
    let json = serde_json::json!(found);
    assert!(json["success"].is_null() && json["steps_to_success"].is_null());
}

/// Writes down what it is shown, and pushes along.
#[derive(Default)]
struct Spy {
    eye: Option<Eye>,
    now: Option<Reality>,
    taken: Vec<Vec<f32>>,
    notes: Arc<Mutex<Notes>>,
}

/// How often a spy looked, and the goals that it saw.
#[derive(Default)]
struct Notes {
    seen: usize,
    goals: HashSet<Frame>,
}

impl Controller for Spy {
    fn decide(&mut self, sight: &Sight, _: &Cancel) -> Result<Vec<f32>, ModelError> {
        let context = &sight.context;
        assert_eq!(context.actions.len() + 1, context.frames.len());
        assert_eq!(
            context.frames.len(),
            (self.taken.len() + 1).min(SIGHT_FRAMES)
        );
        // The last frame is of this very moment.
        let reality = self.now.take().unwrap();
        let now = self.eye.as_ref().unwrap().look(&reality).rgb;
        assert!(
            context.frames.last() == Some(&Frame::new(64, now)),
            "an old picture is shown"
        );
        // The actions are its own, latest last.
        let own = &self.taken[self.taken.len() - context.actions.len()..];
        assert_eq!(context.actions, own);
        let mut notes = self.notes.lock().unwrap();
        notes.goals.insert(sight.goal.frame.clone());
        notes.seen += 1;
        let turn = self.taken.len() as f32;
        let action = vec![(turn * 0.7).sin(), (turn * 0.3).cos()];
        self.taken.push(action.clone());
        Ok(action)
    }
    fn reset(&mut self, _: u64) {
        self.taken.clear();
    }
}

impl Informed for Spy {
    fn see(&mut self, truth: Truth) {
        self.now = Some(truth.reality);
    }
}

#[test]
fn a_controller_sees_this_moment_its_own_actions_and_one_goal_an_episode() {
    let push = scene("push");
    let notes = Arc::new(Mutex::new(Notes::default()));
    let spy = Spy {
        eye: Some(Eye::standard(&push).unwrap()),
        notes: notes.clone(),
        ..Spy::default()
    };
    let found = run(&push, &mut Pilot::Informed(Box::new(spy)), 3);
    let spy = notes.lock().unwrap();
    let steps: u32 = found.per_episode.iter().map(|e| e.steps).sum();
    assert_eq!(spy.seen, steps as usize);
    assert!(spy.seen > 2 * SIGHT_FRAMES, "the spy saw too little");
    assert_eq!(spy.goals.len(), 3);
    let eye = Eye::standard(&push).unwrap();
    for seed in SEED..SEED + 3 {
        let instance = TaskInstance::new(&push, &eye, seed).unwrap();
        assert!(spy.goals.contains(&instance.goal.frame));
        assert!(!instance.is_solved(&instance.reality));
    }
}

/// Uniform on [-1, 1]: mean 0, variance 1/3, and another course for every seed.
#[test]
fn the_random_floor_acts_at_random() {
    let sight = Sight {
        context: Context::default(),
        goal: Goal::default(),
        dim: 2,
    };
    let mut random = Random::new(7);
    let draw = |random: &mut Random, n: usize| -> Vec<f32> {
        (0..n)
            .flat_map(|_| random.decide(&sight, &Cancel::new()).unwrap())
            .collect()
    };
    let values = draw(&mut random, 4000);
    let n = values.len() as f32;
    assert_eq!(n, 8000.0);
    assert!(values.iter().all(|v| (-1.0..=1.0).contains(v)));
    let mean = values.iter().sum::<f32>() / n;
    let variance = values.iter().map(|v| v * v).sum::<f32>() / n;
    // Four standard errors.
    assert!(mean.abs() < 4.0 * (1.0 / 3.0 / n).sqrt(), "{mean}");
    assert!((variance - 1.0 / 3.0).abs() < 0.02, "{variance}");
    // Neighbours and components know nothing of each other.
    let correlated: f32 = values.windows(2).map(|w| w[0] * w[1]).sum::<f32>() / n;
    assert!(correlated.abs() < 0.02, "{correlated}");
    random.reset(8);
    let eighth = draw(&mut random, 3);
    random.reset(9);
    assert_ne!(draw(&mut random, 3), eighth);
    random.reset(8);
    assert_eq!(draw(&mut random, 3), eighth, "a seed decides");
}

/// The floor without contacts knows everything but that pushing moves a cube: it must not do as well as the
/// oracle.
#[test]
fn the_floor_without_contacts_cannot_plan_a_push() {
    let push = scene("push");
    let budget = Budget {
        candidates: 32,
        iterations: 3,
        horizon: 5,
        hold: 5,
        milliseconds: None,
    };
    let reached = |controller: OracleMpc| {
        let found = run(&push, &mut Pilot::Informed(Box::new(controller)), 8);
        let reached = found.per_episode.iter().filter(|e| e.success).count();
        (reached, found.per_episode)
    };
    let (knows, oracle) = reached(OracleMpc::new(&push, budget, 5));
    let (blind, floor) = reached(OracleMpc::without_contacts(&push, budget, 5));
    assert!(blind < knows, "{blind} of 8 without contacts, {knows} with");
    assert_ne!(oracle, floor);
}

/// The shipped clone of `reach` moves the hand towards the goal that it is shown, wherever that is.
#[test]
fn a_cloned_policy_looks_at_its_goal() {
    let reach = scene("reach");
    let eye = Eye::standard(&reach).unwrap();
    let dir = registry::find(&models_dir(), "clone-reach").unwrap();
    let Trained::Policy(policy) = registry::load_any(&dir, &Device::Cpu).unwrap() else {
        panic!("a clone is a policy");
    };
    let (mut right, mut asked, mut spread) = (0, 0, 0.0f32);
    let instances: Vec<TaskInstance> = (SEED..SEED + 12)
        .map(|seed| TaskInstance::new(&reach, &eye, seed).unwrap())
        .collect();
    let start = &instances[0].reality;
    let context = Context::one(Frame::new(eye.size(), eye.look(start).rgb));
    let hand = start.measure().bodies[instances[0].body].position;
    let mut first = None;
    for instance in &instances {
        let action = policy.act(&context, &instance.goal, 2).unwrap();
        let way = [instance.place[0] - hand[0], instance.place[1] - hand[2]];
        let along = action[0] * way[0] + action[1] * way[1];
        if way[0].hypot(way[1]) > 0.15 {
            asked += 1;
            right += usize::from(along > 0.0);
        }
        let first = first.get_or_insert(action.clone());
        spread = spread.max((action[0] - first[0]).hypot(action[1] - first[1]));
    }
    assert!(asked >= 6, "only {asked} goals lie away from the hand");
    assert!(
        right * 10 >= asked * 8,
        "{right} of {asked} point to the goal"
    );
    assert!(
        spread > 0.3,
        "other goals hardly change the action: {spread}"
    );
}

/// Distances of a shipped LeWM, computed anew from its latents and the whitening in its file.
#[test]
fn planning_measures_distances_in_whitened_latents() {
    let push = scene("push");
    let eye = Eye::standard(&push).unwrap();
    let dir = registry::find(&models_dir(), "lewm-push").unwrap();
    let model = registry::load(&dir, &Device::Cpu).unwrap();
    let params = Params::load(&dir.join("model.safetensors"), &Device::Cpu).unwrap();
    let instance = TaskInstance::new(&push, &eye, SEED).unwrap();
    let now = eye.look(&instance.reality).rgb;
    let context = Context::one(Frame::new(eye.size(), now));
    let latent = model.observe(&context).unwrap();
    let actions = Actions {
        n: 3,
        steps: 10,
        dim: 2,
        data: (0..60).map(|i| (i as f32 * 0.37).sin()).collect(),
    };
    let rollouts = model
        .imagine(&latent, &actions, Sampling::default(), &Cancel::new())
        .unwrap();
    let (plans, latents) = (
        model.facets().plans.unwrap(),
        model.facets().latents.unwrap(),
    );
    let found = plans
        .distance(&rollouts, &instance.goal, &Metric::Own)
        .unwrap();
    let rows = latents.rows(&rollouts, &instance.goal).unwrap().unwrap();
    let d = rows.dim;
    let whitening: Vec<f32> = params
        .buffer((d, d), "whitening", parallax::model::nn::Init::Zeros)
        .unwrap()
        .as_tensor()
        .flatten_all()
        .unwrap()
        .to_vec1()
        .unwrap();
    let mut plain = Vec::new();
    for (i, found) in found.iter().enumerate() {
        let z = rows.at(i / rows.steps, i % rows.steps);
        let delta: Vec<f32> = z.iter().zip(&rows.goal).map(|(z, g)| z - g).collect();
        // ‖W (z − g)‖², W as the file has it.
        let expected: f32 = whitening
            .chunks_exact(d)
            .map(|row| row.iter().zip(&delta).map(|(w, x)| w * x).sum::<f32>())
            .map(|v| v * v)
            .sum();
        assert!(
            (found - expected).abs() < 2e-3 * expected,
            "{found} {expected}"
        );
        plain.push(delta.iter().map(|v| v * v).sum::<f32>());
    }
    let ratio: Vec<f32> = found.iter().zip(&plain).map(|(f, p)| f / p).collect();
    let (least, most) = ratio
        .iter()
        .fold((f32::MAX, 0f32), |(a, b), r| (a.min(*r), b.max(*r)));
    assert!(
        most > 1.01 * least,
        "whitening is a mere scale here: {ratio:?}"
    );
}

/// Features that are noise of the frame's bytes: nothing can be read from them but what was learned by heart.
fn noise(context: &Context) -> Vec<f32> {
    // As in use: as many real frames as it can take, and the actions between them.
    assert!((1..=4).contains(&context.frames.len()));
    assert_eq!(context.actions.len() + 1, context.frames.len());
    assert!(
        context.frames.windows(2).any(|f| f[0] != f[1]) || context.frames.len() < 4,
        "a film that stands still"
    );
    let last = context.frames.last().unwrap();
    let mut state = last.data.iter().fold(0u64, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..64).map(|_| next()).collect()
}

#[test]
fn probes_are_tested_on_episodes_that_they_were_not_fitted_on() {
    let push = scene("push");
    let found = probe::run(
        &push,
        &Stub::with_features("noise", shape(4, 1), noise),
        SEED,
        2,
    )
    .unwrap();
    for (quantity, r) in &found.model.r {
        let known = r.linear.abs().max(r.mlp.abs());
        assert!(known < 0.4, "{quantity}: r {known} out of noise");
    }
    let seeds = probe::FIT_SEED..probe::FIT_SEED + 100_000 * probe::FIT_SHARE;
    assert!(
        seeds.end <= 1_000_000,
        "probes would be fitted on held-out seeds"
    );
}

/// The wrong seeds would flatter: recorded splits share nothing.
#[test]
fn training_and_validation_share_no_episode() {
    let data = recorded(&shortened("push", 4), 0..20);
    let (train, validation) = data.split_episodes(0.2);
    let both: HashSet<usize> = train.iter().chain(&validation).copied().collect();
    assert_eq!((train.len(), validation.len(), both.len()), (16, 4, 20));
}
