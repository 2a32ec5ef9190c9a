//! CEM, iCEM, MPPI and gradient descent keep the same promises, held to a world whose best plan is known in
//! closed form: a mass that actions accelerate, and a quadratic distance.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use candle_core::Device;
use parallax::camera::Eye;
use parallax::model::facets::{Plans, Proposals, Strays};
use parallax::model::jepa::{GoalCost, LewmConfig, LewmModel};
use parallax::model::nn::Params;
use parallax::model::{
    Actions, Cancel, Card, Context, Cost, Effort, Facets, Frame, Goal, Latent, Metric, ModelError,
    Rollouts, Sampling, Shape, Slope, WorldModel,
};
use parallax::planner::{
    Adam, Budget, Cem, Controller, CostShape, Icem, Mpc, Mppi, Plan, Planner, Problem, Sight,
    coloured,
};
use parallax::sim::{HELD_OUT_SEED, Reality};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::support::scene;
use crate::support::stub::{card, shape};

/// Place and velocity of a mass on a plane; an action is a push.
struct Mass {
    card: Card,
    at: Mutex<[f32; 4]>,
    goal: [f32; 2],
    differentiable: bool,
    /// What one call of `imagine` takes.
    pause: Duration,
    /// What its action prior always says, `[T, A]`.
    prior: Option<Vec<f32>>,
    /// Every call's candidates, where it tells how far they stray.
    asked: Option<Mutex<Vec<Actions>>>,
}

const PUSH: f32 = 0.1;
/// Weight of velocity in the distance.
const REST: f32 = 0.3;

impl Mass {
    fn new(goal: [f32; 2]) -> Self {
        Self {
            card: card("mass"),
            at: Mutex::new([0.0; 4]),
            goal,
            differentiable: true,
            pause: Duration::ZERO,
            prior: None,
            asked: None,
        }
    }

    fn step(s: [f32; 4], a: &[f32]) -> [f32; 4] {
        let v = [s[2] + PUSH * a[0], s[3] + PUSH * a[1]];
        [s[0] + v[0], s[1] + v[1], v[0], v[1]]
    }

    fn far(&self, s: &[f32; 4]) -> f32 {
        let (x, z) = (s[0] - self.goal[0], s[1] - self.goal[1]);
        x * x + z * z + REST * (s[2] * s[2] + s[3] * s[3])
    }

    fn states(&self, start: [f32; 4], actions: &Actions) -> Vec<[f32; 4]> {
        let mut all = Vec::new();
        for n in 0..actions.n {
            let mut s = start;
            for t in 0..actions.steps {
                s = Self::step(s, actions.at(n, t));
                all.push(s);
            }
        }
        all
    }
}

impl WorldModel for Mass {
    fn card(&self) -> &Card {
        &self.card
    }
    fn shape(&self) -> Shape {
        shape(1, 1)
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
        cancel.check()?;
        std::thread::sleep(self.pause);
        if let Some(asked) = &self.asked {
            asked.lock().unwrap().push(actions.clone());
        }
        let states = self.states(*latent.get(&self.card.name)?, actions);
        Ok(Rollouts::new(states))
    }
    fn cost(&self, _: Sampling) -> Cost {
        Cost::default()
    }
    fn facets(&self) -> Facets<'_> {
        Facets {
            plans: Some(self),
            proposals: self.prior.is_some().then_some(self),
            strays: self.asked.is_some().then_some(self),
            ..Facets::default()
        }
    }
}

/// It strays where it goes far to the right.
fn stray(s: &[f32; 4]) -> f32 {
    s[0].max(0.0)
}

impl Strays for Mass {
    fn strays(&self, rollouts: &Rollouts) -> Result<Vec<f32>, ModelError> {
        let states: &Vec<[f32; 4]> = rollouts.get(&self.card.name)?;
        Ok(states.iter().map(stray).collect())
    }
}

