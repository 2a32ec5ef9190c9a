//! Planning works where the world is known: on a point mass written here, and on forks of rapier.

use std::sync::{Arc, Mutex};

use parallax::camera::Eye;
use parallax::eval::control;
use parallax::model::facets::Plans;
use parallax::model::oracle::Oracle;
use parallax::model::{
    Actions, Cancel, Card, Context, Cost, Effort, Facets, Goal, Latent, Metric, ModelError,
    Rollouts, Sampling, Shape, WorldModel,
};
use parallax::planner::{
    Budget, Cem, Controller, CostShape, Mpc, OracleMpc, Pilot, Plan, Planner, Problem, Random,
    Sight,
};
use parallax::scene::ActionSpace;
use parallax::sim::{GoalState, HELD_OUT_SEED, Reality, Target};
use parallax::task::GoalKind;

use crate::support::scene;
use crate::support::stub::{card, shape};

/// A point that an action moves by a tenth of it, and a place to bring it to.
struct Point {
    card: Card,
    at: Mutex<[f32; 2]>,
    goal: [f32; 2],
    frameskip: usize,
    /// Raised after so many calls of `imagine`.
    cancel_after: Mutex<Option<(usize, Cancel)>>,
}

impl Point {
    fn new(goal: [f32; 2]) -> Self {
        Self {
            card: card("point"),
            at: Mutex::new([0.0; 2]),
            goal,
            frameskip: 1,
            cancel_after: Mutex::new(None),
        }
    }
}

impl WorldModel for Point {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        shape(1, self.frameskip)
    }
    fn observe(&self, _: &Context) -> Result<Latent, ModelError> {
        Ok(Latent::new(*self.at.lock().unwrap()))
    }
    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        _: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        if let Some((left, flag)) = self.cancel_after.lock().unwrap().as_mut() {
            *left = left.saturating_sub(1);
            if *left == 0 {
                flag.cancel();
            }
        }
        cancel.check()?;
        let start: &[f32; 2] = latent.get(&self.card.name)?;
        let mut places = Vec::new();
        for n in 0..actions.n {
            let mut at = *start;
            for t in 0..actions.steps {
                let a = actions.at(n, t);
                assert!(
                    a.iter().all(|v| (-1.0..=1.0).contains(v)),
                    "an action outside [-1, 1]"
                );
                at = [at[0] + 0.1 * a[0], at[1] + 0.1 * a[1]];
                places.push(at);
            }
        }
        Ok(Rollouts::new(places))
    }
    fn cost(&self, _: Sampling) -> Cost {
        Cost::default()
    }
    fn facets(&self) -> Facets<'_> {
        Facets {
            plans: Some(self),
            ..Facets::default()
        }
    }
}

impl Plans for Point {
    fn distance(&self, rollouts: &Rollouts, _: &Goal, _: &Metric) -> Result<Vec<f32>, ModelError> {
        let places: &Vec<[f32; 2]> = rollouts.get(&self.card.name)?;
        Ok(places
            .iter()
            .map(|p| (p[0] - self.goal[0]).hypot(p[1] - self.goal[1]))
            .collect())
    }
    fn effort(&self) -> Effort {
        Effort::CHEAP
    }
}

const BUDGET: Budget = Budget {
    candidates: 80,
    iterations: 8,
    horizon: 4,
    hold: 2,
    milliseconds: None,
};

fn plan(
    model: &Point,
    warm: Option<&Plan>,
    seed: u64,
    cancel: &Cancel,
) -> Result<Plan, ModelError> {
    let latent = model.observe(&Context::default())?;
    let cem = Cem {
        shape: CostShape::Last,
        ..Cem::default()
    };
    cem.plan(&Problem {
        model,
        latent: &latent,
        goal: &Goal::default(),
        metric: &Metric::Own,
        sampling: Sampling::default(),
        dim: 2,
        budget: &BUDGET,
        warm,
        seed,
        cancel,
    })
}

#[test]
fn cem_brings_a_point_to_its_goal() {
    let model = Point::new([0.5, -0.35]);
    let plan = plan(&model, None, 1, &Cancel::new()).unwrap();
    assert_eq!((plan.actions.len(), plan.iterations.len()), (8, 8));
    // And once more eight: the plan itself, for its cost by step.
    assert_eq!(plan.model_steps, 80 * 8 * 8 + 8);
    let end = plan
        .actions
        .iter()
        .fold([0.0f32; 2], |p, a| [p[0] + 0.1 * a[0], p[1] + 0.1 * a[1]]);
    assert!(
        (end[0] - 0.5).hypot(end[1] + 0.35) < 0.05,
        "it ends at {end:?}"
    );
    let (first, last) = (plan.iterations[0], plan.iterations[7]);
    assert!(
        last.mean_elite < first.mean_elite && last.spread < first.spread,
        "{:?}",
        plan.iterations
    );
    assert_eq!(plan.first_actions.len(), 80);
    assert!(
        plan.actions.chunks(2).all(|held| held[0] == held[1]),
        "a token holds its action"
    );
}

