//! Why a planner fails is told rightly where it is known: a model that knows the dynamics, one that wants the
//! opposite, a search that offers nothing, a goal that nobody can reach.

use std::collections::HashMap;
use std::sync::Arc;

use assert_cmd::Command;
use parallax::camera::Eye;
use parallax::eval::contest::Contest;
use parallax::eval::why::{self, Cause, Examined, Round, Suspect, WhyResult};
use parallax::model::facets::Plans;
use parallax::model::oracle::Oracle;
use parallax::model::{
    Actions, Cancel, Card, Context, Cost, Effort, Facets, Frame, Goal, Latent, Metric, ModelError,
    Rollouts, Sampling, Shape, WorldModel,
};
use parallax::planner::{Budget, Cem, CostShape, Plan, Planner, Problem};
use parallax::scene::{ActionSpace, Scene};
use parallax::task::{GoalKind, TaskInstance};

use crate::support::scene;
use crate::support::stub::card;

const SEED: u64 = 900_000;
const EPISODES: u64 = 8;

/// A model of one scene that imagines what will be, and wants it or its opposite.
struct Knowing {
    card: Card,
    oracle: Oracle,
    starts: HashMap<Frame, TaskInstance>,
    sign: f32,
}

impl Knowing {
    fn of(scene: &Arc<Scene>, sign: f32) -> Arc<Knowing> {
        let eye = Eye::standard(scene).unwrap();
        let starts = (SEED..SEED + EPISODES).map(|seed| {
            let start = TaskInstance::with_goals(scene, &eye, seed, GoalKind::Scene).unwrap();
            let seen = Frame::new(eye.size(), eye.look(&start.reality).rgb);
            (seen, start)
        });
        Arc::new(Knowing {
            card: card("knowing"),
            oracle: Oracle::new(scene),
            starts: starts.collect(),
            sign,
        })
    }
}

impl WorldModel for Knowing {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        self.oracle.shape()
    }
    /// What was done since the start says where reality is.
    fn observe(&self, context: &Context) -> Result<Latent, ModelError> {
        let start = &self.starts[&context.frames[0]];
        let mut reality = start.reality.fork();
        for action in &context.actions {
            reality.act(action);
            reality.step();
        }
        self.oracle.see(reality, start.goal_state.clone());
        self.oracle.observe(context)
    }
    fn imagine(
        &self,
        latent: &Latent,
        actions: &Actions,
        sampling: Sampling,
        cancel: &Cancel,
    ) -> Result<Rollouts, ModelError> {
        self.oracle.imagine(latent, actions, sampling, cancel)
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

impl Plans for Knowing {
    fn distance(
        &self,
        rollouts: &Rollouts,
        goal: &Goal,
        metric: &Metric,
    ) -> Result<Vec<f32>, ModelError> {
        let distances = self.oracle.distance(rollouts, goal, metric)?;
        Ok(distances.iter().map(|d| self.sign * d).collect())
    }
    fn effort(&self) -> Effort {
        Effort::PHYSICS
    }
}

/// Imagines that nobody acts, and does so.
struct Idle;

impl Planner for Idle {
    fn plan(&self, problem: &Problem) -> Result<Plan, ModelError> {
        let still = vec![vec![0.0; problem.dim]; problem.budget.steps()];
        let actions = Actions::one(&still, problem.dim);
        let rollouts =
            (problem.model).imagine(problem.latent, &actions, problem.sampling, problem.cancel)?;
        let plans = problem.model.facets().plans.unwrap();
        Ok(Plan {
            cost_by_step: plans.distance(&rollouts, problem.goal, problem.metric)?,
            actions: still,
            ..Plan::default()
        })
    }
    fn id(&self) -> &'static str {
        "idle"
    }
}

/// `reach` with so many control steps.
fn reach(budget_steps: u32) -> Arc<Scene> {
    let mut reach = Scene::clone(&scene("reach"));
    reach.task.as_mut().unwrap().budget_steps = budget_steps;
    Arc::new(reach)
}

fn explained(scene: &Arc<Scene>, sign: f32, search: Box<dyn Planner>) -> WhyResult {
    let suspect = Suspect {
        model: Knowing::of(scene, sign),
        search,
        shape: CostShape::Sum,
        budget: Budget {
            candidates: 40,
            iterations: 3,
            horizon: 2,
            hold: 5,
            milliseconds: None,
        },
        replan: 2,
        metric: Metric::Own,
        sampling: Sampling::default(),
        warm: true,
    };
    let contest = Contest {
        scene: scene.clone(),
        seeds: SEED..SEED + EPISODES,
        goals: GoalKind::Scene,
    };
    let mut seen = 0;
    let found = why::run(&contest, suspect, |_| seen += 1).unwrap();
    assert_eq!(seen, EPISODES);
    assert_eq!(found.failures, found.per_failure.len());
    found
}

/// Every failure that a search with the true cost solves has this cause, and there are some.
fn assert_cause(found: &WhyResult, cause: Cause) {
    let within = found.per_failure.iter().filter(|f| f.perfect_ranking);
    let causes: Vec<Cause> = within.map(|f| f.cause).collect();
    assert!(!causes.is_empty(), "{found:#?}");
    assert!(causes.iter().all(|c| *c == cause), "{causes:?}");
}