impl Plans for Mass {
    fn distance(&self, rollouts: &Rollouts, _: &Goal, _: &Metric) -> Result<Vec<f32>, ModelError> {
        let states: &Vec<[f32; 4]> = rollouts.get(&self.card.name)?;
        Ok(states.iter().map(|s| self.far(s)).collect())
    }
    fn gradient(
        &self,
        latent: &Latent,
        actions: &Actions,
        _: &Goal,
        _: &Metric,
        weights: &[f32],
        _: &Cancel,
    ) -> Result<Option<Slope>, ModelError> {
        if !self.differentiable {
            return Ok(None);
        }
        let states = self.states(*latent.get(&self.card.name)?, actions);
        let mut by_action = vec![0.0; actions.data.len()];
        for n in 0..actions.n {
            // Backwards in time: how the sum changes with the state.
            let mut back = [0.0f32; 4];
            for t in (0..actions.steps).rev() {
                let s = states[n * actions.steps + t];
                for i in 0..2 {
                    back[i] += weights[t] * 2.0 * (s[i] - self.goal[i]);
                    // The place follows this step's velocity.
                    back[i + 2] += weights[t] * 2.0 * REST * s[i + 2] + back[i];
                    by_action[(n * actions.steps + t) * 2 + i] = PUSH * back[i + 2];
                }
            }
        }
        Ok(Some(Slope {
            distances: states.iter().map(|s| self.far(s)).collect(),
            by_action,
        }))
    }
    fn effort(&self) -> Effort {
        Effort::CHEAP
    }
}

impl Proposals for Mass {
    fn propose(
        &self,
        _: &Latent,
        _: &Goal,
        n: usize,
        steps: usize,
        dim: usize,
        _: u64,
    ) -> Result<Actions, ModelError> {
        Ok(Actions {
            n,
            steps,
            dim,
            data: self.prior.as_ref().unwrap()[..steps * dim].repeat(n),
        })
    }
}

const BUDGET: Budget = Budget {
    candidates: 120,
    iterations: 20,
    horizon: 5,
    hold: 2,
    milliseconds: None,
};

fn all_planners() -> Vec<Box<dyn Planner>> {
    vec![
        Box::new(Cem::default()),
        Box::new(Icem::default()),
        Box::new(Mppi::default()),
        Box::new(Adam::default()),
    ]
}

fn search(
    planner: &dyn Planner,
    model: &dyn WorldModel,
    budget: &Budget,
    warm: Option<&Plan>,
    seed: u64,
) -> Result<Plan, ModelError> {
    let latent = model.observe(&Context::default())?;
    planner.plan(&Problem {
        model,
        latent: &latent,
        goal: &Goal::default(),
        metric: &Metric::Own,
        sampling: Sampling::default(),
        dim: 2,
        budget,
        warm,
        seed,
        cancel: &Cancel::new(),
    })
}

/// Mean distance over the horizon under tokens held for two steps.
fn cost_of(model: &Mass, tokens: &[f64]) -> f64 {
    let data: Vec<f32> = tokens
        .chunks(2)
        .flat_map(|t| [t, t].concat())
        .map(|v| v as f32)
        .collect();
    let actions = Actions {
        n: 1,
        steps: data.len() / 2,
        dim: 2,
        data,
    };
    let states = model.states(*model.at.lock().unwrap(), &actions);
    states.iter().map(|s| f64::from(model.far(s))).sum::<f64>() / states.len() as f64
}

/// The lowest cost there is: the cost is quadratic in the tokens, so its slope and curvature at 0 say where.
fn best_cost(model: &Mass) -> f64 {
    const N: usize = 10;
    let unit = |i: usize, j: Option<usize>| {
        let mut u = [0.0; N];
        u[i] += 1.0;
        j.into_iter().for_each(|j| u[j] += 1.0);
        cost_of(model, &u)
    };
    let zero = cost_of(model, &[0.0; N]);
    let single: Vec<f64> = (0..N).map(|i| unit(i, None) - zero).collect();
    // Row i: the curvatures of gene i, then minus the slope.
    let mut rows: Vec<Vec<f64>> = (0..N)
        .map(|i| {
            (0..N)
                .map(|j| unit(i, Some(j)) - zero - single[i] - single[j])
                .collect()
        })
        .collect();
    for i in 0..N {
        let slope = single[i] - 0.5 * rows[i][i];
        rows[i].push(-slope);
    }
    for i in 0..N {
        for j in (0..N).filter(|&j| j != i) {
            let factor = rows[j][i] / rows[i][i];
            let pivot = rows[i].clone();
            rows[j]
                .iter_mut()
                .zip(&pivot)
                .for_each(|(v, p)| *v -= factor * p);
        }
    }
    let best: Vec<f64> = (0..N).map(|i| rows[i][N] / rows[i][i]).collect();
    assert!(
        best.iter().all(|v| v.abs() < 1.0),
        "within bounds: {best:?}"
    );
    cost_of(model, &best)
}