#[test]
fn closed_loop_control_arrives_and_stays() {
    let model = Arc::new(Point::new([-0.7, 0.9]));
    let mut mpc = Mpc::new(model.clone(), Cem::default(), BUDGET, 2);
    mpc.reset(3);
    let sight = Sight {
        context: Context::default(),
        goal: Goal::default(),
        dim: 2,
    };
    for step in 0..24 {
        assert_eq!(mpc.will_look(), step % 2 == 0, "it plans every second step");
        let a = mpc.decide(&sight, &Cancel::new()).unwrap();
        let mut at = model.at.lock().unwrap();
        *at = [at[0] + 0.1 * a[0], at[1] + 0.1 * a[1]];
    }
    let at = *model.at.lock().unwrap();
    assert!((at[0] + 0.7).hypot(at[1] - 0.9) < 0.08, "{at:?}");
}

#[test]
fn a_plan_is_the_same_for_a_seed_and_another_for_another() {
    let model = Point::new([0.5, -0.35]);
    let first = plan(&model, None, 11, &Cancel::new()).unwrap();
    assert_eq!(first, plan(&model, None, 11, &Cancel::new()).unwrap());
    assert_ne!(first, plan(&model, None, 12, &Cancel::new()).unwrap());
    let warm = plan(&model, Some(&first), 12, &Cancel::new()).unwrap();
    assert!(
        warm.iterations[0].best <= first.cost + 0.02,
        "a warm start is not worse than the plan it starts from"
    );
}

#[test]
fn a_cancelled_search_stops_at_once() {
    let model = Point::new([0.5, 0.5]);
    let raised = Cancel::new();
    raised.cancel();
    assert!(matches!(
        plan(&model, None, 1, &raised),
        Err(ModelError::Cancelled)
    ));
    // In the middle: raised while the third iteration imagines.
    let flag = Cancel::new();
    *model.cancel_after.lock().unwrap() = Some((3, flag.clone()));
    assert!(matches!(
        plan(&model, None, 1, &flag),
        Err(ModelError::Cancelled)
    ));
}

