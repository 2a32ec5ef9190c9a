//! The library in twenty lines: a model that ships looks at a scene, imagines what an action would do, and
//! plans.
//!
//! `cargo run --release --no-default-features --example imagine_and_plan`

use std::sync::Arc;

use parallax::camera::Eye;
use parallax::model::{Actions, Cancel, Context, Frame, Sampling, registry};
use parallax::planner::{Budget, Cem, Controller as _, Mpc, Sight};
use parallax::scene;
use parallax::sim::HELD_OUT_SEED;
use parallax::task::TaskInstance;

fn main() -> anyhow::Result<()> {
    println!("{}", run()?);
    Ok(())
}

/// Says where the model sees the bodies going, and how far the cube was from its goal before and after.
pub fn run() -> anyhow::Result<String> {
    let scene = Arc::new(scene::load("push")?);
    let eye = Eye::standard(&scene)?;
    let model = registry::load_named(&scene::models_dir(), "lewm-push", &candle_core::Device::Cpu)?;

    // A start and a goal that the training has never seen.
    let task = TaskInstance::new(&scene, &eye, HELD_OUT_SEED)?;
    let mut reality = task.reality.fork();
    let look = |reality: &_| Frame::new(eye.size(), eye.look(reality).rgb);
    let mut context = Context::one(look(&reality));

    // Imagine: half a second of pushing to the right.
    let actions = Actions::one(&vec![vec![1.0, 0.0]; 5], 2);
    let latent = model.observe(&context)?;
    let rollouts = model.imagine(&latent, &actions, Sampling::default(), &Cancel::new())?;
    let mut text = String::new();
    if let Some(states) = model.facets().states(&rollouts)? {
        for (body, [x, z, _]) in states.bodies.iter().zip(states.at(0, 0)) {
            text += &format!(
                "after half a second the model expects `{body}` at x {x:.2} m, z {z:.2} m\n"
            );
        }
    }

    // Plan and act until the cube is there, or time is up.
    let before = task.distance(&reality);
    let mut controller = Mpc::new(model, Cem::default(), Budget::PAPER, Budget::REPLAN);
    controller.reset(0);
    for _ in 0..task.task.budget_steps {
        if task.is_solved(&reality) {
            break;
        }
        let sight = Sight {
            context: context.clone(),
            goal: task.goal.clone(),
            dim: scene.actions.dim(),
        };
        let action = controller.decide(&sight, &Cancel::new())?;
        reality.act(&action);
        reality.step();
        context.actions.push(action);
        context.frames.push(look(&reality));
        context.keep(16);
    }
    let after = task.distance(&reality);
    text += &format!(
        "distance to the goal: {before:.3} m, then {after:.3} m after {} steps",
        reality.steps()
    );
    Ok(text)
}