#[test]
fn every_planner_finds_the_best_plan_there_is() {
    let model = Mass::new([0.24, -0.16]);
    let (best, idle) = (best_cost(&model), cost_of(&model, &[0.0; 10]));
    assert!(
        best < 0.6 * idle,
        "there is something to gain: {best} of {idle}"
    );
    for planner in all_planners() {
        let (budget, allowed) = match planner.id() {
            "gradient" => {
                let budget = Budget {
                    candidates: 8,
                    iterations: 120,
                    ..BUDGET
                };
                (budget, 0.01)
            }
            // Samplers narrow before they have arrived.
            _ => {
                let budget = Budget {
                    candidates: 300,
                    ..BUDGET
                };
                (budget, 0.1)
            }
        };
        let plan = search(planner.as_ref(), &model, &budget, None, 5).unwrap();
        let found = plan.cost_by_step.iter().sum::<f32>() / plan.cost_by_step.len() as f32;
        let lost = (f64::from(found) - best) / (idle - best);
        assert!(
            lost < allowed,
            "{} loses {:.1} %",
            planner.id(),
            100.0 * lost
        );
        assert!(
            lost > -1e-4,
            "{} finds more than there is: {lost}",
            planner.id()
        );
    }
}

#[test]
fn every_planner_brings_the_mass_to_rest_at_its_goal() {
    let sight = Sight {
        context: Context::default(),
        goal: Goal::default(),
        dim: 2,
    };
    for planner in all_planners() {
        let name = planner.id();
        let model = Arc::new(Mass::new([-0.8, 0.6]));
        let mut mpc = Mpc::new(model.clone(), planner, BUDGET, 1);
        mpc.reset(3);
        for _ in 0..30 {
            let action = mpc.decide(&sight, &Cancel::new()).unwrap();
            let mut at = model.at.lock().unwrap();
            *at = Mass::step(*at, &action);
        }
        let [x, z, vx, vz] = *model.at.lock().unwrap();
        let (off, speed) = ((x + 0.8).hypot(z - 0.6), vx.hypot(vz));
        assert!(
            off < 0.15 && speed < 0.15,
            "{name}: {off} from it at {speed} a step"
        );
    }
}

#[test]
fn a_seed_decides_every_plan() {
    let model = Mass::new([0.45, -0.3]);
    for planner in all_planners() {
        let plan = |seed| search(planner.as_ref(), &model, &BUDGET, None, seed).unwrap();
        assert_eq!(plan(7), plan(7), "{}", planner.id());
        assert_ne!(plan(7).elites, plan(8).elites, "{}", planner.id());
    }
}

#[test]
fn every_plan_can_be_inspected() {
    let model = Mass::new([0.45, -0.3]);
    for planner in all_planners() {
        let plan = search(planner.as_ref(), &model, &BUDGET, None, 1).unwrap();
        let name = planner.id();
        assert_eq!(plan.actions.len(), 10, "{name}");
        assert_eq!(plan.cost_by_step.len(), 10, "{name}");
        assert_eq!(
            (plan.iterations.len(), plan.elites.len()),
            (20, 20),
            "{name}"
        );
        assert_eq!(plan.first_actions.len(), 120, "{name}");
        for (elites, trace) in plan.elites.iter().zip(&plan.iterations) {
            assert!((1..=Plan::ELITES).contains(&elites.len()), "{name}");
            assert!(elites.iter().all(|e| e.actions.len() == 20), "{name}");
            assert!(
                elites.windows(2).all(|e| e[0].cost <= e[1].cost),
                "{name}: best first"
            );
            assert_eq!(elites[0].cost, trace.best, "{name}");
        }
        assert!(
            plan.actions
                .iter()
                .flatten()
                .all(|a| (-1.0..=1.0).contains(a)),
            "{name}"
        );
        assert!(
            plan.model_steps <= 3 * (120 * 20 * 10) + 10,
            "{name}: {}",
            plan.model_steps
        );
    }
}