#[test]
fn a_horizon_that_does_not_fit_the_model_is_named() {
    let model = Point {
        frameskip: 3,
        ..Point::new([0.0; 2])
    };
    let error = plan(&model, None, 1, &Cancel::new()).unwrap_err();
    assert!(matches!(error, ModelError::Input { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("point") && text.contains("4 × 2") && text.contains("frameskip 3"),
        "{text}"
    );
}

#[test]
fn a_latent_of_another_model_is_refused() {
    let model = Point::new([0.0; 2]);
    let actions = Actions::one(&[vec![0.0, 0.0]], 2);
    let error = model
        .imagine(
            &Latent::new("something else"),
            &actions,
            Sampling::default(),
            &Cancel::new(),
        )
        .err()
        .expect("refused");
    assert!(error.to_string().contains("another model"), "{error}");
    let unseen = Oracle::new(&scene("reach"))
        .observe(&Context::default())
        .err()
        .expect("it has seen nothing");
    assert!(unseen.to_string().contains("oracle"), "{unseen}");
}

/// The costs of courses of action.
fn costs_of(oracle: &Oracle, latent: &Latent, actions: &Actions) -> Vec<f32> {
    let rollouts = oracle
        .imagine(latent, actions, Sampling::default(), &Cancel::new())
        .unwrap();
    let costs = oracle.distance(&rollouts, &Goal::default(), &Metric::Own);
    costs.unwrap()
}

#[test]
fn the_oracle_knows_a_plan_that_meets_an_exacting_goal_from_one_that_does_not() {
    let push_t = scene("push_t");
    let start = Reality::new(&push_t, HELD_OUT_SEED + 30_000).unwrap();
    // The hand goes straight for the block and some way on: where that ends is the goal.
    let state = start.measure();
    let (hand, tee) = (&state.bodies[0].position, &state.bodies[1].position);
    let (dx, dz) = (tee[0] - hand[0], tee[2] - hand[2]);
    let far = dx.hypot(dz);
    let push = vec![dx / far, dz / far];
    let mut there = start.fork();
    for _ in 0..25 {
        there.act(&push);
        there.step();
    }
    let end = there.measure();
    let goal = GoalState {
        task: push_t.task.clone().unwrap(),
        targets: vec![Target::of(1, &end.bodies[1]), Target::of(0, &end.bodies[0])],
    };
    assert!(!goal.is_met(&state));
    let oracle = Oracle::new(&push_t);
    oracle.see(start.fork(), Arc::new(goal));
    let latent = oracle.observe(&Context::default()).unwrap();
    let mut actions = Actions::one(&vec![push; 25], 2);
    actions.data.extend(vec![0.0; 50]);
    actions.n = 2;
    let costs = costs_of(&oracle, &latent, &actions);
    let (meets, rests) = costs.split_at(5);
    assert!(meets.iter().all(|c| *c < 0.0), "{costs:?}");
    assert!(rests.iter().all(|c| *c > 0.0), "{costs:?}");
    assert_eq!(OracleMpc::search(&push_t).id(), "icem");
    assert_eq!(OracleMpc::search(&scene("push")).id(), "cem");
}

#[test]
fn a_forecast_without_contacts_moves_the_hand_and_nothing_that_rests() {
    let push = scene("push");
    let start = Reality::new(&push, HELD_OUT_SEED + 30_000).unwrap();
    let state = start.measure();
    let (hand, cube) = (push.hand().unwrap(), push.body_index("cube").unwrap());
    let goal = |place: [f32; 3], body: usize| {
        let mut target = Target::of(body, &state.bodies[body]);
        target.position = place;
        Arc::new(GoalState {
            task: push.task.clone().unwrap(),
            targets: vec![target],
        })
    };
    let costs = |oracle: &Oracle, goal: Arc<GoalState>| {
        oracle.see(start.fork(), goal);
        let latent = oracle.observe(&Context::default()).unwrap();
        // Straight for the cube, for long enough to push it.
        let (h, c) = (state.bodies[hand].position, state.bodies[cube].position);
        let far = (c[0] - h[0]).hypot(c[2] - h[2]);
        let action = vec![(c[0] - h[0]) / far, (c[2] - h[2]) / far];
        let actions = Actions::one(&vec![action; 20], 2);
        costs_of(oracle, &latent, &actions)
    };
    let (truth, floor) = (Oracle::new(&push), Oracle::without_contacts(&push));
    // The cube is where it is wanted: reality pushes it away, the floor believes that it stays.
    let at = state.bodies[cube].position;
    let (moved, stays) = (costs(&truth, goal(at, cube)), costs(&floor, goal(at, cube)));
    assert!(moved.last() > stays.last(), "{moved:?} {stays:?}");
    // A free hand goes where the action says: one step at the scene's speed.
    let ActionSpace::Planar { max_speed, .. } = push.actions else {
        panic!("push is planar")
    };
    let aim = state.bodies[hand].position;
    floor.see(start.fork(), goal(aim, hand));
    let latent = floor.observe(&Context::default()).unwrap();
    let actions = Actions::one(&vec![vec![0.0, 1.0]; 5], 2);
    let found = costs_of(&floor, &latent, &actions)[0];
    let (low, high) = push.actions.planar_bounds().unwrap();
    let z = (aim[2] + 0.5 * max_speed).clamp(low[1], high[1]);
    assert!((found - (z - aim[2])).abs() < 1e-4, "{found}");
}

#[test]
fn the_oracle_reaches_goals_that_chance_does_not() {
    let reach = scene("reach");
    let eye = Eye::standard(&reach).unwrap();
    let seed = HELD_OUT_SEED + 30_000;
    let budget = Budget {
        candidates: 32,
        iterations: 3,
        horizon: 5,
        hold: 5,
        milliseconds: None,
    };
    let mut oracle = Pilot::Informed(Box::new(OracleMpc::new(&reach, budget, 5)));
    let oracle = control::run(
        &reach,
        &eye,
        &mut oracle,
        seed..seed + 6,
        GoalKind::Scene,
        |_| (),
    )
    .unwrap();
    assert!(oracle.success.unwrap().rate > 0.8, "{oracle:?}");
    assert!(
        oracle
            .per_episode
            .iter()
            .filter(|e| e.success)
            .all(|e| e.final_distance_m <= 0.14 && e.steps <= 50)
    );
    let chance = control::run(
        &reach,
        &eye,
        &mut Pilot::Sighted(Box::new(Random::new(seed))),
        seed..seed + 12,
        GoalKind::Scene,
        |_| (),
    )
    .unwrap();
    assert!(chance.success.unwrap().rate < 0.4, "{chance:?}");
    assert_eq!(chance.episodes + chance.excluded_solved_at_start, 12);
}