#[test]
fn a_goal_that_nobody_can_reach_is_beyond_reach_and_true_dynamics_rank_rightly() {
    // In two steps the hand comes 11 cm far; the goal is at least 30 away, of which 14 are tolerated.
    let found = explained(&reach(2), 1.0, Box::new(Cem::default()));
    assert_eq!(found.failures as u64, EPISODES);
    assert!(found.per_failure.iter().all(|f| f.cause == Cause::Reach));
    assert_eq!(found.causes["reach"].unwrap().rate, 1.0);
    assert_eq!(found.reach.perfect_ranking.unwrap().rate, 0.0);
    let ranking = found.ranking;
    assert_eq!(ranking.regret_m.unwrap().mean, 0.0);
    assert!((ranking.spearman.unwrap().mean - 1.0).abs() < 1e-6);
    assert_eq!(ranking.top4_inverted.unwrap().rate, 0.0);
    // What it imagines is what comes, at every iteration; and searching on helps.
    let rounds = &found.exploitation;
    assert_eq!(
        rounds.iter().map(|r| r.iteration).collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert!(rounds.iter().all(|r| r.gap.unwrap().mean.abs() < 1e-6));
    assert!(rounds[2].true_m.unwrap().mean < rounds[0].true_m.unwrap().mean);
}

#[test]
fn a_model_that_wants_the_opposite_ranks_wrongly() {
    let found = explained(&reach(10), -1.0, Box::new(Cem::default()));
    assert_cause(&found, Cause::Ranking);
    let ranking = found.ranking;
    assert!((ranking.spearman.unwrap().mean + 1.0).abs() < 1e-6);
    assert!(ranking.regret_m.unwrap().low > 0.05, "{ranking:?}");
    assert_eq!(ranking.top4_inverted.unwrap().rate, 1.0);
    assert!(found.coverage.covered.unwrap().rate > 0.9);
}

#[test]
fn a_search_that_offers_nothing_does_not_cover() {
    let found = explained(&reach(10), 1.0, Box::new(Idle));
    assert_eq!(found.failures as u64, EPISODES);
    assert_cause(&found, Cause::Coverage);
    assert_eq!(found.coverage.covered.unwrap().rate, 0.0);
    // One candidate cannot be ranked: that is not measured, and not zero.
    assert_eq!(found.ranking.spearman, None);
    assert_eq!(found.ranking.top4_inverted, None);
    // It never imagined that it would succeed.
    assert_eq!(found.dreamed.success.unwrap().rate, 0.0);
}

#[test]
fn where_nothing_fails_nothing_is_explained() {
    let mut easy = Scene::clone(&reach(14));
    easy.task.as_mut().unwrap().tolerance_m = 0.25;
    if let ActionSpace::Planar { max_speed, .. } = &mut easy.actions {
        *max_speed = 1.0;
    }
    let found = explained(&Arc::new(easy), 1.0, Box::new(Cem::default()));
    assert_eq!(found.failures, 0, "{found:#?}");
    assert_eq!(found.success.unwrap().rate, 1.0);
    assert!(found.not_measured.is_some());
    assert!(found.causes.values().all(Option::is_none));
    assert_eq!(found.ranking.regret_m, None);
    assert_eq!(found.dreamed.success, None);
}

#[test]
fn a_search_that_ends_up_with_worse_candidates_exploits_its_model() {
    let round = |iteration, predicted, true_m| Round {
        iteration,
        predicted,
        corrected: 1.0,
        true_m,
    };
    let decision = |first: f64, last_true: f64| Examined {
        nearer_m: 0.2,
        spearman_first: Some(first),
        rounds: vec![round(1, 0.8, 0.3), round(10, 0.2, last_true)],
        ..Examined::default()
    };
    let tolerance = 0.1;
    let cause = |d: Examined| Cause::of(true, &[d], tolerance);
    assert_eq!(cause(decision(0.9, 0.5)), Cause::Exploitation);
    // Truth got better: whatever is wrong, searching on is not.
    assert_eq!(cause(decision(0.9, 0.2)), Cause::Ranking);
    // It did not rank the first candidates either.
    assert_eq!(cause(decision(0.1, 0.5)), Cause::Ranking);
    let none_nearer = Examined {
        nearer_m: 0.0,
        ..decision(0.9, 0.5)
    };
    assert_eq!(cause(none_nearer), Cause::Coverage);
    let unsolved = |d: Examined| Cause::of(false, &[d], tolerance);
    assert_eq!(unsolved(decision(0.9, 0.5)), Cause::Reach);
    // The oracle's search is bounded: a candidate that meets the goal proves that it lies within reach.
    let met = Examined {
        reaches: true,
        ..decision(0.1, 0.5)
    };
    assert_eq!(unsolved(met), Cause::Ranking);
}

#[test]
fn the_command_writes_what_it_found_and_refuses_what_it_does_not_look_at() {
    let dir = tempfile::tempdir().unwrap();
    let json = dir.path().join("why.json");
    let parallax = |line: &str| {
        let mut command = Command::cargo_bin("parallax").unwrap();
        command.args(line.split(' '));
        command.assert()
    };
    let line = "eval why --scene push --model lewm-push --episodes 2 --seed 900000 --horizon 1 \
                --candidates 2 --iterations 1 --replan 5 --cold --json";
    parallax(&format!("{line} {}", json.display())).success();
    let found: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(found["suite"], "why");
    assert_eq!(found["budget"]["candidates"], 2);
    assert_eq!(found["bounds"]["candidates_per_decision"], 64);
    assert_eq!(found["failures"], 2, "so poor a search cannot succeed");
    assert!(found["per_failure"][0]["cause"].is_string());
    parallax("eval why --scene push --model lewm-push --beta 2").code(2);
    parallax("eval why --scene push --model lewm-push --sweep cube.mass=1").code(2);
}