#[test]
fn a_clock_ends_a_search_between_iterations() {
    let slow = |pause| Mass {
        pause: Duration::from_millis(pause),
        ..Mass::new([0.45, -0.3])
    };
    let budget = |ms| Budget {
        iterations: 1000,
        candidates: 8,
        milliseconds: Some(ms),
        ..BUDGET
    };
    for planner in all_planners().iter().filter(|p| p.id() != "gradient") {
        let name = planner.id();
        let plan = search(planner.as_ref(), &slow(10), &budget(500), None, 1).unwrap();
        let iterations = plan.iterations.len();
        assert!(
            (2..=50).contains(&iterations),
            "{name}: {iterations} iterations of 10 ms in 500"
        );
        let plan = search(planner.as_ref(), &slow(20), &budget(1), None, 1).unwrap();
        assert_eq!(
            plan.iterations.len(),
            1,
            "{name}: one iteration always runs"
        );
    }
}

#[test]
fn a_model_without_a_gradient_is_named() {
    let model = Mass {
        differentiable: false,
        ..Mass::new([0.0; 2])
    };
    let error = search(&Adam::default(), &model, &BUDGET, None, 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("mass") && error.contains("gradient") && error.contains("cem"),
        "{error}"
    );
}

#[test]
fn a_token_under_way_keeps_its_end() {
    let model = Mass::new([0.45, -0.3]);
    let first = search(&Cem::default(), &model, &BUDGET, None, 1).unwrap();
    let rest = first.clone().shifted(3, BUDGET.hold);
    assert_eq!((rest.actions.len(), rest.phase), (7, 1));
    assert_eq!(rest.actions[..], first.actions[3..]);
    assert_eq!(rest.elites.len(), 1, "only the last elites go on");
    assert!(rest.elites[0].iter().all(|e| e.actions.len() == 14));
    for planner in all_planners() {
        let plan = search(planner.as_ref(), &model, &BUDGET, Some(&rest), 2).unwrap();
        assert_eq!(plan.actions.len(), 10, "{}", planner.id());
        let held: Vec<bool> = plan.actions.windows(2).map(|w| w[0] == w[1]).collect();
        let wanted = [false, true, false, true, false, true, false, true, false];
        assert!(
            held.iter()
                .zip(wanted)
                .all(|(held, wanted)| *held || !wanted),
            "{}: one step of the old token, then two each: {:?}",
            planner.id(),
            plan.actions
        );
        assert_eq!(plan.phase, 1, "{}", planner.id());
    }
}

#[test]
fn a_plan_can_be_priced_by_its_end_alone() {
    assert_eq!(CostShape::Sum.weights(4), [0.25; 4]);
    assert_eq!(CostShape::Last.weights(3), [0.0, 0.0, 1.0]);
}

#[test]
fn coloured_noise_has_unit_variance_and_wanders() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for (n, beta) in [(5, 2.0), (8, 2.0), (25, 2.0), (25, 0.0), (1, 2.0)] {
        let draws: Vec<Vec<f32>> = (0..4000).map(|_| coloured(n, beta, &mut rng)).collect();
        let mean = |f: &dyn Fn(&[f32]) -> f32| draws.iter().map(|d| f(d)).sum::<f32>() / 4000.0;
        for t in 0..n {
            let variance = mean(&|d| d[t] * d[t]);
            assert!(
                (variance - 1.0).abs() < 0.1,
                "n {n}, beta {beta}, step {t}: {variance}"
            );
        }
        if n == 25 {
            let next = mean(&|d| d[10] * d[11]);
            let wanted = if beta > 0.0 { 0.8..1.0 } else { -0.15..0.15 };
            assert!(
                wanted.contains(&next),
                "beta {beta}: neighbours correlate with {next}"
            );
        }
    }
}

