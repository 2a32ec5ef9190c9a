//! A model is shared by whoever uses it, and what one user asks of it changes nothing for another: a plan
//! is the same to the bit whether it is made alone or while somebody else samples the same model in another
//! way.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use parallax::model::{
    Actions, Cancel, Context, Frame, Goal, Metric, Sampled, Sampling, WorldModel,
};
use parallax::planner::{Budget, Cem, Mpc, Pilot, Plan, Planner, Problem, Sight};
use parallax::worker::{Desk, DreamStep, Imagine, PlanRequest, dreaming, imagination, planning};

use crate::diffusion_learns::moving_squares;

const BUDGET: Budget = Budget {
    candidates: 12,
    iterations: 4,
    horizon: 2,
    hold: 2,
    milliseconds: None,
};

/// A small model of each kind that samples.
fn models() -> [Arc<dyn WorldModel>; 2] {
    [
        Arc::new(crate::diffusion_imagines::awake_model()),
        Arc::new(crate::latent_diffusion_learns::awake_model()),
    ]
}

/// What was seen, and what is wanted.
fn situation() -> (Context, Goal) {
    let data = moving_squares(1, 8);
    let frame = |t: usize| Frame::new(data.size, data.frame(t).to_vec());
    (
        Context::one(frame(0)),
        Goal::new(frame(7).size, frame(7).data),
    )
}

fn plan(model: &dyn WorldModel) -> Plan {
    let (context, goal) = situation();
    let problem = Problem {
        model,
        latent: &model.observe(&context).unwrap(),
        goal: &goal,
        metric: &Metric::Own,
        sampling: Sampling::default(),
        dim: 2,
        budget: &BUDGET,
        warm: None,
        seed: 5,
        cancel: &Cancel::new(),
    };
    Cem::default().plan(&problem).unwrap()
}

#[test]
fn a_plan_is_the_same_while_another_thread_samples_the_same_model_otherwise() {
    for model in models() {
        let alone = plan(model.as_ref());
        let (stop, imagined) = (AtomicBool::new(false), AtomicUsize::new(0));
        let together = std::thread::scope(|threads| {
            threads.spawn(|| {
                let latent = model.observe(&situation().0).unwrap();
                let actions = Actions::one(&vec![vec![0.3, -0.2]; 2], 2);
                let mut draw = 0;
                while !stop.load(Ordering::Relaxed) {
                    let sampling = Sampling::nfe(8).draw(draw);
                    let rollouts = model.imagine(&latent, &actions, sampling, &Cancel::new());
                    rollouts.unwrap();
                    draw += 1;
                    imagined.fetch_add(1, Ordering::Relaxed);
                }
            });
            while imagined.load(Ordering::Relaxed) == 0 {
                std::thread::yield_now();
            }
            let together = plan(model.as_ref());
            stop.store(true, Ordering::Relaxed);
            together
        });
        assert_eq!(alone, together, "{}", model.card().name);
        // And it does matter how it is sampled.
        let other = Sampled::new(model.clone(), Sampling::nfe(8));
        assert_ne!(alone.cost, plan(&other).cost, "{}", model.card().name);
    }
}

/// A decision of a planner of the window.
fn decide(model: &Arc<dyn WorldModel>) -> Plan {
    let (context, goal) = situation();
    let mpc = Mpc::new(model.clone(), Cem::default(), BUDGET, 2);
    let order = PlanRequest {
        controller: Arc::new(Mutex::new(Pilot::Sighted(Box::new(mpc)))),
        preview: None,
        sight: Sight {
            context,
            goal,
            dim: 2,
        },
        truth: None,
    };
    let mut desk = Desk::open("planning", || planning).unwrap();
    desk.ask(order);
    wait(&mut desk).plan.unwrap()
}

fn wait<Q: Send + 'static, P: Send + 'static>(desk: &mut Desk<Q, P>) -> P {
    for _ in 0..20_000 {
        if let Some(report) = desk.poll() {
            return report.result.unwrap_or_else(|e| panic!("{e}"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("no report came");
}

#[test]
fn neither_the_menu_of_a_pane_nor_a_dream_changes_a_plan() {
    for model in models() {
        let before = decide(&model);
        let mut panes = Desk::open("imagine-test", || imagination).unwrap();
        let mut dreams = Desk::open("dreaming", || dreaming).unwrap();
        let (context, _) = situation();
        for nfe in [1, 2, 10] {
            panes.ask(Imagine {
                model: model.clone(),
                context: context.clone(),
                actions: vec![vec![0.5, 0.5]; 4],
                dim: 2,
                sampling: Sampling::nfe(nfe),
                samples: 1,
                tracker: None,
            });
            dreams.ask(DreamStep {
                model: model.clone(),
                context: context.clone(),
                action: vec![0.5, 0.5],
                sampling: Sampling::nfe(nfe),
            });
            // While both are at work, and after.
            assert_eq!(before, decide(&model), "{} at {nfe}", model.card().name);
            wait(&mut panes);
            wait(&mut dreams);
            assert_eq!(before, decide(&model), "{} after {nfe}", model.card().name);
        }
    }
}