#[test]
fn lewms_gradient_is_that_of_its_distance() {
    let push = scene("push");
    let eye = Eye::standard(&push).unwrap();
    let look = |seed| eye.look(&Reality::new(&push, seed).unwrap()).rgb;
    let config = LewmConfig {
        latent_dim: 16,
        encoder_hidden: 32,
        predictor_width: 32,
        inverse_width: 16,
        cost: GoalCost::Plain,
        ..Default::default()
    };
    let params = Params::fresh(3, &Device::Cpu);
    let make = || LewmModel::from_params(card("lewm"), &config, &params, None).unwrap();
    make();
    // The predictor starts as the identity: give its last layer something to say.
    for (name, var) in params.pp("predictor.out").vars() {
        let drawn = Params::fresh(9, &Device::Cpu);
        let noise = drawn.get(var.shape(), &name, parallax::model::nn::Init::Normal(0.05));
        var.set(&noise.unwrap()).unwrap();
    }
    let model = make();
    let context = Context::one(Frame::new(64, look(HELD_OUT_SEED)));
    let goal = Goal::new(64, look(HELD_OUT_SEED + 1));
    let (own, sampling) = (Metric::Own, Sampling::default());
    let latent = model.observe(&context).unwrap();
    let actions = |nudge: Option<(usize, f32)>| {
        let mut data: Vec<f32> = (0..40).map(|i| libm::sinf(i as f32)).collect();
        if let Some((i, by)) = nudge {
            data[i] += by;
        }
        Actions {
            n: 2,
            steps: 10,
            dim: 2,
            data,
        }
    };
    let weights = [0.3, 0.7];
    let cost = |a: &Actions| -> Vec<f32> {
        let rollouts = model.imagine(&latent, a, sampling, &Cancel::new()).unwrap();
        let d = model.distance(&rollouts, &goal, &own).unwrap();
        d.chunks(2)
            .map(|d| d[0] * weights[0] + d[1] * weights[1])
            .collect()
    };
    let slope = model
        .gradient(
            &latent,
            &actions(None),
            &goal,
            &own,
            &weights,
            &Cancel::new(),
        )
        .unwrap()
        .expect("a LeWM can");
    let rollouts = model
        .imagine(&latent, &actions(None), sampling, &Cancel::new())
        .unwrap();
    let distances = model.distance(&rollouts, &goal, &own).unwrap();
    assert_eq!(slope.distances.len(), distances.len());
    for (a, b) in slope.distances.iter().zip(&distances) {
        assert!((a - b).abs() < 1e-4 * b.abs(), "{a} {b}");
    }
    assert_eq!(slope.by_action.len(), 40);
    let mut largest = 0.0f32;
    for i in [0, 3, 11, 19, 20, 28, 39] {
        let candidate = i / 20;
        let (up, down) = (
            cost(&actions(Some((i, 0.01)))),
            cost(&actions(Some((i, -0.01)))),
        );
        let measured = (up[candidate] - down[candidate]) / 0.02;
        let error = (measured - slope.by_action[i]).abs();
        assert!(
            error < 0.02 + 0.02 * measured.abs(),
            "{i}: {measured}, {}",
            slope.by_action[i]
        );
        assert_eq!(
            up[1 - candidate],
            down[1 - candidate],
            "candidates are apart"
        );
        largest = largest.max(measured.abs());
    }
    assert!(largest > 0.01, "actions matter: {largest}");
    let error = model
        .gradient(&latent, &actions(None), &goal, &own, &[1.0], &Cancel::new())
        .unwrap_err();
    assert!(error.to_string().contains("weights"), "{error}");
}

#[test]
fn a_prior_s_proposals_are_searched_from_where_they_are_asked_for() {
    let plain = Mass::new([0.4, -0.2]);
    let good = search(&Cem::default(), &plain, &BUDGET, None, 3).unwrap();
    let mut knowing = Mass::new([0.4, -0.2]);
    knowing.prior = Some(good.actions.concat());
    let few = Budget {
        candidates: 20,
        iterations: 1,
        ..BUDGET
    };
    let planners = |proposals: usize| -> [Box<dyn Planner>; 2] {
        [
            Box::new(Cem {
                proposals,
                ..Default::default()
            }),
            Box::new(Icem {
                proposals,
                ..Default::default()
            }),
        ]
    };
    let best = |planner: &dyn Planner, model: &Mass| {
        let plan = search(planner, model, &few, None, 4).unwrap();
        assert_eq!(plan.actions.len(), BUDGET.steps());
        plan.iterations[0].best
    };
    let known = good.cost_by_step.iter().sum::<f32>() / good.cost_by_step.len() as f32;
    for (with, without) in planners(8).iter().zip(&planners(0)) {
        let found = best(with.as_ref(), &knowing);
        assert!(found <= known + 1e-6, "{}: {found} {known}", with.id());
        let blind = best(without.as_ref(), &knowing);
        assert!(blind > 1.2 * known, "{}: {blind} {known}", with.id());
        assert_eq!(best(without.as_ref(), &plain), blind);
        // Where there is no prior, what is asked for cannot be done.
        let error = search(with.as_ref(), &plain, &few, None, 4).unwrap_err();
        assert!(error.to_string().contains("no prior"), "{error}");
    }
}

#[test]
fn a_gated_planner_never_keeps_the_most_surprising() {
    let planners = |gate: f32| -> [Box<dyn Planner>; 2] {
        [
            Box::new(Cem {
                gate,
                ..Default::default()
            }),
            Box::new(Icem {
                gate,
                // Candidates of one size in every iteration.
                decay: 1.0,
                ..Default::default()
            }),
        ]
    };
    // A tenth of 40 are elites, all of which are in the trace; four more are listed, and four dropped.
    let few = Budget {
        candidates: 40,
        iterations: 6,
        ..BUDGET
    };
    let (elites, listed) = (4, 8);
    let telling = || Mass {
        asked: Some(Mutex::default()),
        ..Mass::new([0.4, -0.2])
    };
    // In how many iterations each planner keeps one of the strangest half of the cheapest eight.
    let broken = |planner: &dyn Planner| -> usize {
        let model = telling();
        let plan = search(planner, &model, &few, None, 5).unwrap();
        let asked = model.asked.as_ref().unwrap().lock().unwrap();
        assert_eq!(asked.len(), plan.iterations.len() + 1);
        let mut broken = 0;
        for (candidates, kept) in asked.iter().zip(&plan.elites) {
            assert_eq!(kept.len(), elites, "{}", planner.id());
            let states = model.states([0.0; 4], candidates);
            let mean = |of: &dyn Fn(&[f32; 4]) -> f32| -> Vec<f32> {
                let each = states.chunks_exact(candidates.steps);
                each.map(|s| s.iter().map(of).sum::<f32>() / s.len() as f32)
                    .collect()
            };
            let (cost, strays) = (mean(&|s| model.far(s)), mean(&stray));
            let mut list: Vec<usize> = (0..candidates.n).collect();
            list.sort_by(|&a, &b| cost[a].total_cmp(&cost[b]));
            list.truncate(listed);
            list.sort_by(|&a, &b| strays[b].total_cmp(&strays[a]));
            let dropped = &list[..listed - elites];
            let size = candidates.steps * candidates.dim;
            let bound = strays[list[listed - elites]];
            let is_kept = |&&i: &&usize| {
                let own = &candidates.data[i * size..(i + 1) * size];
                // Those that stray exactly as far as one that may stay are a matter of order.
                strays[i] > bound && kept.iter().any(|e| e.actions == own)
            };
            broken += usize::from(dropped.iter().any(|i| is_kept(&i)));
        }
        broken
    };
    for (gated, plain) in planners(1.0).iter().zip(&planners(0.0)) {
        assert_eq!(broken(gated.as_ref()), 0, "{}", gated.id());
        assert!(broken(plain.as_ref()) > 0, "{}: nothing strays", plain.id());
        assert!(gated.id().ends_with("-gated") && !plain.id().contains("gated"));
        // Where nothing tells, what is asked for cannot be done, and without a gate nothing changes.
        let silent = Mass::new([0.4, -0.2]);
        let error = search(gated.as_ref(), &silent, &few, None, 5).unwrap_err();
        assert!(error.to_string().contains("strays"), "{error}");
        let (heard, unheard) = (
            search(plain.as_ref(), &telling(), &few, None, 5).unwrap(),
            search(plain.as_ref(), &silent, &few, None, 5).unwrap(),
        );
        assert_eq!(heard.actions, unheard.actions);
    }
}
